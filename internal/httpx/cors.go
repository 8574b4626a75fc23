package httpx

import (
	"net/http"
	"strconv"
)

// The header values of wire contract §1.2, shared by all replies. They are
// never changed: a handler that adds to one gets a copy, because the slices
// have no spare capacity.
//
//nolint:gochecknoglobals // never changed
var (
	corsOrigin  = []string{"*"}
	corsMaxAge  = []string{"600"}
	corsMethods = []string{"GET,HEAD,PUT,PATCH,POST,DELETE"}
	corsAllowed = []string{"Authorization, Content-Type, Accept, Origin, X-Requested-With, Nango-Activity-Log-Id, " +
		"Nango-Is-Dry-Run, Nango-Is-Sync, Provider-Config-Key, Connection-Id, Sentry-Trace, Baggage"}
	corsExposed = []string{"Authorization, Etag, Content-Type, Content-Length, X-Nango-Signature, X-RateLimit-Limit, " +
		"X-RateLimit-Remaining, X-RateLimit-Reset"}
)

// allowOrigins lets scripts of every origin read the reply. Keys are sent in a
// header that browsers never attach by themselves, so this opens nothing.
func allowOrigins(h http.Header) {
	h["Access-Control-Allow-Origin"] = corsOrigin
	h["Access-Control-Expose-Headers"] = corsExposed
}

// CORS is what the scripts of one origin may do with a route, their cookies
// included. It is for calls that browsers make only so, such as beacons.
type CORS struct {
	// Origin is the scheme and authority of the page, without a slash at the end.
	Origin string
	// Methods, Headers and Exposed are lists with commas between: what may be
	// sent, and which headers of the answer can be read.
	Methods, Headers, Exposed string
	// MaxAge is for how many seconds browsers may remember this.
	MaxAge int
}

// allow sets the headers of an answer.
func (c *CORS) allow(h http.Header) {
	h.Set("Access-Control-Allow-Origin", c.Origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", c.Exposed)
	h.Add("Vary", "Origin")
}

// preflight answers an OPTIONS request. c is nil for most paths.
func preflight(w http.ResponseWriter, c *CORS) {
	h := w.Header()
	if c != nil {
		c.allow(h)
		h.Set("Access-Control-Allow-Methods", c.Methods)
		h.Set("Access-Control-Allow-Headers", c.Headers)
		h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h["Access-Control-Allow-Methods"] = corsMethods
	h["Access-Control-Allow-Headers"] = corsAllowed
	h["Access-Control-Max-Age"] = corsMaxAge
	w.WriteHeader(http.StatusNoContent)
}
