package api

import (
	"encoding/json"
	"time"
)

// Operation is one high-level thing that happened in an environment.
type Operation struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Action string `json:"action"`
	// Status is waiting, running, success, failed, timeout or cancelled.
	Status      string             `json:"status"`
	Message     string             `json:"message"`
	Integration *string            `json:"integration"`
	Provider    *string            `json:"provider"`
	Connection  *string            `json:"connection"`
	Error       *OperationError    `json:"error"`
	Request     *OperationRequest  `json:"request"`
	Response    *OperationResponse `json:"response"`
	Meta        json.RawMessage    `json:"meta"`
	CreatedAt   Time               `json:"created_at"`
	StartedAt   *Time              `json:"started_at"`
	EndedAt     *Time              `json:"ended_at"`
	ExpiresAt   *Time              `json:"expires_at"`
	// DurationMS is null while the operation goes on.
	DurationMS *int64 `json:"duration_ms"`
}

// OperationError is why an operation failed.
type OperationError struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// OperationRequest is an outbound request without its secrets.
type OperationRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
}

// OperationResponse is an upstream's answer without its body.
type OperationResponse struct {
	Code    int               `json:"code"`
	Headers map[string]string `json:"headers,omitempty"`
}

// OperationMessage is one line under an operation.
type OperationMessage struct {
	ID int64 `json:"id"`
	// Type is log or http.
	Type string `json:"type"`
	// Source is internal or user.
	Source string `json:"source"`
	// Level is debug, info, warn or error.
	Level     string             `json:"level"`
	Message   string             `json:"message"`
	Request   *OperationRequest  `json:"request"`
	Response  *OperationResponse `json:"response"`
	Error     *OperationError    `json:"error"`
	Retry     *OperationRetry    `json:"retry"`
	Meta      json.RawMessage    `json:"meta"`
	CreatedAt Time               `json:"created_at"`
	EndedAt   *Time              `json:"ended_at"`
}

// OperationRetry says which attempt a message is about.
type OperationRetry struct {
	Attempt int `json:"attempt"`
	Max     int `json:"max"`
	// Waited is how long was waited before the attempt, in milliseconds.
	Waited int64 `json:"waited"`
}

// Operations is a page of operations, newest first.
type Operations struct {
	Data []Operation `json:"data"`
	// NextCursor goes into the query's before; null on the last page.
	NextCursor *string `json:"next_cursor"`
}

// OperationsQuery selects operations. Lists are written with commas between.
type OperationsQuery struct {
	Type        []string   `query:"type" check:"csv,max=20,each.pattern=name,each.max=32"`
	Status      []string   `query:"status" check:"csv,max=20,each.enum=waiting|running|success|failed|timeout|cancelled"`
	Integration *string    `query:"integration" check:"min=1,max=255"`
	Connection  *string    `query:"connection" check:"min=1,max=255"`
	From        *time.Time `query:"from" doc:"Keeps operations created at this moment or later."`
	To          *time.Time `query:"to" doc:"Keeps operations created before this moment."`
	Limit       *int       `query:"limit" check:"min=1,max=100"`
	Before      *string    `query:"before" check:"pattern=operation" doc:"The cursor of the page before."`
}

// OperationDetail is an operation with a page of its messages, oldest first.
type OperationDetail struct {
	Operation
	Messages []OperationMessage `json:"messages"`
}

// OperationReply is the reply that shows one operation.
type OperationReply struct {
	Data OperationDetail `json:"data"`
	// NextCursor goes into the query's after; null on the last page.
	NextCursor *int64 `json:"next_cursor"`
}

// OperationQuery pages through the messages of an operation.
type OperationQuery struct {
	Limit *int   `query:"limit" check:"min=1,max=1000"`
	After *int64 `query:"after" check:"min=0"`
}

// OperationPath names an operation.
type OperationPath struct {
	OperationID string `path:"operation_id" check:"required,pattern=operation"`
}
