//go:build linux

package e2e

import (
	"slices"
	"strings"
)

// What a function that was stopped, or failed, is answered with.
const (
	endCPU     = "function_runtime_timed_out"
	endMemory  = "function_runtime_out_of_memory"
	endWall    = "execution_timeout"
	endThrew   = "script_internal_error"
	endOutput  = "script_output_too_large"
	endStalled = "function_runtime_other"
	// endFine is no failure.
	endFine = ""
)

// hostile is a function that means harm.
type hostile struct {
	name, body string
	// ends are the codes that it may end with: more than one where it depends on
	// the machine which limit it meets first.
	ends []string
	// output is the JSON that it must return; empty: whatever it likes.
	output string
	// slow says that it waits until its time is over.
	slow bool
}

// breathe ends a stretch of computing, so that only memory can be the limit.
const breathe = `const breathe = () => new Promise((r) => setTimeout(r, 0)); `

// trees grow when somebody visits each of their 2^40 branches.
const tree = `let tree: any = [secret]; for (let i = 0; i < 40; i++) tree = [tree, tree]; `

func hostileFunctions() []hostile {
	// Where many compute, the time may be over first.
	cpu, memory, threw, fine := []string{endCPU, endWall}, []string{endMemory, endWall}, []string{endThrew}, []string{endFine}
	return []hostile{
		// Those that compute for ever.
		{name: "loop", ends: cpu, body: `for (;;);`},
		{name: "loop-of-promises", ends: cpu, body: `for (;;) await null;`},
		{name: "loop-of-microtasks", ends: cpu, body: `const f = () => queueMicrotask(f); f(); await new Promise(() => {});`},
		{name: "loop-of-thenables", ends: cpu, body: `return { then(resolve: any) { resolve(this); } };`},
		{name: "regexp-bomb", ends: cpu, body: `return /^(a+)+$/.test("a".repeat(40) + "b");`},
		{name: "caught", ends: cpu, body: `for (;;) { try { for (;;); } catch { } finally { continue; } }`},
		{name: "caught-async", ends: cpu, body: `const f = async () => { for (;;); }; for (;;) { try { await f(); } catch { f(); } finally { continue; } }`},
		{name: "caught-by-generator", ends: cpu, body: `function* g() { try { for (;;) yield 1; } finally { for (;;); } } for (const x of g()) if (x) break; return 1;`},
		{name: "caught-by-proxy", ends: cpu, body: `const p: any = new Proxy(function () {}, { get() { for (;;); }, apply() { for (;;); }, has() { for (;;); } }); try { p.x; } catch { try { p(); } catch { return "x" in p; } }`},
		{name: "caught-by-timer", ends: cpu, body: `setTimeout(() => { for (;;); }); try { for (;;); } finally { await new Promise((r) => setTimeout(r, 1)); }`},
		{name: "getter-of-error", ends: cpu, body: `throw { get message() { for (;;); } };`},
		{name: "json-of-loop", ends: cpu, body: `return { toJSON() { for (;;); } };`},
		{name: "eval-loop", ends: cpu, body: `(0, eval)("for (;;);");`},
		{name: "sort-loop", ends: cpu, body: `[2, 1].sort(() => { for (;;); });`},
		{name: "sync-from-go", ends: cpu, body: `const { createHash } = await import("crypto"); for (;;) createHash("sha512").update("x".repeat(1_000_000)).digest("hex");`},

		// Those that do it where QuickJS does not ask whether to go on.
		{name: "join", ends: []string{endCPU, endMemory, endThrew}, body: `return [].join.call({ length: 2 ** 53 - 1 } as any, "");`},
		{name: "reverse", ends: cpu, body: `return [].reverse.call({ length: 2 ** 53 - 1 } as any);`},
		{name: "index-of", ends: cpu, body: `return [].indexOf.call({ length: 2 ** 53 - 1 } as any, secret as never);`},
		{name: "fill", ends: []string{endCPU, endMemory}, body: `return [].fill.call({ length: 2 ** 53 - 1 } as any, 1 as never);`},
		{name: "array-of-holes", ends: []string{endCPU, endMemory}, body: `const a: any = []; a.length = 2 ** 32 - 1; return a.reverse();`},
		{name: "string-search", ends: []string{endCPU, endFine}, body: `return "a".repeat(4_000_000).indexOf("a".repeat(2_000_000) + "b");`},
		{name: "json-of-tree", ends: []string{endCPU, endMemory}, body: tree + `return JSON.stringify(tree).length;`},
		{name: "result-of-tree", ends: []string{endCPU, endMemory}, body: tree + `return tree;`},
		{name: "clone-of-tree", ends: []string{endFine, endCPU, endMemory}, body: tree + `return structuredClone(tree).length;`},
		{name: "log-of-tree", ends: []string{endFine, endCPU, endMemory, endThrew}, body: tree + `console.log(tree); await nango.log("tree", tree); return 1;`},

		// Those that want everything.
		{name: "strings", ends: memory, body: breathe + `const a = []; for (;;) { a.push("x".repeat(3_000_000) + a.length); await breathe(); }`},
		{name: "objects", ends: memory, body: breathe + `const a = []; for (;;) { for (let i = 0; i < 2000; i++) a.push({ text: "x".repeat(1000) + i }); await breathe(); }`},
		{name: "typed-arrays", ends: memory, body: breathe + `const a = []; for (;;) { a.push(new Uint8Array(1_000_000).fill(1)); await breathe(); }`},
		{name: "buffers", ends: memory, body: breathe + `const a = []; for (;;) { a.push(Buffer.alloc(1_000_000, 7)); await breathe(); }`},
		{name: "closures", ends: memory, body: breathe + `let f: any = () => 1; for (;;) { for (let i = 0; i < 2000; i++) { const g = f, text = "x".repeat(1000) + i; f = () => [g, text]; } await breathe(); }`},
		{name: "map", ends: memory, body: breathe + `const m = new Map(); for (let i = 0; ; i++) { m.set({ i }, "x".repeat(1000) + i); if (i % 2000 === 0) await breathe(); }`},
		{name: "promises", ends: memory, body: breathe + `const a: any[] = []; for (;;) { for (let i = 0; i < 2000; i++) a.push(new Promise((r) => a.push(r, "x".repeat(1000) + i))); await breathe(); }`},
		{name: "doubled-string", ends: []string{endMemory, endThrew}, body: `let s = secret; for (;;) s += s;`},
		{name: "caught-memory", ends: memory, body: breathe + `for (;;) { try { const a = []; for (;;) { for (let i = 0; i < 2000; i++) a.push({ text: "x".repeat(1000) + i }); await breathe(); } } catch {} }`},
		{name: "tight-memory", ends: []string{endMemory, endCPU}, body: `for (;;) { try { const a = []; for (;;) a.push(new ArrayBuffer(1_000_000)); } catch {} }`},
		{name: "timers", ends: []string{endMemory, endCPU, endWall}, body: `const f = () => { setTimeout(f); setTimeout(f); }; f(); await new Promise(() => {});`},
		{name: "many-timers", ends: []string{endMemory, endCPU, endThrew}, body: `for (;;) setTimeout(() => {}, 1e6);`},
		{name: "big-numbers", ends: []string{endCPU, endMemory, endThrew}, body: `let a = 3n; for (;;) a *= a;`},

		// Those that go deep.
		{name: "recursion", ends: threw, body: `const f = (): number => f() + 1; return f();`},
		{name: "json-nested", ends: threw, body: `return JSON.parse("[".repeat(1e5) + "]".repeat(1e5));`},
		{name: "arrays-nested", ends: threw, body: `let a: any = []; for (let i = 0; i < 1e5; i++) a = [a]; return String(a);`},
		{name: "result-nested", ends: []string{endThrew, endCPU}, body: `let a: any = []; for (let i = 0; i < 1e5; i++) a = [a]; return a;`},
		{name: "regexp-nested", ends: threw, body: `return new RegExp("(?:".repeat(1e5) + ")".repeat(1e5)).test(secret);`},
		{name: "source-nested", ends: threw, body: `return (0, eval)("(".repeat(1e5) + "1" + ")".repeat(1e5));`},

		// Those that want what is not theirs.
		{name: "pollute", ends: []string{endFine, endThrew, endStalled}, body: `
	const steal = () => secret;
	for (const name of Object.getOwnPropertyNames(globalThis)) {
		const x: any = (globalThis as any)[name];
		for (const o of [x, x?.prototype]) {
			if (o === null || (typeof o !== "object" && typeof o !== "function") || o === globalThis) continue;
			for (const member of Object.getOwnPropertyNames(o)) {
				try { if (typeof o[member] === "function" && !["defineProperty", "constructor"].includes(member)) Object.defineProperty(o, member, { value: steal }); } catch {}
			}
		}
	}
	(Object.prototype as any).polluted = secret;
	(globalThis as any).leaked = secret;
	return secret;`},
		{name: "pollute-prototypes", ends: fine, body: `
	(Object.prototype as any).polluted = secret;
	(Array.prototype as any).polluted = secret;
	(Function.prototype as any).polluted = secret;
	(Error.prototype as any).polluted = secret;
	(Promise.prototype as any).polluted = secret;
	return 1;`, output: `1`},
		{name: "pollute-nango", ends: []string{endFine}, body: `
	for (let o = nango; o !== null && o !== Object.prototype; o = Object.getPrototypeOf(o)) {
		for (const member of Object.getOwnPropertyNames(o)) try { Object.defineProperty(o, member, { value: () => secret }); } catch {}
	}
	const sdk = require("nango");
	for (const member of Object.keys(sdk)) try { sdk[member] = secret; } catch {}
	return 1;`},
		{name: "pollute-zod", ends: fine, body: `
	const zod: any = require("zod");
	for (const member of Object.keys(zod)) try { zod[member] = () => secret; } catch {}
	for (const member of Object.getOwnPropertyNames(Object.getPrototypeOf(z.string()))) try { Object.getPrototypeOf(z.string())[member] = () => secret; } catch {}
	z.config({ customError: () => secret });
	z.globalRegistry.add(z.string(), { title: secret });
	return 1;`},
		{name: "pollute-modules", ends: fine, body: `
	for (const name of ["crypto", "url", "util", "buffer", "events", "path"]) {
		const module: any = require(name);
		for (const member of Object.keys(module)) try { module[member] = () => secret; } catch {}
		module.leaked = secret;
	}
	return 1;`},
		{name: "globals", ends: fine, output: `[null,null,null,null]`, body: `
	const g: any = globalThis, zod: any = require("zod"), crypto: any = require("crypto");
	const before = [g.leaked, ({} as any).leaked, zod.leaked, crypto.leaked];
	for (const o of [g, Object.prototype, zod, crypto]) try { o.leaked = secret; } catch {}
	return before.map((x) => x ?? null);`},
		{name: "eval", ends: fine, output: `"undefined"`, body: `
	const tell = "[typeof __hostCall, typeof __hostSync, typeof __hostDone, typeof __entry, typeof std, typeof os, typeof Deno, typeof fetch].join()";
	const seen = new Set();
	for (const f of [() => (0, eval)(tell), new Function("return " + tell), (function () {}).constructor("return " + tell), (async function () {}).constructor("return " + tell), (function* () {}).constructor("return " + tell)]) {
		let text = f();
		if (typeof text?.next === "function") text = text.next().value;
		for (const type of (await text).split(",")) seen.add(type);
	}
	return [...seen].join();`},
		{name: "exit", ends: []string{endFine, endThrew}, body: `const p: any = process; p.kill?.(p.pid, 9); p.abort?.(); p.reallyExit?.(1); p.exit?.(1); return typeof p.exit;`},
		{name: "forbidden-modules", ends: fine, output: `0`, body: `
	let got = 0;
	for (const name of ["fs", "node:fs", "child_process", "net", "worker_threads", "vm", "module", "../../etc/passwd", "/etc/passwd", "__proto__", "constructor", "toString"]) {
		try { if (require([name].join()) !== undefined) got++; } catch {}
	}
	return got;`},
		{name: "webassembly", ends: fine, output: `"undefined"`, body: `return typeof (globalThis as any).WebAssembly;`},
		{name: "atomics-wait", ends: fine, output: `"refused"`, body: `try { return Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0); } catch { return "refused"; }`},

		// Those that flood the host.
		{name: "calls", slow: true, ends: []string{endWall, endThrew, endMemory, endCPU}, body: breathe + `
	const all = [];
	for (let i = 0; i < 100_000; i++) {
		all.push(nango.get({ endpoint: "/stream" }));
		if (i % 10 === 0) await breathe();
	}
	await Promise.all(all);`},
		{name: "caught-calls", slow: true, ends: []string{endWall, endMemory, endCPU}, body: `for (;;) { try { await Promise.race([nango.get({ endpoint: "/stream" }), new Promise((r) => setTimeout(r, 10))]); } catch {} }`},
		{name: "logs", ends: []string{endFine, endCPU}, body: `const line = "x".repeat(1_000_000) + secret; for (let i = 0; i < 1000; i++) await nango.log(line); return 1;`},
		{name: "console", ends: []string{endFine, endCPU}, body: `for (let i = 0; i < 1_000_000; i++) console.log(secret); return 1;`},
		{name: "wait", slow: true, ends: []string{endWall}, body: `await new Promise(() => setInterval(() => {}, 5));`},
		{name: "stalled", ends: []string{endStalled}, body: `await new Promise(() => {});`},
		{name: "output", ends: []string{endOutput}, body: `return secret + "x".repeat(3_000_000);`},
		{name: "output-of-all", ends: []string{endCPU, endMemory, endOutput}, body: `const a = "x".repeat(10_000_000); return [a, a, a, a, a, a];`},
		{name: "rejections", ends: fine, output: `1`, body: `for (let i = 0; i < 10_000; i++) Promise.reject(new Error(secret)); await new Promise((r) => setTimeout(r, 1)); return 1;`},
		{name: "big-error", ends: threw, body: `throw new Error(secret + "x".repeat(5_000_000));`},
		{name: "odd-error", ends: threw, body: `throw new Proxy({}, { get() { throw secret; }, getPrototypeOf() { throw secret; }, ownKeys() { throw secret; } });`},
		{name: "big-answer", ends: []string{endThrew, endMemory, "response_too_large"}, body: `return (await nango.get({ endpoint: "/big/104857600" })).data.length;`},
		{name: "many-answers", ends: memory, body: `const a = []; for (;;) a.push((await nango.get({ endpoint: "/big/5000000" })).data);`},
		{name: "wait-for-answer", slow: true, ends: []string{endWall}, body: `await nango.get({ endpoint: "/stream" }); return "done";`},
		{name: "wait-after-effect", slow: true, ends: []string{endWall, endStalled}, body: `await nango.post({ endpoint: "/x", data: { secret } }); await nango.get({ endpoint: "/stream" }); return "done";`},
		{name: "effect", ends: threw, body: `await nango.post({ endpoint: "/x", data: { secret } }); throw new Error(secret);`},
	}
}

