package authorize_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/change"
)

// results is a store of popup results alone.
type results struct {
	authorize.Store

	mu      sync.Mutex
	message string
	fail    error
	// asked and looked are how often one page's result and those of all were
	// asked for, most how many pages at a time.
	asked, looked, most int
}

func (r *results) PopupResultsFor(_ context.Context, _ linkspan.Tx, ids []string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked++
	r.most = max(r.most, len(ids))
	if r.fail != nil || r.message == "" {
		return nil, r.fail
	}
	return ids, nil
}

func (r *results) TakePopupResult(context.Context, linkspan.Tx, string) (linkspan.PopupResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.fail != nil {
		return linkspan.PopupResult{}, r.fail
	}
	if r.message == "" {
		return linkspan.PopupResult{}, linkspan.E("results", linkspan.KindNotFound, "", nil, "none")
	}
	return linkspan.PopupResult{Message: r.message}, nil
}

func (r *results) set(message string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.message, r.fail = message, err
}

func waiter(store *results) (*authorize.Service, *change.Feed) {
	log := slog.New(slog.DiscardHandler)
	feed := change.NewFeed(nil, log)
	return authorize.New(authorize.Config{Store: store, Feed: feed, Log: log}), feed
}

func TestWait(t *testing.T) {
	t.Parallel()
	announce := linkspan.Change{Kind: linkspan.ChangePopupResult, Key: "p"}
	for name, tt := range map[string]struct {
		arrive func(r *results, f *change.Feed)
		within time.Duration
	}{
		"there already": {func(*results, *change.Feed) {}, 0},
		"announced":     {func(r *results, f *change.Feed) { r.set("hello", nil); f.Local(announce) }, 0},
		"after a loss": {func(r *results, f *change.Feed) {
			r.set("hello", nil)
			f.Local(linkspan.Change{Kind: linkspan.ChangeLost})
		}, 0},
		"unannounced": {func(r *results, _ *change.Feed) { r.set("hello", nil) }, 5 * time.Second},
		"for others": {func(r *results, f *change.Feed) {
			f.Local(linkspan.Change{Kind: linkspan.ChangePopupResult, Key: "other"})
			r.set("hello", nil)
		}, 5 * time.Second},
		"after a failure of the database": {func(r *results, f *change.Feed) {
			r.set("", errors.New("away"))
			f.Local(announce)
			synctest.Wait()
			r.set("hello", nil)
		}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := new(results)
				if name == "there already" {
					store.message = "hello"
				}
				s, feed := waiter(store)
				var got string
				var err error
				var done sync.WaitGroup
				started := time.Now()
				done.Go(func() { got, err = s.Wait(t.Context(), "p") })
				synctest.Wait()
				tt.arrive(store, feed)
				done.Wait()
				if got != "hello" || err != nil || time.Since(started) > tt.within {
					t.Errorf("%q, %v after %s", got, err, time.Since(started))
				}
			})
		})
	}
}

// counts returns how often one page's result and those of all were asked for once
// everybody waits.
func (r *results) counts() (asked, looked int) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked, r.looked
}

// However many pages wait, one asks for all of them, and when it leaves another.
func TestWaitAsksOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(results)
		s, feed := waiter(store)
		const pages = 50
		var done sync.WaitGroup
		var told atomic.Int64
		for i := range pages {
			// They leave one after the other, between two looks.
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Duration(i)*time.Second+time.Second/2)
			defer cancel()
			done.Go(func() {
				message, err := s.Wait(ctx, linkspan.NewUUID())
				if err == nil && message == "hello" {
					told.Add(1)
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%q, %v", message, err)
				}
			})
		}
		<-time.After(time.Hour - time.Second)
		asked, before := store.counts()
		store.mu.Lock()
		most := store.most
		store.mu.Unlock()
		if asked != pages || most != pages || before < 715 || before > 725 {
			t.Errorf("in an hour %d pages asked %d times each, and %d times for %d", pages, asked/pages, before, most)
		}
		<-time.After(11 * time.Second) // ten have left
		if _, looked := store.counts(); looked-before < 2 || looked-before > 3 {
			t.Errorf("they went on to ask %d times", looked-before)
		}
		store.set("hello", nil)
		_, before = store.counts()
		feed.Local(linkspan.Change{Kind: linkspan.ChangeLost})
		done.Wait()
		if _, looked := store.counts(); told.Load() != pages-10 || looked-before > 2 {
			t.Errorf("%d were told by %d looks", told.Load(), looked-before)
		}
	})
}

// Nobody whose patience ends as the result of another is lost goes on forever.
func TestWaitEndsInALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(results)
		s, feed := waiter(store)
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			if _, err := s.Wait(ctx, "p"); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
		_, before := store.counts()
		cancel()
		feed.Local(linkspan.Change{Kind: linkspan.ChangeLost})
		done.Wait()
		if _, looked := store.counts(); looked-before > 1 {
			t.Errorf("it looked %d times", looked-before)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(results)
		s, feed := waiter(store)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
		defer cancel()
		if _, err := s.Wait(ctx, "p"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		asked, looked := store.counts()
		if asked != 1 || looked < 12 || looked > 13 {
			t.Errorf("asked %d times and looked %d times in a minute", asked, looked)
		}
		// Nobody waits any more, so nobody is woken.
		feed.Local(linkspan.Change{Kind: linkspan.ChangePopupResult, Key: "p"})
		feed.Local(linkspan.Change{Kind: linkspan.ChangeLost})
		<-time.After(time.Minute)
		if a, l := store.counts(); a != asked || l != looked {
			t.Error("it goes on asking")
		}
	})
}

// Through a real database: what one replica writes the other's page gets, once.
func TestWaitAcrossServices(t *testing.T) {
	t.Parallel()
	w, id := newWorld(t), linkspan.NewUUID()
	elsewhere := w.service(nil)
	in := acme()
	in.IntegrationKey, in.PopupID = "nope", id
	if _, err := w.Begin(t.Context(), w.publicKey(), in); err == nil {
		t.Fatal("it began")
	}
	if message, err := elsewhere.Wait(t.Context(), id); err != nil || message == "" {
		t.Fatalf("%q, %v", message, err)
	}
	if w.popup(id) != "" {
		t.Error("the result is there again")
	}
}

func TestPurges(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t), browser{}
	page := w.begin(w.session(authorize.SessionInput{}), acme(), b)
	in := acme()
	in.IntegrationKey = "nope"
	_, err := w.Begin(t.Context(), w.publicKey(), in)
	if err == nil {
		t.Fatal("it began")
	}
	purge := func(flows, results int) {
		t.Helper()
		n, err := w.PurgeFlows(t.Context(), 10)
		must(t, err)
		m, err := w.PurgePopupResults(t.Context(), 10)
		must(t, err)
		if n != flows || m != results {
			t.Errorf("purged %d and %d, want %d and %d", n, m, flows, results)
		}
	}
	w.now = w.now.Add(23 * time.Hour)
	purge(0, 0)
	w.now = w.now.Add(2 * time.Hour)
	purge(0, 1)
	if r := w.Callback(t.Context(), back(page), b.cookie); r.Code != authorize.CodeState {
		t.Errorf("a day later: %+v", r)
	}
	w.now = w.now.Add(25 * time.Hour)
	purge(1, 1) // the late callback was told to the page, too
}
