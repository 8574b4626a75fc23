package connectui

import (
	"errors"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/httpx"
)

// Codes of our own, beside those of wire contract §6.3, §7 and §8.3.
const (
	codeNoToken     = "missing_connect_session_token"
	codeNotAllowed  = "integration_not_allowed"
	codeUnsupported = "unsupported_provider"
	codeClosed      = "window_closed"
	codeTestFailed  = "connection_test_failed"
	codeInvalid     = "connection_validation_failed"
	codeDenied      = "access_denied"
)

// maxMessage is how much of a message from the browser is shown, in bytes.
const maxMessage = 2000

// problemView says what went wrong and what to do about it.
type problemView struct {
	frame
	words problemWords
	// Provider and Name are empty when it is not about one.
	Provider, Name string
	// Key is the integration to try again; empty when trying again is no use.
	Key string
	// List offers to go back to the list.
	List bool
	// Calm problems are nobody's fault and look that way.
	Calm bool
	// Code and Detail are for developers.
	Code, Detail string
	// Tell is whether the page around hears of it (wire contract §6.5).
	Tell bool
}

func (v problemView) title() string { return v.say(v.words.Title, v.Name) }
func (v problemView) text() string  { return v.say(v.words.Text, v.Name) }

// event is the name by which the problem is counted (wire contract §4.13).
func (v problemView) event() string {
	if v.Code == codeTestFailed || v.Code == codeInvalid {
		return "view:credentials_error"
	}
	return "view:unknown_error"
}

// problemKind is what a code means to the person in front of the page.
type problemKind struct {
	words problemWords
	// again is whether trying again may help.
	again bool
	calm  bool
}

// explain puts a code into words. Reason is the provider's own.
func explain(w *words, code, reason string, kind linkspan.Kind) problemKind {
	if reason == codeDenied {
		return problemKind{w.Denied, true, true}
	}
	switch code {
	case codeClosed:
		return problemKind{w.WindowClosed, true, true}
	case "unknown_connect_session_token", "invalid_connect_session_token_format", "unauthenticated", "expired":
		return problemKind{w.Expired, false, true}
	case codeNoToken, "missing_auth_header", "malformed_auth_header":
		return problemKind{w.NoToken, false, true}
	case authorize.CodeState, authorize.CodeStateCookie:
		return problemKind{w.Stale, true, true}
	case connect.CodePending:
		return problemKind{w.Pending, false, true}
	case codeNotAllowed:
		return problemKind{w.NotOffered, false, false}
	case "invalid_connection":
		return problemKind{w.Gone, false, false}
	case codeUnsupported, authorize.CodeAuthMode, "invalid_auth_mode", "grant_type_err":
		return problemKind{w.Unsupported, false, false}
	case codeTestFailed, codeInvalid:
		return problemKind{w.Refused, true, false}
	case authorize.CodeProviderConfig, authorize.CodeUnknownConfig, authorize.CodeURLParam, "unknown_provider_config",
		"unknown_provider_template", "missing_hmac", "invalid_hmac":
		return problemKind{w.NotSetUp, false, false}
	}
	switch kind {
	case linkspan.KindUpstream, linkspan.KindTimeout, linkspan.KindUnavailable:
		return problemKind{w.Down, true, false}
	case linkspan.KindNotFound:
		return problemKind{w.NotOffered, false, false}
	case linkspan.KindUnauthenticated:
		return problemKind{w.Expired, false, true}
	default:
	}
	switch reason {
	case "temporarily_unavailable", "server_error":
		return problemKind{w.Down, true, false}
	case "invalid_scope", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_client", "redirect_uri_mismatch":
		return problemKind{w.NotSetUp, false, false}
	}
	return problemKind{w.Unknown, true, false}
}

// isWrongDetails reports whether the credentials in a form are to blame.
func isWrongDetails(err error) bool {
	switch codeOf(err) {
	case codeTestFailed, codeInvalid, "invalid_credentials", "invalid_body":
		return linkspan.KindOf(err) == linkspan.KindInvalid
	}
	return false
}

// codeOf is the public code of an error, or its kind.
func codeOf(err error) string {
	if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Code != "" {
		return e.Code
	}
	return string(linkspan.KindOf(err))
}

// messageOf is what an error says for callers.
func messageOf(err error) string {
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		return strings.TrimSpace(e.Msg + " " + e.Hint)
	}
	return ""
}

