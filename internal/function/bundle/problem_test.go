package bundle_test

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/testfile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// action writes an action with members in its definition.
func action(members string) string {
	return "import { createAction } from 'nango';\nimport * as z from 'zod';\n\nexport default createAction({\n\tdescription: 'x',\n\tinput: z.void(),\n\toutput: z.void(),\n\texec: async () => {},\n\t" + members + "\n});\n"
}

// syncFile writes a sync with members in its definition.
func syncFile(members string) string {
	return "import { createSync } from 'nango';\nimport * as z from 'zod';\n\nexport default createSync({\n\tdescription: 'x',\n\tfrequency: 'every hour',\n\tmodels: { Item: z.object({ id: z.string() }) },\n\texec: async () => {},\n\t" + members + "\n});\n"
}

// onEvent writes a function at an event with members in its definition.
func onEvent(members string) string {
	return "import { createOnEvent } from 'nango';\n\nexport default createOnEvent({\n\tdescription: 'x',\n\texec: async () => {},\n\t" + members + "\n});\n"
}

// unifiedFile writes a function made by createFunction with members in its
// definition.
func unifiedFile(members string) string {
	return "import { createFunction } from 'linkspan/experimental';\nimport * as z from 'zod';\n\nexport default createFunction({\n\tdescription: 'x',\n\texec: async () => {},\n\t" + members + "\n});\n"
}

