package runner

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	beatEvery     = 250 * time.Millisecond // how often a child shows that it lives, and the parent looks
	silentAfter   = time.Second            // without a sign, a child gets no new runs
	graceEnd      = 3 * time.Second        // beyond a run's limits before its child is killed; the engine needs one
	sharedSilence = 5 * time.Second        // that a run may cause where there are others; graceEnd comes on top
	graceOthers   = 300 * time.Millisecond // for the other runs of a child that is killed
	graceExit     = 2 * time.Second        // for a child that is told to end
	startTimeout  = time.Minute            // compiling the engine on a slow machine included
	maxKnown      = 10_000                 // programs that a child may know, to be sent again when it forgot
)

// Why a child ended, when its parent ended it.
var (
	errStuck   = errors.New("a run could not be stopped")
	errSilent  = errors.New("the process is held up")
	errIdle    = errors.New("it had nothing to do")
	errClosing = errors.New("the pool closed")
	errStart   = errors.New("it took too long to become ready")
)

// child is a child process, in the parent.
type child struct {
	process process
	link    *link
	decoder *decoder
	log     *slog.Logger
	events  events
	own     bool          // of one function, in quarantine
	idle    time.Duration // to end after
	heard   atomic.Int64  // when something came from it, UnixNano
	woke    atomic.Int64  // when something came after a silence, UnixNano
	kick    chan struct{}
	doomed  chan struct{} // closed when condemned
	ended   chan struct{} // closed when it is to end

	measuring sync.Mutex
	excess    int64 // bytes in use beyond the estimates of the runs; needs measuring

	mu        sync.Mutex
	ready     time.Time // zero: not yet
	base      int64     // bytes that the process had then
	runs      map[uint64]*run
	lastID    uint64
	known     map[programID]*teaching
	condemned bool // takes no runs any more
	cause     error
}

// events is what a child tells its pool.
type events struct {
	// trouble: the function made a kill necessary, or may have.
	trouble func(function string, proven bool)
	// again: a child ended unexpectedly, and it is not the first time lately.
	again func() bool
	// excess: the bytes in use beyond the estimates changed by so much.
	excess func(delta int64)
	// surplus asks whether there are enough others like it.
	surplus func() bool
	// changed: it takes no more runs, or has fewer.
	changed func()
}

// teaching is a program that is being sent to the child.
type teaching struct {
	sent chan struct{} // closed when done
	err  error
}

func newChild(p process, s settings, log *slog.Logger, e events) (*child, error) {
	c := &child{
		process: p, link: newLink(p.Conn()), decoder: newDecoder(p.Conn()), log: log, events: e,
		kick: make(chan struct{}, 1), doomed: make(chan struct{}), ended: make(chan struct{}),
		runs: map[uint64]*run{}, known: map[programID]*teaching{},
	}
	hello := message{kind: kindHello}
	var err error
	if hello.parts[0], err = json.Marshal(s); err != nil {
		return nil, fmt.Errorf("encoding the settings of a runner: %w", err)
	}
	c.link.post(hello)
	c.decoder.begin = c.begin
	return c, nil
}

// end makes the child end; the first cause is the one that counts.
func (c *child) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause = cause
	c.condemn()
	close(c.ended)
}

// condemn makes the child take no more runs. It needs mu.
func (c *child) condemn() {
	if !c.condemned {
		c.condemned = true
		close(c.doomed)
	}
}

// live owns the process until its end: it reads, writes and watches. It calls up
// when the child is ready, and returns the cause of the end when everything of it
// is gone.
func (c *child) live(up func()) error {
	var wg sync.WaitGroup
	wg.Go(func() { c.end(c.link.write()) })
	wg.Go(func() { c.end(c.read(up)) })
	wg.Go(c.watch)
	exited := make(chan error, 1)
	<-c.ended
	c.link.end(c.cause)
	// What ended by itself gets time to do so: how it ended says why.
	if errors.Is(c.cause, errFrame) || c.killing() && !errors.Is(c.cause, errIdle) {
		c.process.Kill()
	}
	wg.Go(func() { exited <- c.process.Wait() })
	timer := time.NewTimer(graceExit)
	defer timer.Stop()
	var exit error
	select {
	case exit = <-exited:
	case <-timer.C:
		c.process.Kill()
		exit = <-exited
	}
	wg.Wait()
	c.bury(exit)
	return c.cause
}

