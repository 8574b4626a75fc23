package record_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// world is a cache with real runs on a real database.
type world struct {
	*record.Service

	t      *testing.T
	store  *store.Store
	stream linkspan.RecordStream
	runs   int
	last   string // the UUID of the last run
}

// onEach runs a test on each database.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t, config(t), vault.NewRing(vault.NewMasterKey()))
			c := newConnection(t, s)
			w := &world{Service: record.New(s), t: t, store: s}
			w.stream = linkspan.RecordStream{EnvironmentID: c.EnvironmentID, ConnectionID: c.ID, Model: "Issue", Variant: linkspan.BaseVariant}
			test(t, w)
		})
	}
}

// begin begins a run of a sync.
func (w *world) begin() linkspan.RunFence {
	w.t.Helper()
	w.runs++
	w.pass()
	r := &linkspan.Run{
		UUID: linkspan.NewUUID(), EnvironmentID: w.stream.EnvironmentID, FunctionID: 1, ConnectionID: w.stream.ConnectionID,
		Kind: linkspan.FunctionSync, Name: "issues", MaxAttempts: 1, ExpiresAt: time.Now().Add(time.Hour), Lane: linkspan.LaneSync,
		Sync: &linkspan.RunSync{ID: linkspan.SyncID(w.runs), Variant: linkspan.BaseVariant, Cause: linkspan.CauseSchedule},
	}
	w.last = r.UUID
	_, err := w.store.InsertSyncRuns(w.t.Context(), nil, []*linkspan.Run{r})
	must(w.t, err)
	claimed, err := w.store.ClaimRuns(w.t.Context(), nil, []linkspan.RunID{r.ID}, "me", time.Minute)
	must(w.t, err)
	return linkspan.RunFence{Run: r.ID, Attempt: claimed[0].Attempt, StartedAt: claimed[0].StartedAt}
}

// pass waits until the database's clock, which may show only milliseconds, has gone
// past the newest change: what a run finds counts as older than the run then.
func (w *world) pass() {
	w.t.Helper()
	last, err := w.Position(w.t.Context(), w.stream)
	must(w.t, err)
	for {
		now, err := w.store.Clock(w.t.Context(), nil)
		must(w.t, err)
		if now.UnixMicro() > int64(last) {
			return
		}
	}
}

// save saves records with the ids.
func (w *world) save(f linkspan.RunFence, window bool, ids ...string) linkspan.RecordCounts {
	w.t.Helper()
	n, err := w.Save(w.t.Context(), record.Write{Stream: w.stream, Fence: f, Window: window, Records: withIDs(ids)})
	must(w.t, err)
	return n
}

func withIDs(ids []string) []byte {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = fmt.Sprintf(`{"id":%q}`, id)
	}
	return []byte("[" + strings.Join(list, ",") + "]")
}

func (w *world) endRun(f linkspan.RunFence) {
	w.t.Helper()
	must(w.t, w.store.InTx(w.t.Context(), func(ctx context.Context, tx linkspan.Tx) error { return w.EndRun(ctx, tx, f.Run) }))
}

