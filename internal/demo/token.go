package demo

import (
	"net/http"
	"net/url"
)

// oauthError is an error of the authorization server (RFC 6749 §5.2).
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func grantError(description string) *oauthError {
	return &oauthError{Code: "invalid_grant", Description: description}
}

func requestError(description string) *oauthError {
	return &oauthError{Code: "invalid_request", Description: description}
}

// issued is the answer of the token endpoint.
type issued struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	Workspace    string `json:"workspace"`
}

// token exchanges a code or a refresh token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	form, ok := s.clientForm(w, r)
	if !ok {
		return
	}
	var pair issued
	var bad *oauthError
	switch form.Get("grant_type") {
	case "authorization_code":
		pair, bad = s.grants.redeem(form.Get("code"), form.Get("redirect_uri"), form.Get("code_verifier"))
	case "refresh_token":
		var scopes []string
		if scopes, bad = parseScopes(form.Get("scope")); bad == nil {
			pair, bad = s.grants.rotate(form.Get("refresh_token"), scopes)
		}
	case "":
		bad = requestError("grant_type is missing")
	default:
		bad = &oauthError{Code: "unsupported_grant_type", Description: "grant_type must be authorization_code or refresh_token"}
	}
	if bad != nil {
		writeJSON(w, http.StatusBadRequest, bad)
		return
	}
	w.Header().Set("Pragma", "no-cache") // RFC 6749 §5.1
	writeJSON(w, http.StatusOK, pair)
}

// revoke ends the grant of a token (RFC 7009).
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	form, ok := s.clientForm(w, r)
	if !ok {
		return
	}
	s.grants.revoke(form.Get("token"))
	w.WriteHeader(http.StatusOK)
}

// clientForm reads the form of a request that the registered client makes, and
// answers itself when there is something wrong with either.
func (s *Server) clientForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, requestError("the body is not a form"))
		return nil, false
	}
	form := r.PostForm
	for _, values := range form {
		if len(values) > 1 {
			writeJSON(w, http.StatusBadRequest, requestError("a parameter is there more than once"))
			return nil, false
		}
	}
	if !s.knows(r, form) {
		w.Header().Set("WWW-Authenticate", `Basic realm="Ticketry", charset="UTF-8"`)
		writeJSON(w, http.StatusUnauthorized, &oauthError{Code: "invalid_client", Description: "the client is unknown or its secret is wrong"})
		return nil, false
	}
	return form, true
}

// knows checks the client's own credentials: in the header, where they are
// form-encoded (RFC 6749 §2.3.1), or in the body. Some clients send both, which
// is no harm while they agree.
func (s *Server) knows(r *http.Request, form url.Values) bool {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		u, errU := url.QueryUnescape(user)
		p, errP := url.QueryUnescape(password)
		if errU != nil || errP != nil || (secret != "" && secret != p) || (id != "" && id != u) {
			return false
		}
		id, secret = u, p
	}
	knownID, knownSecret := same(id, s.cfg.Client.ID), same(secret, s.cfg.Client.Secret)
	return knownID && knownSecret
}
