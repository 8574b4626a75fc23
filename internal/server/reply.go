package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

// writeSuccess is the reply of calls that have nothing else to say.
func writeSuccess(w http.ResponseWriter) error {
	return httpx.WriteJSON(w, http.StatusOK, api.Success{Success: true})
}

// noInput refuses requests with a query or a body.
func noInput(r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	return httpx.NoBody(r)
}

// legacyError is an error in the shape of the older routes, which carry an empty
// payload (wire contract §1.4).
func legacyError(code string, cause error, msg string, args ...any) error {
	return linkspan.E("server.legacy", linkspan.KindInvalid, code, cause, msg, args...).WithPayload(struct{}{})
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// pointer returns nil for empty text.
func pointer(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// textOrNull shows empty text as null.
func textOrNull(text string) api.Optional[string] {
	return api.Optional[string]{Set: true, Value: pointer(text)}
}

// secretOrNull shows a missing secret as null.
func secretOrNull(s linkspan.Secret) api.Optional[api.Secret] {
	if s.IsZero() {
		return api.Null[api.Secret]()
	}
	return api.Some(api.Secret(s.Reveal()))
}
