package demo

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// failure is an error of the API.
type failure struct {
	status int
	// Code is stable, Message is for people.
	Code    string `json:"error"`
	Message string `json:"message"`
}

// Error implements error.
func (f *failure) Error() string { return f.Message }

func fail(status int, code, message string) *failure { return &failure{status, code, message} }

func invalid(message string) *failure {
	return fail(http.StatusUnprocessableEntity, "invalid", message)
}

// writeJSON answers with JSON. Answers may hold tokens and personal data, so
// nobody keeps them.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // none of our types can cause it
		http.Error(w, "encoding the answer failed", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone
}

// writeFailure answers with what went wrong.
func writeFailure(w http.ResponseWriter, err error) {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = fail(http.StatusInternalServerError, "internal", "Something went wrong.")
	}
	writeJSON(w, f.status, f)
}

// readJSON decodes the body of a request. Unknown fields are refused.
func readJSON(r *http.Request, v any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fail(http.StatusRequestEntityTooLarge, "too_large", "The body is larger than 64 kB.")
	}
	return fail(http.StatusBadRequest, "bad_json", "The body can't be read: "+strings.TrimPrefix(err.Error(), "json: ")+".")
}

// number reads a query parameter between 1 (or 0, if that is the default) and
// most; larger values are cut to it.
func number(r *http.Request, name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if least := min(otherwise, 1); err != nil || n < least {
		return 0, fail(http.StatusBadRequest, "bad_query", "The parameter "+name+" must be a whole number of at least "+strconv.Itoa(least)+".")
	}
	return min(n, most), nil
}
