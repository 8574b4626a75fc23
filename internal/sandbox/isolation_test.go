package sandbox

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// times runs a program several times, so that it comes from a hot image when that
// is allowed, and returns the results.
func times(t *testing.T, e *Engine, n int, p Program) (results []string, hot bool) {
	t.Helper()
	for range n {
		r, err := e.Run(t.Context(), Request{Program: p, Start: start, Host: &fakeHost{}})
		if err != nil {
			t.Fatalf("%v %s", err, errText(err))
		}
		results = append(results, string(r.JSON))
		hot = r.Usage.Hot
	}
	return results, hot
}

func errText(err error) string {
	if f, ok := err.(*Failure); ok { //nolint:errorlint // for messages only
		return string(f.JSON)
	}
	return ""
}

func source(s string) Program { return Program{Name: "a.js", Source: s} }

// Nothing of a run is seen by the next one.
func TestNoStateIsShared(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{HotImages: 64 << 20, Sync: func(c Call) (Reply, error) { return Reply{JSON: c.JSON}, nil }})
	for name, source := range map[string]string{
		"module counter":   `let n = 0; exports.default = () => ++n`,
		"global":           `exports.default = () => { globalThis.n = (globalThis.n ?? 0) + 1; return n }`,
		"global at load":   `globalThis.n = (globalThis.n ?? 0) + 1; exports.default = () => n++`,
		"implicit global":  `exports.default = () => { if (typeof leaked !== "undefined") return 2; leaked = 1; return 1 }`,
		"prototype":        `exports.default = () => { Object.prototype.n = (Object.prototype.n ?? 0) + 1; return ({}).n }`,
		"prelude module":   `const h = require("host"); exports.default = () => { h.n = (h.n ?? 0) + 1; return h.n }`,
		"symbol registry":  `exports.default = () => { const f = Symbol.for("x"); Object.prototype[f] = (Object.prototype[f] ?? 0) + 1; return ({})[f] }`,
		"array iterator":   `exports.default = () => { const p = Object.getPrototypeOf([][Symbol.iterator]()); p.n = (p.n ?? 0) + 1; return p.n }`,
		"console counter":  `exports.default = () => { let n = 0; const {note} = require("host"); console.count = () => ++n; return console.count() }`,
		"regexp state":     `const r = /a/g; exports.default = () => { r.test("aa"); return r.lastIndex }`,
		"function members": `function f() {} exports.default = () => { f.n = (f.n ?? 0) + 1; return f.n }`,
	} {
		got, hot := times(t, e, 4, Program{Name: name, Source: source})
		if strings.Join(got, "") != "1111" || !hot {
			t.Errorf("%s: got %v, hot: %t", name, got, hot)
		}
	}
	// And neither between programs.
	for n, body := range []string{`Object.prototype.evil = 1; globalThis.evil = 1; Array.prototype.map = 1; Promise.prototype.then = 1; JSON.parse = 1; Math.random = 1; return 0`, `return [({}).evil, typeof evil, typeof [].map, typeof JSON.parse].join()`} {
		if got := value(t, e, body); n == 1 && got != `",undefined,function,function"` {
			t.Errorf("got %s", got)
		}
	}
}

