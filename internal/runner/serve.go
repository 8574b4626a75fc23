package runner

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// Engine executes programs in the child.
type Engine interface {
	// Run is [sandbox.Engine.Run].
	Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error)
	// Close frees what the engine holds.
	Close() error
}

// Settings is what a parent wants of a child's engine.
type Settings struct {
	// CacheDir is the sandbox's. Empty: none.
	CacheDir string
	// HotImages is how many bytes of hot images to keep.
	HotImages int64
	// Interruptible makes everything stoppable, and slower.
	Interruptible bool
	// Memory is the soft limit of the Go heap. Zero: none.
	Memory int64
	// Sandboxes is how many bytes all sandboxes together may have. Zero: as many as
	// they like.
	Sandboxes int64
}

// ending is how long the runs of a child may take to end when it has to.
const ending = time.Second

// errEnded is why a link is closed when its other side went away in order.
var errEnded = errors.New("the other side has ended")

// Serve executes what the parent at the other end of conn asks for, until it goes
// away, which is no error. Runs end with it. What the parent says first, the
// settings, goes to open.
func Serve(ctx context.Context, conn io.ReadWriteCloser, open func(context.Context, Settings) (Engine, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{link: newLink(conn), decoder: newDecoder(conn), runs: map[uint64]*hosted{}, busy: make(chan struct{}, 1)}
	hello, err := s.greet()
	if err != nil {
		_ = conn.Close() // the greeting's error says more
		return err
	}
	engine, err := open(ctx, Settings{
		CacheDir: hello.CacheDir, HotImages: hello.HotImages, Interruptible: hello.Interruptible, Memory: hello.Memory, Sandboxes: hello.Sandboxes,
	})
	if err != nil {
		_ = conn.Close() // the engine's error says more
		return fmt.Errorf("making the engine: %w", err)
	}
	s.engine, s.programs, s.beat = engine, newPrograms(hello.Programs), hello.Beat
	return s.serve(ctx, cancel)
}

// server is the child's side.
type server struct {
	link     *link
	decoder  *decoder
	engine   Engine
	programs *programs
	beat     time.Duration
	busy     chan struct{} // capacity 1: there is a run

	mu   sync.Mutex
	runs map[uint64]*hosted
	wg   sync.WaitGroup // of runs
}

func (s *server) greet() (hello settings, err error) {
	m, err := s.decoder.next()
	if err != nil {
		return hello, fmt.Errorf("reading the settings: %w", err)
	}
	if m.kind != kindHello || json.Unmarshal(m.parts[0], &hello) != nil || hello.Beat <= 0 {
		return hello, fmt.Errorf("%w: no settings", errFrame)
	}
	if hello.Protocol != protocol {
		return hello, fmt.Errorf("the parent speaks version %d of the protocol, this program version %d", hello.Protocol, protocol)
	}
	return hello, nil
}

func (s *server) serve(ctx context.Context, cancel context.CancelFunc) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.link.end(s.link.write()) })
	wg.Go(s.beats)
	wg.Go(func() { s.link.end(s.read(ctx)) })
	stop := context.AfterFunc(ctx, func() { s.link.end(ctx.Err()) })
	s.link.post(report(kindReady))
	wg.Wait()
	stop()
	cancel()
	if !s.drain() {
		return nil // the process ends, and with it what can't be stopped
	}
	if err := s.engine.Close(); err != nil {
		return fmt.Errorf("closing the engine: %w", err)
	}
	if err := s.link.cause(); !errors.Is(err, errEnded) && ctx.Err() == nil {
		return err
	}
	return nil
}

