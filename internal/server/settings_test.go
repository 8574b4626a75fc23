package server_test

import (
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.must(accountKey, "POST", "/environments", `{"name":"staging","callback_url":"https://cb.example/x","public_key_enabled":false,"hmac_key":"hk","hmac_enabled":true,
		"slack_notifications":true,"otlp_endpoint":"","otlp_headers":[{"name":"h","value":"v"}],
		"webhooks":{"primary_url":"https://hooks.example/1","on_sync_error":false},"connect_ui":{"theme":{"dark":{"primary":"#00b2e3"}},"app_name":"Acme"}}`)
	staging, err := r.store.EnvironmentByID(t.Context(), nil, r.account.ID, 3)
	check(t, err)
	path := "/environments/" + staging.UUID + "/settings"
	settings := `{"data":{"uuid":"<uuid>","name":"staging","is_production":false,"callback_url":"https://cb.example/x","public_key_enabled":false,
		"hmac_enabled":true,"hmac_key":"***","slack_notifications":true,"otlp_endpoint":null,"otlp_headers":[{"name":"h","value":"***"}],
		"public_key":"<uuid>","webhook_signing_key":"<uuid>","previous_signing_key_expires_at":null,
		"webhooks":{"primary_url":"https://hooks.example/1","secondary_url":null,"on_auth_creation":true,"on_auth_deletion":true,"on_auth_refresh_error":true,
			"on_sync_error":false,"on_sync_completion_always":false,"on_async_action_completion":false},
		"connect_ui":{"theme":{"light":{"primary":null},"dark":{"primary":"#00b2e3"}},"default_theme":"system","show_watermark":true,"app_name":"Acme","app_logo_url":null}}}`
	r.same(r.call(accountKey, "GET", path, ""), 200, settings)
	// Masks that are written back change nothing, and neither do empty objects.
	r.same(r.call(accountKey, "PATCH", path, `{"hmac_key":"***","otlp_headers":[{"name":"h","value":"***"}],"webhooks":{},"connect_ui":{"theme":{"light":{}}}}`), 200, settings)
	staging, err = r.store.EnvironmentByID(t.Context(), nil, r.account.ID, 3)
	check(t, err)
	if staging.Settings.HMACKey.Reveal() != "hk" || staging.Settings.OTLPHeaders[0].Value.Reveal() != "v" {
		t.Error("a mask replaced a secret")
	}

	// Empty text clears; what is not named stays.
	r.same(r.call(accountKey, "PATCH", path, `{"callback_url":"","hmac_key":"","hmac_enabled":false,"is_production":true,"public_key_enabled":true,"otlp_headers":[],
		"webhooks":{"primary_url":"","secondary_url":"https://hooks.example/2","on_async_action_completion":true},
		"connect_ui":{"theme":{"light":{"primary":"#102030"},"dark":{"primary":""}},"default_theme":"dark","show_watermark":false,"app_name":"","app_logo_url":"https://cdn.example/l.svg"}}`), 200,
		`{"data":{"uuid":"<uuid>","name":"staging","is_production":true,"callback_url":null,"public_key_enabled":true,
		"hmac_enabled":false,"hmac_key":null,"slack_notifications":true,"otlp_endpoint":null,"otlp_headers":[],
		"public_key":"<uuid>","webhook_signing_key":"<uuid>","previous_signing_key_expires_at":null,
		"webhooks":{"primary_url":null,"secondary_url":"https://hooks.example/2","on_auth_creation":true,"on_auth_deletion":true,"on_auth_refresh_error":true,
			"on_sync_error":false,"on_sync_completion_always":false,"on_async_action_completion":true},
		"connect_ui":{"theme":{"light":{"primary":"#102030"},"dark":{"primary":null}},"default_theme":"dark","show_watermark":false,"app_name":null,"app_logo_url":"https://cdn.example/l.svg"}}}`)
}

func TestSettingsOfTheKeysOwnEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	const current = "/environments/current/settings"
	if got := r.must(devKey, "GET", current, ""); at(t, got, "data", "uuid") != r.dev.UUID {
		t.Errorf("current is %v", got)
	}
	r.must(devKey, "PATCH", current, `{"webhooks":{"primary_url":"https://hooks.example/"}}`)
	if got := r.must(accountKey, "GET", "/environments/"+r.dev.UUID+"/settings", ""); at(t, got, "data", "webhooks", "primary_url") != "https://hooks.example/" {
		t.Errorf("dev was not changed: %v", got)
	}
	if got := r.must(prodKey, "GET", current, ""); at(t, got, "data", "name") != "prod" || at(t, got, "data", "webhooks", "primary_url") != nil {
		t.Errorf("current of a key of prod is %v", got)
	}
	r.expect(r.call(accountKey, "GET", current, ""), 400, "invalid_uri_params", "An account key has no environment of its own")
	r.expect(r.call(devKey, "GET", "/environments/nonsense/settings", ""), 400, "invalid_uri_params", "Invalid UUID")
	r.expect(r.call(devKey, "PUT", "/environments/current/variables", `{"variables":[]}`), 400, "invalid_uri_params", "Invalid UUID")
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	for body, issue := range map[string]string{
		`{"webhooks":{"on_forward":true}}`:                              `unrecognized_keys Unrecognized key: "on_forward"`,
		`{"webhooks":null}`:                                             "invalid_type",
		`{"webhooks":{"primary_url":"nowhere"}}`:                        "invalid_format Invalid URL",
		`{"webhooks":{"on_sync_error":"yes"}}`:                          "expected boolean",
		`{"connect_ui":{"theme":{"light":{"primary":"#12345678"}}}}`:    "too_big",
		`{"connect_ui":{"theme":{"light":{"primary":"red"}}}}`:          "#rrggbb",
		`{"connect_ui":{"default_theme":"sepia"}}`:                      "invalid_value",
		`{"connect_ui":{"defaultTheme":"dark"}}`:                        "unrecognized_keys",
		`{"connect_ui":{"app_logo_url":"http://cdn.example/l.svg"}}`:    "https",
		`{"hmac_enabled":true}`:                                         "hmac_key",
		`{"callback_url":"http://app.example/cb"}`:                      "https",
		`{"public_key":"00000000-0000-4000-8000-000000000009"}`:         "unrecognized_keys",
		`{"webhook_signing_key":"mine"}`:                                "unrecognized_keys",
		`{"connect_ui":{"app_name":"` + strings.Repeat("x", 61) + `"}}`: "too_big",
	} {
		r.expect(r.call(devKey, "PATCH", "/environments/current/settings", body), 400, "invalid_body", issue)
	}
}

// Who can't replace the signing key, or make a key that can, sees it masked.
func TestSigningKeyIsForThoseWhoMayRotateIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	account := func(scopes ...string) string {
		_, secret, err := r.access.CreateKey(t.Context(), nil, access.NewKey{AccountID: r.account.ID, DisplayName: scopes[0], Scopes: scopes})
		check(t, err)
		return secret.Reveal()
	}
	path := "/environments/" + r.dev.UUID + "/settings"
	full := r.dev.WebhookSigningKey.Reveal()
	for key, want := range map[string]string{
		devKey: full, accountKey: full,
		r.key(linkspan.ScopeSettingsRead): "***",
		r.key(linkspan.ScopeSettingsRead, linkspan.ScopeSettingsUpdate, linkspan.ScopeWebhooksRead): "***",
		r.key(linkspan.ScopeSettingsRead, linkspan.ScopeSigningKeyRotate):                           full,
		account(linkspan.ScopeAccountEnvironmentsList, linkspan.ScopeAccountEnvironmentsUpdate):     "***",
		account(linkspan.ScopeAccountKeysCreate, linkspan.ScopeAccountEnvironmentsList):             full,
	} {
		if got := at(t, r.must(key, "GET", path, ""), "data", "webhook_signing_key"); got != want {
			t.Errorf("key %s sees %v, want %q", key, got, want)
		}
	}
	if got := at(t, r.must(r.key(linkspan.ScopeSettingsUpdate), "PATCH", path, `{}`), "data", "webhook_signing_key"); got != "***" {
		t.Errorf("a change shows %v", got)
	}
}

func TestSigningKeyRotation(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	const current = "/environments/current/settings"
	fresh := at(t, r.must(devKey, "POST", "/environment/webhook-signing-key/rotate", ""), "data", "webhook_signing_key")
	got := r.must(devKey, "GET", current, "")
	if at(t, got, "data", "webhook_signing_key") != fresh || at(t, got, "data", "previous_signing_key_expires_at") == nil {
		t.Errorf("after the rotation: %v", got)
	}
	r.must(devKey, "PATCH", current, `{"revoke_previous_signing_key":false}`)
	if got = r.must(devKey, "GET", current, ""); at(t, got, "data", "previous_signing_key_expires_at") == nil {
		t.Error("false revoked the key")
	}
	got = r.must(devKey, "PATCH", current, `{"revoke_previous_signing_key":true}`)
	if at(t, got, "data", "webhook_signing_key") != fresh || at(t, got, "data", "previous_signing_key_expires_at") != nil {
		t.Errorf("after the revocation: %v", got)
	}
}
