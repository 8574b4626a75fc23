package sandbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"time"
)

// Names that the engine serves itself.
const (
	callTimer  = "timer"  // {"ms"}: answered after that time
	noteForget = "forget" // {"id"}: ends a call or timer whose answer nobody wants
	syncSeed   = "seed"   // random numbers from 0 to 1, as an ArrayBuffer of float64
)

// seeds is how many random numbers are given at a time.
const seeds = 256

// Waiting calls are bounded in number; what they hold is bounded by the memory
// that the sandbox may have.
const maxWaiting = 100_000

// hostCall serves __hostCall, __hostSync and __hostDone. 0 tells the module that
// an exception was thrown.
func (i *instance) hostCall(name, nameLen, argc, argv uint64) uint64 {
	arg := func(n uint64) uint64 {
		if n >= argc {
			return 0
		}
		return i.word(argv + 4*n)
	}
	if i.run != nil && i.run.stopping() {
		// What a stopped program asks for does not happen.
		return i.undefined()
	}
	switch string(i.read(name, nameLen)) {
	case "__hostCall":
		return i.hostAsync(arg(0), arg(1), arg(2), arg(3))
	case "__hostSync":
		return i.hostSync(arg(0), arg(1), arg(2))
	case "__hostDone":
		return i.hostDone(arg(0), arg(1), arg(2))
	default:
		return i.throw("there is no such host function")
	}
}

func (i *instance) undefined() uint64 { return i.call("qjs_dup_value", i.roots.Undefined) }

// throw throws an Error in the program.
func (i *instance) throw(message string) uint64 {
	x := i.call("qjs_new_error")
	at := i.write([]byte("message"))
	text := i.newString([]byte(message))
	if x == 0 || at == 0 || text == 0 {
		panic(trap{errOutOfMemory})
	}
	i.call("qjs_set_prop_string", x, at, text)
	i.free(at)
	i.freeValue(text)
	i.call("qjs_throw", x)
	i.freeValue(x)
	return 0
}

// parameters reads what calls have in common. The error is safe for programs.
func (i *instance) parameters(name, params, body uint64) (Call, error) {
	n, ok := i.text(name)
	if !ok {
		return Call{}, errors.New("the name of a host call must be a string")
	}
	c := Call{Name: string(n)}
	if c.JSON, ok = i.text(params); !ok {
		return Call{}, errors.New("the parameters of a host call must be a string")
	}
	if len(c.JSON) == 0 {
		c.JSON = nil
	} else if !json.Valid(c.JSON) {
		return Call{}, errors.New("the parameters of a host call must be JSON")
	}
	c.Body, c.Text, ok = i.body(body)
	if !ok {
		return Call{}, errors.New("the body of a host call must be a string or an ArrayBuffer that fits into memory")
	}
	return c, nil
}

// body reads a body; ok says that it is one, or undefined.
func (i *instance) body(h uint64) (b []byte, text, ok bool) {
	if h == 0 || i.call("qjs_is_undefined", h) != 0 {
		return nil, false, true
	}
	if i.call("qjs_is_string", h) != 0 {
		b, ok = i.text(h)
		if b == nil {
			b = []byte{}
		}
		return b, true, ok
	}
	b, ok = i.buffer(h)
	return b, false, ok
}

func (i *instance) hostAsync(id, name, params, body uint64) uint64 {
	i.sees.host = true
	r := i.run
	if r == nil {
		return i.throw("the host can't be called while the prelude is evaluated")
	}
	number := i.number(id)
	if number != math.Trunc(number) || number < 0 || number > 1<<53 {
		return i.throw("the id of a host call must be a whole number")
	}
	c, err := i.parameters(name, params, body)
	if err != nil {
		return i.throw(err.Error())
	}
	switch {
	case number == 0 && c.Name == noteForget:
		err = r.forget(c)
	case number == 0:
		r.note(c)
	case c.Name == callTimer:
		err = r.timer(int64(number), c)
	default:
		err = r.call(int64(number), c)
	}
	if err != nil {
		return i.throw(err.Error())
	}
	return i.undefined()
}

func (i *instance) hostSync(name, params, body uint64) uint64 {
	c, err := i.parameters(name, params, body)
	if err != nil {
		return i.throw(err.Error())
	}
	if c.Name == syncSeed {
		i.sees.random = true
		numbers, err := randomNumbers(i.engine.options.Random, seeds)
		if err != nil {
			return i.throw("there are no random numbers")
		}
		return i.handed(i.newBuffer(numbers))
	}
	o := i.engine.options
	if o.Pure == nil || !o.Pure(c.Name) {
		i.sees.host = true
	}
	if o.Sync == nil {
		return i.throw("there is no function " + c.Name)
	}
	reply, err := o.Sync(c)
	if err != nil {
		if e, ok := errors.AsType[*CallError](err); ok {
			return i.throw(string(e.JSON))
		}
		return i.throw(err.Error())
	}
	switch {
	case reply.Body == nil:
		return i.handed(i.newString(reply.JSON))
	case reply.Text:
		return i.handed(i.newString(reply.Body))
	default:
		return i.handed(i.newBuffer(reply.Body))
	}
}

// handed returns a new value to the program.
func (i *instance) handed(h uint64) uint64 {
	if h == 0 {
		return i.throw("out of memory")
	}
	return h
}

