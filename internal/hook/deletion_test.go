package hook_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/credential"
)

func TestPreDeletion(t *testing.T) {
	t.Parallel()
	cat := openCatalog(t)
	const hubspot = "DELETE https://api.hubapi.com/oauth/v1/refresh-tokens/" + refreshToken
	bearer := "Bearer " + accessToken()
	tests := []struct {
		name, provider         string
		config, metadata       map[string]any
		status                 int
		want                   string // the call; empty: none
		authorization, content string
		wantErr                string
	}{
		{"hubspot", "hubspot", nil, nil, 204, hubspot, "", "", ""},
		{"hubspot refuses", "hubspot", nil, nil, 404, hubspot, "", "", "status 404"},
		{"hubspot on request not", "hubspot", nil, map[string]any{"skipTokenRevocation": true}, 204, "", "", "", ""},
		{"intercom", "intercom", nil, nil, 200, "POST https://api.intercom.io/auth/uninstall", bearer, "{}", ""},
		{"intercom of a region", "intercom", map[string]any{"region": "eu"}, nil, 200, "POST https://api.eu.intercom.io/auth/uninstall", bearer, "{}", ""},
		{"linear", "linear", nil, nil, 200, "POST https://api.linear.app/oauth/revoke", bearer, "", ""},
		{"linear away", "linear", nil, nil, 503, "POST https://api.linear.app/oauth/revoke", bearer, "", "status 503"},
		{"no hook", "attio", nil, nil, 200, "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &saas{answer: always(reply{status: tt.status})}
			tg := target(t, cat, tt.provider, tt.config)
			tg.Connection.Metadata = tt.metadata
			err := s.hooks().PreDeletion(t.Context(), tg, s.note)
			s.wantNoSecret(t, err)
			wantError(t, err, "hook_failed", tt.wantErr)
			if tt.want == "" {
				s.wantCalls(t)
				return
			}
			s.wantCalls(t, tt.want)
			_, sent := s.last.Header["Authorization"]
			if got := s.last.Header.Get("Authorization"); got != tt.authorization || sent != (tt.authorization != "") || s.body != tt.content {
				t.Errorf("Authorization %q, body %q", got, s.body)
			}
		})
	}
}

// TestHubspotWithoutRefreshToken: there is nothing to revoke.
func TestHubspotWithoutRefreshToken(t *testing.T) {
	t.Parallel()
	s := &saas{answer: always(reply{status: http.StatusNoContent})}
	tg := target(t, openCatalog(t), "hubspot", nil)
	tg.Credentials = credential.NewOAuth2(accessToken(), "", time.Time{})
	if err := s.hooks().PreDeletion(t.Context(), tg, s.note); err != nil {
		t.Error(err)
	}
	s.wantCalls(t)
}
