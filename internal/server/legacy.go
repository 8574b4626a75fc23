package server

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/httpx"
)

// legacyBody is the flat body of the older import: what it holds depends on the
// provider's authentication mode.
type legacyBody map[string]any

// text returns a value that is text, or "".
func (b legacyBody) text(key string) string {
	s, _ := b[key].(string)
	return s
}

// object returns a value that is an object; a value of another type is a
// mistake, a missing one is not.
func (b legacyBody) object(key string) (map[string]any, error) {
	v, there := b[key]
	if !there || v == nil {
		return nil, nil //nolint:nilnil // a missing object is nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, httpx.Invalid("invalid_body", "invalid_type", "Invalid input: expected record", key)
	}
	return o, nil
}

// legacyImport is the deprecated import with flat credentials. It answers with
// the body that it got.
func (s *Server) legacyImport(w http.ResponseWriter, r *http.Request) error {
	body, err := httpx.DecodeBody[map[string]any](r)
	if err != nil {
		return err
	}
	env := environmentOf(r)
	in, err := s.legacyInput(r, env, body)
	if err != nil {
		return err
	}
	t, err := s.cfg.Connections.Import(r.Context(), env, in)
	if err != nil {
		return legacyImportError(err)
	}
	reply := maps.Clone(body)
	reply["connection_id"] = t.Connection.Name
	return httpx.WriteJSON(w, http.StatusCreated, reply)
}

func (s *Server) legacyInput(r *http.Request, env linkspan.Environment, body legacyBody) (connect.ImportInput, error) {
	in := connect.ImportInput{IntegrationKey: body.text("provider_config_key"), Name: body.text("connection_id")}
	if in.IntegrationKey == "" {
		return in, legacyError("missing_provider_config", nil, "The body lacks provider_config_key, the integration of the connection.")
	}
	httpx.EventFrom(r.Context()).Integration = in.IntegrationKey
	i, err := s.cfg.Integrations.Get(r.Context(), env.ID, in.IntegrationKey)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return in, legacyError("unknown_provider_config", err, "There is no integration %q in this environment.", in.IntegrationKey)
	}
	if err != nil {
		return in, err
	}
	if in.Credentials, err = legacyCredentials(s.provider(i.Provider), body); err != nil {
		return in, err
	}
	if in.Metadata, err = body.object("metadata"); err != nil {
		return in, err
	}
	in.ConnectionConfig, err = body.object("connection_config")
	return in, err
}

func legacyCredentials(p *catalog.Provider, body legacyBody) (credential.Credentials, error) {
	missing := func(code, field string) (credential.Credentials, error) {
		return credential.Credentials{}, legacyError(code, nil, "The body lacks %s, which connections to %s need.", field, p.DisplayName)
	}
	switch p.Auth.Mode {
	case catalog.ModeNone:
		return credential.NewNone(), nil
	case catalog.ModeAPIKey:
		if body.text("api_key") == "" {
			return missing("missing_api_key", "api_key")
		}
		return credential.NewAPIKey(body.text("api_key")), nil
	case catalog.ModeBasic:
		if _, there := body["username"].(string); !there {
			return missing("missing_basic_username", "username")
		}
		return credential.NewBasic(body.text("username"), body.text("password")), nil
	case catalog.ModeOAuth2:
		if body.text("access_token") == "" {
			return missing("missing_access_token", "access_token")
		}
		expires, err := legacyExpiry(body, time.Now())
		c := credential.NewOAuth2(body.text("access_token"), body.text("refresh_token"), expires)
		c.ClientID = body.text("oauth_client_id_override")
		c.ClientSecret = linkspan.NewSecret(body.text("oauth_client_secret_override"))
		return c, err
	default:
		if reason, unsupported := p.Unsupported(); unsupported {
			return credential.Credentials{}, legacyError("unsupported_provider", nil, "%s", reason)
		}
		return credential.Credentials{}, legacyError("unknown_auth_mode", nil, "The authentication mode %s is not known.", p.Auth.Mode)
	}
}

// legacyExpiry reads when tokens expire: expires_at, a moment, or expires_in,
// seconds from now. Without either the caller must say no_expiration.
func legacyExpiry(body legacyBody, now time.Time) (time.Time, error) {
	bad := legacyError("invalid_expires_at", nil, "expires_at is not an ISO 8601 moment, or expires_in not a number of seconds.")
	if v, there := body["expires_at"]; there && v != nil {
		at, err := time.Parse(time.RFC3339, body.text("expires_at"))
		if err != nil {
			return time.Time{}, bad
		}
		return at.UTC(), nil
	}
	if v, there := body["expires_in"]; there && v != nil {
		seconds, err := strconv.ParseFloat(numberText(v), 64)
		const most = 100 * 365 * 24 * 3600
		if err != nil || seconds < 0 || seconds > most {
			return time.Time{}, bad
		}
		return now.UTC().Add(time.Duration(seconds * float64(time.Second))), nil
	}
	if never, _ := body["no_expiration"].(bool); never || body.text("no_expiration") == "true" {
		return time.Time{}, nil
	}
	return time.Time{}, legacyError("missing_expires_at", nil,
		"The body lacks expires_at or expires_in. Set no_expiration to true for a token that does not expire.")
}

// numberText returns a number, or a text that may be one.
func numberText(v any) string {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case string:
		return v
	default:
		return ""
	}
}

func (s *Server) legacySetMetadata(w http.ResponseWriter, r *http.Request) error {
	return s.legacyMetadata(w, r, http.StatusCreated, s.cfg.Connections.SetMetadata)
}

func (s *Server) legacyMergeMetadata(w http.ResponseWriter, r *http.Request) error {
	return s.legacyMetadata(w, r, http.StatusOK, s.cfg.Connections.MergeMetadata)
}

// metadataWriter is one of the two ways to write metadata.
type metadataWriter func(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, metadata map[string]any) error

// legacyMetadata takes the metadata themselves as the body, and the integration
// from a header or the query.
func (s *Server) legacyMetadata(w http.ResponseWriter, r *http.Request, status int, write metadataWriter) error {
	q, err := httpx.DecodeQuery[api.LegacyKeyQuery](r)
	if err != nil {
		return err
	}
	key := r.Header.Get("Provider-Config-Key")
	if key == "" {
		key = deref(q.ProviderConfigKey)
	}
	if key == "" {
		return legacyError("missing_provider_config", nil, "Name the integration in the header Provider-Config-Key or in the query as provider_config_key.")
	}
	name, err := pathConnection(r, key)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[map[string]any](r)
	if err != nil {
		return err
	}
	if err := write(r.Context(), environmentOf(r).ID, key, []string{name}, body); err != nil {
		return withEmptyPayload(err)
	}
	return httpx.WriteJSON(w, status, body)
}

// legacyImportError gives errors of package connect the shape of the older
// routes.
func legacyImportError(err error) error {
	if linkspan.CodeOf(err) == "unknown_provider_config" {
		return withEmptyPayload(asBadRequest(err))
	}
	return withEmptyPayload(err)
}

func withEmptyPayload(err error) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Payload != nil {
		return err
	}
	return e.WithPayload(struct{}{})
}
