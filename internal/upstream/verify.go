package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/egress"
)

const (
	verifyTimeout = 20 * time.Second
	// maxDrain is how much of an answer nobody wants is read, so that its
	// connection can be used again.
	maxDrain = 64 << 10
)

// Verify tries the target's credentials with the calls that the provider's entry
// names: the first one that succeeds proves them. Without such calls there is
// nothing to prove. The error is a [linkspan.Error] with the code
// connection_test_failed, or says why the call could not be made.
func (c *Caller) Verify(ctx context.Context, t *Target) error {
	if t.Provider.API == nil || t.Provider.API.Verify == nil || len(t.Provider.API.Verify.Paths) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	v := t.Provider.API.Verify
	r, err := verifyRequest(t, v)
	if err != nil {
		return err
	}
	var last error
	for i := range v.Paths {
		if last = c.verifyPath(ctx, t, r, &v.Paths[i]); last == nil {
			return nil
		}
	}
	return last
}

// verifyRequest makes what the calls have in common.
func verifyRequest(t *Target, v *catalog.Verify) (Request, error) {
	s := newScope(t, t.prepared().values)
	r := Request{Method: v.Method, Header: http.Header{}}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if v.BaseURL != nil {
		u, err := v.BaseURL.ExpandBaseURL(s)
		if err != nil {
			return Request{}, baseError(t, err)
		}
		r.BaseURL = u.String()
	}
	for i := range v.Headers {
		if text, ok := v.Headers[i].ExpandText(s); ok && text != "" {
			r.Header[textproto.CanonicalMIMEHeaderKey(v.Headers[i].Name)] = []string{text}
		}
	}
	if v.Body == nil {
		return r, nil
	}
	content, err := json.Marshal(v.Body)
	if err != nil {
		return Request{}, fmt.Errorf("encoding the body of the verification of %q: %w", t.Provider.Name, err)
	}
	r.Content, r.ContentType = content, "application/json"
	return r, nil
}

func (c *Caller) verifyPath(ctx context.Context, t *Target, r Request, path *catalog.Template) error {
	const op = "upstream.Verify"
	endpoint, ok := path.Expand(escaping{newScope(t, t.prepared().values)})
	if !ok {
		return linkspan.E(op, linkspan.KindInvalid, "connection_test_failed", nil,
			"The credentials cannot be tested: a value that the test of the provider %q needs is missing.", t.Provider.Name).
			WithHint("Set the connection_config values that the provider asks for.")
	}
	r.Endpoint = endpoint
	res, err := c.Call(ctx, t, r)
	if err != nil {
		return verifyError(t, err)
	}
	_, _ = io.CopyN(io.Discard, res.Body, maxDrain)
	_ = res.Body.Close()
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return nil
	}
	return linkspan.E(op, linkspan.KindInvalid, "connection_test_failed", nil,
		"The provider %q did not accept the credentials: it answered with status %d.", t.Provider.Name, res.StatusCode).
		WithHint("Check the credentials and the connection_config.").
		WithPayload(map[string]any{"status": res.StatusCode})
}

func verifyError(t *Target, err error) error {
	const op = "upstream.Verify"
	if _, ok := errors.AsType[*linkspan.Error](err); ok {
		return err
	}
	if blocked, ok := egress.IsBlocked(err); ok {
		return linkspan.E(op, linkspan.KindInvalid, "connection_test_failed", err, "The credentials cannot be tested: %v.", blocked)
	}
	return linkspan.E(op, linkspan.KindInvalid, "connection_test_failed", err,
		"The credentials cannot be tested: the provider %q could not be reached.", t.Provider.Name).
		WithHint("Check the connection_config, or try again.")
}

// escaping percent-encodes values that are put into a path.
type escaping struct{ *scope }

// Lookup implements catalog.Vars.
func (e escaping) Lookup(name string) (string, bool) {
	value, ok := e.scope.Lookup(name)
	return escapeValue(value), ok
}

func escapeValue(value string) string {
	return escapeEach(value, func(c byte) bool {
		return isAlphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '/' || c == ':' || c == '@'
	})
}
