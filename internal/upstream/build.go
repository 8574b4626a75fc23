package upstream

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

// userAgent is sent when neither the provider nor the caller names one; many
// APIs refuse requests without.
const userAgent = "Linkspan (+https://github.com/linkspan/linkspan)"

// Request is what a caller wants from a provider.
type Request struct {
	// Method is the HTTP method, in upper case.
	Method string
	// Endpoint is the path with its query, as given. It may be a whole URL
	// below the base URL.
	Endpoint string
	// BaseURL replaces the provider's; empty means not. The caller of Build has
	// checked that it may be called.
	BaseURL string
	// Header holds the headers that the caller wants upstream.
	Header http.Header
	// ContentType describes the body when neither Header nor the provider does.
	ContentType string
	// Content is the whole body, if it is at hand. It can be sent again.
	Content []byte
	// Body is the body as a stream that can be sent once; nil when there is
	// none or when Content is set. ContentLength is its length, -1 if unknown.
	Body          io.ReadCloser
	ContentLength int64
	// SecretBody says that the body holds credentials, which do not follow a
	// redirect to another origin.
	SecretBody bool
}

// HasBody reports whether requests of a method carry a body.
func HasBody(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}

// Build makes the request that calls the target. The error is a [linkspan.Error]
// that says what is missing or wrong. A request for which the target's
// NeedsContent holds must come with Content rather than Body.
func Build(ctx context.Context, t *Target, r Request) (*http.Request, error) {
	p := t.prepared()
	b, err := p.baseOf(r.BaseURL)
	if err != nil {
		return nil, err
	}
	u := b.join(r.Endpoint)
	u.RawQuery = mergeQuery(u.RawQuery, p.query)

	contentType := p.contentType(&r)
	if p.body != nil && mergesBody(r.Method) {
		if r.Content, contentType, err = mergeBody(r.Content, contentType, p.body); err != nil {
			return nil, err
		}
		r.SecretBody = true
	}
	if r.SecretBody {
		ctx = context.WithValue(ctx, secretBodyKey{}, true)
	}
	h := make(http.Header, len(p.headers)+len(p.dynamic)+len(r.Header)+2)
	facts := catalog.Request{Method: r.Method, URL: u, Endpoint: r.Endpoint, ContentType: contentType, Body: r.Content}
	if err := p.fill(t, h, &facts); err != nil {
		return nil, err
	}
	if err := overlay(h, r.Header, p.userAgent); err != nil {
		return nil, linkspan.E("upstream.Build", linkspan.KindInvalid, "invalid_headers", err, "A header for the upstream is not valid: %v.", err)
	}
	if contentType != "" && HasBody(r.Method) {
		setDefault(h, "Content-Type", contentType, p.body != nil)
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{userAgent}
	}
	req := (&http.Request{Method: r.Method, URL: u, Host: u.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	setBody(req, &r)
	return req, nil
}

// secretBodyKey marks the context of a request whose body can hold credentials.
type secretBodyKey struct{}

// baseOf returns the base of a call: the override, or the target's own.
func (p *plan) baseOf(override string) (*base, error) {
	if override != "" {
		b, err := parseBase(override)
		if err != nil {
			return nil, linkspan.E("upstream.Build", linkspan.KindInvalid, "base_url_override_not_allowed", err, "The base URL override is not usable: %v.", err)
		}
		return b, nil
	}
	if p.baseErr != nil {
		return nil, p.baseErr
	}
	return p.base, nil
}

// contentType returns the type of the body that will be sent: the caller's
// header, else the provider's, else what describes the bytes. A multipart type
// belongs to its bytes because of the boundary in it.
func (p *plan) contentType(r *Request) string {
	incoming := mediaType(r.ContentType)
	if values := r.Header["Content-Type"]; len(values) > 0 && values[0] != "" {
		if incoming == "multipart/form-data" && mediaType(values[0]) == incoming {
			return r.ContentType
		}
		return values[0]
	}
	if incoming != "multipart/form-data" {
		for i := range p.headers {
			if p.headers[i].name == "Content-Type" {
				return p.headers[i].values[0]
			}
		}
	}
	return r.ContentType
}

// setDefault sets a header that is absent, or that must match a body we changed
// or a boundary.
func setDefault(h http.Header, name, value string, force bool) {
	if _, ok := h[name]; !ok || force || strings.HasPrefix(value, "multipart/") {
		h[name] = []string{value}
	}
}

func mediaType(contentType string) string {
	if contentType == "" {
		return ""
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return kind
}

// setBody gives the request its body, replayable when it is at hand.
func setBody(req *http.Request, r *Request) {
	switch {
	case !HasBody(r.Method):
	case len(r.Content) > 0:
		content := r.Content
		req.ContentLength = int64(len(content))
		req.Body = io.NopCloser(bytes.NewReader(content))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	case r.Body != nil && r.ContentLength != 0:
		req.ContentLength = r.ContentLength
		req.Body = r.Body
	default:
		req.Body = http.NoBody
	}
}
