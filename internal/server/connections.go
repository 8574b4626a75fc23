package server

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/upstream"
)

// maxConnections is how many connections a list shows whose caller sets no limit
// (features CONN-01).
const maxConnections = 10_000

// maxPage keeps the product of page and limit far from overflowing. No list has
// as many pages.
const maxPage = 1 << 31

func (s *Server) listConnections(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.ConnectionsQuery](r)
	if err != nil {
		return err
	}
	f := linkspan.ConnectionFilter{
		EnvironmentID:   environmentOf(r).ID,
		Name:            deref(q.ConnectionID),
		Search:          deref(q.Search),
		IntegrationKeys: q.IntegrationID,
		EndUserID:       deref(q.EndUserID),
		OrganizationID:  deref(q.EndUserOrganizationID),
		Limit:           maxConnections,
	}
	if q.Limit != nil {
		f.Limit = *q.Limit
	}
	f.Offset = min(deref(q.Page), maxPage) * f.Limit
	for key, value := range q.Tags {
		if f.Tags == nil {
			f.Tags = make(map[string]string, len(q.Tags))
		}
		f.Tags[strings.ToLower(key)] = value
	}
	found, err := s.cfg.Connections.List(r.Context(), f)
	if err != nil {
		return err
	}
	list := make([]api.Connection, len(found))
	for i := range found {
		list[i] = listedConnection(&found[i])
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Connections{Connections: list})
}

func (s *Server) getConnection(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.ConnectionQuery](r)
	if err != nil {
		return err
	}
	name, err := pathConnection(r, q.ProviderConfigKey)
	if err != nil {
		return err
	}
	p := caller(r)
	if !p.Grants(linkspan.ScopeConnectionsReadCreds) {
		if deref(q.ForceRefresh) || deref(q.RefreshToken) || deref(q.RefreshGithubAppJwtToken) {
			return linkspan.E("server.getConnection", linkspan.KindForbidden, "forbidden", nil,
				"Credential and refresh options require the %s scope", linkspan.ScopeConnectionsReadCreds)
		}
		return s.showConnection(w, r, q.ProviderConfigKey, name)
	}
	t, err := s.cfg.Connections.Fresh(r.Context(), p.Environment.ID, q.ProviderConfigKey, name, connect.FreshOptions{Force: deref(q.ForceRefresh)})
	if err != nil {
		return readError(err)
	}
	httpx.EventFrom(r.Context()).Provider = t.Provider.Name
	shown := fullConnection(&t.Connection, api.AtOffset)
	shown.Credentials = shownCredentials(t, deref(q.RefreshToken))
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// shownCredentials are the credentials of a connection, for callers that may see them.
// Tokens of an app that the operator lends stay here (features INT-08).
func shownCredentials(t *upstream.Target, withRefreshToken bool) api.Credentials {
	if t.Integration.Secrets.Shared {
		return api.Credentials{}
	}
	return t.Credentials.Wire(withRefreshToken)
}

// showConnection answers callers that may not see credentials. Theirs are left
// as they are, too: a refresh is none of their business.
func (s *Server) showConnection(w http.ResponseWriter, r *http.Request, key, name string) error {
	t, err := s.cfg.Connections.Live(r.Context(), environmentOf(r).ID, key, name)
	if err != nil {
		return readError(err)
	}
	return httpx.WriteJSON(w, http.StatusOK, fullConnection(&t.Connection, api.AtOffset))
}

func (s *Server) importConnection(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.ImportConnection](r)
	if err != nil {
		return err
	}
	creds, err := importedCredentials(body.Credentials.Variant())
	if err != nil {
		return err
	}
	httpx.EventFrom(r.Context()).Integration = body.ProviderConfigKey
	t, err := s.cfg.Connections.Import(r.Context(), environmentOf(r), connect.ImportInput{
		IntegrationKey:     body.ProviderConfigKey,
		Name:               deref(body.ConnectionID),
		Credentials:        creds,
		ConnectionConfig:   body.ConnectionConfig,
		Metadata:           body.Metadata,
		WebhookURLOverride: override(body.WebhookURLOverride),
		EndUser:            endUserInput(body.EndUser),
		Tags:               body.Tags,
	})
	if err != nil {
		return importError(err)
	}
	shown := fullConnection(&t.Connection, api.At)
	shown.Credentials = shownCredentials(t, false)
	return httpx.WriteJSON(w, http.StatusCreated, shown)
}

