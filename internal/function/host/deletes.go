package host

import (
	"context"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
)

// deleted records and answers what was found to be gone.
func (x *Session) deleted(method, model string, ids []string) call.Deleted {
	if ids == nil {
		ids = []string{}
	}
	x.wrote(method, model, linkspan.RecordCounts{Deleted: int64(len(ids))})
	return call.Deleted{DeletedKeys: ids}
}

// trackStart begins to note which records of a model are saved; when it began
// before, that goes on.
func (x *Session) trackStart(ctx context.Context, p call.Model) (any, error) {
	st, err := x.stream(ctx, p.Model)
	if err != nil {
		return nil, err
	}
	return nil, x.s.c.Records.TrackStart(ctx, st, x.info.Sync.Run)
}

// trackEnd deletes the records that were there before trackStart and were not
// saved since.
func (x *Session) trackEnd(ctx context.Context, p call.Model) (any, error) {
	st, err := x.stream(ctx, p.Model)
	if err != nil {
		return nil, err
	}
	ids, err := x.s.c.Records.TrackEnd(ctx, st, x.info.Sync.Run)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, call.NotTracked(p.Model, err)
	}
	if err != nil {
		return nil, err
	}
	return x.deleted("trackDeletesEnd", p.Model, ids), nil
}

// deleteUnseen deletes the records that were there before the run and that it did
// not save, once. It must have seen everything: a run that goes on from a checkpoint, or
// that leaves one for another to go on from, has not. A checkpoint that it never looks
// at, of an earlier version of the function or of a webhook, is none to go on from.
func (x *Session) deleteUnseen(ctx context.Context, p call.Unseen) (any, error) {
	const op, method = "host.deleteUnseen", "deleteRecordsFromPreviousExecutions"
	st, err := x.stream(ctx, p.Model.Model)
	if err != nil {
		return nil, err
	}
	if !x.window() {
		return nil, call.NotNoted()
	}
	switch partial := x.partial(); {
	case partial && p.Automatic:
		x.info.Op.Message(linkspan.Message{Level: "warn", Text: call.PartialWarning(p.Model.Model)})
		return call.Deleted{DeletedKeys: []string{}}, nil
	case partial:
		return nil, call.Partial()
	}
	if !x.sweeping(p.Model.Model) {
		return call.Deleted{DeletedKeys: []string{}}, nil
	}
	ids, err := x.s.c.Records.DeleteUnseen(ctx, st, x.info.Sync.Run)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, linkspan.E(op, linkspan.KindNotFound, "records_removed", err,
			"Nothing of the model %q was deleted: its records were removed while this run was under way.", p.Model.Model).
			WithHint("The next run compares again.")
	}
	if err != nil {
		return nil, err
	}
	if p.Automatic {
		return x.deleted("trackDeletes", p.Model.Model, ids), nil
	}
	return x.deleted(method, p.Model.Model, ids), nil
}

// sweeping reports whether the run has not begun to delete the unseen records of
// the model yet, and notes that it has. Once that is done it is forgotten which ones
// were saved: the second time all would go.
func (x *Session) sweeping(model string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.swept[model] {
		return false
	}
	x.swept[model] = true
	return true
}

// partial reports whether the run went on from a checkpoint, or saved one.
func (x *Session) partial() bool {
	x.checkpoints.Lock()
	defer x.checkpoints.Unlock()
	return x.resumed || x.saved
}
