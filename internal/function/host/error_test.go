package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// TestAxiosErrors looks at what a function that catches gets.
func TestAxiosErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("X-RateLimit-Left", "3")
		switch r.URL.Path {
		case "/api/missing":
			rw.WriteHeader(http.StatusNotFound)
		case "/api/broken":
			rw.WriteHeader(http.StatusBadGateway)
		case "/api/same":
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = rw.Write([]byte(`{"reason":"none"}`))
	})
	for path, want := range map[string]string{
		"missing": `[true,"AxiosError","Request failed with status code 404","ERR_BAD_REQUEST",404,404,"Not Found",{"reason":"none"},"3","get","missing",true,true]`,
		"broken":  `[true,"AxiosError","Request failed with status code 502","ERR_BAD_RESPONSE",502,502,"Bad Gateway",{"reason":"none"},"3","get","broken",true,true]`,
		"same":    `[true,"AxiosError","Request failed with status code 304","ERR_BAD_RESPONSE",304,304,"Not Modified","","3","get","same",true,true]`,
	} {
		got := w.run(t, `try { await nango.get({endpoint: "`+path+`"}) } catch (e) {
			const j = e.toJSON();
			return [e.isAxiosError, e.name, e.message, e.code, e.status, e.response.status, e.response.statusText, e.response.data, e.response.headers["x-ratelimit-left"],
				e.config.method, e.config.url, e instanceof Error, j.message === e.message && j.code === e.code && j.status === e.status && j.config.url === e.config.url] }`).text(t)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	w.saas.Close()
	got := w.run(t, `try { await nango.get({endpoint: "/a"}) } catch (e) { return [e.isAxiosError, e.code, e.response ?? null, e.config.url] }`).text(t)
	if want := `[true,"ECONNREFUSED",null,"/a"]`; got != want {
		t.Errorf("without an answer: %s, want %s", got, want)
	}
}

