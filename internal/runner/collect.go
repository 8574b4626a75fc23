package runner

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	collectEvery = 10 * time.Millisecond // how often a child with runs looks at its heap
	collectStep  = 32 << 20              // bytes of garbage that are worth it
	leastLately  = 10 * time.Millisecond // see collector.due
	releaseAfter = 5 * time.Second       // without runs, memory goes back to the system
	spareThreads = 2                     // of Go, for what watches, while programs hold the others
)

// collecting is an engine whose process collects garbage when no program is in the
// middle of something that can't be interrupted. Go's own collector does not know
// that it had better wait: it stops everything else until such a program goes on,
// maybe for ever.
type collecting struct {
	Engine
	collector collector
	cancel    context.CancelFunc
	wg        sync.WaitGroup
}

// collect takes the collection of garbage over from Go, which still does it when
// the process reaches its soft limit of memory.
func collect(ctx context.Context, e *sandbox.Engine) *collecting {
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareThreads)
	ctx, cancel := context.WithCancel(ctx)
	c := &collecting{Engine: e, cancel: cancel, collector: collector{
		asking: e.Asking, heap: heap, collect: runtime.GC, release: debug.FreeOSMemory, begun: make(chan struct{}, 1),
	}}
	c.wg.Go(func() { c.collector.run(ctx) })
	return c
}

// Run implements Engine.
func (c *collecting) Run(ctx context.Context, r sandbox.Request) (sandbox.Result, error) {
	c.collector.begin()
	defer c.collector.runs.Add(-1)
	return c.Engine.Run(ctx, r)
}

// Close implements Engine.
func (c *collecting) Close() error {
	c.cancel()
	c.wg.Wait()
	return c.Engine.Close()
}

// collector decides when to collect garbage.
type collector struct {
	asking  func(lately time.Duration) bool // see sandbox.Engine.Asking
	heap    func() (live, now int64)        // bytes that were in use after the last collection, and are taken now
	collect func()
	release func() // collects, and gives memory back to the system

	runs  atomic.Int64
	begun chan struct{} // capacity 1: there are runs
}

func (c *collector) begin() {
	if c.runs.Add(1) == 1 {
		select {
		case c.begun <- struct{}{}:
		default:
		}
	}
}

// run collects until ctx ends.
func (c *collector) run(ctx context.Context) {
	for c.rest(ctx) {
		ticker := time.NewTicker(collectEvery)
		for c.runs.Load() > 0 && ctx.Err() == nil {
			select {
			case <-ticker.C:
				if c.due() {
					c.collect()
				}
			case <-ctx.Done():
			}
		}
		ticker.Stop()
	}
}

// rest waits for runs. When none come for a while it gives memory back, once.
func (c *collector) rest(ctx context.Context) bool {
	timer := time.NewTimer(releaseAfter)
	defer timer.Stop()
	for {
		select {
		case <-c.begun:
			return true
		case <-timer.C:
			c.release()
		case <-ctx.Done():
			return false
		}
	}
}

// due says that there is enough garbage, and that no program would hold the
// collector up for long: the more garbage there is, the longer it may wait for one.
func (c *collector) due() bool {
	live, now := c.heap()
	steps := (now - live) / max(collectStep, live)
	return steps > 0 && c.asking(leastLately<<min(steps-1, 5))
}

// heap asks Go, which need not stop anything for that.
func heap() (live, now int64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64()), int64(s[1].Value.Uint64())
}
