package credential_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
)

var secrets = cmp.Comparer(func(a, b linkspan.Secret) bool { return a.Reveal() == b.Reveal() })

func fullOAuth2() credential.Credentials {
	c := credential.NewOAuth2("at-1", "rt-1", time.Date(2030, 1, 2, 3, 4, 5, 600e6, time.UTC))
	c.Raw = map[string]any{
		"access_token": "at-1", "refresh_token": "rt-1", "user_id": json.Number("90071992547409931"),
		"nested": []any{map[string]any{"refreshToken": "rt-1", "kept": true}},
	}
	c.IssuedAt = time.Date(2030, 1, 2, 2, 4, 5, 0, time.UTC)
	c.ClientID, c.ClientSecret = "own-id", linkspan.NewSecret("own-secret")
	return c
}

func TestEncodeParseRoundTrip(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]credential.Credentials{
		"none":        credential.NewNone(),
		"api key":     credential.NewAPIKey("k"),
		"basic":       credential.NewBasic("u", "p"),
		"empty basic": credential.NewBasic("", ""),
		"oauth2":      fullOAuth2(),
		"bare oauth2": {Type: credential.OAuth2, AccessToken: linkspan.NewSecret("a")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := credential.Parse(c.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, got, secrets); diff != "" {
				t.Errorf("round trip (-want +got):\n%s", diff)
			}
			if !c.Equal(got) {
				t.Error("Equal reports a difference after a round trip")
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     credential.Type
		wantErr  string
	}{
		{"empty", "", credential.None, ""},
		{"empty object", "{}", credential.None, ""},
		{"unknown fields are ignored", `{"type":"API_KEY","apiKey":"k","later":1}`, credential.APIKey, ""},
		{"not JSON", `sk_live_abc`, "", "not a JSON object"},
		{"two values", `{} {}`, "", "not a JSON object"},
		{"wrong type of field", `{"type":"API_KEY","apiKey":{"sk_live_abc":1}}`, "", "not a JSON object"},
		{"unknown type", `{"type":"TBA","token_secret":"sk_live_abc"}`, "", `"TBA"`},
		{"bad expiry", `{"type":"OAUTH2","access_token":"sk_live_abc","expires_at":"soon"}`, "", "RFC 3339"},
		{"numeric expiry", `{"type":"OAUTH2","access_token":"sk_live_abc","expires_at":5}`, "", "not a JSON object"},
		{"null expiry", `{"type":"OAUTH2","access_token":"a","expires_at":null}`, credential.OAuth2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := credential.Parse(linkspan.NewSecret(tt.in))
			if tt.wantErr == "" {
				if err != nil || c.Type != tt.want {
					t.Fatalf("Parse = %v, %v; want type %s", c.Type, err, tt.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Fatalf("Parse error = %v, want one with %q", err, tt.wantErr)
			}
			if strings.Contains(err.Error(), "sk_live") {
				t.Errorf("the error quotes the secret: %v", err)
			}
		})
	}
}

func TestWire(t *testing.T) {
	t.Parallel()
	override := map[string]any{"client_id": "own-id", "client_secret": "own-secret"}
	tests := []struct {
		name        string
		in          credential.Credentials
		withRefresh bool
		want        map[string]any
	}{
		{"none", credential.NewNone(), true, map[string]any{}},
		{"api key", credential.NewAPIKey("k"), false, map[string]any{"type": "API_KEY", "apiKey": "k"}},
		{"basic", credential.NewBasic("u", ""), false, map[string]any{"type": "BASIC", "username": "u", "password": ""}},
		{"oauth2 stripped", fullOAuth2(), false, map[string]any{
			"type": "OAUTH2", "access_token": "at-1", "expires_at": "2030-01-02T03:04:05.600Z", "config_override": override,
			"raw": map[string]any{
				"access_token": "at-1", "user_id": json.Number("90071992547409931"),
				"nested": []any{map[string]any{"kept": true}},
			},
		}},
		{"oauth2 whole", fullOAuth2(), true, map[string]any{
			"type": "OAUTH2", "access_token": "at-1", "refresh_token": "rt-1",
			"expires_at": "2030-01-02T03:04:05.600Z", "config_override": override, "raw": fullOAuth2().Raw,
		}},
		{
			"oauth2 without raw and expiry", credential.NewOAuth2("a", "r", time.Time{}), false,
			map[string]any{"type": "OAUTH2", "access_token": "a", "raw": map[string]any{}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.in.Wire(tt.withRefresh)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Wire (-want +got):\n%s", diff)
			}
			if raw, ok := got["raw"].(map[string]any); ok {
				raw["access_token"] = "changed"
				if tt.in.Raw["access_token"] == "changed" {
					t.Error("the result shares the raw answer with the credentials")
				}
			}
		})
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	t.Parallel()
	c := fullOAuth2()
	holder := struct{ C credential.Credentials }{c}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{c, &c, holder, &holder} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "at-1") || strings.Contains(s, "rt-1") || strings.Contains(s, "own-secret") {
				t.Errorf("Sprintf(%q, %T) reveals a secret: %s", format, v, s)
			}
		}
	}
	if out, err := json.Marshal(c); err == nil {
		t.Errorf("json.Marshal succeeded: %s", out)
	}
}

