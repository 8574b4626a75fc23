package demo

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authorize shows the consent page (RFC 6749 §4.1.1). As long as it is not sure
// where the request came from, it redirects nowhere.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for _, values := range q {
		if len(values) > 1 {
			s.refuse(w, "The request has a parameter more than once.")
			return
		}
	}
	if !same(q.Get("client_id"), s.cfg.Client.ID) {
		s.refuse(w, "No application with this client_id is registered.")
		return
	}
	c := consent{redirectURI: q.Get("redirect_uri"), givenURI: q.Has("redirect_uri"), state: q.Get("state"), challenge: q.Get("code_challenge")}
	if !c.givenURI && len(s.cfg.Client.RedirectURIs) == 1 {
		c.redirectURI = s.cfg.Client.RedirectURIs[0]
	}
	if !slices.Contains(s.cfg.Client.RedirectURIs, c.redirectURI) {
		s.refuse(w, "The redirect_uri is not registered for this application.")
		return
	}
	var bad *oauthError
	if c.scopes, bad = s.checkAuthorize(q); bad != nil {
		s.back(w, r, c, url.Values{"error": {bad.Code}, "error_description": {bad.Description}})
		return
	}
	s.page(w, http.StatusOK, "consent", consentPage{
		Request: s.grants.ask(c), Client: s.cfg.Client.Name, Workspace: workspaceName,
		Scopes: describeScopes(c.scopes), Accounts: s.desk.agents(), Host: hostOf(c.redirectURI),
	})
}

// checkAuthorize checks what is the client's to know.
func (s *Server) checkAuthorize(q url.Values) ([]string, *oauthError) {
	switch {
	case q.Get("response_type") != "code":
		return nil, &oauthError{Code: "unsupported_response_type", Description: "response_type must be code"}
	case q.Get("code_challenge") == "":
		return nil, requestError("code_challenge is missing: PKCE is required")
	case q.Get("code_challenge_method") != "S256":
		return nil, requestError("code_challenge_method must be S256")
	case len(q.Get("code_challenge")) != 43:
		return nil, requestError("code_challenge is not 43 characters long, as base64url of a SHA-256 is")
	}
	scopes, bad := parseScopes(q.Get("scope"))
	if bad == nil && len(scopes) == 0 {
		scopes = []string{scopeRead}
	}
	return scopes, bad
}

// parseScopes splits a scope parameter.
func parseScopes(text string) ([]string, *oauthError) {
	scopes := slices.Compact(slices.Sorted(slices.Values(strings.Fields(text))))
	for _, scope := range scopes {
		if !slices.Contains(allScopes(), scope) {
			return nil, &oauthError{Code: "invalid_scope", Description: "there is no scope of that name; known are " + strings.Join(allScopes(), ", ")}
		}
	}
	return scopes, nil
}

// decide ends the consent page. The name of the request is a secret that only
// the page holds, so another site can't decide for the person.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.refuse(w, "The answer can't be read.")
		return
	}
	c, ok := s.grants.decided(r.PostForm.Get("request"))
	if !ok {
		s.refuse(w, "This page was answered already, or was open for more than ten minutes. Start again where you came from.")
		return
	}
	if r.PostForm.Get("decision") != "approve" {
		s.back(w, r, c, url.Values{"error": {"access_denied"}, "error_description": {"The user denied the request"}})
		return
	}
	account, ok := s.desk.agent(r.PostForm.Get("account"))
	if !ok {
		s.refuse(w, "There is no such account.")
		return
	}
	s.back(w, r, c, url.Values{"code": {s.grants.allow(c, account)}})
}

// back leads the browser to the client, which is told who answers (RFC 9207).
func (s *Server) back(w http.ResponseWriter, r *http.Request, c consent, answer url.Values) {
	if c.state != "" {
		answer.Set("state", c.state)
	}
	answer.Set("iss", s.cfg.BaseURL)
	separator := "?"
	if strings.Contains(c.redirectURI, "?") {
		separator = "&"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, c.redirectURI+separator+answer.Encode(), http.StatusSeeOther)
}

// refuse says on a page of our own what is wrong with a request.
func (s *Server) refuse(w http.ResponseWriter, why string) {
	s.page(w, http.StatusBadRequest, "refused", refusedPage{Why: why})
}

// metadata describes the server (RFC 8414).
func (s *Server) metadata(w http.ResponseWriter, _ *http.Request) {
	base := s.cfg.BaseURL
	methods := []string{"client_secret_basic", "client_secret_post"}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                         base,
		"authorization_endpoint":                         base + "/oauth/authorize",
		"token_endpoint":                                 base + "/oauth/token",
		"revocation_endpoint":                            base + "/oauth/revoke",
		"scopes_supported":                               allScopes(),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported":          methods,
		"revocation_endpoint_auth_methods_supported":     methods,
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	return u.Host
}
