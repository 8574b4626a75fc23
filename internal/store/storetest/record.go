package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

// stream makes a connection of the environment and names its issues.
func (w *world) stream(t *testing.T, env linkspan.Environment) linkspan.RecordStream {
	t.Helper()
	c := w.newConnection(t, w.newIntegration(t, env, "github"), "c1", nil)
	return linkspan.RecordStream{EnvironmentID: env.ID, ConnectionID: c.ID, Model: "Issue", Variant: linkspan.BaseVariant}
}

// hold runs f with a stream that is locked, and made if it is not there.
func (w *world) hold(t *testing.T, st linkspan.RecordStream, f func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow)) {
	t.Helper()
	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
		s, err := w.LockRecordStream(ctx, tx, st, true)
		must(t, err)
		f(ctx, tx, &s)
	})
}

// put stores records with the ids, and returns where the stream is then.
func (w *world) put(t *testing.T, st linkspan.RecordStream, ids ...string) linkspan.RecordPosition {
	t.Helper()
	var last linkspan.RecordPosition
	w.hold(t, st, func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) {
		s.Last = max(s.Last, s.Clock)
		rows := make([]linkspan.RecordRow, len(ids))
		for i, id := range ids {
			s.Last++
			s.Live++
			rows[i] = linkspan.RecordRow{
				Record: linkspan.Record{
					ID: id, Payload: linkspan.NewSecret(`{"id":"` + id + `"}`), Action: linkspan.RecordAdded, Position: s.Last,
					FirstSeenAt: time.UnixMicro(int64(s.Last)).UTC(),
				},
				Hash: sha256.Sum256([]byte(id)), Run: 5,
			}
		}
		must(t, w.PutRecords(ctx, tx, s, rows))
		must(t, w.SaveRecordStream(ctx, tx, s))
		last = s.Last
	})
	return last
}

// list returns the ids that a filter selects, and whether there are more.
func (w *world) list(t *testing.T, st linkspan.RecordStream, f linkspan.RecordFilter) (string, bool) {
	t.Helper()
	s, err := w.RecordStream(t.Context(), nil, st)
	must(t, err)
	f.Limit = max(f.Limit, 1)
	if f.Bytes == 0 {
		f.Bytes = 1 << 20
	}
	records, next, err := w.Records(t.Context(), nil, &s, f)
	must(t, err)
	if next != 0 && len(f.Actions) == 0 && next != records[len(records)-1].Position {
		t.Errorf("%+v: the next page begins at %d, want the last record's %d", f, next, records[len(records)-1].Position)
	}
	ids := make([]string, len(records))
	for i := range records {
		ids[i] = records[i].ID
	}
	return strings.Join(ids, " "), next != 0
}

// checkSizes checks that sizes are those of sealed payloads, and removes them.
func checkSizes(t *testing.T, rows []linkspan.RecordRow) {
	t.Helper()
	for i := range rows {
		if n := len(rows[i].Payload.Reveal()); rows[i].Size <= n || rows[i].Size > n+100 {
			t.Errorf("%s has the size %d", rows[i].ID, rows[i].Size)
		}
		rows[i].Size = 0
	}
}

func testRecordKeys(t *testing.T, w *world) {
	var wg sync.WaitGroup
	keys := make([]linkspan.Secret, 8)
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = w.RecordKey(t.Context(), nil, w.env.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if !k.Equal(keys[0]) || len(k.Reveal()) != 32 {
			t.Fatal("the key differs from call to call, or is not one")
		}
	}
	other, err := w.RecordKey(t.Context(), nil, w.newEnvironment(t, "other").ID)
	must(t, err)
	if other.Equal(keys[0]) {
		t.Error("two environments have the same key")
	}
	_, err = w.RecordKey(t.Context(), nil, 999)
	wantKind(t, err, linkspan.KindNotFound)
}

