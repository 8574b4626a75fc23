package run

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// crowd counts what is under way, by what it is counted by, and how much there was at
// most.
type crowd struct {
	mu        sync.Mutex
	now, most map[string]int
}

func (c *crowd) add(keys []string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		c.now[key] += n
		c.most[key] = max(c.most[key], c.now[key])
	}
}

// TestCapsOfAllReplicas has three processes run what two environments have waiting:
// together they never have more of anything under way than one alone may.
func TestCapsOfAllReplicas(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newSyncWorld()
			w.limits = Limits{Syncs: 12, SyncsPerEnvironment: 6, SyncsPerFunction: 4, SyncsPerConnection: 2, SyncsPerProvider: 9}
			caps := map[string]int{"environment": 6, "function": 4, "connection": 2, "provider": 9}
			var runs []*linkspan.Run
			keys := make(map[linkspan.RunID][]string)
			for i := range 180 {
				r := s.syncRun(i%2, linkspan.SyncID(i+1), linkspan.FunctionID(1+i%6))
				r.ConnectionID = linkspan.ConnectionID(1 + i%10)
				runs = append(runs, r)
			}
			s.insertSyncs(t, runs...)
			for _, r := range runs {
				keys[r.ID] = []string{
					fmt.Sprint("environment ", r.EnvironmentID), fmt.Sprint("function ", r.FunctionID), fmt.Sprint("connection ", r.ConnectionID), "provider github",
				}
			}
			c := crowd{now: make(map[string]int), most: make(map[string]int)}
			w.execute = func(ctx context.Context, x *Execution) (Done, error) {
				c.add(keys[x.Sync.Run.Run], 1)
				defer c.add(keys[x.Sync.Run.Run], -1)
				return Done{}, until(ctx, 3*time.Millisecond)
			}
			background(t, s.feed.Run)
			for _, holder := range []string{"first", "second", "third"} {
				background(t, s.service(w, holder).Run)
			}
			for _, r := range runs {
				s.settled(t, r.EnvironmentID, r.UUID)
			}
			for key, n := range c.most {
				var kind string
				_, _ = fmt.Sscan(key, &kind)
				if n > caps[kind] {
					t.Errorf("%d of the %s ran beside each other, of which %d may", n, key, caps[kind])
				}
			}
			if c.most["provider github"] < 2 {
				t.Error("nothing ran beside anything")
			}
		})
	}
}

// apart gives a run a connection of its own.
func apart(r *linkspan.Run) { r.ConnectionID = linkspan.ConnectionID(100 + r.ID) }

// TestWhatOthersRunCounts has another process begin runs between this one's look and
// its claim, and end them later.
func TestWhatOthersRunCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		w.limits = Limits{SyncsPerFunction: 3}
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) { return Done{}, until(ctx, time.Hour) }
		var theirs []*linkspan.Run
		other := func(lane linkspan.RunLane) {
			r := w.runs[w.sync("whole", apart).ID]
			r.State, r.Lane, r.Holder, r.LeaseUntil = linkspan.RunRunning, lane, "other", time.Now().Add(time.Hour)
			theirs = append(theirs, r)
		}
		other(linkspan.LaneSync)
		other(linkspan.LaneQuick) // of another lane: does not count
		for range 4 {
			w.sync("whole", apart)
		}
		looks := 0
		w.looking = func() { // without the lock
			if looks++; looks == 1 {
				other(linkspan.LaneSync)
			}
		}
		s := w.service("me")
		defer start(t, s)()
		wait(10 * time.Second)
		if n := s.RunningSyncs(); n != 1 {
			t.Errorf("%d run beside two of another process, of three that may", n)
		}
		func() {
			defer w.lock(nil)()
			theirs[0].State, theirs[0].LeaseUntil = linkspan.RunSucceeded, time.Time{}
		}()
		wait(pollEvery + time.Millisecond)
		if n := s.RunningSyncs(); n != 2 {
			t.Errorf("%d run beside one of another process, of three that may", n)
		}
		// What a dead process holds is taken over, and does not count beside that.
		func() {
			defer w.lock(nil)()
			theirs[2].LeaseUntil = time.Now()
		}()
		wait(pollEvery + time.Millisecond)
		if n := s.RunningSyncs(); n != 3 {
			t.Errorf("%d run, of three that may", n)
		}
	})
}

