package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

// recordPlace is where the payloads of a stream are sealed for.
func recordPlace(stream *linkspan.RecordStreamRow, id string) vault.AAD {
	return vault.AAD{Table: "records", Column: "payload", Row: stream.UUID + "/" + id}
}

const recordColumns = "r.external_id, r.position, r.action, r.first_seen_at, r.deleted_at, r.pruned_at"

func recordDest(r *linkspan.Record) []any {
	return []any{&r.ID, positionInto{&r.Position}, actionInto{&r.Action}, timeInto{&r.FirstSeenAt}, timeInto{&r.DeletedAt}, timeInto{&r.PrunedAt}}
}

// positionInto and actionInto scan what a page has many of: without them
// database/sql converts each by reflection.
type (
	positionInto struct{ p *linkspan.RecordPosition }
	actionInto   struct{ a *linkspan.RecordAction }
)

// Scan implements sql.Scanner.
func (d positionInto) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a position is stored as %T", src)
	}
	*d.p = linkspan.RecordPosition(v)
	return nil
}

// Scan implements sql.Scanner.
func (d actionInto) Scan(src any) error {
	v, ok := src.(string)
	if !ok {
		return fmt.Errorf("an action is stored as %T", src)
	}
	*d.a = linkspan.RecordAction(v)
	return nil
}

// sealedRecord is a row of records whose payload is not opened.
type sealedRecord struct {
	linkspan.RecordRow

	sealed []byte
}

func (s *Store) openRecord(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, r *sealedRecord) error {
	var err error
	r.Payload, err = s.openText(ctx, tx, stream.EnvironmentID, recordPlace(stream, r.ID), r.sealed)
	return err
}

// Lists of what to look up are named u. PostgreSQL plans for the number of rows
// that it remembers of a stream, which is next to none while a stream is filled for
// the first time: left to itself it reads all of it, time and again. So look-ups are
// written as one search of an index for each element, ordered reads as ranges of
// one (see ordered). SQLite needs only to be told the order of the join.

// lookUp is the from clause of the rows of a table, called r, whose key is $1 and
// whose column is one of u's ids.
func (s *Store) lookUp(u, table, key, column string) string {
	if s.pg != nil {
		return u + " cross join lateral (select * from " + table + " x where x." + key + " = $1 and x." + column + " = u.id limit 1) as r where true"
	}
	return u + " cross join " + table + " r where r." + key + " = $1 and r." + column + " = u.id"
}

// ordered runs a read that must follow an index from one end. With nothing else to
// choose from, it does: a bitmap would have to be sorted.
func (s *Store) ordered(ctx context.Context, tx linkspan.Tx, f func(ctx context.Context, q queryer) error) error {
	switch {
	case s.pg == nil:
		return f(ctx, s.read(tx))
	case tx == nil:
		return f(ctx, pgWithoutBitmaps{pgQueryer{run: s.pg}, s.pg})
	}
	t := asTxn(tx)
	if _, err := t.exec(ctx, noBitmaps); err != nil {
		return err
	}
	return f(ctx, t)
}

// idList is a list of texts called u, from a JSON array.
func (s *Store) idList(param string) string {
	if s.pg != nil {
		return "(select cast(e as text) as id from jsonb_array_elements_text(cast(" + param + " as jsonb)) as e) as u"
	}
	return "(select value as id from json_each(" + param + ")) as u"
}

// RecordRows returns the records of a stream with the ids, which are distinct, in
// no order. Their payloads are read only on request.
func (s *Store) RecordRows(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, ids []string, payloads bool) ([]linkspan.RecordRow, error) {
	const op = "RecordRows"
	list, err := jsonText(ids)
	if err != nil {
		return nil, wrap(op, err)
	}
	payload := "null"
	if payloads {
		payload = "r.payload"
	}
	found, err := all(ctx, s.read(tx), func(row scanner) (r sealedRecord, err error) {
		return r, row.Scan(append(recordDest(&r.Record), hashInto{&r.Hash}, &r.Run, &r.Size, &r.sealed)...)
	}, "select "+recordColumns+", r.hash, r.run_id, coalesce(length(r.payload), 0), "+payload+" from "+s.lookUp(s.idList("$2"), "records", "stream_id", "external_id"), stream.ID, list)
	if err != nil {
		return nil, wrap(op, err)
	}
	rows := make([]linkspan.RecordRow, len(found))
	for i := range found {
		if err := s.openRecord(ctx, tx, stream, &found[i]); err != nil {
			return nil, wrap(op, err)
		}
		rows[i] = found[i].RecordRow
	}
	return rows, nil
}

func recordBulk() bulk {
	return bulk{
		table: "records",
		columns: []column{
			{"stream_id", "bigint"},
			{"external_id", "text"},
			{"position", "bigint"},
			{"action", "text"},
			{"hash", "bytea"},
			{"payload", "bytea"},
			{"run_id", "bigint"},
			{"first_seen_at", "bigint"},
		},
		tail: `on conflict (stream_id, external_id) do update set position = excluded.position, action = excluded.action,
			hash = excluded.hash, payload = excluded.payload, run_id = excluded.run_id, deleted_at = null, pruned_at = null`,
	}
}