func testRecords(t *testing.T, w *world) {
	st := w.stream(t, w.env)
	last := w.put(t, st, "a", "b", "c", "d")
	w.hold(t, st, func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) {
		wantEqual(t, "live", s.Live, int64(4))
		rows, err := w.RecordRows(ctx, tx, s, []string{"b", "nothing", "d"}, true)
		must(t, err)
		slices.SortFunc(rows, func(a, b linkspan.RecordRow) int { return strings.Compare(a.ID, b.ID) })
		checkSizes(t, rows)
		wantEqual(t, "rows", rows, []linkspan.RecordRow{
			{Record: linkspan.Record{ID: "b", Payload: linkspan.NewSecret(`{"id":"b"}`), Action: "ADDED", FirstSeenAt: time.UnixMicro(int64(last - 2)).UTC(), Position: last - 2}, Hash: sha256.Sum256([]byte("b")), Run: 5},
			{Record: linkspan.Record{ID: "d", Payload: linkspan.NewSecret(`{"id":"d"}`), Action: "ADDED", FirstSeenAt: time.UnixMicro(int64(last)).UTC(), Position: last}, Hash: sha256.Sum256([]byte("d")), Run: 5},
		})
		// b is deleted; a is replaced and keeps when it was first seen.
		must(t, w.DeleteRecords(ctx, tx, s, 6, []linkspan.RecordMove{{From: last - 2, To: last + 1}}))
		must(t, w.PutRecords(ctx, tx, s, []linkspan.RecordRow{{
			Record: linkspan.Record{ID: "a", Payload: linkspan.NewSecret(`{"id":"a","n":2}`), Action: "UPDATED", Position: last + 2, FirstSeenAt: past()},
			Hash:   sha256.Sum256([]byte("a2")), Run: 6,
		}}))
		s.Last, s.Live = last+2, 3
		must(t, w.SaveRecordStream(ctx, tx, s))
	})
	s, err := w.RecordStream(t.Context(), nil, st)
	must(t, err)
	rows, err := w.RecordRows(t.Context(), nil, &s, []string{"a"}, true)
	must(t, err)
	checkSizes(t, rows)
	wantEqual(t, "replaced", rows, []linkspan.RecordRow{
		{Record: linkspan.Record{ID: "a", Payload: linkspan.NewSecret(`{"id":"a","n":2}`), Action: "UPDATED", FirstSeenAt: time.UnixMicro(int64(last - 3)).UTC(), Position: last + 2}, Hash: sha256.Sum256([]byte("a2")), Run: 6},
	})
	rows, err = w.RecordRows(t.Context(), nil, &s, []string{"b"}, false)
	must(t, err)
	if r := rows[0]; r.Action != "DELETED" || r.DeletedAt.UnixMicro() != int64(last+1) || r.Position != last+1 || r.Run != 6 || !r.Payload.IsZero() {
		t.Errorf("deleted: %+v", r)
	}
	for _, test := range []struct {
		f    linkspan.RecordFilter
		want string
		more bool
	}{
		{linkspan.RecordFilter{Limit: 9}, "c d b a", false},
		{linkspan.RecordFilter{Limit: 4}, "c d b a", false},
		{linkspan.RecordFilter{Limit: 3}, "c d b", true},
		{linkspan.RecordFilter{Limit: 9, After: last}, "b a", false},
		{linkspan.RecordFilter{Limit: 9, After: last + 2}, "", false},
		{linkspan.RecordFilter{Limit: 9, Actions: []linkspan.RecordAction{"ADDED", "UPDATED"}}, "c d a", false},
		{linkspan.RecordFilter{Limit: 1, Actions: []linkspan.RecordAction{"DELETED"}}, "b", false},
		{linkspan.RecordFilter{Limit: 9, IDs: []string{"a", "d", "x"}}, "d a", false},
		{linkspan.RecordFilter{Limit: 9, IDs: []string{"a", "d"}, After: last, Actions: []linkspan.RecordAction{"UPDATED"}}, "a", false},
		{linkspan.RecordFilter{Limit: 1, IDs: []string{"a", "d"}}, "d", true},
		{linkspan.RecordFilter{Limit: 9, Bytes: 1}, "c", true},
		{linkspan.RecordFilter{Limit: 9, Bytes: 60}, "c d", true},
		{linkspan.RecordFilter{Limit: 9, Bytes: 60, After: last}, "b a", false},
		{linkspan.RecordFilter{Limit: 9, Walk: 1}, "c d b a", false},
		{linkspan.RecordFilter{Limit: 9, Walk: 1, IDs: []string{"a"}, Actions: []linkspan.RecordAction{"UPDATED"}}, "a", false},
		{linkspan.RecordFilter{Limit: 9, Walk: 2, Actions: []linkspan.RecordAction{"DELETED"}}, "", true},
		{linkspan.RecordFilter{Limit: 9, Walk: 3, Actions: []linkspan.RecordAction{"DELETED"}}, "b", true},
		{linkspan.RecordFilter{Limit: 9, Walk: 4, Actions: []linkspan.RecordAction{"DELETED"}}, "b", false},
		{linkspan.RecordFilter{Limit: 9, Walk: 2, After: last, Actions: []linkspan.RecordAction{"DELETED"}}, "b", false},
		{linkspan.RecordFilter{Limit: 1, Walk: 3, Actions: []linkspan.RecordAction{"ADDED", "UPDATED"}}, "c", true},
	} {
		if got, more := w.list(t, st, test.f); got != test.want || more != test.more {
			t.Errorf("%+v: %q and more %t, want %q and %t", test.f, got, more, test.want, test.more)
		}
	}
	err = w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		return w.DeleteRecords(ctx, tx, &s, 0, []linkspan.RecordMove{{From: 1, To: last + 9}})
	})
	if err == nil {
		t.Error("a record that is not there was deleted")
	}
}

