// Package examples_test runs the example functions in the sandbox and in Node,
// and compares.
package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

var update = flag.Bool("update", false, "write what Node returns into the recordings")

// fixture is a recording of a function and its provider.
type fixture struct {
	Input  json.RawMessage `json:"input,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	// Webhook is a payload for onWebhook.
	Webhook json.RawMessage                       `json:"webhook,omitempty"`
	Sync    *given                                `json:"sync,omitempty"`
	Nango   map[string]json.RawMessage            `json:"nango,omitempty"`
	API     map[string]map[string]json.RawMessage `json:"api,omitempty"`
}

// exchange is one recorded call.
type exchange struct {
	Request *struct {
		Params map[string]any    `json:"params"`
		Data   json.RawMessage   `json:"data"`
		Header map[string]string `json:"headers"`
	} `json:"request"`
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	Response json.RawMessage   `json:"response"`
}

// answer is what became of a function.
type answer struct {
	Output json.RawMessage `json:"output,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

func TestNodeAgrees(t *testing.T) {
	t.Parallel()
	engine, err := sandbox.New(t.Context(), sandbox.Options{
		Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	project, err := bundle.Build(t.Context(), bundle.Options{Dir: ".", SourceMap: true, Describer: engine})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range project.Problems {
		t.Errorf("%v", p)
	}
	if n := len(project.Functions); n < 80 {
		t.Errorf("%d functions, there should be 80", n)
	}
	node := judge(t, project.Functions)
	for i := range project.Functions {
		f := &project.Functions[i]
		t.Run(f.Integration+"/"+f.Name, func(t *testing.T) {
			t.Parallel()
			fx := readFixture(t, f)
			if *update && node[i].Output != nil {
				fx.Output = node[i].Output
				writeFixture(t, f, fx)
			}
			if node[i].Error != nil {
				t.Fatalf("in Node it fails: %s", node[i].Error)
			}
			if diff := cmp.Diff(value(t, fx.Output), value(t, node[i].Output)); diff != "" {
				t.Errorf("Node does not return what was recorded (-recorded +Node)\n%s", diff)
			}
			got := inSandbox(t, engine, f, fx)
			if diff := cmp.Diff(value(t, node[i].Output), value(t, got.Output)); diff != "" {
				t.Errorf("the sandbox differs; %s (-Node +sandbox)\n%s", got.Error, diff)
			}
		})
	}
}

func fixturePath(f *bundle.Function) string {
	return filepath.Join(f.Integration, "tests", f.Name+".test.json")
}

func readFixture(t *testing.T, f *bundle.Function) fixture {
	t.Helper()
	text, err := os.ReadFile(fixturePath(f))
	if err != nil {
		t.Fatal(err)
	}
	var fx fixture
	if err := json.Unmarshal(text, &fx); err != nil {
		t.Fatal(err)
	}
	return fx
}

func writeFixture(t *testing.T, f *bundle.Function, fx fixture) {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(fx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fixturePath(f), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// value is JSON for comparing; nothing and null are the same.
func value(t *testing.T, text json.RawMessage) (v any) {
	t.Helper()
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// judge runs all functions in Node.
func judge(t *testing.T, list []bundle.Function) []answer {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Node is missing")
		}
		t.Skip("Node is missing")
	}
	var in bytes.Buffer
	for i := range list {
		line, err := json.Marshal(map[string]any{"name": list[i].Name, "kind": list[i].Kind, "models": list[i].Definition.Models, "bundle": list[i].Code.Bundle, "fixture": readFixture(t, &list[i])})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	packages, err := filepath.Abs("../sdk/functions")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "judge.mjs", packages)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(list) {
		t.Fatalf("Node answered %d of %d", len(lines), len(list))
	}
	answers := make([]answer, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &answers[i]); err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// inSandbox runs one function in the sandbox.
func inSandbox(t *testing.T, engine *sandbox.Engine, f *bundle.Function, fx fixture) answer {
	t.Helper()
	params := map[string]any{
		"mode": "run", "kind": f.Kind, "input": fx.Input, "level": "debug", "variant": "base",
		"props": map[string]any{"connectionId": "c", "providerConfigKey": f.Integration, "provider": f.Integration},
	}
	var host sandbox.Host = replay{fx}
	var records *cache
	if f.Kind == linkspan.FunctionSync {
		if fx.Sync == nil {
			fx.Sync = &given{}
		}
		records = newCache(fx, f.Definition.Models)
		host = records
		startSync(params, f, fx)
	}
	start, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	res, err := engine.Run(t.Context(), sandbox.Request{
		Program: sandbox.Program{Name: f.File, Source: f.Code.Bundle}, Start: start, Host: host,
		Limits: sandbox.Limits{Wall: time.Minute},
	})
	if failure, ok := errors.AsType[*sandbox.Failure](err); ok {
		return answer{Error: failure.JSON}
	}
	if err != nil {
		t.Fatal(err)
	}
	if records == nil {
		return answer{Output: res.JSON}
	}
	left, err := records.result()
	if err != nil {
		t.Fatal(err)
	}
	return answer{Output: left}
}

// startSync adds what syncs are told.
func startSync(params map[string]any, f *bundle.Function, fx fixture) {
	sync := map[string]any{"id": "s", "job": 1, "models": f.Definition.Models, "track_deletes": f.Definition.TrackDeletes}
	if last := fx.Nango["lastSyncDate"]; last != nil {
		sync["last_sync"] = last
	}
	if variant := fx.Nango["variant"]; variant != nil {
		params["variant"] = variant
	}
	if fx.Webhook != nil {
		params["webhook"] = fx.Webhook
	}
	params["sync"] = sync
}

// replay is a host that knows only what was recorded.
type replay struct{ fx fixture }

// Note implements sandbox.Host.
func (replay) Note(sandbox.Call) {}

// Call implements sandbox.Host.
func (r replay) Call(_ context.Context, c sandbox.Call) (sandbox.Reply, error) {
	switch c.Name {
	case "http":
		return r.http(c)
	case "pagination":
		return sandbox.Reply{JSON: []byte("null")}, nil
	default:
		return sandbox.Reply{}, refuse("the recording has no " + c.Name)
	}
}

func refuse(message string) error {
	text, _ := json.Marshal(map[string]string{"code": "not_recorded", "message": message}) //nolint:errchkjson // two strings
	return &sandbox.CallError{JSON: text}
}

func (r replay) http(c sandbox.Call) (sandbox.Reply, error) {
	var in struct{ Method, Endpoint string }
	if err := json.Unmarshal(c.JSON, &in); err != nil {
		return sandbox.Reply{}, err
	}
	u, err := url.Parse(in.Endpoint)
	if err != nil {
		return sandbox.Reply{}, err
	}
	path := strings.TrimPrefix(u.EscapedPath(), "/")
	recorded := r.fx.API[strings.ToLower(in.Method)]
	text, ok := recorded[path]
	if !ok {
		text = recorded["/"+path]
	}
	var entries []exchange
	if one := (exchange{}); json.Unmarshal(text, &one) == nil {
		entries = []exchange{one}
	} else if err := json.Unmarshal(text, &entries); err != nil {
		return sandbox.Reply{}, refuse(fmt.Sprintf("nothing recorded for %s %s", in.Method, path))
	}
	i := slices.IndexFunc(entries, func(e exchange) bool { return e.fits(u.Query(), c.Body, len(entries)) })
	if i < 0 {
		return sandbox.Reply{}, refuse(fmt.Sprintf("nothing recorded for %s %s?%s %s", in.Method, path, u.RawQuery, c.Body))
	}
	return entries[i].reply()
}

// fits reports whether the exchange is the answer to a call.
func (e *exchange) fits(query url.Values, body []byte, among int) bool {
	if e.Request == nil {
		return among == 1
	}
	if e.Request.Params != nil {
		want := url.Values{}
		for k, v := range e.Request.Params {
			want.Add(k, fmt.Sprint(v))
		}
		if want.Encode() != query.Encode() {
			return false
		}
	}
	if e.Request.Data == nil {
		return true
	}
	var data string
	if json.Unmarshal(e.Request.Data, &data) == nil {
		return data == string(body)
	}
	var want, got any
	return json.Unmarshal(e.Request.Data, &want) == nil && json.Unmarshal(body, &got) == nil && cmp.Equal(want, got)
}

func (e *exchange) reply() (sandbox.Reply, error) {
	status := e.Status
	if status == 0 {
		status = http.StatusOK
	}
	headers := [][2]string{}
	for k, v := range e.Headers {
		headers = append(headers, [2]string{strings.ToLower(k), v})
	}
	head, err := json.Marshal(map[string]any{"status": status, "statusText": http.StatusText(status), "headers": headers})
	if err != nil {
		return sandbox.Reply{}, err
	}
	body := []byte(e.Response)
	var text string
	if json.Unmarshal(e.Response, &text) == nil {
		body = []byte(text)
	}
	return sandbox.Reply{JSON: head, Body: body, Text: true}, nil
}