// alive returns the ids that are not deleted, sorted.
func (w *world) alive() string {
	w.t.Helper()
	page, err := w.List(w.t.Context(), record.Query{Stream: w.stream, Limit: 1000})
	must(w.t, err)
	var ids []string
	for i := range page.Records {
		if page.Records[i].DeletedAt.IsZero() {
			ids = append(ids, page.Records[i].ID)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// TestDeleteUnseen follows the windows of runs.
func TestDeleteUnseen(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		w.save(linkspan.RunFence{}, false, "a", "b", "c", "d")
		first := w.begin()
		// Somebody else saves something new, and something that was there, before the
		// run looks at anything.
		w.save(linkspan.RunFence{}, false, "webhook")
		w.save(first, true, "a", "b")
		w.save(linkspan.RunFence{}, false, "c", "later")
		ids, err := w.DeleteUnseen(t.Context(), w.stream, first)
		must(t, err)
		if diff := cmp.Diff([]string{"d"}, ids); diff != "" || w.alive() != "a b c later webhook" {
			t.Errorf("deleted %v, left %s", ids, w.alive())
		}
		w.endRun(first)

		// A run that saw nothing deletes what was there when it began.
		second := w.begin()
		if _, err := w.DeleteUnseen(t.Context(), w.stream, second); linkspan.KindOf(err) != linkspan.KindNotFound {
			t.Errorf("without a window: %v", err)
		}
		w.save(second, true)
		w.save(linkspan.RunFence{}, false, "new")
		ids, err = w.DeleteUnseen(t.Context(), w.stream, second)
		must(t, err)
		if len(ids) != 5 || w.alive() != "new" {
			t.Errorf("deleted %v, left %s", ids, w.alive())
		}

		// What a run that was interrupted saw stays seen in the one that goes on.
		third, fourth := w.begin(), w.begin()
		w.save(third, true, "new", "x")
		must(t, w.store.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error { return w.PassOn(ctx, tx, third.Run, fourth.Run) }))
		ids, err = w.DeleteUnseen(t.Context(), w.stream, fourth)
		must(t, err)
		if len(ids) != 0 || w.alive() != "new x" {
			t.Errorf("deleted %v, left %s", ids, w.alive())
		}
	})
}

// TestTrackDeletes leaves a window open from one run to the next.
func TestTrackDeletes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, err := w.TrackEnd(ctx, w.stream, linkspan.RunFence{})
		if linkspan.KindOf(err) != linkspan.KindNotFound {
			t.Fatalf("end without a start: %v", err)
		}
		w.save(linkspan.RunFence{}, false, "a", "b", "c")
		first := w.begin()
		must(t, w.TrackStart(ctx, w.stream, first))
		w.save(first, false, "a")
		w.endRun(first) // it was cut off
		second := w.begin()
		must(t, w.TrackStart(ctx, w.stream, second))
		w.save(second, false, "b", "z")
		ids, err := w.TrackEnd(ctx, w.stream, second)
		must(t, err)
		if diff := cmp.Diff([]string{"c"}, ids); diff != "" || w.alive() != "a b z" {
			t.Errorf("deleted %v, left %s", ids, w.alive())
		}
		if _, err := w.TrackEnd(ctx, w.stream, second); linkspan.KindOf(err) != linkspan.KindNotFound {
			t.Errorf("end after the end: %v", err)
		}
	})
}