// testRareRecords looks for records with an action among many others: near, further
// away, and as far as it may.
func testRareRecords(t *testing.T, w *world) {
	st := w.stream(t, w.env)
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprint(i))
	}
	first := w.put(t, st, ids...) - 39
	w.exec(t, "update records set action = 'UPDATED' where external_id in ('2', '6', '39')")
	for _, test := range []struct {
		walk, limit int
		after       linkspan.RecordPosition
		want        string
		next        linkspan.RecordPosition
	}{
		{0, 2, 0, "2 6", 6},
		{1000, 2, 0, "2 6", 7}, // near
		{1000, 1, 2, "6", 6},   // as near as can be
		{1000, 1, 6, "39", 0},  // not near; the last one
		{1000, 3, 0, "2 6 39", 0},
		{39, 3, 0, "2 6", 38},
		{40, 3, 0, "2 6 39", 0},
		{30, 1, 6, "", 36},
		{31, 1, 6, "", 37},
		{32, 1, 6, "", 38},
		{33, 1, 6, "39", 0},
		{3, 1, 6, "", 9},
		{1, 1, 38, "39", 0},
		{1, 1, 39, "", 0},
	} {
		s, err := w.RecordStream(t.Context(), nil, st)
		must(t, err)
		f := linkspan.RecordFilter{After: first + test.after, Actions: []linkspan.RecordAction{"UPDATED"}, Limit: test.limit, Bytes: 1 << 20, Walk: test.walk}
		if test.after == 0 {
			f.After = 0
		}
		records, next, err := w.Records(t.Context(), nil, &s, f)
		must(t, err)
		found := make([]string, len(records))
		for i := range records {
			found[i] = records[i].ID
		}
		if next != 0 {
			next -= first
		}
		if got := strings.Join(found, " "); got != test.want || next != test.next {
			t.Errorf("%d of %d after %d: %q and go on at %d, want %q and %d", test.limit, test.walk, test.after, got, next, test.want, test.next)
		}
	}
}