// read takes what the child says.
func (c *child) read(up func()) error {
	timer := time.AfterFunc(startTimeout, func() { c.end(errStart) })
	m, err := c.decoder.next()
	if !timer.Stop() {
		return errStart
	}
	if err != nil {
		return fmt.Errorf("waiting for the runner to become ready: %w", err)
	}
	if m.kind != kindReady {
		return fmt.Errorf("%w: kind %d before it was ready", errFrame, m.kind)
	}
	c.mu.Lock()
	c.base, _ = binary.Varint(m.parts[0])
	c.ready = time.Now()
	c.heard.Store(c.ready.UnixNano())
	c.mu.Unlock()
	if said := c.process.Said(); said != "" {
		c.log.Warn("a runner of functions complains", "said", said)
	}
	up()
	for {
		m, err := c.decoder.next()
		if err != nil {
			return fmt.Errorf("reading frames of a runner: %w", err)
		}
		now := time.Now()
		if before := c.heard.Swap(now.UnixNano()); now.Sub(time.Unix(0, before)) > silentAfter {
			c.woke.Store(now.UnixNano())
		}
		if err := c.handle(m); err != nil {
			return err
		}
	}
}

func (c *child) run(id uint64) *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[id]
}

// begin accounts for a message that begins to arrive.
func (c *child) begin(m *message, size int) error {
	if m.kind == kindCall || m.kind == kindNote {
		if r := c.run(m.run); r != nil {
			return r.begin(m.kind, size)
		}
	}
	return nil
}

func (c *child) handle(m message) error {
	switch m.kind {
	case kindBeat:
		memory, n := binary.Varint(m.parts[0])
		if n <= 0 {
			return fmt.Errorf("%w: a sign of life", errFrame)
		}
		c.measure(memory)
		return nil
	case kindResult:
		return c.result(m)
	case kindCall, kindNote:
		if r := c.run(m.run); r != nil {
			r.take(m)
		}
		return nil
	case kindCredit:
		n, err := parseCredit(m)
		if r := c.run(m.run); r != nil && err == nil {
			err = r.answers.giveBack(n)
		}
		return err
	default:
		return fmt.Errorf("%w: kind %d from a runner", errFrame, m.kind)
	}
}

// result ends a run, or sends for its program.
func (c *child) result(m message) error {
	res, err, malformed := decodeResult(m)
	if malformed != nil {
		return malformed
	}
	r := c.run(m.run)
	if r == nil {
		return nil
	}
	if errors.Is(err, errNeedProgram) {
		if r.needs++; r.needs > maxNeeds {
			return fmt.Errorf("%w: it forgets its programs", errFrame)
		}
		r.done <- ended{err: errNeedProgram} // has room for all of them and the end
		return nil
	}
	if e, ok := errors.AsType[*sandbox.LimitError](err); ok && e.Limit == sandbox.LimitStuck {
		c.stuck(r, e)
		return nil
	}
	if c.remove(r) {
		r.finish(ended{res, err})
	}
	return nil
}

// stuck ends a run that can't be stopped, and with it, soon, the child.
func (c *child) stuck(r *run, e *sandbox.LimitError) {
	if !c.remove(r) {
		return
	}
	c.events.trouble(r.req.Function, true)
	r.finish(ended{err: e})
	c.mu.Lock()
	c.condemn()
	c.mu.Unlock()
	c.events.changed()
}

// remove takes a run out. Only who did that may finish it.
func (c *child) remove(r *run) bool {
	c.mu.Lock()
	_, there := c.runs[r.id]
	delete(c.runs, r.id)
	empty := len(c.runs) == 0
	c.mu.Unlock()
	if empty {
		c.measure(0)
		c.wake()
		if c.own {
			c.events.changed() // it can make place for another
		}
	}
	return there
}