// A hot image must not freeze what differs between runs.
func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	e := newEngine(t, Options{
		HotImages: 64 << 20, Pure: func(name string) bool { return name == "pure" },
		Sync: func(Call) (Reply, error) { return Reply{JSON: fmt.Append(nil, clock.Load())}, nil },
		Now:  func() time.Time { return time.UnixMilli(clock.Add(1000)) },
	})
	for name, source := range map[string]string{
		"date":        `const d = new Date(); exports.default = () => d`,
		"now":         `const d = Date.now(); exports.default = () => d`,
		"date string": `const d = Date(); exports.default = () => d`,
		"performance": `const d = performance.timeOrigin; exports.default = () => d`,
		"random":      `const d = Math.random(); exports.default = () => d`,
		"ask":         `Date.now(); const d = require("host").ask("impure"); exports.default = () => d`,
	} {
		got, hot := times(t, e, 5, Program{Name: name, Source: source})
		for i := range got {
			for j := range i {
				if got[i] == got[j] {
					t.Errorf("%s: runs %d and %d both saw %s", name, j, i, got[i])
				}
			}
		}
		if hot {
			t.Errorf("%s: came from an image", name)
		}
	}
	for name, source := range map[string]string{
		"note":      `console.log("loaded"); exports.default = () => 1`,
		"timer":     `setTimeout(() => {}, 1); exports.default = () => 1`,
		"call":      `require("host").call("x"); exports.default = () => 1`,
		"rejection": `Promise.reject(1); exports.default = () => 1`,
		"impure":    `require("host").ask("impure"); exports.default = () => 1`,
	} {
		if _, hot := times(t, e, 4, Program{Name: name, Source: source}); hot {
			t.Errorf("%s: came from an image", name)
		}
	}
	for name, source := range map[string]string{
		"pure":          `require("host").ask("pure"); exports.default = () => 1`,
		"fixed date":    `const d = new Date(5); exports.default = () => +d - 4`,
		"random later":  `exports.default = () => Math.random() * 0 + 1`,
		"promise":       `let n = 0; Promise.resolve().then(() => n++); exports.default = async () => { await null; return n }`,
		"much memory":   `const a = Array.from({length: 100_000}, (_, i) => ({i})); exports.default = () => a[1].i`,
		"big memory":    `const a = new Uint8Array(20_000_000).fill(1); exports.default = () => a.at(-1)`,
		"live iterator": `const g = (function* () { yield 1; yield 2 })(); exports.default = () => g.next().value`,
	} {
		if got, hot := times(t, e, 4, Program{Name: name, Source: source}); !hot || strings.Join(got, "") != "1111" {
			t.Errorf("%s: got %v, hot: %t", name, got, hot)
		}
	}
}

func TestHotImagesAreBounded(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{HotImages: 4 << 20})
	for n := range 10 {
		p := source(fmt.Sprintf(`const a = new Uint8Array(1_000_000).fill(%d + 1); exports.default = () => a.at(-1)`, n))
		if got, _ := times(t, e, 3, p); got[2] != fmt.Sprint(n+1) {
			t.Errorf("got %v", got)
		}
	}
	if b := e.programs.images.bytes; b == 0 || b > 4<<20 {
		t.Errorf("%d bytes are kept", b)
	}
	none := newEngine(t, Options{})
	if _, hot := times(t, none, 4, source(`exports.default = () => 1`)); hot {
		t.Error("an image although none is wanted")
	}
}

// What runs most begins as a mapping of its whole memory, and sees as little of
// the runs before as others.
func TestFrozenMemoryIsFresh(t *testing.T) {
	t.Parallel()
	const total = 16 << 20
	e := newEngine(t, Options{HotImages: 2 * total})
	text := `let n = 0; const a = new Uint8Array(%d).fill(7); exports.default = () => [++n, a[a.length - 1]++, globalThis.x = (globalThis.x ?? 0) + 1].join()`
	for _, size := range []int{10, 3_000_000, 20_000_000} { // the last is too large to be kept
		got, _ := times(t, e, freezeAfter+4, source(fmt.Sprintf(text, size)))
		for n, g := range got {
			if g != `"1,7,1"` {
				t.Fatalf("%d bytes: run %d got %s", size, n, g)
			}
		}
	}
	if kept := e.programs.frozen; kept.bytes > total || len(kept.items) > 2 {
		t.Errorf("%d frozen memories of %d bytes are kept", len(kept.items), kept.bytes)
	} else if f, err := freeze(e.snapshot.bytes, nil); err != nil || (f == nil) != (len(kept.items) == 0) {
		t.Errorf("%d memories are frozen, %v", len(kept.items), err)
	}
}

func TestRandomNumbersDiffer(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{HotImages: 1 << 20})
	seen := map[string]bool{}
	for range 5 {
		got, _ := times(t, e, 1, source(`exports.default = () => [Math.random(), Math.random()]`))
		if seen[got[0]] {
			t.Errorf("%s twice", got[0])
		}
		seen[got[0]] = true
	}
	got := value(t, e, `
		const n = 10_000, all = Array.from({length: n}, Math.random);
		const mean = all.reduce((a, b) => a + b) / n;
		return [all.every((x) => x >= 0 && x < 1), Math.abs(mean - 0.5) < 0.05, new Set(all).size === n]`)
	if got != "[true,true,true]" {
		t.Errorf("got %s", got)
	}
}

func TestProgramsAreCompiledOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{})
	a, b := source(`exports.default = () => 1`), Program{Name: "b.js", Source: `exports.default = () => 1`}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { times(t, e, 1, a) })
	}
	wg.Wait()
	times(t, e, 1, b)
	if n := len(e.programs.code.items); n != 2 {
		t.Errorf("%d programs are kept", n)
	}
	if (Program{Name: "a", Source: "b"}).key() == (Program{Name: "ab"}).key() {
		t.Error("different programs have the same key")
	}
}