func (i *instance) hostDone(ok, result, body uint64) uint64 {
	r := i.run
	if r == nil {
		return i.throw("there is no run to end")
	}
	if r.done {
		return i.undefined()
	}
	text, fine := i.text(result)
	if !fine || (len(text) > 0 && !json.Valid(text)) {
		return i.throw("the result must be JSON")
	}
	if len(text) == 0 {
		text = nil
	}
	b, isText, fine := i.body(body)
	if !fine {
		return i.throw("the body of the result must be a string or an ArrayBuffer that fits into memory")
	}
	r.done, r.ok = true, i.call("qjs_get_bool", ok) != 0
	r.result = Result{JSON: text, Body: b, Text: isText}
	return i.undefined()
}

// randomNumbers returns n numbers from 0 to 1 as float64, little endian.
func randomNumbers(from io.Reader, n int) ([]byte, error) {
	b := make([]byte, 8*n)
	if _, err := io.ReadFull(from, b); err != nil {
		return nil, fmt.Errorf("reading random numbers: %w", err)
	}
	for o := 0; o < len(b); o += 8 {
		f := float64(binary.LittleEndian.Uint64(b[o:])>>11) / (1 << 53)
		binary.LittleEndian.PutUint64(b[o:], math.Float64bits(f))
	}
	return b, nil
}

// clock serves clock_time_get.
func (i *instance) clock(at uint64) uint64 {
	i.sees.clock = true
	binary.LittleEndian.PutUint64(i.read(at, 8), uint64(i.engine.options.Now().UnixNano()))
	return 0
}

// random serves random_get.
func (i *instance) random(at, n uint64) uint64 {
	i.sees.random = true
	if _, err := io.ReadFull(i.engine.options.Random, i.read(at, n)); err != nil {
		panic(trap{fmt.Errorf("reading random numbers: %w", err)})
	}
	return 0
}

// answer is what a call ended with.
type answer struct {
	id    int64
	reply Reply
	err   error
}

// inbox is where the answers wait for the goroutine of the run, in the order of
// their arrival.
func (r *run) arrive(a answer) {
	r.mu.Lock()
	r.inbox = append(r.inbox, a)
	r.mu.Unlock()
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// pending is one call or timer that the program waits for.
type pending struct {
	cancel func()
}

// waiting is a call above the limit of those at the same time.
type waiting struct {
	id   int64
	call Call
}

func (c Call) size() int64 { return int64(len(c.Name) + len(c.JSON) + len(c.Body)) }

func (r *run) call(id int64, c Call) error {
	if _, ok := r.pending[id]; ok {
		return errors.New("a host call with this id is going on")
	}
	r.usage.Calls++
	if r.calling < r.limits.Calls {
		r.begin(id, c)
		return nil
	}
	if r.held += c.size(); r.held > r.limits.Memory || len(r.queue) >= maxWaiting {
		r.held -= c.size()
		return errors.New("too many host calls are waiting: await some of them first")
	}
	r.pending[id] = pending{cancel: func() {}}
	r.queue = append(r.queue, waiting{id: id, call: c})
	return nil
}

// begin calls the host on a goroutine of its own.
func (r *run) begin(id int64, c Call) {
	r.calling++
	ctx, cancel := context.WithCancel(r.ctx)
	r.pending[id] = pending{cancel: cancel}
	r.goroutines.Go(func() {
		defer cancel()
		reply, err := r.ask(ctx, c)
		r.arrive(answer{id: id, reply: reply, err: err})
	})
}

// ask calls the host. Its panic is an error of the call: other runs go on.
func (r *run) ask(ctx context.Context, c Call) (reply Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.engine.options.Log.ErrorContext(ctx, "sandbox: a host call panicked", "call", c.Name, "panic", p, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return r.host.Call(ctx, c)
}

var errPanic = errors.New("the host call panicked")

// next begins calls that waited for others to end.
func (r *run) next() {
	for len(r.queue) > 0 && r.calling < r.limits.Calls {
		w := r.queue[0]
		r.queue[0] = waiting{}
		r.queue = r.queue[1:]
		r.held -= w.call.size()
		if _, wanted := r.pending[w.id]; wanted {
			r.begin(w.id, w.call)
		}
	}
}

const maxTimer = math.MaxInt32 // milliseconds, as everywhere

func (r *run) timer(id int64, c Call) error {
	if _, ok := r.pending[id]; ok {
		return errors.New("a timer with this id is going on")
	}
	var p struct {
		MS float64 `json:"ms"`
	}
	if err := json.Unmarshal(c.JSON, &p); err != nil {
		return errors.New("a timer needs its milliseconds")
	}
	wait := time.Duration(min(max(p.MS, 0), maxTimer) * float64(time.Millisecond))
	t := time.AfterFunc(wait, func() { r.arrive(answer{id: id, err: errTimer}) })
	r.pending[id] = pending{cancel: func() { t.Stop() }}
	r.timers[id] = t
	return nil
}

// errTimer marks the answer of a timer.
var errTimer = errors.New("timer")

// forget ends a call or timer.
func (r *run) forget(c Call) error {
	var p struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(c.JSON, &p); err != nil {
		return errors.New("what to forget needs its id")
	}
	if w, ok := r.pending[p.ID]; ok {
		w.cancel()
		delete(r.pending, p.ID)
		delete(r.timers, p.ID)
	}
	return nil
}

// note hands a note to the host, until there were too many.
func (r *run) note(c Call) {
	if r.muted {
		return
	}
	if r.noted += c.size(); r.limits.Notes > 0 && r.noted > r.limits.Notes {
		r.muted = true
		c = Call{Name: NotesDropped}
	}
	r.watch.outside(func() { r.host.Note(c) })
}
