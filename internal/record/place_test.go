package record_test

import (
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/record"
)

// TestCursorAndTime lists what comes after a position and after a time: the later of
// the two counts.
func TestCursorAndTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.save(linkspan.RunFence{}, false, "a", "b", "c", "d")
		whole, err := w.List(t.Context(), record.Query{Stream: w.stream, Limit: 10})
		must(t, err)
		at := func(n int) linkspan.RecordPosition { return whole.Records[n].Position }
		for want, q := range map[string]record.Query{
			"a b c d": {Since: time.UnixMicro(int64(at(0)) - 1)},
			"b c d":   {After: at(0), Since: time.UnixMicro(int64(at(0)) - 1)},
			"c d":     {After: at(0), Since: time.UnixMicro(int64(at(1)))},
			"d":       {After: at(2), Since: time.UnixMicro(int64(at(1)))},
		} {
			q.Stream, q.Limit = w.stream, 10
			p, err := w.List(t.Context(), q)
			must(t, err)
			var ids []string
			for i := range p.Records {
				ids = append(ids, p.Records[i].ID)
			}
			if got := strings.Join(ids, " "); got != want || p.Next != 0 {
				t.Errorf("%s, next %d; want %s", got, p.Next, want)
			}
		}
	})
}

// TestPruneBeyond prunes up to a position that no record has yet: it is done with
// those that there are, and what comes later can be pruned, too.
func TestPruneBeyond(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, ids := range [][]string{{"a", "b"}, {"c"}} {
			w.save(linkspan.RunFence{}, false, ids...)
			last, err := w.Position(t.Context(), w.stream)
			must(t, err)
			beyond := last + linkspan.RecordPosition(time.Hour.Microseconds())
			if n, more, err := w.Prune(t.Context(), w.stream, beyond, 100); n != len(ids) || more || err != nil {
				t.Errorf("%d of %q, more: %v, %v", n, ids, more, err)
			}
		}
	})
}

// TestClockPutBack writes for a run that began later than the database's clock shows.
// Whoever is told of it asks for what changed since.
func TestClockPutBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.save(linkspan.RunFence{}, false, "a", "b", "c")
		f := w.begin()
		before := f.StartedAt
		f.StartedAt = f.StartedAt.Add(time.Hour)
		w.save(f, true, "b", "new")
		if _, err := w.Delete(t.Context(), record.Write{Stream: w.stream, Fence: f, Records: withIDs([]string{"c"})}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.DeleteUnseen(t.Context(), w.stream, f); err != nil {
			t.Fatal(err)
		}
		w.save(linkspan.RunFence{}, false, "webhook") // goes on behind it
		for since, want := range map[time.Time]string{before: "new c a webhook", f.StartedAt: "new c a webhook", f.StartedAt.Add(time.Second): ""} {
			page, err := w.List(t.Context(), record.Query{Stream: w.stream, Since: since, Limit: 10})
			must(t, err)
			var ids []string
			for i := range page.Records {
				ids = append(ids, page.Records[i].ID)
			}
			if got := strings.Join(ids, " "); got != want {
				t.Errorf("since %s: %q, want %q", since, got, want)
			}
		}
	})
}
