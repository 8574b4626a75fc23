package httpx_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/httpx"
)

// echo answers with the pattern it was registered for and the path values.
func echo(pattern string, names ...string) httpx.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		got := map[string]string{"pattern": pattern}
		for _, n := range names {
			got[n] = r.PathValue(n)
		}
		return httpx.WriteJSON(w, http.StatusOK, got)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newRouter(cfg httpx.Config) *httpx.Router {
	if cfg.Log == nil {
		cfg.Log = discard()
	}
	rt := httpx.New(cfg)
	rt.Add(
		httpx.Route{Method: "GET", Pattern: "/", Handler: echo("/")},
		httpx.Route{Method: "GET", Pattern: "/records", Handler: echo("/records")},
		httpx.Route{Method: "POST", Pattern: "/connections/metadata", Handler: echo("metadata")},
		httpx.Route{Method: "GET", Pattern: "/connections/{id}", Handler: echo("connection", "id")},
		httpx.Route{Method: "DELETE", Pattern: "/connections/{id}", Handler: echo("delete connection", "id")},
		httpx.Route{Method: "GET", Pattern: "/a/{x}/b/{y}", Handler: echo("ab", "x", "y")},
		httpx.Route{Method: "GET", Pattern: "/files/{rest...}", Handler: echo("files", "rest")},
		httpx.Route{Pattern: "/any", Handler: echo("any")},
		httpx.Route{Method: "POST", Pattern: "/body", BodyLimit: 10, Handler: func(w http.ResponseWriter, r *http.Request) error {
			v, err := httpx.DecodeBody[map[string]any](r)
			if err != nil {
				return err
			}
			return httpx.WriteJSON(w, http.StatusCreated, v)
		}},
		httpx.Route{Raw: true, Pattern: "/proxy/", Handler: func(w http.ResponseWriter, r *http.Request) error {
			_, err := io.WriteString(w, r.URL.EscapedPath())
			return err
		}},
	)
	return rt
}

// send performs a request whose target is taken as it is, as from a socket.
func send(h http.Handler, method, target string, body string, header ...string) *httptest.ResponseRecorder {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, "/", reader)
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	if err != nil {
		panic(err)
	}
	r.URL, r.RequestURI = parsed.URL, parsed.RequestURI
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	rt := newRouter(httpx.Config{})
	notFound := `{"error":{"code":"not_found","message":"There is no such route."}}`
	tests := []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/", 200, `{"pattern":"/"}`},
		{"GET", "/records", 200, `{"pattern":"/records"}`},
		{"GET", "/records/", 200, `{"pattern":"/records"}`},
		{"GET", "/records/?model=x", 200, `{"pattern":"/records"}`},
		{"HEAD", "/records", 200, `{"pattern":"/records"}`},
		{"GET", "/connections/c1", 200, `{"id":"c1","pattern":"connection"}`},
		{"GET", "/connections/c1/", 200, `{"id":"c1","pattern":"connection"}`},
		{"GET", "/connections/metadata", 200, `{"id":"metadata","pattern":"connection"}`},
		{"POST", "/connections/metadata", 200, `{"pattern":"metadata"}`},
		{"GET", "/connections/a%2Fb", 200, `{"id":"a/b","pattern":"connection"}`},
		{"GET", "/connections/%2e%2e", 200, `{"id":"..","pattern":"connection"}`},
		{"GET", "/connections/a+b%20c%3F", 200, `{"id":"a+b c?","pattern":"connection"}`},
		{"GET", "/a/1/b/2", 200, `{"pattern":"ab","x":"1","y":"2"}`},
		{"GET", "/files/a/b%20c.svg", 200, `{"pattern":"files","rest":"a/b c.svg"}`},
		{"PATCH", "/any", 200, `{"pattern":"any"}`},
		{"GET", "/nothing", 404, notFound},
		{"GET", "//", 404, notFound},
		{"GET", "//records", 404, notFound},
		{"GET", "/records//", 404, notFound},
		{"GET", "/x/../records", 404, notFound},
		{"GET", "/./records", 404, notFound},
		{"GET", "/connections/..", 404, notFound},
		{"GET", "/connections/.", 404, notFound},
		{"GET", "/connections//", 404, notFound},
		{"GET", "/connections/", 404, notFound},
		{"GET", "/connections%2Fc1", 404, notFound},
		{"GET", "/%72ecords", 404, notFound},
		{"GET", "/a//b/2", 404, notFound},
		{"GET", "/a/../b/2", 404, notFound},
		{"GET", "/files/../x", 404, notFound},
		{"GET", "/files/%2e%2e/x", 404, notFound},
		{"GET", "/files/a/..%2Fx", 404, notFound},
		{"GET", "/files/a//b", 404, notFound},
		{"GET", "/files/a%5C..%5Cb", 404, notFound},
		{"GET", "/files/", 404, notFound},
		{"GET", "/proxy", 404, notFound},
		{"GET", "/%70roxy/x", 404, notFound},
		{"GET", "/proxy/", 200, "/proxy/"},
		{"GET", "/proxy//a/../b%2Fc//", 200, "/proxy//a/../b%2Fc//"},
		{"PROPFIND", "/proxy/https://x.com/y", 200, "/proxy/https://x.com/y"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			t.Parallel()
			w := send(rt, tt.method, tt.target, "")
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("Access-Control-Allow-Origin = %q, want *", got)
			}
		})
	}
}

