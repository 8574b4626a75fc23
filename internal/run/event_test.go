package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
)

func event(name string, e linkspan.FunctionEvent) linkspan.Function {
	return linkspan.Function{
		Kind: linkspan.FunctionOnEvent, Name: name, Enabled: true,
		Version: linkspan.FunctionVersion{Definition: linkspan.FunctionDefinition{Event: e}},
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	thrown := func(payload string) func(context.Context, *Execution) (Done, error) {
		return fail(&linkspan.RunError{Code: "action_script_runtime_error", Message: "The action script failed", Payload: json.RawMessage(payload)})
	}
	for name, test := range map[string]struct {
		execute func(context.Context, *Execution) (Done, error)
		code    string
		text    string
		kind    linkspan.Kind
		runs    int
	}{
		"accepted":      {answer(""), "", "", "", 2},
		"a message":     {thrown(`{"message":"Wrong account","error":"x"}`), "connection_validation_failed", "Wrong account", linkspan.KindInvalid, 1},
		"an error":      {thrown(`{"error":"Wrong domain"}`), "connection_validation_failed", "Wrong domain", linkspan.KindInvalid, 1},
		"nothing said":  {thrown(`{"message":7}`), "connection_validation_failed", "Connection failed validation", linkspan.KindInvalid, 1},
		"no payload":    {thrown(``), "connection_validation_failed", "Connection failed validation", linkspan.KindInvalid, 1},
		"another error": {fail(&linkspan.RunError{Code: "script_internal_error", Message: "secret", Payload: json.RawMessage(`{"message":"inside"}`)}), "connection_validation_failed", "Connection failed validation", linkspan.KindInvalid, 1},
		"our own":       {func(context.Context, *Execution) (Done, error) { return Done{}, errDown }, "connection_validation_failed", "Connection failed validation", linkspan.KindInvalid, 1},
		"no room": {
			func(context.Context, *Execution) (Done, error) {
				return Done{}, linkspan.E("x", linkspan.KindUnavailable, "", nil, "No room.")
			}, "", "No room.", linkspan.KindUnavailable, 1,
		},
		"lost once":  {lost(false, 1), "", "", "", 3},
		"lost twice": {lost(false, 2), "connection_validation_failed", "Connection failed validation", linkspan.KindInvalid, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.add(event("a", linkspan.EventValidateConnection))
			w.add(event("b", linkspan.EventValidateConnection))
			w.add(event("c", linkspan.EventPostConnectionCreation))
			w.execute = test.execute
			metadata, err := w.service("me").Validate(t.Context(), target("new"))
			if codeOf(err) != test.code || err != nil && linkspan.KindOf(err) != test.kind || len(w.began) != test.runs || metadata != nil {
				t.Fatalf("%v, %v after %d executions", metadata, err, len(w.began))
			}
			if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Msg != test.text {
				t.Errorf("the user is told %q", e.Msg)
			}
			if x := w.began[0]; !x.Pending || x.ConnectionName != "new" || x.ConnectionID != 9 || x.Function.Name != "a" || x.Limits.Wall != 5*time.Minute {
				t.Errorf("executed as %+v", x)
			}
		})
	}
}

// TestValidateMetadata has each function add to what the ones before have set.
func TestValidateMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.add(event("a", linkspan.EventValidateConnection))
	w.add(event("b", linkspan.EventValidateConnection))
	w.add(event("c", linkspan.EventValidateConnection))
	w.execute = func(ctx context.Context, x *Execution) (Done, error) {
		got, err := x.Target(ctx, connect.FreshOptions{})
		if err != nil || x.Function.Name == "c" {
			return Done{}, err
		}
		return Done{Metadata: map[string]any{"trail": fmt.Sprint(got.Connection.Metadata["trail"], x.Function.Name)}}, nil
	}
	before := target("new")
	metadata, err := w.service("me").Validate(t.Context(), before)
	must(t, err)
	if metadata["trail"] != "<nil>ab" {
		t.Errorf("metadata: %v", metadata)
	}
	if len(before.Connection.Metadata) != 1 {
		t.Error("the candidate was changed")
	}
}

// TestValidateTakesTooLong leaves the caller time to say so.
func TestValidateTakesTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add(event("a", linkspan.EventValidateConnection))
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) {
			<-ctx.Done()
			return Done{}, ctx.Err()
		}
		s := w.service("me")
		for _, test := range []struct {
			has, takes time.Duration
			kind       linkspan.Kind
		}{
			{0, 40 * time.Second, linkspan.KindInvalid},
			{time.Hour, 40 * time.Second, linkspan.KindInvalid},
			{20 * time.Second, 15 * time.Second, linkspan.KindInvalid},
			{4 * time.Second, 0, linkspan.KindUnavailable},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			if test.has != 0 {
				ctx, cancel = context.WithTimeout(t.Context(), test.has)
			}
			began := time.Now()
			_, err := s.Validate(ctx, target("new"))
			cancel()
			if took := time.Since(began); took != test.takes || linkspan.KindOf(err) != test.kind {
				t.Errorf("with %v it took %v: %v", test.has, took, err)
			}
		}
	})
}

func TestCreating(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.service("me")
	follow, err := s.Creating(t.Context(), 1, "github")
	if follow != nil || err != nil {
		t.Fatalf("something follows: %v", err)
	}
	w.add(event("a", linkspan.EventPostConnectionCreation))
	w.add(event("b", linkspan.EventPostConnectionCreation))
	w.add(event("c", linkspan.EventPreConnectionDeletion))
	follow, err = s.Creating(t.Context(), 1, "github")
	must(t, err)
	c := target("c1").Connection
	write := func(after error) error {
		return w.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
			return errors.Join(follow(ctx, tx, &c), after)
		})
	}
	if err := write(errDown); !errors.Is(err, errDown) || len(w.runs) != 0 {
		t.Fatalf("an undone transaction left %d rows: %v", len(w.runs), err)
	}
	must(t, write(nil))
	names := ""
	for _, r := range w.sorted() {
		names += r.Name
		if r.Kind != linkspan.FunctionOnEvent || r.Event != linkspan.EventPostConnectionCreation || r.ConnectionUUID != "uuid-of-c1" || r.MaxAttempts != 3 ||
			r.EnvironmentID != 1 || r.Operation == "" || r.ExpiresAt.Before(time.Now().Add(23*time.Hour)) {
			t.Errorf("a row: %+v", r)
		}
	}
	if names != "ab" || len(s.due[linkspan.LaneQuick]) != 1 {
		t.Errorf("rows of %q; the dispatcher was told %d times", names, len(s.due[linkspan.LaneQuick]))
	}
}

func TestDeleting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.service("me")
		began := time.Now()
		s.Deleting(t.Context(), 1, "github", "c1")
		w.add(event("a", linkspan.EventPreConnectionDeletion))
		w.add(event("b", linkspan.EventPreConnectionDeletion))
		s.Deleting(t.Context(), 1, "github", "nope")
		if len(w.began) != 0 {
			t.Fatalf("executed: %+v", w.began)
		}
		w.execute = fail(&linkspan.RunError{Code: "x"})
		s.Deleting(t.Context(), 1, "github", "c1")
		if len(w.began) != 2 || w.began[0].Pending {
			t.Fatalf("%d executions: a failure hinders", len(w.began))
		}
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) {
			<-ctx.Done()
			return Done{}, ctx.Err()
		}
		s.Deleting(t.Context(), 1, "github", "c1")
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
