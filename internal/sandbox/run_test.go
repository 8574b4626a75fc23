package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestRunReturnsWhatTheProgramReturns(t *testing.T) {
	t.Parallel()
	e := shared(t)
	for body, want := range map[string]string{
		`return {a: [1, "ü", null, true]}`: `{"a":[1,"ü",null,true]}`,
		`return undefined`:                 ``,
		`return null`:                      `null`,
		`return () => 1`:                   ``,
		`return "\ud800"`:                  `"\ud800"`,
		`return new Date(0)`:               `"1970-01-01T00:00:00.000Z"`,
		`return await new Promise((r) => r(Promise.resolve(7)))`: `7`,
		`return new Date(2026, 0, 1).toISOString()`:              `"2026-01-01T00:00:00.000Z"`,
	} {
		if got := value(t, e, body); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

func failure(t *testing.T, err error) map[string]any {
	t.Helper()
	f, ok := errors.AsType[*Failure](err)
	if !ok {
		t.Fatalf("got %v (%T), want a *Failure", err, err)
	}
	var m map[string]any
	if err := json.Unmarshal(f.JSON, &m); err != nil {
		t.Fatalf("%v: %s", err, f.JSON)
	}
	return m
}

func TestFailures(t *testing.T) {
	t.Parallel()
	e := shared(t)
	for body, want := range map[string]map[string]any{
		`throw new TypeError("no")`:                         {"name": "TypeError", "message": "no", "kind": "other"},
		`throw Object.assign(new Error("x"), {code: "E1"})`: {"name": "Error", "message": "x", "code": "E1", "kind": "other"},
		`throw "text"`:    {"name": "Error", "message": "text", "kind": "other"},
		`throw undefined`: {"name": "Error", "message": "undefined", "kind": "other"},
		`throw {a: 1}`:    {"name": "Error", "message": `{"a":1}`, "kind": "other"},
		`throw new Proxy({}, {get() { throw 1 }, has() { throw 2 }, getPrototypeOf() { throw 3 }})`: {"name": "Error", "message": "a value that can't be shown", "kind": "other"},
		`return 1n`: {"name": "TypeError", "message": "BigInt are forbidden in JSON.stringify", "kind": "other"},
		`setTimeout(() => { throw new Error("late") }, 1); await new Promise(() => {})`:                           {"name": "Error", "message": "late", "kind": "other"},
		`host.describeFailures((e) => ({kind: "action", payload: e.p})); throw {message: "m", name: "N", p: [1]}`: {"name": "N", "message": "m", "kind": "action", "payload": []any{1.0}},
		`host.describeFailures((e) => ({payload: 1n})); throw new Error("m")`:                                     {"name": "Error", "message": "m", "kind": "other"},
		`const o = {}; o.o = o; return o`: {"name": "TypeError", "message": "circular reference", "kind": "other"},
	} {
		_, err := runBody(t, e, nil, Limits{}, body)
		got := failure(t, err)
		delete(got, "stack")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", body, diff)
		}
	}
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	_, err := runBody(t, shared(t), nil, Limits{}, `throw new Error("x".repeat(10_000_000))`)
	if m := failure(t, err)["message"].(string); len(m) > 20_000 {
		t.Errorf("the message has %d bytes", len(m))
	}
}

func TestStacksNameTheProgram(t *testing.T) {
	t.Parallel()
	_, err := shared(t).Run(t.Context(), Request{
		Program: Program{Name: "github/actions/a.js", Source: "\"use strict\";\nfunction inner() {\n  throw new Error('x');\n}\nexports.default = () => inner();"},
		Start:   start, Host: &fakeHost{},
	})
	if s := failure(t, err)["stack"].(string); !strings.Contains(s, "inner (github/actions/a.js:3:") {
		t.Errorf("got %s", s)
	}
}

func TestColumnsOfTheFirstLine(t *testing.T) {
	t.Parallel()
	_, err := shared(t).Run(t.Context(), Request{
		Program: Program{Name: "a.js", Source: "exports.default = () => { throw new Error('x') }"}, Start: start, Host: &fakeHost{},
	})
	if s, _ := failure(t, err)["stack"].(string); !strings.Contains(s, "(a.js:1:37)") {
		t.Errorf("got %s", s)
	}
}

func TestHostPanics(t *testing.T) {
	t.Parallel()
	h := &fakeHost{call: func(context.Context, Call) (Reply, error) { panic("oops") }}
	r, err := runBody(t, shared(t), h, Limits{}, `try { await host.call("x") } catch (e) { return [e.code, e.message] }`)
	if want := `["internal_error","The host could not answer."]`; err != nil || string(r.JSON) != want {
		t.Errorf("got %s, %v", r.JSON, err)
	}
}

func FuzzValidText(f *testing.F) {
	f.Add([]byte("a\xed\xa0\x80\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := validText(b)
		if !utf8.Valid(got) || (utf8.Valid(b) && !bytes.Equal(got, b)) {
			t.Errorf("got %q", got)
		}
	})
}

func TestLoadFailure(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`throw new RangeError("at load")`: "at load",
		`require("left-pad")`:             `The module "left-pad" is not available`,
		`exports = {}`:                    "not a function",
	} {
		_, err := shared(t).Run(t.Context(), Request{Program: Program{Name: "a.js", Source: source}, Start: start, Host: &fakeHost{}})
		if m := failure(t, err)["message"].(string); !strings.Contains(m, want) {
			t.Errorf("%s: got %q", source, m)
		}
	}
}

