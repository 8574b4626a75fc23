package sandbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func limitOf(err error) string {
	if l, ok := errors.AsType[*LimitError](err); ok {
		return l.Limit
	}
	return fmt.Sprint(err)
}

// Nothing that a program does keeps the interrupt away.
func TestCPULimit(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"loop":            `for (;;);`,
		"catch":           `for (;;) { try { for (;;); } catch { } finally { continue } }`,
		"recursive catch": `const f = () => { for (;;) { try { for (;;); } catch {} finally { f() } } }; f()`,
		"await":           `for (;;) await null`,
		"await catch":     `const f = async () => { for (;;); }; for (;;) { try { await f() } catch { f() } }`,
		"thenable":        `return {then(r) { r(this) }}`,
		"microtasks":      `const f = () => queueMicrotask(f); f(); await new Promise(() => {})`,
		"generator":       `function* g() { for (;;) yield 1 } for (const x of g()); `,
		"regexp":          `return /^(a+)+$/.test("a".repeat(40) + "b")`,
		"regexp replace":  `return "a".repeat(40).concat("b").replace(/^(a|a)*$/, "")`,
		"getter":          `const o = {get a() { for (;;); }}; return o`,
		"toJSON":          `return {toJSON() { for (;;); }}`,
		"thrown getter":   `throw {get message() { for (;;); }}`,
		"sort":            `[1, 2].sort(() => { for (;;); })`,
		"proxy":           `const p = new Proxy({}, {get() { for (;;); }}); return p.a`,
		"finalizer":       `class A { static { for (;;); } }`,
		"bigint":          `let a = 3n; for (;;) a = (a * a) % (2n ** 60000n)`,
		"eval":            `eval("for(;;);")`,
		"function":        `new Function("for(;;);")()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &fakeHost{}
			_, err := runBody(t, shared(t), h, Limits{CPU: 30 * time.Millisecond}, body)
			if got := limitOf(err); got != LimitCPU {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestCPULimitAtLoad(t *testing.T) {
	t.Parallel()
	_, err := shared(t).Run(t.Context(), Request{
		Program: Program{Name: "a.js", Source: `try { for (;;); } catch {}`}, Start: start, Host: &fakeHost{}, Limits: Limits{CPU: 20 * time.Millisecond},
	})
	if got := limitOf(err); got != LimitCPU {
		t.Errorf("got %v", got)
	}
}

// What a stopped program asks for does not happen.
func TestStoppedProgramsReachNothing(t *testing.T) {
	t.Parallel()
	h := &fakeHost{}
	_, err := runBody(t, shared(t), h, Limits{CPU: 20 * time.Millisecond}, `
		try { for (;;); } catch {} finally { host.note("finally") }
		host.note("after")`)
	if limitOf(err) != LimitCPU || len(h.notes) > 0 {
		t.Errorf("got %v, %v", err, h.notes)
	}
}

// The limit is of computing between two waits.
func TestCPULimitIsPerStretch(t *testing.T) {
	t.Parallel()
	var w watched
	w.begin(Limits{CPU: time.Hour}, time.Now().Add(-3*time.Hour))
	ago := func(d time.Duration) {
		s := w.stretch.Load()
		w.stretch.Store(&stretch{from: s.from - d})
	}
	for range 3 {
		w.resume()
		ago(50 * time.Minute)
		if _, stopped := w.poll(); stopped {
			t.Fatal("stopped")
		}
		w.pause()
	}
	w.resume()
	w.outside(func() {
		w.check(0)
		if !w.asking(0) {
			t.Error("outside of the module it does not look as if it asked")
		}
	})
	ago(time.Minute)
	if w.asking(time.Minute) || !w.asking(2*time.Minute) {
		t.Error("it last asked a minute ago")
	}
	w.resume()
	w.pause()
	if got := w.total(); w.reason() != 0 || got < 150*time.Minute || got > 151*time.Minute {
		t.Errorf("computed for %v, stopped: %d", got, w.reason())
	}
	w.resume()
	ago(61 * time.Minute)
	if w.check(time.Hour); w.reason() != stopCPU {
		t.Error("not stopped by the one that watches")
	}
	w.stopped.Store(0)
	w.halted = make(chan struct{})
	if _, stopped := w.poll(); !stopped || w.reason() != stopCPU {
		t.Error("not stopped")
	}
}

// A run that waits for a processor does not compute: others that do must not make
// it reach its limit, nor look as if it ignored being stopped.
func TestWaitingForAProcessorIsNotComputing(t *testing.T) {
	t.Parallel()
	if _, ok := currentThread().computed(); !ok {
		t.Skip("the time of threads can't be read here")
	}
	var pool threads
	w := watched{threads: &pool}
	w.begin(Limits{CPU: time.Minute}, time.Now().Add(-time.Hour))
	w.resume()
	s := w.stretch.Load()
	if s.thread == 0 {
		t.Fatal("the run has no thread of its own")
	}
	// An hour has gone by since the run began.
	if spent, stopped := w.poll(); stopped || spent > time.Minute {
		t.Errorf("computed for %v, stopped: %d", spent, w.reason())
	}
	if w.check(0); w.reason() != 0 {
		t.Errorf("stopped for %d", w.reason())
	}
	w.stop(stopCanceled)
	for range 3 {
		if w.check(time.Minute) {
			t.Error("it looks stuck")
		}
	}
	w.pause()
	if n := pool.n.Load(); n != 0 {
		t.Errorf("%d threads are taken", n)
	}
	pool.n.Store(maxThreads)
	w.resume()
	if w.locked || w.stretch.Load().thread != 0 {
		t.Error("more runs have threads than may")
	}
	w.pause()
	if n := pool.n.Load(); n != maxThreads {
		t.Errorf("%d threads are taken", n)
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"strings":       `const a = []; for (;;) a.push("x".repeat(1_000_000) + a.length)`,
		"objects":       `const a = []; for (;;) a.push({a: 1})`,
		"caught":        `for (;;) { try { const a = []; for (;;) a.push({a: 1}) } catch {} }`,
		"typed arrays":  `const a = []; for (;;) a.push(new Uint8Array(1_000_000))`,
		"array buffers": `throw await new Promise((r) => { const a = []; for (;;) a.push(new ArrayBuffer(100_000)) })`,
		"map":           `const m = new Map(); for (let i = 0;; i++) m.set(i, {i})`,
		"fill":          `return new Array(2e9).fill(1).length`,
		"closures":      `let f = () => 1; for (;;) { const g = f; f = () => g }`,
		"promises":      `const f = () => { f.a = [f.a, Promise.resolve().then(f), Promise.resolve().then(f)] }; f(); await new Promise(() => {})`,
		"regexp":        `return /(?:(a)|b)*$/.test("ab".repeat(4_000_000))`,
		"json":          `const a = []; for (;;) a.push(JSON.parse('{"a":[1,2,3]}'))`,
		"result":        `const a = "x".repeat(10_000_000); return [a, a, a, a, a, a]`,
		"uncaught":      `new Uint8Array(1_000_000_000)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := runBody(t, shared(t), nil, Limits{Memory: 32 << 20}, body)
			if got := limitOf(err); got != LimitMemory {
				t.Errorf("got %v", got)
			}
		})
	}
}