// healthyFunction looks for traces of others, uses what they break, and tells.
const healthyFunction = `import * as z from "zod";
import { createHash } from "crypto";

let n = 0;
const model = z.object({ secret: z.string().min(1), many: z.array(z.number()) });

export default async function run(nango: any) {
	const { secret } = nango.input;
	n++;
	const g: any = globalThis;
	const traces = [g.leaked, ({} as any).polluted, ([] as any).leaked, (z as any).leaked, (createHash as any).leaked].filter((x) => x !== undefined);
	await nango.log("good " + secret, { level: "warn" });
	const { data } = await nango.get({ endpoint: "/echo", params: { secret } });
	await new Promise((r) => setTimeout(r, 1));
	const parsed = model.parse(JSON.parse(JSON.stringify({ secret, many: [3, 1, 2].sort() })));
	g.leaked = secret;
	return {
		n, traces, ...parsed, echo: data.target, environment: nango.environmentName, connection: nango.connectionId,
		hash: createHash("sha256").update("x").digest("hex").slice(0, 8), when: new Date(0).toISOString(),
	};
}
`

// hostileFolder is a folder of all of them for the integration "crm".
func hostileFolder() map[string]string {
	files := map[string]string{"crm/actions/good.ts": healthyFunction}
	var index strings.Builder
	index.WriteString("import \"./crm/actions/good\";\n")
	for _, h := range hostileFunctions() {
		// Who looks at the clock while being loaded is not kept as a memory image,
		// which would be memory that does not come back.
		loading := "Date.now();\n"
		if slices.Contains(h.ends, endFine) {
			loading = ""
		}
		files["crm/actions/"+h.name+".ts"] = "import * as z from \"zod\";\nvoid z;\n" + loading + "export default async function run(nango: any): Promise<any> {\n\tconst secret: string = nango.input.secret;\n\tif (!secret) throw new Error(\"no secret\");\n\t" + h.body + "\n}\n"
		index.WriteString("import \"./crm/actions/" + h.name + "\";\n")
	}
	files["index.ts"] = index.String()
	return files
}
