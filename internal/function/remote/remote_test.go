package remote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/function/remote"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// server answers the routes of the public API that a world asks, and notes what it
// was sent.
type server struct {
	mu   sync.Mutex
	sent []string
}

// marked are the headers that say how a call is made.
func marked(h http.Header) string {
	var out []string
	for name, values := range h {
		if strings.HasPrefix(name, "Nango-") || slices.Contains([]string{"Retries", "Retry-On", "Base-Url-Override", "Decompress", "Forward-Headers-On-Redirect", "Connection-Id", "Provider-Config-Key", "Content-Type"}, name) {
			out = append(out, name+"="+strings.Join(values, "|"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.sent = append(s.sent, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.RequestURI, marked(r.Header), body)))
	s.mu.Unlock()
	answer := func(status int, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /integrations/acme":
		answer(200, `{"data":{"unique_key":"acme","provider":"acme-api","credentials":{"type":"OAUTH2","client_id":"id","client_secret":"client-secret-1"}}}`)
	case "GET /providers/acme-api":
		answer(200, `{"data":{"name":"acme-api","proxy":{"base_url":"https://acme.example","paginate":{"type":"cursor"}}}}`)
	case "GET /integrations/plain":
		answer(200, `{"data":{"unique_key":"plain","provider":"plain-api"}}`)
	case "GET /providers/plain-api":
		answer(200, `{"data":{"name":"plain-api","proxy":{"base_url":"https://plain.example","headers":{"accept":"application/vnd.plain+json"}}}}`)
	case "GET /connections/c1":
		answer(200, `{"id":1,"connection_id":"c1","created_at":"2026-01-02T03:04:05.000+00:00","updated_at":"2026-01-02T03:04:05.000+00:00","metadata":{"a":1},"connection_config":{},
			"credentials":{"type":"OAUTH2","access_token":"access-token-1","raw":{"scope":"all"}}}`)
	case "GET /connections/gone":
		answer(404, `{"error":{"code":"not_found","message":"There is no such connection."}}`)
	case "GET /environment-variables":
		answer(200, `[{"name":"API_KEY","value":"variable-1"},{"name":"MODE","value":"production"},{"name":"UPSTREAM_KEY","value":"variable-2"}]`)
	case "POST /connections/metadata", "PATCH /connections/metadata":
		answer(200, `{}`)
	case "POST /action/trigger":
		if strings.Contains(string(body), "fails") {
			answer(424, `{"error":{"code":"script_http_error","payload":{"a":1},"upstream":{"status":404,"headers":{},"body":{"a":1}}}}`)
			return
		}
		answer(200, `{"done":true}`)
	case "GET /records":
		answer(200, `{"records":[{"id":"1","_nango_metadata":{"last_modified_at":"2020-01-01T00:00:00.000001Z","deleted_at":null}},
			{"id":"2","_nango_metadata":{"last_modified_at":"2020-01-01T00:00:00.000002Z","deleted_at":"2020-01-01T00:00:00.000002Z"}}],"next_cursor":"next"}`)
	case "GET /proxy/binary":
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write([]byte{0, 0xff, 'a'})
	case "GET /proxy/large":
		_, _ = w.Write(make([]byte, 2000))
	case "GET /proxy/down":
		w.Header().Set(client.NetworkErrorHeader, "ETIMEDOUT")
		answer(500, `{"message":"The upstream did not answer in time.","code":"ETIMEDOUT","status":null,"method":"GET"}`)
	case "GET /proxy/refused":
		w.Header().Set("X-Linkspan-Error", "true")
		answer(400, `{"error":{"code":"invalid_headers","message":"No.","errors":[{"code":"custom","message":"No.","path":["retries"]}]}}`)
	default:
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("X-Linkspan-Other", "of the server")
		w.Header().Add("X-Many", "a")
		w.Header().Add("X-Many", "b")
		answer(201, `{"token":"access-token-1"}`)
	}
}

// world returns a world on a server, and the server.
func world(t *testing.T, o remote.Options) (*remote.World, *server) {
	t.Helper()
	s := &server{}
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	c, err := client.New(listener.URL, "key", append(remote.Headers(linkspan.FunctionSync), client.WithRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	o.Integration, o.Connection = "acme", "c1"
	o.Guard = egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)
	w := remote.New(c, o)
	t.Cleanup(w.Close)
	return w, s
}

// called shows the reply to a call, or its error.
func called(t *testing.T, w *remote.World, name, params, body string) string {
	t.Helper()
	c := sandbox.Call{Name: name, JSON: []byte(params)}
	if body != "" {
		c.Body = []byte(body)
	}
	reply, err := w.Call(t.Context(), c)
	if e, ok := errors.AsType[*sandbox.CallError](err); ok {
		return "! " + string(e.JSON)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	out := string(reply.JSON)
	if reply.Body != nil {
		out += fmt.Sprintf(" %t %q", reply.Text, reply.Body)
	}
	return out
}

func TestCalls(t *testing.T) {
	t.Parallel()
	const marks = "Nango-Is-Dry-Run=true Nango-Is-Sync=true"
	const proxied = "Connection-Id=c1 " + marks + " "
	for _, tt := range []struct {
		name, call, params, body string
		want                     string
		sent                     []string // nil: not looked at
	}{
		{
			name: "proxy with everything", call: "http", body: "a=1",
			params: `{"method":"POST","endpoint":"/a b?q=é&x=%2F","headers":[["X-One","1"],["x-one","2"]],"contentType":"text/plain","retries":3,"retryOn":[418],"baseUrlOverride":"https://other.example","decompress":true,"forwardHeadersOnRedirect":true,"text":true}`,
			want:   `{"status":201,"statusText":"Created","headers":[["content-length","26"],["content-type","application/json"],["x-many","a"],["x-many","b"]]} true "{\"token\":\"access-token-1\"}"`,
			sent: []string{
				"GET /integrations/acme " + marks, "GET /providers/acme-api " + marks,
				"POST /proxy/a%20b?q=%C3%A9&x=%2F Base-Url-Override=https://other.example Connection-Id=c1 Content-Type=text/plain Decompress=true Forward-Headers-On-Redirect=true " + marks +
					" Nango-Proxy-Accept=application/json, text/plain, */* Nango-Proxy-Content-Type=text/plain Nango-Proxy-X-One=1, 2 Provider-Config-Key=acme Retries=3 Retry-On=418 a=1",
			},
		},
		{
			name: "the provider's accept", call: "http", params: `{"integration":"plain","connection":"p1","method":"GET","endpoint":"x"}`,
			sent: []string{
				"GET /integrations/plain " + marks, "GET /providers/plain-api " + marks, "GET /proxy/x Connection-Id=p1 " + marks + " Provider-Config-Key=plain",
			},
		},
		{
			name: "bytes", call: "http", params: `{"method":"GET","endpoint":"/binary","headers":[["Accept","*/*"]]}`,
			want: `{"status":200,"statusText":"OK","headers":[["content-length","3"],["content-type","application/octet-stream"]]} false "\x00\xffa"`,
			sent: []string{"GET /proxy/binary " + proxied + "Nango-Proxy-Accept=*/* Provider-Config-Key=acme"},
		},
		{name: "malformed text", call: "http", params: `{"method":"GET","endpoint":"/binary","headers":[["Accept","*/*"]],"text":true}`, want: `{"status":200,"statusText":"OK","headers":[["content-length","3"],["content-type","application/octet-stream"]]} true "\x00�a"`},
		{name: "too large", call: "http", params: `{"method":"GET","endpoint":"/large"}`, want: `! {"code":"response_too_large","message":"The answer is larger than the 1000 bytes that a function can be given. Ask for smaller pages, or for a part of the file with the header Range.","status":413}`},
		{name: "no answer", call: "http", params: `{"method":"GET","endpoint":"/down"}`, want: `! {"code":"ETIMEDOUT","message":"The upstream did not answer in time.","network":true}`},
		{name: "refused", call: "http", params: `{"method":"GET","endpoint":"/refused"}`, want: `! {"code":"invalid_headers","message":"No.","status":400,"errors":[{"code":"custom","message":"No.","path":["retries"]}]}`},
		{name: "no method", call: "http", params: `{"method":"CONNECT","endpoint":"/x"}`, want: `! {"code":"invalid_method","message":"The method of the call is not valid.","status":400}`, sent: []string{}},
		{
			name: "connection", call: "connection", params: `{"forceRefresh":true,"refreshToken":true}`,
			want: `{"id":1,"connection_id":"c1","provider_config_key":"","provider":"","errors":null,"end_user":null,"tags":null,"metadata":{"a":1},"connection_config":{},"webhook_url_override":null,"created_at":"2026-01-02T03:04:05.000+00:00","updated_at":"2026-01-02T03:04:05.000+00:00","last_fetched_at":null,"credentials":{"access_token":"access-token-1","raw":{"scope":"all"},"type":"OAUTH2"}}`,
			sent: []string{"GET /connections/c1?force_refresh=true&provider_config_key=acme&refresh_token=true " + marks},
		},
		{name: "no such connection", call: "connection", params: `{"connection":"gone"}`, want: `! {"code":"not_found","message":"There is no such connection.","status":404}`},
		{name: "integration", call: "integration", params: `{"include":["webhook","credentials","webhook"]}`, sent: []string{"GET /integrations/acme?include=credentials&include=webhook " + marks}},
		{name: "pagination", call: "pagination", params: `{}`, want: `{"type":"cursor"}`},
		{name: "no pagination", call: "pagination", params: `{"integration":"plain"}`, want: `null`},
		{name: "variables", call: "variables", want: `[{"name":"API_KEY","value":"variable-1"},{"name":"MODE","value":"production"},{"name":"UPSTREAM_KEY","value":"variable-2"}]`},
		{
			name: "metadata", call: "metadata", params: `{"metadata":{"n":9007199254740993}}`, want: `null`,
			sent: []string{`POST /connections/metadata Content-Type=application/json ` + marks + ` {"connection_id":"c1","provider_config_key":"acme","metadata":{"n":9007199254740993}}`},
		},
		{
			name: "merged metadata", call: "metadata", params: `{"metadata":{},"merge":true}`, want: `null`,
			sent: []string{`PATCH /connections/metadata Content-Type=application/json ` + marks + ` {"connection_id":"c1","provider_config_key":"acme","metadata":{}}`},
		},
		{name: "metadata that is none", call: "metadata", params: `{}`, want: `! {"code":"invalid_metadata","message":"Metadata must be an object.","status":400}`},
		{
			name: "action", call: "action", params: `{"action":"open","input":{"b":1,"a":2}}`, want: `{"done":true}`,
			sent: []string{`POST /action/trigger Connection-Id=c1 Content-Type=application/json ` + marks + ` Provider-Config-Key=acme {"action_name":"open","input":{"b":1,"a":2}}`},
		},
		{name: "failed action", call: "action", params: `{"action":"fails"}`, want: `! {"code":"script_http_error","message":"The server refused the call with the status 424.","status":424,"payload":{"a":1},"upstream":{"status":404,"headers":{},"body":{"a":1}}}`},
		{name: "syncs", call: "sync_trigger", params: `{"integration":"acme","syncs":[{"name":"a"}]}`, want: `null`, sent: []string{}},
		{name: "schedules", call: "sync_start", params: `{"integration":"acme","syncs":[]}`, want: `null`, sent: []string{}},
		{
			name: "records by ids", call: "records_by_ids", params: `{"model":"Issue","ids":["1","2"]}`,
			want: ` true "[{\"_nango_metadata\":{\"deleted_at\":null,\"last_modified_at\":\"2020-01-01T00:00:00.000001Z\"},\"id\":\"1\"}]"`,
			sent: []string{`GET /records?ids=1&ids=2&limit=1000&model=Issue&variant=eu Connection-Id=c1 ` + marks + ` Provider-Config-Key=acme`},
		},
		{name: "no ids", call: "records_by_ids", params: `{"model":"Issue","ids":[]}`, want: ` true "[]"`, sent: []string{}},
		{
			name: "records", call: "records_list", params: `{"model":"Issue","limit":5000,"cursor":"c","until":1577836800000001}`,
			want: `{"next":"next","until":1577836800000001,"late":1} true "[{\"_nango_metadata\":{\"deleted_at\":null,\"last_modified_at\":\"2020-01-01T00:00:00.000001Z\"},\"id\":\"1\"},{\"_nango_metadata\":{\"deleted_at\":\"2020-01-01T00:00:00.000002Z\",\"last_modified_at\":\"2020-01-01T00:00:00.000002Z\"},\"id\":\"2\"}]"`,
		},
		{name: "unknown", call: "checkpoint_get", want: `! {"code":"unknown_call","message":"There is no such call here.","status":400}`},
		{name: "nonsense", call: "http", params: `{"method":5}`, want: `! {"code":"invalid_parameters","message":"The parameter \"method\" of the call is of the wrong type.","status":400}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, s := world(t, remote.Options{Variant: "eu", MaxBody: 1000})
			got := called(t, w, tt.call, tt.params, tt.body)
			got = withoutDate(got)
			if tt.want != "" && got != tt.want {
				t.Errorf("answered %s\nwant     %s", got, tt.want)
			}
			if tt.sent == nil {
				return
			}
			if diff := cmp.Diff(tt.sent, append([]string{}, s.sent...)); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// withoutDate takes the date out of a head.
func withoutDate(text string) string {
	before, rest, ok := strings.Cut(text, `,["date","`)
	if !ok {
		return text
	}
	_, after, _ := strings.Cut(rest, `"]`)
	return before + after
}

// A server that is not there is no provider that does not answer.
func TestServerGone(t *testing.T) {
	t.Parallel()
	listener := httptest.NewServer(nil)
	listener.Close()
	c, err := client.New(listener.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	w := remote.New(c, remote.Options{Integration: "acme", Connection: "c1", Guard: egress.New(egress.Policy{}, nil)})
	defer w.Close()
	if got := called(t, w, "http", `{"method":"GET","endpoint":"/"}`, ""); !strings.HasPrefix(got, `! {"code":"server_unavailable"`) || strings.Contains(got, `"network"`) {
		t.Errorf("answered %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Call(ctx, sandbox.Call{Name: "variables"})
	if e, ok := errors.AsType[*sandbox.CallError](err); !ok || !strings.Contains(string(e.JSON), "script_aborted") {
		t.Errorf("a cancelled call failed with %v", err)
	}
}

// Metadata of a trial is read in place of the connection's, and not written there.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w, s := world(t, remote.Options{Metadata: json.RawMessage(`{"mine":true}`)})
	if got := called(t, w, "connection", `{}`, ""); !strings.Contains(got, `"metadata":{"mine":true}`) {
		t.Errorf("answered %s", got)
	}
	if got := called(t, w, "connection", `{"integration":"acme","connection":"c1"}`, ""); !strings.Contains(got, `"metadata":{"mine":true}`) {
		t.Errorf("answered %s", got)
	}
	if called(t, w, "metadata", `{"metadata":{"b":1}}`, ""); len(s.sent) != 3 || !strings.HasPrefix(s.sent[2], "POST /connections/metadata") {
		t.Errorf("sent %q", s.sent)
	}
	if got := called(t, w, "connection", `{"integration":"plain"}`, ""); !strings.Contains(got, `"metadata":{"a":1}`) {
		t.Errorf("of another connection it answered %s", got)
	}
}

// What a function was given is known, and taken out of what is shown.
func TestSecrets(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []remote.Exchange
	var said []string
	w, _ := world(t, remote.Options{
		Seen: func(x remote.Exchange) { mu.Lock(); defer mu.Unlock(); seen = append(seen, x) },
		Say:  func(text string) { mu.Lock(); defer mu.Unlock(); said = append(said, text) },
	})
	w.Know(api.FullConnection{Credentials: api.Credentials{"type": "API_KEY", "apiKey": "api-key-1"}, ConnectionConfig: map[string]any{"domain": "acme", "signingSecret": "signing-1"}})
	for _, name := range []string{"connection", "integration", "variables"} {
		called(t, w, name, `{}`, "")
		_ = w.Redact("") // what it learns after that counts, too
	}
	const text = "access-token-1 client-secret-1 variable-1 production variable-2 api-key-1 acme signing-1 all id"
	if got, want := w.Redact(text), "[redacted] [redacted] [redacted] production [redacted] [redacted] acme [redacted] all id"; got != want {
		t.Errorf("redacted %q, not %q", got, want)
	}
	if got := len(w.Secrets()); got != 6 {
		t.Errorf("%d secrets are known", got)
	}
	called(t, w, "http", `{"method":"GET","endpoint":"/x?key=unknown-1&t=access-token-1","retryAt":["x-reset"],"text":true}`, "")
	called(t, w, "http", `{"method":"GET","endpoint":"/down","baseUrlOverride":"https://u:p@other.example"}`, "")
	called(t, w, "http", `{"method":"GET","endpoint":"/down","baseUrlOverride":"https://other.example/v1/"}`, "")
	called(t, w, "fetch", `{"method":"GET","url":"http://169.254.169.254/"}`, "")
	want := []remote.Exchange{
		{Method: "GET", Target: "/x?key=[redacted]&t=[redacted]", Status: 201, Received: 26},
		{Method: "GET", Target: "https://other.example/v1/down", Problem: "ETIMEDOUT"},
		{Method: "GET", Target: "http://169.254.169.254/", Problem: "url_not_allowed"},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("exchanges (-want +got):\n%s", diff)
	}
	if len(said) != 1 || !strings.Contains(said[0], "retryHeader") {
		t.Errorf("said %q", said)
	}
	if got := w.Traffic(); got.Requests != 3 || got.Received == 0 {
		t.Errorf("traffic %+v", got)
	}
}

// Plain fetches carry nothing of the connection's, and follow the rules of the
// server's.
func TestFetch(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/there" {
			http.Redirect(w, r, "/here", http.StatusFound)
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Authorization")+r.Header.Get("Nango-Is-Dry-Run"), body)
	}))
	defer other.Close()
	w, s := world(t, remote.Options{})
	got := withoutDate(called(t, w, "fetch", fmt.Sprintf(`{"method":"GET","url":%q,"headers":[["x-a","b"]]}`, other.URL+"/there"), ""))
	want := fmt.Sprintf(`{"status":200,"statusText":"OK","headers":[["content-length","11"],["content-type","text/plain"]],"url":"%s/here","redirected":true} false "GET /here  "`, other.URL)
	if got != want {
		t.Errorf("answered %s\nwant     %s", got, want)
	}
	if len(s.sent) != 0 {
		t.Errorf("sent %q to the server", s.sent)
	}
	other.Close()
	if got := called(t, w, "fetch", fmt.Sprintf(`{"method":"GET","url":%q}`, other.URL), ""); !strings.Contains(got, `"ECONNREFUSED"`) || !strings.Contains(got, `"network":true`) {
		t.Errorf("answered %s", got)
	}
}
