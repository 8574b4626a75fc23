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
// saved nothing deletes all of them. It works in batches, as TrackEnd does.
func (s *Service) DeleteUnseen(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence) ([]string, error) {
	if f.Run == 0 {
		return nil, linkspan.E("record.DeleteUnseen", linkspan.KindInvalid, "", nil, "Only a run can delete what it has not seen.")
	}
	return s.sweep(ctx, st, f, f.Run)
}

// sweep ends a window.
func (s *Service) sweep(ctx context.Context, st linkspan.RecordStream, f linkspan.RunFence, owner linkspan.RunID) ([]string, error) {
	var (
		ids    []string
		window linkspan.RecordWindow
		after  linkspan.RecordPosition
	)
	for {
		var batch []linkspan.Record
		err := s.store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) (err error) {
			// Of a window that was not there at first nothing must be deleted.
			batch, err = s.sweepBatch(ctx, tx, st, f, owner, &window, after)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("deleting what was not seen: %w", err)
		}
		for i := range batch {
			ids = append(ids, batch[i].ID)
		}
		if len(batch) < s.deleteBatch {
			return ids, nil
		}
		// What was passed over stays seen, and what was deleted has moved on.
		after = batch[len(batch)-1].Position
	}
}

// sweepBatch deletes unseen records behind a position, and ends the window when
// they are the last ones. The first batch notes which window it is about.
func (s *Service) sweepBatch(ctx context.Context, tx linkspan.Tx, st linkspan.RecordStream, f linkspan.RunFence, owner linkspan.RunID,
	window *linkspan.RecordWindow, after linkspan.RecordPosition,
) ([]linkspan.Record, error) {
	c, err := s.begin(ctx, tx, &Write{Stream: st, Fence: f, Window: owner != 0 && after == 0})
	if err != nil {
		return nil, err
	}
	w, found := findWindow(&c.stream, owner)
	if !found || after != 0 && w.ID != window.ID {
		return nil, linkspan.E("record.sweep", linkspan.KindNotFound, "", nil, "There is no window of deletions for the model %s.", st.Model)
	}
	*window = w
	unseen, err := s.store.UnseenRecords(ctx, tx, &c.stream, w, after, s.deleteBatch)
	if err != nil {
		return nil, err
	}
	for i := range unseen {
		c.delete(unseen[i].Position)
	}
	if err := c.store(ctx); err != nil {
		return nil, err
	}
	if len(unseen) < s.deleteBatch {
		return unseen, s.store.EndRecordWindow(ctx, tx, w)
	}
	return unseen, nil
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
