package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// payload is what the server is sent to deploy functions of a folder.
func payload(functions []bundle.Function, mode string) (api.Deploy, error) {
	d := api.Deploy{FlowConfigs: []api.DeployFunction{}, Functions: []api.DeployUnified{}, OnEventScriptsByProvider: []api.DeployOnEvent{}, DeployMode: mode, Source: string(linkspan.SourceRepo)}
	for _, f := range functions {
		schema, err := schemaOf(f)
		if err != nil {
			return d, err
		}
		d.SDKVersion = f.Definition.SDKVersion
		if f.Definition.Unified != nil {
			d.Functions = append(d.Functions, unifiedConfig(f, schema))
			continue
		}
		if f.Kind != linkspan.FunctionOnEvent {
			d.FlowConfigs = append(d.FlowConfigs, flowConfig(f, schema))
			continue
		}
		script := api.DeployScript{
			Name: f.Name, Event: string(f.Definition.Event), FileBody: api.DeployFile{JS: f.Code.Bundle, TS: f.Code.Source},
			Description: f.Definition.Description, Scopes: f.Definition.Scopes, Version: f.Version,
			Features: f.Definition.Features, ModelsJSONSchema: schema,
		}
		at := slices.IndexFunc(d.OnEventScriptsByProvider, func(o api.DeployOnEvent) bool { return o.ProviderConfigKey == f.Integration })
		if at < 0 {
			at = len(d.OnEventScriptsByProvider)
			d.OnEventScriptsByProvider = append(d.OnEventScriptsByProvider, api.DeployOnEvent{ProviderConfigKey: f.Integration})
		}
		d.OnEventScriptsByProvider[at].Scripts = append(d.OnEventScriptsByProvider[at].Scripts, script)
	}
	return d, nil
}

// flowConfig is a sync or an action as the server is sent it.
func flowConfig(f bundle.Function, schema *api.DeploySchema) api.DeployFunction {
	def := f.Definition
	out := api.DeployFunction{
		SyncName: f.Name, ProviderConfigKey: f.Integration, Type: string(f.Kind), Models: append([]string{}, def.Models...), Version: f.Version,
		TrackDeletes: def.TrackDeletes, Metadata: api.DeployMetadata{Description: def.Description, Scopes: def.Scopes},
		FileBody: api.DeployFile{JS: f.Code.Bundle, TS: f.Code.Source}, ModelsJSONSchema: schema, Features: def.Features,
	}
	for _, e := range def.Endpoints {
		out.Endpoints = append(out.Endpoints, api.DeployEndpoint{Method: e.Method, Path: e.Path, Group: e.Group})
	}
	input := def.Input
	if f.Kind == linkspan.FunctionSync {
		input = cmp.Or(def.Metadata, def.Input) // the contract gives a sync's metadata the place of an action's input
		out.AutoStart, out.SyncType = def.AutoStart, def.SyncType
		out.WebhookSubscriptions, out.Attributes = def.WebhookSubscriptions, def.Attributes
		out.Runs = &def.Frequency
	}
	if input != "" {
		out.Input = input
	}
	return out
}

// unifiedConfig is a function made by createFunction as the server is sent it.
func unifiedConfig(f bundle.Function, schema *api.DeploySchema) api.DeployUnified {
	def, u := f.Definition, f.Definition.Unified
	out := api.DeployUnified{
		Name: f.Name, IntegrationID: f.Integration, Description: def.Description, Version: f.Version,
		Trigger:  api.UnifiedTrigger{Kind: string(u.Trigger), Subscriptions: def.WebhookSubscriptions},
		Requires: api.UnifiedRequires{Connection: new(true), Outbound: &u.Outbound, Invoke: &u.Invoke},
		Capabilities: api.UnifiedCapabilities{
			UsesCheckpoints: u.Checkpoint != "", UsesMetadata: def.Metadata != "", UsesOutbound: u.Outbound, UsesInvoke: u.Invoke,
		},
		InputSchemaRef: api.RefTo(def.Input), OutputSchemaRef: api.RefTo(u.Output), ModelSchemaRefs: []string{},
		MetadataSchemaRef: api.RefTo(def.Metadata), CheckpointSchemaRef: api.RefTo(u.Checkpoint),
		JSONSchema: api.DeploySchema{Definitions: map[string]json.RawMessage{}}, FileBody: api.DeployFile{JS: f.Code.Bundle, TS: f.Code.Source},
	}
	if schema != nil {
		out.JSONSchema = *schema
	}
	if u.PerConnection == 1 {
		out.Limits.Concurrency.PerConnection = json.RawMessage("1")
	}
	for _, e := range u.Events {
		out.Trigger.Events = append(out.Trigger.Events, string(e))
	}
	if u.Trigger == linkspan.TriggerSchedule {
		out.Trigger.Frequency, out.Trigger.AutoStart = def.Frequency, &def.AutoStart
		for _, model := range def.Models {
			out.ModelSchemaRefs = append(out.ModelSchemaRefs, *api.RefTo(model))
		}
		out.Capabilities.UsesRecords = len(def.Models) > 0
	}
	return out
}

