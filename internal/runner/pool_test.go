//go:build unix

package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// pipeProcess is a child in this process: a server with a scripted engine, which
// can be killed and can be held up.
type pipeProcess struct {
	conn   net.Conn
	frozen chan struct{} // closed when nothing comes out any more
	dozes  atomic.Int64  // until when nothing comes out, UnixNano
	killed chan struct{}
	ended  chan struct{}
	once   [2]sync.Once
}

func newPipeProcess() *pipeProcess {
	ours, theirs := net.Pipe()
	p := &pipeProcess{conn: ours, frozen: make(chan struct{}), killed: make(chan struct{}), ended: make(chan struct{})}
	go func() { // ends with the connection
		defer close(p.ended)
		_ = Serve(context.Background(), &freezing{theirs, p}, func(context.Context, Settings) (Engine, error) { return script{p}, nil })
	}()
	return p
}

func (p *pipeProcess) freeze() { p.once[0].Do(func() { close(p.frozen) }) }

func (p *pipeProcess) Conn() io.ReadWriteCloser { return p.conn }

func (p *pipeProcess) Kill() {
	p.once[1].Do(func() {
		close(p.killed)
		_ = p.conn.Close()
	})
}

func (p *pipeProcess) Wait() error {
	select {
	case <-p.ended:
	case <-p.killed: // its goroutines end by themselves
	}
	return nil
}

func (*pipeProcess) Said() string { return "" }

// freezing writes nothing while the process is frozen.
type freezing struct {
	net.Conn
	p *pipeProcess
}

func (f *freezing) Write(b []byte) (int, error) {
	select {
	case <-f.p.frozen:
		<-f.p.killed
		return 0, io.ErrClosedPipe
	case <-time.After(time.Until(time.Unix(0, f.p.dozes.Load()))):
		return f.Conn.Write(b)
	}
}

// pipePool makes a pool in a bubble; end closes it.
func pipePool(t *testing.T, c Config) (p *Pool, end func()) {
	t.Helper()
	p = newPool(c)
	p.start = func() (process, error) { return newPipeProcess(), nil }
	return p, func() {
		t.Helper()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func isLimit(err error, limit string) bool {
	e, ok := errors.AsType[*sandbox.LimitError](err)
	return ok && e.Limit == limit
}

// A process that says nothing for longer than its runs may compute is killed. All
// functions that were computing run on their own next, until they have behaved;
// those that waited for the host don't.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		var wg sync.WaitGroup
		waits := program("call hang")
		waits.Host = &testHost{call: func(ctx context.Context, _ sandbox.Call) (sandbox.Reply, error) {
			<-ctx.Done()
			return sandbox.Reply{}, ctx.Err()
		}}
		wg.Go(func() {
			_, err := p.Run(t.Context(), waits)
			if lost, ok := errors.AsType[*LostError](err); !ok || !lost.Started {
				t.Error(err)
			}
		})
		synctest.Wait()
		innocent, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := p.Run(innocent, program("wait")); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		began := time.Now()
		// In the child of its own it does that again: now it is certain.
		if _, err := p.Run(t.Context(), program("freeze")); !isLimit(err, sandbox.LimitStuck) {
			t.Error(err)
		}
		if took := time.Since(began); took < 2*(time.Second+graceEnd) || took > 2*(2*time.Second+graceEnd) {
			t.Errorf("two processes were killed after %s", took)
		}
		if p.quarantine.holds("call hang") || !p.quarantine.holds("freeze") || !p.quarantine.holds("wait") {
			t.Error("quarantine holds the wrong functions")
		}
		cancel()
		wg.Wait()
		if _, err := p.Run(t.Context(), program("echo")); err != nil {
			t.Error(err)
		}
	})
}

// While a process is held up, runs go to another one.
func TestRunsAvoidSilentChildren(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		var wg sync.WaitGroup
		frozen := program("freeze")
		frozen.Limits.CPU = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _, _ = p.Run(ctx, frozen) })
		time.Sleep(2 * silentAfter)
		if _, err := p.Run(t.Context(), program("echo")); err != nil {
			t.Error(err)
		}
		if n := p.Stats().Children; n != 2 {
			t.Errorf("%d children", n)
		}
		cancel()
		wg.Wait()
	})
}

// A child that was started because another one was held up does not stay.
func TestSurplusChildrenEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.Run(ctx, program("doze 3500ms")); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		time.Sleep(2 * time.Second) // of the bubble
		if _, err := p.Run(t.Context(), program("echo")); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.Children != 2 {
			t.Errorf("%+v", s)
		}
		time.Sleep(3 * surplusIdle)
		cancel()
		wg.Wait()
		time.Sleep(3 * surplusIdle)
		if s := p.Stats(); s.Children != 1 || s.Killed != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A process that was held up gets time to end what should have ended meanwhile:
