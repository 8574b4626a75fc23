package authorize_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
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
	asked   int
	fail    error
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
		"unannounced": {func(r *results, _ *change.Feed) { r.set("hello", nil) }, time.Second},
		"for others": {func(r *results, f *change.Feed) {
			f.Local(linkspan.Change{Kind: linkspan.ChangePopupResult, Key: "other"})
			r.set("hello", nil)
		}, time.Second},
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

func TestWaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(results)
		s, feed := waiter(store)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := s.Wait(ctx, "p"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		asked := store.asked
		if asked < 10 || asked > 12 {
			t.Errorf("asked %d times in ten seconds", asked)
		}
		// Nobody waits any more, so nobody is woken.
		feed.Local(linkspan.Change{Kind: linkspan.ChangePopupResult, Key: "p"})
		synctest.Wait()
		if store.asked != asked {
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
