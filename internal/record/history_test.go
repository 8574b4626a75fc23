package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the random histories; 0: another one each time")
	stepsFlag = flag.Int("steps", 10_000, "how many steps a random history has on each database")
)

// op is one call of the service, in one goroutine.
type op struct {
	kind    string
	stream  linkspan.RecordStream
	run     linkspan.RunID
	records []map[string]any
	unless  linkspan.RecordPosition
	// window is set when the run needs a window of its own, owner is whose window
	// is swept, heir the run that the windows are passed on to.
	window      bool
	owner, heir linkspan.RunID

	// what the model expects of the call
	want    linkspan.RecordCounts
	wantIDs []string

	got    linkspan.RecordCounts
	gotIDs []string
	err    error
}

// entry is what one committed transaction of an op did.
type entry struct {
	op      *op
	put     []linkspan.RecordRow
	moves   []linkspan.RecordMove
	opened  []linkspan.RecordWindow
	counted linkspan.RecordCounts
	window  linkspan.RecordWindow // of a sweep
	batch   int
	after   linkspan.RecordPosition
	ended   bool
	dropped bool
	until   linkspan.RecordPosition // of a prune
	limit   int
	pruned  int
}

type (
	opKey    struct{}
	entryKey struct{}
)

var errCrash = errors.New("the process died here")

// journal is a store that writes down what is committed, in the order of the
// streams' locks, and that dies now and then half-way.
type journal struct {
	*store.Store

	mu      sync.Mutex
	rand    *rand.Rand
	crashes int // one in so many calls; 0: never
	entries []*entry
	lost    map[linkspan.RunID]bool
}

func (j *journal) InTx(ctx context.Context, f func(ctx context.Context, tx linkspan.Tx) error) error {
	o, _ := ctx.Value(opKey{}).(*op)
	return j.Store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if o == nil {
			return f(ctx, tx)
		}
		e := &entry{op: o}
		if err := f(context.WithValue(ctx, entryKey{}, e), tx); err != nil {
			return err
		}
		if err := j.crash(); err != nil {
			return err
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.entries = append(j.entries, e) // the stream is still held
		return nil
	})
}

func (j *journal) crash() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.crashes > 0 && j.rand.IntN(j.crashes) == 0 {
		return errCrash
	}
	return nil
}

func entryOf(ctx context.Context) *entry {
	e, _ := ctx.Value(entryKey{}).(*entry)
	return e
}

func (j *journal) HoldRun(_ context.Context, _ linkspan.Tx, f linkspan.RunFence) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lost[f.Run] {
		return linkspan.E("HoldRun", linkspan.KindConflict, "run_lost", nil, "It is somebody else's.")
	}
	return nil
}

func (j *journal) CountRun(ctx context.Context, _ linkspan.Tx, _ linkspan.RunID, _ string, c linkspan.RecordCounts) error {
	e := entryOf(ctx)
	e.counted = e.counted.Plus(c)
	return j.crash()
}

func (j *journal) PutRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, rows []linkspan.RecordRow) error {
	e := entryOf(ctx)
	e.put = append(e.put, rows...) // an update puts them in portions
	return errors.Join(j.Store.PutRecords(ctx, tx, s, rows), j.crash())
}

func (j *journal) DeleteRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, run linkspan.RunID, moves []linkspan.RecordMove) error {
	entryOf(ctx).moves = slices.Clone(moves)
	return errors.Join(j.Store.DeleteRecords(ctx, tx, s, run, moves), j.crash())
}

func (j *journal) MarkRecordsSeen(ctx context.Context, tx linkspan.Tx, w linkspan.RecordWindow, ids []string) error {
	return errors.Join(j.Store.MarkRecordsSeen(ctx, tx, w, ids), j.crash())
}

func (j *journal) OpenRecordWindow(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, run linkspan.RunID) (linkspan.RecordWindow, error) {
	w, err := j.Store.OpenRecordWindow(ctx, tx, s, run)
	e := entryOf(ctx)
	e.opened = append(e.opened, w)
	return w, err
}