// TestFences holds runs to their fences, and counts what they changed.
func TestFences(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		f := w.begin()
		w.save(f, false, "a", "b")
		w.save(f, false, "b", "c")
		stale := f
		stale.Attempt--
		for name, call := range map[string]func() error{
			"save": func() error {
				_, err := w.Save(ctx, record.Write{Stream: w.stream, Fence: stale, Records: []byte(`[{"id":"late"}]`)})
				return err
			},
			"delete": func() error {
				_, err := w.Delete(ctx, record.Write{Stream: w.stream, Fence: stale, Records: []byte(`[{"id":"a"}]`)})
				return err
			},
			"track start":   func() error { return w.TrackStart(ctx, w.stream, stale) },
			"track end":     func() error { _, err := w.TrackEnd(ctx, w.stream, stale); return err },
			"delete unseen": func() error { _, err := w.DeleteUnseen(ctx, w.stream, stale); return err },
		} {
			if err := call(); linkspan.CodeOf(err) != "run_lost" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := w.alive(); got != "a b c" {
			t.Errorf("left %s", got)
		}
		run, err := w.store.Run(ctx, nil, w.stream.EnvironmentID, w.last)
		must(t, err)
		if diff := cmp.Diff(map[string]linkspan.RecordCounts{"Issue": {Added: 3, Unchanged: 1}}, run.Sync.Counts); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}

// TestMergingStrategy leaves alone what others changed since.
func TestMergingStrategy(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.save(linkspan.RunFence{}, false, "a", "b", "c")
		f, hook := w.begin(), w.begin()
		at, err := w.Position(ctx, w.stream)
		must(t, err)
		write := func(f linkspan.RunFence, unless linkspan.RecordPosition, records string, want linkspan.RecordCounts) {
			t.Helper()
			got, err := w.Save(ctx, record.Write{Stream: w.stream, Fence: f, Unless: unless, Records: []byte(records)})
			must(t, err)
			if got != want {
				t.Errorf("%s: %+v, want %+v", records, got, want)
			}
		}
		write(hook, 0, `[{"id":"a","by":"webhook"},{"id":"d","by":"webhook"}]`, linkspan.RecordCounts{Added: 1, Updated: 1})
		write(f, at, `[{"id":"a","by":"poll"},{"id":"b","by":"poll"},{"id":"d"},{"id":"e"}]`, linkspan.RecordCounts{Added: 1, Updated: 1, Unchanged: 2})
		// Its own changes it may change again.
		write(f, at, `[{"id":"b","by":"poll again"},{"id":"e","n":1}]`, linkspan.RecordCounts{Updated: 2})
		n, err := w.Delete(ctx, record.Write{Stream: w.stream, Fence: f, Unless: at, Records: []byte(`[{"id":"a"},{"id":"c"}]`)})
		must(t, err)
		if n != (linkspan.RecordCounts{Deleted: 1, Unchanged: 1}) || w.alive() != "a b d e" {
			t.Errorf("%+v, left %s", n, w.alive())
		}
	})
}

// TestBadInput changes nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := w.begin()
		for _, records := range []string{`[{"id":"a"},{"id":""}]`, `[{"id":"a"},{}]`, `[{"id":"a"}`, `{}`, ``} {
			for _, call := range []func(context.Context, record.Write) (linkspan.RecordCounts, error){w.Save, w.Update, w.Delete} {
				n, err := call(t.Context(), record.Write{Stream: w.stream, Fence: f, Window: true, Records: []byte(records)})
				if linkspan.KindOf(err) != linkspan.KindInvalid || n != (linkspan.RecordCounts{}) {
					t.Errorf("%s: %+v, %v", records, n, err)
				}
			}
		}
		if p, err := w.Position(t.Context(), w.stream); p != 0 || err != nil {
			t.Errorf("the stream is at %d, %v", p, err)
		}
	})
}

// TestByIDs asks for ids of all kinds.
func TestByIDs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.save(linkspan.RunFence{}, false, "a", "b", `q"ü\`, "d")
		_, err := w.Delete(ctx, record.Write{Stream: w.stream, Records: []byte(`[{"id":"b"}]`)})
		must(t, err)
		found, err := w.ByIDs(ctx, w.stream, []string{"b", "nothing", "a", `q"ü\`, "a", "x\x00", "\xff"})
		must(t, err)
		var got []string
		for i := range found {
			got = append(got, found[i].ID+" "+string(found[i].Action)+" "+found[i].Payload.Reveal())
		}
		if diff := cmp.Diff([]string{`a ADDED {"id":"a"}`, `q"ü\ ADDED {"id":"q\"ü\\"}`, `b DELETED {"id":"b"}`}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		page, err := w.List(ctx, record.Query{Stream: w.stream, IDs: []string{"\xff", "x\x00"}, Limit: 10})
		if err != nil || len(page.Records) != 0 {
			t.Errorf("ids that can't be: %+v, %v", page, err)
		}
	})
}

