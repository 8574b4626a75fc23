package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// platform is what the sandbox has for programs to require.
type platform struct {
	// modules has the names of what each exports. None: it is imported as a whole.
	modules map[string][]string
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
		Modules map[string][]string `json:"modules"`
		Zod     string              `json:"zod"`
	}
	if err := json.Unmarshal(r.JSON, &answer); err != nil {
		return platform{}, fmt.Errorf("reading the answer: %w", err)
	}
	return platform{modules: answer.Modules, zod: answer.Zod}, nil
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
		if _, ok := p.modules[n]; ok {
			return n, true
		}
	}
	return "", false
}

// split is the namespace of modules that stand between imports and a module of the
// sandbox.
const split = "sandbox"

// splitText is an ECMAScript module with the exports of one of the sandbox's, so that
// the bundler binds what is imported by its name and drops the rest. Required as a
// whole, all of it would be copied whenever the program is loaded: for zod that takes
// longer than most programs.
func (p platform) splitText(name string) string {
	var text, exports strings.Builder
	fmt.Fprintf(&text, "const host = require(%q), take = (name) => host[name];\nexport { host as default };\n", name)
	for _, export := range p.modules[name] {
		// Names such as null can be exported, but are no names of variables.
		if export != "default" && identifier.MatchString(export) {
			fmt.Fprintf(&text, "const _%[1]s = /* @__PURE__ */ take(%[1]q);\n", export)
			fmt.Fprintf(&exports, "export { _%[1]s as %[1]s };\n", export)
		}
	}
	// With a map of its own that says nothing the text is not in every function's.
	return text.String() + exports.String() +
		`//# sourceMappingURL=data:application/json,{"version":3,"sources":["` + split + `"],"sourcesContent":[""],"names":[],"mappings":"AAAA"}`
}

var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

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
