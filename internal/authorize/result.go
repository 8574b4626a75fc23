package authorize

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/oauth"
)

// The codes of authorizations that failed: error_type of wire contract §8.3.
const (
	CodeAuthMode       = "auth_mode_err"
	CodeCallback       = "callback_err"
	CodeProviderConfig = "provider_config_err"
	CodeUnknownConfig  = "unknown_config_key"
	CodeURLParam       = "url_param_err"
	CodeState          = "state_err"
	CodeStateCookie    = "state_cookie_err"
	CodeToken          = "token_err"
	CodeUnknown        = "unknown_err"
)

const (
	// maxShown bounds the parameters of a callback that are shown, maxShownText
	// each of their values, in bytes.
	maxShown     = 30
	maxShownText = 400
	redacted     = "[redacted]"

	tryAgain = "Try again. If it happens again, tell whoever sent you here."
)

// Result is how an authorization ended, for the page in the popup.
type Result struct {
	Success bool
	// IntegrationKey and ConnectionName are empty where nothing is known of the
	// authorization, as are Provider and ProviderName, what people call it.
	IntegrationKey, ConnectionName string
	ProviderName, Provider         string
	// Code is why it failed, one of wire contract §8.3, §7 or §2.2. Reason is the
	// finer code of the provider's own, such as "access_denied", where it is one
	// that we know.
	Code, Reason string
	// Message says in plain words what happened, Hint what to do next.
	Message, Hint string
	// Detail is for whoever runs the integration. It holds no secret.
	Detail string
	// Query holds the parameters of the callback without their secrets.
	Query []QueryParam
	// Look is how the environment's pages look; zero where it is not known.
	Look linkspan.ConnectUISettings
	// Lang is the language that the page asked for. Empty: the browser's.
	Lang string
	// Status is the HTTP status of the page.
	Status int
	// ClearCookie names the browser's cookie that has done its duty. Empty: none.
	ClearCookie string
}

// QueryParam is one parameter of a callback as it may be shown.
type QueryParam struct{ Name, Value string }

// failure is why an authorization failed, for all who are told.
type failure struct {
	code, reason          string
	message, hint, detail string
	status                int
	// told means that the connection has told operation and waiting page, or
	// will.
	told bool
}

// text is what the waiting page is told.
func (f failure) text() string {
	if f.detail == "" {
		return f.message
	}
	return f.message + " " + f.detail
}

func fail(code, message, hint string) failure {
	return failure{code: code, message: message, hint: hint, status: http.StatusBadRequest}
}

// failureOf makes a failure of an error. Only what a linkspan.Error says for
// callers is taken over.
func failureOf(err error) failure {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Code == "" && e.Kind == linkspan.KindInternal {
		f := fail(CodeUnknown, "Something went wrong on the server.", tryAgain)
		f.status = http.StatusInternalServerError
		return f
	}
	f := fail(e.Code, e.Msg, e.Hint)
	if f.hint == "" {
		f.hint = tryAgain
	}
	if f.code == "" {
		f.code = string(e.Kind)
	}
	if f.message == "" && len(e.Issues) > 0 {
		f.message = e.Issues[0].Message
	}
	if e.Kind == linkspan.KindUnavailable || e.Kind == linkspan.KindInternal || e.Kind == linkspan.KindTimeout {
		f.status = http.StatusServiceUnavailable
	}
	return f
}

// tokenFailure makes a failure of what the token endpoint said.
func tokenFailure(p *catalog.Provider, err error) failure {
	f := fail(CodeToken, p.DisplayName+" did not complete the connection.", tryAgain)
	o, ok := errors.AsType[*oauth.Failure](err)
	if !ok {
		return f
	}
	f.reason, f.detail = o.Code, o.Message
	if o.Description != "" {
		f.detail += " The provider says: " + o.Description
	}
	if o.Class == oauth.Transient {
		f.message = p.DisplayName + " can't be reached right now."
		f.hint = "Try again in a few minutes."
	}
	return f
}

