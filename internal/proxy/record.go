package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/linkspan/linkspan"
)

// begin starts the operation of the call, or joins the one the caller names.
func (c *call) begin() {
	if c.shared || c.s.c.Ops == nil {
		return
	}
	if c.params.operation != "" {
		c.op = c.s.c.Ops.Attach(c.params.operation, c.env.ID)
		return
	}
	c.op = c.s.c.Ops.Start(linkspan.Operation{
		AccountID:      c.env.AccountID,
		EnvironmentID:  c.env.ID,
		Type:           linkspan.OperationProxy,
		Action:         linkspan.ActionCall,
		Message:        "Proxy call",
		IntegrationKey: c.params.integration,
		ConnectionName: c.params.connection,
	})
}

// finish ends the operation of a call that was not answered by the upstream. The
// first end counts, so that an end from further down stays.
func (c *call) finish(err error) {
	switch {
	case c.op == nil || err == nil:
	case c.shared:
		c.note(linkspan.Message{Level: "error", Text: c.method + " proxy call failed", Error: publicFailure(err)})
	case errors.Is(err, context.Canceled):
		c.op.End(linkspan.StateCancelled, "The caller went away before the answer was complete.")
	default:
		c.op.FailWith(err)
	}
}

// observe tells of the call. It runs also when the answer is cut.
func (c *call) observe(ctx context.Context) {
	if c.s.c.Observe == nil {
		return
	}
	o := Outcome{
		Operation: c.op.ID(), Integration: c.params.integration, Connection: c.params.connection,
		Status: c.status, Failure: c.failure, Attempts: c.sent, Took: c.took, Inner: c.inner,
	}
	if c.target != nil {
		o.Provider = c.target.Provider.Name
	}
	c.s.c.Observe(ctx, o)
}

// note adds a message about the call to an operation that it shares.
func (c *call) note(m linkspan.Message) {
	m.Type, m.Request = "http", c.sentAs
	m.CreatedAt, m.EndedAt = c.begun, c.now().UTC()
	if c.redact != nil {
		if m.Request != nil {
			m.Request = &linkspan.HTTPRequestSummary{Method: m.Request.Method, URL: c.redact(m.Request.URL), Headers: c.redacted(m.Request.Headers)}
		}
		if m.Response != nil {
			m.Response = &linkspan.HTTPResponseSummary{Code: m.Response.Code, Headers: c.redacted(m.Response.Headers)}
		}
	}
	c.op.Message(m)
}

func (c *call) redacted(headers map[string]string) map[string]string {
	clean := make(map[string]string, len(headers))
	for name, value := range headers {
		clean[name] = c.redact(value)
	}
	return clean
}

// publicFailure is what a customer may read of an error.
func publicFailure(err error) *linkspan.OperationError {
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		return &linkspan.OperationError{Code: cmp.Or(e.Code, string(e.Kind)), Message: e.Msg}
	}
	if e, ok := errors.AsType[*NetworkError](err); ok {
		return &linkspan.OperationError{Code: e.Code, Message: e.Message}
	}
	if errors.Is(err, context.Canceled) {
		return &linkspan.OperationError{Code: "cancelled", Message: "The run ended before the answer was complete."}
	}
	return &linkspan.OperationError{Code: string(linkspan.KindOf(err)), Message: "An internal error occurred; the server's log has the details."}
}

func (c *call) failOp(code, message string) { c.op.Fail(code, message) }

// succeed ends the operation of an answered call. An upstream's error is an
// answer too, but not a success.
func (c *call) succeed(res *http.Response) {
	if c.op == nil {
		return
	}
	if c.quiet && res.StatusCode < http.StatusBadRequest {
		return
	}
	status := strconv.Itoa(res.StatusCode)
	if c.shared {
		c.note(linkspan.Message{
			Level: level(res.StatusCode), Text: c.method + " proxy call: " + status,
			Response: &linkspan.HTTPResponseSummary{Code: res.StatusCode, Headers: c.target.Redactor().Headers(res.Header)},
		})
		return
	}
	if c.params.operation != "" {
		c.op.Message(linkspan.Message{Type: "http", Level: level(res.StatusCode), Text: c.method + " proxy call: " + status})
	}
	if res.StatusCode >= http.StatusBadRequest {
		c.op.Fail("upstream_status", "The upstream answered with status "+status+".")
		return
	}
	c.op.Succeed("The upstream answered with status " + status + ".")
}

func level(status int) string {
	if status >= http.StatusBadRequest {
		return "error"
	}
	return "info"
}

// logRequest notes what is sent, without secrets.
func (c *call) logRequest(r *http.Request) {
	if c.op == nil {
		return
	}
	redactor := c.target.Redactor()
	sent := linkspan.HTTPRequestSummary{Method: r.Method, URL: redactor.URL(r.URL), Headers: redactor.Headers(r.Header)}
	if c.shared {
		c.sentAs = new(sent) // a copy, so that the other branch allocates nothing
		return
	}
	c.op.Request(sent)
}

func (c *call) logResponse(res *http.Response) {
	if c.op == nil || c.shared {
		return
	}
	c.op.Response(linkspan.HTTPResponseSummary{Code: res.StatusCode, Headers: c.target.Redactor().Headers(res.Header)})
}

// logRetry notes an attempt that was not the last.
func (c *call) logRetry(attempt int, res *http.Response, err error, pause time.Duration) {
	if c.op == nil {
		return
	}
	m := linkspan.Message{
		Type: "http", Level: "warn",
		Retry: &linkspan.RetryInfo{Attempt: attempt + 1, Max: c.params.retries, WaitedMS: pause.Milliseconds()},
	}
	if err != nil {
		code, text := describe(err)
		m.Error = &linkspan.OperationError{Code: code, Message: text}
		m.Text = fmt.Sprintf("%s The call is tried again in %v.", text, pause)
	} else {
		m.Response = &linkspan.HTTPResponseSummary{Code: res.StatusCode, Headers: c.target.Redactor().Headers(res.Header)}
		if c.redact != nil {
			m.Response.Headers = c.redacted(m.Response.Headers)
		}
		m.Text = fmt.Sprintf("The upstream answered with status %d. The call is tried again in %v.", res.StatusCode, pause)
	}
	c.op.Message(m)
}
