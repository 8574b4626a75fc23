package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

// answers is a server that gives one answer after the other, the last one for
// ever.
type answers struct {
	list []answer
	seen []string
	when []time.Time
	last *http.Request
}

type answer struct {
	status int
	body   string
	header http.Header
}

// RoundTrip implements http.RoundTripper.
func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	a.seen = append(a.seen, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	a.when = append(a.when, time.Now())
	a.last = r
	next := a.list[0]
	if len(a.list) > 1 {
		a.list = a.list[1:]
	}
	if next.header == nil {
		next.header = http.Header{}
	}
	return &http.Response{StatusCode: next.status, Header: next.header, Body: io.NopCloser(strings.NewReader(next.body)), Request: r}, nil
}

func connect(t *testing.T, a *answers, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New("http://host.example/base/", "the-key", append(options, client.WithHTTPClient(&http.Client{Transport: a}))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"http://localhost:3003": true, "https://x.example/base/": true, "localhost:3003": false, "": false, "ftp://x": false,
		"http://u:p@x.example": false, "http://x.example?a": false, "http://x.example#a": false, "http://": false, "http://a b": false,
	} {
		_, err := client.New(text, "k")
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for want, f := range map[string]func(*client.Client) error{
		"GET /base/integrations/a%2Fb%3Fc?include=webhook&include=credentials": func(c *client.Client) error {
			_, err := c.Integration(ctx, "a/b?c", "webhook", "credentials")
			return err
		},
		"GET /base/connections/%2E%2E?force_refresh=true&provider_config_key=k": func(c *client.Client) error {
			_, err := c.Connection(ctx, "..", api.ConnectionQuery{ProviderConfigKey: "k", ForceRefresh: new(true)})
			return err
		},
		"GET /base/connections?integrationId=a&integrationId=b&limit=5&tags%5Bplan%5D=p+q": func(c *client.Client) error {
			_, err := c.Connections(ctx, api.ConnectionsQuery{IntegrationID: []string{"a", "b"}, Tags: map[string]string{"plan": "p q"}, Limit: new(5)})
			return err
		},
		`PATCH /base/connections/c?provider_config_key=k {"webhook_url_override":null}`: func(c *client.Client) error {
			return c.PatchConnection(ctx, "k", "c", api.PatchConnection{WebhookURLOverride: api.Null[string]()})
		},
		"GET /base/logs/operations?from=2026-01-02T03%3A04%3A05Z": func(c *client.Client) error {
			_, err := c.Operations(ctx, api.OperationsQuery{From: new(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))})
			return err
		},
	} {
		a := &answers{list: []answer{{status: 200, body: `{}`}}}
		if err := f(connect(t, a, client.WithUserAgent("test/1"))); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if diff := cmp.Diff([]string{want}, a.seen); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		if h := a.last.Header; h.Get("Authorization") != "Bearer the-key" || !strings.HasSuffix(h.Get("User-Agent"), " test/1") {
			t.Errorf("headers %v", h)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	a := &answers{list: []answer{
		{status: 400, body: `{"error":{"code":"invalid_body","message":"no","errors":[{"code":"custom","message":"bad","path":["a",0]}],"payload":{"x":1}}}`},
		{status: 502, body: `<html>`},
		{status: 200, body: `[`},
	}}
	c := connect(t, a)
	_, err := c.Integrations(t.Context())
	e, ok := client.AsError(err)
	if !ok {
		t.Fatal(err)
	}
	want := &client.Error{Status: 400, Code: "invalid_body", Message: "no", Payload: []byte(`{"x":1}`), Issues: []api.ErrorIssue{{Code: "custom", Message: "bad", Path: []any{"a", float64(0)}}}}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if !client.HasCode(err, "invalid_body") || client.HasCode(err, "other") || client.HasCode(errors.New("x"), "invalid_body") {
		t.Error("HasCode is wrong")
	}
	if want := "the server answered 400 invalid_body: no; bad at [a 0]"; err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	if e, ok := client.AsError(second(c.Integrations(t.Context()))); !ok || e.Status != 502 || e.Code != "" || e.Message != "Bad Gateway" {
		t.Errorf("an error that is not ours: %+v", e)
	}
	if err := second(c.Integrations(t.Context())); err == nil || strings.Contains(err.Error(), "the-key") {
		t.Errorf("a broken reply: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestRepetition(t *testing.T) {
	t.Parallel()
	busy := func(header ...string) answer {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return answer{status: 503, body: `{"error":{"code":"unavailable"}}`, header: h}
	}
	limited := answer{status: 429, body: `{"error":{"code":"too_many_request"}}`, header: http.Header{"Retry-After": {"7"}}}
	good := answer{status: 200, body: `{"data":[]}`}
	get := func(ctx context.Context, c *client.Client) error { return second(c.Integrations(ctx)) }
	post := func(ctx context.Context, c *client.Client) error {
		return second(c.CreateIntegration(ctx, api.CreateIntegration{}))
	}
	for _, tt := range []struct {
		name     string
		list     []answer
		options  []client.Option
		do       func(context.Context, *client.Client) error
		requests int
		fails    bool
		least    time.Duration
	}{
		{"a pause that the server asks for", []answer{limited, good}, nil, get, 2, false, 7 * time.Second},
		{"pauses of our own", []answer{busy(), busy(), good}, nil, get, 3, false, 750 * time.Millisecond},
		{"a pause too long", []answer{busy("Retry-After", "86400"), good}, nil, get, 2, false, time.Minute},
		{"never ending", []answer{busy()}, nil, get, 4, true, 0},
		{"for hours", []answer{busy()}, []client.Option{client.WithRetries(70)}, get, 71, true, 0},
		{"not wanted", []answer{busy(), good}, []client.Option{client.WithRetries(0)}, get, 1, true, 0},
		{"not safe to repeat", []answer{busy(), good}, nil, post, 1, true, 0},
		{"no use in repeating", []answer{{status: 500, body: `{}`}, good}, nil, get, 1, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: tt.list}
				err := tt.do(t.Context(), connect(t, a, tt.options...))
				if len(a.seen) != tt.requests || (err != nil) != tt.fails {
					t.Errorf("%d requests, error %v", len(a.seen), err)
				}
				if took := a.when[len(a.when)-1].Sub(a.when[0]); took < tt.least || took > tt.least+5*time.Second && tt.requests < 10 {
					t.Errorf("took %v, want %v or a little more", took, tt.least)
				}
			})
		})
	}
}

