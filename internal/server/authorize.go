package server

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/httpx"
)

// maxCallback is more than any provider sends to the callback.
const maxCallback = 64 << 10

// noStore keeps an answer with a secret, or about one user, out of every cache.
func noStore(h http.Header) { h.Set("Cache-Control", "no-store") }

// pageHeaders are those of pages that a provider's window shows. There is no
// Cross-Origin-Opener-Policy: it would cut the page off from the one that opened
// it (wire contract §8.4).
func pageHeaders(h http.Header) {
	noStore(h)
	h.Set("Referrer-Policy", "no-referrer") // the address holds tokens and codes
	h.Set("X-Content-Type-Options", "nosniff")
}

// browserQuery reads the query of the routes that connect an account.
func browserQuery(r *http.Request) (authorize.Request, error) {
	path, err := httpx.DecodePath[api.ConnectPath](r)
	if err != nil {
		return authorize.Request{}, err
	}
	event := httpx.EventFrom(r.Context())
	event.Integration = path.ProviderConfigKey
	q, err := httpx.DecodeQuery[api.ConnectParams](r)
	if err != nil {
		return authorize.Request{IntegrationKey: path.ProviderConfigKey}, err
	}
	in := authorize.Request{
		IntegrationKey:      path.ProviderConfigKey,
		ConnectionName:      deref(q.ConnectionID),
		HMAC:                deref(q.HMAC),
		UserScope:           deref(q.UserScope),
		Params:              q.Params,
		AuthorizationParams: q.AuthorizationParams,
		PopupID:             deref(q.WSClientID),
		Lang:                deref(q.Lang),
	}
	if c := q.Credentials; c != nil {
		in.ClientIDOverride = deref(c.OAuthClientIDOverride)
		in.ClientSecretOverride = linkspan.NewSecret(deref(c.OAuthClientSecretOverride).Reveal())
		in.RefreshTokenOverride = linkspan.NewSecret(deref(c.OAuthRefreshTokenOverride).Reveal())
	}
	event.Connection = in.ConnectionName
	return in, nil
}

// beginOAuth sends the end user's browser to the provider.
func (s *Server) beginOAuth(w http.ResponseWriter, r *http.Request) error {
	if err := notHead(w, r); err != nil {
		return err
	}
	if home, ok := s.homeOf(r); ok {
		pageHeaders(w.Header())
		w.Header().Set("Location", home)
		w.WriteHeader(http.StatusFound)
		return nil
	}
	in, err := browserQuery(r)
	if err != nil {
		return &startError{caller(r), in, err}
	}
	start, err := s.cfg.Authorize.Begin(r.Context(), caller(r), in)
	if err != nil {
		return &startError{caller(r), in, err}
	}
	http.SetCookie(w, start.Cookie())
	h := w.Header()
	pageHeaders(h)
	h.Set("Location", start.URL)
	w.WriteHeader(http.StatusFound)
	return nil
}

// homeOf returns where to begin instead when the browser came by another name of
// this machine than the callback has, such as 127.0.0.1 for localhost: the cookie
// that binds the authorization to the browser would not come back.
func (s *Server) homeOf(r *http.Request) (string, bool) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || host == s.home.Hostname() || port != s.home.Port() || !linkspan.IsLoopback(host) || !linkspan.IsLoopback(s.home.Hostname()) ||
		caller(r).Environment.Settings.CallbackURL != "" {
		return "", false
	}
	return s.home.Scheme + "://" + s.home.Host + s.basePath + r.URL.RequestURI(), true
}

// notHead refuses HEAD where the answer to GET can be given only once. Scanners
// of links ask so.
func notHead(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodHead {
		return nil
	}
	w.Header().Set("Allow", "GET, OPTIONS")
	return linkspan.E("server.notHead", linkspan.KindInvalid, "method_not_allowed", nil, "This route does not accept the method HEAD.").
		WithStatus(http.StatusMethodNotAllowed)
}

