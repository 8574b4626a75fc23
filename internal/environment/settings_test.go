package environment_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// newSettings returns a service, the store behind it, and its environments dev
// and prod.
func newSettings(t *testing.T, options ...environment.Option) (*environment.Service, *store.Store, [2]linkspan.Environment) {
	t.Helper()
	s := storetest.Open(t, store.Config{DataDir: t.TempDir()}, vault.NewRing(vault.NewMasterKey()))
	service := environment.New(s, s, options...)
	made, err := service.Bootstrap(t.Context(), environment.BootstrapInput{})
	check(t, err)
	return service, s, [2]linkspan.Environment{made.Environments[0].Environment, made.Environments[1].Environment}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	service, s, envs := newSettings(t)
	account := envs[0].AccountID
	create := func(in environment.CreateInput) linkspan.Environment {
		t.Helper()
		env, err := service.Create(t.Context(), account, in)
		check(t, err)
		return env
	}
	for name, tt := range map[string]struct {
		env       linkspan.Environment
		publicKey bool
	}{
		"dev":                       {envs[0], true},
		"prod":                      {envs[1], false},
		"another":                   {create(environment.CreateInput{Name: "a"}), true},
		"production":                {create(environment.CreateInput{Name: "b", IsProduction: new(true)}), false},
		"production, switched on":   {create(environment.CreateInput{Name: "c", IsProduction: new(true), Settings: environment.Settings{PublicKeyEnabled: new(true)}}), true},
		"development, switched off": {create(environment.CreateInput{Name: "d", Settings: environment.Settings{PublicKeyEnabled: new(false)}}), false},
	} {
		stored, err := s.EnvironmentByUUID(t.Context(), nil, account, tt.env.UUID)
		check(t, err)
		want := linkspan.EnvironmentSettings{PublicKeyEnabled: tt.publicKey, Webhooks: linkspan.DefaultWebhookSettings()}
		if diff := cmp.Diff(want, stored.Settings, cmp.Comparer(linkspan.Secret.Equal)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Giving the public key at the first start is asking for it to be used.
func TestGivenPublicKeyIsOn(t *testing.T) {
	t.Parallel()
	service, _ := newService(t)
	made, err := service.Bootstrap(t.Context(), environment.BootstrapInput{Environments: map[string]environment.GivenKeys{
		"prod": {PublicKey: "bbbbbbbb-0000-4000-8000-000000000002"},
	}})
	check(t, err)
	if prod := made.Environments[1].Environment; prod.Name != "prod" || !prod.Settings.PublicKeyEnabled {
		t.Errorf("%s: public key enabled is %t", prod.Name, prod.Settings.PublicKeyEnabled)
	}
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	refuse := func(u *url.URL) error {
		if u.Hostname() == "metadata.example" {
			return errors.New("blocked")
		}
		return nil
	}
	service, _, envs := newSettings(t, environment.CheckURLs(refuse))
	hooks := func(primary string) environment.Settings {
		return environment.Settings{Webhooks: environment.Webhooks{PrimaryURL: &primary}}
	}
	callback := func(u string) environment.Settings { return environment.Settings{CallbackURL: &u} }
	look := func(c environment.ConnectUI) environment.Settings { return environment.Settings{ConnectUI: c} }
	tests := map[string]struct {
		in   environment.Settings
		path []any // nil: accepted
	}{
		"callback over https":           {callback("https://app.example/cb?x=1"), nil},
		"callback on localhost":         {callback("http://localhost:8080/cb"), nil},
		"callback on 127.0.0.1":         {callback("http://127.0.0.1/cb"), nil},
		"callback on ::1":               {callback("http://[::1]:1/cb"), nil},
		"callback in clear":             {callback("http://app.example/cb"), []any{"callback_url"}},
		"callback that looks local":     {callback("http://localhost.evil.example/"), []any{"callback_url"}},
		"callback with fragment":        {callback("https://app.example/cb#x"), []any{"callback_url"}},
		"callback with empty fragment":  {callback("https://app.example/cb#"), []any{"callback_url"}},
		"callback with password":        {callback("https://u:p@app.example/cb"), []any{"callback_url"}},
		"callback of another scheme":    {callback("javascript:alert(1)"), []any{"callback_url"}},
		"callback without host":         {callback("https:///cb"), []any{"callback_url"}},
		"callback cleared":              {callback(""), nil},
		"webhook":                       {hooks("http://hooks.example/x"), nil},
		"webhook cleared":               {hooks(""), nil},
		"webhook to nowhere":            {hooks("nowhere"), []any{"webhooks", "primary_url"}},
		"webhook of another scheme":     {hooks("ftp://hooks.example"), []any{"webhooks", "primary_url"}},
		"webhook refused by policy":     {hooks("http://metadata.example/x"), []any{"webhooks", "primary_url"}},
		"second webhook refused":        {environment.Settings{Webhooks: environment.Webhooks{SecondaryURL: new("http://metadata.example/")}}, []any{"webhooks", "secondary_url"}},
		"HMAC without key":              {environment.Settings{HMACEnabled: new(true)}, []any{"hmac_enabled"}},
		"HMAC with a mask for a key":    {environment.Settings{HMACEnabled: new(true), HMACKey: new(linkspan.NewSecret(environment.Masked))}, []any{"hmac_enabled"}},
		"HMAC with key":                 {environment.Settings{HMACEnabled: new(true), HMACKey: new(linkspan.NewSecret("k"))}, nil},
		"colour":                        {look(environment.ConnectUI{LightPrimary: new("#00B2e3")}), nil},
		"no colour":                     {look(environment.ConnectUI{LightPrimary: new("")}), nil},
		"colour in short":               {look(environment.ConnectUI{LightPrimary: new("#0be")}), []any{"connect_ui", "theme", "light", "primary"}},
		"colour that ends the rule":     {look(environment.ConnectUI{DarkPrimary: new("#000;}x")}), []any{"connect_ui", "theme", "dark", "primary"}},
		"colour with control character": {look(environment.ConnectUI{DarkPrimary: new("#00000\x10")}), []any{"connect_ui", "theme", "dark", "primary"}},
		"colour without sign":           {look(environment.ConnectUI{DarkPrimary: new("0000000")}), []any{"connect_ui", "theme", "dark", "primary"}},
		"theme":                         {look(environment.ConnectUI{DefaultTheme: new("dark")}), nil},
		"theme unknown":                 {look(environment.ConnectUI{DefaultTheme: new("sepia")}), []any{"connect_ui", "default_theme"}},
		"name of 60 characters":         {look(environment.ConnectUI{AppName: new(strings.Repeat("ü", 60))}), nil},
		"name of 61":                    {look(environment.ConnectUI{AppName: new(strings.Repeat("ü", 61))}), []any{"connect_ui", "app_name"}},
		"logo":                          {look(environment.ConnectUI{AppLogoURL: new("https://cdn.example/l.svg")}), nil},
		"logo in clear":                 {look(environment.ConnectUI{AppLogoURL: new("http://cdn.example/l.svg")}), []any{"connect_ui", "app_logo_url"}},
		"logo in place":                 {look(environment.ConnectUI{AppLogoURL: new("data:image/svg+xml,x")}), []any{"connect_ui", "app_logo_url"}},
	}
	for name, tt := range tests {
		env, err := service.Create(t.Context(), envs[0].AccountID, environment.CreateInput{Name: linkspan.NewUUID()})
		check(t, err)
		_, updated := service.Update(t.Context(), env.AccountID, env.UUID, environment.UpdateInput{Settings: tt.in})
		_, created := service.Create(t.Context(), env.AccountID, environment.CreateInput{Name: linkspan.NewUUID(), Settings: tt.in})
		for what, err := range map[string]error{"update": updated, "create": created} {
			var path []any
			if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Code == "invalid_body" && len(e.Issues) == 1 {
				path = e.Issues[0].Path
			} else if err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if diff := cmp.Diff(tt.path, path); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, what, diff)
			}
		}
	}
}

// The key of HMAC can't go while it is in use, and other settings can be changed
// whatever an older version has stored.
func TestHMACKeyStaysWhileInUse(t *testing.T) {
	t.Parallel()
	service, s, envs := newSettings(t)
	update := func(in environment.Settings) error {
		return second(service.Update(t.Context(), envs[0].AccountID, envs[0].UUID, environment.UpdateInput{Settings: in}))
	}
	check(t, update(environment.Settings{HMACKey: new(linkspan.NewSecret("k"))}))
	check(t, update(environment.Settings{HMACEnabled: new(true)}))
	if err := update(environment.Settings{HMACKey: new(linkspan.Secret{})}); linkspan.CodeOf(err) != "invalid_body" {
		t.Errorf("removing the key: %v", err)
	}
	check(t, update(environment.Settings{HMACKey: new(linkspan.Secret{}), HMACEnabled: new(false)}))

	old := envs[0]
	old.Settings.HMACEnabled = true
	check(t, s.UpdateEnvironment(t.Context(), nil, &old))
	check(t, update(environment.Settings{SlackNotifications: new(true)}))
}

func TestRotateSigningKey(t *testing.T) {
	t.Parallel()
	service, s, envs := newSettings(t)
	ctx, account, uuid := t.Context(), envs[0].AccountID, envs[0].UUID
	read := func() linkspan.Environment {
		t.Helper()
		env, err := service.ByUUID(ctx, account, uuid)
		check(t, err)
		return env
	}
	rotate := func() linkspan.Secret {
		t.Helper()
		key, err := service.RotateSigningKey(ctx, account, uuid)
		check(t, err)
		return key
	}
	first := read()
	if !first.PreviousSigningKey.IsZero() || !first.PreviousSigningKeyUntil.IsZero() {
		t.Errorf("a new environment has a previous key until %v", first.PreviousSigningKeyUntil)
	}
	key := rotate()
	env := read()
	if key.Equal(first.WebhookSigningKey) || !env.WebhookSigningKey.Equal(key) || !env.PreviousSigningKey.Equal(first.WebhookSigningKey) ||
		!env.PreviousSigningKeyUntil.Equal(env.UpdatedAt.Add(24*time.Hour)) {
		t.Errorf("after the rotation of %v: previous key until %v", env.UpdatedAt, env.PreviousSigningKeyUntil)
	}
	rotate()
	if env = read(); !env.PreviousSigningKey.Equal(key) {
		t.Error("a second rotation keeps the oldest key")
	}

	_, err := service.Update(ctx, account, uuid, environment.UpdateInput{Settings: environment.Settings{SlackNotifications: new(true)}})
	check(t, err)
	if env = read(); !env.PreviousSigningKey.Equal(key) {
		t.Error("another change dropped the previous key")
	}
	last := env.WebhookSigningKey
	env, err = service.Update(ctx, account, uuid, environment.UpdateInput{RevokePreviousSigningKey: true})
	check(t, err)
	if !env.PreviousSigningKey.IsZero() || !env.PreviousSigningKeyUntil.IsZero() || !env.WebhookSigningKey.Equal(last) {
		t.Errorf("revoked, but it is there until %v", env.PreviousSigningKeyUntil)
	}

	// A key whose time is over is not shown, and goes with the next change.
	env.PreviousSigningKey, env.PreviousSigningKeyUntil = key, time.Now().Add(-time.Minute)
	check(t, s.UpdateEnvironment(ctx, nil, &env))
	if env = read(); !env.PreviousSigningKeyUntil.IsZero() {
		t.Errorf("an expired key is shown until %v", env.PreviousSigningKeyUntil)
	}
	check(t, second(service.Update(ctx, account, uuid, environment.UpdateInput{})))
	stored, err := s.EnvironmentByUUID(ctx, nil, account, uuid)
	check(t, err)
	if !stored.PreviousSigningKey.IsZero() {
		t.Error("an expired key is still stored after a change")
	}
}
