package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/function/protocol"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/run"
)

// Author works for authors of functions; *author.Service does.
type Author interface {
	Compile(ctx context.Context, env linkspan.EnvironmentID, code string) (author.Compiled, error)
	StartDryRun(ctx context.Context, env linkspan.Environment, d author.DryRun) (linkspan.AuthorJob, error)
	StartDeployment(ctx context.Context, env linkspan.Environment, d author.Deployment) (linkspan.AuthorJob, error)
	DeployTemplate(ctx context.Context, env linkspan.Environment, d author.TemplateDeployment) (linkspan.AuthorJob, error)
	Job(ctx context.Context, env linkspan.EnvironmentID, kind linkspan.AuthorJobKind, uuid string) (linkspan.AuthorJob, error)
	Templates(provider string) []author.Template
}

func (s *Server) compileFunction(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.CompileFunction](r)
	if err != nil {
		return err
	}
	made, err := s.cfg.Author.Compile(r.Context(), environmentOf(r).ID, body.Code)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.CompiledFunction{BundleSizeBytes: len(made.Bundle), BundledJS: made.Bundle, CompiledAt: api.At(made.At)})
}

func (s *Server) startDryRun(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.StartDryRun](r)
	if err != nil {
		return err
	}
	event := httpx.EventFrom(r.Context())
	event.Integration, event.Connection = body.IntegrationID, body.ConnectionID
	d := author.DryRun{
		Kind: linkspan.FunctionKind(body.FunctionType), IntegrationKey: body.IntegrationID, ConnectionName: body.ConnectionID, Code: body.Code, Input: body.Input,
	}
	for _, member := range []struct {
		value map[string]any
		into  *json.RawMessage
	}{{body.Metadata, &d.Metadata}, {body.Checkpoint, &d.Checkpoint}} {
		if member.value == nil {
			continue
		}
		if *member.into, err = json.Marshal(member.value); err != nil {
			return fmt.Errorf("encoding a dry run: %w", err)
		}
	}
	if body.LastSyncDate != nil {
		d.LastSync = *body.LastSyncDate
	}
	j, err := s.cfg.Author.StartDryRun(r.Context(), environmentOf(r), d)
	if err != nil {
		return err
	}
	return writeJob(w, &j)
}

func writeJob(w http.ResponseWriter, j *linkspan.AuthorJob) error {
	return httpx.WriteJSON(w, http.StatusAccepted, api.AuthorJob{ID: j.UUID, Status: string(j.State), CreatedAt: api.At(j.CreatedAt)})
}

// pathJob returns the job that the path names.
func (s *Server) pathJob(r *http.Request, kind linkspan.AuthorJobKind) (linkspan.AuthorJob, error) {
	if err := httpx.NoQuery(r); err != nil {
		return linkspan.AuthorJob{}, err
	}
	path, err := httpx.DecodePath[api.AuthorJobPath](r)
	if err != nil {
		return linkspan.AuthorJob{}, err
	}
	return s.cfg.Author.Job(r.Context(), environmentOf(r).ID, kind, path.ID)
}

func (s *Server) getDryRun(w http.ResponseWriter, r *http.Request) error {
	j, err := s.pathJob(r, linkspan.AuthorDryRun)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.DryRun{
		ID: j.UUID, Status: string(j.State), IntegrationID: j.IntegrationKey, FunctionType: string(j.FunctionKind),
		CreatedAt: api.At(j.CreatedAt), UpdatedAt: api.At(j.UpdatedAt), StartedAt: api.MaybeAt(j.StartedAt), CompletedAt: api.MaybeAt(j.EndedAt),
		DurationMS: duration(&j), Output: j.Output.Reveal(), Result: json.RawMessage(j.Result.Reveal()), Error: authorError(j.Error),
	})
}