func (j *journal) UnseenRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, w linkspan.RecordWindow, after linkspan.RecordPosition, limit int) ([]linkspan.Record, linkspan.RecordPosition, error) {
	e := entryOf(ctx)
	e.window, e.batch, e.after = w, limit, after
	return j.Store.UnseenRecords(ctx, tx, s, w, after, limit)
}

func (j *journal) EndRecordWindow(ctx context.Context, tx linkspan.Tx, w linkspan.RecordWindow) error {
	entryOf(ctx).ended = true
	return j.Store.EndRecordWindow(ctx, tx, w)
}

// DropRecordStreams notes whether there was anything to drop: a stream that is just
// being made comes after.
func (j *journal) DropRecordStreams(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, streams []linkspan.RecordStream) error {
	if _, err := j.LockRecordStream(ctx, tx, streams[0], false); err != nil {
		if linkspan.KindOf(err) == linkspan.KindNotFound {
			return nil
		}
		return err
	}
	entryOf(ctx).dropped = true
	return errors.Join(j.Store.DropRecordStreams(ctx, tx, env, streams), j.crash())
}

func (j *journal) PruneRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, until linkspan.RecordPosition, limit int) (int, error) {
	n, err := j.Store.PruneRecords(ctx, tx, s, until, limit)
	e := entryOf(ctx)
	e.until, e.limit, e.pruned = until, limit, n
	return n, errors.Join(err, j.crash())
}

// TestHistories runs random histories of writers, readers and crashes against the
// real databases and a simple model.
func TestHistories(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		if name == "postgres behind a pooler" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := *seedFlag
			if seed == 0 {
				seed = uint64(time.Now().UnixNano())
			}
			t.Logf("-seed %d", seed)
			h := newHistory(t, storetest.Open(t, config(t), vault.NewRing(vault.NewMasterKey())), seed)
			for steps := 0; steps < *stepsFlag && !t.Failed(); steps += h.phase() {
			}
		})
	}
}

// history is a cache, what its model knows of it, and those who read it.
type history struct {
	t       *testing.T
	rand    *rand.Rand
	journal *journal
	service *record.Service
	streams []linkspan.RecordStream
	models  map[linkspan.RecordStream]*model
	readers []*reader
	nextRun linkspan.RunID
	steps   chan struct{} // one for each step of a writer
}

func newHistory(t *testing.T, s *store.Store, seed uint64) *history {
	t.Helper()
	h := &history{t: t, rand: rand.New(rand.NewPCG(seed, 1)), models: map[linkspan.RecordStream]*model{}}
	h.journal = &journal{Store: s, rand: rand.New(rand.NewPCG(seed, 2)), lost: map[linkspan.RunID]bool{}}
	h.service = record.New(h.journal)
	h.service.SetDeleteBatch(4)
	h.service.SetSizes(500, 1<<30)
	h.service.SetWalk(5)
	c := newConnection(t, s)
	for _, name := range []struct{ model, variant string }{{"Issue", "base"}, {"Issue", "eu"}, {"User", "base"}} {
		st := linkspan.RecordStream{EnvironmentID: c.EnvironmentID, ConnectionID: c.ID, Model: name.model, Variant: name.variant}
		h.streams = append(h.streams, st)
		h.models[st] = newModel()
		for range 2 {
			h.readers = append(h.readers, &reader{stream: st, found: map[string]linkspan.Record{}})
		}
		for _, actions := range [][]linkspan.RecordAction{{linkspan.RecordDeleted}, {linkspan.RecordAdded, linkspan.RecordUpdated}} {
			h.readers = append(h.readers, &reader{stream: st, actions: actions, found: map[string]linkspan.Record{}})
		}
	}
	return h
}

