package connect_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
)

func TestRefreshDue(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.importToken(72 * time.Hour)
		if err := w.replicas[0].RefreshDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantCalls(0)
		w.db.skip(25 * time.Hour)
		w.authority.delay = time.Second
		var jobs sync.WaitGroup
		for _, r := range w.replicas {
			jobs.Go(func() {
				if err := r.RefreshDue(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		jobs.Wait()
		w.wantCalls(1)
		w.want(w.replicas[1], asNeeded, "at-1")
	})
}

// TestBackgroundSkipsWhatWasRefreshed has a caller refresh a token after the
// background has found it due and before it gets there.
func TestBackgroundSkipsWhatWasRefreshed(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(72 * time.Hour)
		w.db.skip(25 * time.Hour)
		r := w.replicas[0]
		meanwhile := func(found []linkspan.Connection) {
			if len(found) > 0 {
				w.want(r, forced, "at-1")
			}
		}
		r.node.listed.Store(&meanwhile)
		if err := r.RefreshDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.wantCalls(1)
	})
}

// TestBackgroundLeavesDeadGrantsAlone has a grant that was revoked.
func TestBackgroundLeavesDeadGrantsAlone(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(72 * time.Hour)
		w.db.skip(25 * time.Hour)
		w.authority.fail(refused(), refused())
		for _, want := range []int{1, 1, 2} {
			if err := w.replicas[0].RefreshDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.wantCalls(want)
			w.db.skip(35 * time.Minute)
		}
	})
}

// TestOneBackgroundRoundAtATime starts a round on another replica during one
// that takes longer than its interval.
func TestOneBackgroundRoundAtATime(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.importToken(72 * time.Hour)
		w.db.skip(25 * time.Hour)
		w.authority.delay = 20 * time.Second
		looked := 0
		count := func([]linkspan.Connection) { looked++ }
		w.replicas[1].node.listed.Store(&count)
		first := make(chan error)
		go func() { first <- w.replicas[0].RefreshDue(t.Context()) }()
		synctest.Wait()
		if err := w.replicas[1].RefreshDue(t.Context()); err != nil || looked != 0 {
			t.Errorf("a second round ended with %v after %d looks at what is due; it should not begin", err, looked)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := w.replicas[1].RefreshDue(t.Context()); err != nil || looked == 0 {
			t.Errorf("the round after it ended with %v and did not look", err)
		}
		w.wantCalls(1)
	})
}
