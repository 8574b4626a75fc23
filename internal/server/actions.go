package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/function/protocol"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/run"
)

// maxActionName is the length of the longest name of an action.
const maxActionName = 255

// codeHTTP is the code of actions that left an API's error unhandled.
const codeHTTP = "script_http_error"

// codeInternal is the code of runs that failed through no fault of the function.
const codeInternal = "internal_server_error"

// Actions runs functions; *run.Service does.
type Actions interface {
	Trigger(ctx context.Context, t run.Trigger) (json.RawMessage, error)
	TriggerAsync(ctx context.Context, t run.Trigger, maxRetries int) (uuid string, err error)
	Result(ctx context.Context, env linkspan.EnvironmentID, uuid string) (json.RawMessage, error)
	Endpoint(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName, method, path string) (linkspan.Function, error)
}

func (s *Server) triggerAction(w http.ResponseWriter, r *http.Request) error {
	h, err := actionHeaders(r)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	fields, err := httpx.RawFields(r)
	if err != nil {
		return err
	}
	name, err := actionName(fields["action_name"])
	if err != nil {
		return err
	}
	return s.runAction(w, r, &h, name, fields["input"])
}

// actionHeaders reads the headers and notes what the request is about.
func actionHeaders(r *http.Request) (api.ActionHeaders, error) {
	h, err := httpx.DecodeHeader[api.ActionHeaders](r)
	if err == nil {
		event := httpx.EventFrom(r.Context())
		event.Integration, event.Connection = h.ProviderConfigKey, h.ConnectionID
	}
	return h, err
}

func actionName(value json.RawMessage) (string, error) {
	var name string
	const field = "action_name"
	if kind := httpx.RawType(value); kind != "string" || json.Unmarshal(value, &name) != nil {
		return "", httpx.Invalid("invalid_body", "invalid_type", "Invalid input: expected string, received "+kind, field)
	}
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "", httpx.Invalid("invalid_body", "too_small", "Too small: expected string to have >=1 characters", field)
	case n > maxActionName:
		return "", httpx.Invalid("invalid_body", "too_big", "Too big: expected string to have <="+strconv.Itoa(maxActionName)+" characters", field)
	}
	return name, nil
}

func (s *Server) runAction(w http.ResponseWriter, r *http.Request, h *api.ActionHeaders, name string, input json.RawMessage) error {
	t := run.Trigger{
		Environment: environmentOf(r), IntegrationKey: h.ProviderConfigKey, ConnectionName: h.ConnectionID, Action: name, Input: input,
	}
	if deref(h.Async) {
		id, err := s.cfg.Actions.TriggerAsync(r.Context(), t, deref(h.MaxRetries))
		if err != nil {
			return failAction(w, r, err)
		}
		status := "/action/" + id
		w.Header().Set("Location", status)
		return httpx.WriteJSON(w, http.StatusAccepted, api.AsyncAction{ID: id, StatusURL: status})
	}
	output, err := s.cfg.Actions.Trigger(r.Context(), t)
	if err != nil {
		return failAction(w, r, err)
	}
	writeOutput(w, output)
	return nil
}

func (s *Server) actionResult(w http.ResponseWriter, r *http.Request) error {
	path, err := httpx.DecodePath[api.ActionPath](r)
	if err != nil {
		return err
	}
	output, err := s.cfg.Actions.Result(r.Context(), environmentOf(r).ID, path.ID)
	if err != nil {
		return failAction(w, r, err)
	}
	writeOutput(w, output)
	return nil
}

