package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// run is one run of a program. Its fields belong to the goroutine of the sandbox
// but for those that say otherwise.
type run struct {
	engine  *Engine
	name    string // of the program
	host    Host
	limits  Limits
	program *compiled
	started time.Time
	usage   Usage

	ctx        context.Context // of its host calls
	goroutines sync.WaitGroup  // its host calls
	pending    map[int64]pending
	timers     map[int64]*time.Timer
	long       *time.Timer // see longWait
	queue      []waiting
	held       int64 // bytes that queue holds
	calling    int   // calls that the host is serving
	noted      int64 // bytes of notes
	muted      bool  // no more notes

	done, ok bool // __hostDone was called
	result   Result

	rejections []rejection

	mu      sync.Mutex
	inbox   []answer // guarded by mu
	arrived chan struct{}

	watch watched
}

// Run runs a program and returns what it returned. Errors are *Failure when the
// program threw, *SyntaxError when it does not compile, *LimitError when it was
// stopped, ErrClosed, and the context's when the caller gave up; all others are
// the engine's own.
func (e *Engine) Run(ctx context.Context, r Request) (Result, error) {
	if r.Host == nil {
		return Result{}, errors.New("sandbox: a run needs a host")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = context.WithValue(ctx, endedKey{}, ctx.Done())
	x := &run{
		engine: e, name: r.Program.Name, host: r.Host, limits: r.Limits.withDefaults(), started: time.Now(), ctx: ctx,
		pending: map[int64]pending{}, timers: map[int64]*time.Timer{},
		arrived: make(chan struct{}, 1),
	}
	x.watch.begin(x.limits, x.started)
	result, err := supervise(ctx, e, &x.watch, func() (Result, error) { return x.execute(ctx, r.Program, r.Start) })
	cancel()
	if limit, ok := errors.AsType[*LimitError](err); !ok || limit.Limit != LimitStuck {
		x.goroutines.Wait()
	}
	return result, err
}

type endedKey struct{}

// Ended returns what is closed when the run ends to which the context of a call
// belongs; calls end earlier when the program forgets them. Nil: it belongs to
// none.
func Ended(ctx context.Context) <-chan struct{} {
	ended, _ := ctx.Value(endedKey{}).(<-chan struct{})
	return ended
}

// supervise calls work on a goroutine of its own, which owns a sandbox, and waits
// until it returned or became stuck. It tells it when the context ends.
func supervise[T any](ctx context.Context, e *Engine, w *watched, work func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if !e.enter(w) {
		return none, ErrClosed
	}
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		defer e.leave(w)
		value, err := work()
		ended <- outcome{value, err}
	}()
	for canceled := ctx.Done(); ; {
		select {
		case o := <-ended:
			return o.value, o.err
		case <-canceled:
			w.stop(stopCanceled)
			canceled = nil
		case <-w.stuck:
			return none, &LimitError{Limit: LimitStuck, Usage: Usage{Wall: time.Since(w.started)}}
		}
	}
}

// execute is the goroutine of the sandbox.
func (r *run) execute(ctx context.Context, p Program, start []byte) (result Result, err error) {
	defer func() {
		for _, t := range r.timers {
			t.Stop()
		}
	}()
	// A panic of the host's functions must not end the process.
	defer guard(&err)
	r.program, err = r.engine.compiled(ctx, p, &r.watch)
	if err != nil {
		return Result{}, r.finish(ctx, nil, err)
	}
	i, err := r.engine.restore(ctx, r)
	if err != nil {
		return Result{}, r.finish(ctx, nil, err)
	}
	defer i.close(ctx)
	err = r.drive(i, start) //nolint:contextcheck // that of the host's calls is with the run
	err = r.finish(ctx, i, err)
	if err != nil {
		return Result{}, err
	}
	result = r.result
	result.Usage = r.usage
	return result, nil
}

// drive loads the program, starts it and settles its calls until it is done.
func (r *run) drive(i *instance, start []byte) (err error) {
	defer guard(&err)
	i.resume()
	defer r.watch.pause()
	if !r.usage.Hot {
		if err := r.load(i); err != nil || r.done {
			return err
		}
	}
	if t := i.invoke(i.roots.Start, i.newString(start)); t != nil {
		return t
	}
	for {
		if err := r.jobs(i); err != nil || r.done {
			return err
		}
		if err := r.wait(i); err != nil {
			return err
		}
	}
}

