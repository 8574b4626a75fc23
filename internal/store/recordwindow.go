package store

import (
	"context"
	"slices"

	"github.com/linkspan/linkspan"
)

// OpenRecordWindow begins a window of a locked stream, for a run or, with run 0,
// over runs. What was there before is what has its position by now, or before
// the run began if that is earlier.
func (s *Store) OpenRecordWindow(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, run linkspan.RunID) (linkspan.RecordWindow, error) {
	w := linkspan.RecordWindow{Run: run, Began: stream.Last}
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		var owner any
		if run != 0 {
			owner = int64(run)
			if w.Began, err = one(ctx, t, value[linkspan.RecordPosition], `select coalesce(min(case when started_at < $2 then started_at end), $2)
				from runs where id = $1`, int64(run), int64(stream.Last)); err != nil {
				return err
			}
		}
		w.ID, err = one(ctx, t, value[int64], `insert into record_windows (stream_id, run_id, began_at, created_at)
			values ($1, $2, $3, $4) returning id`, stream.ID, owner, int64(w.Began), micros(t.now))
		return err
	})
	return w, wrap("OpenRecordWindow", err)
}

// MarkRecordsSeen notes that records were seen while a window of their locked
// stream was open.
func (s *Store) MarkRecordsSeen(ctx context.Context, tx linkspan.Tx, w linkspan.RecordWindow, ids []string) error {
	b := bulk{
		table:   "records_seen",
		columns: []column{{"window_id", "bigint"}, {"external_id", "text"}},
		tail:    "on conflict (window_id, external_id) do nothing",
	}
	values := make([]any, 0, 2*len(ids))
	for _, id := range ids {
		values = append(values, w.ID, id)
	}
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error { return t.insert(ctx, b, values) })
	return wrap("MarkRecordsSeen", err)
}

// UnseenRecords looks at the first records behind a position that are not deleted
// and existed before a window of their locked stream began, limit of them. It
// returns those that were not seen since, without their payloads, and the position
// of the last one that it looked at: zero when there are no more.
func (s *Store) UnseenRecords(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, w linkspan.RecordWindow, after linkspan.RecordPosition, limit int) ([]linkspan.Record, linkspan.RecordPosition, error) {
	const op = "UnseenRecords"
	var records []linkspan.Record
	if err := s.ordered(ctx, tx, func(ctx context.Context, q queryer) (err error) {
		records, err = all(ctx, q, func(row scanner) (r linkspan.Record, err error) {
			return r, row.Scan(recordDest(&r)...)
		}, "select "+recordColumns+` from records r where r.stream_id = $1 and r.position > $2 and r.position <= $3 and r.deleted_at is null
			order by r.position limit $4`, stream.ID, int64(after), int64(w.Began), limit)
		return err
	}); err != nil || len(records) == 0 {
		return nil, 0, wrap(op, err)
	}
	next := records[len(records)-1].Position
	if len(records) < limit {
		next = 0
	}
	seen, err := s.seen(ctx, tx, w, records)
	if err != nil {
		return nil, 0, wrap(op, err)
	}
	return slices.DeleteFunc(records, func(r linkspan.Record) bool { return seen[r.ID] }), next, nil
}

// seen returns which of the records have a note.
func (s *Store) seen(ctx context.Context, tx linkspan.Tx, w linkspan.RecordWindow, records []linkspan.Record) (map[string]bool, error) {
	ids := make([]string, len(records))
	for i := range records {
		ids[i] = records[i].ID
	}
	list, err := jsonText(ids)
	if err != nil {
		return nil, err
	}
	noted, err := all(ctx, s.read(tx), value[string], "select r.external_id from "+
		s.lookUp(s.idList("$2"), "records_seen", "window_id", "external_id"), w.ID, list)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(noted))
	for _, id := range noted {
		seen[id] = true
	}
	return seen, nil
}

// EndRecordWindow ends a window of a locked stream. PurgeRecords removes its
// notes.
func (s *Store) EndRecordWindow(ctx context.Context, tx linkspan.Tx, w linkspan.RecordWindow) error {
	return s.endWindows(ctx, tx, "EndRecordWindow", "delete from record_windows where id = $1", w.ID)
}

// EndRunWindows ends the windows of a run.
func (s *Store) EndRunWindows(ctx context.Context, tx linkspan.Tx, run linkspan.RunID) error {
	return s.endWindows(ctx, tx, "EndRunWindows", "delete from record_windows where run_id = $1", int64(run))
}

// MoveRunWindows gives the windows of a run to another one.
func (s *Store) MoveRunWindows(ctx context.Context, tx linkspan.Tx, from, to linkspan.RunID) error {
	return s.endWindows(ctx, tx, "MoveRunWindows", "update record_windows set run_id = $2 where run_id = $1", int64(from), int64(to))
}

func (s *Store) endWindows(ctx context.Context, tx linkspan.Tx, op, query string, args ...any) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, query, args...)
		return err
	})
	return wrap(op, err)
}
