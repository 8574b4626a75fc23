// Package trial runs functions where there is no server: in tests of recordings,
// in dry runs on a developer's machine, and in dry runs that a server is asked for.
// What a run would store, its records, its checkpoint and its locks, is kept in
// memory and handed out in the end. What is outside, the provider first of all, is
// a World's business.
//
// Failures are told in the words of the public API, as those of real runs are.
package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/protocol"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// Function is what is tried.
type Function struct {
	Integration string
	Kind        linkspan.FunctionKind
	Name        string
	// Definition may be empty: then every model may be saved, and nothing is
	// validated.
	Definition linkspan.FunctionDefinition
	// Bundle is the CommonJS text, with a source map if stacks are to name the
	// author's files.
	Bundle string
	// OnWebhook says that it takes webhooks of the provider.
	OnWebhook bool
}

// Of returns a built function as one to try.
func Of(f bundle.Function) Function {
	return Function{
		Integration: f.Integration, Kind: f.Kind, Name: f.Name, Definition: f.Definition, Bundle: f.Code.Bundle, OnWebhook: f.OnWebhook,
	}
}

// program is what the sandbox runs.
func (f *Function) program() sandbox.Program {
	built := bundle.Function{Integration: f.Integration, Kind: f.Kind, Name: f.Name, Definition: f.Definition}
	built.Code.Bundle = f.Bundle
	return built.Program()
}

// Executor runs programs. *sandbox.Engine is one.
type Executor interface {
	Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error)
}

// ErrUnserved is what a World answers a call with that it does not serve. Of calls
// about records that means: those of the trial itself are all there are.
var ErrUnserved = errors.New("the call is not served here")

// Message is something that was said during a trial.
type Message struct {
	At time.Time
	// Level is "debug", "info", "warn" or "error".
	Level string
	// Source is "user" for what the function says, "internal" for what is said of it.
	Source string
	Text   string
	// Payload is JSON; nil for none.
	Payload json.RawMessage
}