// newConnection makes a connection with all it needs.
func newConnection(tb testing.TB, s *store.Store) linkspan.Connection {
	tb.Helper()
	ctx := tb.Context()
	a := linkspan.Account{UUID: linkspan.NewUUID(), Name: "a"}
	e := linkspan.Environment{UUID: linkspan.NewUUID(), Name: "dev", PublicKey: linkspan.NewUUID()}
	i := linkspan.Integration{UUID: linkspan.NewUUID(), Key: "desk", Provider: "desk"}
	c := linkspan.Connection{UUID: linkspan.NewUUID(), Name: "c", Credentials: linkspan.NewSecret("{}")}
	must(tb, s.InsertAccount(ctx, nil, &a))
	e.AccountID = a.ID
	must(tb, s.InsertEnvironment(ctx, nil, &e))
	i.EnvironmentID = e.ID
	must(tb, s.InsertIntegration(ctx, nil, &i))
	c.EnvironmentID, c.IntegrationID = e.ID, i.ID
	must(tb, s.InsertConnection(ctx, nil, &c))
	return c
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// phase lets some writers and readers work at once, and then compares. It returns
// how many steps there were.
func (h *history) phase() int {
	h.t.Helper()
	writers := []int{1, 2, 4}[h.rand.IntN(3)]
	const steps = 200
	h.steps = make(chan struct{}, steps)
	h.journal.crashes = []int{0, 30, 8}[h.rand.IntN(3)]
	ops := make([][]*op, writers)
	var writing, reading sync.WaitGroup
	for w := range writers {
		r := rand.New(rand.NewPCG(h.rand.Uint64(), uint64(w)))
		h.nextRun++
		run := h.nextRun
		if r.IntN(4) == 0 {
			run = 0
		}
		writing.Go(func() { ops[w] = h.write(r, run, steps/writers) })
	}
	stop := make(chan struct{})
	for _, rd := range h.readers {
		r := rand.New(rand.NewPCG(h.rand.Uint64(), 3))
		reading.Go(func() { rd.follow(h, r, stop) })
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	h.replay()
	for _, o := range slices.Concat(ops...) {
		h.checkOp(o)
	}
	for _, st := range h.streams {
		h.compare(st)
	}
	return steps
}

func (h *history) replay() {
	h.t.Helper()
	for i, e := range h.journal.entries {
		for _, st := range h.streams {
			if e.op.kind != "end" && e.op.kind != "pass" && e.op.stream != st {
				continue
			}
			if err := h.models[st].replay(e); err != nil {
				h.t.Fatalf("entry %d, %s of %s by run %d: %v", i, e.op.kind, st.Model, e.op.run, err)
			}
		}
	}
	h.journal.entries = nil
}

func (h *history) checkOp(o *op) {
	h.t.Helper()
	switch {
	case errors.Is(o.err, errCrash) || linkspan.CodeOf(o.err) == "run_lost":
		return
	case o.kind == "sweep" && linkspan.KindOf(o.err) == linkspan.KindNotFound:
		return
	case o.err != nil:
		h.t.Fatalf("%s by run %d: %v", o.kind, o.run, o.err)
	}
	if o.kind != "prune" && o.kind != "sweep" && o.got != o.want {
		h.t.Fatalf("%s by run %d returned %+v, want %+v", o.kind, o.run, o.got, o.want)
	}
	if diff := cmp.Diff(o.wantIDs, o.gotIDs); diff != "" {
		h.t.Fatalf("%s by run %d deleted other ids (-want +got):\n%s", o.kind, o.run, diff)
	}
}

// heirs is how far the run that goes on is from the one it follows.
const heirs = 1 << 20

// write makes random calls.
func (h *history) write(r *rand.Rand, run linkspan.RunID, steps int) []*op {
	var ops []*op
	var unless linkspan.RecordPosition
	for range steps {
		o := &op{stream: h.streams[r.IntN(len(h.streams))], run: run}
		ctx := context.WithValue(h.t.Context(), opKey{}, o)
		f := linkspan.RunFence{Run: run, Attempt: 1}
		w := record.Write{Stream: o.stream, Fence: f, Window: run != 0 && run%2 == 0}
		o.window = w.Window
		if r.IntN(20) == 0 {
			unless, o.err = h.service.Position(h.t.Context(), o.stream)
		}
		switch n := r.IntN(100); {
		case n < 40:
			o.kind = "save"
			o.records, o.unless = randomRecords(r, false), unless
			w.Records, w.Unless = []byte(text(o.records)), unless
			o.got, o.err = h.service.Save(ctx, w)
		case n < 55:
			o.kind = "update"
			o.records, o.unless = randomRecords(r, true), unless
			w.Records, w.Unless = []byte(text(o.records)), unless
			o.got, o.err = h.service.Update(ctx, w)
		case n < 65:
			o.kind = "delete"
			o.records, o.unless = randomRecords(r, true), unless
			w.Records, w.Unless = []byte(text(o.records)), unless
			o.got, o.err = h.service.Delete(ctx, w)
		case n < 73:
			o.kind = "start"
			o.err = h.service.TrackStart(ctx, o.stream, f)
		case n < 81:
			o.kind = "sweep"
			o.gotIDs, o.err = h.service.TrackEnd(ctx, o.stream, f)
		case n < 86 && run != 0:
			o.kind, o.owner = "sweep", run
			o.gotIDs, o.err = h.service.DeleteUnseen(ctx, o.stream, f)
		case n < 91:
			o.kind = "prune"
			o.run = 0
			var until linkspan.RecordPosition
			if until, o.err = h.service.Position(h.t.Context(), o.stream); o.err == nil && until != 0 {
				_, _, o.err = h.service.Prune(ctx, o.stream, until-linkspan.RecordPosition(r.IntN(3)), 1+r.IntN(20))
			}
		case n < 93:
			o.kind = "drop"
			o.run = 0
			o.err = h.journal.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
				return h.service.Drop(ctx, tx, o.stream.EnvironmentID, []linkspan.RecordStream{o.stream})
			})
		case n < 94 && run != 0:
			o.kind, o.heir = "pass", run+heirs
			o.err = h.journal.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error { return h.service.PassOn(ctx, tx, run, o.heir) })
			if o.err == nil {
				run = o.heir
			}
		case n < 96 && run != 0:
			o.kind = "end"
			o.err = h.journal.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error { return h.service.EndRun(ctx, tx, run) })
		case n < 98:
			_, o.err = h.service.PurgeDropped(h.t.Context(), 1+r.IntN(50))
		default:
			h.loseRun(run)
		}
		ops = append(ops, o)
		h.steps <- struct{}{}
	}
	return ops
}

