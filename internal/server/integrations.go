package server

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/integration"
)

func (s *Server) listIntegrations(w http.ResponseWriter, r *http.Request) error {
	if _, err := httpx.DecodeQuery[api.IntegrationsQuery](r); err != nil {
		return err
	}
	p := caller(r)
	list, err := s.cfg.Integrations.List(r.Context(), p.Environment.ID)
	if err != nil {
		return err
	}
	shown := make([]api.Integration, 0, len(list))
	for i := range list {
		if p.Session != nil && len(p.Session.AllowedIntegrations) > 0 && !slices.Contains(p.Session.AllowedIntegrations, list[i].Key) {
			continue
		}
		item, provider := s.integration(&list[i])
		if p.Grants(linkspan.ScopeIntegrationsListCreds) {
			item.Credentials = integrationCredentials(&list[i], provider)
		}
		shown = append(shown, item)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.List[api.Integration]{Data: shown})
}

func (s *Server) getIntegration(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.IntegrationQuery](r)
	if err != nil {
		return err
	}
	i, err := s.pathIntegration(r)
	if err != nil {
		return err
	}
	p := caller(r)
	item, provider := s.integration(&i)
	if slices.Contains(q.Include, "webhook") {
		item.WebhookURL = s.webhookURL(p.Environment, provider, i.Key)
	}
	if slices.Contains(q.Include, "credentials") && p.Grants(linkspan.ScopeIntegrationsReadCreds) {
		item.Credentials = integrationCredentials(&i, provider)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.Integration]{Data: item})
}

func (s *Server) createIntegration(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.CreateIntegration](r)
	if err != nil {
		return credentialsObjectError(err)
	}
	made, err := s.cfg.Integrations.Create(r.Context(), environmentOf(r).ID, integration.CreateInput{
		Provider:        body.Provider,
		Key:             body.UniqueKey,
		DisplayName:     deref(body.DisplayName),
		Credentials:     credentialsInput(body.Credentials),
		ForwardWebhooks: body.ForwardWebhooks,
		Config:          body.IntegrationConfig,
		Custom:          body.Custom,
	})
	if err != nil {
		return err
	}
	return s.writeIntegration(w, &made)
}

func (s *Server) quickstartIntegration(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.QuickstartIntegration](r)
	if err != nil {
		return err
	}
	made, err := s.cfg.Integrations.Quickstart(r.Context(), environmentOf(r).ID, integration.QuickstartInput{
		Provider: body.Provider, Key: body.UniqueKey, DisplayName: deref(body.DisplayName), ForwardWebhooks: body.ForwardWebhooks,
	})
	if err != nil {
		return err
	}
	return s.writeIntegration(w, &made)
}

func (s *Server) updateIntegration(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	path, err := httpx.DecodePath[api.IntegrationPath](r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.UpdateIntegration](r)
	if err != nil {
		return credentialsObjectError(err)
	}
	updated, err := s.cfg.Integrations.Update(r.Context(), environmentOf(r).ID, path.UniqueKey, integration.UpdateInput{
		Key:             body.UniqueKey,
		DisplayName:     body.DisplayName,
		Credentials:     credentialsInput(body.Credentials),
		ForwardWebhooks: body.ForwardWebhooks,
		Config:          body.IntegrationConfig,
		Custom:          body.Custom,
	})
	if err != nil {
		return err
	}
	return s.writeIntegration(w, &updated)
}

func (s *Server) deleteIntegration(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(r); err != nil {
		return err
	}
	path, err := httpx.DecodePath[api.IntegrationPath](r)
	if err != nil {
		return err
	}
	if err := s.cfg.Integrations.Delete(r.Context(), environmentOf(r).ID, path.UniqueKey); err != nil {
		return err
	}
	return writeSuccess(w)
}

// legacyIntegration is the deprecated read of an integration.
func (s *Server) legacyIntegration(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.LegacyIntegrationQuery](r)
	if err != nil {
		return err
	}
	p := caller(r)
	if q.IncludeCreds && !p.Grants(linkspan.ScopeIntegrationsReadCreds) {
		return linkspan.E("server.legacyIntegration", linkspan.KindForbidden, "forbidden", nil,
			"Insufficient scope. Required: %s", linkspan.ScopeIntegrationsReadCreds)
	}
	i, err := s.pathIntegration(r)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return legacyError("unknown_provider_config", err, "There is no integration %q in this environment.", r.PathValue("unique_key"))
	}
	if err != nil {
		return err
	}
	reply := api.LegacyIntegration{UniqueKey: i.Key, Provider: i.Provider}
	if reply.Syncs, reply.Actions, err = s.legacyFunctions(r, i.ID); err != nil {
		return err
	}
	if q.IncludeCreds {
		s.legacyDetails(&reply, p.Environment, &i)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.LegacyIntegrationReply{Config: reply})
}