func testRecordStreams(t *testing.T, w *world) {
	ctx := t.Context()
	st, other := w.stream(t, w.env), w.newEnvironment(t, "other")
	_, err := w.RecordStream(ctx, nil, st)
	wantKind(t, err, linkspan.KindNotFound)
	lock := func(st linkspan.RecordStream, create bool) error {
		return w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			_, err := w.LockRecordStream(ctx, tx, st, create)
			return err
		})
	}
	wantKind(t, lock(st, false), linkspan.KindNotFound)
	foreign := st
	foreign.EnvironmentID = other.ID
	wantKind(t, lock(foreign, true), linkspan.KindNotFound)
	nobody := st
	nobody.ConnectionID = 999
	wantKind(t, lock(nobody, true), linkspan.KindNotFound)

	first := w.put(t, st, "a", "b")
	wantKind(t, lock(foreign, true), linkspan.KindNotFound)
	_, err = w.RecordStream(ctx, nil, foreign)
	wantKind(t, err, linkspan.KindNotFound)
	eu := st
	eu.Variant = "eu"
	w.put(t, eu, "x")
	live, err := w.LiveRecords(ctx, nil, w.env.ID, []linkspan.ConnectionID{st.ConnectionID, 999})
	must(t, err)
	wantEqual(t, "live", live, map[linkspan.RecordStream]int64{st: 2, eu: 1})
	live, err = w.LiveRecords(ctx, nil, other.ID, []linkspan.ConnectionID{st.ConnectionID})
	must(t, err)
	wantEqual(t, "live in another environment", len(live), 0)

	// Another environment drops nothing.
	must(t, w.DropRecordStreams(ctx, nil, other.ID, []linkspan.RecordStream{st, eu}))
	must(t, w.DropConnectionRecords(ctx, nil, other.ID, st.ConnectionID))
	before, err := w.RecordStream(ctx, nil, st)
	must(t, err)
	// A position far ahead of the clock, as after the clock was set back.
	w.hold(t, st, func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) {
		_, err := w.OpenRecordWindow(ctx, tx, s, 0)
		must(t, err)
		s.Last += linkspan.RecordPosition(time.Hour.Microseconds())
		must(t, w.SaveRecordStream(ctx, tx, s))
	})
	must(t, w.DropRecordStreams(ctx, nil, w.env.ID, []linkspan.RecordStream{st}))
	_, err = w.RecordStream(ctx, nil, st)
	wantKind(t, err, linkspan.KindNotFound)
	w.purgeRecords(t)
	w.hold(t, st, func(_ context.Context, _ linkspan.Tx, s *linkspan.RecordStreamRow) {
		if s.ID == before.ID || s.UUID == before.UUID || s.Last != first+linkspan.RecordPosition(time.Hour.Microseconds()) || s.Live != 0 || len(s.Windows) != 0 {
			t.Errorf("after the drop: %+v, before: %+v", *s, before)
		}
	})
	if got, _ := w.list(t, eu, linkspan.RecordFilter{}); got != "x" {
		t.Errorf("the other variant has %q", got)
	}
	must(t, w.DropConnectionRecords(ctx, nil, w.env.ID, st.ConnectionID))
	live, err = w.LiveRecords(ctx, nil, w.env.ID, []linkspan.ConnectionID{st.ConnectionID})
	must(t, err)
	wantEqual(t, "streams of the connection", len(live), 0)
}

// purgeRecords removes in small steps what nobody can reach any more.
func (w *world) purgeRecords(t *testing.T) (total int) {
	t.Helper()
	for {
		n, err := w.PurgeRecords(t.Context(), 2)
		must(t, err)
		if total += n; n < 2 {
			return total
		}
	}
}