// oauthCallback is where providers send the browser back to. Whatever it says,
// the answer is a page.
func (s *Server) oauthCallback(w http.ResponseWriter, r *http.Request) error {
	if err := notHead(w, r); err != nil {
		return err
	}
	answer, err := callbackAnswer(r)
	if err != nil {
		return err
	}
	result := s.cfg.Authorize.Callback(r.Context(), answer, func(name string) string {
		c, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		return c.Value
	})
	if result.ClearCookie != "" {
		done := authorize.Start{CookieName: result.ClearCookie, Secure: s.secure}.Cookie() //nolint:gosec // Cookie sets the attributes
		done.MaxAge = -1
		http.SetCookie(w, done)
	}
	event := httpx.EventFrom(r.Context())
	event.Integration, event.Connection, event.Provider = result.IntegrationKey, result.ConnectionName, result.Provider
	pageHeaders(w.Header())
	return s.cfg.Pages.Result(w, r, result)
}

// callbackAnswer returns what the provider says: the query, or the form of
// providers that post one (OAuth 2.0 Form Post Response Mode).
func callbackAnswer(r *http.Request) (url.Values, error) {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
			return nil, linkspan.E("server.oauthCallback", linkspan.KindUnsupportedMedia, "invalid_content_type", err, "The provider's answer is no form.")
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, linkspan.E("server.oauthCallback", linkspan.KindInvalid, "invalid_body", err, "The provider's answer could not be read to its end.")
		}
		raw = string(body)
	}
	if len(raw) > maxCallback {
		return nil, linkspan.E("server.oauthCallback", linkspan.KindTooLarge, "request_too_large", nil, "The provider's answer is too long.")
	}
	// Some providers leave ";" as it is. Parts that can't be decoded are left out:
	// what remains says better than we could what is missing.
	values, _ := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	return values, nil
}

// appInstalled is where apps that are installed at the provider come back to.
func (s *Server) appInstalled(http.ResponseWriter, *http.Request) error {
	return linkspan.E("server.appInstalled", linkspan.KindInvalid, "auth_mode_err", nil,
		"Connecting by the installation of an app is not available in this version.")
}

// clientMetadata would describe this server to authorization servers that look
// clients up by URL, which no supported provider does.
func (s *Server) clientMetadata(_ http.ResponseWriter, r *http.Request) error {
	if _, err := httpx.DecodePath[api.ClientMetadataPath](r); err != nil {
		return err
	}
	return linkspan.E("server.clientMetadata", linkspan.KindNotFound, "feature_disabled", nil,
		"Clients that are identified by a URL are not available in this version.")
}

// startError is why a browser was not sent to the provider, with what the page
// that says so needs to know.
type startError struct {
	p   *access.Principal
	in  authorize.Request
	err error
}

// Error implements error.
func (e *startError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *startError) Unwrap() error { return e.err }

// failedPage answers with a page for the person who looks at the window.
func (s *Server) failedPage(w http.ResponseWriter, r *http.Request, status int, err error) error {
	start := &startError{in: authorize.Request{
		IntegrationKey: r.PathValue("provider_config_key"), Lang: r.URL.Query().Get("lang"),
	}}
	if known, ok := errors.AsType[*startError](err); ok {
		start = known
	}
	result := s.cfg.Authorize.FailedStart(start.p, start.in, err)
	switch status {
	case http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests:
		result.Status = status // these speak of the request, not of the authorization
	}
	pageHeaders(w.Header())
	return s.cfg.Pages.Result(w, r, result)
}

func (s *Server) connectAPIKey(w http.ResponseWriter, r *http.Request) error {
	in, err := browserQuery(r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.ConnectWithAPIKey](r)
	if err != nil {
		return err
	}
	return s.connectAccount(w, r, in, credential.NewAPIKey(body.APIKey.Reveal()))
}

func (s *Server) connectBasic(w http.ResponseWriter, r *http.Request) error {
	in, err := browserQuery(r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.ConnectWithBasic](r)
	if err != nil {
		return err
	}
	return s.connectAccount(w, r, in, credential.NewBasic(body.Username.Reveal(), body.Password.Reveal()))
}

