package call

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/proxy"
)

const (
	// userAgent is sent when the function names none.
	userAgent = "Linkspan (+https://github.com/linkspan/linkspan)"
	// headerTimeout bounds the wait for the head of an answer to a plain fetch.
	headerTimeout = 5 * time.Minute
)

// Fetch is what "fetch" takes: a request without credentials (features SDK-17).
type Fetch struct {
	URL     string      `json:"url"`
	Method  string      `json:"method"`
	Headers [][2]string `json:"headers"`
}

// Request makes the request.
func (p *Fetch) Request(ctx context.Context, body []byte) (*http.Request, error) {
	const op = "call.Fetch"
	u, err := url.Parse(p.URL)
	switch {
	case !isMethod(p.Method):
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_method", nil, "The method of the request is not valid.")
	case len(p.URL) > maxEndpoint || err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, linkspan.E(op, linkspan.KindInvalid, "url_not_allowed", nil, "The URL is not an absolute http or https URL.")
	}
	header, err := headerOf(p.Headers)
	if err != nil {
		return nil, err
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", userAgent)
	}
	req, err := http.NewRequestWithContext(ctx, p.Method, p.URL, bytes.NewReader(body))
	if err != nil {
		return nil, linkspan.E(op, linkspan.KindInvalid, "url_not_allowed", err, "The URL is not usable.")
	}
	req.Header = header
	if len(body) == 0 {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	return req, nil
}

// Fetched is the head of the answer to a request of Fetch's.
func Fetched(req *http.Request, res *http.Response) Head {
	last := res.Request.URL.String()
	return Head{
		Status: res.StatusCode, StatusText: http.StatusText(res.StatusCode), Headers: Pairs(res.Header),
		URL: last, Redirected: last != req.URL.String(),
	}
}

// NewFetcher returns the client that sends what functions fetch: to where the guard
// lets it.
func NewFetcher(guard *egress.Guard) *http.Client {
	transport := guard.Transport(egress.TransportOptions{Compression: true, ResponseHeaderTimeout: headerTimeout})
	client := guard.Client(egress.ClientOptions{Transport: transport})
	client.Transport = checkedRedirects{client.Transport}
	return client
}

// FetchError puts what went wrong with a fetch into the words of the contract
// (features SDK-17).
func FetchError(req *http.Request, err error) error {
	const op = "call.Fetch"
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // it holds the URL, which can hold keys
	}
	switch blocked, isBlocked := egress.IsBlocked(err); {
	case isBlocked:
		return linkspan.E(op, linkspan.KindInvalid, "url_not_allowed", err, "%s.", strings.ToUpper(blocked.Error()[:1])+blocked.Error()[1:])
	case errors.Is(err, egress.ErrTooManyRedirects):
		return linkspan.E(op, linkspan.KindInvalid, "too_many_redirects", err, "The server redirected more than %d times.", egress.MaxRedirects)
	case errors.Is(err, errInvalidRedirect):
		return linkspan.E(op, linkspan.KindInvalid, "invalid_redirect", err, "The server redirected to something that is no URL.")
	case req.Context().Err() != nil:
		return req.Context().Err()
	}
	return proxy.NewNetworkError(req.Method, err)
}

var errInvalidRedirect = errors.New("the redirect leads to no URL")

// checkedRedirects finds redirects that can't be followed, which the standard
// client reports without a name.
type checkedRedirects struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (c checkedRedirects) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil || res.StatusCode < 300 || res.StatusCode > 399 {
		return res, err
	}
	if location := res.Header.Get("Location"); location != "" {
		if _, err := r.URL.Parse(location); err != nil {
			_ = res.Body.Close()
			return nil, errInvalidRedirect
		}
	}
	return res, nil
}

// CloseIdleConnections closes the pool's idle connections.
func (c checkedRedirects) CloseIdleConnections() {
	if pool, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		pool.CloseIdleConnections()
	}
}
