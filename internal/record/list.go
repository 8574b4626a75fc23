package record

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

// pageBytes is about how large the payloads of a page may be together.
const pageBytes = 8 << 20

// Query selects records of a stream. All conditions must hold.
type Query struct {
	Stream linkspan.RecordStream
	// After is the position that they come after, Since the time.
	After linkspan.RecordPosition
	Since time.Time
	// Actions are those that count, IDs the records that do. Empty: all.
	Actions []linkspan.RecordAction
	IDs     []string
	// Limit bounds how many there are. It is at least 1.
	Limit int
}

// Page is a part of the records that a Query selects, in the order in which they
// changed.
type Page struct {
	Records []linkspan.Record
	// Next is where the next page begins. Zero: there are no more now.
	Next linkspan.RecordPosition
}

// List returns the first of the selected records. A page may have fewer than the
// limit, so that it does not become too large. It has one if there is one, unless
// there are Actions: then it may have none although there are more, so that the search
// does not take too long.
func (s *Service) List(ctx context.Context, q Query) (Page, error) {
	f := linkspan.RecordFilter{After: q.After, Actions: q.Actions, Limit: q.Limit, Bytes: pageBytes, Walk: s.walk}
	if !q.Since.IsZero() {
		f.After = max(f.After, positionOf(q.Since))
	}
	if len(q.IDs) > 0 {
		if f.IDs = storableIDs(q.IDs); len(f.IDs) == 0 {
			return Page{}, nil
		}
	}
	stream, err := s.store.RecordStream(ctx, nil, q.Stream)
	if linkspan.KindOf(err) == linkspan.KindNotFound || err == nil && stream.Last <= f.After {
		return Page{}, nil
	}
	if err != nil {
		return Page{}, fmt.Errorf("finding the stream of records: %w", err)
	}
	records, next, err := s.store.Records(ctx, nil, &stream, f)
	if err != nil {
		return Page{}, fmt.Errorf("listing records: %w", err)
	}
	return Page{Records: records, Next: next}, nil
}

// ByIDs returns the records with the ids, deleted ones too, in the order of their
// changes. Ids that are not there are missing. The error is of KindTooLarge when they
// are more than 32 MB together.
func (s *Service) ByIDs(ctx context.Context, st linkspan.RecordStream, ids []string) ([]linkspan.Record, error) {
	if ids = storableIDs(ids); len(ids) == 0 {
		return nil, nil
	}
	stream, err := s.store.RecordStream(ctx, nil, st)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding the stream of records: %w", err)
	}
	rows, err := s.rowsByIDs(ctx, &stream, ids)
	if err != nil {
		return nil, fmt.Errorf("reading records by id: %w", err)
	}
	records := make([]linkspan.Record, len(rows))
	for i := range rows {
		records[i] = rows[i].Record
	}
	slices.SortFunc(records, func(a, b linkspan.Record) int { return int(min(max(a.Position-b.Position, -1), 1)) })
	return records, nil
}

// rowsByIDs reads records with their payloads unless they are too large together.
func (s *Service) rowsByIDs(ctx context.Context, stream *linkspan.RecordStreamRow, ids []string) ([]linkspan.RecordRow, error) {
	sizes, err := s.store.RecordRows(ctx, nil, stream, ids, false)
	if err != nil {
		return nil, err
	}
	total := 0
	for i := range sizes {
		total += sizes[i].Size
	}
	if total > s.byIDsBytes {
		return nil, linkspan.E("record.ByIDs", linkspan.KindTooLarge, "records_too_large", nil,
			"The %d records are %d bytes long together, more than %d.", len(sizes), total, s.byIDsBytes).WithHint("Ask for fewer of them at a time.")
	}
	return s.store.RecordRows(ctx, nil, stream, ids, true)
}

// storableIDs leaves out what can't be the id of a record, and repetitions.
func storableIDs(ids []string) []string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !storableID(id) })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// AppendJSON appends a record as the public API shows it (wire contract §4.8):
// its payload, or only its id when that was pruned, with "_nango_metadata" as the
// last member.
func AppendJSON(dst []byte, r *linkspan.Record) []byte {
	if payload := r.Payload.Reveal(); payload != "" {
		dst = append(dst, payload[:len(payload)-1]...) // it has an id at least
	} else {
		dst = append(dst, `{"id":`...)
		dst = appendQuoted(dst, r.ID)
	}
	dst = append(dst, `,"`+metadataKey+`":{"first_seen_at":`...)
	dst = appendTime(dst, r.FirstSeenAt)
	dst = append(dst, `,"last_modified_at":`...)
	dst = appendTime(dst, timeOf(r.Position))
	dst = append(dst, `,"last_action":"`...)
	dst = append(dst, r.Action...)
	dst = append(dst, `","deleted_at":`...)
	dst = appendTime(dst, r.DeletedAt)
	dst = append(dst, `,"pruned_at":`...)
	dst = appendTime(dst, r.PrunedAt)
	dst = append(dst, `,"cursor":"`...)
	dst = appendCursor(dst, r.Position)
	return append(dst, `"}}`...)
}

// appendTime writes a time as RFC 3339 in UTC with all six digits of the
// microseconds, so that times sort as text.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, "null"...)
	}
	// Of all forms package time is quick with this one only.
	dst = t.UTC().AppendFormat(append(dst, '"'), time.RFC3339)
	micros := t.Nanosecond() / 1000
	dst[len(dst)-1] = '.' // for the Z
	for unit := 100_000; unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+micros/unit%10))
	}
	return append(dst, 'Z', '"')
}

// appendQuoted writes text as a JSON string.
func appendQuoted(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(text) {
		switch b := text[i]; {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xf])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
