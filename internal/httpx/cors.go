package httpx

import "net/http"

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

// preflight answers an OPTIONS request.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h["Access-Control-Allow-Methods"] = corsMethods
	h["Access-Control-Allow-Headers"] = corsAllowed
	h["Access-Control-Max-Age"] = corsMaxAge
	w.WriteHeader(http.StatusNoContent)
}
