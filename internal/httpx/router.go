package httpx

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// Metrics observes requests that were answered.
type Metrics interface {
	// ObserveRequest is told of every request: its method ("OTHER" for unusual
	// ones), its route's pattern ("" when there was none), the status, how long
	// it took and how many bytes the answer's body had.
	ObserveRequest(method, pattern string, status int, took time.Duration, bytes int64)
}

// Config configures a Router.
type Config struct {
	// Guard authenticates and authorises the request for the route, and
	// enforces what else holds for all callers, such as the rate limit. It
	// returns the request to go on with. It is called for every route, also
	// those of AuthNone. Nil lets everybody in.
	Guard func(http.ResponseWriter, *http.Request, *Route) (*http.Request, error)
	Log   *slog.Logger
	// Metrics is optional.
	Metrics Metrics
	// BodyLimit is the largest request body in bytes. Zero means 75 MB.
	BodyLimit int64
	// BodyIdle ends a request of whose body nothing arrived for so long. Zero
	// means a minute.
	BodyIdle time.Duration
}

// Router dispatches requests to the routes and renders their errors. It is an
// http.Handler. All routes are added before it serves.
type Router struct {
	cfg    Config
	tree   tree
	raw    []*entry
	routes []*entry
}

// New returns a Router without routes.
func New(cfg Config) *Router {
	if cfg.BodyLimit == 0 {
		cfg.BodyLimit = defaultBodyLimit
	}
	if cfg.BodyIdle == 0 {
		cfg.BodyIdle = defaultBodyIdle
	}
	return &Router{cfg: cfg}
}

// Add adds routes. It panics on a duplicate or malformed pattern and on input
// types with wrong tags: all of these are mistakes in the code.
func (rt *Router) Add(routes ...Route) {
	for _, r := range routes {
		compileInput(r.Path, fromPath)
		compileInput(r.Query, fromQuery)
		compileInput(r.Header, fromHeader)
		compileInput(r.Body, fromBody)
		if !r.Raw {
			rt.routes = append(rt.routes, rt.tree.add(r))
			continue
		}
		if !strings.HasPrefix(r.Pattern, "/") || !strings.HasSuffix(r.Pattern, "/") {
			panic("httpx: the prefix " + r.Pattern + " does not start and end with a slash")
		}
		e := &entry{route: r}
		rt.raw = append(rt.raw, e)
		rt.routes = append(rt.routes, e)
	}
}

func compileInput(zero any, from source) {
	if zero != nil {
		shapeOf(reflect.TypeOf(zero), from)
	}
}

// Routes returns the route table in the order it was added.
func (rt *Router) Routes() []Route {
	routes := make([]Route, len(rt.routes))
	for i, e := range rt.routes {
		routes[i] = e.route
	}
	return routes
}

// ServeHTTP implements http.Handler.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{start: time.Now(), out: response{ResponseWriter: w}}
	x.ctx.Context = r.Context() //nolint:fatcontext // set once: this is how the request's context is extended
	x.ctx.event.RequestID = rand.Text()
	h := w.Header()
	h["X-Linkspan-Request-Id"] = []string{x.ctx.event.RequestID}
	allowOrigins(h)
	r = r.WithContext(&x.ctx) //nolint:contextcheck // it is the request's own context, extended
	rt.watch(x, r)
	defer rt.finish(x, r)
	if err := rt.serve(x, r); err != nil {
		rt.fail(x, r, err)
	}
}

// serve finds the route and runs it.
func (rt *Router) serve(x *exchange, r *http.Request) error {
	path := r.URL.EscapedPath()
	for _, e := range rt.raw {
		if strings.HasPrefix(path, e.route.Pattern) {
			x.raw = true
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				x.ctx.event.Pattern = e.route.Pattern
				preflight(&x.out, e.route.CORS)
				return nil
			}
			return rt.run(x, r, &e.route)
		}
	}
	var m match
	if !rt.tree.find(r.Method, path, &m) {
		return rt.miss(x, r, &m)
	}
	for i, name := range m.entry.names {
		r.SetPathValue(name, m.values[i])
	}
	return rt.run(x, r, &m.entry.route)
}

