package record

import (
	"context"
	"strconv"

	"github.com/linkspan/linkspan"
)

// change is what one transaction does to a stream that it holds.
type change struct {
	service *Service
	tx      linkspan.Tx
	write   *Write
	stream  linkspan.RecordStreamRow
	hasher  *hasher

	position linkspan.RecordPosition // the last one that was given
	counts   linkspan.RecordCounts
	put      []linkspan.RecordRow
	moves    []linkspan.RecordMove
	seen     []*linkspan.RecordRow
	refused  error // why nothing at all is to be written
}

// maxPayload is how long a record may become by updates, in bytes: what is saved at a
// time is bounded, but not what it is merged into.
const maxPayload = 4 << 20

// existing reads what is stored under the ids.
func (c *change) existing(ctx context.Context, items []item, payloads bool) (map[string]*linkspan.RecordRow, error) {
	if len(items) == 0 {
		return nil, nil
	}
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].id
	}
	rows, err := c.service.store.RecordRows(ctx, c.tx, &c.stream, ids, payloads)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*linkspan.RecordRow, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	return found, nil
}

// apply decides what becomes of the records, and writes those that are put. An
// update needs what is stored: it works through that in portions.
func (c *change) apply(ctx context.Context, items []item, payloads bool, f func(*change, []item, map[string]*linkspan.RecordRow)) error {
	found, err := c.existing(ctx, items, false)
	if err != nil {
		return err
	}
	for len(items) > 0 {
		n := len(items)
		if payloads {
			n = c.portion(items, found)
			old, err := c.existing(ctx, items[:n], true)
			if err != nil {
				return err
			}
			f(c, items[:n], old)
		} else {
			f(c, items, found)
		}
		if c.refused != nil {
			return c.refused
		}
		if err := c.flush(ctx); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// portion returns how many of the records, and at least one, can be read with their
// payloads at a time.
func (c *change) portion(items []item, found map[string]*linkspan.RecordRow) int {
	size := 0
	for i := range items {
		if old := found[items[i].id]; old != nil {
			size += old.Size
		}
		if size > c.service.updateBytes && i > 0 {
			return i
		}
	}
	return len(items)
}

// flush writes the records that are put.
func (c *change) flush(ctx context.Context) error {
	if len(c.put) == 0 {
		return nil
	}
	err := c.service.store.PutRecords(ctx, c.tx, &c.stream, c.put)
	c.put = nil
	return err
}

// next gives a position.
func (c *change) next() linkspan.RecordPosition {
	c.position++
	return c.position
}

// unchanged counts a record that stays as it is.
func (c *change) unchanged(old *linkspan.RecordRow) {
	c.counts.Unchanged++
	if old != nil && old.DeletedAt.IsZero() {
		c.seen = append(c.seen, old)
	}
}

func (c *change) save(items []item, found map[string]*linkspan.RecordRow) {
	for i := range items {
		it := &items[i]
		old := found[it.id]
		switch {
		case old == nil:
			c.add(it, nil)
		case c.write.protects(old):
			c.unchanged(old)
		case !old.DeletedAt.IsZero():
			c.add(it, old)
		case old.Hash == it.hash:
			c.unchanged(old)
		default:
			c.replace(old, it.payload, it.hash)
		}
	}
}

// add stores a record that is new, or was deleted.
func (c *change) add(it *item, old *linkspan.RecordRow) {
	at := c.next()
	r := linkspan.RecordRow{
		Record: linkspan.Record{ID: it.id, Payload: it.payload, Action: linkspan.RecordAdded, Position: at, FirstSeenAt: timeOf(at)},
		Hash:   it.hash, Run: c.write.Fence.Run,
	}
	if old != nil {
		r.FirstSeenAt = old.FirstSeenAt
	}
	c.put = append(c.put, r)
	c.counts.Added++
	c.stream.Live++
}

func (c *change) replace(old *linkspan.RecordRow, payload linkspan.Secret, hash [32]byte) {
	c.put = append(c.put, linkspan.RecordRow{
		Record: linkspan.Record{ID: old.ID, Payload: payload, Action: linkspan.RecordUpdated, Position: c.next(), FirstSeenAt: old.FirstSeenAt},
		Hash:   hash, Run: c.write.Fence.Run,
	})
	c.counts.Updated++
}

func (c *change) update(items []item, found map[string]*linkspan.RecordRow) {
	for i := range items {
		it := &items[i]
		old := found[it.id]
		if old == nil || !old.DeletedAt.IsZero() || c.write.protects(old) {
			c.unchanged(old)
			continue
		}
		payload := it.merged(old.Payload)
		if len(payload) > maxPayload {
			c.refused = linkspan.E("record.Update", linkspan.KindTooLarge, "record_too_large", nil,
				"The record %s would be %d bytes long, more than %d.", strconv.Quote(it.id), len(payload), maxPayload).
				WithHint("Save it without what is not needed; an update keeps what it does not mention.")
			return
		}
		hash := c.hasher.sum(payload)
		if hash == old.Hash {
			c.unchanged(old)
			continue
		}
		c.replace(old, linkspan.NewSecret(string(payload)), hash)
	}
}

func (c *change) remove(items []item, found map[string]*linkspan.RecordRow) {
	for i := range items {
		old := found[items[i].id]
		if old == nil || !old.DeletedAt.IsZero() || c.write.protects(old) {
			c.counts.Unchanged++
			continue
		}
		c.delete(old.Position)
	}
}

func (c *change) delete(from linkspan.RecordPosition) {
	c.moves = append(c.moves, linkspan.RecordMove{From: from, To: c.next()})
	c.counts.Deleted++
	c.stream.Live--
}

// store writes what was decided.
func (c *change) store(ctx context.Context) error {
	store := c.service.store
	if len(c.moves) > 0 {
		if err := store.DeleteRecords(ctx, c.tx, &c.stream, c.write.Fence.Run, c.moves); err != nil {
			return err
		}
	}
	if err := c.markSeen(ctx); err != nil {
		return err
	}
	if c.counts.Changed() {
		c.stream.Last = c.position
		if err := store.SaveRecordStream(ctx, c.tx, &c.stream); err != nil {
			return err
		}
	}
	if c.write.Fence.Run == 0 || c.counts == (linkspan.RecordCounts{}) {
		return nil
	}
	return store.CountRun(ctx, c.tx, c.write.Fence.Run, c.stream.Model, c.counts)
}

// markSeen notes for each window which unchanged records were seen. What changed
// after it began needs no note.
func (c *change) markSeen(ctx context.Context) error {
	for _, w := range c.stream.Windows {
		var ids []string
		for _, r := range c.seen {
			if r.Position <= w.Began {
				ids = append(ids, r.ID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		if err := c.service.store.MarkRecordsSeen(ctx, c.tx, w, ids); err != nil {
			return err
		}
	}
	return nil
}
