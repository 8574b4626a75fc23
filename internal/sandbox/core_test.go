package sandbox

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimers(t *testing.T) {
	t.Parallel()
	p, err := testPrelude()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ body, want string }{
		"order": {`
			const out = [], at = (n) => () => out.push(n);
			setTimeout(at("30"), 30); setTimeout(at("10"), 10); setTimeout(at("20"), 20); setTimeout(at("10b"), 10);
			setImmediate(at("now")); setTimeout(at("1"), 0); queueMicrotask(at("micro"));
			await new Promise((r) => setTimeout(r, 40));
			return out.join()`, `"micro,now,1,10,10b,20,30"`},
		"arguments":           {`return await new Promise((r) => setTimeout((a, b) => r([a, b]), 1, 2, 3))`, `[2,3]`},
		"immediate arguments": {`return await new Promise((r) => setImmediate((a, b) => r([a, b]), 2, 3))`, `[2,3]`},
		"microtasks between": {`
			const out = [];
			setTimeout(() => { out.push(1); Promise.resolve().then(() => out.push(2)) }, 5);
			setTimeout(() => out.push(3), 5);
			await new Promise((r) => setTimeout(r, 6));
			return out`, `[1,2,3]`},
		"interval": {`
			let n = 0;
			await new Promise((r) => { const i = setInterval(() => { if (++n === 3) { clearInterval(i); r() } }, 10) });
			await new Promise((r) => setTimeout(r, 100));
			return n`, `3`},
		"clear": {`
			let n = 0; const hit = () => n++;
			clearTimeout(setTimeout(hit, 1)); clearTimeout(+setTimeout(hit, 1)); clearInterval(setInterval(hit, 1)); clearImmediate(setImmediate(hit));
			clearTimeout(undefined); clearTimeout("x"); clearTimeout({}); clearTimeout(12345);
			await new Promise((r) => setTimeout(r, 10));
			return n`, `0`},
		"timeout object": {`
			const t = setTimeout(() => {}, 10);
			return [t.hasRef(), t.ref() === t, t.unref() === t, typeof +t, t.close() === t]`, `[true,true,true,"number",true]`},
		"refresh": {`
			let at; const began = Date.now(); const t = setTimeout(() => at = Date.now() - began, 10);
			await new Promise((r) => setTimeout(r, 6)); t.refresh();
			await new Promise((r) => setTimeout(r, 20));
			return at`, `16`},
		"clock": {`
			const a = performance.now(); await new Promise((r) => setTimeout(r, 1500));
			return [performance.now() - a, Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 2]`, `[1500,true]`},
		"many": {`
			let n = 0; for (let i = 0; i < 2000; i++) setTimeout(() => n++, i % 7);
			for (let i = 0; i < 2000; i++) clearTimeout(setTimeout(() => n++, i));
			await new Promise((r) => setTimeout(r, 10));
			return n`, `2000`},
		"names":       {`return [setTimeout.name, clearImmediate.name, Math.random.name, queueMicrotask.name]`, `["setTimeout","clearImmediate","random","queueMicrotask"]`},
		"no function": {`try { setTimeout("code", 1) } catch (e) { return e.name }`, `"TypeError"`},
		"odd waits": {`
			let n = 0; for (const w of [-1, NaN, "2", null, undefined, 1e12, {}]) setTimeout(() => n++, w);
			await new Promise((r) => setTimeout(r, 5));
			return n`, `7`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(c.want, value(t, newEngine(t, Options{Prelude: p}), c.body)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	h := &fakeHost{}
	_, err := runBody(t, shared(t), h, Limits{}, `
		console.log("a", 1, {b: [2]}, null, undefined, 3n, Symbol("s"), true);
		console.debug("d"); console.info("i"); console.warn("w"); console.error("e");
		console.assert(true, "no"); console.assert(false, "yes"); console.assert(false);
		console.count(); console.count(); console.countReset(); console.count("x");
		console.group("g"); console.log("in\nside"); console.groupEnd(); console.log("out");
		console.log(new Proxy({}, {get() { throw new Error("trap") }}));
		console.timeEnd("none"); console.clear();
		host.formatWith((args) => "<" + args.join("|") + ">"); console.log(1, 2);
		host.formatWith(() => { throw new Error("bad") }); console.log(1);
		return 1`)
	if err != nil {
		t.Fatalf("%v %s", err, errText(err))
	}
	want := `info a 1 {"b":[2]} null undefined 3 Symbol(s) true
debug d
info i
warn w
error e
error Assertion failed: yes
error Assertion failed
info default: 1
info default: 2
info x: 1
info g
info   in
  side
info out
info (the arguments could not be shown: trap)
warn There is no timer "none".
info <1|2>
info (the arguments could not be shown: bad)`
	if diff := cmp.Diff(want, h.texts()); diff != "" {
		t.Error(diff)
	}
}

func TestUnhandledRejectionsAreWarnings(t *testing.T) {
	t.Parallel()
	h := &fakeHost{}
	r, err := runBody(t, shared(t), h, Limits{}, `
		void Promise.reject(new TypeError("lost"));
		Promise.reject(new Error("caught")).catch(() => {});
		const late = Promise.reject(new Error("caught soon")); await null; late.catch(() => {});
		void (async () => { throw 1 })();
		await host.call("x");
		for (let i = 0; i < 500; i++) void Promise.reject(i);
		await host.call("x");
		return 1`)
	if err != nil || string(r.JSON) != "1" {
		t.Fatalf("got %s, %v", r.JSON, err)
	}
	got := h.texts()
	if !strings.Contains(got, "warn A promise was rejected and nothing handled it: TypeError: lost") || strings.Contains(got, "caught") ||
		strings.Count(got, "\n") != 101 {
		t.Errorf("got %s", got)
	}
}

// Garbage is collected, and what watches it works.
func TestGarbage(t *testing.T) {
	t.Parallel()
	got := value(t, shared(t), `
		const kept = {}, weak = new WeakRef(kept), map = new WeakMap([[kept, 1]]);
		let gone = 0; const registry = new FinalizationRegistry(() => gone++);
		for (let i = 0; i < 100_000; i++) { const a = {}; a.a = a; registry.register(a, i) }
		for (let i = 0; i < 100; i++) { new Uint8Array(10_000_000) }
		await host.call("x");
		return [weak.deref() === kept, map.get(kept)]`)
	if got != "[true,1]" {
		t.Errorf("got %s", got)
	}
}

func TestNoOtherWayOut(t *testing.T) {
	t.Parallel()
	got := value(t, shared(t), `
		const names = ["__hostCall", "__hostSync", "__hostDone", "__entry", "std", "os", "WebAssembly", "Deno", "scriptArgs", "print", "load"];
		let imported; try { await import("fs") } catch (e) { imported = e instanceof Error }
		return [names.filter((n) => n in globalThis), imported, new Date().getTimezoneOffset(), Object.keys(globalThis)]`)
	if got != `[[],true,0,[]]` {
		t.Errorf("got %s", got)
	}
}

// A program that waits for long holds little beside its memory, and goes on as if
// nothing had been.
func TestLongWaitsHoldLittle(t *testing.T) {
	t.Parallel()
	p, err := testPrelude()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, Options{Prelude: p})
		h := &fakeHost{call: func(context.Context, Call) (Reply, error) {
			<-time.After(2 * longWait)
			synctest.Wait()
			e.mu.Lock()
			defer e.mu.Unlock()
			for w := range e.live {
				if n := len(w.instance.Load().functions); n != 0 {
					t.Errorf("%d functions are held", n)
				}
			}
			return Reply{JSON: []byte("1")}, nil
		}}
		r, err := runBody(t, e, h, Limits{}, `
			let sum = 0;
			for (let n = 0; n < 3; n++) sum += (await host.call("x")).value;
			return sum`)
		if err != nil || string(r.JSON) != "3" {
			t.Errorf("got %s, %v", r.JSON, err)
		}
	})
}
