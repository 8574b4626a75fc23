package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"golang.org/x/sync/singleflight"
)

// Options say how an engine works.
type Options struct {
	// Prelude is the JavaScript of the snapshot.
	Prelude string
	// Sync answers what programs ask for at once; nil: nothing. It is called on
	// several goroutines. Its time counts as the program's, and the text of its
	// errors reaches it.
	Sync func(Call) (Reply, error)
	// Pure says whether the function of Sync with that name always answers the same
	// to the same question; nil: none does. Programs that ask only these while they
	// are evaluated may be kept as hot images.
	Pure func(name string) bool
	// CacheDir is where the compiled module and the snapshot are kept; empty:
	// nowhere. A folder that other users can write to is not used.
	CacheDir string
	// Interruptible makes everything stoppable, at several times the cost.
	Interruptible bool
	// Memory is how many bytes all sandboxes together may have beside the snapshot;
	// 0: as many as their limits allow. When they have more, the largest of several
	// is stopped.
	Memory int64
	// HotImages is how many bytes of hot images to keep; 0: none.
	HotImages int64
	// Log is told what is no error of a run; nil: nobody.
	Log *slog.Logger
	// Now is the time that programs see; nil: the time.
	Now func() time.Time
	// Random is where the random numbers that programs see come from; nil: from the
	// system. It is used by several goroutines. With it, Now and the answers of the
	// host, a run is the same again.
	Random io.Reader
}

// Engine runs programs. It may be used by several goroutines.
type Engine struct {
	options Options
	folder  folder
	cache   wazero.CompilationCache
	runtime wazero.Runtime
	module  wazero.CompiledModule

	snapshot *base
	roots    roots
	programs *programs
	compiles singleflight.Group

	stuckAfter time.Duration // how long an interrupt may be ignored
	threads    threads

	mu       sync.Mutex
	live     map[*watched]struct{}
	closed   bool
	idle     chan struct{} // closed when closed and nothing but stuck runs is live
	stuck    chan struct{} // closed when a run became stuck
	anyStuck bool
	quit     chan struct{}
	watching sync.WaitGroup
}

// ErrClosed says that the engine was closed.
var ErrClosed = errors.New("the sandbox engine is closed")

// New makes an engine: it compiles the module and evaluates the prelude, or takes
// both from the cache.
func New(ctx context.Context, o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	e := &Engine{
		options: o, programs: newPrograms(o.HotImages), live: map[*watched]struct{}{},
		idle: make(chan struct{}), stuck: make(chan struct{}), quit: make(chan struct{}),
		stuckAfter: stuckAfter,
	}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.release(ctx))
	}
	e.watching.Go(e.watchRuns)
	return e, nil
}

func (e *Engine) open(ctx context.Context) error {
	e.folder = e.openFolder(ctx)
	err := e.compileModule(ctx)
	if err != nil && e.folder != (folder{}) {
		// A full disk, or what somebody left there.
		e.options.Log.WarnContext(ctx, "sandbox: the cache is not usable and is made again with the next start", "error", err)
		err = errors.Join(e.release(ctx), os.RemoveAll(e.folder.modules))
		e.folder = folder{}
		if err == nil {
			err = e.compileModule(ctx)
		}
	}
	if err != nil {
		return err
	}
	if err := e.takeSnapshot(ctx); err != nil {
		return err
	}
	if err := e.folder.keep(time.Now()); err != nil {
		e.options.Log.DebugContext(ctx, "sandbox: the cache could not be tidied", "error", err)
	}
	return nil
}

func (e *Engine) compileModule(ctx context.Context) error {
	config := wazero.NewRuntimeConfigCompiler().WithCloseOnContextDone(e.options.Interruptible)
	if e.folder.modules != "" {
		var err error
		if e.cache, err = wazero.NewCompilationCacheWithDir(e.folder.modules); err != nil {
			e.cache = nil
			return fmt.Errorf("opening the cache of the sandbox: %w", err)
		}
		config = config.WithCompilationCache(e.cache)
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if err := link(ctx, e.runtime); err != nil {
		return err
	}
	var err error
	if e.module, err = e.runtime.CompileModule(ctx, moduleWASM); err != nil {
		return fmt.Errorf("compiling the module of the sandbox: %w", err)
	}
	return nil
}

func (e *Engine) release(ctx context.Context) error {
	var errs []error
	if e.runtime != nil {
		errs = append(errs, e.runtime.Close(ctx))
		e.runtime = nil
	}
	if e.cache != nil {
		errs = append(errs, e.cache.Close(ctx))
		e.cache = nil
	}
	if e.snapshot != nil {
		errs = append(errs, e.snapshot.close())
	}
	return errors.Join(errs...)
}

// Close ends all runs and frees what the engine holds, unless a run is stuck: then
// only the end of the process does.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	for w := range e.live {
		w.stop(stopClosed)
	}
	e.settleIdle()
	e.mu.Unlock()
	<-e.idle
	close(e.quit)
	e.watching.Wait()
	if e.isStuck() {
		return nil
	}
	return e.release(context.Background())
}

// Stuck is closed when a run could not be stopped. It holds a processor, and the
// process should end soon.
func (e *Engine) Stuck() <-chan struct{} { return e.stuck }

// Asking says that all programs that compute have lately asked whether to go on:
// after the last such moment none has computed for longer than that. Others are in
// the middle of something that Go's collector of garbage has to wait for, and with
// it the process.
func (e *Engine) Asking(lately time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.live {
		if !w.asking(lately) {
			return false
		}
	}
	return true
}

func (e *Engine) isStuck() bool {
	select {
	case <-e.stuck:
		return true
	default:
		return false
	}
}

// enter adds a run; false: the engine is closed.
func (e *Engine) enter(w *watched) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.live[w] = struct{}{}
	w.threads = &e.threads
	return true
}

func (e *Engine) leave(w *watched) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.live, w)
	e.settleIdle()
}

// settleIdle closes idle when it is time. The lock is held.
func (e *Engine) settleIdle() {
	if !e.closed {
		return
	}
	for w := range e.live {
		if !w.abandoned.Load() {
			return
		}
	}
	select {
	case <-e.idle:
	default:
		close(e.idle)
	}
}

// watchRuns looks after runs that don't ask whether to go on.
func (e *Engine) watchRuns() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.quit:
			return
		case <-tick.C:
			e.checkRuns()
		}
	}
}

func (e *Engine) checkRuns() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.live {
		if !w.check(e.stuckAfter) {
			continue
		}
		if !e.anyStuck {
			e.anyStuck = true
			close(e.stuck)
		}
		e.settleIdle()
	}
	e.relieve()
}

// relieve stops the largest runs while all together have too much memory. Which
// ones those are shows only after they have taken it: that is seldom, and waiting
// for memory could hold up all of them. The lock is held.
func (e *Engine) relieve() {
	if e.options.Memory == 0 {
		return
	}
	var all int64
	sizes := make(map[*watched]int64, len(e.live))
	for w := range e.live {
		if i := w.instance.Load(); i != nil && w.reason() == 0 {
			sizes[w] = max(0, i.memory.held.Load()-int64(len(e.snapshot.bytes)))
			all += sizes[w]
		}
	}
	for all > e.options.Memory && len(sizes) > 1 {
		var largest *watched
		for w, n := range sizes {
			if largest == nil || n > sizes[largest] {
				largest = w
			}
		}
		largest.stop(stopPressure)
		all -= sizes[largest]
		delete(sizes, largest)
	}
}
