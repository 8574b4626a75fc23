package record

import (
	"context"
	"fmt"

	"github.com/linkspan/linkspan"
)

// Write is a change to a stream. It happens as a whole or not at all.
type Write struct {
	Stream linkspan.RecordStream
	// Fence is of the run that writes. Unless it is zero nothing is written once
	// the run is somebody else's (KindConflict, code run_lost), the changes are
	// counted for it, and they are its own for Unless.
	Fence linkspan.RunFence
	// Records is a JSON array of objects. An id is a text of 1 to 255 characters or
	// a number, which becomes a text; "_nango_metadata" is taken out. Of several
	// records with the same id the last one counts.
	Records []byte
	// Unless is for the merging strategy ignore_if_modified_after (features
	// REC-11): records that another run changed after it are left alone. They
	// count as seen and as unchanged. Zero: what is written last counts.
	Unless linkspan.RecordPosition
	// Window opens a window for the run if it has none.
	Window bool
}

// protects reports whether a record is not this write's to change.
func (w *Write) protects(old *linkspan.RecordRow) bool {
	return w.Unless != 0 && old.Position > w.Unless && (w.Fence.Run == 0 || old.Run != w.Fence.Run)
}

// Save adds records and replaces those that are not as they were. A record that
// was deleted comes back: it is added again, with the time at which it was first
// seen. Errors: KindInvalid for input of the wrong shape, KindNotFound when the
// connection is gone.
func (s *Service) Save(ctx context.Context, w Write) (linkspan.RecordCounts, error) {
	return s.write(ctx, &w, forSave, (*change).save)
}

// Update changes records by merging objects into them: members that are objects
// are merged, all others replaced, and what is not mentioned stays. Records that
// are not there, or deleted, are not changed, and count as unchanged. A record
// whose payload was pruned has nothing to merge into: it becomes what is written.
// Errors are those of Save.
func (s *Service) Update(ctx context.Context, w Write) (linkspan.RecordCounts, error) {
	return s.write(ctx, &w, forUpdate, (*change).update)
}

// Delete marks records as deleted; what they were stays readable. Only their ids
// count. Records that are not there, or deleted, count as unchanged. Errors are
// those of Save.
func (s *Service) Delete(ctx context.Context, w Write) (linkspan.RecordCounts, error) {
	return s.write(ctx, &w, forDelete, (*change).remove)
}

// write checks the input and hands it to apply in a transaction.
func (s *Service) write(ctx context.Context, w *Write, why purpose, apply func(*change, []item, map[string]*linkspan.RecordRow)) (linkspan.RecordCounts, error) {
	var none linkspan.RecordCounts
	if w.Window && w.Fence.Run == 0 {
		return none, linkspan.E("record.write", linkspan.KindInvalid, "", nil, "A window for a run needs a run.")
	}
	key, err := s.key(ctx, w.Stream.EnvironmentID)
	if err != nil {
		return none, err
	}
	h := newHasher(key)
	items, err := parse(w.Records, h, why)
	if err != nil {
		return none, err
	}
	if len(items) == 0 && !w.Window {
		return none, nil
	}
	var c *change
	err = s.store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) (err error) {
		if c, err = s.begin(ctx, tx, w); err != nil {
			return err
		}
		c.hasher = h
		if err := c.apply(ctx, items, why == forUpdate, apply); err != nil {
			return err
		}
		return c.store(ctx)
	})
	if err != nil {
		return none, fmt.Errorf("writing records: %w", err)
	}
	return c.counts, nil
}

// begin holds the run and the stream of a write, and opens its window.
func (s *Service) begin(ctx context.Context, tx linkspan.Tx, w *Write) (*change, error) {
	c := &change{service: s, tx: tx, write: w}
	if err := s.hold(ctx, tx, w.Fence); err != nil {
		return nil, err
	}
	var err error
	if c.stream, err = s.store.LockRecordStream(ctx, tx, w.Stream, true); err != nil {
		return nil, err
	}
	if w.Window && !hasWindow(&c.stream, w.Fence.Run) {
		opened, err := s.store.OpenRecordWindow(ctx, tx, &c.stream, w.Fence.Run)
		if err != nil {
			return nil, err
		}
		c.stream.Windows = append(c.stream.Windows, opened)
	}
	// Who is told of a run asks for what changed since it began.
	c.position = max(c.stream.Last, c.stream.Clock, positionOf(w.Fence.StartedAt))
	return c, nil
}

func (s *Service) hold(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error {
	if f.Run == 0 {
		return nil
	}
	return s.store.HoldRun(ctx, tx, f)
}
