package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// platform is what the sandbox has for programs to require.
type platform struct {
	modules map[string]bool
	zod     string // version
}

// readPlatform asks the sandbox itself, so that there is one list only.
func readPlatform(ctx context.Context, d Describer) (platform, error) {
	names := []string{"zod", "zod/v4", "zod/mini", "zod/v4-mini", "zod/v4/core", "zod/v4/mini", "linkspan", "nango", "nango/experimental"}
	for name := range nodeModules() {
		names = append(names, name, "node:"+name)
	}
	start, err := json.Marshal(map[string]any{"mode": "modules", "names": names})
	if err != nil {
		return platform{}, fmt.Errorf("writing the question: %w", err)
	}
	r, err := d.Run(ctx, sandbox.Request{Program: sandbox.Program{Name: "linkspan:modules"}, Start: start, Limits: describeLimits(), Host: silent{}})
	if err != nil {
		return platform{}, err
	}
	var answer struct {
		Modules []string `json:"modules"`
		Zod     string   `json:"zod"`
	}
	if err := json.Unmarshal(r.JSON, &answer); err != nil {
		return platform{}, fmt.Errorf("reading the answer: %w", err)
	}
	p := platform{modules: map[string]bool{}, zod: answer.Zod}
	for _, m := range answer.Modules {
		p.modules[m] = true
	}
	return p, nil
}

// provides returns the name by which the sandbox has a module. Those that a
// package brings along under the name of one of Node's, such as "buffer/", give
// way to the platform's.
func (p platform) provides(name string) (string, bool) {
	if ours(name) {
		return name, true
	}
	name = strings.TrimSuffix(name, "/")
	for _, n := range []string{name, "node:" + name, strings.TrimPrefix(name, "node:")} {
		if p.modules[n] {
			return n, true
		}
	}
	return "", false
}

// describeLimits bound the evaluation of a bundle for its definition.
func describeLimits() sandbox.Limits {
	return sandbox.Limits{CPU: 5 * time.Second, Wall: 20 * time.Second, Output: 16 << 20, Notes: 1 << 20}
}

// silent is the host of a program that is only described: there is no connection
// to ask for anything.
type silent struct{}

// Call implements sandbox.Host.
func (silent) Call(context.Context, sandbox.Call) (sandbox.Reply, error) {
	return sandbox.Reply{}, &sandbox.CallError{JSON: []byte(`{"code":"not_running","message":"The function is only being described: do this inside of exec."}`)}
}

// Note implements sandbox.Host.
func (silent) Note(sandbox.Call) {}

// nodeModules are the modules that Node has built in.
func nodeModules() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`
		assert assert/strict async_hooks buffer child_process cluster console constants crypto
		dgram diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https
		inspector inspector/promises module net os path path/posix path/win32 perf_hooks process
		punycode querystring readline readline/promises repl sea sqlite stream stream/consumers
		stream/promises stream/web string_decoder sys test test/reporters timers timers/promises
		tls trace_events tty url util util/types v8 vm wasi worker_threads zlib`) {
		m[name] = true
	}
	return m
}
