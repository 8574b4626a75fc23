package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// Call implements sandbox.Host: it serves one call of the prelude's.
func (x *Session) Call(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	serve := x.served(c.Name)
	if serve == nil {
		return sandbox.Reply{}, callError(linkspan.E("host.Call", linkspan.KindInvalid, "unknown_call", nil, "There is no such call."))
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

// decode reads the parameters of a call. Numbers in objects of any shape stay as
// they were written.
func decode(text []byte, into any) error {
	if len(text) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(into)
	if err == nil {
		_, err = decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("there is more than one value")
	}
	message := "The parameters of the call are not what it takes."
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		message = fmt.Sprintf("The parameter %q of the call is of the wrong type.", wrong.Field)
	}
	return linkspan.E("host.decode", linkspan.KindInvalid, "invalid_parameters", err, "%s", message)
}

func answer(value any) (sandbox.Reply, error) {
	text, err := encode(value)
	if err != nil {
		return sandbox.Reply{}, err
	}
	return sandbox.Reply{JSON: text}, nil
}

// encode writes JSON as JavaScript does, without escapes for HTML.
func encode(value any) ([]byte, error) {
	if raw, ok := value.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