// TestWhatOthersFillHidesNothing has a connection wait for another process, and the
// next one behind it.
func TestWhatOthersFillHidesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		w.limits = Limits{SyncsPerFunction: 4, SyncsPerConnection: 1}
		r := w.runs[w.sync("whole", nil).ID]
		r.State, r.Holder, r.LeaseUntil = linkspan.RunRunning, "other", time.Now().Add(time.Hour)
		for range 10 {
			w.sync("whole", nil)
		}
		last := w.sync("whole", func(r *linkspan.Run) { r.ConnectionID = 10 })
		defer start(t, w.service("me"))()
		wait(10 * time.Second)
		if got := w.executions(); len(got) != 1 || w.row(last.ID).State != linkspan.RunSucceeded {
			t.Errorf("%d were executed, and the last is %+v", len(got), w.row(last.ID))
		}
	})
}

// TestManyVariantsOfFewConnections has connections whose runs of one function could
// take all of its room: another one's comes at once.
func TestManyVariantsOfFewConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) { return Done{}, until(ctx, time.Hour) }
		const connections, variants = 5, 20
		for i := range connections * variants {
			w.sync("whole", func(r *linkspan.Run) { r.ConnectionID = linkspan.ConnectionID(1 + i/variants) })
		}
		s := w.service("me")
		defer start(t, s)()
		wait(10 * time.Second)
		// Two have four of the function's first half, and the others one each.
		if n := s.RunningSyncs(); n != 11 {
			t.Errorf("%d of a few connections run", n)
		}
		last := w.sync("whole", apart)
		wait(pollEvery + time.Millisecond)
		if r := w.row(last.ID); r.State != linkspan.RunRunning {
			t.Errorf("another connection's run is %s", r.State)
		}
	})
}

// unlucky tries its first transaction twice: what was written is undone, and something
// happens in between.
type unlucky struct {
	*world

	once    sync.Once
	between func()
}

func (u *unlucky) InTx(ctx context.Context, f func(context.Context, linkspan.Tx) error) error {
	u.once.Do(func() {
		_ = u.world.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			_ = f(ctx, tx)
			return errDown
		})
		u.between()
	})
	return u.world.InTx(ctx, f)
}

// TestClaimIsTriedAgain has the database undo a claim, and another process begin runs
// before it is tried again.
func TestClaimIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		w.limits = Limits{SyncsPerFunction: 3}
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) { return Done{}, until(ctx, time.Hour) }
		for range 5 {
			w.sync("whole", apart)
		}
		s := w.service("me")
		s.tx = &unlucky{world: w, between: func() {
			for range 2 {
				r := w.runs[w.sync("whole", apart).ID]
				r.State, r.Holder, r.LeaseUntil = linkspan.RunRunning, "other", time.Now().Add(time.Hour)
			}
		}}
		defer start(t, s)()
		wait(10 * time.Second)
		if n := s.RunningSyncs(); n != 1 {
			t.Errorf("%d run beside two of another process, of three that may", n)
		}
	})
}

// TestRoomIsFilledAtOnce has runs wait for each other: none waits for the next poll.
func TestRoomIsFilledAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		w.limits = Limits{SyncsPerFunction: 1}
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) { return Done{}, until(ctx, pollEvery/10) }
		for range 5 {
			w.sync("whole", nil)
		}
		defer start(t, w.service("me"))()
		wait(pollEvery * 3 / 4)
		if n := len(w.executions()); n != 5 {
			t.Errorf("%d of 5 were executed before the next poll", n)
		}
	})
}

// TestLookBesideOthers has another process run a function of which a connection has
// one run at a time, and looks and chooses beside it.
func TestLookBesideOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newSyncWorld()
		r := w.sync("whole", nil)
		d := &dispatcher{Service: w.service("me"), usage: newUsage(caps{lane: linkspan.LaneSync, all: 4, share: 4, function: 4}), turns: newTurns()}
		d.usage.serial[r.FunctionID] = true
		q, found, _, err := d.look(t.Context(), []linkspan.Run{r})
		must(t, err)
		if len(found) != 0 || !d.more || len(q.FullPairs) != 1 || q.FullPairs[0] != pairOf(&r) {
			t.Errorf("found %+v, more: %v, passed over: %+v", found, d.more, q.FullPairs)
		}
		d.more = false
		must(t, d.claim(t.Context(), []linkspan.Run{r}, []linkspan.Run{r}))
		if !d.more || w.row(r.ID).State != linkspan.RunWaiting {
			t.Errorf("more: %v, of %+v", d.more, w.row(r.ID))
		}
	})
}