func (s *Server) connectNone(w http.ResponseWriter, r *http.Request) error {
	in, err := browserQuery(r)
	if err != nil {
		return err
	}
	if err := httpx.NoBody(r); err != nil {
		return err
	}
	return s.connectAccount(w, r, in, credential.NewNone())
}

func (s *Server) connectAccount(w http.ResponseWriter, r *http.Request, in authorize.Request, creds credential.Credentials) error {
	made, err := s.cfg.Authorize.Headless(r.Context(), caller(r), in, creds)
	if err != nil {
		return err
	}
	httpx.EventFrom(r.Context()).Connection = made.Name
	return httpx.WriteJSON(w, http.StatusOK, api.ConnectedAccount{ConnectionID: made.Name, ProviderConfigKey: made.IntegrationKey})
}

// refuseMode answers calls for an authentication mode that this version does not
// have: what is wrong with them otherwise comes first.
func (s *Server) refuseMode(mode catalog.AuthMode) httpx.Handler {
	return func(_ http.ResponseWriter, r *http.Request) error {
		p, err := s.browserProvider(r)
		if err != nil {
			return err
		}
		return refusal(p, p.Auth.Mode == mode)
	}
}

func (s *Server) refuseOutbound(_ http.ResponseWriter, r *http.Request) error {
	p, err := s.browserProvider(r)
	if err != nil {
		return err
	}
	return refusal(p, p.Auth.InstallFlow != "")
}

// refuseClientCredentials differs in the status of an unknown integration.
func (s *Server) refuseClientCredentials(_ http.ResponseWriter, r *http.Request) error {
	p, err := s.browserProvider(r)
	if linkspan.CodeOf(err) == "unknown_provider_config" {
		return asBadRequest(err)
	}
	if err != nil {
		return err
	}
	return refusal(p, p.Auth.Mode == catalog.ModeOAuth2CC)
}

func refusal(p *catalog.Provider, fits bool) error {
	if !fits {
		return linkspan.E("server.refuseMode", linkspan.KindInvalid, "invalid_auth_mode", nil,
			"%s is connected in another way: its authentication mode is %s.", p.DisplayName, p.Auth.Mode)
	}
	return linkspan.E("server.refuseMode", linkspan.KindInvalid, "unsupported_provider", nil,
		"Accounts at %s can't be connected with this version: the authentication mode %s is not available.", p.DisplayName, p.Auth.Mode)
}

// browserProvider returns the provider of the integration in the path, if the
// browser may connect an account there.
func (s *Server) browserProvider(r *http.Request) (*catalog.Provider, error) {
	in, err := browserQuery(r)
	if err != nil {
		return nil, err
	}
	p := caller(r)
	if p.Session != nil && len(p.Session.AllowedIntegrations) > 0 && !slices.Contains(p.Session.AllowedIntegrations, in.IntegrationKey) {
		return nil, linkspan.E("server.browserProvider", linkspan.KindInvalid, "integration_not_allowed", nil,
			"The connect session does not allow the integration %s.", in.IntegrationKey)
	}
	i, err := s.cfg.Integrations.Get(r.Context(), p.Environment.ID, in.IntegrationKey)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, linkspan.E("server.browserProvider", linkspan.KindNotFound, "unknown_provider_config", err,
			"There is no integration %s in this environment.", in.IntegrationKey)
	}
	if err != nil {
		return nil, err
	}
	return s.provider(i.Provider), nil
}

// root is the address that frontends open their WebSocket at. People who come
// here are shown the providers.
func (s *Server) root(w http.ResponseWriter, r *http.Request) error {
	if wantsSocket(r) {
		return s.sockets.serve(w, r)
	}
	if s.cfg.Docs == nil {
		return linkspan.E("server.root", linkspan.KindNotFound, "not_found", nil, "There is no such route.")
	}
	w.Header().Set("Location", s.basePath+"/docs/providers")
	w.WriteHeader(http.StatusFound)
	return nil
}

// parsePublic parses the public URL, which the configuration has checked. What is
// not a URL has no host and no path.
func parsePublic(text string) url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return url.URL{}
	}
	return *u
}