func TestSyntaxError(t *testing.T) {
	t.Parallel()
	e := shared(t)
	for source, want := range map[string]SyntaxError{
		"const a = 1;\n  let b = ;": {Name: "a.js", Line: 2, Column: 11},
		"let b = ;":                 {Name: "a.js", Line: 1, Column: 9},
	} {
		p := Program{Name: "a.js", Source: source}
		_, runErr := e.Run(t.Context(), Request{Program: p, Start: start, Host: &fakeHost{}})
		for _, err := range []error{e.Check(t.Context(), p), runErr} {
			got, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("%q: got %v", source, err)
			}
			if got.Message == "" {
				t.Error("no message")
			}
			want.Message = got.Message
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("%q:\n%s", source, diff)
			}
		}
	}
	if err := e.Check(t.Context(), Program{Name: "b.js", Source: "exports.default = () => 1 // no newline"}); err != nil {
		t.Error(err)
	}
}

func TestCallsReachTheHost(t *testing.T) {
	t.Parallel()
	h := &fakeHost{call: func(_ context.Context, c Call) (Reply, error) {
		switch c.Name {
		case "refuse":
			return Reply{}, &CallError{JSON: []byte(`{"code":"unknown_connection","message":"There is none.","extra":[1]}`)}
		case "break":
			return Reply{}, errors.New("secret text")
		default:
			return Reply{JSON: c.JSON, Body: c.Body, Text: c.Text}, nil
		}
	}}
	r, err := runBody(t, shared(t), h, Limits{}, `
		const out = [];
		out.push(await host.call("echo", {a: "ü\ud800"}));
		out.push((await host.call("echo")).value === undefined);
		out.push((await host.call("echo", 1, "text ü\ud83d\ude00\ud800|\udc00\u0000z")).body);
		out.push([...new Uint8Array((await host.call("echo", 1, new Uint8Array([0, 255, 128]).buffer)).body)]);
		out.push((await host.call("echo", 1, new ArrayBuffer(0))).body.byteLength);
		out.push((await host.call("echo", 1, "")).body);
		try { await host.call("refuse") } catch (e) { out.push([e instanceof Error, e.name, e.code, e.message, e.details.extra]) }
		try { await host.call("break") } catch (e) { out.push([e.code, e.message]) }
		return out;`)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"value":{"a":"ü\ud800"}},true,"text ü😀�|�\u0000z",[0,255,128],0,"",` +
		`[true,"HostError","unknown_connection","There is none.",[1]],["internal_error","The host could not answer."]]`
	if diff := cmp.Diff(want, string(r.JSON)); diff != "" {
		t.Error(diff)
	}
	if r.Usage.Calls != 8 {
		t.Errorf("counted %d calls", r.Usage.Calls)
	}
}

func TestRepliesThatAreNoUTF8(t *testing.T) {
	t.Parallel()
	h := &fakeHost{call: func(context.Context, Call) (Reply, error) {
		return Reply{Body: []byte("a\xff\xc3(\xed\xa0\x80\xf0\x9f\x98\x80"), Text: true}, nil
	}}
	r, err := runBody(t, shared(t), h, Limits{}, `const {body} = await host.call("x"); return [body.startsWith("a"), body.endsWith("😀")]`)
	if err != nil || string(r.JSON) != "[true,true]" {
		t.Errorf("got %s, %v", r.JSON, err)
	}
}

func TestReplyThatIsNoJSON(t *testing.T) {
	t.Parallel()
	h := &fakeHost{call: func(context.Context, Call) (Reply, error) { return Reply{JSON: []byte("{")}, nil }}
	_, err := runBody(t, shared(t), h, Limits{}, `await host.call("x")`)
	if got := failure(t, err)["name"]; got != "SyntaxError" {
		t.Errorf("got %v", got)
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("abcdefgh"), 1<<20)
	var got []byte
	h := &fakeHost{call: func(_ context.Context, c Call) (Reply, error) {
		got = c.Body
		return Reply{Body: big}, nil
	}}
	_, err := runBody(t, shared(t), h, Limits{}, `const a = await host.call("get"); await host.call("put", 0, a.body)`)
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// Answers are settled in the order in which they arrive.
func TestSettleOrder(t *testing.T) {
	t.Parallel()
	release := map[string]chan struct{}{"1": make(chan struct{}), "2": make(chan struct{}), "3": make(chan struct{})}
	h := &chainHost{release: release}
	r, err := runBody(t, shared(t), h, Limits{}, `
		const order = [];
		const one = (n) => host.call("wait", n).then(() => { order.push(n); host.note("done", n); });
		await Promise.all([one(1), one(2), one(3)]);
		return order;`)
	if err != nil || string(r.JSON) != "[3,2,1]" {
		t.Errorf("got %s, %v", r.JSON, err)
	}
}

// chainHost answers 3, then after the note of it 2, then 1.
type chainHost struct{ release map[string]chan struct{} }

func (h *chainHost) Call(ctx context.Context, c Call) (Reply, error) {
	if string(c.JSON) == "3" {
		return Reply{}, nil
	}
	select {
	case <-h.release[string(c.JSON)]:
	case <-ctx.Done():
	}
	return Reply{}, ctx.Err()
}

func (h *chainHost) Note(c Call) {
	switch string(c.JSON) {
	case "3":
		close(h.release["2"])
	case "2":
		close(h.release["1"])
	}
}

func TestCallsAtTheSameTime(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	full := make(chan struct{})
	h := &fakeHost{call: func(ctx context.Context, c Call) (Reply, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 3 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		select {
		case <-full:
		case <-ctx.Done():
		}
		return Reply{JSON: c.JSON}, nil
	}}
	r, err := runBody(t, shared(t), h, Limits{Calls: 3}, `
		const all = await Promise.all(Array.from({length: 50}, (_, i) => host.call("x", i)));
		return all.every((a, i) => a.value === i)`)
	if err != nil || string(r.JSON) != "true" {
		t.Errorf("got %s, %v", r.JSON, err)
	}
	if most.Load() != 3 || r.Usage.Calls != 50 {
		t.Errorf("%d at the same time of %d", most.Load(), r.Usage.Calls)
	}
}

func TestWaitingCallsAreBounded(t *testing.T) {
	t.Parallel()
	h := &fakeHost{call: func(ctx context.Context, _ Call) (Reply, error) { <-ctx.Done(); return Reply{}, ctx.Err() }}
	_, err := runBody(t, shared(t), h, Limits{Calls: 1, Memory: 16 << 20}, `
		const body = new ArrayBuffer(1 << 20);
		await Promise.all(Array.from({length: 100}, () => host.call("x", 0, body)));`)
	if m := failure(t, err)["message"].(string); !strings.Contains(m, "too many host calls") {
		t.Errorf("got %q", m)
	}
}

func TestForgottenCallsEnd(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	h := &fakeHost{call: func(ctx context.Context, c Call) (Reply, error) {
		if c.Name == "slow" {
			<-ctx.Done()
			close(ended)
			return Reply{}, ctx.Err()
		}
		select {
		case <-ended:
		case <-ctx.Done():
		}
		return Reply{}, nil
	}}
	r, err := runBody(t, shared(t), h, Limits{Calls: 2}, `
		let answered = 0;
		const id = host.begin("slow", {}, {resolve() { answered++ }, reject() { answered++ }});
		const ended = host.call("ended");
		const was = [host.forget(id), host.forget(id)];
		await ended;
		return [...was, answered];`)
	if err != nil || string(r.JSON) != "[true,false,0]" {
		t.Errorf("got %s, %v", r.JSON, err)
	}
}

func TestEndOfTheRunEndsItsCalls(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	h := &fakeHost{call: func(ctx context.Context, _ Call) (Reply, error) {
		<-ctx.Done()
		ended.Store(true)
		return Reply{}, ctx.Err()
	}}
	if _, err := runBody(t, shared(t), h, Limits{}, `void host.call("x"); return 1`); err != nil {
		t.Fatal(err)
	}
	if !ended.Load() {
		t.Error("a call outlived its run")
	}
}

func TestNotesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	h := &fakeHost{}
	if _, err := runBody(t, shared(t), h, Limits{}, `for (let i = 0; i < 100; i++) host.note("n", i); return 1`); err != nil {
		t.Fatal(err)
	}
	if len(h.notes) != 100 {
		t.Fatalf("got %d", len(h.notes))
	}
	for i, n := range h.notes {
		if string(n.JSON) != fmt.Sprint(i) {
			t.Fatalf("note %d is %s", i, n.JSON)
		}
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{Sync: func(c Call) (Reply, error) {
		switch c.Name {
		case "bytes":
			return Reply{Body: append([]byte{1}, c.Body...)}, nil
		case "text":
			return Reply{Body: []byte("plain"), Text: true}, nil
		case "refuse":
			return Reply{}, &CallError{JSON: []byte(`{"code":"bad","message":"No."}`)}
		case "panic":
			panic("oops")
		default:
			return Reply{JSON: c.JSON}, nil
		}
	}})
	r, err := runBody(t, e, nil, Limits{}, `
		const out = [host.ask("echo", {a: 1}), host.ask("echo")];
		out.push([...new Uint8Array(host.ask("bytes", 0, new Uint8Array([2, 3]).buffer))]);
		try { host.ask("refuse") } catch (e) { out.push([e.code, e.message]) }
		return out;`)
	if want := `[{"a":1},null,[1,2,3],["bad","No."]]`; err != nil || string(r.JSON) != want {
		t.Errorf("got %s, %v", r.JSON, err)
	}
	_, err = runBody(t, e, nil, Limits{}, `try { host.ask("panic") } catch {} return 1`)
	if err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("got %v", err)
	}
	if _, err := runBody(t, e, nil, Limits{}, `return 1`); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

// What programs get hold of must not be able to break the host.
func TestHostileUseOfTheBridge(t *testing.T) {
	t.Parallel()
	p, err := testPrelude()
	if err != nil {
		t.Fatal(err)
	}
	// A prelude that leaks the raw functions, as a bug could.
	e := newEngine(t, Options{
		Prelude: "globalThis.raw = [__hostCall, __hostSync, __hostDone];" + p,
		Sync:    func(c Call) (Reply, error) { return Reply{JSON: c.JSON}, nil },
	})
	for _, args := range []string{
		``, `1`, `-1, "x", ""`, `NaN, "x", ""`, `1.5, "x", ""`, `1e300, "x", ""`, `"1", 2, 3`, `1, "x", "{"`, `1, "x", "1", 5`,
		`1, {toString() { raw[0](1, "x", "") }}, ""`, `Symbol(), "x", ""`, `0, "forget", "[]"`, `0, "forget", ""`, `1, "timer", "x"`, `1, "timer", '{"ms":"1"}'`,
		`1, "x", "", new Proxy({}, {})`, `null, null, null, null, null, null`, `1n, "x", ""`,
		`2, "x", "", (() => { const b = new ArrayBuffer(8); b.transfer(); return b })()`,
	} {
		for n := range 3 {
			body := fmt.Sprintf(`for (const f of [raw[%d], (...a) => Reflect.apply(raw[%d], undefined, a)]) { try { f(%s) } catch (e) { if (!(e instanceof Error)) return "odd" } } return "fine"`, n, n, args)
			r, err := runBody(t, e, nil, Limits{}, body)
			if err != nil {
				if _, ok := errors.AsType[*Failure](err); !ok {
					t.Errorf("%d(%s): %v", n, args, err)
				}
			} else if s := string(r.JSON); s == `"odd"` {
				t.Errorf("%d(%s): %s", n, args, s)
			}
		}
	}
	for body, want := range map[string]string{
		`raw[0](7, "x", ""); raw[0](7, "x", "")`:                         "a host call with this id is going on",
		`raw[0](8, "timer", '{"ms":1}'); raw[0](8, "timer", '{"ms":1}')`: "a timer with this id is going on",
		`new raw[0](1, "x", "")`:                                         "",
	} {
		_, err := runBody(t, e, nil, Limits{}, body)
		if m := failure(t, err)["message"].(string); !strings.Contains(m, want) {
			t.Errorf("%s: got %q", body, m)
		}
	}
}

func TestContextEndsTheRun(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"waiting": `host.note("go"); await host.call("x")`, "computing": `host.note("go"); for (;;);`} {
		ctx, cancel := context.WithCancel(t.Context())
		h := &noteHost{note: func(Call) { cancel() }}
		_, err := shared(t).Run(ctx, Request{Program: program(body), Start: start, Host: h})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := shared(t).Run(ctx, Request{Program: program(`return 1`), Start: start, Host: &fakeHost{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// noteHost calls a function for notes, and answers calls when they are canceled.
type noteHost struct{ note func(Call) }

func (h *noteHost) Call(ctx context.Context, _ Call) (Reply, error) {
	<-ctx.Done()
	return Reply{}, ctx.Err()
}

func (h *noteHost) Note(c Call) { h.note(c) }

func TestCloseEndsRuns(t *testing.T) {
	t.Parallel()
	p, err := testPrelude()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(t.Context(), Options{Prelude: p, CacheDir: cacheDir()})
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{}, 2)
	h := &noteHost{note: func(Call) { started <- struct{}{} }}
	var wg sync.WaitGroup
	for _, body := range []string{`host.note("go"); await host.call("x")`, `host.note("go"); for (;;);`} {
		wg.Go(func() {
			if _, err := e.Run(t.Context(), Request{Program: program(body), Start: start, Host: h}); !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	}
	<-started
	<-started
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if _, err := e.Run(t.Context(), Request{Program: program(`return 1`), Start: start, Host: h}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := e.Check(t.Context(), program("")); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestManyRunsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{HotImages: 1 << 20})
	var wg sync.WaitGroup
	for n := range 60 {
		wg.Go(func() {
			r, err := e.Run(t.Context(), Request{
				Program: program(fmt.Sprintf(`/* %d */ const {value} = await host.call("x", input); await new Promise((r) => setTimeout(r, 1)); return value + 1`, n%3)),
				Start:   fmt.Appendf(nil, `{"mode":"test","input":%d}`, n), Host: &fakeHost{},
			})
			if err != nil || string(r.JSON) != fmt.Sprint(n+1) {
				t.Errorf("%d: got %s, %v", n, r.JSON, err)
			}
		})
	}
	wg.Wait()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	r, err := runBody(t, shared(t), nil, Limits{}, `let s = []; for (let i = 0; i < 300_000; i++) s.push({i}); await host.call("x"); return 1`)
	if err != nil {
		t.Fatal(err)
	}
	u := r.Usage
	if u.CPU <= 0 || u.Wall < u.CPU || u.Memory < 10<<20 || u.Memory > defaultMemory || u.Calls != 1 || u.Hot {
		t.Errorf("got %+v", u)
	}
}

func TestValidText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a": "a", "ü": "ü", "\xed\xa0\x80": "�", "\xed\xa0\x80\xed\xb0\x80": "��",
		"\xff\xfe": "��", "\xed\xa0": "��", "a\xed\xbf\xbfb": "a�b",
	} {
		if got := string(validText([]byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestRecent(t *testing.T) {
	t.Parallel()
	key := func(n byte) [32]byte { return [32]byte{n} }
	r := newRecent[int](10)
	for n := range byte(3) {
		r.add(key(n), int(n), 4)
	}
	r.add(key(9), 9, 11)
	found := func() (all []int) {
		for n := range byte(10) {
			if v, ok := r.find(key(n)); ok {
				all = append(all, v)
			}
		}
		return all
	}
	if got := found(); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("got %v", got)
	}
	r.find(key(1))
	r.add(key(3), 3, 4)
	if got := found(); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("got %v", got)
	}
	r.add(key(3), 4, 10)
	if got := found(); !slices.Equal(got, []int{4}) || r.bytes != 10 {
		t.Errorf("got %v, %d bytes", got, r.bytes)
	}
}
