package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/httpx"
)

// confirmDeploy tells what a deploy would change. What it would remove depends on
// the mode alone: clients ask with reconcile off.
func (s *Server) confirmDeploy(w http.ResponseWriter, r *http.Request) error {
	body, err := deployBody(r)
	if err != nil {
		return err
	}
	d, err := deployment(&body)
	if err != nil {
		return err
	}
	d.Reconcile = true
	plan, err := s.cfg.Functions.Plan(r.Context(), environmentOf(r).ID, d)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, confirmation(&plan))
}

func (s *Server) deploy(w http.ResponseWriter, r *http.Request) error {
	body, err := deployBody(r)
	if err != nil {
		return err
	}
	d, err := deployment(&body)
	if err != nil {
		return err
	}
	done, err := s.cfg.Functions.Deploy(r.Context(), environmentOf(r).ID, d)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, each(done.Functions, func(f *linkspan.Function) api.DeployedFunction {
		return api.DeployedFunction{
			Name: f.Name, Version: f.Version.Label, Models: orNone(f.Version.Definition.Models), ProviderConfigKey: f.IntegrationKey, Type: string(f.Kind),
		}
	}))
}

func deployBody(r *http.Request) (api.Deploy, error) {
	if err := clientIsNewEnough(r.UserAgent()); err != nil {
		return api.Deploy{}, err
	}
	if err := httpx.NoQuery(r); err != nil {
		return api.Deploy{}, err
	}
	return httpx.DecodeBody[api.Deploy](r)
}

// clientIsNewEnough refuses versions of the existing command line that deploy in
// a way that is not understood any more: those before 0.39.25.
func clientIsNewEnough(userAgent string) error {
	rest, ok := strings.CutPrefix(userAgent, "nango-cli/")
	if !ok {
		return nil
	}
	version, _, _ := strings.Cut(rest, " ")
	core, _, _ := strings.Cut(version, "-")
	parts := strings.Split(core, ".")
	least := []int{0, 39, 25}
	have := make([]int, len(least))
	for i := range have {
		n, err := -1, error(nil)
		if i < len(parts) {
			n, err = strconv.Atoi(parts[i])
		}
		if err != nil || n < 0 {
			return tooOld(version)
		}
		have[i] = n
	}
	if slices.Compare(have, least) < 0 {
		return tooOld(version)
	}
	return nil
}

func tooOld(version string) error {
	return linkspan.E("server.deploy", linkspan.KindInvalid, "invalid_cli_version", nil,
		"The version %q of the command line can't deploy to this server.", version).WithHint("Install 0.39.25 or newer.")
}

// deployment translates the wire's form of a deploy.
func deployment(body *api.Deploy) (*function.Deployment, error) {
	d := &function.Deployment{
		Mode: function.Mode(body.DeployMode), Reconcile: body.Reconcile, Source: linkspan.FunctionSource(body.Source), SDKVersion: body.SDKVersion,
		KeepOnEvents: body.OnEventScriptsByProvider == nil && body.PostConnectionScriptsByProvider == nil,
		KeepUnified:  body.Functions == nil,
	}
	if len(body.Integrations) > 0 {
		d.Integrations = body.Integrations
	}
	if d.Mode == "" {
		d.Mode = function.ModeAll
		if deref(body.SingleDeployMode) {
			d.Mode = function.ModeSingle
		}
	}
	for i := range body.FlowConfigs {
		f, err := deployable(&body.FlowConfigs[i], body.JSONSchema)
		if err != nil {
			return nil, err
		}
		f.Path = []any{"flowConfigs", i}
		d.Functions = append(d.Functions, f)
	}
	for _, group := range []struct {
		field string
		list  []api.DeployOnEvent
	}{
		{"onEventScriptsByProvider", body.OnEventScriptsByProvider},
		{"postConnectionScriptsByProvider", body.PostConnectionScriptsByProvider},
	} {
		if err := addScripts(d, group.field, group.list); err != nil {
			return nil, err
		}
	}
	return d, addUnified(d, body.Functions)
}

func addScripts(d *function.Deployment, field string, list []api.DeployOnEvent) error {
	for i := range list {
		for j := range list[i].Scripts {
			f, err := deployableScript(list[i].ProviderConfigKey, &list[i].Scripts[j])
			if err != nil {
				return err
			}
			f.Path = []any{field, i, "scripts", j}
			d.Functions = append(d.Functions, f)
		}
	}
	return nil
}