// PutRecords adds records to a locked stream, or replaces them, except for when
// they were first seen.
func (s *Store) PutRecords(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, rows []linkspan.RecordRow) error {
	b := recordBulk()
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		values := make([]any, 0, len(rows)*len(b.columns))
		for i := range rows {
			r := &rows[i]
			sealed, err := s.sealText(ctx, t, stream.EnvironmentID, recordPlace(stream, r.ID), r.Payload.Reveal())
			if err != nil {
				return err
			}
			values = append(values, stream.ID, r.ID, int64(r.Position), string(r.Action), r.Hash[:], sealed, int64(r.Run), micros(r.FirstSeenAt))
		}
		return t.insert(ctx, b, values)
	})
	return wrap("PutRecords", err)
}

// DeleteRecords marks records of a locked stream as deleted.
func (s *Store) DeleteRecords(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, run linkspan.RunID, moves []linkspan.RecordMove) error {
	pairs := make([]byte, 0, 40*len(moves))
	for i, m := range moves {
		pairs = append(pairs, "[,"[min(i, 1)], '[')
		pairs = strconv.AppendInt(pairs, int64(m.From), 10)
		pairs = append(pairs, ',')
		pairs = append(strconv.AppendInt(pairs, int64(m.To), 10), ']')
	}
	pairs = append(pairs, ']')
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		// Not an update with a join: of that SQLite reads the whole stream, once for
		// each move. The order of a cross join it leaves alone.
		n, err := t.exec(ctx, `insert into records (stream_id, external_id, position, action, hash, run_id, first_seen_at)
			select r.stream_id, r.external_id, u.at, 'DELETED', r.hash, cast($3 as bigint), r.first_seen_at
			from `+s.lookUp(s.dialect.pairs("$2"), "records", "stream_id", "position")+`
			on conflict (stream_id, external_id) do update set position = excluded.position, deleted_at = excluded.position,
				action = excluded.action, run_id = excluded.run_id`, stream.ID, string(pairs), int64(run))
		if err == nil && n != int64(len(moves)) {
			err = fmt.Errorf("%d of %d records were there", n, len(moves))
		}
		return err
	})
	return wrap("DeleteRecords", err)
}

// near and further say how far a search for actions looks: at so many records for each
// that is wanted, and if they are too few at so many times as many.
const (
	near    = 4
	further = 8
)

// Records returns the selected records of a stream in the order of their
// positions, and the position after which there may be more; zero: there are none.
func (s *Store) Records(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, f linkspan.RecordFilter) ([]linkspan.Record, linkspan.RecordPosition, error) {
	most := f.Walk
	if len(f.Actions) == 0 || len(f.IDs) > 0 {
		most = 0
	}
	// What is asked for is mostly near, and to find where a long walk ends takes many
	// times as long as to read a page.
	for f.Walk = min(most, near*f.Limit); ; f.Walk = min(most, further*f.Walk) {
		records, next, full, err := s.walk(ctx, tx, stream, f)
		if err != nil || full || next == 0 || f.Walk == most || len(records) == f.Limit {
			return records, next, wrap("Records", err)
		}
	}
}

// walk is Records that looks at no more than f.Walk records, whatever is found; full:
// there were more than there was room for.
func (s *Store) walk(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, f linkspan.RecordFilter) (records []linkspan.Record, next linkspan.RecordPosition, full bool, err error) {
	c := &conditions{}
	from := "records r where r.stream_id = " + c.arg(stream.ID)
	if len(f.IDs) > 0 {
		list, err := jsonText(f.IDs)
		if err != nil {
			return nil, 0, false, err
		}
		from = s.lookUp(s.idList(c.arg(list)), "records", "stream_id", "external_id")
	}
	c.add("r.position > " + c.arg(int64(f.After)))
	if len(f.Actions) > 0 {
		if err := c.in(s.dialect, "r.action", texts(f.Actions)); err != nil {
			return nil, 0, false, err
		}
	}
	if f.Walk > 0 {
		if next, err = s.walkEnd(ctx, tx, stream, f); err != nil {
			return nil, 0, false, err
		}
	}
	if next != 0 {
		c.add("r.position <= " + c.arg(int64(next)))
	}
	query := "select " + recordColumns + ", r.payload from " + from + " and " + c.where() + " order by r.position limit cast(" + c.arg(f.Limit+1) + " as bigint)"
	if records, full, err = s.page(ctx, tx, stream, f, query, c.args); full {
		next = records[len(records)-1].Position
	}
	return records, next, full, err
}

