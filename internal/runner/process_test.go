//go:build linux

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/sandbox"
)

func scriptedPool(t testing.TB, c Config) *Pool {
	t.Helper()
	c.Command = command("scripted")
	return closed(t, NewPool(c))
}

func TestChildHasNothing(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{})
	res, err := p.Run(t.Context(), program("facts"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Environment, Files []string
		Dir                string
		Core, Open         uint64
		Sacrificed         string
		NoNewPrivs         bool `json:"no_new_privs"`
	}
	if err := json.Unmarshal(res.JSON, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Environment) > 0 || got.Dir != "/" || got.Core != 0 || got.Open > maxFiles || !got.NoNewPrivs || got.Sacrificed != "1000" {
		t.Errorf("the child has %s", res.JSON)
	}
	sockets := 0
	for _, f := range got.Files {
		switch {
		case f == "socket":
			sockets++
		case f == "/dev/null", f == "pipe", strings.HasPrefix(f, "anon_inode"), strings.HasPrefix(f, "/proc/"), strings.HasPrefix(f, "/sys/fs/cgroup/"): // Go reads the last for the number of processors
		default:
			t.Errorf("the child has the file %s", f)
		}
	}
	if sockets != 1 {
		t.Errorf("the child has %d sockets", sockets)
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{Runners: 1})
	host := &testHost{call: func(_ context.Context, c sandbox.Call) (sandbox.Reply, error) {
		switch c.Name {
		case "refuse":
			return sandbox.Reply{}, &sandbox.CallError{JSON: []byte(`{"code":"no"}`)}
		case "fail":
			return sandbox.Reply{}, errors.New("a secret")
		case "panic":
			panic("a bug")
		default:
			return sandbox.Reply{JSON: c.JSON, Body: []byte{}}, nil
		}
	}}
	for _, c := range []struct {
		source string
		want   sandbox.Result
		err    error
	}{
		{"echo", sandbox.Result{JSON: []byte(`{"a":1}`), Usage: sandbox.Usage{Memory: 8 << 20, Calls: 1, CPU: 5, Hot: true}}, nil},
		{"call pass", sandbox.Result{JSON: []byte(`{"a":1}`), Body: []byte{}}, nil},
		{"call refuse", sandbox.Result{}, &sandbox.Failure{JSON: []byte(`{"code":"no"}`)}},
		{"call fail", sandbox.Result{}, errors.New("the host failed")},
		{"call panic", sandbox.Result{}, errors.New("the host failed")},
		{"limit memory", sandbox.Result{}, &sandbox.LimitError{Limit: "memory", Usage: sandbox.Usage{Memory: 1}}},
		{"syntax", sandbox.Result{}, &sandbox.SyntaxError{Name: "a.js", Message: "no", Line: 3, Column: 4}},
		{"error oops", sandbox.Result{}, errors.New("oops")},
	} {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			r := started(program(c.source), `{"a":1}`)
			r.Host = host
			got, err := p.Run(t.Context(), r)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(text(c.err), text(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// text shows an error with its type.
func text(err error) string {
	b, jsonErr := json.Marshal(err)
	if err == nil || jsonErr != nil {
		return ""
	}
	return err.Error() + " " + string(b)
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{Runners: 1})
	var wg sync.WaitGroup
	for range 2 { // eight bodies each, twice what a window holds
		wg.Go(func() {
			const size = 17 << 20
			res, err := p.Run(t.Context(), started(program("large"), itoa(size)))
			if err != nil || len(res.Body) != size || res.Body[100] != 700&0xff {
				t.Errorf("%d bytes, %v", len(res.Body), err)
			}
		})
	}
	wg.Wait()
}

func TestNotes(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{})
	r := program("notes")
	var got []string
	r.Host = &testHost{note: func(c sandbox.Call) { got = append(got, string(c.JSON)) }}
	if _, err := p.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(got) != 5000 {
		t.Fatalf("%d notes", len(got))
	}
	for i, n := range got {
		if n != itoa(i) {
			t.Fatalf("note %d is %s", i, n)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	r := program("call hang")
	r.Host = &testHost{call: func(ctx context.Context, _ sandbox.Call) (sandbox.Reply, error) {
		cancel()
		<-ctx.Done() // the host learns of it
		return sandbox.Reply{}, ctx.Err()
	}}
	if _, err := p.Run(ctx, r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := p.Stats(); s.Running != 0 || s.Killed != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := p.Run(t.Context(), program("echo")); err != nil {
		t.Error(err)
	}
}

// Somebody kills a child from outside: runs that had not reached their host run
// elsewhere, the others' callers learn that they had.
func TestKilledFromOutside(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{Runners: 1})
	reached := make(chan struct{})
	r := program("call hang")
	r.Host = &testHost{call: func(ctx context.Context, _ sandbox.Call) (sandbox.Reply, error) {
		close(reached)
		<-ctx.Done()
		return sandbox.Reply{}, ctx.Err()
	}}
	waiting, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := p.Run(t.Context(), r)
		if lost, ok := errors.AsType[*LostError](err); !ok || !lost.Started {
			t.Errorf("the run that had reached its host: %v", err)
		}
	})
	<-reached
	wg.Go(func() {
		if _, err := p.Run(waiting, program("wait")); !errors.Is(err, context.Canceled) {
			t.Errorf("the run that had not reached its host: %v", err)
		}
	})
	for p.Stats().Running < 2 || p.children()[0].loadNow() < 2 {
		yield()
	}
	for _, pid := range pids(p) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	for p.Stats().Retried == 0 {
		yield()
	}
	cancel()
	wg.Wait()
	if s := p.Stats(); s.Quarantined != 0 || s.Lost != 1 {
		t.Errorf("%+v", s)
	}
}

// A function that crashes its process is told apart from those beside it, which
// run again elsewhere.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"exit", "crash"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			var log lockedBuffer
			p := scriptedPool(t, Config{Runners: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if _, err := p.Run(t.Context(), program("echo")); err != nil {
						t.Error(err)
					}
				})
			}
			_, err := p.Run(t.Context(), program(how))
			if lost, ok := errors.AsType[*LostError](err); !ok || lost.Started {
				t.Error(err)
			}
			wg.Wait()
			if !p.quarantine.holds(how) {
				t.Error("the function is not in quarantine")
			}
			if how == "crash" && !strings.Contains(log.String(), "oh no") {
				t.Errorf("the log does not say why:\n%s", log.String())
			}
			if _, err := p.Run(t.Context(), program("echo")); err != nil {
				t.Error(err)
			}
		})
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A run that reports itself stuck costs its process; the runs beside it get time
// to end.
func TestStuck(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{Runners: 1})
	release := make(chan struct{})
	r := program("call slow")
	var calls atomic.Int32
	r.Host = &testHost{call: func(_ context.Context, c sandbox.Call) (sandbox.Reply, error) {
		calls.Add(1)
		<-release
		return sandbox.Reply{JSON: c.JSON}, nil
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.Run(t.Context(), r); err != nil {
			t.Errorf("the run beside it: %v", err)
		}
	})
	for calls.Load() == 0 {
		yield()
	}
	before := pids(p)
	_, err := p.Run(t.Context(), program("limit stuck"))
	if e, ok := errors.AsType[*sandbox.LimitError](err); !ok || e.Limit != sandbox.LimitStuck {
		t.Error(err)
	}
	close(release)
	wg.Wait()
	if !p.quarantine.holds("limit stuck") || p.quarantine.holds("call slow") {
		t.Error("quarantine holds the wrong function")
	}
	if _, err := p.Run(t.Context(), program("echo")); err != nil {
		t.Error(err)
	}
	if cmp.Equal(before, pids(p)) {
		t.Error("the process is still there")
	}
}

