package server

import (
	"cmp"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) getSettings(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	env, err := s.settingsEnvironment(r)
	if err != nil {
		return err
	}
	return writeSettings(w, caller(r), env)
}

func (s *Server) updateSettings(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	env, err := s.settingsEnvironment(r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.UpdateEnvironmentSettings](r)
	if err != nil {
		return err
	}
	if body.IsProduction != nil && *body.IsProduction != env.IsProduction {
		if err := mayMarkProduction(caller(r)); err != nil {
			return err
		}
	}
	env, err = s.cfg.Environments.Update(r.Context(), env.AccountID, env.UUID, environment.UpdateInput{
		IsProduction: body.IsProduction, Settings: settingsInput(body.EnvironmentOptions),
		RevokePreviousSigningKey: deref(body.RevokePreviousSigningKey),
	})
	if err != nil {
		return err
	}
	return writeSettings(w, caller(r), env)
}

// settingsEnvironment returns the environment that the path of a route of
// settings names.
func (s *Server) settingsEnvironment(r *http.Request) (linkspan.Environment, error) {
	path, err := httpx.DecodePath[api.SettingsPath](r)
	if err != nil {
		return linkspan.Environment{}, err
	}
	uuid := path.EnvironmentUUID
	if uuid == api.CurrentEnvironment {
		if caller(r).Kind != access.EnvironmentKey {
			return linkspan.Environment{}, httpx.Invalid("invalid_uri_params", "custom",
				"An account key has no environment of its own. Name one by its UUID", "environment_uuid")
		}
		uuid = caller(r).Environment.UUID
	}
	return s.environment(r, uuid)
}

func settingsInput(o api.EnvironmentOptions) environment.Settings {
	in := environment.Settings{
		CallbackURL: o.CallbackURL, PublicKeyEnabled: o.PublicKeyEnabled, HMACEnabled: o.HMACEnabled,
		SlackNotifications: o.SlackNotifications, OTLPEndpoint: o.OTLPEndpoint,
		Webhooks: environment.Webhooks(deref(o.Webhooks)), ConnectUI: connectUIInput(deref(o.ConnectUI)),
	}
	if o.HMACKey != nil {
		in.HMACKey = new(linkspan.NewSecret(o.HMACKey.Reveal()))
	}
	if o.OTLPHeaders != nil {
		pairs := make([]linkspan.SecretPair, len(*o.OTLPHeaders))
		for i, h := range *o.OTLPHeaders {
			pairs[i] = linkspan.SecretPair{Name: h.Name, Value: linkspan.NewSecret(h.Value.Reveal())}
		}
		in.OTLPHeaders = &pairs
	}
	return in
}

func connectUIInput(o api.ConnectUIOptions) environment.ConnectUI {
	theme := deref(o.Theme)
	in := environment.ConnectUI{
		LightPrimary: deref(theme.Light).Primary, DarkPrimary: deref(theme.Dark).Primary,
		DefaultTheme: o.DefaultTheme, AppName: o.AppName, AppLogoURL: o.AppLogoURL,
	}
	if o.ShowWatermark != nil {
		in.HideWatermark = new(!*o.ShowWatermark)
	}
	return in
}

// writeSettings shows settings, as much of them as the caller may see.
func writeSettings(w http.ResponseWriter, p *access.Principal, env linkspan.Environment) error {
	set := env.Settings
	shown := api.EnvironmentSettings{
		UUID:                        env.UUID,
		Name:                        env.Name,
		IsProduction:                env.IsProduction,
		CallbackURL:                 pointer(set.CallbackURL),
		PublicKeyEnabled:            set.PublicKeyEnabled,
		HMACEnabled:                 set.HMACEnabled,
		SlackNotifications:          set.SlackNotifications,
		OTLPEndpoint:                pointer(set.OTLPEndpoint),
		OTLPHeaders:                 make([]api.Header, len(set.OTLPHeaders)),
		PublicKey:                   env.PublicKey,
		WebhookSigningKey:           environment.Masked,
		PreviousSigningKeyExpiresAt: api.MaybeAt(env.PreviousSigningKeyUntil),
		Webhooks:                    webhookSettings(set.Webhooks),
		ConnectUI:                   connectUISettings(set.ConnectUI),
	}
	if seesSigningKey(p) {
		shown.WebhookSigningKey = api.Secret(env.WebhookSigningKey.Reveal())
	}
	if !set.HMACKey.IsZero() {
		shown.HMACKey = new(environment.Masked)
	}
	for i, h := range set.OTLPHeaders {
		shown.OTLPHeaders[i] = api.Header{Name: h.Name, Value: environment.Masked}
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.EnvironmentSettings]{Data: shown})
}

// seesSigningKey reports whether a caller may read the key that signs webhooks:
// one that could replace it, or make itself a key that could.
func seesSigningKey(p *access.Principal) bool {
	return p.Grants(linkspan.ScopeSigningKeyRotate) || p.Grants(linkspan.ScopeAccountKeysCreate)
}

func webhookSettings(set linkspan.WebhookSettings) api.WebhookSettings {
	return api.WebhookSettings{
		PrimaryURL:              pointer(set.PrimaryURL),
		SecondaryURL:            pointer(set.SecondaryURL),
		OnAuthCreation:          set.OnAuthCreation,
		OnAuthDeletion:          set.OnAuthDeletion,
		OnAuthRefreshError:      set.OnAuthRefreshError,
		OnSyncError:             set.OnSyncError,
		OnSyncCompletionAlways:  set.OnSyncCompletionAlways,
		OnAsyncActionCompletion: set.OnAsyncActionCompletion,
	}
}

func connectUISettings(set linkspan.ConnectUISettings) api.ConnectUISettings {
	return api.ConnectUISettings{
		Theme: api.ConnectUIThemeSettings{
			Light: api.ConnectUIColorSettings{Primary: pointer(set.LightPrimary)},
			Dark:  api.ConnectUIColorSettings{Primary: pointer(set.DarkPrimary)},
		},
		DefaultTheme:  cmp.Or(set.DefaultTheme, "system"),
		ShowWatermark: !set.HideWatermark,
		AppName:       pointer(set.AppName),
		AppLogoURL:    pointer(set.AppLogoURL),
	}
}
