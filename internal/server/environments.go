package server

import (
	"net/http"
	"strconv"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) listEnvironments(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.EnvironmentsQuery](r)
	if err != nil {
		return err
	}
	envs, err := s.cfg.Environments.List(r.Context(), caller(r).AccountID, deref(q.Name))
	if err != nil {
		return err
	}
	list := make([]api.Environment, len(envs))
	for i, e := range envs {
		list[i] = api.Environment{ID: int64(e.ID), UUID: e.UUID, Name: e.Name, IsProduction: e.IsProduction}
	}
	return httpx.WriteJSON(w, http.StatusOK, api.List[api.Environment]{Data: list})
}

func (s *Server) createEnvironment(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.CreateEnvironment](r)
	if err != nil {
		return err
	}
	if deref(body.IsProduction) || body.Name == environment.ProductionName {
		if err := mayMarkProduction(caller(r)); err != nil {
			return err
		}
	}
	env, err := s.cfg.Environments.Create(r.Context(), caller(r).AccountID, environment.CreateInput{
		Name: body.Name, IsProduction: body.IsProduction, Settings: settingsInput(body.EnvironmentOptions),
	})
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.CreatedEnvironment]{
		Data: api.CreatedEnvironment{ID: int64(env.ID), UUID: env.UUID, Name: env.Name},
	})
}

// mayMarkProduction refuses callers that may not decide what is production.
func mayMarkProduction(p *access.Principal) error {
	if p.Grants(linkspan.ScopeAccountEnvironmentsSetProd) {
		return nil
	}
	return linkspan.E("server.mayMarkProduction", linkspan.KindForbidden, "forbidden", nil,
		"Insufficient scope. Required: %s", linkspan.ScopeAccountEnvironmentsSetProd)
}

func (s *Server) deleteEnvironment(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(r); err != nil {
		return err
	}
	path, err := httpx.DecodePath[api.AnyEnvironmentPath](r)
	if err != nil {
		return err
	}
	uuid, account := path.Environment, caller(r).AccountID
	if number, err := strconv.ParseInt(uuid, 10, 64); err == nil {
		env, err := s.cfg.Environments.ByID(r.Context(), account, linkspan.EnvironmentID(number))
		if err != nil {
			return err
		}
		uuid = env.UUID
	} else if !linkspan.IsUUID(uuid) {
		return httpx.Invalid("invalid_uri_params", "invalid_format", "Invalid UUID", "environment")
	}
	if err := s.cfg.Environments.Delete(r.Context(), account, uuid); err != nil {
		return err
	}
	return httpx.WriteNoContent(w)
}

// pathEnvironment returns the environment that the path names. For an
// environment key there is only its own.
func (s *Server) pathEnvironment(r *http.Request) (linkspan.Environment, error) {
	path, err := httpx.DecodePath[api.EnvironmentPath](r)
	if err != nil {
		return linkspan.Environment{}, err
	}
	return s.environment(r, path.EnvironmentUUID)
}

func (s *Server) environment(r *http.Request, uuid string) (linkspan.Environment, error) {
	p := caller(r)
	if p.Kind == access.EnvironmentKey && p.Environment.UUID != uuid {
		return linkspan.Environment{}, linkspan.E("server.environment", linkspan.KindNotFound, "not_found", nil, "Environment not found")
	}
	return s.cfg.Environments.ByUUID(r.Context(), p.AccountID, uuid)
}

func (s *Server) listVariables(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	vars, err := s.cfg.Environments.Variables(r.Context(), environmentOf(r).ID)
	if err != nil {
		return err
	}
	list := make([]api.Variable, len(vars))
	for i, v := range vars {
		list[i] = api.Variable{Name: v.Name, Value: api.Secret(v.Value.Reveal())}
	}
	return httpx.WriteJSON(w, http.StatusOK, list)
}

func (s *Server) replaceVariables(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	env, err := s.pathEnvironment(r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.ReplaceVariables](r)
	if err != nil {
		return err
	}
	vars := make([]linkspan.SecretPair, len(body.Variables))
	for i, v := range body.Variables {
		vars[i] = linkspan.SecretPair{Name: v.Name, Value: linkspan.NewSecret(v.Value.Reveal())}
	}
	if err := s.cfg.Environments.ReplaceVariables(r.Context(), env.AccountID, env.UUID, vars); err != nil {
		return err
	}
	return writeSuccess(w)
}

func (s *Server) rotateSigningKey(w http.ResponseWriter, r *http.Request) error {
	if err := noInput(r); err != nil {
		return err
	}
	env := environmentOf(r)
	key, err := s.cfg.Environments.RotateSigningKey(r.Context(), env.AccountID, env.UUID)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.SigningKey]{Data: api.SigningKey{WebhookSigningKey: api.Secret(key.Reveal())}})
}
