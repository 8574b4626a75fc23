package runner

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// Config says how a Pool works. Zero values have defaults, where given.
type Config struct {
	// Command makes the command of a child: this binary with the argument "runner".
	Command func() *exec.Cmd
	// Runners is how many children there are at most, those of functions in
	// quarantine apart; 2.
	Runners int
	// Memory is how many bytes all sandboxes together may take; 1 GiB.
	Memory int64
	// MaxRuns is how many runs there are at a time; 2,000. Memory is the limit that
	// counts.
	MaxRuns int
	// QueueLimit is how many runs wait; 10,000. QueueWait is how long one waits; 30
	// seconds.
	QueueLimit int
	QueueWait  time.Duration
	// CacheDir is where children keep compiled code. Empty: nowhere.
	CacheDir string
	// HotImages is how many bytes of hot images a child keeps; 0: none.
	HotImages int64
	// Idle is how long a child without runs stays; 10 minutes.
	Idle time.Duration
	// StartWait is how long a run whose turn it is waits for a child; 0: QueueWait.
	StartWait time.Duration
	// Log takes what goes wrong with children.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Runners = cmp.Or(c.Runners, 2)
	c.Memory = cmp.Or(c.Memory, 1<<30)
	c.MaxRuns = cmp.Or(c.MaxRuns, 2000)
	c.QueueLimit = cmp.Or(c.QueueLimit, 10_000)
	c.QueueWait = cmp.Or(c.QueueWait, 30*time.Second)
	c.StartWait = cmp.Or(c.StartWait, c.QueueWait)
	c.Idle = cmp.Or(c.Idle, 10*time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

const (
	maxAttempts      = 3                // of a run whose child is lost before it reached its host
	surplusIdle      = 10 * time.Second // that a child stays when there are enough others
	quarantinedIdle  = 10 * time.Second // that a child of a quarantined function stays: it is one for each
	programBytes     = 64 << 20         // of sources that a child keeps
	leastHeap        = 256 << 20        // soft limit of a child's Go heap
	backoffLeast     = 100 * time.Millisecond
	backoffMost      = 10 * time.Second
	shortLife        = 10 * time.Second // of a child that ends at once, as its successor may
	trouble          = 10 * time.Minute // within which a second unexpected end is "again"
	maxIdentities    = 64 << 20         // bytes of programs whose identity is remembered
	quarantineGroups = 2                // children for quarantine, for each ordinary one
)

// Pool runs programs in child processes. It starts them when there are runs.
type Pool struct {
	cfg        Config
	queue      *queue
	quarantine *quarantine
	estimates  *estimates
	start      func() (process, error) // starts a process
	launcher   *launcher
	sources    int64 // bytes of programs that a child keeps
	stop       context.CancelFunc
	stopped    context.Context // of the pool's life, for what it starts

	mu       sync.Mutex
	groups   map[string]*group
	changed  chan struct{} // closed and replaced when children changed
	closed   bool
	lastEnd  time.Time // unexpected, of a child
	programs map[string]identity
	kept     int64          // bytes of programs
	wg       sync.WaitGroup // of children and their starting
	runs     sync.WaitGroup

	started, killed, lost, retried, refused atomic.Int64
}

// identity remembers the hash of a function's program.
type identity struct {
	program sandbox.Program
	id      programID
}

// size is what remembering it takes: the program may be kept for nothing else.
func (i identity) size() int64 {
	if i == (identity{}) {
		return 0
	}
	return int64(len(i.program.Name)+len(i.program.Source)) + 512
}

// NewPool makes a pool. It starts nothing before the first run.
func NewPool(c Config) *Pool {
	p := newPool(c)
	p.launcher = newLauncher(c.Command)
	p.start = p.launcher.launch
	return p
}

func newPool(c Config) *Pool {
	c = c.withDefaults()
	p := &Pool{
		cfg: c, queue: newQueue(c.MaxRuns, c.Memory, c.QueueLimit, c.QueueWait),
		quarantine: newQuarantine(), estimates: newEstimates(),
		sources: programBytes, groups: map[string]*group{}, changed: make(chan struct{}), programs: map[string]identity{},
	}
	p.stopped, p.stop = context.WithCancel(context.Background())
	return p
}

// Run implements Executor. It waits in the queue and for a child to start, then
// executes the run. A run whose child is lost before the run reached its host is
// tried again on another. When ctx ends, the run is stopped, and its error
// returned when it is.
func (p *Pool) Run(ctx context.Context, r Request) (sandbox.Result, error) {
	if err := p.enter(); err != nil {
		return sandbox.Result{}, err
	}
	defer p.runs.Done()
	if err := ctx.Err(); err != nil {
		return sandbox.Result{}, err
	}
	id := p.identify(&r)
	if r.Function == "" {
		r.Function = hex.EncodeToString(id[:])
	}
	for attempt := 1; ; attempt++ {
		res, err := p.attempt(ctx, &r, id)
		l, lost := errors.AsType[*LostError](err)
		if !lost {
			return res, err
		}
		if l.Started || attempt == maxAttempts || p.stopped.Err() != nil {
			p.lost.Add(1)
			return res, err
		}
		if ctx.Err() != nil {
			return res, ctx.Err()
		}
		p.retried.Add(1)
	}
}

// Reserve waits in the queue, like a run of the environment's, until so many bytes
// beside those of the runs are free, for work of other processes that count as runs.
// More than half of all memory is never kept from the runs. Whoever gets no error
// must call release. Errors: ErrBusy, ErrClosed, that of ctx.
func (p *Pool) Reserve(ctx context.Context, environment, bytes int64) (release func(), err error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	bytes = min(bytes, p.cfg.Memory/2)
	if err := p.queue.enter(ctx, environment, bytes, false); err != nil {
		p.runs.Done()
		if errors.Is(err, ErrBusy) {
			p.refused.Add(1)
		}
		return nil, err
	}
	return sync.OnceFunc(func() {
		p.queue.leave(environment, bytes, false)
		p.runs.Done()
	}), nil
}

// enter counts a run in, unless the pool is closed.
func (p *Pool) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.runs.Add(1)
	return nil
}

// attempt executes a run on one child, when it is its turn.
func (p *Pool) attempt(ctx context.Context, r *Request, id programID) (sandbox.Result, error) {
	estimate := p.estimates.of(r.Function, r.Limits)
	if err := p.queue.enter(ctx, r.Environment, estimate, r.Nested); err != nil {
		if errors.Is(err, ErrBusy) {
			p.refused.Add(1)
		}
		return sandbox.Result{}, err
	}
	defer p.queue.leave(r.Environment, estimate, r.Nested)
	held := p.quarantine.holds(r.Function)
	group := ""
	if held {
		group = r.Function
	}
	c, run, err := p.place(ctx, group, r, estimate)
	if err != nil {
		return sandbox.Result{}, err
	}
	res, err := c.execute(ctx, run, id)
	p.judge(r, held, res, err)
	if e, ok := errors.AsType[*sandbox.LimitError](err); ok && e.Limit == sandbox.LimitPressure {
		// Now that it is known how much it needs, it gets a place when there is as much.
		return res, &LostError{Memory: true, Started: run.started}
	}
	return res, err
}

// judge learns from how a run ended.
func (p *Pool) judge(r *Request, held bool, res sandbox.Result, err error) {
	peak := res.Usage.Memory
	if e, ok := errors.AsType[*sandbox.Failure](err); ok {
		peak = e.Usage.Memory
	}
	if e, ok := errors.AsType[*sandbox.LimitError](err); ok {
		if peak = e.Usage.Memory; e.Limit == sandbox.LimitMemory {
			peak = mostMemory(r.Limits)
		}
	}
	p.estimates.learn(r.Function, peak)
	if held {
		p.quarantine.ran(r.Function, err)
	}
}

// identify returns the identity of a run's program. Hashing a large bundle takes
// longer than running it, so it is remembered for each function; comparing the
// same string with itself costs nothing.
func (p *Pool) identify(r *Request) programID {
	if r.Function == "" {
		return identify(r.Program)
	}
	p.mu.Lock()
	known, ok := p.programs[r.Function]
	p.mu.Unlock()
	if ok && known.program == r.Program {
		return known.id
	}
	id := identify(r.Program)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remember(r.Function, identity{r.Program, id})
	return id
}

// remember keeps an identity, and with it its program: not more than so many bytes
// of them. It needs mu.
func (p *Pool) remember(function string, i identity) {
	p.kept += i.size() - p.programs[function].size()
	if p.kept > maxIdentities {
		clear(p.programs)
		if p.kept = i.size(); p.kept > maxIdentities {
			p.kept = 0
			return
		}
	}
	p.programs[function] = i
}

// Close takes no more runs, waits for those that are going on until ctx ends, then
// ends them, and returns when all children are gone. The error is that of ctx when
// runs were cut off.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()
	p.queue.close()
	drained := make(chan struct{})
	go func() { // ends below, when children are gone and with them the runs
		p.runs.Wait()
		close(drained)
	}()
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = fmt.Errorf("waiting for functions to end: %w", ctx.Err())
	}
	p.stop()
	p.announce()
	for _, c := range p.children() {
		c.end(errClosing)
	}
	<-drained
	p.wg.Wait()
	if p.launcher != nil {
		p.launcher.close()
	}
	return err
}

// Stats is what a pool is doing, for metrics.
type Stats struct {
	Children    int   // processes that are ready
	Quarantined int   // functions that run in a child of their own
	Running     int   // runs
	Waiting     int   // runs in the queue
	Memory      int64 // bytes that the runs take: estimates, and what children report beyond
	// Since the start:
	Started int64 // processes
	Killed  int64 // processes ended because of a run, or that died
	Lost    int64 // runs that ended with their process
	Retried int64 // runs that were tried again
	Refused int64 // runs that found the queue full, or waited too long
}

// Stats returns what the pool is doing.
func (p *Pool) Stats() Stats {
	s := Stats{
		Children: len(p.children()), Quarantined: p.quarantine.count(),
		Started: p.started.Load(), Killed: p.killed.Load(),
		Lost: p.lost.Load(), Retried: p.retried.Load(), Refused: p.refused.Load(),
	}
	s.Running, s.Waiting, s.Memory = p.queue.counts()
	return s
}