func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	w := send(newRouter(httpx.Config{}), "PUT", "/connections/c1", "")
	if w.Code != http.StatusMethodNotAllowed {
		t.Fatalf("status = %d, want 405", w.Code)
	}
	if got, want := w.Header().Get("Allow"), "DELETE, GET, HEAD, OPTIONS"; got != want {
		t.Errorf("Allow = %q, want %q", got, want)
	}
	if !strings.Contains(w.Body.String(), `"code":"method_not_allowed"`) {
		t.Errorf("body = %s", w.Body)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	guarded := false
	rt := newRouter(httpx.Config{Guard: func(_ http.ResponseWriter, r *http.Request, _ *httpx.Route) (*http.Request, error) {
		guarded = true
		return r, nil
	}})
	for _, target := range []string{"/connections/c1", "/proxy/x"} {
		w := send(rt, "OPTIONS", target, "", "Origin", "https://app.example", "Access-Control-Request-Method", "GET")
		if w.Code != http.StatusNoContent || guarded {
			t.Errorf("%s: status = %d, guarded = %t", target, w.Code, guarded)
		}
		for _, name := range []string{"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s: no %s", target, name)
			}
		}
	}
	if w := send(rt, "OPTIONS", "/nothing", ""); w.Code != http.StatusNotFound {
		t.Errorf("unknown route: status = %d, want 404", w.Code)
	}
	if w := send(rt, "OPTIONS", "/proxy/x", ""); w.Code != http.StatusOK || !guarded {
		t.Errorf("a plain OPTIONS did not reach the raw route: status = %d", w.Code)
	}
}