// it is not the fault of those runs.
func TestHeldUpProcessesCatchUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.Run(ctx, program("doze 3500ms")); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		r := program("late 4500ms")
		r.Limits.Wall = 100 * time.Millisecond
		if _, err := p.Run(t.Context(), r); !isLimit(err, sandbox.LimitWall) {
			t.Error(err)
		}
		cancel()
		wg.Wait()
		if s := p.Stats(); s.Killed != 0 || s.Quarantined != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A run that does not end at its limit, or when it is canceled, costs its process.
func TestOverdue(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"limit", "cancel"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, end := pipePool(t, Config{})
				defer end()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := program("deaf")
				r.Limits.Wall = 10 * time.Second
				if how == "cancel" {
					time.AfterFunc(time.Second, cancel)
				}
				began := time.Now()
				_, err := p.Run(ctx, r)
				if !isLimit(err, sandbox.LimitStuck) {
					t.Error(err)
				}
				want := 10*time.Second + graceEnd
				if how == "cancel" {
					want = time.Second + graceEnd
				}
				if took := time.Since(began); took < want || took > want+time.Second {
					t.Errorf("it took %s", took)
				}
				if !p.quarantine.holds(r.Function) {
					t.Error("the function is not in quarantine")
				}
			})
		})
	}
}

// Functions leave quarantine after an hour, suspects when they behave.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		run := func(source string) {
			t.Helper()
			if _, err := p.Run(t.Context(), program(source)); err != nil {
				t.Error(err)
			}
		}
		p.quarantine.hold("echo", true)
		run("echo")
		p.mu.Lock()
		if p.groups["echo"] == nil || len(p.groups["echo"].children) != 1 {
			t.Error("it has no child of its own")
		}
		p.mu.Unlock()
		run("echo")
		if !p.quarantine.holds("echo") {
			t.Error("what is proven does not end by good behaviour")
		}
		time.Sleep(2 * quarantinedIdle)
		if n := p.Stats().Children; n != 0 {
			t.Error("its child stays")
		}
		time.Sleep(quarantineTime)
		if p.quarantine.holds("echo") || p.Stats().Quarantined != 0 {
			t.Error("an hour has passed")
		}

		p.quarantine.hold("echo 1", false)
		run("echo 1")
		if p.quarantine.holds("echo 1") {
			t.Error("a suspect behaved")
		}
		p.quarantine.hold("echo 1", false)
		for i := range 4 {
			if !p.quarantine.holds("echo 1") {
				t.Errorf("it behaved only %d times after the second time", i)
			}
			run("echo 1")
		}
		if p.quarantine.holds("echo 1") {
			t.Error("a suspect behaved four times")
		}

		p.quarantine.hold("limit cpu", false)
		if _, err := p.Run(t.Context(), program("limit cpu")); !isLimit(err, sandbox.LimitCPU) {
			t.Error(err)
		}
		run("echo 2")
		if !p.quarantine.holds("limit cpu") {
			t.Error("a suspect reached its limit")
		}
	})
}

// What waits for a place among the children of quarantine gets it when one of them
// has nothing to do any more.
func TestQuarantineMakesPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range quarantineGroups {
			r := program("wait")
			r.Function = itoa(i)
			p.quarantine.hold(r.Function, true)
			wg.Go(func() { _, _ = p.Run(ctx, r) })
		}
		if _, err := p.Run(t.Context(), program("echo")); err != nil {
			t.Error(err)
		}
		r := program("echo")
		r.Function = "other"
		p.quarantine.hold(r.Function, true)
		wg.Go(func() {
			if _, err := p.Run(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

// There are few children of quarantine at a time. One that has nothing to do
// makes place for another.
func TestQuarantineIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		for i := range 20 {
			r := program(fmt.Sprintf("echo %d", i))
			p.quarantine.hold(r.Function, true)
			if _, err := p.Run(t.Context(), r); err != nil {
				t.Error(err)
			}
			if n := p.Stats().Children; n > quarantineGroups+1 {
				t.Errorf("%d children", n)
			}
		}
	})
}

func TestIdleChildrenEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 2, Idle: time.Minute})
		defer end()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 5 {
			r := program("wait")
			r.Limits.Wall = time.Hour
			wg.Go(func() { _, _ = p.Run(ctx, r) })
		}
		time.Sleep(10 * time.Second)
		cancel()
		wg.Wait()
		if n := p.Stats().Children; n != 2 {
			t.Errorf("%d children after five runs", n)
		}
		for range 3 { // one is enough for these
			time.Sleep(50 * time.Second)
			if _, err := p.Run(t.Context(), program("echo")); err != nil {
				t.Error(err)
			}
		}
		if n := p.Stats().Children; n != 1 {
			t.Errorf("%d children after few runs", n)
		}
		time.Sleep(2 * time.Minute)
		if s := p.Stats(); s.Children != 0 || s.Killed != 0 {
			t.Errorf("after none: %+v", s)
		}
	})
}

