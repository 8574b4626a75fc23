package record

import (
	"context"
	"fmt"
	"slices"

	"github.com/linkspan/linkspan"
)

func hasWindow(s *linkspan.RecordStreamRow, run linkspan.RunID) bool {
	_, found := findWindow(s, run)
	return found
}

// findWindow returns a run's own window, or for run 0 the one that outlives runs.
func findWindow(s *linkspan.RecordStreamRow, run linkspan.RunID) (linkspan.RecordWindow, bool) {
	i := slices.IndexFunc(s.Windows, func(w linkspan.RecordWindow) bool { return w.Run == run })
	if i < 0 {
		return linkspan.RecordWindow{}, false
	}
	return s.Windows[i], true
}

// TrackStart opens the stream's window unless it is open. It stays open, over any
// number of runs, until TrackEnd (features DEL-03). Errors: KindConflict when the
// fence's run may not write, KindNotFound when the connection is gone.
func (s *Service) TrackStart(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence) error {
	err := s.store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := s.hold(ctx, tx, f); err != nil {
			return err
		}
		stream, err := s.store.LockRecordStream(ctx, tx, st, true)
		if err != nil || hasWindow(&stream, 0) {
			return err
		}
		_, err = s.store.OpenRecordWindow(ctx, tx, &stream, 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("opening a window of deletions: %w", err)
	}
	return nil
}

// TrackEnd deletes the records that existed before the stream's window began and
// were not seen since, ends the window, and returns their ids. It works in batches:
// broken off, it can be called again, and returns the ids of what was left. The
// error is of KindNotFound when there is no window, and otherwise that of
// TrackStart.
func (s *Service) TrackEnd(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence) ([]string, error) {
	return s.sweep(ctx, st, f, 0)
}

// DeleteUnseen deletes the records that existed before the fence's run began and
// that it has not saved, ends the run's window, and returns their ids. A run that
// saved nothing deletes all of them, and one without a window none: what it saved
// is not known. The error is then of KindNotFound. It works in batches, as TrackEnd
// does.
func (s *Service) DeleteUnseen(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence) ([]string, error) {
	if f.Run == 0 {
		return nil, linkspan.E("record.DeleteUnseen", linkspan.KindInvalid, "", nil, "Only a run can delete what it has not seen.")
	}
	return s.sweep(ctx, st, f, f.Run)
}

// sweep is the end of a window, batch by batch.
type sweep struct {
	stream linkspan.RecordStream
	fence  linkspan.RunFence
	// owner is the window's run; zero: it has none.
	owner  linkspan.RunID
	window linkspan.RecordWindow // once the first batch was done
	after  linkspan.RecordPosition
}

func (s *Service) sweep(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence, owner linkspan.RunID) ([]string, error) {
	var ids []string
	w := sweep{stream: st, fence: f, owner: owner}
	for {
		var (
			unseen []linkspan.Record
			done   sweep
		)
		if err := s.store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) (err error) {
			unseen, done, err = s.sweepBatch(ctx, tx, w)
			return err
		}); err != nil {
			return nil, fmt.Errorf("deleting what was not seen: %w", err)
		}
		for i := range unseen {
			ids = append(ids, unseen[i].ID)
		}
		if done.after == 0 {
			return ids, nil
		}
		// What was passed over stays seen, and what was deleted has moved on.
		w = done
	}
}

// sweepBatch deletes what is unseen of the next records, and ends the window when
// they are the last ones. It returns how far the sweep has come.
func (s *Service) sweepBatch(ctx context.Context, tx linkspan.Tx, w sweep) ([]linkspan.Record, sweep, error) {
	c, err := s.begin(ctx, tx, &Write{Stream: w.stream, Fence: w.fence})
	if err != nil {
		return nil, w, err
	}
	found, ok := findWindow(&c.stream, w.owner)
	if !ok || w.window.ID != 0 && found.ID != w.window.ID { // of a later window nothing must be deleted
		return nil, w, linkspan.E("record.sweep", linkspan.KindNotFound, "", nil, "There is no window of deletions for the model %s.", w.stream.Model)
	}
	w.window = found
	var unseen []linkspan.Record
	if unseen, w.after, err = s.store.UnseenRecords(ctx, tx, &c.stream, found, w.after, s.deleteBatch); err != nil {
		return nil, w, err
	}
	for i := range unseen {
		c.delete(unseen[i].Position)
	}
	if err := c.store(ctx); err != nil {
		return nil, w, err
	}
	if w.after == 0 {
		return unseen, w, s.store.EndRecordWindow(ctx, tx, found)
	}
	return unseen, w, nil
}

// EndRun drops the windows of a run. It is part of the caller's transaction.
func (s *Service) EndRun(ctx context.Context, tx linkspan.Tx, run linkspan.RunID) error {
	if err := s.store.EndRunWindows(ctx, tx, run); err != nil {
		return fmt.Errorf("ending the windows of a run: %w", err)
	}
	return nil
}

// PassOn gives the windows of a run to the one that goes on where it was
// interrupted, so that what the first saw stays seen. It is part of the caller's
// transaction, in which no window of the other one exists yet.
func (s *Service) PassOn(ctx context.Context, tx linkspan.Tx, from, to linkspan.RunID) error {
	if err := s.store.MoveRunWindows(ctx, tx, from, to); err != nil {
		return fmt.Errorf("passing the windows of a run on: %w", err)
	}
	return nil
}