func TestBodyRules(t *testing.T) {
	t.Parallel()
	rt := newRouter(httpx.Config{})
	tests := []struct {
		name, method, target, contentType, body string
		status                                  int
		want                                    string
	}{
		{"json", "POST", "/body", "application/json", `{"a":1}`, 201, `{"a":1}`},
		{"charset", "POST", "/body", "Application/JSON; charset=utf-8", `{"a":1}`, 201, `{"a":1}`},
		{"no content type", "POST", "/body", "", `{"a":1}`, 201, `{"a":1}`},
		{"json without body", "GET", "/records", "application/json", "", 200, `{"pattern":"/records"}`},
		{"form", "POST", "/body", "application/x-www-form-urlencoded", `a=1`, 415, `{"error":{"code":"invalid_content_type","message":"Content-Type header must be application/json"}}`},
		{"raw routes take all", "POST", "/proxy/x", "text/xml", `<a/>`, 200, "/proxy/x"},
		{"too large", "POST", "/body", "", `{"a":12345678}`, 413, `{"error":{"code":"request_too_large","message":"The request body is larger than the limit of 10 bytes."}}`},
		{"one byte too many", "POST", "/body", "", `{"a":12345}`, 413, `{"error":{"code":"request_too_large","message":"The request body is larger than the limit of 10 bytes."}}`},
		{"at the limit", "POST", "/body", "", `{"a":1234}`, 201, `{"a":1234}`},
		{"malformed", "POST", "/body", "", `{"a"`, 400, `{"error":{"code":"invalid_json","message":"unexpected end of JSON input"}}`},
		{"syntax", "POST", "/body", "", `{a}`, 400, `{"error":{"code":"invalid_json","message":"invalid character 'a' looking for beginning of object key string (at byte 2)"}}`},
		{"trailing", "POST", "/body", "", `{} {}`, 400, `{"error":{"code":"invalid_json","message":"unexpected text after the JSON value at byte 4"}}`},
		{"wrong type", "POST", "/body", "", `[]`, 400, `{"error":{"code":"invalid_body","errors":[{"code":"invalid_type","message":"Invalid input: expected record, received array","path":[]}]}}`},
		{"absent", "POST", "/body", "", "", 400, `{"error":{"code":"invalid_body","errors":[{"code":"invalid_type","message":"Invalid input: expected record, received undefined","path":[]}]}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var header []string
			if tt.contentType != "" {
				header = []string{"Content-Type", tt.contentType}
			}
			w := send(rt, tt.method, tt.target, tt.body, header...)
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

// chunked hides the length of a body.
type chunked struct{ io.Reader }

func TestBodyLimitWithoutLength(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/body", chunked{strings.NewReader(`{"a":"` + strings.Repeat("x", 100) + `"}`)})
	w := httptest.NewRecorder()
	newRouter(httpx.Config{}).ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413: %s", w.Code, w.Body)
	}
}

// observed is a Metrics that keeps what it is told.
type observed struct {
	Method, Pattern string
	Status          int
	Bytes           int64
}

func (o *observed) ObserveRequest(method, pattern string, status int, _ time.Duration, bytes int64) {
	*o = observed{method, pattern, status, bytes}
}

// serveOne runs one handler behind a real router and returns the answer, the
// log line and what the metrics saw.
func serveOne(t *testing.T, handler httpx.Handler) (*httptest.ResponseRecorder, map[string]any, observed) {
	t.Helper()
	var log bytes.Buffer
	var seen observed
	rt := httpx.New(httpx.Config{Log: slog.New(slog.NewJSONHandler(&log, nil)), Metrics: &seen})
	rt.Add(httpx.Route{Method: "GET", Pattern: "/things/{id}", Handler: handler})
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // a panic value
				t.Errorf("panic: %v", v)
			}
		}()
		rt.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/things/secret-name", nil))
	}()
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("the log is not one line of JSON: %v\n%s", err, &log)
	}
	return w, line, seen
}

func TestUnexpectedErrorsStayInside(t *testing.T) {
	t.Parallel()
	handlers := map[string]httpx.Handler{
		"error": func(http.ResponseWriter, *http.Request) error { return errors.New("pq: internal detail") },
		"panic": func(http.ResponseWriter, *http.Request) error { panic("internal detail") },
		"kind": func(http.ResponseWriter, *http.Request) error {
			return linkspan.E("x", linkspan.KindInternal, "", errors.New("internal detail"), "internal detail")
		},
	}
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, line, seen := serveOne(t, h)
			var got struct {
				Error struct{ Code, Message, Payload string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			id := got.Error.Payload
			if w.Code != 500 || got.Error.Code != "generic_error_support" || !linkspan.IsUUIDv4(id) || !strings.Contains(got.Error.Message, id) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "internal detail") {
				t.Errorf("the answer holds the cause: %s", w.Body)
			}
			if line["error_id"] != id || !strings.Contains(line["error"].(string), "internal detail") || line["level"] != "ERROR" {
				t.Errorf("the log line does not name the cause under the id: %v", line)
			}
			if _, hasStack := line["stack"]; hasStack != (name == "panic") {
				t.Errorf("stack in the log: %t", hasStack)
			}
			if want := (observed{"GET", "/things/{id}", 500, int64(w.Body.Len())}); seen != want {
				t.Errorf("metrics saw %+v, want %+v", seen, want)
			}
		})
	}
}

func TestErrorAfterTheAnswerBeganCutsIt(t *testing.T) {
	t.Parallel()
	w, line, _ := serveOne(t, func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "partial")
		return errors.New("upstream went away")
	})
	if w.Body.String() != "partial" {
		t.Errorf("body = %q", w.Body)
	}
	if line["error"] != "upstream went away" || line["error_code"] != "answer_cut_short" {
		t.Errorf("line = %v", line)
	}
}

func TestEventLine(t *testing.T) {
	t.Parallel()
	w, line, _ := serveOne(t, func(w http.ResponseWriter, r *http.Request) error {
		e := httpx.EventFrom(r.Context())
		e.Principal, e.Account, e.Environment, e.Key = "environment_key", 1, 2, 3
		e.Integration, e.Connection, e.Provider = "gh", "c1", "github"
		e.Operation, e.UpstreamStatus, e.Retries = "op", 502, 1
		return httpx.WriteNoContent(w)
	})
	for _, volatile := range []string{"time", "took_ms"} {
		delete(line, volatile)
	}
	want := map[string]any{
		"level": "INFO", "msg": "request", "request_id": w.Header().Get("X-Linkspan-Request-Id"),
		"method": "GET", "route": "/things/{id}", "status": 204.0, "bytes": 0.0, "remote": "192.0.2.1",
		"principal": "environment_key", "account_id": 1.0, "environment_id": 2.0, "key_id": 3.0,
		"integration": "gh", "connection": "c1", "provider": "github", "operation_id": "op",
		"upstream_status": 502.0, "retries": 1.0,
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("log line (-want +got):\n%s", diff)
	}
}

// What a customer's function failed with is neither ours nor for our log.
func TestFailuresOfFunctionsAreNotOurs(t *testing.T) {
	t.Parallel()
	for status, level := range map[int]string{http.StatusInternalServerError: "WARN", http.StatusBadRequest: "INFO"} {
		w, line, _ := serveOne(t, func(_ http.ResponseWriter, r *http.Request) error {
			httpx.EventFrom(r.Context()).FunctionFailed = true
			return linkspan.E("op", linkspan.KindInvalid, "script_internal_error", nil, "what it said").WithStatus(status)
		})
		if !strings.Contains(w.Body.String(), "what it said") {
			t.Errorf("%d: the caller is not told: %s", status, w.Body)
		}
		if line["level"] != level || line["error_code"] != "script_internal_error" || line["error"] != nil {
			t.Errorf("%d: the line is %v", status, line)
		}
	}
}

// TestFailuresOfUpstreamsAreNotOurs looks at the level of the log line.
func TestFailuresOfUpstreamsAreNotOurs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, upstream int
		failure, want    string
	}{
		{502, 502, "", "WARN"},
		{500, 0, "ECONNREFUSED", "WARN"},
		{200, 200, "ECONNRESET", "WARN"},
		{404, 404, "", "INFO"},
		{500, 0, "", "ERROR"},
	} {
		_, line, _ := serveOne(t, func(w http.ResponseWriter, r *http.Request) error {
			e := httpx.EventFrom(r.Context())
			e.UpstreamStatus, e.UpstreamError = c.upstream, c.failure
			w.WriteHeader(c.status)
			return nil
		})
		if failure, _ := line["upstream_error"].(string); line["level"] != c.want || failure != c.failure {
			t.Errorf("%+v: %v", c, line)
		}
	}
}

func TestErrorEnvelope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"plain", linkspan.E("x", linkspan.KindNotFound, "not_found", nil, "No <thing>"), 404, `{"error":{"code":"not_found","message":"No <thing>"}}`},
		{"wrapped", errors.Join(errors.New("outer"), linkspan.E("x", linkspan.KindConflict, "", nil, "Taken")), 409, `{"error":{"code":"conflict","message":"Taken"}}`},
		{"hint", linkspan.E("x", linkspan.KindUnavailable, "", nil, "Down.").WithHint("Wait."), 503, `{"error":{"code":"unavailable","message":"Down. Wait."}}`},
		{"status", linkspan.E("x", linkspan.KindNotFound, "unknown_connection", nil, "m").WithStatus(400), 400, `{"error":{"code":"unknown_connection","message":"m"}}`},
		{"payload", linkspan.E("x", linkspan.KindUpstream, "invalid_credentials", nil, "m").WithPayload(map[string]any{}), 424, `{"error":{"code":"invalid_credentials","message":"m","payload":{}}}`},
		{"bad payload", linkspan.E("x", linkspan.KindInvalid, "c", nil, "m").WithPayload(func() {}), 400, `{"error":{"code":"c","message":"m"}}`},
		{"issue", httpx.Invalid("invalid_body", "custom", "No", "a", 0), 400, `{"error":{"code":"invalid_body","errors":[{"code":"custom","message":"No","path":["a",0]}]}}`},
		{"rate", linkspan.E("x", linkspan.KindRateLimited, "", nil, "slow"), 429, `{"error":{"code":"too_many_request","method":"GET","path":"/things/secret-name"}}`},
		{"internal with code", linkspan.E("x", linkspan.KindInternal, "server_error", errors.New("cause"), "Failed"), 500, `{"error":{"code":"server_error","message":"Failed"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, _, _ := serveOne(t, func(http.ResponseWriter, *http.Request) error { return tt.err })
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.body)
			}
		})
	}
}