func deployable(in *api.DeployFunction, shared *api.DeploySchema) (function.Deployable, error) {
	f := function.Deployable{
		IntegrationKey: in.ProviderConfigKey, Kind: linkspan.FunctionKind(in.Type), Name: in.SyncName, Version: in.Version,
		Code: linkspan.FunctionCode{Bundle: in.FileBody.JS, Source: in.FileBody.TS},
		Definition: linkspan.FunctionDefinition{
			Description: in.Metadata.Description, Scopes: in.Metadata.Scopes, Input: in.InputName(), Models: in.Models, Features: in.Features,
		},
	}
	for i := range in.Endpoints {
		method, path := in.Endpoints[i].Resolve()
		f.Definition.Endpoints = append(f.Definition.Endpoints, linkspan.FunctionEndpoint{Method: method, Path: path, Group: in.Endpoints[i].Group})
	}
	if f.Kind == linkspan.FunctionSync {
		d := &f.Definition
		d.Frequency, d.SyncType, d.AutoStart, d.TrackDeletes = deref(in.Runs), in.SyncType, in.AutoStart, in.TrackDeletes
		d.WebhookSubscriptions, d.Attributes = in.WebhookSubscriptions, in.Attributes
	}
	schema := in.ModelsJSONSchema
	if schema == nil && shared != nil { // older clients send one for all
		names := append([]string{in.InputName()}, in.Models...)
		schema = &api.DeploySchema{Definitions: function.Referenced(shared.Definitions, names...)}
		for _, name := range names {
			if _, ok := schema.Definitions[name]; name != "" && !ok {
				return f, linkspan.E("server.deploy", linkspan.KindInvalid, "deploy_missing_json_schema_model", nil,
					"The JSON Schema has no definition of %q, which %q names.", name, in.SyncName).WithPayload(struct{}{})
			}
		}
	}
	var err error
	f.Definition.Schema, err = schemaText(schema)
	return f, err
}

func deployableScript(key string, in *api.DeployScript) (function.Deployable, error) {
	f := function.Deployable{
		IntegrationKey: key, Kind: linkspan.FunctionOnEvent, Name: in.Name, Version: in.Version,
		Code: linkspan.FunctionCode{Bundle: in.FileBody.JS, Source: in.FileBody.TS},
		Definition: linkspan.FunctionDefinition{
			Description: in.Description, Scopes: in.Scopes, Features: in.Features, Event: linkspan.FunctionEvent(in.Event),
		},
	}
	if f.Definition.Event == "" {
		f.Definition.Event = linkspan.EventPostConnectionCreation
	}
	var err error
	f.Definition.Schema, err = schemaText(in.ModelsJSONSchema)
	return f, err
}

func schemaText(schema *api.DeploySchema) (json.RawMessage, error) {
	if schema == nil {
		return nil, nil
	}
	text, err := json.Marshal(struct {
		Definitions map[string]json.RawMessage `json:"definitions"`
	}{schema.Definitions})
	if err != nil {
		return nil, fmt.Errorf("encoding a JSON Schema: %w", err)
	}
	return text, nil
}

// confirmation shapes a plan; clients read the length of every list.
func confirmation(p *function.Plan) api.DeployConfirmation {
	return api.DeployConfirmation{
		NewSyncs: syncsOf(p.Created), UpdatedSyncs: syncsOf(p.Updated), DeletedSyncs: syncsOf(p.Deleted),
		NewActions: actionsOf(p.Created), UpdatedActions: actionsOf(p.Updated), DeletedActions: actionsOf(p.Deleted),
		NewOnEventScripts: eventsOf(p.Created), UpdatedOnEventScripts: eventsOf(p.Updated), DeletedOnEventScripts: eventsOf(p.Deleted),
		DeletedModels: orNone(p.DeletedModels),
	}
}

func syncsOf(list []function.Planned) []api.DeploySync {
	return each(ofKind(list, linkspan.FunctionSync), func(p *function.Planned) api.DeploySync {
		return api.DeploySync{Name: p.Name, ProviderConfigKey: p.IntegrationKey, Connections: p.Connections, AutoStart: p.AutoStart}
	})
}

func actionsOf(list []function.Planned) []api.DeployAction {
	return each(ofKind(list, linkspan.FunctionAction), func(p *function.Planned) api.DeployAction {
		return api.DeployAction{Name: p.Name, ProviderConfigKey: p.IntegrationKey}
	})
}

func eventsOf(list []function.Planned) []api.DeployEventName {
	return each(ofKind(list, linkspan.FunctionOnEvent), func(p *function.Planned) api.DeployEventName {
		return api.DeployEventName{ProviderConfigKey: p.IntegrationKey, Name: p.Name, Event: string(p.Event)}
	})
}

func ofKind(list []function.Planned, kind linkspan.FunctionKind) []function.Planned {
	return slices.DeleteFunc(slices.Clone(list), func(p function.Planned) bool { return p.Kind != kind })
}