// A caller that gives up while waiting gets the server's answer.
func TestGivingUpWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{list: []answer{{status: 429, body: `{"error":{"code":"too_many_request"}}`, header: http.Header{"Retry-After": {"30"}}}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := second(connect(t, a).Integrations(ctx)); !client.HasCode(err, "too_many_request") || len(a.seen) != 1 {
			t.Errorf("%d requests, error %v", len(a.seen), err)
		}
	})
}

func TestIterators(t *testing.T) {
	t.Parallel()
	a := &answers{list: []answer{
		{status: 200, body: `{"data":[{"id":"3"},{"id":"2"}],"next_cursor":"2"}`}, {status: 200, body: `{"data":[{"id":"1"}],"next_cursor":null}`},
	}}
	var ids []string
	for op, err := range connect(t, a).AllOperations(t.Context(), api.OperationsQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, op.ID)
	}
	if diff := cmp.Diff([]string{"3", "2", "1"}, ids); diff != "" || len(a.seen) != 2 || !strings.HasSuffix(a.seen[1], "before=2") {
		t.Errorf("walked %v with %v", ids, a.seen)
	}
	// A walk begins at the beginning, however often it is taken.
	pages := &answers{list: []answer{
		{status: 200, body: `{"data":[{"id":"2"}],"next_cursor":"2"}`},
		{status: 200, body: `{"data":[],"next_cursor":null}`},
		{status: 200, body: `{"data":[],"next_cursor":null}`},
		{status: 200, body: `{"connections":[{"connection_id":"a"}]}`},
		{status: 200, body: `{"connections":[]}`},
	}}
	c := connect(t, pages)
	operations, connections := c.AllOperations(t.Context(), api.OperationsQuery{}), c.AllConnections(t.Context(), api.ConnectionsQuery{Limit: new(1)})
	for range 2 {
		for _, err := range operations {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		for _, err := range connections {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff([]string{
		"GET /base/logs/operations", "GET /base/logs/operations?before=2", "GET /base/logs/operations",
		"GET /base/connections?limit=1&page=0", "GET /base/connections?limit=1&page=1", "GET /base/connections?limit=1&page=0",
	}, pages.seen); diff != "" {
		t.Errorf("two walks (-want +got):\n%s", diff)
	}
	broken := &answers{list: []answer{{status: 200, body: `{"connections":[{"connection_id":"a"}]}`}, {status: 403, body: `{"error":{"code":"forbidden"}}`}}}
	var last error
	n := 0
	for _, err := range connect(t, broken).AllConnections(t.Context(), api.ConnectionsQuery{Limit: new(1)}) {
		n++
		last = err
	}
	if n != 2 || !client.HasCode(last, "forbidden") {
		t.Errorf("%d steps, last error %v", n, last)
	}
}

// Where a provider redirects to is not told who called, and a misplaced server
// is reported instead of a POST becoming a GET elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	t.Cleanup(web.Close)
	c, err := client.New(web.URL, "the-key")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Proxy(t.Context(), client.ProxyRequest{Endpoint: "/x", ProviderConfigKey: "k", ConnectionID: "c"})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/elsewhere" {
		t.Errorf("status %d, location %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if e, ok := client.AsError(second(c.CreateIntegration(t.Context(), api.CreateIntegration{}))); !ok || e.Status != http.StatusFound {
		t.Errorf("error %+v", e)
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	a := &answers{list: []answer{
		{status: 404, body: `{"error":{"code":"theirs"}}`},
		{status: 400, body: `{"error":{"code":"invalid_headers"}}`, header: http.Header{"X-Linkspan-Error": {"true"}}},
	}}
	c := connect(t, a)
	request := client.ProxyRequest{
		Method: "REPORT", Endpoint: "/x//y?a=1", ProviderConfigKey: "k", ConnectionID: "c", Query: map[string][]string{"b": {"2"}},
		Header: http.Header{"content-type": {"text/xml"}, "Accept": {"a", "b"}}, Retries: 2, RetryOn: []int{404, 409}, BaseURLOverride: "https://o.example",
		Decompress: new(true), ForwardHeadersOnRedirect: new(false), Body: strings.NewReader("<x/>"),
	}
	resp, err := c.Proxy(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if diff := cmp.Diff([]string{"REPORT /base/proxy/x//y?a=1&b=2 <x/>"}, a.seen); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Connection-Id": "c", "Provider-Config-Key": "k", "Retries": "2", "Retry-On": "404,409", "Base-Url-Override": "https://o.example", "Decompress": "true",
		"Forward-Headers-On-Redirect": "false", "Nango-Proxy-Content-Type": "text/xml", "Content-Type": "text/xml", "Nango-Proxy-Accept": "a, b", "Accept": "",
	} {
		if got := a.last.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	request.Body = nil
	resp, err = c.Proxy(t.Context(), request) //nolint:bodyclose // there is none with an error
	if resp != nil || !client.HasCode(err, "invalid_headers") {
		t.Errorf("the server's own failure: %v", err)
	}
}