// duration is how long a job took, once it has ended.
func duration(j *linkspan.AuthorJob) *int64 {
	if j.EndedAt.IsZero() || j.StartedAt.IsZero() {
		return nil
	}
	return new(j.EndedAt.Sub(j.StartedAt).Milliseconds())
}

func authorError(e *linkspan.RunError) *api.AuthorError {
	if e == nil {
		return nil
	}
	return &api.AuthorError{Code: e.Code, Message: e.Message, Payload: e.Payload}
}

func (s *Server) startDeployment(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.StartDeployment](r)
	if err != nil {
		return err
	}
	var j linkspan.AuthorJob
	switch d := body.Variant().(type) {
	case api.FunctionDeployment:
		j, err = s.cfg.Author.StartDeployment(r.Context(), environmentOf(r), author.Deployment{
			IntegrationKey: d.IntegrationID, Name: d.FunctionName, Kind: linkspan.FunctionKind(d.FunctionType), Code: d.Code,
			Version: deref(d.Version), Overwrite: deref(d.AllowDestructive),
		})
	case api.TemplateDeployment:
		j, err = s.cfg.Author.DeployTemplate(r.Context(), environmentOf(r), author.TemplateDeployment{
			IntegrationKey: d.IntegrationID, Template: d.Template, Kind: linkspan.FunctionKind(deref(d.FunctionType)),
		})
	default:
		err = fmt.Errorf("a deployment was decoded as %T", d)
	}
	if err != nil {
		return err
	}
	return writeJob(w, &j)
}

func (s *Server) getDeployment(w http.ResponseWriter, r *http.Request) error {
	j, err := s.pathJob(r, linkspan.AuthorDeployment)
	if err != nil {
		return err
	}
	shown := api.Deployment{
		ID: j.UUID, Status: string(j.State), IntegrationID: j.IntegrationKey, FunctionName: j.FunctionName, FunctionType: string(j.FunctionKind),
		CreatedAt: api.At(j.CreatedAt), UpdatedAt: api.At(j.UpdatedAt), StartedAt: api.MaybeAt(j.StartedAt), CompletedAt: api.MaybeAt(j.EndedAt),
		DurationMS: duration(&j), Deployed: j.State == linkspan.RunSucceeded, Output: j.Output.Reveal(), Error: authorError(j.Error),
	}
	if !j.Result.IsZero() {
		var done author.Deployed
		if err := json.Unmarshal([]byte(j.Result.Reveal()), &done); err != nil {
			return fmt.Errorf("reading the result of a deployment: %w", err)
		}
		shown.DeployedFunctions = each(done.Functions, func(f *author.DeployedFunction) api.DeployedVersion { return api.DeployedVersion(*f) })
	}
	return httpx.WriteJSON(w, http.StatusOK, shown)
}

// invokeFunction runs a deployed function that is run on request.
func (s *Server) invokeFunction(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.InvokeFunction](r)
	if err != nil {
		return err
	}
	event := httpx.EventFrom(r.Context())
	event.Integration, event.Connection = body.IntegrationID, body.ConnectionID
	t := run.Trigger{
		Environment: environmentOf(r), IntegrationKey: body.IntegrationID, ConnectionName: body.ConnectionID, Action: body.Name, Input: body.Input,
	}
	if body.InvocationType == "no_wait" {
		id, err := s.cfg.Actions.TriggerAsync(r.Context(), t, 0)
		if err != nil {
			return invocationError(r, err)
		}
		status := "/functions/invocations/" + id
		w.Header().Set("Location", status)
		return httpx.WriteJSON(w, http.StatusAccepted, api.AsyncAction{ID: id, StatusURL: status})
	}
	output, err := s.cfg.Actions.Trigger(r.Context(), t)
	if err != nil {
		return invocationError(r, err)
	}
	writeOutput(w, output)
	return nil
}

