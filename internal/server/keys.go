package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) listKeys(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.APIKeysQuery](r)
	if err != nil {
		return err
	}
	env, err := s.pathEnvironment(r)
	if err != nil {
		return err
	}
	keys, err := s.cfg.Access.Keys(r.Context(), env.AccountID, env.ID, deref(q.DisplayName))
	if err != nil {
		return err
	}
	list := make([]api.APIKey, len(keys))
	for i, k := range keys {
		list[i] = apiKey(k)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.List[api.APIKey]{Data: list})
}

func (s *Server) getKey(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	key, err := s.pathKey(r)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.APIKey]{Data: apiKey(key)})
}

func (s *Server) createKey(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	env, err := s.pathEnvironment(r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.CreateAPIKey](r)
	if err != nil {
		return err
	}
	return s.makeKey(w, r, env, body)
}

func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(r); err != nil {
		return err
	}
	key, err := s.pathKey(r)
	if err != nil {
		return err
	}
	if err := s.cfg.Access.DeleteKey(r.Context(), key); err != nil {
		return err
	}
	return writeSuccess(w)
}

// createKeyByID is the older form, which names the environment in the body.
func (s *Server) createKeyByID(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.CreateAPIKeyByID](r)
	if err != nil {
		return err
	}
	env, err := s.cfg.Environments.ByID(r.Context(), caller(r).AccountID, linkspan.EnvironmentID(body.EnvironmentID))
	if err != nil {
		return err
	}
	return s.makeKey(w, r, env, body.CreateAPIKey)
}

// deleteKeyByID is the older form, which names key and environment in the body.
func (s *Server) deleteKeyByID(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.DeleteAPIKeyByID](r)
	if err != nil {
		return err
	}
	env, err := s.cfg.Environments.ByID(r.Context(), caller(r).AccountID, linkspan.EnvironmentID(body.EnvironmentID))
	if err != nil {
		return err
	}
	key, err := s.cfg.Access.KeyByID(r.Context(), env.AccountID, env.ID, linkspan.APIKeyID(body.KeyID))
	if err != nil {
		return err
	}
	if err := s.cfg.Access.DeleteKey(r.Context(), key); err != nil {
		return err
	}
	return writeSuccess(w)
}

func (s *Server) makeKey(w http.ResponseWriter, r *http.Request, env linkspan.Environment, body api.CreateAPIKey) error {
	key, secret, err := s.cfg.Access.CreateKey(r.Context(), nil, access.NewKey{
		AccountID: env.AccountID, EnvironmentID: env.ID, DisplayName: body.DisplayName, Scopes: body.Scopes,
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.CreatedAPIKey]{Data: api.CreatedAPIKey{
		ID: int64(key.ID), UUID: key.UUID, DisplayName: key.DisplayName, Scopes: key.Scopes,
		Secret: api.Secret(secret.Reveal()), CreatedAt: api.At(key.CreatedAt),
	}})
}

// pathKey returns the key that the path names.
func (s *Server) pathKey(r *http.Request) (linkspan.APIKey, error) {
	path, err := httpx.DecodePath[api.APIKeyPath](r)
	if err != nil {
		return linkspan.APIKey{}, err
	}
	env, err := s.environment(r, path.EnvironmentUUID)
	if err != nil {
		return linkspan.APIKey{}, err
	}
	return s.cfg.Access.Key(r.Context(), env.AccountID, env.ID, path.KeyUUID)
}

func apiKey(k linkspan.APIKey) api.APIKey {
	return api.APIKey{
		ID: int64(k.ID), UUID: k.UUID, DisplayName: k.DisplayName, Scopes: k.Scopes,
		LastUsedAt: api.MaybeAt(k.LastUsedAt), CreatedAt: api.At(k.CreatedAt),
	}
}