// wake makes the watch look at the runs.
func (c *child) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// measure takes in how much memory the process has. What it has beyond the
// estimates of its runs counts, but no more than they may take: a process gives
// memory back late.
func (c *child) measure(memory int64) {
	var estimates, most int64
	c.measuring.Lock() // or an older measurement could overtake a newer one
	defer c.measuring.Unlock()
	c.mu.Lock()
	base := c.base
	for _, r := range c.runs {
		estimates += r.estimate
		most += mostMemory(r.req.Limits)
	}
	c.mu.Unlock()
	excess := max(0, min(memory-base, most)-estimates)
	if delta := excess - c.excess; delta != 0 {
		c.excess = excess
		c.events.excess(delta)
	}
}

// load returns how many runs there are; ok is false when it should get no more.
func (c *child) load(now time.Time) (n int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = len(c.runs)
	silent := n > 0 && now.Sub(time.Unix(0, c.heard.Load())) > silentAfter
	return n, !c.condemned && !silent
}

// add begins a run; nil when the child takes none any more.
func (c *child) add(ctx context.Context, req *Request, estimate int64) *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.condemned {
		return nil
	}
	c.lastID++
	r := newRun(ctx, c, c.lastID, req, estimate)
	if c.runs[r.id] = r; len(c.runs) == 1 {
		c.heard.Store(r.began.UnixNano()) // while it had no runs it was silent
		c.wake()
	}
	return r
}

// execute sees a run through.
func (c *child) execute(ctx context.Context, r *run, id programID) (sandbox.Result, error) {
	defer r.cancel()
	var e ended
	for e.err = errNeedProgram; errors.Is(e.err, errNeedProgram); {
		if err := c.submit(ctx, r, id); err != nil && c.remove(r) {
			return sandbox.Result{}, err // nothing was sent
		}
		e = c.await(ctx, r, id)
	}
	r.leaveHost()
	return e.result, r.verdict(ctx, e.err)
}

// await waits for the next that the child says about a run. When the caller gives
// up, the child is told; it answers, or the watch ends it.
func (c *child) await(ctx context.Context, r *run, id programID) ended {
	var e ended
	select {
	case e = <-r.done:
	case <-ctx.Done():
		r.cancel()
		r.mu.Lock()
		r.canceled = time.Now()
		r.mu.Unlock()
		c.link.post(message{kind: kindCancel, run: r.id})
		e = <-r.done
	}
	if !errors.Is(e.err, errNeedProgram) {
		return e
	}
	c.forget(id)
	if ctx.Err() != nil && c.remove(r) {
		return ended{err: errCanceled}
	}
	return e
}

// submit sends a run, and its program when the child does not have it.
func (c *child) submit(ctx context.Context, r *run, id programID) error {
	if err := c.teach(ctx, id, r.req.Program); err != nil {
		return err
	}
	m := message{kind: kindRun, run: r.id}
	m.parts[0] = appendRun(nil, id, r.req.Limits)
	m.parts[1] = r.req.Start
	return c.sent(c.link.send(ctx, m))
}

// sent turns an error of sending into that of a run that did not begin.
func (c *child) sent(err error) error {
	if err == nil || isContextError(err) || errors.Is(err, errTooLarge) {
		return err
	}
	return &LostError{}
}

// teach sends a program unless that was done.
func (c *child) teach(ctx context.Context, id programID, p sandbox.Program) error {
	c.mu.Lock()
	t := c.known[id]
	if t != nil {
		c.mu.Unlock()
		select {
		case <-t.sent:
			return t.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(c.known) >= maxKnown {
		clear(c.known)
	}
	t = &teaching{sent: make(chan struct{})}
	c.known[id] = t
	c.lastID++
	number := c.lastID
	c.mu.Unlock()
	// Others wait for it, who are not canceled.
	if t.err = c.sent(c.link.send(context.WithoutCancel(ctx), encodeProgram(number, id, p))); t.err != nil {
		c.forget(id)
	}
	close(t.sent)
	return t.err
}

func (c *child) forget(id programID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, id)
}