// callEndpoint runs the action that declares the request's method and path, or
// answers with the records of the sync that does. The query is not the action's,
// and is ignored there.
func (s *Server) callEndpoint(w http.ResponseWriter, r *http.Request) error {
	h, err := actionHeaders(r)
	if err != nil {
		return err
	}
	path := "/" + r.PathValue("path")
	fn, err := s.cfg.Actions.Endpoint(r.Context(), environmentOf(r).ID, h.ProviderConfigKey, h.ConnectionID, r.Method, path)
	switch {
	case linkspan.CodeOf(err) == "not_found":
		return httpx.WriteJSON(w, http.StatusNotFound, api.Message{Message: "There is no function of integration " + h.ProviderConfigKey + " for " + r.Method + " " + path + "."})
	case err != nil:
		return failAction(w, r, err)
	case fn.Kind == linkspan.FunctionSync:
		return s.endpointRecords(w, r, &fn, path)
	case fn.Kind != linkspan.FunctionAction:
		return httpx.WriteJSON(w, http.StatusNotFound, api.Message{Message: "The function " + fn.Name + " is neither an action nor a sync."})
	case !caller(r).Grants(linkspan.ScopeActionsExecute):
		return linkspan.E("server.callEndpoint", linkspan.KindForbidden, "forbidden", nil, "Running actions requires the %s scope", linkspan.ScopeActionsExecute)
	}
	input, err := httpx.RawBody(r)
	if err != nil {
		return err
	}
	return s.runAction(w, r, &h, fn.Name, input)
}

// endpointRecords answers with the records of the model that belongs to an endpoint
// of a sync: it has one for each model, in their order.
func (s *Server) endpointRecords(w http.ResponseWriter, r *http.Request, fn *linkspan.Function, path string) error {
	if !caller(r).Grants(linkspan.ScopeRecordsRead) {
		return linkspan.E("server.endpointRecords", linkspan.KindForbidden, "forbidden", nil, "Reading records requires the %s scope", linkspan.ScopeRecordsRead)
	}
	d := &fn.Version.Definition
	at := slices.IndexFunc(d.Endpoints, func(e linkspan.FunctionEndpoint) bool { return e.Method == r.Method && e.Path == path })
	if s.cfg.Records == nil || at < 0 || at >= len(d.Models) {
		return httpx.WriteJSON(w, http.StatusNotFound, api.Message{Message: "No model of the sync " + fn.Name + " belongs to " + r.Method + " " + path + "."})
	}
	q, err := httpx.DecodeQuery[api.EndpointRecordsQuery](r)
	if err != nil {
		return err
	}
	return s.sendRecords(w, r, &api.RecordsQuery{
		Model: d.Models[at], Variant: q.Variant, Cursor: q.Cursor, Limit: q.Limit, Filter: q.Filter, ModifiedAfter: q.ModifiedAfter, Delta: q.Delta, IDs: q.IDs,
	})
}

// writeOutput answers with JSON that is written already, such as what a function
// returned, byte for byte. Nothing is null, which every client can read.
func writeOutput(w http.ResponseWriter, output json.RawMessage) {
	if len(output) == 0 {
		output = json.RawMessage("null")
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(output)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(output)
}

// failAction answers with what a function failed with: the status of its code, and
// the shape of the older routes, which always have a payload (wire contract §1.4,
// §4.9). An API's answer that the function did not handle is the one error in a
// shape of its own.
func failAction(w http.ResponseWriter, r *http.Request, err error) error {
	failed, ok := errors.AsType[*linkspan.RunError](err)
	if !ok {
		return err
	}
	httpx.EventFrom(r.Context()).FunctionFailed = failed.Code != codeInternal
	var payload any = struct{}{}
	if len(failed.Payload) > 0 {
		payload = failed.Payload
	}
	status := protocol.Status(failed.Code)
	var upstream *api.UpstreamAnswer
	if u := failed.Upstream; u != nil {
		upstream = &api.UpstreamAnswer{Status: u.Status, Headers: orEmpty(u.Headers), Body: u.Body}
		httpx.EventFrom(r.Context()).UpstreamStatus = u.Status
	}
	if failed.Code == codeHTTP {
		return httpx.WriteJSON(w, status, api.Unhandled{Error: api.UnhandledBody{Payload: payload, Code: codeHTTP, Upstream: upstream}})
	}
	e := &linkspan.Error{Kind: linkspan.KindInvalid, Code: failed.Code, Op: "server.action", Msg: failed.Message, Status: status, Payload: payload, Err: err}
	if upstream != nil {
		e.Additional = api.RunDetails{UpstreamResponse: upstream}
	}
	if status >= http.StatusInternalServerError {
		e.Kind = linkspan.KindUpstream // it is the function that failed, not the caller
	}
	return e
}