func TestGuardDecides(t *testing.T) {
	t.Parallel()
	reached := false
	rt := httpx.New(httpx.Config{Log: discard(), Guard: func(w http.ResponseWriter, r *http.Request, route *httpx.Route) (*http.Request, error) {
		w.Header().Set("X-Guard", route.Pattern)
		return r, linkspan.E("x", linkspan.KindUnauthenticated, "missing_auth_header", nil, "m")
	}})
	handler := func(http.ResponseWriter, *http.Request) error { reached = true; return nil }
	rt.Add(httpx.Route{Method: "GET", Pattern: "/x", Handler: handler}, httpx.Route{Raw: true, Pattern: "/proxy/", Handler: handler})
	for target, pattern := range map[string]string{"/x": "/x", "/proxy/y": "/proxy/"} {
		w := send(rt, "GET", target, "")
		if w.Code != 401 || reached || w.Header().Get("X-Guard") != pattern || w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: got %d, reached %t, headers %v", target, w.Code, reached, w.Header())
		}
		if own := w.Header().Get("X-Linkspan-Error"); (own == "true") != (pattern == "/proxy/") {
			t.Errorf("%s: X-Linkspan-Error = %q", target, own)
		}
	}
}

// badHook has a method that looks like a rule and would never be called.
type badHook struct{}