func TestVars(t *testing.T) {
	t.Parallel()
	oauth := fullOAuth2()
	oauth.Raw["team.id"] = "T1"
	oauth.Raw["authed_user"] = map[string]any{"id": "U1"}
	tests := []struct {
		c    credential.Credentials
		name string
		want string
		ok   bool
	}{
		{credential.NewAPIKey("k"), "apiKey", "k", true},
		{credential.NewAPIKey("k"), "credentials.apiKey", "k", true},
		{credential.NewAPIKey("k"), "username", "", false},
		{credential.NewBasic("u", ""), "username", "u", true},
		{credential.NewBasic("u", ""), "password", "", true},
		{oauth, "access_token", "at-1", true},
		{oauth, "accessToken", "at-1", true},
		{oauth, "credentials.raw.team.id", "T1", true},
		{oauth, "raw.authed_user.id", "U1", true},
		{oauth, "raw.user_id", "90071992547409931", true},
		{oauth, "raw.nested.0.kept", "", false},
		{oauth, "raw.nested.7", "", false},
		{oauth, "raw.absent", "", false},
		{oauth, "config_override.client_id", "own-id", true},
		{credential.NewNone(), "apiKey", "", false},
		{credential.NewNone(), "type", "NONE", true},
	}
	for _, tt := range tests {
		t.Run(string(tt.c.Type)+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := tt.c.Vars().Lookup(tt.name); got != tt.want || ok != tt.ok {
				t.Errorf("Lookup = %q, %v; want %q, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	app := linkspan.IntegrationSecrets{ClientID: "app", ClientSecret: linkspan.NewSecret("app-secret")}
	tests := []struct{ id, secret, wantID, wantSecret string }{
		{"", "", "app", "app-secret"},
		{"own", "own-secret", "own", "own-secret"},
		{"own", "", "app", "app-secret"},
		{"", "own-secret", "app", "app-secret"},
	}
	for _, tt := range tests {
		c := credential.Credentials{ClientID: tt.id, ClientSecret: linkspan.NewSecret(tt.secret)}
		if id, secret := c.Client(app); id != tt.wantID || secret.Reveal() != tt.wantSecret {
			t.Errorf("Client with %q, %q = %q, %q; want %q, %q", tt.id, tt.secret, id, secret.Reveal(), tt.wantID, tt.wantSecret)
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		expires time.Time
		due     bool
	}{
		{"never expires", time.Time{}, false},
		{"far", now.Add(time.Hour), false},
		{"exactly the margin", now.Add(15 * time.Minute), false},
		{"inside the margin", now.Add(15*time.Minute - 1), true},
		{"now", now, true},
		{"past", now.Add(-time.Second), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := credential.NewOAuth2("a", "r", tt.expires)
			if got := c.Due(now, credential.DefaultMargin); got != tt.due {
				t.Errorf("Due = %v, want %v", got, tt.due)
			}
		})
	}
}

func TestShortLivedTokensAreNotAlwaysDue(t *testing.T) {
	t.Parallel()
	issued := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	c, err := credential.TokenResponse{}.Parse(decode(t, `{"access_token":"a","refresh_token":"r","expires_in":600}`), issued)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.DueAt(credential.DefaultMargin), issued.Add(5*time.Minute); !got.Equal(want) {
		t.Errorf("a token of ten minutes is due at %v, want %v", got, want)
	}
	c.ExpiresAt = issued.Add(time.Hour)
	if got, want := c.DueAt(credential.DefaultMargin), issued.Add(45*time.Minute); !got.Equal(want) {
		t.Errorf("a token of one hour is due at %v, want %v", got, want)
	}
}

func TestTokenResponse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("x", credential.MaxTokenLength+1)
	tests := []struct {
		name    string
		r       credential.TokenResponse
		raw     string
		access  string
		refresh string
		expires time.Time
		err     error
	}{
		{name: "plain", raw: `{"access_token":"a","refresh_token":"r","expires_in":3600}`, access: "a", refresh: "r", expires: now.Add(time.Hour)},
		{name: "lifetime as text", raw: `{"access_token":"a","expires_in":" 3600 "}`, access: "a", expires: now.Add(time.Hour)},
		{name: "no lifetime", raw: `{"access_token":"a"}`, access: "a"},
		{name: "zero lifetime means none", raw: `{"access_token":"a","expires_in":0}`, access: "a"},
		{name: "negative lifetime", raw: `{"access_token":"a","expires_in":-5}`, access: "a"},
		{name: "strange lifetime", raw: `{"access_token":"a","expires_in":{"s":1}}`, access: "a"},
		{name: "moment wins", raw: `{"access_token":"a","expires_in":1,"expires_at":"2026-06-02T00:00:00Z"}`, access: "a", expires: now.Add(12 * time.Hour)},
		{name: "milliseconds", r: credential.TokenResponse{LifetimeUnit: time.Millisecond}, raw: `{"access_token":"a","expires_in":60000}`, access: "a", expires: now.Add(time.Minute)},
		{name: "alternate object", r: credential.TokenResponse{AlternatePath: "authed_user"}, raw: `{"authed_user":{"access_token":"u","refresh_token":"ur","expires_in":60}}`, access: "u", refresh: "ur", expires: now.Add(time.Minute)},
		{name: "alternate text", r: credential.TokenResponse{AlternatePath: "data.token"}, raw: `{"data":{"token":"u"},"refresh_token":"r"}`, access: "u", refresh: "r"},
		{name: "alternate not needed", r: credential.TokenResponse{AlternatePath: "authed_user"}, raw: `{"access_token":"a","authed_user":{"access_token":"u"}}`, access: "a"},
		{name: "absent", raw: `{"token":"a"}`, err: credential.ErrNoAccessToken},
		{name: "not a string", raw: `{"access_token":7}`, err: credential.ErrNoAccessToken},
		{name: "too long", raw: `{"access_token":"` + long + `"}`, err: credential.ErrTokenTooLong},
		{name: "refresh token too long", raw: `{"access_token":"a","refresh_token":"` + long + `"}`, err: credential.ErrTokenTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.r.Parse(decode(t, tt.raw), now)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if got.AccessToken.Reveal() != tt.access || got.RefreshToken.Reveal() != tt.refresh || !got.ExpiresAt.Equal(tt.expires) {
				t.Errorf("got %q, %q, %v; want %q, %q, %v", got.AccessToken.Reveal(), got.RefreshToken.Reveal(), got.ExpiresAt, tt.access, tt.refresh, tt.expires)
			}
		})
	}
}

func decode(t *testing.T, s string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParseExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	moment := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		in   any
		want time.Time
	}{
		{moment, moment},
		{json.Number("1735787045"), moment},
		{json.Number("1735787045000"), moment},
		{float64(1735787045), moment},
		{1735787045, moment},
		{"1735787045", moment},
		{"1735787045000", moment},
		{"2025-01-02T03:04:05Z", moment},
		{"2025-01-02T05:04:05+02:00", moment},
		{"2025-01-02T03:04:05.000+0000", moment},
		{"2025-01-02 03:04:05", moment},
		{"Thu, 02 Jan 2025 03:04:05 GMT", moment},
		{"2025-01-02", time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)},
		{"0:02:30", now.Add(150 * time.Minute)},
		{"1:00:00", now.Add(24 * time.Hour)},
		{"", time.Time{}},
		{"soon", time.Time{}},
		{"1:2", time.Time{}},
		{"-1:00:00", time.Time{}},
		{json.Number("0"), time.Time{}},
		{json.Number("-1"), time.Time{}},
		{json.Number("1e400"), time.Time{}},
		{"NaN", time.Time{}},
		{nil, time.Time{}},
		{true, time.Time{}},
		{map[string]any{}, time.Time{}},
	}
	for _, tt := range tests {
		got, ok := credential.ParseExpiry(tt.in, now)
		if !got.Equal(tt.want) || ok != !tt.want.IsZero() {
			t.Errorf("ParseExpiry(%#v) = %v, %v; want %v", tt.in, got, ok, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"type":"API_KEY","apiKey":"k"}`, `{"type":"BASIC","username":"u"}`,
		`{"type":"OAUTH2","access_token":"a","expires_at":"2030-01-02T03:04:05Z","raw":{"n":1e999,"l":[1,{"refresh_token":"r"}]}}`,
		`{"type":"OAUTH2","config_override":{"client_id":"i"}}`, `[]`, `null`, `{"type":"TBA"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		c, err := credential.Parse(linkspan.NewSecret(in))
		if err != nil {
			return
		}
		again, err := credential.Parse(c.Encode())
		if err != nil {
			t.Fatalf("Encode wrote what Parse refuses: %v", err)
		}
		if !c.Equal(again) {
			t.Fatal("round trip changed the credentials")
		}
		out, err := json.Marshal(c.Wire(false))
		if err != nil {
			t.Fatalf("Wire does not encode: %v", err)
		}
		if _, leaked := c.Wire(false)["refresh_token"]; leaked {
			t.Fatalf("refresh token on the wire: %s", out)
		}
	})
}

func FuzzParseExpiry(f *testing.F) {
	for _, s := range []string{"", "2025-01-02T03:04:05Z", "1735787045", "1:02:03", "9999999999999999", "1e300", "NaN", "0:0:0"} {
		f.Add(s)
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, in string) {
		at, ok := credential.ParseExpiry(in, now)
		if ok == at.IsZero() {
			t.Fatalf("ParseExpiry(%q) = %v, %v", in, at, ok)
		}
		if !ok {
			return
		}
		c := credential.NewOAuth2("a", "r", at)
		again, err := credential.Parse(c.Encode())
		if err != nil || !again.ExpiresAt.Equal(at) {
			t.Fatalf("expiry %v does not survive storage: %v, %v", at, again.ExpiresAt, err)
		}
	})
}

func TestCapture(t *testing.T) {
	t.Parallel()
	raw := map[string]any{
		"text": "a", "number": json.Number("9007199254740993"), "yes": true, "no": false, "empty": "", "null": nil,
		"list": []any{"x"}, "nested": map[string]any{"id": "n"}, "with.dot": "d",
	}
	paths := []string{"text", "number", "yes", "no", "empty", "null", "list", "list.0", "nested", "nested.id", "with.dot", "absent"}
	want := map[string]any{
		"text": "a", "number": "9007199254740993", "yes": true, "no": false, "list.0": "x", "nested.id": "n", "with.dot": "d",
	}
	if diff := cmp.Diff(want, credential.Capture(raw, paths)); diff != "" {
		t.Errorf("captured (-want +got):\n%s", diff)
	}
}