// What can never fit is an error as elsewhere, and not the end.
func TestAbsurdAllocationsThrow(t *testing.T) {
	t.Parallel()
	got := value(t, shared(t), `
		const names = [];
		for (const f of [() => new ArrayBuffer(10e9), () => new Uint8Array(1e9), () => "x".repeat(4e9)]) {
			try { f(); names.push("fine") } catch (e) { names.push(e instanceof Error) }
		}
		return names`)
	if got != "[true,true,true]" {
		t.Errorf("got %s", got)
	}
}

func TestRepliesCountAsMemory(t *testing.T) {
	t.Parallel()
	h := &fakeHost{call: func(context.Context, Call) (Reply, error) { return Reply{Body: make([]byte, 64<<20), Text: true}, nil }}
	_, err := runBody(t, shared(t), h, Limits{Memory: 32 << 20}, `await host.call("x")`)
	if got := limitOf(err); got != LimitMemory {
		t.Errorf("got %v", got)
	}
}

func TestMemoryBelowTheSnapshot(t *testing.T) {
	t.Parallel()
	_, err := runBody(t, shared(t), nil, Limits{Memory: 1 << 16}, `return 1`)
	if got := limitOf(err); got != LimitMemory {
		t.Errorf("got %v", got)
	}
}

func TestWallLimit(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"waiting":   `await host.call("x")`,
		"timers":    `const f = () => setTimeout(f, 0); f(); await new Promise(() => {})`,
		"computing": `for (;;);`,
	} {
		h := &noteHost{note: func(Call) {}}
		_, err := runBody(t, shared(t), h, Limits{Wall: 50 * time.Millisecond, CPU: time.Minute}, body)
		if got := limitOf(err); got != LimitWall {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestOutputLimit(t *testing.T) {
	t.Parallel()
	e := shared(t)
	if r, err := runBody(t, e, nil, Limits{Output: 12}, `return "0123456789"`); err != nil {
		t.Errorf("got %s, %v", r.JSON, err)
	}
	for _, body := range []string{
		`return "0123456789a"`,
		`throw new Error("0123456789")`,
		`host.done(true, 1, "0123456789012")`,
		`host.done(true, 1, new ArrayBuffer(12))`,
	} {
		if _, err := runBody(t, e, nil, Limits{Output: 12}, body); limitOf(err) != LimitOutput {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestResultsWithBodies(t *testing.T) {
	t.Parallel()
	r, err := runBody(t, shared(t), nil, Limits{}, `host.done(true, {a: 1}, "ü"); host.done(false, 2); for (let i = 0; i < 10; i++) await null; return 3`)
	if err != nil || string(r.JSON) != `{"a":1}` || string(r.Body) != "ü" || !r.Text {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestNotesLimit(t *testing.T) {
	t.Parallel()
	h := &fakeHost{}
	_, err := runBody(t, shared(t), h, Limits{Notes: 1000}, `for (let i = 0; i < 1000; i++) console.log("0123456789"); return 1`)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(h.notes); n < 10 || n > 50 || h.notes[n-1].Name != NotesDropped || strings.Count(h.texts(), NotesDropped) != 1 {
		t.Errorf("got %d notes, the last is %s", n, h.notes[n-1].Name)
	}
}

func TestStalled(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`await new Promise(() => {})`,
		`await host.call("x"); await new Promise(() => {})`,
		`const t = setTimeout(() => {}, 1e6); clearTimeout(t); await new Promise(() => {})`,
		`return {then() {}}`,
	} {
		if _, err := runBody(t, shared(t), nil, Limits{}, body); limitOf(err) != LimitStalled {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

// Recursion of every kind ends with an error that programs can catch.
func TestRecursion(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"function":   `const f = (n) => f(n + 1) + 1; f(0)`,
		"getter":     `const o = {get a() { return this.a }}; o.a`,
		"sort":       `const f = () => [3, 2, 1].sort(f); f()`,
		"apply":      `const f = (...a) => Reflect.apply(f, null, a); f()`,
		"replace":    `const f = () => "x".replace(/x/, f); f()`,
		"toJSON":     `const o = {toJSON() { return JSON.stringify(o) }}; JSON.stringify(o)`,
		"generator":  `function* g() { yield* g() } [...g()]`,
		"construct":  `function F() { new F() } new F()`,
		"json":       `JSON.parse("[".repeat(1e6) + "]".repeat(1e6))`,
		"reviver":    `JSON.parse("[".repeat(1e5) + "]".repeat(1e5), (k, v) => v)`,
		"join":       `let a = []; for (let i = 0; i < 1e5; i++) a = [a]; String(a)`,
		"flat":       `let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)`,
		"proxy":      `let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x`,
		"parser":     `eval("(".repeat(1e5) + "1" + ")".repeat(1e5))`,
		"unary":      `eval("- ".repeat(1e5) + "1")`,
		"regexp":     `new RegExp("(?:".repeat(1e5) + ")".repeat(1e5))`,
		"classes":    `let C = class {}; for (let i = 0; i < 1e5; i++) C = class extends C {}; new C()`,
		"ownKeys":    `const p = new Proxy({}, {ownKeys: (o) => Reflect.ownKeys(p)}); Object.keys(p)`,
		"toString":   `const o = {toString() { return "" + this }}; "" + o`,
		"bound this": `const o = {valueOf() { return +this }}; +o`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := value(t, shared(t), `const f = () => {`+body+`}; try { f(); return "no error" } catch (e) { return [e.name, String(e.message).slice(0, 20)] }`)
			want := `"RangeError","Maximum call stack`
			if name == "regexp" {
				want = `"SyntaxError","stack overflow"`
			}
			if !strings.Contains(got, want) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// Recursion that nothing catches is a failure like others, and freeing deep
// structures needs no stack.
func TestDeepStructures(t *testing.T) {
	t.Parallel()
	if got := value(t, shared(t), `let a = {}; for (let i = 0; i < 500_000; i++) a = {a}; a = null; return 1`); got != "1" {
		t.Errorf("got %s", got)
	}
	_, err := runBody(t, shared(t), nil, Limits{}, `const f = () => f() + 1; f()`)
	if m := failure(t, err); m["name"] != "RangeError" {
		t.Errorf("got %v", m)
	}
	if got := value(t, shared(t), `let p = Promise.resolve(1); for (let i = 0; i < 50_000; i++) { const q = p; p = (async () => q)() } return p`); got != "1" {
		t.Errorf("got %s", got)
	}
	if _, err := runBody(t, shared(t), nil, Limits{}, `return JSON.parse("[".repeat(2000) + "]".repeat(2000), (k, v) => v)`); err != nil {
		t.Error(err)
	}
}

// nativeLoop takes seconds inside QuickJS without asking whether to go on.
const nativeLoop = `const a = []; a.length = %d; a.reverse()`

// It holds a processor and with it the collector: it runs on its own.
//
//nolint:paralleltest // see above
func TestStuck(t *testing.T) {
	p, err := testPrelude()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(t.Context(), Options{Prelude: p, CacheDir: cacheDir()})
	if err != nil {
		t.Fatal(err)
	}
	e.stuckAfter = 100 * time.Millisecond
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	if !e.Asking(0) {
		t.Error("a program does not ask, and there is none")
	}
	began := make(chan struct{})
	var silent bool
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		for <-began; !silent && !e.isStuck(); runtime.Gosched() {
			silent = !e.Asking(50 * time.Millisecond)
		}
	}()
	h := &fakeHost{call: func(context.Context, Call) (Reply, error) { close(began); return Reply{}, nil }}
	_, err = runBody(t, e, h, Limits{CPU: 300 * time.Millisecond}, `await host.call("begin");`+fmt.Sprintf(nativeLoop, 60_000_000))
	if <-watching; !silent {
		t.Error("a program that does not ask looks as if it did")
	}
	if got := limitOf(err); got != LimitStuck {
		t.Fatalf("got %v", got)
	}
	<-e.Stuck()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestInterruptible(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{Interruptible: true})
	for range 2 {
		_, err := runBody(t, e, nil, Limits{CPU: 10 * time.Millisecond}, fmt.Sprintf(nativeLoop, 1<<32-1))
		if got := limitOf(err); got != LimitCPU {
			t.Errorf("got %v", got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	h := &noteHost{note: func(Call) { cancel() }}
	_, err := e.Run(ctx, Request{Program: program(`host.note("go");` + fmt.Sprintf(nativeLoop, 1<<32-1)), Start: start, Host: h})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	select {
	case <-e.Stuck():
		t.Error("it is stuck")
	default:
	}
	if r, err := runBody(t, e, nil, Limits{}, `return (await host.call("x", 1)).value`); err != nil || string(r.JSON) != "1" {
		t.Errorf("got %s, %v", r.JSON, err)
	}
}

// Timers and deadlines follow the clock of Go, so that tests can run ahead of it.
func TestTimersTakeTheirTime(t *testing.T) {
	t.Parallel()
	p, err := testPrelude()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, Options{Prelude: p})
		r, err := runBody(t, e, nil, Limits{}, `
			const began = Date.now();
			await new Promise((r) => setTimeout(r, 3_600_000));
			return Date.now() - began`)
		if err != nil || string(r.JSON) != "3600000" {
			t.Errorf("got %s, %v", r.JSON, err)
		}
		h := &noteHost{note: func(Call) {}}
		_, err = runBody(t, e, h, Limits{Wall: 15 * time.Minute}, `await host.call("x")`)
		if l, ok := errors.AsType[*LimitError](err); !ok || l.Limit != LimitWall || l.Usage.Wall != 15*time.Minute {
			t.Errorf("got %+v", err)
		}
	})
}

// When all together have too much memory the largest is stopped, and nobody else;
// one alone may have what its limit allows.
func TestPressure(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{Memory: 16 << 20})
	check := func(context.Context, Call) (Reply, error) { e.checkRuns(); return Reply{}, nil }
	const large = `const a = new Uint8Array(30_000_000).fill(1); await host.call("x"); return a.at(-1)`
	if r, err := runBody(t, e, &fakeHost{call: check}, Limits{}, large); err != nil || string(r.JSON) != "1" {
		t.Fatalf("alone: got %s, %v", r.JSON, err)
	}
	release, waiting := make(chan struct{}), make(chan struct{}, 3)
	wait := &fakeHost{call: func(context.Context, Call) (Reply, error) { waiting <- struct{}{}; <-release; return Reply{}, nil }}
	var wg sync.WaitGroup
	for _, body := range []string{`return 1`, `const a = new Uint8Array(4_000_000).fill(1); await host.call("x"); return a.at(-1)`} {
		wg.Go(func() {
			if r, err := runBody(t, e, wait, Limits{}, `await host.call("x");`+body); err != nil || string(r.JSON) != "1" {
				t.Errorf("small: got %s, %v", r.JSON, err)
			}
		})
		<-waiting
	}
	_, err := runBody(t, e, &fakeHost{call: check}, Limits{}, large)
	if l, ok := errors.AsType[*LimitError](err); !ok || l.Limit != LimitPressure || l.Usage.Memory < 30_000_000 {
		t.Errorf("the largest: got %v", err)
	}
	e.checkRuns()
	close(release)
	wg.Wait()
}