// TestRunErrors lets functions fail in every way and looks at what callers of the
// public API are told.
func TestRunErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		rw.Header().Set("X-RateLimit-Remaining", "0")
		rw.Header().Set("X-Other", "1")
		rw.WriteHeader(http.StatusTeapot)
		switch r.URL.Path {
		case "/api/payload":
			_, _ = rw.Write([]byte(`{"payload":{"inner":1}}`))
		case "/api/text":
			_, _ = rw.Write([]byte(`short and stout`))
		case "/api/echo":
			_, _ = rw.Write([]byte(`{"bad":"the token ` + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + ` is not mine"}`))
		default:
			_, _ = rw.Write([]byte(`{"error":"teapot"}`))
		}
	})
	upstream := func(body string) *linkspan.UpstreamAnswer {
		return &linkspan.UpstreamAnswer{
			Status: 418, Headers: map[string]string{"content-type": "application/json; charset=utf-8", "x-ratelimit-remaining": "0"}, Body: json.RawMessage(body),
		}
	}
	const http418, thrown = "Request failed with status code 418", "The action script failed with a runtime error"
	for name, tt := range map[string]struct {
		body string
		want linkspan.RunError
	}{
		"ActionError":          {`throw new nango.ActionError({a: 1})`, linkspan.RunError{Code: "action_script_runtime_error", Message: thrown, Payload: json.RawMessage(`{"a":1}`)}},
		"ActionError, text":    {`throw new nango.ActionError("no")`, linkspan.RunError{Code: "action_script_runtime_error", Message: thrown, Payload: json.RawMessage(`{"message":"no"}`)}},
		"ActionError, list":    {`throw new nango.ActionError([1])`, linkspan.RunError{Code: "action_script_runtime_error", Message: thrown, Payload: json.RawMessage(`{"message":[1]}`)}},
		"ActionError, nothing": {`throw new nango.ActionError()`, linkspan.RunError{Code: "action_script_runtime_error", Message: thrown, Payload: json.RawMessage(`{}`)}},
		"ActionError, derived": {`class E extends nango.ActionError {}; throw new E({a: 2})`, linkspan.RunError{Code: "action_script_runtime_error", Message: thrown, Payload: json.RawMessage(`{"a":2}`)}},
		"http": {
			`await nango.get({endpoint: "/a"})`,
			linkspan.RunError{Code: "script_http_error", Message: http418, Payload: json.RawMessage(`{"error":"teapot"}`), Upstream: upstream(`{"error":"teapot"}`)},
		},
		"http with a payload inside": {
			`await nango.get({endpoint: "/payload"})`,
			linkspan.RunError{Code: "script_http_error", Message: http418, Payload: json.RawMessage(`{"inner":1}`), Upstream: upstream(`{"payload":{"inner":1}}`)},
		},
		"http, text": {
			`await nango.get({endpoint: "/text"})`,
			linkspan.RunError{Code: "script_http_error", Message: http418, Payload: json.RawMessage(`{"message":"short and stout"}`), Upstream: upstream(`"short and stout"`)},
		},
		"http, bytes": {
			`await nango.get({endpoint: "/a", responseType: "arraybuffer"})`,
			linkspan.RunError{Code: "script_http_error", Message: http418, Payload: json.RawMessage(`{"error":"teapot"}`), Upstream: upstream(`{"error":"teapot"}`)},
		},
		"http that shows the token": {
			`await nango.get({endpoint: "/echo"})`,
			linkspan.RunError{
				Code: "script_http_error", Message: http418, Payload: json.RawMessage(`{"bad":"the token [redacted] is not mine"}`),
				Upstream: upstream(`{"bad":"the token [redacted] is not mine"}`),
			},
		},
		"sdk": {
			`await nango.getConnection("acme", "nobody")`,
			linkspan.RunError{
				Code:    "unknown_connection",
				Message: "Connection with connection id nobody and provider config key acme not found. Please make sure the connection exists in the dashboard",
			},
		},
		"a value that is no error": {`throw {x: 1}`, linkspan.RunError{Code: "script_internal_error"}},
		"nothing":                  {`throw undefined`, linkspan.RunError{Code: "script_internal_error"}},
		"secret in a message": {
			`throw new Error("it is " + await nango.getToken())`,
			linkspan.RunError{Code: "script_internal_error", Message: "it is [redacted]"},
		},
		"secret in a payload": {
			`throw new nango.ActionError({deep: [(await nango.getConnection()).credentials, (await nango.getEnvironmentVariables())[0].value]})`,
			linkspan.RunError{Code: "action_script_runtime_error", Message: thrown},
		},
		"memory":  {`const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1))`, linkspan.RunError{Code: "function_runtime_out_of_memory"}},
		"cpu":     {`for (;;);`, linkspan.RunError{Code: "function_runtime_timed_out"}},
		"wall":    {`await new Promise((done) => setTimeout(done, 1e9))`, linkspan.RunError{Code: "execution_timeout"}},
		"stalled": {`await new Promise(() => {})`, linkspan.RunError{Code: "function_runtime_other"}},
		"output":  {`return "x".repeat(1 << 20)`, linkspan.RunError{Code: "script_output_too_large"}},
		"cyclic":  {`const a = {}; a.a = a; return a`, linkspan.RunError{Code: "script_internal_error"}},
		"bigint":  {`return 1n`, linkspan.RunError{Code: "script_internal_error"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := w.run(t, tt.body, func(r *trial) {
				r.limits = sandbox.Limits{Memory: 32 << 20, CPU: 2 * time.Second, Wall: time.Minute, Output: 1 << 16}
				if name == "wall" {
					r.limits.Wall = 100 * time.Millisecond
				}
			})
			if r.failed == nil {
				t.Fatalf("the function did not fail: %s", r.output)
			}
			text := shown(r.failed)
			leaks(t, "the error", text)
			got := *r.failed
			if got.Message == "" || got.Retryable {
				t.Errorf("error = %s", text)
			}
			if tt.want.Message == "" {
				got.Message = ""
			}
			if tt.want.Payload == nil {
				got.Payload = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNetworkRunError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	w.saas.Close()
	r := w.run(t, "\n\nawait nango.get({ endpoint: \"/a\" })")
	var payload struct {
		Name, Message, Code string
		Stacktrace          []string
	}
	must(t, json.Unmarshal(r.failed.Payload, &payload))
	if r.failed.Code != "script_network_error" || payload.Code != "ECONNREFUSED" || payload.Name != "AxiosError" || payload.Message == "" {
		t.Errorf("error = %s", shown(r.failed))
	}
	if len(payload.Stacktrace) == 0 || !strings.Contains(payload.Stacktrace[0], "f.js:5:") {
		t.Errorf("the stack does not lead to the call: %q", payload.Stacktrace)
	}
}

func TestStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.run(t, "function inner() {\n throw new RangeError('off') }\ninner()")
	var payload struct {
		Name, Message string
		Stacktrace    []string
	}
	must(t, json.Unmarshal(r.failed.Payload, &payload))
	want := []string{"at inner (acme/actions/f.js:4:", "at exec (acme/actions/f.js:5:"}
	if payload.Name != "RangeError" || payload.Message != "off" || len(payload.Stacktrace) != len(want) {
		t.Fatalf("error = %s", shown(r.failed))
	}
	for i := range want {
		if !strings.HasPrefix(payload.Stacktrace[i], want[i]) {
			t.Errorf("frame %d = %q, want %q…", i, payload.Stacktrace[i], want[i])
		}
	}
}

// TestMappedStack finds the author's lines.
func TestMappedStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	const source = "type Wide = {\n  a: number;\n};\nexport default async function run(nango: any) {\n  const wide: Wide = { a: 1 };\n  await nango.get({ endpoint: \"/api\" + wide.a });\n}\n"
	built := api.Transform(source, api.TransformOptions{
		Loader: api.LoaderTS, Format: api.FormatCommonJS, Sourcemap: api.SourceMapInline, Sourcefile: "acme/actions/f.ts", Target: api.ES2023,
	})
	w.saas.Close()
	r := &trial{info: w.info("acme", "c1"), bundle: string(built.Code)}
	w.execute(t, r)
	if r.failed == nil || !strings.Contains(string(r.failed.Payload), "acme/actions/f.ts:6:") {
		t.Errorf("error = %s", shown(r.failed))
	}
}

// TestOtherErrors are those that no sandbox told.
func TestOtherErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for want, err := range map[string]error{
		"script_aborted":                 fmt.Errorf("running: %w", context.Canceled),
		"execution_timeout":              context.DeadlineExceeded,
		"function_runtime_timed_out":     &sandbox.LimitError{Limit: sandbox.LimitStuck},
		"function_runtime_other":         http.ErrAbortHandler,
		"unknown_connection":             &linkspan.RunError{Code: "unknown_connection"},
		"script_internal_error":          &sandbox.Failure{JSON: []byte("not json")},
		"function_runtime_out_of_memory": &sandbox.LimitError{Limit: sandbox.LimitMemory},
	} {
		if got := w.host.RunError("", err); got.Code != want {
			t.Errorf("%v: code %q, want %q", err, got.Code, want)
		}
	}
	for _, text := range []string{
		`{"kind":"sdk","code":"DROP TABLE","message":"m"}`, `{"kind":"sdk","code":""}`, `{"kind":"http"}`, `{"kind":"http","response":{"headers":5,"body":"x"}}`, `{}`, `[]`, `null`,
		`{"kind":"action","payload":null}`,
	} {
		if e := w.host.RunError("", &sandbox.Failure{JSON: []byte(text)}); e.Code == "" || e.Code == "DROP TABLE" || !json.Valid(e.Payload) {
			t.Errorf("%s: %s", text, shown(e))
		}
	}
}
