package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

// testEntry makes a prelude of the real core and bridge that gives programs what
// only the prelude has: the bridge, as the module "host". Mode "test" calls the
// default export.
const testEntry = `
import * as bridge from "./bridge";
import "./core";
import { formatWith, describeFailures } from "./core";
import { addMode } from "./modes";
import { provide } from "./modules";
provide(["host"], { ...bridge, formatWith, describeFailures });
addMode("test", (exports, params) => exports.default(params.input));
`

// buildPrelude bundles the entry as if it were a file of sdk/functions/src.
func buildPrelude(entry string) (string, error) {
	src, err := filepath.Abs("../../sdk/functions/src")
	if err != nil {
		return "", err
	}
	r := api.Build(api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: entry, ResolveDir: src, Loader: api.LoaderTS},
		Bundle: true, Format: api.FormatIIFE, Platform: api.PlatformNeutral, MainFields: []string{"module", "main"},
		Target: api.ES2023, Charset: api.CharsetUTF8,
	})
	if len(r.Errors) > 0 {
		return "", errors.New(r.Errors[0].Text)
	}
	return string(r.OutputFiles[0].Contents), nil
}

// TestMain keeps the compiled module for all tests.
func TestMain(m *testing.M) {
	m.Run()
	_ = os.RemoveAll(cacheDir())
}

// cacheDir is shared by the engines of tests that don't look at it.
var cacheDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "sandbox-*")
	if err != nil {
		panic(err)
	}
	return dir
})

// testPrelude returns the prelude of testEntry, made once.
var testPrelude = sync.OnceValues(func() (string, error) { return buildPrelude(testEntry) })

func newEngine(tb testing.TB, o Options) *Engine {
	tb.Helper()
	if o.Prelude == "" {
		var err error
		if o.Prelude, err = testPrelude(); err != nil {
			tb.Fatal(err)
		}
	}
	if o.CacheDir == "" {
		o.CacheDir = cacheDir()
	}
	e, err := New(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// sharedEngine is for tests that need nothing special. It lives as long as the
// tests do.
var sharedEngine = sync.OnceValues(func() (*Engine, error) {
	p, err := testPrelude()
	if err != nil {
		return nil, err
	}
	return New(context.Background(), Options{Prelude: p, CacheDir: cacheDir()})
})

func shared(tb testing.TB) *Engine {
	tb.Helper()
	e, err := sharedEngine()
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// program makes a program whose default export is an async function with that body.
func program(body string) Program {
	return Program{Name: "test.js", Source: `const host = require("host"); exports.default = async (input) => {` + body + `};`}
}

// fakeHost answers calls with functions.
type fakeHost struct {
	call func(context.Context, Call) (Reply, error)

	mu    sync.Mutex
	notes []Call
}

func (h *fakeHost) Call(ctx context.Context, c Call) (Reply, error) {
	if h.call == nil {
		return Reply{JSON: c.JSON, Body: c.Body, Text: c.Text}, nil
	}
	return h.call(ctx, c)
}

func (h *fakeHost) Note(c Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, c)
}

// texts returns what was written to the console.
func (h *fakeHost) texts() string {
	var all []string
	for _, n := range h.notes {
		var line struct{ Level, Text string }
		if n.Name != "console" || json.Unmarshal(n.JSON, &line) != nil {
			all = append(all, n.Name)
			continue
		}
		all = append(all, line.Level+" "+line.Text)
	}
	return strings.Join(all, "\n")
}

var start = []byte(`{"mode":"test"}`)

// run runs the body as a program.
func runBody(tb testing.TB, e *Engine, h Host, l Limits, body string) (Result, error) {
	tb.Helper()
	if h == nil {
		h = &fakeHost{}
	}
	return e.Run(tb.Context(), Request{Program: program(body), Start: start, Limits: l, Host: h})
}

// value runs the body and returns its result as JSON.
func value(tb testing.TB, e *Engine, body string) string {
	tb.Helper()
	r, err := runBody(tb, e, nil, Limits{}, body)
	if err != nil {
		if f, ok := errors.AsType[*Failure](err); ok {
			tb.Fatalf("%s", f.JSON)
		}
		tb.Fatal(err)
	}
	return string(r.JSON)
}