// loseRun gives a run to another process: nothing of what it writes from then on
// may be stored.
func (h *history) loseRun(run linkspan.RunID) {
	h.journal.mu.Lock()
	defer h.journal.mu.Unlock()
	h.journal.lost[run] = run != 0
}

// randomRecords are of few ids and few values, so that much is unchanged.
func randomRecords(r *rand.Rand, partial bool) []map[string]any {
	list := make([]map[string]any, 1+r.IntN(12))
	for i := range list {
		v := map[string]any{"id": r.IntN(25), "n": r.IntN(2)}
		if n := r.IntN(30); n < 25 {
			v["id"] = fmt.Sprint(n)
		}
		if !partial || r.IntN(2) == 0 {
			v["o"] = map[string]any{"a": r.IntN(2), "b": map[string]any{fmt.Sprint("k", r.IntN(2)): "é\u2028😀"}}
		}
		if r.IntN(3) == 0 {
			v["l"] = []any{1.5, nil, map[string]any{"x": true}}
		}
		if r.IntN(5) == 0 {
			v["_nango_metadata"] = map[string]any{"cursor": r.IntN(100)}
		}
		list[i] = v
	}
	return list
}

// compare looks at all of a stream.
func (h *history) compare(st linkspan.RecordStream) {
	h.t.Helper()
	m := h.models[st]
	live, err := h.service.Live(h.t.Context(), nil, st.EnvironmentID, []linkspan.ConnectionID{st.ConnectionID})
	must(h.t, err)
	if live[st] != m.live() {
		h.t.Fatalf("%s counts %d records, want %d", st.Model, live[st], m.live())
	}
	all := &reader{stream: st, found: map[string]linkspan.Record{}}
	for all.page(h, 11) {
	}
	want := m.inOrder()
	h.compareRecords(want, slices.SortedFunc(maps.Values(all.found), byPosition))
	for _, rd := range h.readers {
		if rd.stream != st {
			continue
		}
		if err := rd.err; err != nil {
			h.t.Fatal(err)
		}
		for rd.page(h, 100) {
		}
		var got []linkspan.Record
		for _, r := range slices.SortedFunc(maps.Values(rd.found), byPosition) {
			if w := m.records[r.ID]; r.Position <= m.dropped || w != nil && !rd.asksFor(w.action) {
				delete(rd.found, r.ID) // of before the stream was emptied, or not asked for any more
				continue
			} else if w != nil && w.payload == nil {
				r.Payload, r.PrunedAt = linkspan.Secret{}, time.Now() // emptied after it was read
			}
			got = append(got, r)
		}
		h.compareRecords(slices.DeleteFunc(slices.Clone(want), func(w *modelRecord) bool { return !rd.asksFor(w.action) }), got)
	}
}