func testRecordRetention(t *testing.T, w *world) {
	ctx := t.Context()
	st := w.stream(t, w.env)
	user := st
	user.Model = "User"
	last := w.put(t, st, "a", "b", "c", "d", "e")
	w.put(t, user, "u")
	wantEqual(t, "removed of what is in use", w.purgeRecords(t), 0)

	old, next, err := w.RecordStreamsToPrune(ctx, nil, time.Hour, 0, 10)
	must(t, err)
	wantEqual(t, "streams that are an hour old", len(old), 0)
	wantEqual(t, "more streams that are an hour old", next, 0)
	for _, want := range [][]linkspan.RecordStream{{st}, {user}, nil} {
		old, next, err = w.RecordStreamsToPrune(ctx, nil, -time.Hour, next, 1)
		must(t, err)
		wantEqual(t, "streams that are older than the future", old, want)
	}
	wantEqual(t, "more of them", next, 0)
	prune := func(until linkspan.RecordPosition, limit, want int, pruned linkspan.RecordPosition) {
		t.Helper()
		w.hold(t, st, func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) {
			n, err := w.PruneRecords(ctx, tx, s, until, limit)
			must(t, err)
			wantEqual(t, "pruned", n, want)
			wantEqual(t, "pruned up to", s.Pruned, pruned)
		})
	}
	prune(last-1, 3, 3, last-2)
	prune(last-1, 3, 1, last-1)
	prune(last-1, 3, 0, last-1)
	s, err := w.RecordStream(ctx, nil, st)
	must(t, err)
	rows, err := w.RecordRows(ctx, nil, &s, []string{"b", "e"}, true)
	must(t, err)
	for _, r := range rows {
		if r.Payload.IsZero() != (r.ID == "b") || r.PrunedAt.IsZero() != (r.ID == "e") || r.Hash != sha256.Sum256([]byte(r.ID)) {
			t.Errorf("after pruning: %+v", r)
		}
	}
	old, _, err = w.RecordStreamsToPrune(ctx, nil, -time.Hour, 0, 1)
	must(t, err)
	wantEqual(t, "left to prune", old, []linkspan.RecordStream{st})
	prune(last, 9, 1, last)

	w.exec(t, "update record_streams set touched_at = 1")
	must(t, w.TouchRecordStreams(ctx, nil, []linkspan.RecordStream{user, {EnvironmentID: w.env.ID, ConnectionID: 999}}))
	n, err := w.DropIdleRecordStreams(ctx, nil, time.Hour, 10)
	must(t, err)
	wantEqual(t, "idle streams", n, 1)
	_, err = w.RecordStream(ctx, nil, st)
	wantKind(t, err, linkspan.KindNotFound)
	wantEqual(t, "removed", w.purgeRecords(t), 5)
	wantEqual(t, "removed again", w.purgeRecords(t), 0)

	// What went with its environment is found.
	must(t, w.DeleteEnvironment(ctx, nil, &w.env))
	wantEqual(t, "dropped and removed of a deleted environment", w.purgeRecords(t), 2)
}

// testIdleRecords drops streams of syncs that do not run. Their checkpoints are of
// no use without what was read before.
func testIdleRecords(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.newSyncs(t, w.env, "c1", "c2")
	model := s.function.Version.Definition.Models[0]
	streams := make([]linkspan.RecordStream, 2)
	for i, c := range s.connections {
		streams[i] = linkspan.RecordStream{EnvironmentID: w.env.ID, ConnectionID: c.ID, Model: model, Variant: linkspan.BaseVariant}
		w.put(t, streams[i], "a")
		w.exec(t, "insert into checkpoints (environment_id, connection_id, key, value, version, updated_at) values ($1, $2, 'sync/issues/base', '{}', 1, 1)",
			int64(w.env.ID), int64(c.ID))
	}
	w.exec(t, "update record_streams set touched_at = 1")
	w.exec(t, "update syncs set succeeded_at = 5")
	run := w.syncRun(s.stored[1].ID, func(r *linkspan.Run) { r.ConnectionID = s.connections[1].ID })
	w.insertSyncs(t, run)

	n, err := w.DropIdleRecordStreams(ctx, nil, time.Hour, 10)
	must(t, err)
	wantEqual(t, "idle streams", n, 1)
	_, err = w.RecordStream(ctx, nil, streams[0])
	wantKind(t, err, linkspan.KindNotFound)
	_, err = w.RecordStream(ctx, nil, streams[1]) // a run of its sync is about to save something
	must(t, err)
	for i, want := range []bool{true, false} {
		list, err := w.Syncs(ctx, nil, w.env.ID, []linkspan.SyncID{s.stored[i].ID})
		must(t, err)
		_, err = w.Checkpoint(ctx, nil, w.env.ID, s.connections[i].ID, "sync/issues/base")
		if gone := linkspan.KindOf(err) == linkspan.KindNotFound; gone != want || list[0].SucceededAt.IsZero() != want {
			t.Errorf("sync %d begins anew: %v, %v, want %v", i, gone, list[0].SucceededAt.IsZero(), want)
		}
	}
}

