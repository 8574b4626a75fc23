//go:build linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

// These run the real engine, in real children.

func realPool(t testing.TB, c Config) *Pool {
	t.Helper()
	c.Command = command("runner")
	if c.CacheDir == "" {
		c.CacheDir = t.TempDir()
	}
	c.HotImages = 64 << 20
	return closed(t, NewPool(c))
}

// action makes a request that runs an action.
func action(function, body string) Request {
	return Request{
		Function: function,
		Program:  sandbox.Program{Name: function + ".js", Source: "exports.default = async (nango, input) => {" + body + "}"},
		Start:    []byte(`{"mode":"run","kind":"action","input":{"a":1},"props":{}}`),
		Host:     &testHost{},
		Limits:   sandbox.Limits{CPU: time.Second, Wall: time.Minute, Memory: 128 << 20, Notes: 1 << 20, Output: 2 << 20},
	}
}

// hostCall is a host call of an action's.
const hostCall = `await nango.getEnvironmentVariables();`

// A child that has run something has given back what making its engine left, one of
// a function in quarantine as well. The budget is 40 MB; the race detector alone
// takes more.
func TestMemoryOfAChild(t *testing.T) {
	t.Parallel()
	p := realPool(t, Config{}) // compiles both engines, which leaves the most
	ordinary, held := trivial(), action("held", `return input`)
	p.quarantine.hold(held.Function, true)
	for _, r := range []Request{ordinary, held} {
		if _, err := p.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	children := p.children()
	if len(children) != 2 {
		t.Fatalf("there are %d children", len(children))
	}
	for _, c := range children {
		// Much else of a child is only for the administrator to read.
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.process.(*osProcess).cmd.Process.Pid))
		if err != nil {
			t.Skipf("the system does not tell: %v", err)
		}
		var all, resident int
		if _, err := fmt.Sscan(string(text), &all, &resident); err != nil {
			t.Fatal(err)
		}
		if size := resident * os.Getpagesize(); size > 40<<20 && !raceDetector() {
			t.Errorf("one has %d kB (of a function in quarantine: %t)", size>>10, c.own)
		}
	}
}

// raceDetector reports whether the test was built with it.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

func TestEngineInChild(t *testing.T) {
	t.Parallel()
	p := realPool(t, Config{Runners: 1})
	r := action("greet", `console.log("hello"); const v = `+hostCall+` return { input, v };`)
	var notes []string
	r.Host = &testHost{
		call: func(context.Context, sandbox.Call) (sandbox.Reply, error) {
			return sandbox.Reply{JSON: []byte(`[{"name":"A","value":"B"}]`)}, nil
		},
		note: func(c sandbox.Call) { notes = append(notes, c.Name) },
	}
	for i := range 3 { // from the source, from bytecode, from a hot image
		res, err := p.Run(t.Context(), r)
		if err != nil || string(res.JSON) != `{"input":{"a":1},"v":[{"name":"A","value":"B"}]}` {
			t.Errorf("%s, %v", res.JSON, err)
		}
		if len(notes) != i+1 {
			t.Errorf("notes %v", notes)
		}
	}
	_, err := p.Run(t.Context(), action("throw", `throw new TypeError("no")`))
	if f, ok := errors.AsType[*sandbox.Failure](err); !ok {
		t.Errorf("%v %v", f, err)
	}
	if s := p.Stats(); s.Children != 1 || s.Killed != 0 {
		t.Errorf("%+v", s)
	}
}