// providerFailure puts the error of an authorization response (RFC 6749
// §4.1.2.1, OpenID Connect Core §3.1.2.6) into plain words.
func providerFailure(p *catalog.Provider, code string) failure {
	const tellSender = "Tell whoever sent you here: the connection to this provider has to be set up differently."
	f := fail(CodeCallback, p.DisplayName+" reported an error.", tryAgain)
	f.reason = strings.ToLower(code)
	switch f.reason {
	case "access_denied", "user_denied", "user_cancelled", "user_cancelled_login", "user_cancelled_authorize", "consent_denied", "cancelled":
		f.reason = "access_denied"
		f.message = "The access to " + p.DisplayName + " was declined, so nothing was connected."
		f.hint = "If you did not mean to decline, try again. If you may not allow it yourself, ask an administrator of your account."
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		f.message = p.DisplayName + " wants you to log in or to agree first."
		f.hint = "Log in at " + p.DisplayName + " and try again."
	case "temporarily_unavailable", "server_error":
		f.message = p.DisplayName + " can't do this right now."
		f.hint = "Try again in a few minutes."
	case "invalid_scope":
		f.message, f.hint = p.DisplayName+" does not offer the permissions that were asked for.", tellSender
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_client", "redirect_uri_mismatch":
		f.message, f.hint = p.DisplayName+" did not accept the request.", tellSender
	default:
		f.reason = "" // made up by anybody
	}
	return f
}

// providerDetail is what a provider says about its error.
func providerDetail(query url.Values) string {
	var parts []string
	for _, name := range []string{"error", "error_code", "error_reason", "error_description", "error_message", "status_code", "error_uri"} {
		if v := clean(query.Get(name)); v != "" {
			parts = append(parts, name+": "+v)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "The provider says: " + strings.Join(parts, "; ")
}

// shownQuery returns the parameters of a callback for the page, sorted, without
// what may be a secret.
func shownQuery(query url.Values, codeParam string) []QueryParam {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []QueryParam
	for _, name := range names[:min(len(names), maxShown)] {
		value := clean(query.Get(name))
		if isSecretParam(name, codeParam) {
			value = redacted
		}
		out = append(out, QueryParam{clean(name), value})
	}
	return out
}

// isSecretParam reports whether a parameter may hold something that gives
// access. Errors are known to hold none, and of the rest only what is known to
// be harmless is shown.
func isSecretParam(name, codeParam string) bool {
	lower := strings.ToLower(name)
	if lower == "code" || name == codeParam {
		return true
	}
	switch lower {
	case "error", "error_code", "error_description", "error_reason", "error_message", "error_uri", "error_subtype", "status_code",
		"scope", "iss", "hd", "prompt", "authuser", "setup_action", "locale", "region", "location":
		return false
	default:
		return true
	}
}

// clean makes foreign text fit to be shown in one line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if len(s) > maxShownText {
		s = strings.ToValidUTF8(s[:maxShownText], "") + "…"
	}
	return strings.TrimSpace(s)
}

// result is the page of a failure.
func (f failure) result() Result {
	return Result{Code: f.code, Reason: f.reason, Message: f.message, Hint: f.hint, Detail: f.detail, Status: f.status}
}

// describe adds what is known of the provider.
func (r *Result) describe(p *catalog.Provider) {
	if p != nil {
		r.Provider, r.ProviderName = p.Name, p.DisplayName
	}
}

// FailedStart is the page for an authorization that could not begin: err is of
// Begin, or says why the browser was refused before that. p is nil then.
func (s *Service) FailedStart(p *access.Principal, in Request, err error) Result {
	r := failureOf(err).result()
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		switch {
		case e.Status != 0:
			r.Status = e.Status
		case e.Kind == linkspan.KindUnauthenticated:
			r.Status = http.StatusUnauthorized
		default:
		}
	}
	r.Lang = langOf(in.Lang)
	if isKey(in.IntegrationKey) {
		r.IntegrationKey = in.IntegrationKey
	}
	if p != nil {
		r.Look = p.Environment.Settings.ConnectUI
	}
	return r
}

// langOf returns a language tag of a plausible shape, or "".
func langOf(s string) string {
	if len(s) > 35 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		return ""
	}
	return s
}
