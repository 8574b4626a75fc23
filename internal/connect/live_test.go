package connect_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

func TestHitsDoNotReadTheDatabase(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(time.Hour)
		w.want(w.replicas[0], asNeeded, "at-old")
		before := w.db.reads.Load()
		for range 100 {
			w.want(w.replicas[0], asNeeded, "at-old")
		}
		if n := w.db.reads.Load() - before; n != 0 {
			t.Errorf("100 calls of a cached connection read it %d times", n)
		}
	})
}

func TestChangesReachOtherReplicasWithinASecond(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.importToken(time.Hour)
		a, b := w.replicas[0], w.replicas[1]
		w.want(b, asNeeded, "at-old")
		err := a.SetMetadata(t.Context(), envID, "acme", []string{"c"}, map[string]any{"k": "v"})
		if err != nil {
			t.Fatal(err)
		}
		if got := metadata(t, a); got["k"] != "v" {
			t.Errorf("the replica that wrote reads %v", got)
		}
		pass(time.Second)
		if got := metadata(t, b); got["k"] != "v" {
			t.Errorf("the other replica reads %v after a second", got)
		}
		if err := a.Delete(t.Context(), envID, "acme", "c"); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if err := second(b.get(t.Context(), asNeeded)); linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("a deleted connection answers with %v", err)
		}
	})
}

func metadata(t *testing.T, r *replica) map[string]any {
	t.Helper()
	target, err := r.Live(t.Context(), envID, "acme", "c")
	if err != nil {
		t.Fatal(err)
	}
	return target.Connection.Metadata
}

func TestProviderReload(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(time.Hour)
		r := w.replicas[0]
		w.want(r, asNeeded, "at-old")
		changed := *w.providers["acme"]
		changed.DisplayName = "Acme, Inc."
		w.providers["acme"] = &changed
		r.ProvidersChanged([]string{"acme"})
		target, err := r.Live(t.Context(), envID, "acme", "c")
		if err != nil || target.Provider.DisplayName != "Acme, Inc." {
			t.Errorf("Live = %v, %v; want the reloaded provider", target, err)
		}
	})
}

func TestMissing(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(time.Hour)
		tests := []struct {
			env             linkspan.EnvironmentID
			key, name, code string
		}{
			{envID, "absent", "c", "unknown_provider_config"},
			{envID, "acme", "absent", "unknown_connection"},
			{envID, "keyed", "c", "unknown_connection"},
			{envID + 1, "acme", "c", "unknown_provider_config"},
		}
		for _, tt := range tests {
			_, err := w.replicas[0].Fresh(t.Context(), tt.env, tt.key, tt.name, asNeeded)
			if linkspan.KindOf(err) != linkspan.KindNotFound || linkspan.CodeOf(err) != tt.code {
				t.Errorf("Fresh of %d/%s/%s = %v, want %s", tt.env, tt.key, tt.name, err, tt.code)
			}
		}
	})
}

func TestUseIsNoted(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		_, err := r.Import(t.Context(), environment(), connect.ImportInput{IntegrationKey: "open", Name: "c", Credentials: credential.NewNone()})
		if err != nil {
			t.Fatal(err)
		}
		use := func() time.Time {
			target, err := r.Fresh(t.Context(), envID, "open", "c", asNeeded)
			if err != nil {
				t.Fatal(err)
			}
			return target.Connection.LastFetchedAt
		}
		stored := func() time.Time {
			pass(6 * time.Second)
			c, err := r.node.Connection(t.Context(), nil, envID, "open", "c")
			if err != nil {
				t.Fatal(err)
			}
			return c.LastFetchedAt
		}
		first := use()
		if !first.Equal(w.db.now()) {
			t.Errorf("last fetched at %v, want now", first)
		}
		if got := stored(); !got.Equal(first) {
			t.Errorf("stored %v, want %v", got, first)
		}
		if again := use(); !again.Equal(first) {
			t.Error("a second use within a minute was noted")
		}
		w.db.skip(time.Minute)
		later := use()
		if !later.After(first) {
			t.Error("a use after a minute was not noted")
		}
		broken := r.node
		broken.dead.Store(true)
		pass(5 * time.Second)
		broken.dead.Store(false)
		if got := stored(); !got.Equal(later) {
			t.Errorf("stored %v after the database came back, want %v", got, later)
		}
		w.db.skip(time.Minute)
		shown, err := r.Live(t.Context(), envID, "open", "c")
		if err != nil || !shown.Connection.LastFetchedAt.After(later) {
			t.Fatalf("Live shows a use at %v, want later than %v; %v", shown.Connection.LastFetchedAt, later, err)
		}
		if got := stored(); !got.Equal(shown.Connection.LastFetchedAt) {
			t.Errorf("stored %v after Live, want %v", got, shown.Connection.LastFetchedAt)
		}
	})
}

func TestStaleFeedClosesTheCache(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(time.Hour)
		w.want(w.replicas[0], asNeeded, "at-old")
		w.replicas[0].node.dead.Store(true)
		pass(6 * time.Second)
		err := second(w.replicas[0].get(t.Context(), asNeeded))
		if linkspan.KindOf(err) != linkspan.KindUnavailable {
			t.Errorf("error = %v, want unavailable", err)
		}
		w.replicas[0].node.dead.Store(false)
		pass(time.Second)
		w.want(w.replicas[0], asNeeded, "at-old")
	})
}

func TestDamagedCredentials(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		target := w.importToken(time.Hour)
		c := target.Connection
		c.Credentials = linkspan.NewSecret("sk_live_not_json")
		if err := w.replicas[0].node.SaveCredentials(t.Context(), nil, &c); err != nil {
			t.Fatal(err)
		}
		err := second(w.replicas[0].get(t.Context(), asNeeded))
		if linkspan.KindOf(err) != linkspan.KindInternal {
			t.Errorf("error = %v, want an internal one", err)
		}
	})
}

func BenchmarkFreshHit(b *testing.B) {
	r := newBenchWorld(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Fresh(b.Context(), envID, "open", "c", asNeeded); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// newBenchWorld is a replica on the real clock with one connection.
func newBenchWorld(b *testing.B) *replica {
	b.Helper()
	w := newWorld(b)
	var running sync.WaitGroup
	r := w.start(b.Context(), &running, "bench")
	b.Cleanup(running.Wait)
	for !r.feed.Fresh() { // the feed reads once before it is trusted
		runtime.Gosched()
	}
	_, err := r.Import(b.Context(), environment(), connect.ImportInput{IntegrationKey: "open", Name: "c", Credentials: credential.NewNone()})
	if err != nil {
		b.Fatal(err)
	}
	return r
}