// broken are folders with something wrong. The index imports every function.
func broken() map[string]map[string]string {
	one := func(file, text string) map[string]string {
		return map[string]string{file: text, "fine/actions/fine.ts": plain}
	}
	act := func(text string) map[string]string { return one("a/actions/x.ts", text) }
	return map[string]map[string]string{
		// files
		"syntax":              act("export default async function run(nango) {\n\tconst x = ;\n}\n"),
		"syntax-in-a-package": {"a/actions/x.ts": "import 'bad';\n" + plain, "node_modules/bad/index.js": strings.Repeat("var a=1;", 40) + "let a b;" + strings.Repeat("var c=1;", 40)},
		"index-syntax":        {"index.ts": "import './a/actions/x'\nimport {", "a/actions/x.ts": plain},
		"index-missing-file":  {"index.ts": "import './a/actions/x';\nimport './a/actions/y.js';\n", "a/actions/x.ts": plain},
		"index-wrong-place":   {"index.ts": "import './a/actions/x';\nimport './a/action/y';\nimport './a/z';\nimport './a/syncs/deep/w';\nimport '../out';\n", "a/actions/x.ts": plain, "a/action/y.ts": plain, "a/z.ts": plain, "a/syncs/deep/w.ts": plain},
		"names":               {"a!/actions/x.ts": plain, "b/actions/x y.ts": plain},
		"twice":               {"a/actions/x.ts": plain, "a/actions/x.js": plain, "index.ts": "import './a/actions/x.ts'; import './a/actions/x.js'"},
		// imports
		"missing-file":       act("import { y } from './y';\nexport default async function run() { return y; }\n"),
		"missing-package":    act("import y from 'left-pad';\nexport default async function run() { return y; }\n"),
		"node-module":        act("import { readFileSync } from 'node:fs';\nimport net from 'net';\nexport default async function run() { return readFileSync('/etc/passwd') + net; }\n"),
		"node-module-deep":   {"a/actions/x.ts": "import './y';\n" + plain, "a/actions/y.ts": "import 'outer';\n", "index.ts": "import './a/actions/x'", "node_modules/outer/package.json": `{"main":"lib/main.js"}`, "node_modules/outer/lib/main.js": "require('@scope/inner')", "node_modules/@scope/inner/index.js": "const a = 1;\n  const cp = require('child_process');\n  const net = require('net');\n"},
		"package-of-package": {"a/actions/x.ts": "import 'outer';\n" + plain, "node_modules/outer/index.js": "require('absent/lib/x')"},
		"native":             {"a/actions/x.ts": "import 'native';\n" + plain, "node_modules/native/index.js": "module.exports = require('./build/native.node')", "node_modules/native/build/native.node": "\x7fELF"},
		"file-type":          {"a/actions/x.ts": "import './logo.png';\n" + plain, "a/actions/logo.png": "x", "index.ts": "import './a/actions/x'"},
		"top-level-await":    act("const x = await Promise.resolve(1);\nexport default async function run() { return x; }\n"),
		// evaluation
		"throws":             {"a/actions/x.ts": "import { boom } from '../lib';\n" + plain + "boom();\n", "a/lib.ts": "interface A { b: string }\n\nexport function boom(): A {\n\t/* é 𝒳 */ throw new TypeError('no way');\n}\n", "index.ts": "import './a/actions/x'"},
		"throws-nothing":     act("throw undefined;\n" + plain),
		"endless":            act("for (;;);\n" + plain),
		"calls-outside-exec": act("import { createAction } from 'nango';\n\nconst wrong = undefined as any;\nexport default createAction({ exec: wrong.exec });\n"),
		// definitions
		"no-default":          act("export const run = 1;\n"),
		"default-of-no-kind":  act("export default { exec: async () => {} };\n"),
		"default-text":        act("export default 'x';\n"),
		"wrong-folder":        act(syncFile("")),
		"create-function":     act("export default { type: 'function', exec() {} };\n"),
		"unified-members":     one("a/functions/x.ts", unifiedFile("trigger: { kind: 'http', subscriptions: [1] }, requires: { invoke: 'yes' }, limits: { concurrency: { perConnection: 2 } }, input: 'text', data: { metadata: 3, checkpoint: z.object({ a: z.object({}) }) }")),
		"unified-triggers":    {"a/functions/a.ts": unifiedFile("trigger: { kind: 'socket' }"), "a/functions/b.ts": unifiedFile("trigger: { kind: 'schedule' }"), "a/functions/c.ts": unifiedFile("trigger: { kind: 'schedule', frequency: 'now and then' }, data: { models: { item: z.object({ id: z.string() }), Thing: z.object({}) } }"), "a/functions/d.ts": unifiedFile("trigger: { kind: 'event' }"), "a/functions/e.ts": unifiedFile("trigger: { kind: 'event', events: ['validate-connection', 'later', 'validate-connection'] }"), "a/functions/f.ts": unifiedFile("trigger: { kind: 'http', debounce: { windowMs: 5 } }"), "a/functions/g.ts": unifiedFile("trigger: 'http'"), "fine/actions/fine.ts": plain},
		"unified-requires":    one("a/functions/x.ts", unifiedFile("requires: { connection: false, invoke: true }")),
		"unified-models":      one("a/functions/x.ts", unifiedFile("data: { models: { Item: z.object({ id: z.string() }) } }")),
		"unified-plain":       one("a/functions/x.ts", plain),
		"unified-folder":      one("a/functions/x.ts", action("")),
		"unified-name":        {"a/functions/x.ts": unifiedFile(""), "a/syncs/x.ts": syncFile(""), "a/functions/y.ts": unifiedFile("trigger: { kind: 'schedule', frequency: '5m' }, data: { models: { Item: z.object({ id: z.string() }) } }"), "fine/actions/fine.ts": plain},
		"plain-event":         one("a/on-events/x.ts", plain),
		"no-exec":             act(action("exec: 'x' as any, input: undefined as any, output: null as any")),
		"members":             act(action("description: 1 as any, version: {} as any, scopes: 'a' as any, endpoint: 'GET' as any")),
		"too-long":            act(action("description: 'x'.repeat(2001), scopes: ['y'.repeat(256)]")),
		"endpoints":           act(action("endpoint: { method: 'FETCH' as any, path: 'x', group: 'g'.repeat(65) }")),
		"schema-no-zod":       act(action("input: { type: 'object' } as any")),
		"schema-old-zod":      act(action("input: { _def: {} } as any")),
		"checkpoint-nested":   act(action("checkpoint: z.object({ a: z.object({ b: z.string() }), ok: z.number(), d: z.date() })")),
		"checkpoint-none":     act(action("checkpoint: z.string() as any")),
		"checkpoint-too-many": act(action("checkpoint: z.object(Object.fromEntries(Array.from({ length: 17 }, (_, i) => ['k' + i, z.string()])))")),
		"event-unknown":       one("a/on-events/x.ts", onEvent("event: 'pre-connection' as any")),
		"event-missing":       one("a/on-events/x.ts", onEvent("")),
		"frequency":           one("a/syncs/x.ts", syncFile("frequency: 'now and then'")),
		"frequency-short":     one("a/syncs/x.ts", syncFile("frequency: 'every 5 seconds'")),
		"frequency-missing":   one("a/syncs/x.ts", syncFile("frequency: undefined as any")),
		"sync-members":        one("a/syncs/x.ts", syncFile("syncType: 'half' as any, autoStart: 'yes' as any, webhookSubscriptions: [1] as any")),
		"track-deletes":       one("a/syncs/x.ts", syncFile("syncType: 'incremental', trackDeletes: true")),
		"endpoint-per-model":  one("a/syncs/x.ts", syncFile("endpoints: [{ method: 'GET', path: '/a' }, { method: 'GET', path: '/b' }]")),
		"model-without-id":    one("a/syncs/x.ts", syncFile("models: { Item: z.object({ name: z.string() }), Text: z.string() as any, Either: z.union([z.object({ id: z.string() }), z.object({})]) as any }")),
		"model-names":         one("a/syncs/x.ts", syncFile("models: { item: z.object({ id: z.string() }), 'A b': z.object({ id: z.string() }) }")),
		"no-models":           one("a/syncs/x.ts", syncFile("models: {}")),
		"models-no-object":    one("a/syncs/x.ts", syncFile("models: z.object({ id: z.string() }) as any")),
		"on-webhook":          one("a/syncs/x.ts", syncFile("onWebhook: 'x' as any")),
		"same-model":          {"a/syncs/x.ts": syncFile(""), "a/syncs/y.ts": syncFile(""), "b/syncs/x.ts": syncFile("")},
		"same-endpoint":       {"a/actions/x.ts": action("endpoint: { method: 'POST', path: '/x' }"), "a/actions/y.ts": action("endpoint: { method: 'POST', path: '/x' }")},
	}
}