// TestOldPayloads prunes by age.
func TestOldPayloads(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		for _, model := range []string{"Issue", "User"} {
			w.stream.Model = model
			w.save(linkspan.RunFence{}, false, "a", "b", "c", "d", "e")
		}
		for _, step := range []struct {
			age   time.Duration
			limit int
			want  int
		}{{time.Hour, 10, 0}, {-time.Hour, 3, 10}, {-time.Hour, 10, 0}} {
			n, err := w.PruneOld(t.Context(), step.age, step.limit)
			if err != nil || n != step.want {
				t.Errorf("%s: %d, %v; want %d", step.age, n, err, step.want)
			}
		}
	})
}

// TestLargeRecords reads no more into memory than there is room for, and lets no
// record grow without end.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.SetSizes(250, 1000)
		text := strings.Repeat("x", 100)
		var records, patches []string
		for i := range 9 {
			records = append(records, fmt.Sprintf(`{"id":"%d","text":%q}`, i, text))
			patches = append(patches, fmt.Sprintf(`{"id":"%d","n":%d}`, i, i))
		}
		list := func(of []string) []byte { return []byte("[" + strings.Join(of, ",") + "]") }
		_, err := w.Save(ctx, record.Write{Stream: w.stream, Records: list(records)})
		must(t, err)
		n, err := w.Update(ctx, record.Write{Stream: w.stream, Records: list(append(patches, `{"id":"none"}`, `{"id":"0"}`))})
		must(t, err)
		if diff := cmp.Diff(linkspan.RecordCounts{Updated: 9, Unchanged: 1}, n); diff != "" {
			t.Errorf("counts of an update in portions (-want +got):\n%s", diff)
		}
		page, err := w.List(ctx, record.Query{Stream: w.stream, Limit: 100})
		must(t, err)
		for i := range page.Records {
			if got, want := page.Records[i].Payload.Reveal(), fmt.Sprintf(`{"id":"%d","text":%q,"n":%d}`, i, text, i); got != want {
				t.Errorf("record %d is %s, want %s", i, got, want)
			}
		}

		if _, err := w.ByIDs(ctx, w.stream, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"}); linkspan.CodeOf(err) != "records_too_large" {
			t.Errorf("too much by ids: %v", err)
		}
		if found, err := w.ByIDs(ctx, w.stream, []string{"0", "1", "2"}); err != nil || len(found) != 3 {
			t.Errorf("by ids: %d, %v", len(found), err)
		}

		half := strings.Repeat("y", 2<<20)
		_, err = w.Update(ctx, record.Write{Stream: w.stream, Records: []byte(`[{"id":"1","a":"` + half + `"}]`)})
		must(t, err)
		_, err = w.Update(ctx, record.Write{Stream: w.stream, Records: []byte(`[{"id":"0","n":"late"},{"id":"1","b":"` + half + `"}]`)})
		if linkspan.CodeOf(err) != "record_too_large" {
			t.Errorf("a record that grew: %v", err)
		}
		found, err := w.ByIDs(ctx, w.stream, []string{"0"})
		must(t, err)
		if strings.Contains(found[0].Payload.Reveal(), "late") {
			t.Error("something was changed all the same")
		}
	})
}

// TestEndBehindASave has a run end only when what it saves at the moment is stored
// and counted.
func TestEndBehindASave(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		f := w.begin()
		r, err := w.store.Run(t.Context(), nil, w.stream.EnvironmentID, w.last)
		must(t, err)
		r.State = linkspan.RunSucceeded
		must(t, w.store.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
			must(t, w.store.HoldRun(ctx, tx, f))
			must(t, w.store.CountRun(ctx, tx, f.Run, "Issue", linkspan.RecordCounts{Added: 1}))
			soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := w.store.FinishRun(soon, nil, &r, 0); err == nil {
				t.Error("the run ended while it saved something")
			}
			return nil
		}))
		ended, err := w.store.FinishRun(t.Context(), nil, &r, 0)
		must(t, err)
		if !ended || r.Sync.Counts["Issue"].Added != 1 {
			t.Errorf("ended %v, with %v", ended, r.Sync.Counts)
		}
	})
}
