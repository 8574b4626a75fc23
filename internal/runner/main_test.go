//go:build unix

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// TestMain is a child where a pool starts it: a real one, or one whose engine does
// what tests tell it.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "parent" {
		parent(os.Args[2])
	}
	if len(os.Args) == 2 {
		var err error
		switch os.Args[1] {
		case "runner":
			err = Main(context.Background(), slog.New(slog.NewTextHandler(os.Stderr, nil)))
		case "scripted":
			err = scripted()
		default:
			os.Exit(m.Run())
		}
		if err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func scripted() error {
	conn, err := inherited()
	if err != nil {
		return err
	}
	if err := confineSelf(); err != nil {
		return err
	}
	return Serve(context.Background(), conn, func(context.Context, Settings) (Engine, error) { return script{}, nil })
}

// script is an engine that does what the source of a program says.
type script struct{ pipe *pipeProcess }

// Close implements Engine.
func (script) Close() error { return nil }

// Run implements Engine.
func (s script) Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error) {
	verb, rest, _ := strings.Cut(r.Program.Source, " ")
	switch verb {
	case "echo": // what it was started with
		return sandbox.Result{JSON: r.Start, Usage: sandbox.Usage{Memory: 8 << 20, Calls: 1, CPU: 5, Hot: true}}, nil
	case "call": // the host, and return its answer
		reply, err := r.Host.Call(ctx, sandbox.Call{Name: rest, JSON: r.Start})
		if e, ok := errors.AsType[*sandbox.CallError](err); ok {
			return sandbox.Result{}, &sandbox.Failure{JSON: e.JSON}
		}
		return sandbox.Result{JSON: reply.JSON, Body: reply.Body, Text: reply.Text}, err
	case "forget": // calls, one after the other, and make one more
		for range 5 {
			forgotten, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := r.Host.Call(forgotten, sandbox.Call{Name: "forgotten"}); !errors.Is(err, context.Canceled) {
				return sandbox.Result{}, err
			}
		}
		reply, err := r.Host.Call(ctx, sandbox.Call{Name: "wanted"})
		if reply.Taken != nil {
			reply.Taken()
		}
		return sandbox.Result{JSON: reply.JSON}, err
	case "large": // sends a large body and returns the one that comes back
		return s.large(ctx, r)
	case "notes":
		for i := range 5000 {
			r.Host.Note(sandbox.Call{Name: "n", JSON: []byte(itoa(i)), Body: make([]byte, 1000)})
		}
		return sandbox.Result{}, nil
	case "wait":
		<-ctx.Done()
		return sandbox.Result{}, ctx.Err()
	case "limit":
		return sandbox.Result{}, &sandbox.LimitError{Limit: rest, Usage: sandbox.Usage{Memory: 1}}
	case "pressure":
		return sandbox.Result{}, &sandbox.LimitError{Limit: sandbox.LimitPressure, Usage: sandbox.Usage{Memory: 60 << 20}}
	case "syntax":
		return sandbox.Result{}, &sandbox.SyntaxError{Name: "a.js", Message: "no", Line: 3, Column: 4}
	case "error":
		return sandbox.Result{}, errors.New(rest)
	case "exit":
		os.Exit(3)
	case "crash":
		go func() { panic("oh no") }()
		<-ctx.Done()
	case "deaf": // does not end before its process
		if s.pipe != nil {
			<-s.pipe.killed
		} else {
			select {}
		}
	case "freeze": // the process
		if s.pipe != nil {
			s.pipe.freeze()
		} else if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return sandbox.Result{}, err
		}
		<-ctx.Done()
	case "doze", "late":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return sandbox.Result{}, err
		}
		if verb == "late" {
			<-time.After(d)
			return sandbox.Result{}, &sandbox.LimitError{Limit: sandbox.LimitWall}
		}
		s.pipe.dozes.Store(time.Now().Add(d).UnixNano())
		<-ctx.Done()
	case "die":
		s.pipe.Kill()
	case "facts":
		return facts()
	}
	return sandbox.Result{}, ctx.Err()
}

