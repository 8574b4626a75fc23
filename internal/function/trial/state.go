package trial

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// connection answers as the World does, with the metadata of the trial if it has
// its own.
func (h *host) connection(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.Connection
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	reply, err := h.outside(ctx, c)
	if err != nil || h.o.Metadata == nil || !h.own(p.Which) {
		return reply, err
	}
	shown := make(map[string]json.RawMessage)
	if err := call.Decode(reply.JSON, &shown); err != nil || shown == nil {
		return reply, err
	}
	h.mu.Lock()
	shown["metadata"] = h.metadataText()
	h.mu.Unlock()
	return call.Answer(shown)
}

// own reports whether a connection is the one that the function runs for.
func (h *host) own(w call.Which) bool {
	return (w.IntegrationKey == "" || w.IntegrationKey == h.o.Function.Integration) && (w.Connection == "" || w.Connection == h.o.Connection)
}

// metadataText is the metadata as JSON. h.mu is held.
func (h *host) metadataText() json.RawMessage {
	text, err := call.Encode(h.metadata)
	if err != nil {
		return json.RawMessage("{}") // it was read from JSON: this can't be
	}
	return text
}

// writeMetadata keeps metadata in the trial.
func (h *host) writeMetadata(p call.Metadata) (any, error) {
	if p.Metadata == nil {
		return nil, linkspan.E("trial.metadata", linkspan.KindInvalid, "invalid_metadata", nil, "Metadata must be an object.")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[string]any, len(p.Metadata))
	if p.Merge {
		maps.Copy(next, h.metadata)
	}
	maps.Copy(next, p.Metadata)
	h.metadata, h.wroteMetadata = next, true
	return nil, nil //nolint:nilnil // there is nothing to answer
}

// getCheckpoint answers with the checkpoint, or null.
func (h *host) getCheckpoint() (sandbox.Reply, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checkpoint == nil {
		return sandbox.Reply{JSON: []byte("null")}, nil
	}
	h.resumed = true
	return sandbox.Reply{JSON: h.checkpoint}, nil
}

// saveCheckpoint keeps a checkpoint. Nobody else changes it in a trial.
func (h *host) saveCheckpoint(p call.CheckpointSave) (any, error) {
	value, err := call.Checkpoint(p.Checkpoint)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.checkpoint, h.saved = value, true
	h.mu.Unlock()
	h.say("info", "saveCheckpoint: %s", call.Clip(string(value), maxLine))
	return nil, nil //nolint:nilnil // there is nothing to answer
}

// acquireLock takes a lock. Nobody else has one in a trial.
func (h *host) acquireLock(p call.Lock) (any, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if _, err := p.TTL(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.locks[p.Key] = struct{}{}
	return true, nil
}

// releaseLock gives a lock back, and reports whether the run had it.
func (h *host) releaseLock(p call.Lock) (any, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, had := h.locks[p.Key]
	delete(h.locks, p.Key)
	return had, nil
}