// load evaluates the program.
func (r *run) load(i *instance) error {
	factory, t := i.evaluate(r.program.code)
	if t != nil {
		return t
	}
	i.sees = sees{}
	if t := i.invoke(i.roots.Load, factory); t != nil {
		return t
	}
	if !r.done && !r.stopping() && i.sees == (sees{}) && len(r.rejections) == 0 {
		r.engine.keepImage(r.program, i)
	}
	return nil
}

// jobs executes what promises have to do.
func (r *run) jobs(i *instance) error {
	for !r.done && !r.stopping() && i.call("qjs_is_job_pending") != 0 {
		if int32(i.call("qjs_execute_pending_job")) < 0 {
			if r.stopping() {
				break
			}
			return i.exception()
		}
	}
	if r.stopping() {
		return errStopped
	}
	if r.done {
		return nil
	}
	return r.reportRejections(i)
}

// errStopped says that the watch has the reason.
var errStopped = errors.New("stopped")

// errStalled says that nothing can go on.
var errStalled = errors.New("stalled")

// wait waits for the next answer and settles it.
func (r *run) wait(i *instance) error {
	if len(r.pending) == 0 {
		return errStalled
	}
	r.watch.pause()
	a, err := r.receive(i)
	i.resume()
	if err != nil {
		return err
	}
	if r.ctx.Err() != nil {
		// The host noticed before the run did.
		r.watch.stop(stopCanceled)
		return errStopped
	}
	if !errors.Is(a.err, errTimer) {
		r.calling--
		r.next()
	}
	if _, wanted := r.pending[a.id]; wanted {
		delete(r.pending, a.id)
		delete(r.timers, a.id)
		err = settle(i, a)
	}
	if a.reply.Taken != nil {
		a.reply.Taken()
	}
	return err
}

// longWait is what a program waits until its instance lets go of what it can have
// again: a third of a megabyte, of which many programs wait at the same time.
const longWait = 10 * time.Millisecond

// receive returns the answer that arrived first.
func (r *run) receive(i *instance) (answer, error) {
	var deadline, long <-chan time.Time
	for {
		r.mu.Lock()
		if len(r.inbox) > 0 {
			a := r.inbox[0]
			r.inbox[0] = answer{}
			r.inbox = r.inbox[1:]
			r.mu.Unlock()
			return a, nil
		}
		r.mu.Unlock()
		if r.limits.Wall > 0 && deadline == nil {
			t := time.NewTimer(r.limits.Wall - time.Since(r.started))
			defer t.Stop()
			deadline = t.C
		}
		if long == nil {
			if r.long == nil {
				r.long = time.NewTimer(longWait)
			} else {
				r.long.Reset(longWait)
			}
			defer r.long.Stop()
			long = r.long.C
		}
		select {
		case <-r.arrived:
		case <-long:
			i.relax()
		case <-r.watch.halted:
			return answer{}, errStopped
		case <-deadline:
			r.watch.stop(stopWall)
			return answer{}, errStopped
		}
	}
}

// settle tells the program what a call ended with.
func settle(i *instance, a answer) error {
	text, ok := a.reply.JSON, true
	switch e, is := errors.AsType[*CallError](a.err); {
	case a.err == nil || errors.Is(a.err, errTimer):
	case is:
		text, ok = e.JSON, false
	default:
		text, ok = []byte(`{"code":"internal_error","message":"The host could not answer."}`), false
	}
	args := []uint64{i.call("qjs_new_number", math.Float64bits(float64(a.id))), i.boolean(ok), i.newString(text)}
	if ok && a.reply.Body != nil {
		if a.reply.Text {
			args = append(args, i.newString(a.reply.Body))
		} else {
			args = append(args, i.newBuffer(a.reply.Body))
		}
	}
	if t := i.invoke(i.roots.Settle, args...); t != nil {
		return t
	}
	return nil
}

