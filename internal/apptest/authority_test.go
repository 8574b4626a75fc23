package apptest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// refresh exchanges a refresh token as a client of the authority does.
func refresh(t *testing.T, a *Authority, token, secret string) (status int, next Tokens) {
	t.Helper()
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {a.ClientID}, "client_secret": {secret},
	}
	r := NewClient(t, a.URL, "").Do(t, http.MethodPost, "/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	var body struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatalf("decoding %q: %v", r.Body, err)
	}
	return r.Status, Tokens{body.Access, body.Refresh}
}

func TestAuthorityRotates(t *testing.T) {
	t.Parallel()
	a := NewAuthority(t)
	first := a.Issue()
	if !a.Admits("Bearer " + first.Access) {
		t.Fatal("a new token is not admitted")
	}
	if status, _ := refresh(t, a, first.Refresh, "wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong client got %d", status)
	}
	status, second := refresh(t, a, first.Refresh, a.ClientSecret)
	if status != http.StatusOK || !a.Admits("Bearer "+second.Access) || a.Admits("Bearer "+first.Access) {
		t.Fatalf("the exchange got %d; it must replace the old token", status)
	}
	if status, _ := refresh(t, a, first.Refresh, a.ClientSecret); status != http.StatusBadRequest {
		t.Errorf("a refresh token worked twice: %d", status)
	}
	a.Tolerant = true
	if status, again := refresh(t, a, first.Refresh, a.ClientSecret); status != http.StatusOK || again != second {
		t.Errorf("a tolerant authority answered a spent token with %d %v, not with what it had become", status, again)
	}
	if n := a.Calls(); n != 4 {
		t.Errorf("%d calls counted, not 4", n)
	}
}