// failure is an error with the view that tells people about it. Handlers return
// it, so that the router logs the error; fail then shows the view.
type failure struct {
	err   error
	visit *visit
	view  templ.Component
}

// Error implements error.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns the error.
func (f *failure) Unwrap() error { return f.err }

// refused is a failure that is about no integration: mostly that the session has
// expired.
func (v *visit) refused(err error) error { return v.failed(subject{}, err) }

// failed is a failure about an integration.
func (v *visit) failed(s subject, err error) error {
	if v == nil {
		return err
	}
	view := v.problemOf(s, codeOf(err), "", linkspan.KindOf(err))
	view.Detail = messageOf(err)
	return &failure{err: err, visit: v, view: problemPage(view)}
}

// problemOf is the view of a code, about an integration or about none.
func (v *visit) problemOf(s subject, code, reason string, kind linkspan.Kind) problemView {
	about := explain(v.W, code, reason, kind)
	view := problemView{frame: v.frame, words: about.words, Calm: about.calm, Code: code, Tell: true}
	if s.integration.Key == "" {
		return view
	}
	view.Name, view.Provider = s.name(), s.integration.Provider
	if about.again {
		view.Key = s.integration.Key
	}
	view.List = v.session != nil && len(v.session.AllowedIntegrations) != 1
	return view
}

// emptyView says that there is nothing to connect.
func (v *visit) emptyView() problemView {
	return problemView{frame: v.frame, words: problemWords{v.W.Nothing, v.W.NothingText}, Calm: true, Code: "no_integrations"}
}

// problem shows what the script learned of an authorization in another window.
func (u *UI) problem(w http.ResponseWriter, r *http.Request) error {
	v, err := u.open(r)
	if err != nil {
		return v.refused(err)
	}
	s, err := u.find(r.Context(), v, r.PathValue("key"))
	if err != nil {
		return v.failed(s, err)
	}
	code, message := v.form.Get("code"), v.form.Get("message")
	if !isCode(code) {
		code = authorize.CodeUnknown
	}
	reason := ""
	if code == authorize.CodeCallback && strings.Contains(message, codeDenied) {
		reason = codeDenied
	}
	view := v.problemOf(s, code, reason, "")
	view.Detail = strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")
	return v.render(w, r, http.StatusOK, problemPage(view))
}

// isCode reports whether a text has the shape of our codes.
func isCode(text string) bool {
	const longest = 64
	return text != "" && len(text) <= longest && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}

// doneView says that an account is connected.
type doneView struct {
	frame
	Key, Name, Provider, Connection string
	Reconnect                       bool
}

func (v doneView) title() string {
	if v.Reconnect {
		return v.say(v.W.DoneAgainTitle, v.Name)
	}
	return v.say(v.W.DoneTitle, v.Name)
}

// done shows the success of an authorization in another window.
func (u *UI) done(w http.ResponseWriter, r *http.Request) error {
	v, err := u.open(r)
	if err != nil {
		return v.refused(err)
	}
	s, err := u.find(r.Context(), v, r.PathValue("key"))
	if err != nil {
		return v.failed(s, err)
	}
	return u.showDone(w, r, v, s, v.form.Get("connection_id"))
}

func (u *UI) showDone(w http.ResponseWriter, r *http.Request, v *visit, s subject, connection string) error {
	return v.render(w, r, http.StatusOK, donePage(doneView{
		frame: v.frame, Key: s.integration.Key, Name: s.name(), Provider: s.integration.Provider, Connection: connection, Reconnect: v.reconnects(),
	}))
}

// fail answers requests that failed: with the view of a failure, or with one made
// of the bare error of the router or the guard.
func (u *UI) fail(w http.ResponseWriter, r *http.Request, status int, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.visit.render(w, r, status, f.view)
	}
	v := &visit{frame: u.newFrame(r, r.URL.Query()), fragment: isFragment(r)}
	view := v.problemOf(subject{}, codeOf(err), "", linkspan.KindOf(err))
	if view.words == v.W.Unknown || view.words == v.W.Down {
		view.words = v.W.Offline
	}
	return v.render(w, r, status, problemPage(view))
}

// look answers with the colours that follow from two primary colours, for a
// preview of settings that are not stored yet.
func (u *UI) look(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	w.Header().Set("Cache-Control", "public, max-age=86400")
	return httpx.WriteJSON(w, http.StatusOK, newLook(query.Get("light"), query.Get("dark")))
}