func TestCloseWhileRunning(t *testing.T) {
	t.Parallel()
	p := NewPool(Config{Command: command("scripted")})
	r := program("call hang")
	reached := make(chan struct{})
	r.Host = &testHost{call: func(ctx context.Context, _ sandbox.Call) (sandbox.Reply, error) {
		close(reached)
		<-ctx.Done()
		return sandbox.Reply{}, ctx.Err()
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := p.Run(t.Context(), r)
		if _, ok := errors.AsType[*LostError](err); !ok {
			t.Error(err)
		}
	})
	<-reached
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(gone); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wg.Wait()
	if _, err := p.Run(t.Context(), program("echo")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Whatever happens to the parent, its children end: also those that can't notice.
func TestChildrenEndWithTheirParent(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"wait", "freeze"} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			parent := exec.Command(os.Args[0], "parent", source)
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			var pid int
			if _, err := fmt.Fscan(out, &pid); err != nil {
				t.Error(err)
			}
			if err := parent.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = parent.Wait() // it was killed
			for alive(pid) {
				yield()
			}
		})
	}
}

// alive says whether a process runs; one that ended and was not waited for does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// Hundreds of kills leave neither files nor processes behind.
func TestKillsLeaveNothing(t *testing.T) { //nolint:paralleltest // it counts the files of the process
	p := NewPool(Config{Command: command("scripted"), Runners: 2})
	files := openFiles(t)
	var seen []int
	for i := range 150 {
		r := program("limit stuck")
		r.Function = strconv.Itoa(i)
		_, err := p.Run(t.Context(), r)
		if e, ok := errors.AsType[*sandbox.LimitError](err); !ok || e.Limit != sandbox.LimitStuck {
			t.Fatal(err)
		}
		seen = append(seen, pids(p)...)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range seen {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Fatalf("process %d is there: %v", pid, err)
		}
	}
	if now := openFiles(t); now > files+3 { // the poller, and what it keeps
		t.Errorf("%d files are open, there were %d", now, files)
	}
	if n := p.started.Load(); n < 100 {
		t.Errorf("only %d processes were started", n)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// What a child costs beside what its engine does.
func BenchmarkOverhead(b *testing.B) {
	for _, parallel := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(parallel), func(b *testing.B) {
			benchParallel(b, scriptedPool(b, Config{}), started(program("echo"), `{"a":1}`), parallel)
		})
	}
}
