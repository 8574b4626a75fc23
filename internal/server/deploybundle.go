package server

import (
	"errors"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) previewBundle(w http.ResponseWriter, r *http.Request) error {
	d, err := bundleDeployment(r)
	if err != nil {
		return err
	}
	plan, err := s.cfg.Functions.Plan(r.Context(), environmentOf(r).ID, d)
	if err != nil {
		return bundleError(err)
	}
	return writeBundlePlan(w, &plan)
}

func (s *Server) deployBundle(w http.ResponseWriter, r *http.Request) error {
	d, err := bundleDeployment(r)
	if err != nil {
		return err
	}
	done, err := s.cfg.Functions.Deploy(r.Context(), environmentOf(r).ID, d)
	if err != nil {
		return bundleError(err)
	}
	return writeBundlePlan(w, &done.Plan)
}

// bundleDeployment reads a bundle of functions made by createFunction. Those that
// were made otherwise stay, for they are deployed apart; clients send a bundle
// without functions for a folder that is empty, and then nothing stays.
func bundleDeployment(r *http.Request) (*function.Deployment, error) {
	if err := httpx.NoQuery(r); err != nil {
		return nil, err
	}
	body, err := httpx.DecodeBody[api.DeployBundle](r)
	if err != nil {
		return nil, err
	}
	d := &function.Deployment{Mode: function.ModeAll, Reconcile: true, Source: linkspan.SourceRepo, KeepOthers: len(body.Functions) > 0}
	if body.ReconciliationScope.IntegrationID != nil {
		d.Mode, d.Integrations = function.ModeIntegration, []string{*body.ReconciliationScope.IntegrationID}
	}
	return d, addUnified(d, body.Functions)
}

// addUnified adds functions made by createFunction to a deployment.
func addUnified(d *function.Deployment, list []api.DeployUnified) error {
	for i := range list {
		f, err := deployableUnified(&list[i])
		if err != nil {
			return err
		}
		f.Path = []any{"functions", i}
		d.Functions = append(d.Functions, f)
	}
	return nil
}

// deployableUnified translates the wire's form of a function made by createFunction.
func deployableUnified(in *api.DeployUnified) (function.Deployable, error) {
	t := &in.Trigger
	u := &linkspan.UnifiedFunction{
		Trigger: linkspan.FunctionTrigger(t.Kind), Output: api.RefName(in.OutputSchemaRef), Checkpoint: api.RefName(in.CheckpointSchemaRef),
		Outbound: in.Requires.MakesRequests(), Invoke: in.Requires.Invokes(),
	}
	if string(in.Limits.Concurrency.PerConnection) == "1" {
		u.PerConnection = 1
	}
	f := function.Deployable{
		IntegrationKey: in.IntegrationID, Kind: u.Trigger.Kind(), Name: in.Name, Version: in.Version,
		Code: linkspan.FunctionCode{Bundle: in.FileBody.JS, Source: in.FileBody.TS},
		Definition: linkspan.FunctionDefinition{
			Description: in.Description, Unified: u, Input: api.RefName(in.InputSchemaRef), Metadata: api.RefName(in.MetadataSchemaRef),
		},
	}
	def := &f.Definition
	if u.Checkpoint != "" {
		def.Features = []string{"checkpoints"}
	}
	switch u.Trigger {
	case linkspan.TriggerNone, linkspan.TriggerHTTP:
		def.WebhookSubscriptions = t.Subscriptions
		if u.Output != "" {
			def.Models = []string{u.Output}
		}
	case linkspan.TriggerSchedule:
		def.SyncType, def.Frequency, def.AutoStart = "full", t.Frequency, t.AutoStart == nil || *t.AutoStart
		def.Models = in.ModelNames()
	case linkspan.TriggerEvent:
		for _, e := range t.Events {
			u.Events = append(u.Events, linkspan.FunctionEvent(e))
		}
		def.Event = u.Events[0]
	}
	var err error
	def.Schema, err = schemaText(&in.JSONSchema)
	return f, err
}

// bundleError gives an unknown integration the code that these routes have for
// it.
func bundleError(err error) error {
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Code != "unknown_provider_config" {
		return err
	}
	return linkspan.E("server.deployBundle", linkspan.KindInvalid, "integration_not_found", err, "%s", e.Msg)
}

func writeBundlePlan(w http.ResponseWriter, p *function.Plan) error {
	names := func(list []function.Planned) []api.BundleFunction {
		return each(list, func(p *function.Planned) api.BundleFunction {
			return api.BundleFunction{IntegrationID: p.IntegrationKey, Name: p.Name}
		})
	}
	return httpx.WriteJSON(w, http.StatusOK, api.DeployBundleReply{
		Created: names(p.Created), Updated: names(p.Updated), Unchanged: names(p.Unchanged), Deleted: names(p.Deleted),
	})
}
