package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// group is the children that are alike: the ordinary ones, or the one of a
// function in quarantine.
type group struct {
	function string // empty: ordinary
	most     int
	children []*child // that are ready
	starting *child   // being started, or nil when that waits
	begun    bool     // a start is under way or waits
	waiting  int      // runs that need a child
	failures int      // in a row
	failed   time.Time
	err      error // of the last failure
}

// place finds a child for a run and adds it there. It waits while a child starts.
func (p *Pool) place(ctx context.Context, function string, r *Request, estimate int64) (*child, *run, error) {
	timer := time.NewTimer(p.cfg.StartWait)
	defer timer.Stop()
	for {
		p.mu.Lock()
		changed := p.changed
		g := p.group(function)
		if g != nil {
			if c, added := p.choose(ctx, g, r, estimate); added != nil {
				p.mu.Unlock()
				return c, added, nil
			}
			g.waiting++
		}
		p.mu.Unlock()
		err := p.await(ctx, changed, timer)
		p.mu.Lock()
		if g != nil {
			g.waiting--
			if errors.Is(err, ErrBusy) && g.err != nil {
				err = fmt.Errorf("%w: no process could be started: %w", ErrBusy, g.err)
			}
			p.tidy(g)
		}
		p.mu.Unlock()
		if err != nil {
			if errors.Is(err, ErrBusy) {
				p.refused.Add(1)
			}
			return nil, nil, err
		}
	}
}

func (p *Pool) await(ctx context.Context, changed <-chan struct{}, timer *time.Timer) error {
	select {
	case <-changed:
		return nil
	case <-timer.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped.Done():
		return ErrClosed
	}
}

// The following need mu.

// group returns a group, or nil when there are too many for another.
func (p *Pool) group(function string) *group {
	if g := p.groups[function]; g != nil {
		return g
	}
	g := &group{function: function, most: 1}
	if function == "" {
		g.most = p.cfg.Runners
	} else if len(p.groups) > quarantineGroups*p.cfg.Runners && !p.evict() {
		return nil
	}
	p.groups[function] = g
	return g
}

// evict makes room for a group. When it ends a child that has nothing to do, there
// is room when that is gone.
func (p *Pool) evict() bool {
	for function, g := range p.groups {
		if g.unused() {
			delete(p.groups, function)
			return true
		}
	}
	for function, g := range p.groups {
		if function == "" || g.waiting > 0 || g.begun {
			continue
		}
		for _, c := range g.children {
			if !c.busy() {
				c.end(errIdle)
				return false
			}
		}
	}
	return false
}

// tidy forgets a group of quarantine that is not used any more.
func (p *Pool) tidy(g *group) {
	if g.unused() && time.Since(g.failed) > 2*backoffMost {
		delete(p.groups, g.function)
		p.broadcast()
	}
}

// unused says that nothing is lost with a group but the memory of its failures.
func (g *group) unused() bool {
	return g.function != "" && g.waiting == 0 && !g.begun && len(g.children) == 0
}

// choose adds the run to the child that has the fewest, and has another child
// started when all have some.
func (p *Pool) choose(ctx context.Context, g *group, r *Request, estimate int64) (*child, *run) {
	now := time.Now()
	var best *child
	least, useful := 0, 0
	for _, c := range g.children {
		n, ok := c.load(now)
		if !ok {
			continue
		}
		useful++
		if best == nil || n < least {
			best, least = c, n
		}
	}
	// Children that are held up don't count: their places are needed now.
	if (best == nil || least > 0) && useful < g.most && len(g.children) < 2*g.most && !g.begun {
		p.begin(g)
	}
	if best == nil {
		return nil, nil
	}
	return best, best.add(ctx, r, estimate)
}

// begin starts a child of the group, after a pause when the last ones failed.
func (p *Pool) begin(g *group) {
	if p.stopped.Err() != nil {
		return
	}
	g.begun = true
	var pause time.Duration
	if g.failures > 0 {
		pause = min(backoffLeast<<min(g.failures-1, 10), backoffMost)
	}
	p.wg.Go(func() {
		if p.pause(pause) {
			p.host(g)
		} else {
			p.failed(g, nil)
		}
	})
}

// broadcast wakes all that wait for a child.
func (p *Pool) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// The rest does not.

func (p *Pool) announce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broadcast()
}

func (p *Pool) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return p.stopped.Err() == nil
	case <-p.stopped.Done():
		return false
	}
}

// children returns those that are ready, and those that are being started.
func (p *Pool) children() []*child {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*child
	for _, g := range p.groups {
		all = append(all, g.children...)
		if g.starting != nil {
			all = append(all, g.starting)
		}
	}
	return all
}

// host starts a child and stays with it until it is gone.
func (p *Pool) host(g *group) {
	c, err := p.newChild(g)
	if err != nil {
		p.cfg.Log.Warn("a runner of functions could not be started", "error", err)
		p.failed(g, err)
		return
	}
	p.started.Add(1)
	p.mu.Lock()
	g.starting = c
	closed := p.stopped.Err() != nil
	p.mu.Unlock()
	if closed {
		c.end(errClosing)
	}
	err = c.live(func() { p.up(g, c) })
	if c.ready.IsZero() {
		p.failed(g, err)
	} else {
		p.gone(g, c, err)
	}
}

func (p *Pool) newChild(g *group) (*child, error) {
	proc, err := p.start()
	if err != nil {
		return nil, err
	}
	s := settings{
		Protocol: protocol, CacheDir: p.cfg.CacheDir, HotImages: p.cfg.HotImages, Interruptible: g.function != "",
		Sandboxes: p.cfg.Memory, Memory: max(leastHeap, p.cfg.Memory/int64(p.cfg.Runners)), Programs: p.sources, Beat: beatEvery,
	}
	c, err := newChild(proc, s, p.cfg.Log, events{
		trouble: p.quarantine.hold,
		again:   p.again,
		excess:  p.queue.adjust,
		surplus: func() bool { return p.surplus(g) },
		changed: p.announce,
	})
	if err != nil {
		proc.Kill()
		return nil, errors.Join(err, proc.Conn().Close(), proc.Wait())
	}
	c.own, c.idle = g.function != "", p.cfg.Idle
	if c.own {
		c.idle = min(c.idle, quarantinedIdle)
	}
	return c, nil
}

// surplus says whether a group has more children than it should: one that was held
// up has been replaced, and has recovered.
func (p *Pool) surplus(g *group) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(g.children) > g.most
}

// up takes a child in that is ready.
func (p *Pool) up(g *group, c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.children = append(g.children, c)
	g.begun, g.starting = false, nil
	p.broadcast()
}

// failed notes that a child could not be started.
func (p *Pool) failed(g *group, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.begun, g.starting = false, nil
	g.failures++
	g.err, g.failed = err, time.Now()
	p.tidy(g)
	p.broadcast()
}

// gone notes that a child has ended.
func (p *Pool) gone(g *group, c *child, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(g.children, c)
	g.children = slices.Delete(g.children, i, i+1)
	switch {
	case !c.killing() && time.Since(c.ready) < shortLife:
		g.failures++
		g.err, g.failed = cause, time.Now()
	default:
		g.failures = 0
	}
	if !errors.Is(cause, errIdle) && !errors.Is(cause, errClosing) {
		p.killed.Add(1)
	}
	p.tidy(g)
	p.broadcast()
}

// again says that a child has ended unexpectedly before this one lately.
func (p *Pool) again() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.lastEnd
	p.lastEnd = time.Now()
	return !before.IsZero() && p.lastEnd.Sub(before) < trouble
}