// miss answers when no route has the path and the method.
func (rt *Router) miss(x *exchange, r *http.Request, m *match) error {
	allowed := m.allowed
	if len(allowed) == 0 {
		return linkspan.E("httpx.Router", linkspan.KindNotFound, "not_found", nil, "There is no such route.")
	}
	if r.Method == http.MethodOptions {
		preflight(&x.out, m.cors)
		return nil
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	allowed = append(allowed, http.MethodOptions)
	slices.Sort(allowed)
	x.out.Header().Set("Allow", strings.Join(slices.Compact(allowed), ", "))
	return linkspan.E("httpx.Router", linkspan.KindInvalid, "method_not_allowed", nil,
		"This route does not accept the method %s; the Allow header lists those it does.", boundMethod(r.Method)).
		WithStatus(http.StatusMethodNotAllowed)
}

// run applies the rules of the route and calls its handler.
func (rt *Router) run(x *exchange, r *http.Request, route *Route) error {
	x.ctx.event.Pattern = route.Pattern
	x.quiet, x.page = route.Quiet, route.Fail
	if route.CORS != nil {
		route.CORS.allow(x.out.Header())
	}
	if !route.Raw && !route.AnyContentType {
		if err := checkContentType(r.Header); err != nil {
			return err
		}
	}
	if err := rt.limitBody(x, r, route); err != nil {
		return err
	}
	if rt.cfg.Guard != nil {
		guarded, err := rt.cfg.Guard(&x.out, r, route)
		if err != nil {
			return err
		}
		r = guarded
	}
	return route.Handler(&x.out, r)
}

// checkContentType implements the guard of wire contract §1.1. Clients send
// the header on requests without a body too, so only what it says counts.
func checkContentType(h http.Header) error {
	values := h["Content-Type"]
	if len(values) == 0 {
		return nil
	}
	const want = "application/json"
	got := strings.TrimSpace(values[0])
	if len(got) >= len(want) && strings.EqualFold(got[:len(want)], want) {
		return nil
	}
	return linkspan.E("httpx.Router", linkspan.KindUnsupportedMedia, "invalid_content_type", nil,
		"Content-Type header must be application/json")
}

// fail renders an error, or cuts the connection when the answer has begun.
func (rt *Router) fail(x *exchange, r *http.Request, err error) {
	if x.out.started() {
		x.ctx.event.err = err
		x.ctx.event.errCode = "answer_cut_short"
		panic(http.ErrAbortHandler)
	}
	x.body.leave()
	if x.raw {
		// Tells the failures of this server from those of the upstream.
		x.out.Header().Set("X-Linkspan-Error", "true")
	}
	x.answer(r, err)
}

// answer renders an error as a page where the route has one, or as the envelope.
func (x *exchange) answer(r *http.Request, err error) {
	page := x.page
	x.page = nil // should the page panic, the envelope is next
	if page == nil {
		WriteError(&x.out, r, err)
		return
	}
	status, _ := noted(r, err)
	if failed := page(&x.out, r, status, err); failed != nil && !x.out.started() {
		WriteError(&x.out, r, errors.Join(err, failed))
	}
}

// finish recovers from panics, logs the request and reports it to the metrics.
// It is deferred directly, as recover demands.
func (rt *Router) finish(x *exchange, r *http.Request) {
	cause := recover()
	abort := cause == http.ErrAbortHandler //nolint:errorlint // the server compares panic values by identity too
	if cause != nil && !abort {
		x.ctx.event.stack = string(debug.Stack())
		err := fmt.Errorf("panic: %v", cause)
		if abort = x.out.started(); !abort {
			x.answer(r, err)
		}
		x.ctx.event.err = err
	}
	x.body.leave()
	took := time.Since(x.start)
	x.line(rt.cfg.Log, r, took)
	if rt.cfg.Metrics != nil {
		rt.cfg.Metrics.ObserveRequest(boundMethod(r.Method), x.ctx.event.Pattern, x.out.statusOr(http.StatusOK), took, x.out.bytes)
	}
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// boundMethod keeps what clients invent out of logs and metric labels.
func boundMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, "PROPFIND", "REPORT":
		return method
	default:
		return "OTHER"
	}
}
