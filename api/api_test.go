package api_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/api"
)

// Whatever prints a secret, only JSON shows it.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	const hush = "hush-hush"
	values := []any{
		api.Secret(hush),
		api.Variable{Name: "a", Value: hush},
		api.Credentials{"type": "API_KEY", "apiKey": hush},
		api.CreatedAPIKey{Secret: hush},
		api.OAuthApp{ClientSecret: hush},
		&api.Header{Value: hush},
	}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, hush) || strings.Contains(text, fmt.Sprintf("%x", hush)) {
				t.Errorf("%T with %s: %s", v, verb, text)
			}
		}
	}
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("x", "secret", api.Secret(hush), "credentials", api.Credentials{"apiKey": hush})
	if strings.Contains(log.String(), hush) {
		t.Errorf("logged: %s", log.String())
	}
	if b, err := json.Marshal(api.Secret(hush)); err != nil || string(b) != `"hush-hush"` {
		t.Errorf("as JSON: %s, %v", b, err)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 4, 4, 5, 6_700_000, time.FixedZone("", 3600))
	for want, v := range map[string]api.Time{`"2026-01-02T03:04:05.006Z"`: api.At(at), `"2026-01-02T03:04:05.006+00:00"`: api.AtOffset(at)} {
		b, err := json.Marshal(v)
		if err != nil || string(b) != want {
			t.Errorf("got %s, %v, want %s", b, err, want)
		}
		var back api.Time
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("back from %s: %v, %v", b, back, err)
		}
	}
	if api.MaybeAt(time.Time{}) != nil || api.MaybeAt(at) == nil {
		t.Error("MaybeAt mixes up zero and not zero")
	}
	var bad api.Time
	if json.Unmarshal([]byte(`"yesterday"`), &bad) == nil || json.Unmarshal([]byte(`5`), &bad) == nil {
		t.Error("nonsense is a moment")
	}
}

func TestJSONOfInputs(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`{}`:                            api.PatchConnection{},
		`{"webhook_url_override":null}`: api.PatchConnection{WebhookURLOverride: api.Null[string]()},
		`{"tags":{}}`:                   api.PatchConnection{Tags: &map[string]string{}},
		`{"provider":"p","unique_key":"k","credentials":{"type":"OAUTH2","client_id":"i","client_secret":"s"}}`: api.CreateIntegration{
			Provider: "p", UniqueKey: "k", Credentials: api.NewIntegrationCredentials(api.OAuthApp{Type: "OAUTH2", ClientID: "i", ClientSecret: "s"}),
		},
		`{"provider_config_key":"k","credentials":{"apiKey":"x","type":"API_KEY"}}`: api.ImportConnection{
			ProviderConfigKey: "k", Credentials: api.Import(api.APIKeyCredentials{APIKey: "x"}),
		},
		`{"connection_id":"c","provider_config_key":"k","metadata":{}}`:       api.ConnectionMetadata{ConnectionID: api.One("c"), ProviderConfigKey: "k", Metadata: map[string]any{}},
		`{"connection_id":["c","d"],"provider_config_key":"k","metadata":{}}`: api.ConnectionMetadata{ConnectionID: api.Many("c", "d"), ProviderConfigKey: "k", Metadata: map[string]any{}},
	} {
		if b, err := json.Marshal(v); err != nil || string(b) != want {
			t.Errorf("got %s, %v, want %s", b, err, want)
		}
	}
	var m api.ConnectionMetadata
	if err := json.Unmarshal([]byte(`{"connection_id":["c","d"]}`), &m); err != nil || len(m.ConnectionID.Values()) != 2 {
		t.Errorf("decoded %v, %v", m.ConnectionID.Values(), err)
	}
	if json.Unmarshal([]byte(`{"connection_id":[1]}`), &m) == nil {
		t.Error("a number is a connection id")
	}
	var o struct{ A, B, C api.Optional[int] }
	if err := json.Unmarshal([]byte(`{"A":1,"B":null}`), &o); err != nil || !o.A.Set || *o.A.Value != 1 || !o.B.Set || o.B.Value != nil || o.C.Set {
		t.Errorf("decoded %+v, %v", o, err)
	}
}

func TestConnectionIDs(t *testing.T) {
	t.Parallel()
	for id, good := range map[string]bool{
		"c1": true, `a,.;:=+~[]|@${}"'\/_ -Z9`: true, "": false, "é": false, "a\nb": false, "<x>": false, strings.Repeat("a", 255): true, strings.Repeat("a", 256): false,
	} {
		m := api.ConnectionMetadata{ConnectionID: api.One(id)}
		if issues := m.Check(); (len(issues) == 0) != good {
			t.Errorf("%q: %v", id, issues)
		}
	}
}