func (s *Server) invocationResult(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	path, err := httpx.DecodePath[api.ActionPath](r)
	if err != nil {
		return err
	}
	output, err := s.cfg.Actions.Result(r.Context(), environmentOf(r).ID, path.ID)
	if linkspan.CodeOf(err) == "not_found" && err != nil {
		return linkspan.E("server.invocationResult", linkspan.KindNotFound, "not_found", err, "No invocation '%s' found", path.ID)
	}
	if err != nil {
		return invocationError(r, err)
	}
	writeOutput(w, output)
	return nil
}

// invocationError puts what actions fail with into the words of invocations (wire
// contract §4.14).
func invocationError(r *http.Request, err error) error {
	const op = "server.invoke"
	if failed, ok := errors.AsType[*linkspan.RunError](err); ok {
		httpx.EventFrom(r.Context()).FunctionFailed = failed.Code != codeInternal
		return failedInvocation(failed, err)
	}
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return err
	}
	renamed := func(kind linkspan.Kind, code string) error { return linkspan.E(op, kind, code, err, "%s", e.Msg) }
	switch e.Code {
	case "unknown_connection":
		// Actions call an integration that does not exist an unknown connection.
		if linkspan.CodeOf(e.Err) == "unknown_provider_config" {
			return renamed(linkspan.KindNotFound, "integration_not_found")
		}
		return renamed(linkspan.KindNotFound, "connection_not_found")
	case "unknown_provider_config", "unknown_provider":
		return renamed(linkspan.KindNotFound, "integration_not_found")
	case "not_found":
		return linkspan.E(op, linkspan.KindNotFound, "function_not_found", err, "There is no function of this name that can be invoked.")
	case "disabled_resource":
		return linkspan.E(op, linkspan.KindForbidden, "function_disabled", err, "The function is switched off.")
	case "":
		if e.Kind == linkspan.KindTooLarge {
			return renamed(linkspan.KindInvalid, "invalid_invocation")
		}
	}
	return err
}

// failedInvocation is the error of a function that was invoked and failed.
func failedInvocation(failed *linkspan.RunError, err error) error {
	const op = "server.invoke"
	if failed.Code == "invalid_action_input" {
		e := linkspan.E(op, linkspan.KindInvalid, "validation_error", err, "%s", failed.Message)
		if len(failed.Payload) > 0 {
			e.Payload = failed.Payload
		}
		return e
	}
	if failed.Code == codeInternal {
		return linkspan.E(op, linkspan.KindInternal, "server_error", err, "%s", failed.Message)
	}
	payload := api.AuthorError{Code: failed.Code, Message: failed.Message, Payload: failed.Payload}
	e := linkspan.E(op, linkspan.KindUpstream, "function_failed", err, "%s", failed.Message).WithStatus(protocol.Status(failed.Code)).WithPayload(payload)
	if u := failed.Upstream; u != nil {
		e.Additional = api.RunDetails{UpstreamResponse: &api.UpstreamAnswer{Status: u.Status, Headers: orEmpty(u.Headers), Body: u.Body}}
	}
	return e
}

// providerTemplates lists the functions of the library for a provider.
func (s *Server) providerTemplates(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	p, err := s.pathProvider(r)
	if err != nil {
		return err
	}
	var list []author.Template
	if s.cfg.Author != nil {
		list = s.cfg.Author.Templates(p.Name)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.List[api.Template]{Data: each(list, shownTemplate)})
}

// shownTemplate shapes a template as a deployed function is, without what only those
// have.
func shownTemplate(t *author.Template) api.Template {
	f := shownFunction(&linkspan.Function{Kind: t.Kind, Name: t.Name, Version: linkspan.FunctionVersion{Definition: t.Definition}})
	return api.Template{
		Type: f.Type, Name: f.Name, Description: f.Description, Scopes: f.Scopes, Input: f.Input, Returns: f.Returns, JSONSchema: f.JSONSchema,
		Runs: f.Runs, AutoStart: f.AutoStart, TrackDeletes: f.TrackDeletes, Event: f.Event,
	}
}
