package sandbox

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Why a run is stopped.
const (
	stopCPU = iota + 1
	stopWall
	stopCanceled
	stopClosed
	stopPressure
)

const (
	watchEvery = 100 * time.Millisecond
	// How long an interrupt may be ignored until the module is closed, if that is
	// possible, and until the run is reported as stuck.
	killAfter  = 250 * time.Millisecond
	stuckAfter = time.Second
	// Runs that have a thread to themselves while they compute; more of them must
	// not exhaust what a process may have of threads.
	maxThreads = 128
)

// watched is what is known of the time of a run. The goroutine of the sandbox
// writes it; the one that watches all runs reads it and may stop the run.
//
// Time counts as computing while the module executes on a processor. While the
// goroutine waits for one, because others compute as well, it does not: the run
// has a thread to itself while it computes, and the time of that is asked for.
// Where that can't be, all time counts.
type watched struct {
	limits  Limits
	started time.Time
	halted  chan struct{}          // closed when stopped
	stuck   chan struct{}          // closed when stopping had no effect
	kill    atomic.Pointer[func()] // stops the module, if it can be stopped

	instance atomic.Pointer[instance] // nil until there is one

	stretch atomic.Pointer[stretch] // nil: not in the module
	slice   atomic.Int64            // nanoseconds of computing since the last wait
	all     atomic.Int64            // nanoseconds of computing until the last wait
	busy    atomic.Bool             // between two waits
	stopped atomic.Int32            // the reason; 0: not stopped
	// abandoned: reported as stuck.
	abandoned atomic.Bool

	threads *threads // nil: the run gets no thread of its own
	thread  thread   // its own; 0: none. The goroutine of the sandbox uses it
	locked  bool     // to the thread
	// obeying is how much was computed when the one that watches first saw the run
	// stopped; 0: it did not yet.
	obeying time.Duration
}

// stretch is the time from when the module was entered.
type stretch struct {
	thread thread        // 0: all time counts
	from   time.Duration // that the thread had computed by then, or since the start of the run
}

// threads counts the runs that have one to themselves.
type threads struct{ n atomic.Int32 }

func (t *threads) take() bool {
	if t.n.Add(1) > maxThreads {
		t.n.Add(-1)
		return false
	}
	return true
}

func (t *threads) giveBack() { t.n.Add(-1) }

func (w *watched) begin(l Limits, now time.Time) {
	w.limits, w.started, w.halted, w.stuck = l, now, make(chan struct{}), make(chan struct{})
}

func (w *watched) reason() int { return int(w.stopped.Load()) }

// stop sets the reason, if there is none. The interrupt stays until the sandbox
// is gone.
func (w *watched) stop(reason int) {
	if w.stopped.CompareAndSwap(0, int32(reason)) {
		close(w.halted)
		w.hurry()
	}
}

// resume begins computing; pause ends it for a wait.
func (w *watched) resume() {
	w.slice.Store(0)
	w.busy.Store(true)
	if !w.locked && w.threads != nil && w.threads.take() {
		runtime.LockOSThread()
		w.thread, w.locked = currentThread(), true
	}
	w.enter()
}

func (w *watched) pause() {
	w.poll()
	w.stretch.Store(nil)
	w.busy.Store(false)
	w.all.Add(w.slice.Swap(0))
	if w.locked {
		w.thread, w.locked = 0, false
		runtime.UnlockOSThread()
		w.threads.giveBack()
	}
}

// enter begins a stretch in the module.
func (w *watched) enter() {
	s := stretch{thread: w.thread}
	var ok bool
	if s.from, ok = s.thread.computed(); !ok {
		s = stretch{from: time.Since(w.started)}
	}
	w.stretch.Store(&s)
}

// length is how much was computed in the stretch until now; false: its thread is
// gone.
func (s *stretch) length(started time.Time) (time.Duration, bool) {
	if s.thread == 0 {
		return time.Since(started) - s.from, true
	}
	at, ok := s.thread.computed()
	return at - s.from, ok
}

