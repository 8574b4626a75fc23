package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/httpx"
)

// functionsPerPage is the size of a page of functions or versions unless told.
const functionsPerPage = 20

func (s *Server) listFunctions(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.FunctionsQuery](r)
	if err != nil {
		return err
	}
	i, err := s.pathIntegration(r)
	if err != nil {
		return err
	}
	page := pageOf(q.Page, q.Limit)
	list, total, err := s.cfg.Functions.List(r.Context(), i.EnvironmentID, function.Filter{
		Integration: i.ID, Kind: linkspan.FunctionKind(deref(q.Type)), Search: deref(q.Search), Limit: page.Limit, Offset: page.Page * page.Limit,
	})
	if err != nil {
		return err
	}
	page.Total = total
	return httpx.WriteJSON(w, http.StatusOK, api.Functions{Data: each(list, shownFunction), Pagination: page})
}

func pageOf(page, limit *int) api.Pagination {
	p := api.Pagination{Page: deref(page), Limit: functionsPerPage}
	if limit != nil {
		p.Limit = *limit
	}
	return p
}

// each shapes the items of a list; the result is never nil.
func each[T, U any](list []T, shape func(*T) U) []U {
	out := make([]U, len(list))
	for i := range list {
		out[i] = shape(&list[i])
	}
	return out
}

// pathFunction returns the name of the function that the path and the query's
// type name. The integration must exist.
func (s *Server) pathFunction(r *http.Request, kind *string) (linkspan.EnvironmentID, function.Name, error) {
	path, err := httpx.DecodePath[api.FunctionPath](r)
	if err != nil {
		return 0, function.Name{}, err
	}
	i, err := s.pathIntegration(r)
	return i.EnvironmentID, function.Name{IntegrationKey: i.Key, Kind: linkspan.FunctionKind(deref(kind)), Name: path.Name}, err
}

// functionOf returns the function that path and query name.
func (s *Server) functionOf(r *http.Request) (linkspan.EnvironmentID, function.Name, error) {
	q, err := httpx.DecodeQuery[api.FunctionQuery](r)
	if err != nil {
		return 0, function.Name{}, err
	}
	return s.pathFunction(r, q.Type)
}

func (s *Server) getFunction(w http.ResponseWriter, r *http.Request) error {
	env, name, err := s.functionOf(r)
	if err != nil {
		return err
	}
	f, err := s.cfg.Functions.Function(r.Context(), env, name)
	if err != nil {
		return err
	}
	return writeFunction(w, &f)
}

func writeFunction(w http.ResponseWriter, f *linkspan.Function) error {
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.Function]{Data: shownFunction(f)})
}

func (s *Server) updateFunction(w http.ResponseWriter, r *http.Request) error {
	env, name, err := s.functionOf(r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.UpdateFunction](r)
	if err != nil {
		return err
	}
	f, err := s.cfg.Functions.SetEnabled(r.Context(), env, name, body.Enabled)
	if err != nil {
		return err
	}
	return writeFunction(w, &f)
}

func (s *Server) deleteFunction(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.DeleteFunctionQuery](r)
	if err != nil {
		return err
	}
	if err := httpx.NoBody(r); err != nil {
		return err
	}
	env, name, err := s.pathFunction(r, &q.Type)
	if err != nil {
		return err
	}
	if err := s.cfg.Functions.Delete(r.Context(), env, name); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Data[api.Success]{Data: api.Success{Success: true}})
}

func (s *Server) functionCode(w http.ResponseWriter, r *http.Request) error {
	env, name, err := s.functionOf(r)
	if err != nil {
		return err
	}
	f, source, err := s.cfg.Functions.Source(r.Context(), env, name)
	if err != nil {
		return err
	}
	code, err := s.cfg.Functions.VersionCode(r.Context(), env, f.Version)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.FunctionCode{Type: string(f.Kind), Code: source, Files: author.Imports(&f, code)})
}