func (rd *reader) asksFor(a linkspan.RecordAction) bool {
	return len(rd.actions) == 0 || slices.Contains(rd.actions, a)
}

func byPosition(a, b linkspan.Record) int { return int(a.Position - b.Position) }

func (h *history) compareRecords(want []*modelRecord, got []linkspan.Record) {
	h.t.Helper()
	if len(got) != len(want) {
		h.t.Fatalf("there are %d records, want %d", len(got), len(want))
	}
	for i, r := range got {
		w := want[i]
		var payload map[string]any
		if !r.Payload.IsZero() {
			must(h.t, json.Unmarshal([]byte(r.Payload.Reveal()), &payload))
		}
		if r.ID != w.id || r.Position != w.position || r.Action != w.action || r.DeletedAt.IsZero() == w.deleted || r.PrunedAt.IsZero() == (w.payload == nil) ||
			r.FirstSeenAt.UnixMicro() != int64(w.first) || !same(payload, w.payload) {
			h.t.Fatalf("record %d is %+v with %s, want %+v", i, r, r.Payload.Reveal(), *w)
		}
	}
}

// reader follows a stream by cursors, from phase to phase.
type reader struct {
	stream  linkspan.RecordStream
	actions []linkspan.RecordAction // that it asks for; empty: all
	cursor  string
	last    linkspan.RecordPosition
	found   map[string]linkspan.Record
	err     error
}

func (rd *reader) follow(h *history, r *rand.Rand, stop <-chan struct{}) {
	for rd.err == nil {
		select {
		case <-stop:
			return
		case <-h.steps: // one reader looks while the writers go on
			rd.page(h, 1+r.IntN(20))
		}
	}
}

// page reads a page and reports whether there are more.
func (rd *reader) page(h *history, limit int) bool {
	q := record.Query{Stream: rd.stream, Limit: limit, Actions: rd.actions}
	if rd.cursor != "" {
		if q.After, rd.err = record.ParseCursor(rd.cursor); rd.err != nil {
			return false
		}
	}
	p, err := h.service.List(h.t.Context(), q)
	if err != nil {
		rd.err = err
		return false
	}
	for _, r := range p.Records {
		if r.Position <= rd.last {
			rd.err = fmt.Errorf("record %s comes at %d, after %d", r.ID, r.Position, rd.last)
			return false
		}
		if !rd.asksFor(r.Action) {
			rd.err = fmt.Errorf("record %s was %s, which nobody asked for", r.ID, r.Action)
			return false
		}
		rd.last, rd.cursor = r.Position, record.Cursor(r.Position)
		rd.found[r.ID] = r
	}
	if len(p.Records) > limit || p.Next != 0 && (p.Next < rd.last || p.Next > rd.last && len(rd.actions) == 0) {
		rd.err = fmt.Errorf("a page of %d ends at %d, its cursor is at %d", len(p.Records), rd.last, p.Next)
	}
	if p.Next > rd.last { // it has looked further than it found something
		rd.last, rd.cursor = p.Next, record.Cursor(p.Next)
	}
	return p.Next != 0
}
