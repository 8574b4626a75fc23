package host

import (
	"context"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// Call implements sandbox.Host: it serves one call of the prelude's.
func (x *Session) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	serve := x.served(c.Name)
	if serve == nil {
		return sandbox.Reply{}, call.Refused(linkspan.E("host.Call", linkspan.KindInvalid, "unknown_call", nil, "There is no such call."))
	}
	reply, err := serve(ctx, c)
	if err != nil {
		if x.abandoned(ctx, err) {
			return sandbox.Reply{}, ctx.Err()
		}
		return sandbox.Reply{}, x.failed(ctx, c.Name, err)
	}
	return reply, nil
}

type server func(ctx context.Context, c sandbox.Call) (sandbox.Reply, error)

// served returns what serves the calls of a name.
func (x *Session) served(name string) server {
	switch name {
	case "http":
		return x.http
	case "fetch":
		return x.plainFetch
	case "connection":
		return with(x.connection)
	case "integration":
		return with(x.integration)
	case "pagination":
		return with(x.pagination)
	case "variables":
		return with(x.variables)
	case "metadata":
		return with(x.writeMetadata)
	case "action":
		return with(x.action)
	case "checkpoint_get":
		return with(x.checkpoint)
	case "checkpoint_save":
		return with(x.saveCheckpoint)
	case "checkpoint_clear":
		return with(x.clearCheckpoint)
	case "lock_acquire":
		return with(x.acquireLock)
	case "lock_release":
		return with(x.releaseLock)
	case "lock_release_all":
		return with(x.releaseLocks)
	case "sync_trigger":
		return with(x.triggerSyncs)
	case "sync_start":
		return with(x.startSyncs)
	}
	return x.servedRecords(name)
}

// with makes a server of a function from parameters to a value.
func with[P any](f func(ctx context.Context, p P) (any, error)) server {
	return func(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
		var p P
		if err := decode(c.JSON, &p); err != nil {
			return sandbox.Reply{}, err
		}
		value, err := f(ctx, p)
		if err != nil {
			return sandbox.Reply{}, err
		}
		return answer(value)
	}
}

// none is for calls without parameters.
type none struct{}

// decode reads the parameters of a call.
func decode(text []byte, into any) error { return call.Decode(text, into) }

func answer(value any) (sandbox.Reply, error) { return call.Answer(value) }

// encode writes JSON as JavaScript does, without escapes for HTML.
func encode(value any) ([]byte, error) { return call.Encode(value) }
