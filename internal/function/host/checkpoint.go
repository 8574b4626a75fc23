package host

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/call"
)

func (x *Session) checkpointKey() string {
	return linkspan.CheckpointKey(x.info.Kind, x.info.Function, x.variant())
}

// stored returns the connection that the checkpoint and the records are about. It
// does not become another one, and needs no credentials that work.
func (x *Session) stored(ctx context.Context) (linkspan.ConnectionID, error) {
	if x.info.Pending {
		return 0, linkspan.E("host.checkpoint", linkspan.KindInvalid, "checkpoint_not_available", nil,
			"There is no checkpoint before the connection is stored.")
	}
	x.mu.Lock()
	id := x.connectionID
	x.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	t, err := x.target(ctx, which{}, connect.FreshOptions{})
	if err != nil {
		return 0, err
	}
	x.mu.Lock()
	x.connectionID = t.Connection.ID
	x.mu.Unlock()
	return t.Connection.ID, nil
}

// load reads the checkpoint and takes note of its version. x.checkpoints is held.
func (x *Session) load(ctx context.Context, connection linkspan.ConnectionID) (json.RawMessage, error) {
	c, err := x.s.c.Store.Checkpoint(ctx, nil, x.info.Environment.ID, connection, x.checkpointKey())
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		x.read, x.version = true, 0
		return json.RawMessage("null"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a checkpoint: %w", err)
	}
	if !x.read {
		x.first = fieldsOf(c.Value)
	}
	x.read, x.version = true, c.Version
	return c.Value, nil
}

// fieldsOf reads a checkpoint to compare it.
func fieldsOf(value json.RawMessage) map[string]any {
	fields := map[string]any{}
	if err := decode(value, &fields); err != nil {
		return map[string]any{} // what can't be read is not like any other
	}
	return fields
}

// known makes sure that the version is known. x.checkpoints is held.
func (x *Session) known(ctx context.Context, connection linkspan.ConnectionID) error {
	if x.read {
		return nil
	}
	_, err := x.load(ctx, connection)
	return err
}

// checkpoint returns the checkpoint, or null.
func (x *Session) checkpoint(ctx context.Context, _ none) (any, error) {
	connection, err := x.stored(ctx)
	if err != nil {
		return nil, err
	}
	x.checkpoints.Lock()
	defer x.checkpoints.Unlock()
	value, err := x.load(ctx, connection)
	x.resumed = x.resumed || err == nil && x.version != 0
	if y := x.info.Sync; err == nil && y != nil && y.Read != nil {
		y.Read()
	}
	return value, err
}

// saveCheckpoint stores the checkpoint at once. It fails when another run has
// changed it since this one read or wrote it. The run of a sync may end here
// (features FN-15).
func (x *Session) saveCheckpoint(ctx context.Context, p call.CheckpointSave) (any, error) {
	value, err := call.Checkpoint(p.Checkpoint)
	if err != nil {
		return nil, err
	}
	connection, err := x.stored(ctx)
	if err != nil {
		return nil, err
	}
	x.changing()
	x.checkpoints.Lock()
	defer x.checkpoints.Unlock()
	if err := x.known(ctx, connection); err != nil {
		return nil, err
	}
	version := x.version
	err = x.fenced(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		c := linkspan.Checkpoint{Key: x.checkpointKey(), Value: value, Version: x.version}
		if err := x.s.c.Store.SaveCheckpoint(ctx, tx, x.info.Environment.ID, connection, &c); err != nil {
			return checkpointError(err, "saving")
		}
		version = c.Version
		return nil
	})
	if err != nil {
		return nil, err
	}
	x.version, x.saved = version, true
	return nil, x.interrupted(ctx, !reflect.DeepEqual(fieldsOf(value), x.first))
}

// changing notes that the checkpoint of something else than a sync changes.
func (x *Session) changing() {
	if x.info.Kind != linkspan.FunctionSync {
		x.effect()
	}
}

// clearCheckpoint removes the checkpoint, if there is one.
func (x *Session) clearCheckpoint(ctx context.Context, _ none) (any, error) {
	connection, err := x.stored(ctx)
	if err != nil {
		return nil, err
	}
	x.changing()
	x.checkpoints.Lock()
	defer x.checkpoints.Unlock()
	if err := x.known(ctx, connection); err != nil {
		return nil, err
	}
	if x.version == 0 {
		return nil, nil //nolint:nilnil // there is nothing to clear
	}
	err = x.fenced(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := x.s.c.Store.DeleteCheckpoint(ctx, tx, x.info.Environment.ID, connection, x.checkpointKey(), x.version); err != nil {
			return checkpointError(err, "clearing")
		}
		return nil
	})
	if err == nil {
		x.version = 0
	}
	return nil, err
}

func checkpointError(err error, doing string) error {
	switch linkspan.KindOf(err) {
	case linkspan.KindConflict:
		return linkspan.E("host.checkpoint", linkspan.KindConflict, "checkpoint_conflict", err,
			"Error %s checkpoint: another run of this function for the same connection has changed it meanwhile.", doing)
	case linkspan.KindNotFound:
		return linkspan.E("host.checkpoint", linkspan.KindNotFound, "unknown_connection", err, "Error %s checkpoint: the connection does not exist any more.", doing)
	}
	return fmt.Errorf("%s a checkpoint: %w", doing, err)
}

// acquireLock takes a lock of the environment for this run, and reports whether
// it has it now. Who has it already has it for longer.
func (x *Session) acquireLock(ctx context.Context, p call.Lock) (any, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	ttl, err := p.TTL()
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	x.locks = true
	x.mu.Unlock()
	acquired, err := x.s.c.Store.AcquireFunctionLock(ctx, nil, x.info.Environment.ID, p.Key, x.info.Owner, ttl)
	if err != nil {
		return nil, fmt.Errorf("taking a lock: %w", err)
	}
	return acquired, nil
}

// releaseLock gives a lock back, and reports whether the run had it.
func (x *Session) releaseLock(ctx context.Context, p call.Lock) (any, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	released, err := x.s.c.Store.ReleaseFunctionLock(ctx, nil, x.info.Environment.ID, p.Key, x.info.Owner)
	if err != nil {
		return nil, fmt.Errorf("giving a lock back: %w", err)
	}
	return released, nil
}

// releaseLocks gives all locks of the run back.
func (x *Session) releaseLocks(ctx context.Context, _ none) (any, error) {
	if err := x.s.c.Store.ReleaseFunctionLocks(ctx, nil, x.info.Environment.ID, x.info.Owner); err != nil {
		return nil, fmt.Errorf("giving all locks back: %w", err)
	}
	return nil, nil //nolint:nilnil // there is nothing to answer
}
