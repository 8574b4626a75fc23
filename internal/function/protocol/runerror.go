package protocol

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/function/sourcemap"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// The codes of failed runs (wire contract §4.9, §11.3).
const (
	codeAction   = "action_script_runtime_error"
	codeHTTP     = "script_http_error"
	codeNetwork  = "script_network_error"
	codeInternal = "script_internal_error"
	codeAborted  = "script_aborted"
	codeTimeout  = "execution_timeout"
	codeMemory   = "function_runtime_out_of_memory"
	codeTimedOut = "function_runtime_timed_out"
	codeOther    = "function_runtime_other"
	codeOutput   = "script_output_too_large"
)

const (
	// maxStack is how many lines of a stack are shown.
	maxStack = 10
	// maxMessage bounds the message of a failure, maxPayload what it carries, in
	// bytes.
	maxMessage = 10_000
	maxPayload = 1 << 20
	// maxAnswerHeaders is how many headers of an upstream's answer are passed on.
	maxAnswerHeaders = 200
)

// thrown is what the prelude says of what a function threw.
type thrown struct {
	// Kind is "action", "http", "network", "sdk" or "other".
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	Message string          `json:"message"`
	Stack   string          `json:"stack"`
	Code    string          `json:"code"`
	Payload json.RawMessage `json:"payload"`
	// Response is of kind "http".
	Response *struct {
		Status  int             `json:"status"`
		Headers json.RawMessage `json:"headers"`
		Body    json.RawMessage `json:"body"`
	} `json:"response"`
	// Upstream is of kind "sdk": the answer that another action did not handle.
	Upstream *linkspan.UpstreamAnswer `json:"upstream"`
}

// internalPayload tells of an error that has no code of its own.
type internalPayload struct {
	Name       string   `json:"name"`
	Message    string   `json:"message"`
	Code       string   `json:"code,omitempty"`
	Stacktrace []string `json:"stacktrace,omitempty"`
}

// RunError says why a run failed in the words of the public API (wire contract
// §11.3); err is not nil. Positions in stacks are those of the author's files, found
// with the source map in the bundle: reading that takes many times its memory.
func RunError(bundle string, err error) *linkspan.RunError {
	if e, ok := errors.AsType[*linkspan.RunError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*sandbox.Failure](err); ok {
		return failedRun(bundle, e.JSON)
	}
	if e, ok := errors.AsType[*sandbox.LimitError](err); ok {
		return limitedRun(e.Limit)
	}
	if e, ok := errors.AsType[*sandbox.SyntaxError](err); ok {
		return internal(internalPayload{Name: "SyntaxError", Message: call.Clip(e.Error(), maxMessage)})
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &linkspan.RunError{Code: codeAborted, Message: "The run was cancelled."}
	case errors.Is(err, context.DeadlineExceeded):
		return &linkspan.RunError{Code: codeTimeout, Message: "The function took longer than it may."}
	}
	return &linkspan.RunError{Code: codeOther, Message: "The function could not be run to its end for an internal reason; the server's log has the details."}
}

// limitedRun is about a run that was stopped.
func limitedRun(limit string) *linkspan.RunError {
	switch limit {
	case sandbox.LimitMemory:
		return &linkspan.RunError{Code: codeMemory, Message: "The function needed more memory than it may have."}
	case sandbox.LimitCPU, sandbox.LimitStuck:
		return &linkspan.RunError{Code: codeTimedOut, Message: "The function computed for too long without waiting for anything."}
	case sandbox.LimitWall:
		return &linkspan.RunError{Code: codeTimeout, Message: "The function took longer than it may."}
	case sandbox.LimitOutput:
		return &linkspan.RunError{Code: codeOutput, Message: "The output of the function is larger than it may be."}
	case sandbox.LimitStalled:
		return &linkspan.RunError{Code: codeOther, Message: "The function waits for a promise that nothing will ever settle."}
	}
	return &linkspan.RunError{Code: codeOther, Message: "The function was stopped."}
}

