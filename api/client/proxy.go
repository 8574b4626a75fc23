package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ProxyRequest is a request to a provider's API, made with a connection's
// credentials.
type ProxyRequest struct {
	// Method defaults to GET.
	Method string
	// Endpoint is the path at the provider, with a query if there is one. It is
	// sent as it is.
	Endpoint          string
	ProviderConfigKey string
	ConnectionID      string
	// Query is added to the endpoint's.
	Query url.Values
	// Header goes to the provider.
	Header http.Header
	Body   io.Reader
	// Retries is how often the server repeats a failed call.
	Retries int
	// RetryOn lists further statuses that count as failures.
	RetryOn []int
	// BaseURLOverride replaces the provider's base URL.
	BaseURLOverride string
	// Decompress asks the server for the body in clear. nil: as the provider
	// is set up, and so below.
	Decompress *bool
	// ForwardHeadersOnRedirect sends the headers to where a redirect leads too.
	ForwardHeadersOnRedirect *bool
}

// NetworkErrorHeader is in the answer of a proxied call that did not reach the
// provider: it holds the code of what happened, such as ECONNREFUSED.
const NetworkErrorHeader = "X-Linkspan-Network-Error"

// Proxy calls a provider and returns its answer, whatever the status: the
// caller closes the body. A failure of the server itself carries the header
// X-Linkspan-Error and is returned as an *Error; when the provider did not answer,
// the answer is the server's and has the header [NetworkErrorHeader].
func (c *Client) Proxy(ctx context.Context, p ProxyRequest) (*http.Response, error) {
	req, err := c.proxyRequest(ctx, p)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("calling the server: %w", err)
	}
	if resp.Header.Get("X-Linkspan-Error") != "" {
		defer resp.Body.Close()
		return nil, newError(resp)
	}
	return resp, nil
}

func (c *Client) proxyRequest(ctx context.Context, p ProxyRequest) (*http.Request, error) {
	method := p.Method
	if method == "" {
		method = http.MethodGet
	}
	target := c.base + "/proxy/" + strings.TrimPrefix(p.Endpoint, "/")
	if len(p.Query) > 0 {
		separator := "?"
		if strings.Contains(p.Endpoint, "?") {
			separator = "&"
		}
		target += separator + p.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, p.Body)
	if err != nil {
		return nil, fmt.Errorf("making the request for %s %s: %w", method, p.Endpoint, err)
	}
	c.sign(req)
	h := req.Header
	h.Set("Connection-Id", p.ConnectionID)
	h.Set("Provider-Config-Key", p.ProviderConfigKey)
	for name, values := range p.Header {
		h.Set("Nango-Proxy-"+name, strings.Join(values, ", "))
		if http.CanonicalHeaderKey(name) == "Content-Type" {
			h.Set(name, strings.Join(values, ", "))
		}
	}
	p.options(h)
	return req, nil
}

// options writes the headers that say how the server calls.
func (p *ProxyRequest) options(h http.Header) {
	if p.Retries > 0 {
		h.Set("Retries", strconv.Itoa(p.Retries))
	}
	if len(p.RetryOn) > 0 {
		codes := make([]string, len(p.RetryOn))
		for i, code := range p.RetryOn {
			codes[i] = strconv.Itoa(code)
		}
		h.Set("Retry-On", strings.Join(codes, ","))
	}
	if p.BaseURLOverride != "" {
		h.Set("Base-Url-Override", p.BaseURLOverride)
	}
	if p.Decompress != nil {
		h.Set("Decompress", strconv.FormatBool(*p.Decompress))
	}
	if p.ForwardHeadersOnRedirect != nil {
		h.Set("Forward-Headers-On-Redirect", strconv.FormatBool(*p.ForwardHeadersOnRedirect))
	}
}