func (s *Server) patchConnection(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.ConnectionKeyQuery](r)
	if err != nil {
		return err
	}
	name, err := pathConnection(r, q.ProviderConfigKey)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.PatchConnection](r)
	if err != nil {
		return err
	}
	in := connect.PatchInput{EndUser: endUserInput(body.EndUser), WebhookURLOverride: override(body.WebhookURLOverride)}
	if body.Tags != nil {
		in.Tags = *body.Tags
	}
	if err := s.cfg.Connections.Patch(r.Context(), environmentOf(r).ID, q.ProviderConfigKey, name, in); err != nil {
		return readError(err)
	}
	return writeSuccess(w)
}

func (s *Server) deleteConnection(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.ConnectionKeyQuery](r)
	if err != nil {
		return err
	}
	if err := httpx.NoBody(r); err != nil {
		return err
	}
	name, err := pathConnection(r, q.ProviderConfigKey)
	if err != nil {
		return err
	}
	err = s.cfg.Connections.Delete(r.Context(), environmentOf(r).ID, q.ProviderConfigKey, name)
	switch linkspan.CodeOf(err) {
	case "unknown_provider_config", "unknown_connection":
		return asBadRequest(err)
	}
	if err != nil {
		return err
	}
	return writeSuccess(w)
}

func (s *Server) setMetadata(w http.ResponseWriter, r *http.Request) error {
	return writeMetadata(w, r, http.StatusCreated, s.cfg.Connections.SetMetadata)
}

func (s *Server) mergeMetadata(w http.ResponseWriter, r *http.Request) error {
	return writeMetadata(w, r, http.StatusOK, s.cfg.Connections.MergeMetadata)
}

func writeMetadata(w http.ResponseWriter, r *http.Request, status int, write metadataWriter) error {
	body, err := metadataBody(r)
	if err != nil {
		return err
	}
	if err := write(r.Context(), environmentOf(r).ID, body.ProviderConfigKey, body.ConnectionID.Values(), body.Metadata); err != nil {
		return err
	}
	return httpx.WriteJSON(w, status, body)
}

func metadataBody(r *http.Request) (api.ConnectionMetadata, error) {
	if err := httpx.NoQuery(r); err != nil {
		return api.ConnectionMetadata{}, err
	}
	body, err := httpx.DecodeBody[api.ConnectionMetadata](r)
	httpx.EventFrom(r.Context()).Integration = body.ProviderConfigKey
	return body, err
}

// pathConnection returns the connection id of the path and notes what the
// request is about.
func pathConnection(r *http.Request, key string) (string, error) {
	path, err := httpx.DecodePath[api.ConnectionPath](r)
	if err != nil {
		return "", err
	}
	event := httpx.EventFrom(r.Context())
	event.Integration, event.Connection = key, path.ConnectionID
	return path.ConnectionID, nil
}

// readError gives errors about one connection the codes and statuses that the
// contract has for reading and patching it (wire contract §4.4).
func readError(err error) error {
	switch linkspan.CodeOf(err) {
	case "unknown_provider_config":
		return linkspan.E("server.readError", linkspan.KindInvalid, "unknown_provider_config", err, "Provider does not exists")
	case "unknown_connection":
		return linkspan.E("server.readError", linkspan.KindNotFound, "not_found", err, "Failed to find connection")
	}
	if refresh, ok := errors.AsType[*connect.RefreshError](err); ok {
		return invalidCredentials(refresh)
	}
	return err
}

// invalidCredentials tells that a connection has no credentials that work. The
// payload holds the connection without them, and the code of what went wrong.
func invalidCredentials(refresh *connect.RefreshError) error {
	e := *refresh.Err
	payload := map[string]any{}
	if details, ok := e.Payload.(map[string]any); ok {
		maps.Copy(payload, details)
	}
	payload["code"] = e.Code
	payload["connection"] = fullConnection(&refresh.Target.Connection, api.AtOffset)
	e.Code, e.Payload = "invalid_credentials", payload
	return &e
}