// drain waits for the runs, but not for long. It says whether all ended.
func (s *server) drain() bool {
	ended := make(chan struct{})
	go func() { // ends with the runs, or with the process
		s.wg.Wait()
		close(ended)
	}()
	timer := time.NewTimer(ending)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

func (s *server) read(ctx context.Context) error {
	for {
		m, err := s.decoder.next()
		if errors.Is(err, io.EOF) {
			return errEnded
		}
		if err != nil {
			return fmt.Errorf("reading frames: %w", err)
		}
		if err := s.handle(ctx, m); err != nil {
			return err
		}
	}
}

func (s *server) handle(ctx context.Context, m message) error {
	switch m.kind {
	case kindProgram:
		return s.programs.add(m)
	case kindRun:
		return s.start(ctx, m)
	case kindCancel, kindReply, kindCredit:
		s.mu.Lock()
		h := s.runs[m.run]
		s.mu.Unlock()
		if h == nil {
			return nil // it has just ended
		}
		return h.handle(m)
	default:
		return fmt.Errorf("%w: kind %d from the parent", errFrame, m.kind)
	}
}

// start begins a run.
func (s *server) start(ctx context.Context, m message) error {
	id, limits, err := parseRun(m.parts[0])
	if err != nil {
		return err
	}
	program, ok := s.programs.program(id)
	if !ok {
		s.link.post(encodeNeed(m.run))
		return nil
	}
	h := &hosted{
		server: s, run: m.run, waiting: map[uint32]chan message{},
		bodies: newWindow(windowBodies), notes: newWindow(windowNotes),
	}
	h.ctx, h.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	if s.runs[m.run] != nil {
		s.mu.Unlock()
		h.cancel()
		return fmt.Errorf("%w: run %d again", errFrame, m.run)
	}
	s.runs[m.run] = h
	s.mu.Unlock()
	select {
	case s.busy <- struct{}{}:
	default:
	}
	s.wg.Go(func() { s.execute(ctx, h, sandbox.Request{Program: program, Start: m.json(), Limits: limits, Host: h}) })
	return nil
}

func (s *server) execute(ctx context.Context, h *hosted, r sandbox.Request) {
	defer h.cancel()
	res, err := s.engine.Run(h.ctx, r) //nolint:contextcheck // it is made of ctx
	s.mu.Lock()
	delete(s.runs, h.run)
	s.mu.Unlock()
	// Fails when the link has ended; then nobody waits for it.
	_ = s.link.send(ctx, encodeResult(h.run, res, err))
}

func encodeNeed(run uint64) message {
	m := message{kind: kindResult, run: run, id: uint32(outcomeNeedProgram)}
	m.parts[0] = encodeUsage(sandbox.Usage{})
	return m
}

// beats tells the parent regularly that this process is not held up, while there
// are runs.
func (s *server) beats() {
	ticker := time.NewTicker(s.beat)
	defer ticker.Stop()
	for {
		s.mu.Lock()
		n := len(s.runs)
		s.mu.Unlock()
		if n == 0 {
			ticker.Stop()
			select {
			case <-s.busy:
				ticker.Reset(s.beat)
			case <-s.link.ended:
				return
			}
		}
		select {
		case <-ticker.C:
			s.link.post(report(kindBeat))
		case <-s.link.ended:
			return
		}
	}
}

// report makes the messages that say how much memory the process has.
func report(k kind) message {
	m := message{kind: k}
	m.parts[0] = binary.AppendVarint(nil, resident())
	return m
}

// hosted is one run in the child. It is its Host: it passes everything on.
type hosted struct {
	server *server
	run    uint64
	ctx    context.Context // of the run, for notes, which come without one
	cancel context.CancelFunc
	bodies *window
	notes  *window

	mu       sync.Mutex
	lastID   uint32
	waiting  map[uint32]chan message
	lastNote uint32
}

// handle takes what the parent says about the run.
func (h *hosted) handle(m message) error {
	switch m.kind {
	case kindCancel:
		h.cancel()
		return nil
	case kindCredit:
		n, err := parseCredit(m)
		if err != nil {
			return err
		}
		if m.id == creditNotes {
			return h.notes.giveBack(n)
		}
		return h.bodies.giveBack(n)
	default: // kindReply
		h.mu.Lock()
		defer h.mu.Unlock()
		if c := h.waiting[m.id]; c != nil {
			delete(h.waiting, m.id)
			c <- m // has room for the one answer
		}
		return nil
	}
}

// Call implements sandbox.Host.
func (h *hosted) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	answer := make(chan message, 1)
	h.mu.Lock()
	h.lastID++
	m := message{kind: kindCall, run: h.run, id: h.lastID}
	h.waiting[m.id] = answer
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiting, m.id)
	}()
	m.parts[0], m.parts[1] = []byte(c.Name), c.JSON
	m.setBody(c.Body, c.Text)
	if err := h.bodies.take(ctx, weighBody(m.size())); err != nil {
		return sandbox.Reply{}, err
	}
	if err := h.server.link.send(ctx, m); err != nil {
		if errors.Is(err, errTooLarge) {
			return sandbox.Reply{}, tooLarge("The request")
		}
		return sandbox.Reply{}, err
	}
	select {
	case m := <-answer:
		return h.answer(m)
	case <-ctx.Done():
	}
	// When only the call is over and not the run, the parent still serves it: it
	// keeps its place among the calls of the run, and its answer its place in the
	// window, until that is here.
	select {
	case m := <-answer:
		h.giveBack(m)
	case <-sandbox.Ended(ctx):
	case <-h.ctx.Done():
	}
	return sandbox.Reply{}, ctx.Err()
}

func (h *hosted) answer(m message) (sandbox.Reply, error) {
	if m.flags&flagError == 0 {
		// While the program computes answers wait for it, and more must not come.
		r := sandbox.Reply{JSON: m.json(), Taken: func() { h.giveBack(m) }}
		r.Body, r.Text = m.body()
		return r, nil
	}
	h.giveBack(m)
	if m.json() == nil {
		return sandbox.Reply{}, errors.New("the host failed")
	}
	return sandbox.Reply{}, &sandbox.CallError{JSON: m.json()}
}

// giveBack tells the parent that the answer is out of the way.
func (h *hosted) giveBack(m message) {
	if n := weighBody(m.size()); n > 0 {
		h.server.link.post(credit(h.run, creditBodies, n))
	}
}

func tooLarge(what string) *sandbox.CallError {
	return &sandbox.CallError{JSON: []byte(`{"code":"too_large","message":"` + what + ` is too large."}`)}
}

// Note implements sandbox.Host.
func (h *hosted) Note(c sandbox.Call) {
	h.lastNote++ // one goroutine makes notes
	m := message{kind: kindNote, run: h.run, id: h.lastNote}
	m.parts[0], m.parts[1] = []byte(c.Name), c.JSON
	m.setBody(c.Body, c.Text)
	// Both fail only when the run or the link has ended.
	if h.notes.take(h.ctx, weigh(m.size(), windowNotes)) == nil {
		_ = h.server.link.send(h.ctx, m)
	}
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
