package bundle_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// TestImports runs functions that import all kinds of things.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, source string
		files        map[string]string
		want         string
	}{
		{
			"relative files", "import { a } from '../lib/a.js'; import b from '../lib/b'; import * as c from '../../c';\nexport default async function run() { return [a, b, c.c]; }",
			map[string]string{"github/lib/a.ts": "export const a: number = 1", "github/lib/b/index.ts": "export default 2", "c.js": "exports.c = 3"},
			`[1,2,3]`,
		},
		{
			"JSON and text", "import data, { list } from '../data.json'; import text from '../query.graphql'; import plain from './x.txt';\nexport default async function run() { return [data.list, list, text, plain]; }",
			map[string]string{"github/data.json": `{"list":[1]}`, "github/query.graphql": "query { é }", "github/actions/x.txt": "x"},
			`[[1],[1],"query { é }","x"]`,
		},
		{"types only", "import type { A } from './none'; import { B } from './none';\nexport default async function run(nango: A): Promise<B> { return enumOf.X; }\nconst enum enumOf { X = 4 }", nil, `4`},
		{
			"tsconfig paths", "import { a } from '@/a'; import { b } from 'b';\nexport default async function run() { return [a, b]; }",
			map[string]string{"tsconfig.json": `{"compilerOptions":{"baseUrl":".","paths":{"@/*":["lib/*"],"b":["lib/b"]}}}`, "lib/a.ts": "export const a = 1", "lib/b.ts": "export const b = 2"},
			`[1,2]`,
		},
		{
			"zod of the sandbox", "import * as z from 'zod'; import { z as y } from 'zod/v4'; import x from 'zod';\nexport default async function run() { return [z.string === y.string, x.string === y.string, z.string().safeParse(1).success]; }",
			map[string]string{"node_modules/zod/package.json": `{"name":"zod","version":"4.9.9","main":"i.js"}`, "node_modules/zod/i.js": "throw new Error('the wrong zod')"},
			`[true,true,false]`,
		},
		{
			"zod in every way", `import * as z from "zod";
import all, { z as y, object as o, null as nothing, type ZodType } from "zod";
import { _shared, again } from "../lib/shared";
import * as core from "zod/v4/core";
import pkg from "with-zod";
const required = require("zod");
export default async function run() {
	const name = "st" + "ring";
	const { default: _, ...rest } = z;
	return [
		all === required, z.default === required, y.object === required.object, o === z.object, nothing === required.null,
		z[name] === required.string, Object.keys(rest).length === Object.keys(required).length - 1, Object.keys(_shared).length, again === required.boolean,
		core.$ZodType === required.core.$ZodType, pkg.same === required, pkg.more.includes("object"), (await import("zod")).string === required.string,
		o({ a: z.string(), b: nothing() }).safeParse({ a: "x", b: null }).success,
	];
}`,
			map[string]string{
				"github/lib/shared.ts":               `export * from "zod"; export * as _shared from "./names"; export { boolean as again } from "zod";`,
				"github/lib/names.ts":                `export { string, ZodString } from "zod"; export * from "./none"`,
				"github/lib/none.ts":                 `import "zod"; import unused from "zod"; export {};`,
				"node_modules/with-zod/package.json": `{"main":"i.js"}`, "node_modules/with-zod/i.js": `const z = require("zod"); exports.same = z; exports.more = Object.keys(z);`,
			},
			`[true,true,true,true,true,true,true,2,true,true,true,true,true,true]`,
		},
		{
			"zod can't be replaced", `import * as z from "zod";
import all from "zod";
export default async function run() {
	for (const of of [require("zod"), all, z]) for (const name of Object.keys(of)) try { of[name] = () => 1; } catch {}
	return [typeof z.string().parse("x"), all.object === require("zod").object, z.default.number().safeParse("x").success];
}`,
			nil, `["string",true,false]`,
		},
		{
			// Compiling the check of an object takes as long as some hundred checks.
			"zod compiles late", `import * as z from "zod";
export default async function run() {
	const RealFunction = Function;
	let compiled = 0;
	globalThis.Function = function (...args) { if (args.at(-1) !== "") compiled++; return new RealFunction(...args); };
	const schema = z.object({ id: z.string(), tags: z.array(z.string()).optional(), __proto__: z.any() });
	const check = () => JSON.stringify([schema.safeParse({ id: "a", tags: ["x"], more: 1 }), schema.safeParse({ id: 1, tags: "x" })]);
	const first = check();
	const early = compiled;
	for (let i = 0; i < 100; i++) if (check() !== first) return i;
	return [early, compiled, JSON.parse(first)[1].success];
}`,
			nil, `[0,1,false]`,
		},
		{
			"modules that are functions", "import * as assert from 'node:assert'; import Emitter from 'events'; import * as events from 'events';\nexport default async function run() { return [typeof assert.equal, typeof new Emitter().on, typeof events.once, events.default === Emitter]; }", nil,
			`["function","function","function",true]`,
		},
		{
			"what zod has not", "import * as z from 'zod'; import { string, notThere } from 'zod'; import x from 'crypto'; import { never } from 'with-import';\nexport default async function run() { return [typeof z.gone, typeof notThere, typeof never, typeof string, typeof x.createHash]; }",
			map[string]string{"node_modules/with-import/index.mjs": "import { nothing } from 'node:util'; export const never = nothing;", "node_modules/with-import/package.json": `{"exports":"./index.mjs"}`},
			`["undefined","undefined","undefined","function","function"]`,
		},
		{
			"the platform before packages", "import buffer from 'buffer/'; import { Buffer } from 'buffer'; import { Blob } from 'node:buffer';\nexport default async function run() { return [typeof buffer.Buffer, Buffer.from('a').toString('hex'), typeof Blob]; }",
			map[string]string{"node_modules/buffer/index.js": "throw new Error('the wrong buffer')"},
			`["function","61","function"]`,
		},
		{
			"a package of a module's name that the platform lacks", "import { constants } from 'fs';\nexport default async function run() { return constants; }",
			map[string]string{"node_modules/fs/index.js": "exports.constants = 7"},
			`7`,
		},
		{
			"builds for browsers", "import a from 'with-field'; import b from 'with-map'; import c from 'with-conditions'; import { d } from 'with-worker';\nexport default async function run() { return [a, b, c, d]; }",
			map[string]string{
				"node_modules/with-field/package.json": `{"main":"node.js","browser":"browser.js"}`, "node_modules/with-field/node.js": "require('net')", "node_modules/with-field/browser.js": "module.exports = 1",
				"node_modules/with-map/package.json": `{"main":"main.js","browser":{"./node.js":"./browser.js","net":false}}`, "node_modules/with-map/main.js": "require('net'); module.exports = require('./node')", "node_modules/with-map/node.js": "require('tls')", "node_modules/with-map/browser.js": "module.exports = 2",
				"node_modules/with-conditions/package.json": `{"exports":{"node":"./node.js","browser":"./browser.js","default":"./none.js"}}`, "node_modules/with-conditions/node.js": "require('net')", "node_modules/with-conditions/browser.js": "module.exports = 3",
				"node_modules/with-worker/package.json": `{"exports":{".":{"worker":{"import":"./worker.mjs","require":"./none.js"},"browser":"./none.js"}}}`, "node_modules/with-worker/worker.mjs": "export const d = 4",
			},
			`[1,2,3,4]`,
		},
		{
			"what Node would take", "import a from 'both';\nexport default async function run() { return a; }",
			map[string]string{"node_modules/both/package.json": `{"main":"main.js","module":"module.js"}`, "node_modules/both/main.js": "module.exports = 'main'", "node_modules/both/module.js": "export default 'module'"},
			`"main"`,
		},
		{
			"optional modules", "import a from 'optional';\nexport default async function run() { return a(); }",
			map[string]string{"node_modules/optional/index.js": "let fs, gone;\ntry { fs = require('fs') } catch (e) { fs = null }\ntry { gone = require('not-there') } catch (e) { gone = e.message.includes('not-there') }\nmodule.exports = () => [fs, gone, process.env.NODE_ENV, typeof global.Array]"},
			`[null,true,"production","function"]`,
		},
		{
			"builds for workers", "import a from 'worker';\nexport default async function run() { return a; }",
			map[string]string{"node_modules/worker/index.js": "(function (root) { root.set = 1 })(self); module.exports = [self === globalThis, typeof self.set, typeof window]"},
			`[true,"number","undefined"]`,
		},
		{
			"streams of packages", "import a from 'streaming';\nexport default async function run() { return a; }",
			map[string]string{"node_modules/streaming/index.js": "const { Transform } = require('stream'); const util = require('util'); function Old() { require('stream').call(this) } util.inherits(Old, require('stream'));\nclass T extends Transform {}\nconst tried = (f) => { try { f() } catch (e) { return e.message } };\nmodule.exports = [typeof T, tried(() => new T()), tried(() => new Old()), typeof Old.prototype.on]"},
			`["function","Functions have no streams: this part of the package can't be used.","Functions have no streams: this part of the package can't be used.","function"]`,
		},
		{
			"imports at run time", "export default async function run() { const { a } = await import('../lib'); const z = await import('zod'); return [a, typeof z.string]; }",
			map[string]string{"github/lib.ts": "export const a = 1"},
			`[1,"function"]`,
		},
		{"newer syntax", "class A { static #n = 1; static { A.#n++ } get n() { return A.#n } }\nexport default async function run() { using a = { [Symbol.dispose]() {} }; return [new A().n, [3, 1].toSorted(), Object.groupBy([1], () => 'g')]; }", nil, `[2,[1,3],{"g":[1]}]`},
		{"decorators", "function twice(_: unknown, c: ClassMethodDecoratorContext) { c.addInitializer(function () { n++ }) }\nlet n = 0; class A { @twice m() {} }\nexport default async function run() { new A(); return n; }", nil, `1`},
		{
			"CommonJS", "const { a } = require('../lib');\nexports.default = async function run() { return a; }",
			map[string]string{"github/lib.js": "module.exports = { a: 1 }"},
			`1`,
		},
		{
			"workspaces", "import { a } from 'shared';\nexport default async function run() { return a; }",
			map[string]string{"node_modules/shared/package.json": `{"main":"src/index.ts"}`, "node_modules/shared/src/index.ts": "export const a: number = 1"},
			`1`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := clean(t, single(t, tc.source, tc.files))
			if d := cmp.Diff(tc.want, output(t, p.Functions[0], nil)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestOlderZod warns of a zod whose schemas are not the sandbox's.
func TestOlderZod(t *testing.T) {
	t.Parallel()
	p := single(t, plain, map[string]string{"node_modules/zod/package.json": `{"name":"zod","version":"3.22.4"}`})
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Message, "zod 3.22.4") {
		t.Errorf("warnings are %+v", p.Warnings)
	}
	if p := single(t, plain, map[string]string{"node_modules/zod/package.json": `{"name":"zod","version":"4.0.5"}`}); len(p.Warnings) != 0 {
		t.Errorf("warnings are %+v", p.Warnings)
	}
}

// TestPlainFunction runs the plain function of the introduction to functions, as
// it is written there.
func TestPlainFunction(t *testing.T) {
	t.Parallel()
	const source = "export default async function run(nango: NangoAction) {\n    const { owner, repo, title, body } = nango.input;\n\n    const response = await nango.post({\n        endpoint: `/repos/${owner}/${repo}/issues`,\n        data: { title, body }\n    });\n\n    return response.data;\n}\n"
	f := clean(t, single(t, source, nil)).Functions[0]
	if !f.Plain || f.Definition.Schema != nil || f.Definition.Input != "" || f.Definition.SDKVersion != "1.2.3-zero" {
		t.Errorf("definition is %+v", f.Definition)
	}
	got := output(t, f, map[string]string{"owner": "o", "repo": "r", "title": "t", "body": "b"})
	want := `{"endpoint":"/repos/o/r/issues","method":"POST","sent":"{\"title\":\"t\",\"body\":\"b\"}"}`
	if d := cmp.Diff(parsed([]byte(want)), parsed([]byte(got))); d != "" {
		t.Error(d)
	}
}

// TestUnifiedModels builds a folder in which integrations share a model whose id
// is optional.
func TestUnifiedModels(t *testing.T) {
	t.Parallel()
	create := func(provider string) string {
		return "import { createAction } from 'nango';\nimport { CreateUnifiedUser, UnifiedUser } from '../../models';\nexport default createAction({\ndescription: 'Creates a user in " + provider + "',\ninput: CreateUnifiedUser,\noutput: UnifiedUser,\nexec: async (nango, input) => {\nconst response = await nango.post({\nendpoint: '/rest/api/3/user',\ndata: { emailAddress: input.email, displayName: input.name }\n});\nreturn { id: response.data.accountId, name: response.data.displayName ?? input.name, email: input.email, raw: response.data };\n}\n});\n"
	}
	p := clean(t, build(t, folder(t, map[string]string{
		"index.ts":                       "import './jira/actions/create-user';\nimport './zendesk/actions/create-user';\nimport './hubspot/syncs/users';\n",
		"models.ts":                      "import * as z from 'zod';\nexport const UnifiedUser = z.object({\nid: z.string().optional(),\nname: z.string().optional(),\nemail: z.string().email().optional(),\nexternalUrl: z.string().url().optional(),\nraw: z.unknown().optional()\n});\nexport const CreateUnifiedUser = z.object({\nname: z.string(),\nemail: z.string().email()\n});\nexport type UnifiedUser = z.infer<typeof UnifiedUser>;\nexport const JiraUser = UnifiedUser.extend({\naccountType: z.string().optional()\n});\n",
		"jira/actions/create-user.ts":    create("Jira"),
		"zendesk/actions/create-user.ts": create("Zendesk"),
		"hubspot/syncs/users.ts":         "import { createSync } from 'nango';\nimport { UnifiedUser } from '../../models';\nexport default createSync({\ndescription: 'Syncs users into the unified user model',\nfrequency: 'every hour',\nmodels: { UnifiedUser },\nexec: async (nango) => {\nfor await (const page of nango.paginate<any>({ endpoint: '/crm/v3/objects/contacts' })) {\nawait nango.batchSave(page.map((contact) => ({ id: contact.id })), 'UnifiedUser');\n}\n}\n});\n",
	})))
	if d := cmp.Diff([]string{"hubspot/syncs/users.js", "jira/actions/create-user.js", "zendesk/actions/create-user.js"}, names(p)); d != "" {
		t.Error(d)
	}
	var got struct {
		Name, Email string
		Raw         struct{ Method string }
	}
	if err := json.Unmarshal([]byte(output(t, p.Functions[1], map[string]string{"name": "Ada Lovelace", "email": "ada@example.com"})), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "Ada Lovelace" || got.Email != "ada@example.com" || got.Raw.Method != "POST" {
		t.Errorf("output is %+v", got)
	}
}

// TestNothingHappensWhileDescribed gives functions no connection to talk to.
func TestNothingHappensWhileDescribed(t *testing.T) {
	t.Parallel()
	p, err := bundle.Build(t.Context(), bundle.Options{
		Dir:       folder(t, map[string]string{"index.ts": "import './a/actions/x'", "a/actions/x.ts": "let n = 0; console.log('evaluated', ++n);\n" + plain}),
		Describer: engine(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := clean(t, p).Functions[0]
	if d := cmp.Diff(sandbox.Program{Name: "a/actions/x.js", Source: f.Code.Bundle}, f.Program()); d != "" {
		t.Error(d)
	}
}

// Bundles import zod as it is, in folders and as texts, at once and later: copying it
// takes longer than loading most functions. Positions stay where they were.
func TestZodIsNotCopied(t *testing.T) {
	t.Parallel()
	const module = "import * as z from 'zod'; import y from \"zod/v4\"; import os from 'os';\nexport default async function run() { return [z.string === y.string, z === y, typeof os.EOL]; }\n"
	later := clean(t, single(t, `export default async function run() { return (await import("../lib/later")).default; }`, map[string]string{
		"github/lib/later.ts": "import os from 'os'; import * as $z from 'zod'; import y from 'zod/v4'; export default [$z, y, os];",
	})).Functions[0].Code.Bundle
	folder := clean(t, single(t, module, nil)).Functions[0].Code.Bundle
	node := clean(t, build(t, folderOf(t, module))).Functions[0].Code.Bundle
	for name, text := range map[string]string{"folder": folder, "ECMAScript module": node, "text": bundle.CompileText(module).Bundle, "later": later} {
		if strings.Contains(text, `__toESM(require("zod`) || strings.Count(text, "= /*ESM*/(require(\"zod") != 2 || !strings.Contains(text, `__toESM(require("os")`) {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	if !strings.Contains(node, "= __toESM(require(\"os\"), 1);\n") || !strings.Contains(node, "= /*ESM*/(require(\"zod\")   );\n") {
		t.Errorf("positions have moved:\n%s", node)
	}
}

// folderOf is a folder with an action that Node takes for an ECMAScript module.
func folderOf(t *testing.T, text string) string {
	t.Helper()
	return folder(t, map[string]string{"index.ts": "import './github/actions/test.mjs';", "github/actions/test.mjs": text})
}
