package server

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/httpx"
)

// primaryColor is the colour of Connect UI's main button where an environment
// sets none.
const primaryColor = "#00B2E3"

// socketPath is where Connect UI opens its WebSocket.
const socketPath = "/"

// maxTags is how many tags a connection may have.
const maxTags = 10

// masked stands for a secret that is set.
const masked = "***"

func (s *Server) createConnectSession(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.CreateConnectSession](r)
	if err != nil {
		return err
	}
	in := sessionInput(&body.ConnectSessionOptions)
	in.AllowedIntegrations = body.AllowedIntegrations
	made, err := s.cfg.Authorize.CreateSession(r.Context(), environmentOf(r), in)
	if err != nil {
		return err
	}
	return writeSession(w, made)
}

func (s *Server) createReconnectSession(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.CreateReconnectSession](r)
	if err != nil {
		return err
	}
	event := httpx.EventFrom(r.Context())
	event.Integration, event.Connection = body.IntegrationID, body.ConnectionID
	in := sessionInput(&body.ConnectSessionOptions)
	made, err := s.cfg.Authorize.CreateReconnectSession(r.Context(), environmentOf(r), body.ConnectionID, body.IntegrationID, in)
	if err != nil {
		return err
	}
	return writeSession(w, made)
}

func writeSession(w http.ResponseWriter, made authorize.Session) error {
	noStore(w.Header())
	return httpx.WriteJSON(w, http.StatusCreated, api.Data[api.CreatedConnectSession]{Data: api.CreatedConnectSession{
		Token: api.Secret(made.Token.Reveal()), ConnectLink: api.Secret(made.ConnectLink), ExpiresAt: api.At(made.ExpiresAt),
	}})
}

func sessionInput(in *api.ConnectSessionOptions) authorize.SessionInput {
	out := authorize.SessionInput{
		EndUser:            endUserInput(in.EndUser),
		Tags:               in.Tags,
		Defaults:           make(map[string]linkspan.IntegrationDefaults, len(in.IntegrationsConfigDefaults)),
		Overrides:          make(map[string]linkspan.IntegrationOverrides, len(in.Overrides)),
		WebhookURLOverride: deref(in.WebhookURLOverride.Value),
	}
	switch o := in.Organization; {
	case o == nil:
	case out.EndUser != nil:
		out.EndUser.Organization = &linkspan.Organization{ID: o.ID, DisplayName: deref(o.DisplayName)}
	default:
		out.Tags = withOrganization(in.Tags, o)
	}
	for key, d := range in.IntegrationsConfigDefaults {
		out.Defaults[key] = linkspan.IntegrationDefaults{
			UserScopes: deref(d.UserScopes), AuthorizationParams: d.AuthorizationParams, ConnectionConfig: d.ConnectionConfig,
		}
	}
	for key, o := range in.Overrides {
		out.Overrides[key] = linkspan.IntegrationOverrides{DocsConnect: deref(o.DocsConnect)}
	}
	return out
}

// withOrganization adds the tags that stand for an organization whose end user is
// not described (wire contract §4.5). Those that the caller gave win.
func withOrganization(tags map[string]string, o *api.OrganizationInput) map[string]string {
	if tags == nil {
		return nil // refused for the lack of an end user
	}
	all := map[string]string{"organization_id": o.ID}
	if name := deref(o.DisplayName); name != "" {
		all["organization_display_name"] = name
	}
	maps.Copy(all, tags)
	if len(all) > maxTags {
		return tags
	}
	return all
}

func (s *Server) getConnectSession(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(r); err != nil {
		return err
	}
	noStore(w.Header())
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.ConnectSession]{Data: connectSession(caller(r))})
}

func (s *Server) endConnectSession(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(r); err != nil {
		return err
	}
	if err := s.cfg.Authorize.EndSession(r.Context(), caller(r)); err != nil {
		return err
	}
	return httpx.WriteNoContent(w)
}

// connectSession shows a session to the browser that has its token.
func connectSession(p *access.Principal) api.ConnectSession {
	session := p.Session
	shown := api.ConnectSession{
		EndUser:             sessionEndUser(session.EndUser),
		ConnectUISettings:   connectUILook(&p.Environment.Settings.ConnectUI),
		AllowedIntegrations: session.AllowedIntegrations,
		IsReconnecting:      session.Reconnect != 0,
		Tags:                session.Tags,
		WebsocketsPath:      socketPath,
	}
	for key, d := range session.Defaults {
		if shown.IntegrationsConfigDefaults == nil {
			shown.IntegrationsConfigDefaults = make(map[string]api.SessionDefaults, len(session.Defaults))
		}
		shown.IntegrationsConfigDefaults[key] = api.SessionDefaults{
			ConnectionConfig: maskedConfig(d.ConnectionConfig), AuthorizationParams: orEmpty(d.AuthorizationParams),
		}
	}
	for key, o := range session.Overrides {
		if shown.Overrides == nil {
			shown.Overrides = make(map[string]api.IntegrationOverrides, len(session.Overrides))
		}
		shown.Overrides[key] = api.IntegrationOverrides{DocsConnect: pointer(o.DocsConnect)}
	}
	return shown
}

// maskedConfig masks what the customer's backend decided and the end user must
// not learn. Connect UI only looks at which values there are.
func maskedConfig(config map[string]any) map[string]any {
	shown := orEmpty(maps.Clone(config))
	for _, name := range []string{"oauth_client_secret_override", "oauth_refresh_token_override"} {
		if _, set := shown[name]; set {
			shown[name] = masked
		}
	}
	return shown
}

func sessionEndUser(u *linkspan.EndUser) *api.SessionEndUser {
	if u == nil {
		return nil
	}
	shown := &api.SessionEndUser{ID: u.ID, DisplayName: pointer(u.DisplayName), Email: pointer(u.Email), Tags: u.Tags}
	if u.Organization != nil {
		shown.Organization = &api.Organization{ID: u.Organization.ID, DisplayName: pointer(u.Organization.DisplayName)}
	}
	return shown
}

func connectUILook(look *linkspan.ConnectUISettings) api.ConnectUILook {
	return api.ConnectUILook{
		Theme: api.ConnectUITheme{
			Light: api.ConnectUIColors{Primary: cmp.Or(look.LightPrimary, primaryColor)},
			Dark:  api.ConnectUIColors{Primary: cmp.Or(look.DarkPrimary, primaryColor)},
		},
		DefaultTheme:  cmp.Or(look.DefaultTheme, "system"),
		ShowWatermark: !look.HideWatermark,
	}
}

// originOf is the scheme and authority of a URL, as browsers write an Origin:
// in lower case, without the port that the scheme has anyway.
func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}