func testRecordWindows(t *testing.T, w *world) {
	st := w.stream(t, w.env)
	began := w.put(t, st, "a", "b", "c", "d", "e")
	var open linkspan.RecordWindow
	w.hold(t, st, func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) {
		var err error
		open, err = w.OpenRecordWindow(ctx, tx, s, 0)
		must(t, err)
		wantEqual(t, "window", open, linkspan.RecordWindow{ID: open.ID, Began: began})
		must(t, w.MarkRecordsSeen(ctx, tx, open, []string{"b", "d"}))
		must(t, w.MarkRecordsSeen(ctx, tx, open, []string{"d"}))
	})
	w.put(t, st, "f")
	sync := w.syncRun(3, nil)
	w.insertSyncs(t, sync)
	run := w.claimRun(t, time.Minute, sync.ID)
	after := w.put(t, st, "g")
	w.hold(t, st, func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) {
		wantEqual(t, "windows", s.Windows, []linkspan.RecordWindow{open})
		var got []string
		for next, more := linkspan.RecordPosition(0), true; more; more = next != 0 {
			var unseen []linkspan.Record
			var err error
			unseen, next, err = w.UnseenRecords(ctx, tx, s, open, next, 2)
			must(t, err)
			for _, r := range unseen {
				got = append(got, r.ID)
			}
			got = append(got, "|")
		}
		wantEqual(t, "unseen", strings.Join(got, " "), "a | c | e |")
		// What came after the run began is not older than its window.
		own, err := w.OpenRecordWindow(ctx, tx, s, run.ID)
		must(t, err)
		if own.Began >= after || own.Began != linkspan.RecordPosition(run.StartedAt.UnixMicro()) {
			t.Errorf("the window of a run of %s began at %d; something was saved at %d", run.StartedAt, own.Began, after)
		}
	})
	must(t, w.MoveRunWindows(t.Context(), nil, run.ID, run.ID+1))
	must(t, w.EndRunWindows(t.Context(), nil, run.ID))
	w.hold(t, st, func(_ context.Context, _ linkspan.Tx, s *linkspan.RecordStreamRow) {
		if len(s.Windows) != 2 || s.Windows[1].Run != run.ID+1 {
			t.Errorf("windows: %+v", s.Windows)
		}
		wantEqual(t, "windows", len(s.Windows), 2)
	})
	must(t, w.EndRunWindows(t.Context(), nil, run.ID+1))
	wantEqual(t, "notes removed while the window is open", w.purgeRecords(t), 0)
	must(t, w.EndRecordWindow(t.Context(), nil, open))
	wantEqual(t, "notes removed", w.purgeRecords(t), 2)

	w.hold(t, st, func(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) {
		again, err := w.OpenRecordWindow(ctx, tx, s, 0)
		must(t, err)
		must(t, w.MarkRecordsSeen(ctx, tx, again, []string{"a", "b"}))
	})
	must(t, w.DropRecordStreams(t.Context(), nil, w.env.ID, []linkspan.RecordStream{st}))
	wantEqual(t, "records and notes removed with their stream", w.purgeRecords(t), 7+2)
}

func testRecordRace(t *testing.T, w *world) {
	st := w.stream(t, w.env)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 4 {
				w.put(t, st, fmt.Sprintf("%d-%d", i, k))
			}
		})
	}
	wg.Wait()
	s, err := w.RecordStream(t.Context(), nil, st)
	must(t, err)
	wantEqual(t, "live", s.Live, int64(32))
	records, next, err := w.Records(t.Context(), nil, &s, linkspan.RecordFilter{Limit: 100, Bytes: 1 << 20})
	must(t, err)
	if len(records) != 32 || next != 0 || records[31].Position != s.Last {
		t.Errorf("%d records up to %d, want 32 up to %d", len(records), records[len(records)-1].Position, s.Last)
	}
}

func testRecordSecrecy(t *testing.T, w *world) {
	ctx := t.Context()
	st := w.stream(t, w.env)
	w.put(t, st, "a", "b")
	s, err := w.RecordStream(ctx, nil, st)
	must(t, err)
	w.exec(t, `update records set payload = (select x.payload from records x where x.external_id = 'a') where external_id = 'b'`)
	if _, err := w.RecordRows(ctx, nil, &s, []string{"b"}, false); err != nil {
		t.Errorf("reading no payload: %v", err)
	}
	_, err = w.RecordRows(ctx, nil, &s, []string{"b"}, true)
	wantKind(t, err, linkspan.KindInternal)
	_, _, err = w.Records(ctx, nil, &s, linkspan.RecordFilter{Limit: 9, Bytes: 1 << 20})
	wantKind(t, err, linkspan.KindInternal)
	if strings.Contains(err.Error(), `"id"`) {
		t.Errorf("the error shows the payload: %v", err)
	}
}
