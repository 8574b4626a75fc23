package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// run is one run, in the parent: it serves the calls that the child makes for it.
type run struct {
	child    *child
	id       uint64
	req      *Request
	estimate int64 // bytes
	began    time.Time
	ctx      context.Context // of the calls of its host
	cancel   context.CancelFunc
	answers  *window
	done     chan ended // see needs; the last thing in it is the end

	mu       sync.Mutex
	bodies   debt
	notes    debt
	owed     int64     // of notes, not given back yet
	queue    []message // notes, and calls that came after them
	draining bool
	pending  int       // calls without an answer
	started  bool      // something reached the host
	canceled time.Time // when the child was told to stop it; zero: was not
	left     bool      // the host is not used any more
	needs    int       // times the child asked for the program; the reader's
	wg       sync.WaitGroup
}

// ended is how a run ended.
type ended struct {
	result sandbox.Result
	err    error
}

// maxNeeds is how often a child may ask for the program of one run: more than once
// when others drive it out in between.
const maxNeeds = 8

func newRun(ctx context.Context, c *child, id uint64, req *Request, estimate int64) *run {
	r := &run{
		child: c, id: id, req: req, estimate: estimate, began: time.Now(),
		answers: newWindow(windowBodies), done: make(chan ended, maxNeeds+1),
		bodies: debt{limit: windowBodies}, notes: debt{limit: windowNotes},
	}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// begin accounts for a message that has just begun to arrive.
func (r *run) begin(k kind, size int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch k {
	case kindCall:
		if r.pending++; r.pending > cmp.Or(r.req.Limits.Calls, defaultCalls) {
			return fmt.Errorf("%w: %d calls at a time", errFrame, r.pending)
		}
		return r.bodies.add(weighBody(size))
	case kindNote:
		return r.notes.add(weigh(size, windowNotes))
	default:
		return nil
	}
}

// defaultCalls is what the sandbox takes for no limit of calls.
const defaultCalls = 64

// take passes a note or call on: in order, calls on goroutines of their own. It
// does not wait.
func (r *run) take(m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return
	}
	r.started = true
	if m.kind == kindCall && !r.draining {
		r.wg.Go(func() { r.call(m) })
		return
	}
	r.queue = append(r.queue, m)
	if !r.draining {
		r.draining = true
		r.wg.Go(r.drain)
	}
}

func (r *run) drain() {
	for {
		r.mu.Lock()
		queue := r.queue
		r.queue = nil
		if len(queue) == 0 {
			r.draining = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		for _, m := range queue {
			if m.kind == kindCall {
				r.wg.Go(func() { r.call(m) })
			} else {
				r.note(m)
			}
		}
	}
}

func (r *run) note(m message) {
	func() {
		defer r.guard("note")
		r.req.Host.Note(decodeCall(m))
	}()
	n := weigh(m.size(), windowNotes)
	r.mu.Lock()
	r.notes.held -= n
	// A quarter may stay owed: the largest note takes half.
	if r.owed += n; r.owed < windowNotes/4 {
		n = 0
	} else {
		n, r.owed = r.owed, 0
	}
	r.mu.Unlock()
	if n > 0 {
		r.child.link.post(credit(r.id, creditNotes, n))
	}
}

func decodeCall(m message) sandbox.Call {
	c := sandbox.Call{Name: string(m.parts[0]), JSON: m.json()}
	c.Body, c.Text = m.body()
	return c
}

// call serves one call.
func (r *run) call(m message) {
	answer := r.ask(m)
	if r.ctx.Err() != nil {
		return // the run is over or canceled: an answer that only says so must not reach it
	}
	n := weighBody(m.size())
	r.mu.Lock()
	r.pending--
	r.bodies.held -= n
	r.mu.Unlock()
	if n > 0 {
		r.child.link.post(credit(r.id, creditBodies, n))
	}
	if answer.size() > maxMessage {
		answer = encodeReply(m, sandbox.Reply{}, tooLarge("The response"))
	}
	// These fail when the run or the child has ended; then nobody waits for it.
	if r.answers.take(r.ctx, weighBody(answer.size())) == nil {
		_ = r.child.link.send(r.ctx, answer)
	}
}

// ask returns what the host says to a call.
func (r *run) ask(m message) (answer message) {
	answer = encodeReply(m, sandbox.Reply{}, errFrame) // unless it says anything
	if r.ctx.Err() != nil {
		return answer
	}
	defer r.guard("call")
	c := decodeCall(m)
	reply, err := r.req.Host.Call(r.ctx, c)
	if _, ok := errors.AsType[*sandbox.CallError](err); err != nil && !ok && r.ctx.Err() == nil {
		r.child.log.LogAttrs(r.ctx, slog.LevelError, "a host call failed", slog.String("call", c.Name), slog.Any("error", err))
	}
	return encodeReply(m, reply, err)
}

func encodeReply(call message, reply sandbox.Reply, err error) message {
	m := message{kind: kindReply, run: call.run, id: call.id}
	if err == nil {
		m.parts[1] = reply.JSON
		m.setBody(reply.Body, reply.Text)
		return m
	}
	m.flags |= flagError
	if e, ok := errors.AsType[*sandbox.CallError](err); ok {
		m.parts[1] = e.JSON
	}
	return m
}

// guard keeps a panic of a host from ending the server.
func (r *run) guard(what string) {
	if x := recover(); x != nil {
		r.child.log.LogAttrs(r.ctx, slog.LevelError, "a host panicked",
			slog.String("at", what), slog.Any("panic", x), slog.String("stack", string(debug.Stack())))
	}
}

// leaveHost waits until the host has seen what came for it, and is not used any
// more.
func (r *run) leaveHost() {
	r.mu.Lock()
	r.left = true
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
}

// finish ends the run; the one who took it out of the child's runs does it. It
// does not wait.
func (r *run) finish(e ended) { r.done <- e }

// lost ends the run because its child is gone.
func (r *run) lost() {
	r.mu.Lock()
	started := r.started
	r.mu.Unlock()
	r.finish(ended{err: &LostError{Started: started}})
}

// verdict returns the error of a run. What fails after the caller gave up fails
// because of that, unless its process failed as well.
func (r *run) verdict(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() == nil {
		if errors.Is(err, errCanceled) { // the child ends
			return &LostError{Started: r.started}
		}
		return err
	}
	if e, ok := errors.AsType[*sandbox.LimitError](err); ok && e.Limit == sandbox.LimitStuck {
		return err
	}
	return ctx.Err()
}

// computing says that the run waits for no call: it is one of those that can hold
// their process up.
func (r *run) computing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending == 0
}

// overdue says that the run should have ended and that its child had time to see
// to it.
func (r *run) overdue(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.canceled.IsZero() && now.Sub(r.canceled) > graceEnd {
		return true
	}
	wall := r.req.Limits.Wall
	return wall > 0 && now.Sub(r.began) > wall+graceEnd
}
