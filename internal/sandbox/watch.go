package sandbox

import (
	"sync/atomic"
	"time"
)

// Why a run is stopped.
const (
	stopCPU = iota + 1
	stopWall
	stopCanceled
	stopClosed
)

const (
	watchEvery = 100 * time.Millisecond
	// How long an interrupt may be ignored until the module is closed, if that is
	// possible, and until the run is reported as stuck.
	killAfter  = 250 * time.Millisecond
	stuckAfter = time.Second
)

// watched is what is known of the time of a run. The goroutine of the sandbox
// writes it; the one that watches all runs reads it and may stop the run.
//
// Time counts as computing while the module executes, and not while the goroutine
// waits for a processor: it can't be taken off one without calling the host.
type watched struct {
	limits  Limits
	started time.Time
	halted  chan struct{}          // closed when stopped
	stuck   chan struct{}          // closed when stopping had no effect
	kill    atomic.Pointer[func()] // stops the module, if it can be stopped

	instance atomic.Pointer[instance] // nil until there is one

	since   atomic.Int64 // nanoseconds from started to when the module was entered, plus one; 0: not in the module
	slice   atomic.Int64 // nanoseconds of computing since the last wait
	all     atomic.Int64 // nanoseconds of computing until the last wait
	busy    atomic.Bool  // between two waits
	stopped atomic.Int32 // the reason; 0: not stopped
	at      atomic.Int64 // nanoseconds from started to when it was stopped
	// abandoned: reported as stuck.
	abandoned atomic.Bool
}

func (w *watched) begin(l Limits, now time.Time) {
	w.limits, w.started, w.halted, w.stuck = l, now, make(chan struct{}), make(chan struct{})
}

func (w *watched) reason() int { return int(w.stopped.Load()) }

// stop sets the reason, if there is none. The interrupt stays until the sandbox
// is gone.
func (w *watched) stop(reason int) {
	at := max(1, int64(time.Since(w.started)))
	if w.stopped.CompareAndSwap(0, int32(reason)) {
		w.at.Store(at)
		close(w.halted)
		w.hurry()
	}
}

// resume begins computing; pause ends it for a wait.
func (w *watched) resume() {
	w.slice.Store(0)
	w.busy.Store(true)
	w.since.Store(int64(time.Since(w.started)) + 1)
}

func (w *watched) pause() {
	w.poll()
	w.since.Store(0)
	w.busy.Store(false)
	w.all.Add(w.slice.Swap(0))
}

// poll accounts for the time in the module, returns what was added and says
// whether the run is stopped.
func (w *watched) poll() (spent time.Duration, stopped bool) {
	now := time.Since(w.started)
	if since := w.since.Swap(0); since != 0 {
		spent = now + 1 - time.Duration(since)
		w.slice.Add(int64(spent))
	}
	if w.limits.CPU > 0 && w.slice.Load() > int64(w.limits.CPU) {
		w.stop(stopCPU)
	}
	if w.limits.Wall > 0 && now > w.limits.Wall {
		w.stop(stopWall)
	}
	w.since.Store(int64(time.Since(w.started)) + 1)
	return spent, w.stopped.Load() != 0
}

// outside calls f, whose time is not the program's.
func (w *watched) outside(f func()) {
	w.poll()
	w.since.Store(0)
	f()
	w.since.Store(int64(time.Since(w.started)) + 1)
}

func (w *watched) total() time.Duration { return time.Duration(w.all.Load() + w.slice.Load()) }

// check is for runs that don't poll. It says whether the run has become stuck.
func (w *watched) check(patience time.Duration) bool {
	if !w.busy.Load() || w.abandoned.Load() {
		return false
	}
	since := w.since.Load()
	if since == 0 {
		return false
	}
	now := int64(time.Since(w.started))
	if w.stopped.Load() == 0 {
		if w.limits.CPU > 0 && w.slice.Load()+now+1-since > int64(w.limits.CPU) {
			w.stop(stopCPU)
		}
		if w.limits.Wall > 0 && now > int64(w.limits.Wall) {
			w.stop(stopWall)
		}
		if w.stopped.Load() == 0 {
			return false
		}
	}
	w.hurry() // again: it may just have counted on
	at := w.at.Load()
	if at == 0 {
		return false // being stopped at this moment
	}
	ignored := time.Duration(now - at)
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