func TestLongProgramsAreKnown(t *testing.T) {
	t.Parallel()
	d := &newPrograms(0).known
	d.most = 4 * 64 << 10
	all := strings.Repeat("x", 64<<10)
	long := []Program{{"a", all}, {"b", all}, {"a", all[:leastKnown]}, {"a", all[1:]}, {"a", strings.Clone(all[:leastKnown-1])}, {"a", all + "y"}}
	for range 2 {
		for _, p := range long {
			if d.key(p) != p.key() {
				t.Errorf("%q with %d bytes has another key", p.Name, len(p.Source))
			}
			if d.bytes > d.most || len(d.keys) > 5 {
				t.Errorf("%d programs of %d bytes are kept", len(d.keys), d.bytes)
			}
		}
	}
	if len(d.keys) == 0 {
		t.Error("nothing is kept")
	}
}

func TestSnapshotIsKept(t *testing.T) {
	t.Parallel()
	p, err := testPrelude()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "cache")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(cacheDir(), "modules"), filepath.Join(dir, "modules")); err != nil {
		t.Fatal(err)
	}
	open := func(prelude string) []byte {
		t.Helper()
		e := newEngine(t, Options{Prelude: prelude, CacheDir: dir})
		if got, _ := times(t, e, 2, source(`let n = Math.random(); exports.default = () => n > 0`)); got[1] != "true" {
			t.Errorf("got %v", got)
		}
		return e.snapshot.bytes
	}
	files := func() []string {
		t.Helper()
		all, err := filepath.Glob(filepath.Join(dir, "snapshots", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	first := open(p)
	all := files()
	if len(all) != 1 {
		t.Fatalf("files: %v", all)
	}
	path := all[0]
	for _, name := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, open(p)) {
		t.Error("the kept snapshot is another one")
	}
	for name, damage := range map[string]func([]byte) []byte{
		"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"shortened": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func([]byte) []byte { return nil },
		"header":    func(b []byte) []byte { b[0] ^= 1; return b },
		"sum":       func(b []byte) []byte { b[len(snapshotFormat)] ^= 1; return b },
		"roots":     func(b []byte) []byte { b[len(snapshotFormat)+70] ^= 1; return b },
	} {
		if err := os.WriteFile(path, damage(bytes.Clone(kept)), 0o600); err != nil {
			t.Fatal(err)
		}
		open(p)
		if _, _, err := readSnapshot(path); err != nil {
			t.Errorf("%s: not made again: %v", name, err)
		}
	}
	open(p + ";")
	if n := len(files()); n != 2 {
		t.Errorf("another prelude: %d files", n)
	}
}

func TestBadPreludes(t *testing.T) {
	t.Parallel()
	for prelude, want := range map[string]string{
		``:                        "has no",
		`let x x`:                 "compiling the prelude",
		`throw new Error("oops")`: "oops",
		`globalThis.__entry = {load() {}, start: 1}`: "has no function",
		`__hostCall(1, "x", "")`:                     "can't be called",
		`const f = () => {}; globalThis.__entry = {load: f, start: f, settle: f, rejected: f}; Promise.resolve().then(f)`: "leave promises",
	} {
		_, err := New(t.Context(), Options{Prelude: prelude, CacheDir: cacheDir()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", prelude, err)
		}
	}
}

// With the same clock, random numbers and answers a run is the same again.
func TestRunsCanBeRepeated(t *testing.T) {
	t.Parallel()
	run := func(seed byte) string {
		var clock atomic.Int64
		e := newEngine(t, Options{Random: rand.NewChaCha8([32]byte{seed}), Now: func() time.Time { return time.UnixMilli(clock.Add(7)) }})
		got, _ := times(t, e, 1, source(`exports.default = async () => {
			const out = [Math.random(), Date.now(), performance.now()];
			await new Promise((r) => setTimeout(r, 1));
			for (let i = 0; i < 300; i++) out.push(Math.random());
			return [...out, new Date()];
		}`))
		return got[0]
	}
	first := run(1)
	if again := run(1); again != first {
		t.Errorf("got %s and %s", first, again)
	}
	if other := run(2); other == first {
		t.Error("other random numbers make no difference")
	}
	e := newEngine(t, Options{Random: strings.NewReader("")})
	if got := value(t, e, `try { Math.random() } catch (e) { return e.message }`); !strings.Contains(got, "no random numbers") {
		t.Errorf("got %s", got)
	}
}