// TestProblems compares how problems are shown with testdata/problems. In each
// folder the functions that have none are built all the same.
func TestProblems(t *testing.T) {
	t.Parallel()
	for name, files := range broken() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, ok := files["index.ts"]; !ok {
				files["index.ts"] = indexOf(files)
			}
			testfile.Golden(t, *update, filepath.Join("testdata", "problems", name+".txt"), show(build(t, folder(t, files))))
		})
	}
}

// indexOf writes an index of all functions.
func indexOf(files map[string]string) string {
	var b strings.Builder
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if strings.Count(file, "/") == 2 && !strings.HasPrefix(file, "node_modules/") {
			fmt.Fprintf(&b, "import './%s';\n", file)
		}
	}
	return b.String()
}

// show writes a project as people see it.
func show(p *bundle.Project) string {
	var b strings.Builder
	for _, problem := range p.Problems {
		fmt.Fprintf(&b, "%s\n", problem.Error())
		if problem.Function != "" {
			fmt.Fprintf(&b, "(of %s)\n", bundle.ProgramName(problem.Integration, problem.Kind, problem.Function))
		}
		b.WriteString("\n")
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning: %s\n\n", w.Error())
	}
	fmt.Fprintf(&b, "built: %s\n", strings.Join(names(p), " "))
	return b.String()
}
