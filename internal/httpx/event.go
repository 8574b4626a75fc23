package httpx

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/linkspan/linkspan"
)

// Event is what is known of a request, for its one log line. Guards and
// handlers fill in what they learn; it belongs to the goroutine that serves the
// request.
type Event struct {
	// RequestID names the request; it is in the reply's X-Linkspan-Request-Id
	// too.
	RequestID string
	// Pattern is the route's pattern, never the path: paths hold names.
	Pattern string
	// Principal is the kind of caller, such as "environment_key".
	Principal   string
	Account     linkspan.AccountID
	Environment linkspan.EnvironmentID
	Key         linkspan.APIKeyID
	// Integration, Connection and Provider name what the request was about.
	Integration string
	Connection  string
	Provider    string
	Operation   linkspan.OperationID
	// UpstreamStatus is the status of a third party's answer, UpstreamError what
	// happened instead of one, Retries how many further attempts were made.
	UpstreamStatus int
	UpstreamError  string
	Retries        int
	// FunctionFailed says that the error is that of a customer's function. Its
	// words are the customer's: they are in the record of the run, and not in the
	// log, and the code is enough for the operator.
	FunctionFailed bool

	err     error  // what was rendered
	errCode string // its public code
	errID   string // the id that the caller was given
	stack   string // of a panic
}

type eventKey struct{}

// EventFrom returns the event of the request that ctx belongs to. Outside a
// request it returns a new event that goes nowhere, so callers need no check.
func EventFrom(ctx context.Context) *Event {
	if e, ok := ctx.Value(eventKey{}).(*Event); ok {
		return e
	}
	return &Event{}
}

// exchange is one request being served: its context with the event, and the
// response writer that counts, in one allocation.
type exchange struct {
	ctx   eventContext
	out   response
	body  *body // nil when the request has none
	quiet bool
	raw   bool
	start time.Time
	// page is the route's Fail, which may be nil.
	page func(http.ResponseWriter, *http.Request, int, error) error
}

// eventContext is a request's context that knows its event.
type eventContext struct {
	context.Context //nolint:containedctx // this is a context: it extends the one it holds
	event           Event
}

// Value implements context.Context.
func (c *eventContext) Value(key any) any {
	if key == (eventKey{}) {
		return &c.event
	}
	return c.Context.Value(key)
}

// line writes the one log line of a request.
func (x *exchange) line(log *slog.Logger, r *http.Request, took time.Duration) {
	e := &x.ctx.event
	status := x.out.statusOr(http.StatusOK)
	level := slog.LevelInfo
	switch {
	case x.quiet && status == http.StatusServiceUnavailable:
		// A probe that is told to come back later: whoever says so logs why.
		level = slog.LevelDebug
	case e.FunctionFailed && e.stack == "" && status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case e.err == nil && (e.UpstreamError != "" || e.UpstreamStatus == status && status >= http.StatusInternalServerError):
		level = slog.LevelWarn // the failure is the upstream's
	case status >= http.StatusInternalServerError || e.stack != "":
		level = slog.LevelError
	case x.quiet:
		level = slog.LevelDebug
	}
	ctx := r.Context()
	if !log.Enabled(ctx, level) {
		return
	}
	var store [24]slog.Attr
	attrs := append(store[:0],
		slog.String("request_id", e.RequestID),
		slog.String("method", boundMethod(r.Method)),
		slog.String("route", e.Pattern),
		slog.Int("status", status),
		slog.Float64("took_ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", x.out.bytes),
		slog.String("remote", remoteHost(r.RemoteAddr)),
	)
	attrs = e.appendTo(attrs)
	log.LogAttrs(ctx, level, "request", attrs...)
}

func (e *Event) appendTo(attrs []slog.Attr) []slog.Attr {
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	number := func(key string, value int64) {
		if value != 0 {
			attrs = append(attrs, slog.Int64(key, value))
		}
	}
	text("principal", e.Principal)
	number("account_id", int64(e.Account))
	number("environment_id", int64(e.Environment))
	number("key_id", int64(e.Key))
	text("integration", e.Integration)
	text("connection", e.Connection)
	text("provider", e.Provider)
	text("operation_id", string(e.Operation))
	number("upstream_status", int64(e.UpstreamStatus))
	text("upstream_error", e.UpstreamError)
	number("retries", int64(e.Retries))
	text("error_code", e.errCode)
	text("error_id", e.errID)
	if e.err != nil && !e.FunctionFailed {
		attrs = append(attrs, slog.String("error", e.err.Error()))
	}
	text("stack", e.stack)
	return attrs
}

func remoteHost(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}
