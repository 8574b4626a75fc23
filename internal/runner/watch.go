package runner

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// watch ends the child when it has to: when it falls silent, when a run does not
// end, when it has nothing to do for long.
func (c *child) watch() {
	for {
		var done bool
		if c.busy() {
			done = c.watchRuns()
		} else {
			done = c.watchIdle()
		}
		if done {
			return
		}
	}
}

func (c *child) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.runs) > 0
}

// watchIdle waits for a run. It says whether the child is to end.
func (c *child) watchIdle() bool {
	timer := time.NewTimer(min(c.idle, surplusIdle))
	defer timer.Stop()
	for waited := false; ; waited = true {
		select {
		case <-c.kick:
			return false
		case <-c.doomed:
			return c.spare()
		case <-c.ended:
			return true
		case <-timer.C:
		}
		if waited || c.idle <= surplusIdle || c.events.surplus() {
			break
		}
		timer.Reset(c.idle - surplusIdle)
	}
	c.mu.Lock()
	free := len(c.runs) == 0 && !c.ready.IsZero()
	if free {
		c.condemn()
	}
	c.mu.Unlock()
	if free {
		c.end(errIdle)
	}
	return free
}

// watchRuns looks at the runs until there are none. It says whether the child is
// to end.
func (c *child) watchRuns() bool {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	last := time.Now()
	for c.busy() {
		select {
		case <-c.doomed:
			return c.spare()
		case <-c.ended:
			return true
		case <-ticker.C:
		}
		now := time.Now()
		if now.Sub(last) > silentAfter { // this process was held up, or the machine slept
			c.heard.Store(now.UnixNano())
			c.woke.Store(now.UnixNano())
		}
		last = now
		c.check(now)
	}
	return false
}

// spare gives the runs of a condemned child a moment, then ends it.
func (c *child) spare() bool {
	timer := time.NewTimer(graceOthers)
	defer timer.Stop()
	for c.busy() {
		select {
		case <-c.kick:
			continue
		case <-c.ended:
			return true
		case <-timer.C:
		}
		break
	}
	c.end(errStuck)
	return true
}

// check looks for what makes a kill necessary.
func (c *child) check(now time.Time) {
	silence := now.Sub(time.Unix(0, c.heard.Load()))
	if silence > silentAfter {
		c.events.changed() // those who wait for it look for another
		if silence > c.patience() {
			c.silenced(now)
		}
		return // its clock stood still, too
	}
	if now.Sub(time.Unix(0, c.woke.Load())) <= graceEnd {
		return // what should have ended while it was held up ends now
	}
	for _, r := range c.all() {
		if r.overdue(now) {
			c.stuck(r, stuckSince(r.began, now))
		}
	}
}

func stuckSince(began, now time.Time) *sandbox.LimitError {
	return &sandbox.LimitError{Limit: sandbox.LimitStuck, Usage: sandbox.Usage{Wall: now.Sub(began)}}
}

// silenced ends a child that is held up.
func (c *child) silenced(now time.Time) {
	if all := c.all(); len(all) == 1 {
		c.stuck(all[0], stuckSince(all[0].began, now))
	} else {
		c.blame()
	}
	c.end(errSilent)
}

func (c *child) all() []*run {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*run, 0, len(c.runs))
	for _, r := range c.runs {
		all = append(all, r)
	}
	return all
}

// patience is how long the child may be silent: a run may compute as long as its
// limits say, and while it does something that can't be interrupted, nothing else
// happens in its process. Where others suffer from that it is not for as long.
func (c *child) patience() time.Duration {
	var most time.Duration
	all := c.all()
	for _, r := range all {
		l := r.req.Limits
		most = max(most, cmp.Or(l.CPU, l.Wall, time.Minute))
	}
	if len(all) > 1 {
		most = min(most, sharedSilence)
	}
	return most + graceEnd
}

// blame finds out who may have held the process up, or brought it down. When it
// was the only run, it did. Otherwise all that wait for no call are suspects; and
// when that did not help and children keep ending, the others as well: a program
// can compute while it waits.
func (c *child) blame() {
	all := c.all()
	if len(all) == 1 {
		c.events.trouble(all[0].req.Function, true)
		return
	}
	everybody := c.events.again()
	for _, r := range all {
		if everybody || r.computing() {
			c.events.trouble(r.req.Function, false)
		}
	}
}

// bury ends the runs that the child still had.
func (c *child) bury(exit error) {
	ours := c.killing()
	// Somebody else may have killed it, which is nobody's fault here.
	if !ours && !c.ready.IsZero() && (errors.Is(c.cause, errFrame) || !killed(exit)) {
		c.blame()
	}
	if !errors.Is(c.cause, errIdle) && !errors.Is(c.cause, errClosing) {
		attrs := []any{slog.Any("cause", c.cause), slog.Int("runs", len(c.all()))}
		if exit != nil && !ours {
			attrs = append(attrs, slog.Any("exit", exit))
		}
		if said := c.process.Said(); said != "" {
			attrs = append(attrs, slog.String("said", said))
		}
		c.log.Warn("a runner of functions ended", attrs...)
	}
	for _, r := range c.all() {
		if c.remove(r) {
			r.lost()
		}
	}
	c.measure(0)
	c.events.changed()
}

// killing says that the child ends because its parent wants it to.
func (c *child) killing() bool {
	for _, ours := range []error{errStuck, errSilent, errIdle, errClosing, errStart} {
		if errors.Is(c.cause, ours) {
			return true
		}
	}
	return false
}
