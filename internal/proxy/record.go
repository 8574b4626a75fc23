package proxy

import (
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
	if c.s.c.Ops == nil {
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
		Status: c.status, Failure: c.failure, Attempts: c.sent, Took: c.took,
	}
	if c.target != nil {
		o.Provider = c.target.Provider.Name
	}
	c.s.c.Observe(ctx, o)
}

func (c *call) failOp(code, message string) { c.op.Fail(code, message) }

// succeed ends the operation of an answered call. An upstream's error is an
// answer too, but not a success.
func (c *call) succeed(res *http.Response) {
	if c.op == nil {
		return
	}
	status := strconv.Itoa(res.StatusCode)
	if c.params.operation != "" {
		c.op.Message(linkspan.Message{Type: "http", Level: level(res.StatusCode), Text: c.r.Method + " proxy call: " + status})
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
	c.op.Request(linkspan.HTTPRequestSummary{Method: r.Method, URL: redactor.URL(r.URL), Headers: redactor.Headers(r.Header)})
}

func (c *call) logResponse(res *http.Response) {
	if c.op == nil {
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
		m.Text = fmt.Sprintf("The upstream answered with status %d. The call is tried again in %v.", res.StatusCode, pause)
	}
	c.op.Message(m)
}