// poll accounts for the time in the module, returns what was added and says
// whether the run is stopped.
func (w *watched) poll() (spent time.Duration, stopped bool) {
	if s := w.stretch.Load(); s != nil {
		spent, _ = s.length(w.started) // its thread is this one
		w.stretch.Store(nil)
		w.slice.Add(int64(spent))
	}
	if w.limits.CPU > 0 && w.slice.Load() > int64(w.limits.CPU) {
		w.stop(stopCPU)
	}
	if w.limits.Wall > 0 && time.Since(w.started) > w.limits.Wall {
		w.stop(stopWall)
	}
	w.enter()
	return spent, w.stopped.Load() != 0
}

// outside calls f, whose time is not the program's.
func (w *watched) outside(f func()) {
	w.poll()
	w.stretch.Store(nil)
	f()
	w.enter()
}

func (w *watched) total() time.Duration { return time.Duration(w.all.Load() + w.slice.Load()) }

// spent returns how much was computed since the last wait, and all in all; false:
// the run is just doing something else.
func (w *watched) spent() (slice, total time.Duration, ok bool) {
	s := w.stretch.Load()
	if s == nil {
		return 0, 0, false
	}
	length, ok := s.length(w.started)
	slice, total = time.Duration(w.slice.Load())+length, w.total()+length
	// If the stretch has ended, its thread does other things.
	return slice, total, ok && w.stretch.Load() == s
}

// asking says that the run did not compute for longer than that since it last
// asked whether to go on.
func (w *watched) asking(lately time.Duration) bool {
	s := w.stretch.Load()
	if s == nil {
		return true
	}
	length, ok := s.length(w.started)
	return !ok || length <= lately || w.stretch.Load() != s
}

// check is for runs that don't poll. It says whether the run has become stuck.
func (w *watched) check(patience time.Duration) bool {
	if !w.busy.Load() || w.abandoned.Load() {
		return false
	}
	slice, total, ok := w.spent()
	if !ok {
		return false
	}
	if w.limits.CPU > 0 && slice > w.limits.CPU {
		w.stop(stopCPU)
	}
	if w.limits.Wall > 0 && time.Since(w.started) > w.limits.Wall {
		w.stop(stopWall)
	}
	if w.stopped.Load() == 0 {
		return false
	}
	w.hurry() // again: it may just have counted on
	if w.obeying == 0 {
		w.obeying = total
	}
	ignored := total - w.obeying
	if kill := w.kill.Load(); kill != nil && ignored > killAfter {
		(*kill)()
	}
	if ignored <= patience {
		return false
	}
	w.abandoned.Store(true)
	close(w.stuck)
	return true
}

// QuickJS counts down calls and jumps back, and asks when it reaches zero: every
// 10,000 of them. Such a step can be as long as parsing a document, so that the
// engine sets the counter itself: low at first, and then so that it is asked
// about as often as pollEvery.
const (
	firstSteps = 16
	mostSteps  = 1000
	pollEvery  = time.Millisecond
)

// interrupted serves host_interrupt.
func (i *instance) interrupted() bool {
	if i.watch == nil {
		return false
	}
	spent, stopped := i.watch.poll()
	if stopped || i.memory.refused {
		i.count(1)
		return true
	}
	steps := 4 * i.steps
	if spent > pollEvery {
		steps = int(int64(i.steps) * int64(pollEvery) / int64(spent))
	}
	i.count(min(max(steps, 1), mostSteps))
	return false
}

// count sets how many steps QuickJS takes before it asks again.
func (i *instance) count(steps int) {
	i.steps = steps
	i.memory.store(i.roots.Counter, int32(steps))
}

// resume begins computing; pause ends it for a wait.
func (i *instance) resume() {
	i.count(firstSteps)
	i.watch.resume()
}

// hurry makes the program ask at its next step whether to go on. It is for other
// goroutines than the instance's own.
func (w *watched) hurry() {
	if i := w.instance.Load(); i != nil {
		i.memory.store(i.roots.Counter, 1)
	}
}
