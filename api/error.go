package api

import "github.com/linkspan/linkspan"

// ErrorReply is the body of every reply that is not a success, except those
// the proxy passes through from an upstream.
type ErrorReply struct {
	Error ErrorBody `json:"error"`
}

// ErrorBody says what went wrong.
type ErrorBody struct {
	// Code is stable; programs branch on it.
	Code string `json:"code"`
	// Message is for people and may change.
	Message string `json:"message,omitempty"`
	// Errors lists the problems of an invalid request.
	Errors []ErrorIssue `json:"errors,omitempty"`
	// Payload is extra data that some codes carry.
	Payload any `json:"payload,omitempty"`
	// AdditionalProperties is more that errors of functions carry.
	AdditionalProperties *RunDetails `json:"additional_properties,omitempty"`
}

// ErrorIssue is one problem of an invalid request. Path leads to the offending
// value; its elements are strings or integers.
type ErrorIssue = linkspan.Issue

// Success is the reply of calls that have nothing else to say.
type Success struct {
	Success bool `json:"success"`
}

// Health is the reply of the health routes.
type Health struct {
	// Result is "ok", or "not ready".
	Result string `json:"result"`
}

// Data wraps a reply in the envelope that newer routes use.
type Data[T any] struct {
	Data T `json:"data"`
}

// List wraps a list in the same envelope.
type List[T any] struct {
	Data []T `json:"data"`
}
