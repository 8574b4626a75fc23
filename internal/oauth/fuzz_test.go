package oauth

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oplog"
)

// FuzzAnswer gives the client whatever a token endpoint may answer.
func FuzzAnswer(f *testing.F) {
	const secret = "a-secret-refresh-token"
	for _, seed := range []struct {
		status     int
		kind, body string
	}{
		{200, "application/json", `{"access_token":"a","refresh_token":"r","expires_in":3600}`},
		{200, "application/x-www-form-urlencoded", "access_token=a&expires_in=60"},
		{400, "application/json", `{"error":"invalid_grant","error_description":"` + secret + `"}`},
		{403, "application/json", `{"error":{"code":403,"message":"` + secret + `"}}`},
		{200, "application/json", `{"ok":false,"error":"` + secret + `"}`},
		{500, "text/html", "<html>"},
		{200, "application/json", `{"access_token":{"a":1}}`},
		{200, "application/json", `[1,2]`},
		{307, "", ""},
	} {
		f.Add(seed.status, seed.kind, seed.body)
	}
	format := credential.TokenResponse{AlternatePath: "authed_user.x"}
	redact := oplog.NewRedactor(linkspan.NewSecret(secret))
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		raw, err := judge(answer{status, http.Header{"Content-Type": {kind}}, []byte(body)}, format, redact)
		if err == nil {
			c, err := format.Parse(raw, now)
			if err == nil && c.AccessToken.IsZero() {
				t.Fatal("success without an access token")
			}
			return
		}
		failure, ok := errors.AsType[*Failure](err)
		if !ok {
			t.Fatalf("error %v is no Failure", err)
		}
		if failure.Class.String() == "unknown" || failure.Code == "" || failure.Message == "" {
			t.Fatalf("incomplete failure %+v", failure)
		}
		if text := failure.Code + failure.Description + failure.Message; strings.Contains(text, secret) || len(text) > 1000 {
			t.Fatalf("failure with a secret, or too long: %q", text)
		}
	})
}