// A run ends although calls of it are under way that the host does not answer,
// and leaves its child to others.
func TestRunsEndBeforeTheirCalls(t *testing.T) {
	t.Parallel()
	p := realPool(t, Config{Runners: 1})
	for body, limit := range map[string]string{
		hostCall:                             sandbox.LimitWall,
		`void ` + hostCall[6:] + `return 1;`: "",
	} {
		r := action("waits", body)
		r.Limits.Wall = 200 * time.Millisecond
		if limit == "" {
			r.Limits.Wall = time.Hour
		}
		r.Host = &testHost{call: func(ctx context.Context, _ sandbox.Call) (sandbox.Reply, error) {
			<-ctx.Done()
			return sandbox.Reply{}, ctx.Err()
		}}
		if _, err := p.Run(t.Context(), r); limit == "" && err != nil || limit != "" && !isLimit(err, limit) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if s := p.Stats(); s.Started != 1 || s.Killed != 0 || s.Quarantined != 0 {
		t.Errorf("%+v", s)
	}
}

// Loops that no interrupt stops, beside runs that wait for their host and make
// the garbage whose collection they hold up. All of those end well, some after
// another try; the loops are stopped, from the second time on within their child.
func TestNativeLoops(t *testing.T) {
	t.Parallel()
	p := realPool(t, Config{Runners: 1})
	loops := []string{
		`return Array.prototype.join.call({ length: 2**53-1 })`,
		`return Array.prototype.reverse.call({ length: 2**53-1 })`,
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var tries, good atomic.Int64
	for i := range 6 {
		r := action(fmt.Sprint("healthy", i), `for (let i = 0; i < 5; i++) { `+hostCall+` JSON.stringify(Array(1000).fill("x")); } return 1;`)
		r.Limits.CPU = 10 * time.Second // while others hold it up, its clock goes on
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for try := 1; ; try++ {
					tries.Add(1)
					_, err := p.Run(t.Context(), r)
					if err == nil {
						good.Add(1)
						break
					}
					if _, ok := errors.AsType[*LostError](err); !ok || try > 10 {
						t.Errorf("a healthy run: %v", err)
						return
					}
				}
			}
		})
	}
	for range 2 {
		for i, loop := range loops {
			r := action(fmt.Sprint("loop", i), loop)
			r.Limits.CPU = 300 * time.Millisecond
			_, err := p.Run(t.Context(), r)
			_, lost := errors.AsType[*LostError](err)
			if !lost && !isLimit(err, sandbox.LimitStuck) && !isLimit(err, sandbox.LimitCPU) {
				t.Errorf("a loop: %v", err)
			}
		}
	}
	close(stop)
	wg.Wait()
	for i := range loops {
		if !p.quarantine.holds(fmt.Sprint("loop", i)) {
			t.Errorf("loop %d is not in quarantine", i)
		}
	}
	if good.Load() < 100 {
		t.Errorf("%d of %d healthy runs ended well", good.Load(), tries.Load())
	}
	t.Logf("%d runs ended well, %d tries; %+v", good.Load(), tries.Load(), p.Stats())
}

func trivial() Request { return action("trivial", `return input`) }

func newEngine(b *testing.B) *sandbox.Engine {
	b.Helper()
	e, err := sandbox.New(b.Context(), sandbox.Options{
		Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure, HotImages: 64 << 20, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	return e
}

// What a child costs: the same run in this process and in a child.
func BenchmarkTrivial(b *testing.B) {
	for _, c := range []struct {
		name     string
		executor func() Executor
	}{
		{"local", func() Executor { return NewLocal(newEngine(b)) }},
		{"child", func() Executor { return realPool(b, Config{}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := c.executor()
			for range 5 {
				if _, err := e.Run(b.Context(), trivial()); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := e.Run(b.Context(), trivial()); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, parallel := range []int{16, 64} {
			b.Run(fmt.Sprintf("%s/%d", c.name, parallel), func(b *testing.B) {
				benchParallel(b, c.executor(), trivial(), parallel)
			})
		}
	}
}

func benchParallel(b *testing.B, e Executor, r Request, parallel int) {
	b.Helper()
	var wg sync.WaitGroup
	var left atomic.Int64
	for warm := range 2 {
		left.Store(int64([]int{200, b.N}[warm]))
		if warm == 1 {
			b.ResetTimer()
		}
		for range parallel {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					if _, err := e.Run(b.Context(), r); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}

// A thousand runs at a time, each of which waits 100 ms for its host.
func BenchmarkWaiting(b *testing.B) {
	p := realPool(b, Config{Memory: 8 << 30})
	r := action("waiting", hostCall+` return input`)
	r.Host = &testHost{call: func(ctx context.Context, _ sandbox.Call) (sandbox.Reply, error) {
		timer := time.NewTimer(100 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return sandbox.Reply{JSON: []byte("[]")}, nil
	}}
	for range 5 {
		if _, err := p.Run(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
	var most atomic.Int64
	for b.Loop() {
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, err := p.Run(b.Context(), r); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		most.Store(max(most.Load(), p.Stats().Memory))
	}
}