// isCode reports whether a function's error may carry the code out.
func isCode(text string) bool {
	return len(text) > 0 && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// failedRun is about what a function threw.
func failedRun(bundle string, text []byte) *linkspan.RunError {
	var t thrown
	if call.Decode(text, &t) != nil {
		return internal(internalPayload{Name: "Error", Message: "The function threw something that can't be shown."})
	}
	t.Message = call.Clip(t.Message, maxMessage)
	switch t.Kind {
	case "action":
		return &linkspan.RunError{Code: codeAction, Message: "The action script failed with a runtime error", Payload: object(t.Payload)}
	case "http":
		if t.Response != nil {
			return httpRun(&t)
		}
	case "network":
		e := internal(t.internal(bundle))
		e.Code = codeNetwork
		return e
	case "sdk":
		if isCode(t.Code) {
			e := &linkspan.RunError{Code: t.Code, Message: t.Message, Payload: t.Payload, Upstream: t.Upstream}
			if len(e.Payload) > maxPayload {
				e.Payload = nil
			}
			if e.Upstream != nil && len(e.Upstream.Body) == 0 {
				e.Upstream.Body = json.RawMessage("null")
			}
			return e
		}
	}
	return internal(t.internal(bundle))
}

// httpRun is about an answer of an upstream that the function did not handle.
func httpRun(t *thrown) *linkspan.RunError {
	body := t.Response.Body
	if len(body) == 0 || len(body) > maxPayload {
		body = json.RawMessage("null")
	}
	payload := body
	var inner struct {
		Payload json.RawMessage `json:"payload"`
	}
	if json.Unmarshal(body, &inner) == nil && len(inner.Payload) > 0 && string(inner.Payload) != "null" {
		payload = inner.Payload
	}
	return &linkspan.RunError{
		Code: codeHTTP, Message: t.Message, Payload: object(payload),
		Upstream: &linkspan.UpstreamAnswer{Status: t.Response.Status, Headers: passedOn(t.Response.Headers), Body: body},
	}
}

// passedOn picks the headers of an upstream's answer that callers get.
func passedOn(text json.RawMessage) map[string]string {
	out := make(map[string]string)
	var all map[string]any
	if json.Unmarshal(text, &all) != nil {
		return out
	}
	for name, value := range all {
		name = strings.ToLower(name)
		if name != "content-type" && !strings.HasPrefix(name, "x-rate") {
			continue
		}
		if v, ok := value.(string); ok && len(out) < maxAnswerHeaders {
			out[name] = call.Clip(v, maxMessage)
		}
	}
	return out
}

// object makes a payload an object: anything else becomes its message.
func object(payload json.RawMessage) json.RawMessage {
	trimmed := strings.TrimSpace(string(payload))
	switch {
	case len(trimmed) > maxPayload:
		return json.RawMessage(`{"message":"The payload is too large to be shown."}`)
	case trimmed == "" || trimmed == "null":
		return json.RawMessage(`{}`)
	case trimmed[0] == '{':
		return json.RawMessage(trimmed)
	}
	return json.RawMessage(`{"message":` + trimmed + `}`)
}

func (t *thrown) internal(bundle string) internalPayload {
	return internalPayload{Name: cmp.Or(call.Clip(t.Name, 200), "Error"), Message: t.Message, Code: call.Clip(t.Code, 200), Stacktrace: Stack(bundle, t.Stack)}
}

func internal(p internalPayload) *linkspan.RunError {
	text, err := call.Encode(p)
	if err != nil {
		text = []byte("{}")
	}
	message := p.Message
	if p.Name != "Error" {
		message = p.Name + ": " + message
	}
	return &linkspan.RunError{Code: codeInternal, Message: message, Payload: text}
}

// Stack returns the first frames of a stack trace in the author's files.
func Stack(bundle, trace string) []string {
	if trace == "" {
		return nil
	}
	m, err := sourcemap.New(bundle)
	if err != nil {
		m = nil // maps nothing; the positions in the bundle are better than none
	}
	var frames []string
	for line := range strings.Lines(m.Stack(call.Clip(trace, maxPayload))) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "at ") {
			continue
		}
		if frames = append(frames, call.Clip(line, maxMessage)); len(frames) == maxStack {
			break
		}
	}
	return frames
}