func (s *Server) functionVersions(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.FunctionVersionsQuery](r)
	if err != nil {
		return err
	}
	env, name, err := s.pathFunction(r, q.Type)
	if err != nil {
		return err
	}
	page := pageOf(q.Page, q.Limit)
	f, list, total, err := s.cfg.Functions.Versions(r.Context(), env, name, page.Limit, page.Page*page.Limit)
	if err != nil {
		return err
	}
	page.Total = total
	return httpx.WriteJSON(w, http.StatusOK, api.FunctionVersions{Pagination: page, Data: each(list, func(v *linkspan.FunctionVersion) api.FunctionVersion {
		return api.FunctionVersion{
			Version: v.Number, Label: v.Label, Active: v.ID == f.Version.ID, SDKVersion: v.Definition.SDKVersion, CreatedAt: api.At(v.CreatedAt),
		}
	})})
}

func (s *Server) rollbackFunction(w http.ResponseWriter, r *http.Request) error {
	env, name, err := s.functionOf(r)
	if err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.RollbackFunction](r)
	if err != nil {
		return err
	}
	f, err := s.cfg.Functions.Rollback(r.Context(), env, name, body.Version)
	if err != nil {
		return err
	}
	return writeFunction(w, &f)
}

// shownFunction shapes a function for the wire: each type has fields of its own.
func shownFunction(f *linkspan.Function) api.Function {
	d := &f.Version.Definition
	shown := api.Function{
		Type: string(f.Kind), Name: f.Name, ID: int64(f.ID), Enabled: f.Enabled, LastDeployed: api.At(f.Version.CreatedAt), Source: string(f.Source),
		Version: f.Version.Label,
	}
	shown.Trigger, shown.Events = triggerOf(d)
	if f.Kind == linkspan.FunctionOnEvent {
		shown.Event = string(d.Event)
		return shown
	}
	shown.Description, shown.Scopes, shown.Input = d.Description, d.Scopes, d.Input
	shown.Returns, shown.JSONSchema = orNone(d.Models), jsonOrNull(d.Schema)
	if f.Kind == linkspan.FunctionSync {
		shown.Runs, shown.AutoStart, shown.TrackDeletes = textOrNull(d.Frequency), &d.AutoStart, &d.TrackDeletes
	}
	return shown
}

// triggerOf returns what a function made by createFunction runs at.
func triggerOf(d *linkspan.FunctionDefinition) (trigger string, events []string) {
	if d.Unified == nil {
		return "", nil
	}
	for _, e := range d.Unified.Events {
		events = append(events, string(e))
	}
	return string(d.Unified.Trigger), events
}

// orNone returns a list that is never nil.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func jsonOrNull(schema json.RawMessage) api.Optional[json.RawMessage] {
	if len(schema) == 0 {
		return api.Null[json.RawMessage]()
	}
	return api.Some(schema)
}

// legacyFunctions are the syncs and actions of an integration, as the older read
// of it shows them.
func (s *Server) legacyFunctions(r *http.Request, integration linkspan.IntegrationID) (syncs, actions []api.Script, err error) {
	syncs, actions = []api.Script{}, []api.Script{}
	list, _, err := s.cfg.Functions.List(r.Context(), environmentOf(r).ID, function.Filter{Integration: integration, Limit: function.MaxFunctions})
	if err != nil {
		return nil, nil, err
	}
	for i := range list {
		switch f := &list[i]; f.Kind {
		case linkspan.FunctionSync:
			syncs = append(syncs, script(f))
		case linkspan.FunctionAction:
			actions = append(actions, script(f))
		case linkspan.FunctionOnEvent:
		}
	}
	return syncs, actions, nil
}

// scriptsConfig lists all functions, in the form that was asked for. Its query is
// not validated.
func (s *Server) scriptsConfig(w http.ResponseWriter, r *http.Request) error {
	list, err := s.cfg.Functions.All(r.Context(), environmentOf(r).ID)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("format") == "openai" {
		return httpx.WriteJSON(w, http.StatusOK, api.List[api.Tool]{Data: tools(list)})
	}
	return httpx.WriteJSON(w, http.StatusOK, scripts(list))
}

