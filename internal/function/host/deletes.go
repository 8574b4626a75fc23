package host

import (
	"context"
	"fmt"

	"github.com/linkspan/linkspan"
)

// deletedReply answers with the ids of what was deleted.
type deletedReply struct {
	DeletedKeys []string `json:"deletedKeys"`
}

// deleted records and answers what was found to be gone.
func (x *Session) deleted(method, model string, ids []string) deletedReply {
	if ids == nil {
		ids = []string{}
	}
	x.wrote(method, model, linkspan.RecordCounts{Deleted: int64(len(ids))})
	return deletedReply{ids}
}

// trackStart begins to note which records of a model are saved; when it began
// before, that goes on.
func (x *Session) trackStart(ctx context.Context, p modelParams) (any, error) {
	st, err := x.stream(ctx, p.Model)
	if err != nil {
		return nil, err
	}
	return nil, x.s.c.Records.TrackStart(ctx, st, x.info.Sync.Run)
}

// trackEnd deletes the records that were there before trackStart and were not
// saved since.
func (x *Session) trackEnd(ctx context.Context, p modelParams) (any, error) {
	st, err := x.stream(ctx, p.Model)
	if err != nil {
		return nil, err
	}
	ids, err := x.s.c.Records.TrackEnd(ctx, st, x.info.Sync.Run)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, linkspan.E("host.trackEnd", linkspan.KindNotFound, "track_deletes_not_started", err,
			"No track deletes starting point found for model '%s'.", p.Model).WithHint("Call nango.trackDeletesStart before the first record is saved.")
	}
	if err != nil {
		return nil, err
	}
	return x.deleted("trackDeletesEnd", p.Model, ids), nil
}

// unseenParams is what the prelude asks of "delete_unseen".
type unseenParams struct {
	modelParams

	// Automatic says that the definition asks for it, and not the function.
	Automatic bool `json:"automatic"`
}

// deleteUnseen deletes the records that were there before the run and that it did
// not save, once. It must have seen everything: a run that goes on from a checkpoint, or
// that leaves one for another to go on from, has not. A checkpoint that it never looks
// at, of an earlier version of the function or of a webhook, is none to go on from.
func (x *Session) deleteUnseen(ctx context.Context, p unseenParams) (any, error) {
	const op, method = "host.deleteUnseen", "deleteRecordsFromPreviousExecutions"
	st, err := x.stream(ctx, p.Model)
	if err != nil {
		return nil, err
	}
	if !x.window() {
		return nil, linkspan.E(op, linkspan.KindInvalid, "not_available", nil,
			"nango.%s does not work here: it was not noted which records this run saved.", method).
			WithHint("Call nango.%s by this name in the sync's exec, or use nango.trackDeletesStart and nango.trackDeletesEnd.", method)
	}
	switch partial := x.partial(); {
	case partial && p.Automatic:
		x.info.Op.Message(linkspan.Message{Level: "warn", Text: fmt.Sprintf(
			"trackDeletes does not go together with checkpoints: nothing of the model %s was deleted. Use nango.trackDeletesStart and nango.trackDeletesEnd.", clip(p.Model, maxModel))})
		return deletedReply{[]string{}}, nil
	case partial:
		return nil, linkspan.E(op, linkspan.KindInvalid, "checkpoint_in_use", nil,
			"nango.%s does not go together with checkpoints: a run that goes on where another one ended saves only a part.", method).
			WithHint("Use nango.trackDeletesStart and nango.trackDeletesEnd.")
	}
	if !x.sweeping(p.Model) {
		return deletedReply{[]string{}}, nil
	}
	ids, err := x.s.c.Records.DeleteUnseen(ctx, st, x.info.Sync.Run)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, linkspan.E(op, linkspan.KindNotFound, "records_removed", err,
			"Nothing of the model %q was deleted: its records were removed while this run was under way.", p.Model).
			WithHint("The next run compares again.")
	}
	if err != nil {
		return nil, err
	}
	if p.Automatic {
		return x.deleted("trackDeletes", p.Model, ids), nil
	}
	return x.deleted(method, p.Model, ids), nil
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