// schemaOf reads the definitions of a function's models.
func schemaOf(f bundle.Function) (*api.DeploySchema, error) {
	if f.Definition.Schema == nil {
		return nil, nil //nolint:nilnil // a function without models has no schema
	}
	schema := new(api.DeploySchema)
	if err := json.Unmarshal(f.Definition.Schema, schema); err != nil {
		return nil, fmt.Errorf("reading the schema of %s: %w", functionName(f.Integration, f.Name), err)
	}
	return schema, nil
}

// planOf tells what the server's answer means for the functions of the folder.
func planOf(functions []bundle.Function, c api.DeployConfirmation) deployPlan {
	change := make(map[functionID]planned, len(functions))
	note := func(id functionID, what string, connections int) {
		change[id] = planned{Integration: id.integration, Type: id.kind, Name: id.name, Change: what, Connections: connections}
	}
	for _, f := range functions {
		note(functionID{f.Integration, f.Kind, f.Name}, changeNone, 0)
	}
	for what, syncs := range map[string][]api.DeploySync{changeAdd: c.NewSyncs, changeUpdate: c.UpdatedSyncs, changeRemove: c.DeletedSyncs} {
		for _, s := range syncs {
			note(functionID{s.ProviderConfigKey, linkspan.FunctionSync, s.Name}, what, s.Connections)
		}
	}
	for what, actions := range map[string][]api.DeployAction{changeAdd: c.NewActions, changeUpdate: c.UpdatedActions, changeRemove: c.DeletedActions} {
		for _, a := range actions {
			note(functionID{a.ProviderConfigKey, linkspan.FunctionAction, a.Name}, what, 0)
		}
	}
	for what, scripts := range map[string][]api.DeployEventName{changeAdd: c.NewOnEventScripts, changeUpdate: c.UpdatedOnEventScripts, changeRemove: c.DeletedOnEventScripts} {
		for _, s := range scripts {
			note(functionID{s.ProviderConfigKey, linkspan.FunctionOnEvent, s.Name}, what, 0)
		}
	}
	defined := make(map[functionID]linkspan.FunctionDefinition, len(functions))
	for _, f := range functions {
		defined[functionID{f.Integration, f.Kind, f.Name}] = f.Definition
	}
	all := make([]planned, 0, len(change))
	for id, p := range change {
		p.detail = detail(p, defined[id])
		all = append(all, p)
	}
	var plan deployPlan
	plan.put(all, c.DeletedModels)
	return plan
}

// functionID tells functions of an environment apart.
type functionID struct {
	integration string
	kind        linkspan.FunctionKind
	name        string
}

func functionName(integration, name string) string { return integration + "/" + name }

// detail says what is worth knowing about a function of a plan.
func detail(p planned, def linkspan.FunctionDefinition) string {
	switch {
	case p.Type == linkspan.FunctionOnEvent && def.Unified != nil:
		return joinEvents(def.Unified.Events)
	case p.Type == linkspan.FunctionOnEvent:
		return string(def.Event)
	case p.Type != linkspan.FunctionSync:
		return ""
	case p.Connections == 0:
		return def.Frequency
	case def.Frequency == "":
		return counted(p.Connections, "connection")
	default:
		return def.Frequency + ", " + counted(p.Connections, "connection")
	}
}

func joinEvents(events []linkspan.FunctionEvent) string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = string(e)
	}
	return strings.Join(names, ", ")
}