// importError gives errors of an import the codes that the contract has for it.
func importError(err error) error {
	switch linkspan.CodeOf(err) {
	case "unknown_provider_config":
		return linkspan.E("server.importConnection", linkspan.KindNotFound, "not_found", err, "Integration does not exist")
	case "unknown_provider":
		return linkspan.E("server.importConnection", linkspan.KindNotFound, "not_found", err, "Provider does not exist")
	}
	return err
}

// asBadRequest returns the error with the status 400, for routes that do not
// answer 404.
func asBadRequest(err error) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return err
	}
	return e.WithStatus(http.StatusBadRequest)
}

// importedCredentials translates decoded credentials. The kinds that no provider
// of this version uses are refused by their provider's mode, so only the type
// counts.
func importedCredentials(in api.ImportCredentials) (credential.Credentials, error) {
	switch v := in.(type) {
	case api.OAuth2Credentials:
		c := credential.NewOAuth2(v.AccessToken.Reveal(), string(deref(v.RefreshToken)), deref(v.ExpiresAt))
		if o := v.ConfigOverride; o != nil {
			c.ClientID, c.ClientSecret = deref(o.ClientID), linkspan.NewSecret(string(deref(o.ClientSecret)))
		}
		return c, nil
	case api.BasicCredentials:
		return credential.NewBasic(v.Username.Reveal(), v.Password.Reveal()), nil
	case api.APIKeyCredentials:
		return credential.NewAPIKey(v.APIKey.Reveal()), nil
	case api.NoCredentials:
		return credential.NewNone(), nil
	case nil:
		return credential.Credentials{}, errors.New("the decoder left the credentials out")
	default:
		return credential.Credentials{Type: credential.Type(in.Kind())}, nil
	}
}

func endUserInput(in *api.EndUserInput) *linkspan.EndUser {
	if in == nil {
		return nil
	}
	return &linkspan.EndUser{ID: in.ID, DisplayName: deref(in.DisplayName), Email: deref(in.Email), Tags: in.Tags}
}

// override translates a value where null and "" both mean "remove".
func override(in api.Optional[string]) *string {
	if !in.Set {
		return nil
	}
	return new(deref(in.Value))
}

func listedConnection(c *linkspan.Connection) api.Connection {
	return api.Connection{
		ID:                int64(c.ID),
		ConnectionID:      c.Name,
		ProviderConfigKey: c.IntegrationKey,
		Provider:          c.Provider,
		Errors:            connectionErrors(c),
		EndUser:           endUser(c.EndUser),
		Tags:              orEmpty(c.Tags),
		Metadata:          c.Metadata,
		Created:           api.AtOffset(c.CreatedAt),
	}
}

// fullConnection shows a connection with empty credentials. at chooses the
// spelling of times.
func fullConnection(c *linkspan.Connection, at func(time.Time) api.Time) api.FullConnection {
	shown := api.FullConnection{
		ID:                 int64(c.ID),
		ConnectionID:       c.Name,
		ProviderConfigKey:  c.IntegrationKey,
		Provider:           c.Provider,
		Errors:             connectionErrors(c),
		EndUser:            endUser(c.EndUser),
		Tags:               orEmpty(c.Tags),
		Metadata:           c.Metadata,
		ConnectionConfig:   orEmpty(c.Config),
		WebhookURLOverride: pointer(c.WebhookURLOverride),
		CreatedAt:          at(c.CreatedAt),
		UpdatedAt:          at(c.UpdatedAt),
		Credentials:        api.Credentials{},
	}
	if !c.LastFetchedAt.IsZero() {
		shown.LastFetchedAt = new(at(c.LastFetchedAt))
	}
	return shown
}

func connectionErrors(c *linkspan.Connection) []api.ConnectionError {
	found := connect.Errors(c)
	list := make([]api.ConnectionError, len(found))
	for i, e := range found {
		list[i] = api.ConnectionError{Type: e.Type, LogID: string(e.LogID)}
	}
	return list
}

func endUser(u *linkspan.EndUser) *api.EndUser {
	if u == nil {
		return nil
	}
	shown := &api.EndUser{ID: u.ID, DisplayName: pointer(u.DisplayName), Email: pointer(u.Email), Tags: orEmpty(u.Tags)}
	if u.Organization != nil {
		shown.Organization = &api.Organization{ID: u.Organization.ID, DisplayName: pointer(u.Organization.DisplayName)}
	}
	return shown
}

// orEmpty shows a missing map as an empty one.
func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