// legacyDetails fills in what only keys that may see credentials are shown.
func (s *Server) legacyDetails(reply *api.LegacyIntegration, env linkspan.Environment, i *linkspan.Integration) {
	p := s.provider(i.Provider)
	secrets := i.Secrets
	if secrets.Shared {
		secrets = linkspan.IntegrationSecrets{Scopes: i.Secrets.Scopes}
	}
	reply.ClientID = textOrNull(secrets.ClientID)
	reply.ClientSecret = secretOrNull(secrets.ClientSecret)
	reply.Scopes = textOrNull(secrets.Scopes)
	reply.AuthMode = string(p.Auth.Mode)
	reply.CreatedAt = new(api.At(i.CreatedAt))
	reply.HasWebhook = new(p.Hooks.WebhookRouting.Name != "")
	reply.WebhookSecret = secretOrNull(secrets.WebhookSecret)
	reply.Custom = api.Some(integration.Custom(i, p))
	// The contract keeps a quirk of this reply: the URL holds the provider's
	// name where the integration's key belongs.
	reply.WebhookURL = s.webhookURL(env, p, i.Provider)
}

// pathIntegration returns the integration that the path names.
func (s *Server) pathIntegration(r *http.Request) (linkspan.Integration, error) {
	path, err := httpx.DecodePath[api.IntegrationPath](r)
	if err != nil {
		return linkspan.Integration{}, err
	}
	httpx.EventFrom(r.Context()).Integration = path.UniqueKey
	return s.cfg.Integrations.Get(r.Context(), environmentOf(r).ID, path.UniqueKey)
}

func (s *Server) writeIntegration(w http.ResponseWriter, i *linkspan.Integration) error {
	item, _ := s.integration(i)
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.Integration]{Data: item})
}

// integration shapes an integration for the wire, without its secrets.
func (s *Server) integration(i *linkspan.Integration) (api.Integration, *catalog.Provider) {
	p := s.provider(i.Provider)
	item := api.Integration{
		UniqueKey:       i.Key,
		Provider:        i.Provider,
		DisplayName:     i.DisplayName,
		Logo:            s.urls.Logo(i.Provider),
		ForwardWebhooks: i.ForwardWebhooks,
		CreatedAt:       api.At(i.CreatedAt),
		UpdatedAt:       api.At(i.UpdatedAt),

		CredentialsLabel: integration.CredentialsLabel(i, p),
	}
	if item.DisplayName == "" {
		item.DisplayName = p.DisplayName
	}
	return item, p
}

// provider returns a provider for showing. One that is gone from the catalogue,
// because an operator removed its file, shows its name only.
func (s *Server) provider(name string) *catalog.Provider {
	p, err := s.cfg.Catalog.Provider(name)
	if err != nil {
		return &catalog.Provider{Name: name, DisplayName: name}
	}
	return p
}

// webhookURL is where the provider sends its webhooks, or null when they are not
// understood.
func (s *Server) webhookURL(env linkspan.Environment, p *catalog.Provider, key string) api.Optional[string] {
	if p.Hooks.WebhookRouting.Name == "" {
		return api.Null[string]()
	}
	return api.Some(s.cfg.PublicURL + "/webhook/" + env.UUID + "/" + url.PathEscape(key))
}

func integrationCredentials(i *linkspan.Integration, p *catalog.Provider) api.Optional[api.IntegrationCredentials] {
	c, ok := integration.CredentialsOf(i, p.Auth.Mode)
	if !ok {
		return api.Null[api.IntegrationCredentials]()
	}
	shown := api.IntegrationCredentials{Type: string(c.Type)}
	if c.Type != catalog.ModeApp {
		shown.ClientID, shown.ClientSecret = &c.ClientID, new(api.Secret(c.ClientSecret.Reveal()))
	}
	if c.Type == catalog.ModeApp || c.Type == catalog.ModeCustom {
		shown.AppID, shown.AppLink, shown.PrivateKey = &c.AppID, &c.AppLink, new(api.Secret(c.PrivateKey.Reveal()))
	} else {
		shown.Scopes = api.Some(*c.Scopes)
		shown.WebhookSecret = secretOrNull(*c.WebhookSecret)
	}
	return api.Some(shown)
}

// credentialsInput translates decoded credentials for the service.
func credentialsInput(in *api.IntegrationCredentialsInput) *integration.Credentials {
	if in == nil {
		return nil
	}
	switch v := in.Variant().(type) {
	case api.OAuthApp:
		c := &integration.Credentials{
			Type: catalog.AuthMode(v.Type), ClientID: v.ClientID, ClientSecret: linkspan.NewSecret(v.ClientSecret.Reveal()),
		}
		if v.Scopes.Set {
			c.Scopes = new(deref(v.Scopes.Value))
		}
		if v.WebhookSecret.Set {
			c.WebhookSecret = new(linkspan.NewSecret(string(deref(v.WebhookSecret.Value))))
		}
		return c
	case api.App:
		return &integration.Credentials{
			Type: catalog.ModeApp, AppID: v.AppID, AppLink: v.AppLink, PrivateKey: linkspan.NewSecret(v.PrivateKey.Reveal()),
		}
	case api.CustomApp:
		return &integration.Credentials{
			Type: catalog.ModeCustom, ClientID: v.ClientID, ClientSecret: linkspan.NewSecret(v.ClientSecret.Reveal()),
			AppID: v.AppID, AppLink: v.AppLink, PrivateKey: linkspan.NewSecret(v.PrivateKey.Reveal()),
		}
	}
	return nil
}

// credentialsObjectError gives an unknown type of credentials the message that
// the contract has for it.
func credentialsObjectError(err error) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return err
	}
	for i := range e.Issues {
		if p := e.Issues[i].Path; len(p) == 2 && p[0] == "credentials" && p[1] == "type" && e.Issues[i].Code == "invalid_union" {
			e.Issues[i].Message = "invalid credentials object"
		}
	}
	return e
}
