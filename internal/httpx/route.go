package httpx

import (
	"net/http"
	"time"
)

// Handler answers a request or returns an error, which the Router renders. A
// handler that returns an error must not have begun to answer; if it has, the
// connection is cut so that the client can tell that the answer is incomplete.
type Handler func(http.ResponseWriter, *http.Request) error

// AuthKind says who may call a route.
type AuthKind int

// The kinds of callers. AuthNone is the zero value on purpose only for utility
// routes: tests walk the route table and list those.
const (
	// AuthNone lets everybody in.
	AuthNone AuthKind = iota
	// AuthEnvironment wants an environment's API key.
	AuthEnvironment
	// AuthAccount wants an account key.
	AuthAccount
	// AuthEnvironmentOrSession wants an environment's API key or a connect
	// session token.
	AuthEnvironmentOrSession
	// AuthEnvironmentOrAccount wants either kind of API key.
	AuthEnvironmentOrAccount
	// AuthSession wants a connect session token.
	AuthSession
	// AuthBrowser wants what an end user's browser has: a connect session token
	// or an environment's public key, in the query.
	AuthBrowser
)

// Route is one row of the route table. The zero values in Path, Query, Header,
// Body and Reply describe the types for the OpenAPI document, and are compiled
// when the route is added, so that a wrong tag is found at start-up.
type Route struct {
	// Method is the HTTP method; empty means any. GET serves HEAD too.
	Method string
	// Pattern is a path of literal segments, {name} for one segment and, at
	// the end, {name...} for the rest. With Raw it is a prefix that ends in a
	// slash.
	Pattern string
	// Raw makes the route a prefix that is matched on the path as it was sent,
	// before anything else, with no cleaning at all: //, .. and %2F reach the
	// handler. Content types are not restricted.
	Raw bool
	// Auth and Scopes say who may call; holding any of the scopes is enough.
	Auth   AuthKind
	Scopes []string

	// Summary, Description and Tag document the route.
	Summary     string
	Description string
	Tag         string
	Deprecated  bool
	// Path, Query, Header, Body and Reply are zero values of the types.
	Path, Query, Header, Body, Reply any
	// Status is the status of success. Zero means 200.
	Status int
	// Also holds zero values of replies with other statuses that are not
	// errors in the usual envelope.
	Also map[int]any

	// AnyContentType lifts the restriction of bodies to JSON.
	AnyContentType bool
	// BodyLimit is the largest body in bytes: 0 means the router's limit, a
	// negative value none.
	BodyLimit int64
	// BodyIdle ends a request of whose body nothing arrived for so long; 0 means
	// the router's.
	BodyIdle time.Duration
	// Quiet logs successful requests at debug level only.
	Quiet bool
	// CORS replaces what scripts of other origins may do with the route. All
	// routes of a path share one.
	CORS *CORS
	// Fail answers a request that failed, in place of the error envelope: for
	// pages that people look at. It gets the errors of the router and the guard
	// too; when it returns one, the envelope is sent after all.
	Fail func(w http.ResponseWriter, r *http.Request, status int, err error) error

	Handler Handler
}
