// Package remote is the world of a function that runs outside of a server: it
// serves what the function asks for with the public API of one (wire contract
// §10.4). Calls to the provider, other actions and changes of metadata are real;
// syncs are not started.
package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// defaultMaxBody is the most bytes of an answer that a function is given.
const defaultMaxBody = 32 << 20

// Options say for whom a function runs.
type Options struct {
	// Integration and Connection name the connection.
	Integration, Connection string
	// Variant is that of the records that are read. Empty: the base variant.
	Variant string
	// Metadata is what the connection's metadata is read as: a JSON object. What is
	// written goes to the server all the same. Nil: as the server has it.
	Metadata json.RawMessage
	// Guard decides where plain fetches may go.
	Guard *egress.Guard
	// MaxBody is the most bytes of an answer's body that a function is given: 32 MiB.
	MaxBody int64
	// Say is told what the function asked for and did not get, in a sentence. It is
	// called on several goroutines. Nil: nobody is told.
	Say func(text string)
	// Seen is told of each exchange with a provider when it has ended. It is called on
	// several goroutines. Nil: nobody is told.
	Seen func(Exchange)
}

// Exchange is a call to a provider, or a plain fetch, without secrets.
type Exchange struct {
	Method, Target string
	// Status is 0 when there was no answer; Problem then says why.
	Status  int
	Problem string
	// Received is how many bytes the answer's body has.
	Received int
}

// World serves the calls of one function. It is safe for concurrent use.
type World struct {
	client *client.Client
	o      Options
	fetch  *http.Client

	requests       atomic.Int64
	sent, received atomic.Int64

	mu        sync.Mutex
	providers map[string]api.Provider // by integration
	secrets   []linkspan.Secret
	known     map[string]struct{} // the same as text
	redactor  *oplog.Redactor
}

// Traffic is what a function has sent through a World.
type Traffic struct {
	// Requests counts the calls to the provider and the plain fetches.
	Requests int
	// Sent and Received are bytes of their bodies.
	Sent, Received int64
}

var _ sandbox.Host = (*World)(nil)

// Headers are sent with every request of a trial: they say that it is one, and
// whether a sync is tried.
func Headers(kind linkspan.FunctionKind) []client.Option {
	options := []client.Option{client.WithHeader("Nango-Is-Dry-Run", "true")}
	if kind == linkspan.FunctionSync {
		options = append(options, client.WithHeader("Nango-Is-Sync", "true"))
	}
	return options
}

// New returns a world on the server of a client, which is made with [Headers].
func New(c *client.Client, o Options) *World {
	o.MaxBody = cmp.Or(o.MaxBody, defaultMaxBody)
	if o.Say == nil {
		o.Say = func(string) {}
	}
	if o.Seen == nil {
		o.Seen = func(Exchange) {}
	}
	return &World{
		client: c, o: o, fetch: call.NewFetcher(o.Guard), providers: make(map[string]api.Provider), known: make(map[string]struct{}),
	}
}

// Close closes idle connections of plain fetches.
func (w *World) Close() { w.fetch.CloseIdleConnections() }

// Traffic returns what was sent so far.
func (w *World) Traffic() Traffic {
	return Traffic{Requests: int(w.requests.Load()), Sent: w.sent.Load(), Received: w.received.Load()}
}

// Secrets returns those that the function was given so far.
func (w *World) Secrets() []linkspan.Secret {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.secrets)
}

// Redact takes the secrets that the function was given out of a text.
func (w *World) Redact(text string) string {
	w.mu.Lock()
	if w.redactor == nil {
		w.redactor = oplog.NewRedactor(w.secrets...)
	}
	r := w.redactor
	w.mu.Unlock()
	return r.Text(text)
}

// know notes secrets.
func (w *World) know(secrets ...linkspan.Secret) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range secrets {
		if _, ok := w.known[s.Reveal()]; ok || s.Reveal() == "" {
			continue
		}
		w.known[s.Reveal()] = struct{}{}
		w.secrets = append(w.secrets, s)
		w.redactor = nil
	}
}

// Note implements sandbox.Host. What functions say is for whoever runs them.
func (w *World) Note(sandbox.Call) {}

// Call implements sandbox.Host.
func (w *World) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	serve := w.served(c.Name)
	if serve == nil {
		return sandbox.Reply{}, call.Refused(linkspan.E("remote.Call", linkspan.KindInvalid, "unknown_call", nil, "There is no such call here."))
	}
	reply, err := serve(ctx, c)
	if err != nil {
		return sandbox.Reply{}, failed(ctx, err)
	}
	return reply, nil
}

type server func(ctx context.Context, c sandbox.Call) (sandbox.Reply, error)

// served returns what serves the calls of a name.
func (w *World) served(name string) server {
	switch name {
	case "http":
		return w.http
	case "fetch":
		return w.plainFetch
	case "connection":
		return with(w.connection)
	case "integration":
		return with(w.integration)
	case "pagination":
		return with(w.pagination)
	case "variables":
		return with(w.variables)
	case "metadata":
		return with(w.writeMetadata)
	case "action":
		return with(w.action)
	case "sync_trigger":
		return with(w.triggerSyncs)
	case "sync_start":
		return with(w.startSyncs)
	case "records_by_ids":
		return w.recordsByID
	case "records_list":
		return w.listRecords
	}
	return nil
}

// with makes a server of a function from parameters to a value.
func with[P any](f func(ctx context.Context, p P) (any, error)) server {
	return func(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
		var p P
		if err := call.Decode(c.JSON, &p); err != nil {
			return sandbox.Reply{}, err
		}
		value, err := f(ctx, p)
		if err != nil {
			return sandbox.Reply{}, err
		}
		return call.Answer(value)
	}
}

// failed turns an error into one that the function sees.
func failed(ctx context.Context, err error) error {
	if refused, ok := client.AsError(err); ok {
		return fromServer(refused)
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		return call.Refused(e)
	}
	if network, ok := errors.AsType[*proxy.NetworkError](err); ok {
		return call.Failure{Code: network.Code, Message: network.Message, Network: true}.Err()
	}
	if ctx.Err() != nil {
		return call.Failure{Code: "script_aborted", Message: "The run has ended."}.Err()
	}
	return call.Failure{
		Code: "server_unavailable", Message: fmt.Sprintf("The server did not answer: %v.", err), Status: http.StatusServiceUnavailable,
	}.Err()
}

// fromServer repeats to the function what the server refused.
func fromServer(e *client.Error) error {
	f := call.Failure{Code: cmp.Or(e.Code, "server_error"), Message: e.Message, Status: e.Status, Errors: e.Issues}
	if f.Message == "" {
		f.Message = fmt.Sprintf("The server refused the call with the status %d.", e.Status)
	}
	if len(e.Payload) > 0 {
		f.Payload = e.Payload
	}
	if u := e.Upstream; u != nil {
		f.Upstream = &linkspan.UpstreamAnswer{Status: u.Status, Headers: u.Headers, Body: u.Body}
	}
	return f.Err()
}
