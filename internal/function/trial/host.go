package trial

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/function/protocol"
	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	// maxLine bounds a message's text, in bytes.
	maxLine = 10_000
	// Names of what has none in a trial.
	defaultConnection, defaultEnvironment = "test", "dev"
)

// host serves one trial.
type host struct {
	o      *Options
	now    func() time.Time
	checks *checks

	mu       sync.Mutex
	requests int
	changes  map[string]*Changes
	models   map[string]*model
	// position is that of the newest change to a record.
	position linkspan.RecordPosition
	// refused is a violation: it ends the trial whatever the function makes of it.
	refused *Failure

	checkpoint json.RawMessage
	// resumed says that the function was given a checkpoint, saved that it saved one.
	resumed, saved bool
	locks          map[string]struct{}

	metadata      map[string]any
	wroteMetadata bool
}

var _ sandbox.Host = (*host)(nil)

func newHost(o *Options) (*host, error) {
	o.Provider = cmp.Or(o.Provider, o.Function.Integration)
	o.Connection = cmp.Or(o.Connection, defaultConnection)
	o.Environment = cmp.Or(o.Environment, defaultEnvironment)
	h := &host{
		o: o, now: o.Now, changes: make(map[string]*Changes), models: make(map[string]*model), locks: make(map[string]struct{}),
	}
	if h.now == nil {
		h.now = time.Now
	}
	if len(o.Checkpoint) > 0 && string(o.Checkpoint) != "null" {
		var err error
		if h.checkpoint, err = call.Checkpoint(o.Checkpoint); err != nil {
			return nil, err
		}
	}
	if o.Metadata != nil {
		if err := call.Decode(o.Metadata, &h.metadata); err != nil || h.metadata == nil {
			return nil, linkspan.E("trial.Run", linkspan.KindInvalid, "invalid_metadata", err, "The metadata must be a JSON object, such as {\"folder\":\"inbox\"}.")
		}
	}
	if o.Validate {
		var err error
		if h.checks, err = newChecks(&o.Function); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// start is what the prelude is told.
func (h *host) start() protocol.Start {
	o := h.o
	kind, level := string(o.Function.Kind), "debug"
	if o.Webhook != nil {
		kind = "webhook"
	}
	if o.Lenient {
		level = "off"
	}
	s := protocol.Start{
		Mode: "run", Kind: o.Function.Kind, Event: o.Event, Input: o.Input, Webhook: o.Webhook, Request: o.Request, Subscriptions: o.Subscriptions,
		Level:   level,
		Variant: cmp.Or(o.Variant, linkspan.BaseVariant),
		Props: protocol.Props{
			ConnectionID: o.Connection, NangoConnectionID: o.ConnectionID, ProviderConfigKey: o.Function.Integration, Provider: o.Provider,
			EnvironmentName: o.Environment, IsCLI: true, ScriptType: kind,
		},
		Trial: &protocol.Trial{Lenient: o.Lenient, Returns: o.Returns},
	}
	if o.Function.Kind == linkspan.FunctionSync {
		s.Sync = &protocol.SyncStart{ID: o.Function.Name, Models: o.Function.Definition.Models, TrackDeletes: o.Function.Definition.TrackDeletes}
		if s.Sync.Models == nil {
			s.Sync.Models = []string{}
		}
		if !o.LastSync.IsZero() {
			s.Sync.LastSync = o.LastSync.UTC().Format(time.RFC3339Nano)
		}
	}
	return s
}

// Call implements sandbox.Host.
func (h *host) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	reply, err := h.serve(ctx, c)
	if errors.Is(err, ErrUnserved) {
		return sandbox.Reply{}, call.Refused(linkspan.E("trial.Call", linkspan.KindInvalid, "not_available", nil,
			"This is a trial: what the function asks for (%s) is not there.", c.Name))
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		return sandbox.Reply{}, call.Refused(e)
	}
	return reply, err
}

func (h *host) serve(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	switch c.Name {
	case "http", "fetch":
		h.mu.Lock()
		h.requests++
		h.mu.Unlock()
	case "connection":
		return h.connection(ctx, c)
	case "metadata":
		if h.o.Metadata != nil {
			return with(c, h.writeMetadata)
		}
	case "checkpoint_get":
		return h.getCheckpoint()
	case "checkpoint_save":
		return with(c, h.saveCheckpoint)
	case "checkpoint_clear":
		h.mu.Lock()
		h.checkpoint = nil
		h.mu.Unlock()
		return sandbox.Reply{}, nil
	case "lock_acquire":
		return with(c, h.acquireLock)
	case "lock_release":
		return with(c, h.releaseLock)
	case "lock_release_all":
		h.mu.Lock()
		clear(h.locks)
		h.mu.Unlock()
		return sandbox.Reply{}, nil
	case "records_save", "records_update", "records_delete":
		return h.write(c)
	case "records_by_ids":
		return h.recordsByID(ctx, c)
	case "records_list":
		return h.listRecords(ctx, c)
	case "records_strategy":
		return with(c, h.setStrategy)
	case "track_start":
		return with(c, h.trackStart)
	case "track_end":
		return with(c, h.trackEnd)
	case "delete_unseen":
		return with(c, h.deleteUnseen)
	}
	return h.outside(ctx, c)
}

// outside asks the World.
func (h *host) outside(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	if h.o.World == nil {
		return sandbox.Reply{}, ErrUnserved
	}
	return h.o.World.Call(ctx, c)
}

// with serves a call with a function from its parameters to a value.
func with[P any](c sandbox.Call, f func(p P) (any, error)) (sandbox.Reply, error) {
	var p P
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	value, err := f(p)
	if err != nil {
		return sandbox.Reply{}, err
	}
	return call.Answer(value)
}

// Note implements sandbox.Host.
func (h *host) Note(c sandbox.Call) {
	if h.o.World != nil {
		h.o.World.Note(c)
	}
	switch c.Name {
	case sandbox.NotesDropped:
		h.say("warn", "The function said more than is kept; the rest is missing here.")
		return
	case "log", "console":
	default:
		return
	}
	var p struct {
		Level   string          `json:"level"`
		Text    string          `json:"text"`
		Payload json.RawMessage `json:"payload"`
	}
	if h.o.Log == nil || call.Decode(c.JSON, &p) != nil {
		return // nobody to tell
	}
	switch p.Level {
	case "debug", "info", "warn", "error":
	default:
		p.Level = "info"
	}
	if string(p.Payload) == "null" {
		p.Payload = nil
	}
	h.o.Log(Message{At: h.now(), Level: p.Level, Source: "user", Text: call.Clip(p.Text, maxLine), Payload: p.Payload})
}

// say logs what is said of the function.
func (h *host) say(level, format string, args ...any) {
	if h.o.Log != nil {
		h.o.Log(Message{At: h.now(), Level: level, Source: "internal", Text: fmt.Sprintf(format, args...)})
	}
}