func (badHook) Check() error { return nil }

func TestAddPanicsOnMistakes(t *testing.T) {
	t.Parallel()
	type badTag struct {
		A string `check:"requird"`
	}
	mistakes := map[string][]httpx.Route{
		"duplicate":   {{Method: "GET", Pattern: "/a/{x}"}, {Method: "GET", Pattern: "/a/{y}"}},
		"no slash":    {{Pattern: "a"}},
		"open brace":  {{Pattern: "/{a"}},
		"raw prefix":  {{Raw: true, Pattern: "/a"}},
		"unknown tag": {{Pattern: "/a", Body: badTag{}}},
		"bad hook":    {{Pattern: "/a", Body: badHook{}}},
		"bad type":    {{Pattern: "/a", Query: struct{ C chan int }{}}},
	}
	for name, routes := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			httpx.New(httpx.Config{Log: discard()}).Add(routes...)
		})
	}
}

func BenchmarkDispatch(b *testing.B) {
	rt := httpx.New(httpx.Config{Log: discard()})
	ok := func(w http.ResponseWriter, _ *http.Request) error { return httpx.WriteNoContent(w) }
	rt.Add(
		httpx.Route{Raw: true, Pattern: "/proxy/", Handler: ok},
		httpx.Route{Method: "GET", Pattern: "/connections", Handler: ok},
		httpx.Route{Method: "GET", Pattern: "/connections/{id}", Handler: ok},
		httpx.Route{Method: "POST", Pattern: "/connections/metadata", Handler: ok},
	)
	for name, target := range map[string]string{"raw": "/proxy/user/repos", "literal": "/connections", "param": "/connections/c1"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, target, nil)
			w := nullWriter{}
			b.ReportAllocs()
			for b.Loop() {
				clear(w)
				rt.ServeHTTP(w, r)
			}
		})
	}
}

// nullWriter is a response writer that costs nothing.
type nullWriter http.Header

func (w nullWriter) Header() http.Header         { return http.Header(w) }
func (w nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w nullWriter) WriteHeader(int)             {}