// finish fills in what the run took and says what its end means.
func (r *run) finish(ctx context.Context, i *instance, err error) error {
	r.usage.Wall = time.Since(r.started)
	r.usage.CPU = r.watch.total()
	refused := false
	if i != nil {
		r.usage.Memory = int64(i.memory.size)
		refused = i.memory.refused
	}
	limit := func(name string) error { return &LimitError{Limit: name, Usage: r.usage} }
	stopped := r.watch.reason()
	t, threw := errors.AsType[*thrown](err)
	switch {
	case refused || errors.Is(err, errOutOfMemory):
		return limit(LimitMemory)
	case r.done && err == nil:
		return r.conclude()
	case stopped == stopClosed:
		return ErrClosed
	case stopped == stopCanceled:
		return ctx.Err()
	case stopped == stopCPU:
		return limit(LimitCPU)
	case stopped == stopWall:
		return limit(LimitWall)
	case stopped == stopPressure:
		return limit(LimitPressure)
	case errors.Is(err, errStalled):
		return limit(LimitStalled)
	case threw && t.outOfMemory():
		return limit(LimitMemory)
	case threw:
		return r.failure(t.json())
	case isOverflow(err):
		return r.failure((&thrown{Name: "RangeError", Message: "Maximum call stack size exceeded"}).json())
	default:
		return err
	}
}

// conclude judges what __hostDone was given.
func (r *run) conclude() error {
	size := int64(len(r.result.JSON) + len(r.result.Body))
	if r.limits.Output > 0 && size > r.limits.Output {
		return &LimitError{Limit: LimitOutput, Usage: r.usage}
	}
	if r.ok {
		return nil
	}
	t := thrown{}
	if err := json.Unmarshal(r.result.JSON, &t); err == nil && t.outOfMemory() {
		return &LimitError{Limit: LimitMemory, Usage: r.usage}
	}
	return r.failure(r.result.JSON)
}

// failure returns the failure with the columns of the program's first line as
// they are without what the engine puts before it.
func (r *run) failure(text []byte) *Failure {
	f := &Failure{JSON: text, Usage: r.usage}
	var members map[string]json.RawMessage
	var stack string
	if json.Unmarshal(text, &members) != nil || json.Unmarshal(members["stack"], &stack) != nil {
		return f
	}
	position := r.name + ":1:"
	if !strings.Contains(stack, position) {
		return f
	}
	parts := strings.Split(stack, position)
	for n, part := range parts[1:] {
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		if column, err := strconv.Atoi(part[:digits]); err == nil && column > len(programHead) {
			parts[n+1] = strconv.Itoa(column-len(programHead)) + part[digits:]
		}
	}
	var err error
	if members["stack"], err = json.Marshal(strings.Join(parts, position)); err != nil {
		return f
	}
	if text, err = json.Marshal(members); err == nil {
		f.JSON = text
	}
	return f
}

func (t *thrown) outOfMemory() bool {
	return t.Name == "InternalError" && t.Message == "out of memory"
}

func (t *thrown) json() []byte {
	b, err := json.Marshal(map[string]string{"name": t.Name, "message": t.Message, "stack": t.Stack, "kind": "other"})
	if err != nil {
		panic(err) // strings always marshal
	}
	return b
}

// isOverflow says that recursion inside QuickJS, which it does not count, filled
// the stack that wazero gives.
func isOverflow(err error) bool {
	// The error is internal to wazero.
	return err != nil && strings.Contains(err.Error(), "stack overflow")
}

func (r *run) stopping() bool { return r.watch.reason() != 0 }

// rejection is a promise that was rejected while nobody listened to it.
type rejection struct{ identity, promise, reason uint64 }

// maxRejections bounds what is remembered of rejections until they are reported.
const maxRejections = 100

// rejection serves host_promise_rejection, which gives away both handles.
func (i *instance) rejection(promise, reason uint64, handled bool) {
	i.sees.rejection = true
	r := i.run
	if r == nil || r.stopping() {
		i.freeValue(promise)
		i.freeValue(reason)
		return
	}
	identity := i.call("qjs_get_value_ptr", promise)
	if handled {
		for n, x := range r.rejections {
			if x.identity == identity {
				i.freeValue(x.promise)
				i.freeValue(x.reason)
				r.rejections = append(r.rejections[:n], r.rejections[n+1:]...)
				break
			}
		}
	} else if len(r.rejections) < maxRejections {
		r.rejections = append(r.rejections, rejection{identity, promise, reason})
		return
	}
	i.freeValue(promise)
	i.freeValue(reason)
}

// reportRejections tells the prelude of rejections that nothing handled while
// there was something to do.
func (r *run) reportRejections(i *instance) error {
	for len(r.rejections) > 0 {
		x := r.rejections[0]
		r.rejections = r.rejections[1:]
		i.freeValue(x.promise)
		if t := i.invoke(i.roots.Rejected, x.reason); t != nil {
			return t
		}
	}
	return nil
}