func (script) large(ctx context.Context, r sandbox.Request) (sandbox.Result, error) {
	var size int
	if err := json.Unmarshal(r.Start, &size); err != nil {
		return sandbox.Result{}, err
	}
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i * 7)
	}
	var wg sync.WaitGroup
	replies := make([]sandbox.Reply, 8)
	errs := make([]error, len(replies))
	for i := range replies {
		wg.Go(func() {
			replies[i], errs[i] = r.Host.Call(ctx, sandbox.Call{Name: "mirror", JSON: []byte(itoa(i)), Body: body, Text: true})
			if errs[i] == nil {
				replies[i].Taken()
			}
		})
	}
	wg.Wait()
	for i, reply := range replies {
		if reply.Taken == nil {
			return sandbox.Result{}, errors.New("nobody wants to know that the answer was taken")
		}
		if string(reply.Body) != string(body) || string(reply.JSON) != itoa(i) || !reply.Text {
			return sandbox.Result{}, errors.New("another body came back")
		}
	}
	return sandbox.Result{Body: replies[0].Body}, errors.Join(errs...)
}

// facts is what a program that broke out of the sandbox would find.
func facts() (sandbox.Result, error) {
	dir, err := os.Getwd()
	if err != nil {
		return sandbox.Result{}, err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return sandbox.Result{}, err
	}
	var files []string
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return sandbox.Result{}, err
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			target, _, _ = strings.Cut(target, ":[")
			files = append(files, target)
		}
	}
	var core, open syscall.Rlimit
	if err := errors.Join(syscall.Getrlimit(syscall.RLIMIT_CORE, &core), syscall.Getrlimit(syscall.RLIMIT_NOFILE, &open)); err != nil {
		return sandbox.Result{}, err
	}
	oom, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return sandbox.Result{}, err
	}
	b, err := json.Marshal(map[string]any{
		"sacrificed":  strings.TrimSpace(string(oom)),
		"environment": os.Environ(), "dir": dir, "files": files, "core": core.Max, "open": open.Max,
		"no_new_privs": strings.Contains(string(status), "NoNewPrivs:\t1"),
	})
	return sandbox.Result{JSON: b}, err
}

func itoa(i int) string {
	b, err := json.Marshal(i)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// hostFunc is a Host that keeps notes.
type testHost struct {
	call func(ctx context.Context, c sandbox.Call) (sandbox.Reply, error)
	note func(c sandbox.Call)
}

// Call implements sandbox.Host.
func (h *testHost) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	if h.call == nil {
		return sandbox.Reply{JSON: c.JSON, Body: c.Body, Text: c.Text}, nil
	}
	return h.call(ctx, c)
}

// Note implements sandbox.Host.
func (h *testHost) Note(c sandbox.Call) {
	if h.note != nil {
		h.note(c)
	}
}

func command(kind string) func() *exec.Cmd {
	self, err := Self(kind)
	if err != nil {
		panic(err)
	}
	return self
}

// closed closes the pool at the end of the test and fails when that does not work.
func closed(t testing.TB, p *Pool) *Pool {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// program makes a request for the scripted engine. The source is the function.
func program(source string) Request {
	return Request{
		Function: source, Program: sandbox.Program{Name: "test.js", Source: source}, Host: &testHost{},
		Limits: sandbox.Limits{CPU: time.Second, Wall: time.Minute},
	}
}

func started(r Request, start string) Request {
	r.Start = []byte(start)
	return r
}

// pids returns the children of this pool.
func pids(p *Pool) []int {
	var all []int
	for _, c := range p.children() {
		all = append(all, c.process.(*osProcess).cmd.Process.Pid)
	}
	return all
}

func (c *child) loadNow() int {
	n, _ := c.load(time.Now())
	return n
}

// yield lets others go on, where there is nothing to wait for but a state.
func yield() {
	timer := time.NewTimer(time.Millisecond)
	<-timer.C
}

// parent is a process that has a child, and says which.
func parent(source string) {
	p := NewPool(Config{Command: command("scripted")})
	go func() { _, _ = p.Run(context.Background(), program(source)) }() // ends with the process
	for len(pids(p)) == 0 || p.children()[0].loadNow() == 0 {
		yield()
	}
	_, _ = fmt.Fprintln(os.Stdout, pids(p)[0])
	select {}
}