// scripts groups functions by their integrations, in the order of these.
func scripts(list []linkspan.Function) []api.ScriptsConfig {
	out := []api.ScriptsConfig{}
	place := make(map[linkspan.IntegrationID]int)
	for i := range list {
		f := &list[i]
		at, ok := place[f.IntegrationID]
		if !ok {
			at = len(out)
			place[f.IntegrationID] = at
			out = append(out, api.ScriptsConfig{
				ProviderConfigKey: f.IntegrationKey, Provider: f.Provider, Syncs: []api.Script{}, Actions: []api.Script{}, OnEvents: []api.Script{},
			})
		}
		switch c := &out[at]; f.Kind {
		case linkspan.FunctionSync:
			c.Syncs = append(c.Syncs, script(f))
		case linkspan.FunctionAction:
			c.Actions = append(c.Actions, script(f))
		case linkspan.FunctionOnEvent:
			c.OnEvents = append(c.OnEvents, script(f))
		}
	}
	return out
}

// script shapes a function in the older, longer form.
func script(f *linkspan.Function) api.Script {
	d := &f.Version.Definition
	shown := api.Script{
		ID: int64(f.ID), Name: f.Name, Type: string(f.Kind), Description: d.Description, TrackDeletes: d.TrackDeletes, AutoStart: d.AutoStart,
		Attributes: orEmpty(d.Attributes), Scopes: orNone(d.Scopes), Version: f.Version.Label, Source: string(f.Source),
		Endpoints: each(d.Endpoints, func(e *linkspan.FunctionEndpoint) api.ScriptEndpoint { return api.ScriptEndpoint(*e) }),
		Input:     d.Input, Returns: orNone(d.Models), Enabled: f.Enabled, LastDeployed: api.At(f.Version.CreatedAt),
		WebhookSubscriptions: orNone(d.WebhookSubscriptions), JSONSchema: jsonOrNull(d.Schema), SDKVersion: textOrNull(d.SDKVersion),
		Models: []any{}, Features: orNone(d.Features), Event: string(d.Event),
	}
	shown.Trigger, shown.Events = triggerOf(d)
	if f.Kind == linkspan.FunctionSync {
		shown.Runs, shown.SyncType = textOrNull(d.Frequency), d.SyncType
	}
	return shown
}

// tools describes the syncs and actions that are switched on to language models.
func tools(list []linkspan.Function) []api.Tool {
	out := []api.Tool{}
	for i := range list {
		if f := &list[i]; f.Enabled && f.Kind != linkspan.FunctionOnEvent {
			d := &f.Version.Definition
			out = append(out, api.Tool{Name: f.Name, Description: d.Description, Parameters: toolParameters(d)})
		}
	}
	return out
}

// toolParameters is the schema of the input where that is an object, and of no
// parameters otherwise. What it refers to comes along. A line "- name: text" of
// the description describes the parameter that says nothing of itself.
func toolParameters(d *linkspan.FunctionDefinition) json.RawMessage {
	none := json.RawMessage(`{"type":"object","properties":{},"required":[]}`)
	definitions := function.Referenced(function.Definitions(d.Schema), d.Input)
	var input map[string]any
	if json.Unmarshal(definitions[d.Input], &input) != nil || input["type"] != "object" {
		return none
	}
	properties, _ := input["properties"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
		input["properties"] = properties
	}
	if _, ok := input["required"].([]any); !ok {
		input["required"] = []any{}
	}
	for line := range strings.Lines(d.Description) {
		name, text, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "- "), ":")
		property, known := properties[strings.TrimSpace(name)].(map[string]any)
		if ok && known && property["description"] == nil && strings.HasPrefix(strings.TrimSpace(line), "- ") {
			property["description"] = strings.TrimSpace(text)
		}
	}
	delete(definitions, d.Input)
	if len(definitions) > 0 {
		input["definitions"] = definitions
	}
	text, err := json.Marshal(input)
	if err != nil {
		return none
	}
	return text
}
