package oplog

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/secretname"
)

const (
	redacted = "[redacted]"
	// minSecret is the length below which a secret is only recognised when it
	// is the whole value: replacing every "X" would garble the text.
	minSecret = 5
	// maxHeaders and maxHeaderValue bound what is kept of a message's head.
	maxHeaders     = 64
	maxHeaderValue = 1024
)

// A Redactor removes secrets from what is about to be logged: by the names of
// headers and parameters that carry them, and by the values themselves in the
// encodings in which they travel. Make one per connection and reuse it. A nil
// *Redactor knows names only.
type Redactor struct {
	short map[string]struct{}
	// all replaces the long secrets in every encoding; nil when there are none.
	all   *strings.Replacer
	forms []string
}

// NewRedactor returns a redactor that knows the given secrets.
func NewRedactor(secrets ...linkspan.Secret) *Redactor {
	r := &Redactor{short: make(map[string]struct{})}
	seen := make(map[string]bool)
	var pairs []string
	for _, s := range secrets {
		text := s.Reveal()
		switch {
		case text == "":
			continue
		case len(text) < minSecret:
			r.short[text] = struct{}{}
			continue
		}
		for _, form := range encodings(text) {
			if len(form) < minSecret || seen[form] {
				continue
			}
			seen[form] = true
			r.forms = append(r.forms, form)
		}
	}
	// Of several secrets at a place the longest is meant: a short one that it begins
	// with would leave its end.
	slices.SortStableFunc(r.forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, form := range r.forms {
		pairs = append(pairs, form, redacted)
	}
	if len(pairs) > 0 {
		r.all = strings.NewReplacer(pairs...)
	}
	return r
}

// encodings returns the forms in which a secret appears in requests.
func encodings(s string) []string {
	b := []byte(s)
	return []string{
		s,
		url.QueryEscape(s), url.PathEscape(s),
		base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
	}
}

// Text replaces every known secret in s.
func (r *Redactor) Text(s string) string {
	if r == nil || s == "" {
		return s
	}
	if _, ok := r.short[s]; ok {
		return redacted
	}
	if r.all == nil || !r.holdsSecret(s) {
		return s
	}
	return r.all.Replace(s)
}

// holdsSecret spares the common case, no secret at all, the replacer's copy.
func (r *Redactor) holdsSecret(s string) bool {
	for _, f := range r.forms {
		if strings.Contains(s, f) {
			return true
		}
	}
	return false
}

// URL renders u without user information and without secret parameter values.
func (r *Redactor) URL(u *url.URL) string {
	if u == nil {
		return ""
	}
	c := *u
	c.User = nil
	c.Fragment, c.RawFragment = "", ""
	if c.RawQuery != "" {
		c.RawQuery = r.query(c.RawQuery)
	}
	return clip(r.Text(c.String()), 2*maxHeaderValue)
}

// query redacts a raw query string pair by pair, keeping its order.
func (r *Redactor) query(raw string) string {
	var b strings.Builder
	b.Grow(len(raw))
	for i, pair := range strings.Split(raw, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		name, value, found := strings.Cut(pair, "=")
		b.WriteString(name)
		if !found {
			continue
		}
		b.WriteByte('=')
		plain, err := url.QueryUnescape(value)
		switch {
		case secretParameter(name):
			b.WriteString(redacted)
		case err == nil && r.Text(plain) != plain:
			b.WriteString(redacted)
		default:
			b.WriteString(value)
		}
	}
	return b.String()
}

// Headers returns the headers in lower case, joined and redacted.
func (r *Redactor) Headers(h http.Header) map[string]string {
	if len(h) == 0 {
		return nil
	}
	out := make(map[string]string, min(len(h), maxHeaders))
	for name, values := range h {
		if len(out) == maxHeaders {
			break
		}
		lower := strings.ToLower(name)
		if secretname.Mentions(name) {
			out[lower] = redacted
			continue
		}
		out[lower] = clip(r.Text(strings.Join(values, ", ")), maxHeaderValue)
	}
	return out
}

// secretParameter reports whether a query parameter carries a secret by name. Keys and
// codes are secret in addresses, though elsewhere they need not be.
func secretParameter(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	switch strings.ToLower(name) {
	case "key", "code", "auth", "pass":
		return true
	}
	return secretname.Mentions(name)
}

// publicError turns err into what a customer may read.
func publicError(err error) linkspan.OperationError {
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		code := e.Code
		if code == "" {
			code = string(e.Kind)
		}
		return linkspan.OperationError{Code: code, Message: e.Msg}
	}
	return linkspan.OperationError{Code: string(linkspan.KindOf(err)), Message: "An internal error occurred; the server's log has the details."}
}