// Options say what to try, and with what.
type Options struct {
	Function Function
	// Provider, Connection and Environment are plain members of the nango object.
	// Empty: the integration's name, "test" and "dev".
	Provider, Connection, Environment string
	// ConnectionID is the connection's number. Zero: there is none.
	ConnectionID linkspan.ConnectionID
	// Input is JSON for actions. Nil: none.
	Input json.RawMessage
	// Event is of on-event functions.
	Event linkspan.FunctionEvent
	// Webhook is a payload for onWebhook, or the body of a request to a function whose
	// trigger is http. Nil: exec runs, without a request.
	Webhook json.RawMessage
	// Request is a whole request to a function whose trigger is http, as JSON of method,
	// path, headers, query and body, and Subscriptions are those that it is for.
	Request       json.RawMessage
	Subscriptions []string
	// Variant is that of a sync. Empty: the base variant.
	Variant string
	// LastSync is when the last run that succeeded began. Zero: none did.
	LastSync time.Time
	// Checkpoint is where the run goes on. Nil: it begins.
	Checkpoint json.RawMessage
	// Metadata is that of the connection, in place of what the World says, and what
	// the function writes of it stays in the trial. Nil: the World's.
	Metadata json.RawMessage
	// Validate checks the input before the run, records before they are saved and
	// the output after it (features TEST-01).
	Validate bool
	// Lenient is for replays: answers of providers that are no success are returned
	// and not thrown, nothing is logged, input is not validated by zodValidateInput,
	// and the date of the last sync is null where there was none.
	Lenient bool
	// Returns are what members of the nango object return, by name, in place of what
	// they do. For replays.
	Returns map[string]json.RawMessage
	// World serves what is outside: the calls "http", "fetch", "connection",
	// "integration", "pagination", "variables", "metadata", "action", "sync_trigger"
	// and "sync_start"; and, if it does not answer them with ErrUnserved,
	// "records_by_ids" and "records_list", with what was there before the trial. Its
	// Note gets what Log gets.
	World sandbox.Host
	// Log is told of what the function says, in order. Nil: nobody is.
	Log func(Message)
	// Limits bound the run.
	Limits sandbox.Limits
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Changes are what a function did to the records of a model, in the order of its
// calls.
type Changes struct {
	// Saved, Updated and Deleted hold each record as the function passed it.
	Saved   []json.RawMessage `json:"saved,omitempty"`
	Updated []json.RawMessage `json:"updated,omitempty"`
	Deleted []json.RawMessage `json:"deleted,omitempty"`
	// Unseen are the ids of records that were deleted because the function did not
	// save them again.
	Unseen []string `json:"unseen,omitempty"`
}

// Failure says why a function failed.
type Failure struct {
	// Code is that of the public API, such as "script_http_error".
	Code string
	// Name and Message are those of what was thrown.
	Name, Message string
	// Payload is JSON; nil for none.
	Payload json.RawMessage
	// Upstream is the provider's answer that the function did not handle.
	Upstream *linkspan.UpstreamAnswer
	// Stack are the frames, at positions in the author's files.
	Stack []string
	// Limit is the one that the run exceeded, such as sandbox.LimitMemory, or empty.
	Limit string
	// Run is the failure as the public API tells it.
	Run *linkspan.RunError
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Name == "" || f.Name == "Error" {
		return f.Message
	}
	return f.Name + ": " + f.Message
}

// Result is what came of a trial.
type Result struct {
	// Output is JSON of actions and on-event functions; nil for none.
	Output json.RawMessage
	// Failure is nil if the function came to its end.
	Failure *Failure
	// Models are the changes of records by model.
	Models map[string]*Changes
	// Checkpoint is the one that there is in the end; nil for none.
	Checkpoint json.RawMessage
	// Metadata is what the function made of Options.Metadata; nil if it did not.
	Metadata json.RawMessage
	// Usage is what the run took, and Requests how many HTTP requests it made.
	Usage    sandbox.Usage
	Requests int
}

// Run tries a function. The error says that the trial itself failed; what the
// function did wrong is in the result's Failure.
func Run(ctx context.Context, e Executor, o Options) (*Result, error) {
	h, err := newHost(&o)
	if err != nil {
		return nil, err
	}
	if failure, err := h.checkInput(); failure != nil || err != nil {
		return h.result(failure, nil), err
	}
	start, err := json.Marshal(h.start())
	if err != nil {
		return nil, fmt.Errorf("encoding the start of a function: %w", err)
	}
	res, err := e.Run(ctx, sandbox.Request{
		Program: o.Function.program(),
		Start:   start, Limits: o.Limits, Host: h,
	})
	if err != nil {
		return h.failed(ctx, err)
	}
	out := h.result(nil, &res.Usage)
	if o.Function.Kind != linkspan.FunctionSync {
		out.Output = res.JSON
	}
	if out.Failure == nil {
		if out.Failure, err = h.checkOutput(out.Output); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// result is what there is when the run has ended.
func (h *host) result(f *Failure, u *sandbox.Usage) *Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused != nil {
		f = h.refused
	}
	r := &Result{Failure: f, Models: h.changes, Checkpoint: h.checkpoint, Requests: h.requests}
	if h.wroteMetadata {
		r.Metadata = h.metadataText()
	}
	if u != nil {
		r.Usage = *u
	}
	return r
}

// failed is the result of a run that the executor reports an error of.
func (h *host) failed(ctx context.Context, err error) (*Result, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f := &Failure{}
	var usage sandbox.Usage
	if e, ok := errors.AsType[*sandbox.Failure](err); ok {
		usage = e.Usage
		var thrown struct{ Name, Message, Stack string }
		if json.Unmarshal(e.JSON, &thrown) == nil {
			f.Name, f.Message, f.Stack = thrown.Name, thrown.Message, protocol.Stack(h.o.Function.Bundle, thrown.Stack)
		}
	} else if e, ok := errors.AsType[*sandbox.LimitError](err); ok {
		usage, f.Limit = e.Usage, e.Limit
	} else if e, ok := errors.AsType[*sandbox.SyntaxError](err); ok {
		f.Name, f.Message = "SyntaxError", e.Message
	} else {
		return nil, fmt.Errorf("running the function %s: %w", h.o.Function.Name, err)
	}
	f.Run = protocol.RunError(h.o.Function.Bundle, err)
	f.Code, f.Payload, f.Upstream = f.Run.Code, f.Run.Payload, f.Run.Upstream
	if f.Message == "" {
		f.Message = f.Run.Message
	}
	return h.result(f, &usage), nil
}
