package server

import (
	"encoding/json"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) actionRoutes() []httpx.Route {
	if s.cfg.Actions == nil {
		return nil
	}
	return []httpx.Route{
		{
			Method: http.MethodPost, Pattern: "/action/trigger", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeActionsExecute},
			Summary: "Run an action",
			Description: "Answers with what the action returns, as it is. With X-Async it answers 202 and an id at once. " +
				"When an API answered the action with an error that it did not handle, the code is script_http_error and the answer is under upstream.",
			Header: api.ActionHeaders{}, Body: api.TriggerAction{}, Reply: json.RawMessage{},
			Also: map[int]any{http.StatusAccepted: api.AsyncAction{}, http.StatusFailedDependency: api.Unhandled{}}, Handler: s.triggerAction,
		},
		{
			Method: http.MethodGet, Pattern: "/action/{id}", Auth: httpx.AuthEnvironment, Tag: tagFunctions,
			Scopes:  []string{linkspan.ScopeActionsExecute},
			Summary: "Get the result of an asynchronous action",
			Description: "Answers 404 until the action has ended, and when it returned nothing. A failed action is answered as if it had been waited for. " +
				"Results are kept for 15 days.",
			Path: api.ActionPath{}, Reply: json.RawMessage{}, Also: map[int]any{http.StatusFailedDependency: api.Unhandled{}}, Handler: s.actionResult,
		},
		{
			Pattern: "/v1/{path...}", Auth: httpx.AuthEnvironment, Tag: tagFunctions, Deprecated: true,
			Scopes:      []string{linkspan.ScopeActionsExecute, linkspan.ScopeRecordsRead},
			Summary:     "Run the action, or list the records of the sync, that declares a method and path (older form)",
			Description: "The body is the action's input; the query of a sync's endpoint is that of GET /records without the model.",
			Header:      api.ActionHeaders{}, Reply: json.RawMessage{},
			Also: map[int]any{
				http.StatusAccepted: api.AsyncAction{}, http.StatusNotFound: api.Message{}, http.StatusFailedDependency: api.Unhandled{},
			},
			Handler: s.callEndpoint,
		},
	}
}
