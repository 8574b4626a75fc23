package api

import "encoding/json"

// ActionHeaders say for which connection an action runs, and how.
type ActionHeaders struct {
	ConnectionID      string `header:"Connection-Id" check:"required,min=1,max=255,pattern=cid"`
	ProviderConfigKey string `header:"Provider-Config-Key" check:"required,min=1,max=255,pattern=pck"`
	Async             *bool  `header:"X-Async" doc:"Answers at once with an id, by which the result can be asked for."`
	MaxRetries        *int   `header:"X-Max-Retries" check:"min=0,max=5" doc:"How often an asynchronous action is tried again after it failed."`
}

// TriggerAction says which action to run. Other fields are ignored.
type TriggerAction struct {
	ActionName string `json:"action_name" check:"required,min=1,max=255"`
	// Input is what the action is given.
	Input json.RawMessage `json:"input,omitempty"`
}

// AsyncAction is an action that runs in the background.
type AsyncAction struct {
	ID string `json:"id"`
	// StatusURL is where the result will be, relative to the server.
	StatusURL string `json:"statusUrl"`
}

// ActionPath names an asynchronous action.
type ActionPath struct {
	ID string `path:"id" check:"required,format=uuid"`
}

// UpstreamAnswer is the answer of an API that a function did not handle.
type UpstreamAnswer struct {
	Status int `json:"status"`
	// Headers are the content type and those about rate limits.
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// Unhandled is the error of an action that left an API's answer unhandled.
type Unhandled struct {
	Error UnhandledBody `json:"error"`
}

// UnhandledBody tells of an API's answer that an action did not handle.
type UnhandledBody struct {
	// Payload is the answer's body, or what is in its payload.
	Payload any `json:"payload"`
	// Code is script_http_error.
	Code     string          `json:"code"`
	Upstream *UpstreamAnswer `json:"upstream,omitempty"`
}

// RunDetails are the additional_properties of other errors of functions.
type RunDetails struct {
	UpstreamResponse *UpstreamAnswer `json:"upstream_response"`
}

// Message is what older routes say instead of an error.
type Message struct {
	Message string `json:"message"`
}