// A child that can't be started is tried again, less and less often.
func TestStartFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{QueueWait: time.Hour, StartWait: 30 * time.Second})
		defer end()
		var starts atomic.Int32
		var works atomic.Bool
		start := p.start
		p.start = func() (process, error) {
			if works.Load() {
				return start()
			}
			starts.Add(1)
			return nil, errors.New("no memory")
		}
		_, err := p.Run(t.Context(), program("echo"))
		if !errors.Is(err, ErrBusy) || err.Error() == ErrBusy.Error() {
			t.Error(err)
		}
		if n := starts.Load(); n < 5 || n > 15 {
			t.Errorf("%d starts in 30 seconds", n)
		}
		time.AfterFunc(time.Second, func() { works.Store(true) })
		if _, err := p.Run(t.Context(), program("echo")); err != nil {
			t.Error(err)
		}
	})
}

// Children that die as soon as they run something are not started without end.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{})
		defer end()
		began := time.Now()
		for range 20 {
			_, err := p.Run(t.Context(), program("die"))
			if _, ok := errors.AsType[*LostError](err); !ok {
				t.Error(err)
			}
		}
		if n := p.started.Load(); n != 20*maxAttempts {
			t.Errorf("%d starts", n)
		}
		if took := time.Since(began); took < time.Minute {
			t.Errorf("they took only %s", took)
		}
	})
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Runners: 1})
		defer end()
		echo := program("echo")
		// Five times what a child keeps: it forgets, asks again, and gets it.
		p.sources = 4 << 20
		large := make([]byte, p.sources/4)
		for range 2 {
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					r := program("echo " + itoa(i) + string(large))
					r.Function = itoa(i)
					if _, err := p.Run(t.Context(), r); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if _, err := p.Run(t.Context(), echo); err != nil {
				t.Error(err)
			}
		}
		if s := p.Stats(); s.Killed > 0 || s.Running > 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A child that breaks the protocol is killed; nothing else happens.
func TestMalformedFrames(t *testing.T) {
	t.Parallel()
	usage := encodeUsage(sandbox.Usage{})
	for name, m := range map[string]message{
		"a kind for children":          {kind: kindRun, run: 1},
		"a credit for nothing":         credit(1, creditBodies, 1000),
		"a credit for an unknown kind": credit(1, 9, 1),
		"an outcome that is none":      {kind: kindResult, run: 1, id: 99, parts: [3][]byte{usage}},
		"a result without usage":       {kind: kindResult, run: 1},
		"a beat without memory":        {kind: kindBeat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, end := pipePool(t, Config{})
				defer end()
				p.start = func() (process, error) {
					ours, theirs := net.Pipe()
					proc := &pipeProcess{conn: ours, killed: make(chan struct{}), ended: make(chan struct{})}
					go func() { // ends with the connection
						_, _ = theirs.Write(report(kindReady).appendBytes(nil))
						for d := newDecoder(theirs); ; {
							got, err := d.next()
							if err != nil {
								return
							}
							if got.kind == kindRun {
								_, _ = theirs.Write(m.appendBytes(nil))
							}
						}
					}()
					return proc, nil
				}
				_, err := p.Run(t.Context(), program("echo"))
				if lost, ok := errors.AsType[*LostError](err); !ok || lost.Started {
					t.Error(err)
				}
			})
		})
	}
}

func (m message) appendBytes(b []byte) []byte { return m.appendWhole(b) }

// What a child may have under way is what its windows allow, and as many calls as
// its run.
func TestWindowsAreEnforced(t *testing.T) {
	t.Parallel()
	r := &run{
		req: &Request{Limits: sandbox.Limits{Calls: 3}}, bodies: debt{limit: windowBodies}, notes: debt{limit: windowNotes},
	}
	for i, c := range []struct {
		kind kind
		size int
		ok   bool
	}{
		{kindNote, 4 << 20, true},
		{kindNote, 4 << 20, true},
		{kindNote, 1, false},
		{kindCall, 200 << 20, true},
		{kindCall, 200 << 20, true},
		{kindCall, 1, true},
		{kindCall, 1, false},
	} {
		if err := r.begin(c.kind, c.size); (err == nil) != c.ok {
			t.Errorf("step %d: %v", i, err)
		}
	}
	r.pending = 0
	if err := r.begin(kindCall, smallMessage+1); err == nil {
		t.Error("more bodies than the window holds")
	}
}

// What a child reports counts beyond the estimates of its runs, but no more than
// they may take, and no longer than they last.
func TestMeasure(t *testing.T) {
	t.Parallel()
	var excess int64
	c := &child{base: 50, runs: map[uint64]*run{}, kick: make(chan struct{}, 1), events: events{excess: func(d int64) { excess += d }}}
	r := &run{id: 1, req: &Request{Limits: sandbox.Limits{Memory: 100}}, estimate: 10}
	c.runs[r.id] = r
	for _, step := range []struct{ memory, want int64 }{{55, 0}, {80, 20}, {1000, 90}, {70, 10}, {40, 0}, {90, 30}} {
		if c.measure(step.memory); excess != step.want {
			t.Errorf("%d bytes are %d beyond the estimates, not %d", step.memory, excess, step.want)
		}
	}
	if c.remove(r); excess != 0 {
		t.Errorf("%d bytes beyond the estimates of no runs", excess)
	}
}