// walkEnd returns the position of the last of f.Walk records if there are more; no
// index knows their actions. What moves on before they are read comes behind them.
func (s *Store) walkEnd(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, f linkspan.RecordFilter) (linkspan.RecordPosition, error) {
	var ends []linkspan.RecordPosition
	err := s.ordered(ctx, tx, func(ctx context.Context, q queryer) (err error) {
		ends, err = all(ctx, q, value[linkspan.RecordPosition], `select position from records where stream_id = $1 and position > $2
			order by position limit 2 offset cast($3 as bigint)`, stream.ID, int64(f.After), f.Walk-1)
		return err
	})
	if err != nil || len(ends) < 2 {
		return 0, err
	}
	return ends[0], nil
}

// page reads rows until the limit or the size is reached. On SQLite nothing is
// read ahead; PostgreSQL sends what it has, so it is told when to stop.
func (s *Store) page(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, f linkspan.RecordFilter, query string, args []any) ([]linkspan.Record, bool, error) {
	if s.pg != nil {
		args = append(args, f.Bytes)
		query = "select " + recordColumns + `, r.payload from (
			select x.*, sum(coalesce(length(x.payload), 0)) over (order by x.position rows between unbounded preceding and 2 preceding) as before
			from (` + query + `) as x) as r where coalesce(r.before, 0) < $` + strconv.Itoa(len(args)) + " order by r.position"
	}
	buffer, _ := sealedBuffers.Get().(*[]byte)
	p := sealedPage{sealed: (*buffer)[:0]}
	defer func() {
		if *buffer = p.sealed; cap(p.sealed) <= pooledSealed {
			sealedBuffers.Put(buffer)
		}
	}()
	if err := s.ordered(ctx, tx, func(ctx context.Context, q queryer) error { return p.scan(ctx, q, f, query, args) }); err != nil {
		return nil, false, err
	}
	if err := s.openPage(ctx, tx, stream, &p); err != nil {
		return nil, false, err
	}
	return p.records, p.more, nil
}

// pooledSealed is the most memory of a page that is used again, in bytes: about ten
// times what a usual one needs.
const pooledSealed = 1 << 20

//nolint:gochecknoglobals // a pool is shared by nature and holds no state
var sealedBuffers = sync.Pool{New: func() any { return new([]byte) }}

// sealedPage is a page whose payloads are not opened.
type sealedPage struct {
	records []linkspan.Record
	more    bool
	// sealed has the payloads one behind the other, ends where each is over.
	sealed []byte
	ends   []int
}

// pageRecords is for how many records there is room from the beginning.
const pageRecords = 100

func (p *sealedPage) scan(ctx context.Context, q queryer, f linkspan.RecordFilter, query string, args []any) error {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var (
		r      linkspan.Record
		sealed sql.RawBytes
	)
	dest := append(recordDest(&r), &sealed)
	room := min(f.Limit, pageRecords)
	p.records, p.ends = make([]linkspan.Record, 0, room), make([]int, 0, room)
	for rows.Next() {
		if len(p.records) == f.Limit || len(p.sealed) >= f.Bytes {
			p.more = true
			return nil
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		p.records = append(p.records, r)
		p.sealed = append(p.sealed, sealed...)
		p.ends = append(p.ends, len(p.sealed))
	}
	return rows.Err()
}

// openPage opens the payloads of a page. It may have to read a key: no other query
// must be under way.
func (s *Store) openPage(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, p *sealedPage) error {
	var (
		text  []byte
		begin int
		err   error
	)
	for i, end := range p.ends {
		if sealed := p.sealed[begin:end]; len(sealed) > 0 {
			r := &p.records[i]
			if text, err = s.vault.AppendOpened(ctx, tx, stream.EnvironmentID, recordPlace(stream, r.ID), text[:0], sealed); err != nil {
				return err
			}
			r.Payload = linkspan.NewSecret(string(text))
		}
		begin = end
	}
	return nil
}

// PruneRecords empties the payloads of at most limit records of a locked stream
// that were changed at a position or before, stores how far that reached, and
// returns how many there were.
func (s *Store) PruneRecords(ctx context.Context, tx linkspan.Tx, stream *linkspan.RecordStreamRow, until linkspan.RecordPosition, limit int) (int, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		if until <= stream.Pruned {
			return nil
		}
		var positions []linkspan.RecordPosition
		if err := s.ordered(ctx, t, func(ctx context.Context, q queryer) (err error) {
			positions, err = all(ctx, q, value[linkspan.RecordPosition], `select position from records where stream_id = $1 and position > $2
				and position <= $3 and payload is not null order by position limit $4`, stream.ID, int64(stream.Pruned), int64(until), limit)
			return err
		}); err != nil {
			return err
		}
		if len(positions) == limit && limit > 0 {
			until = positions[limit-1]
		}
		var err error
		if len(positions) > 0 {
			if n, err = t.exec(ctx, "update records set payload = null, pruned_at = "+s.dialect.now+`
				where stream_id = $1 and position > $2 and position <= $3 and payload is not null`, stream.ID, int64(stream.Pruned), int64(until)); err != nil {
				return err
			}
		}
		stream.Pruned = until
		return s.SaveRecordStream(ctx, t, stream)
	})
	return int(n), wrap("PruneRecords", err)
}
