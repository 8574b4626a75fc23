package connect_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/upstream"
)

// events are a customer's functions at events.
type events struct {
	// refuse is what validation says, metadata what it sets.
	refuse   error
	metadata map[string]any
	// during, if set, is called while functions run.
	during func()
	// calls are the events with what they were about.
	calls []string
	// judged is the last candidate.
	judged *upstream.Target
	// store gets the runs that follow. Nil: they are only noted.
	store *store.Store
}

func (e *events) note(what, name string) {
	e.calls = append(e.calls, what+" "+name)
	if e.during != nil {
		e.during()
	}
}

func (e *events) Validate(_ context.Context, t *upstream.Target) (map[string]any, error) {
	e.judged = t
	e.note("validate", t.Connection.Name)
	if e.refuse != nil {
		return nil, e.refuse
	}
	return maps.Clone(e.metadata), nil
}

func (e *events) Creating(context.Context, linkspan.EnvironmentID, string) (func(context.Context, linkspan.Tx, *linkspan.Connection) error, error) {
	return func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
		if c.ID == 0 || tx == nil {
			return errors.New("nothing was stored that functions could follow")
		}
		e.calls = append(e.calls, "created "+c.Name)
		if e.store == nil {
			return nil
		}
		return e.store.InsertRuns(ctx, tx, []*linkspan.Run{{
			UUID: linkspan.NewUUID(), EnvironmentID: c.EnvironmentID, ConnectionID: c.ID, Kind: linkspan.FunctionOnEvent, Name: "follow",
			Event: linkspan.EventPostConnectionCreation, ConnectionName: c.Name, ConnectionUUID: c.UUID, MaxAttempts: 1, ExpiresAt: time.Now().Add(time.Hour),
		}})
	}, nil
}

func (e *events) Deleting(_ context.Context, _ linkspan.EnvironmentID, _, name string) {
	e.note("deleting", name)
}

func invalid(text string) error {
	return linkspan.E("test", linkspan.KindInvalid, "connection_validation_failed", errors.New("cause for the log"), "%s", text)
}

// withEvents gives the only replica functions.
func (w *world) withEvents() *events {
	e := &events{}
	w.replicas[0].UseFunctions(e)
	return e
}

func (w *world) wantCallsOf(e *events, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, e.calls); diff != "" {
		w.t.Errorf("functions (-want +got):\n%s", diff)
	}
}

func TestFunctionsOfAnAuthorization(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		e := w.withEvents()
		e.metadata = map[string]any{"plan": "gold"}
		// Nothing is stored or told while they run.
		e.during = func() { w.wantHeard(); w.wantPopup("") }
		w.hooks.found = map[string]any{"cloudId": "1"}
		in := granted("hooked", token("t"))
		in.ConnectionConfig = map[string]any{"region": "eu"}
		if _, err := w.replicas[0].Authorize(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		w.wantCallsOf(e, "validate c", "created c")
		if diff := cmp.Diff(map[string]any{"region": "eu", "cloudId": "1"}, e.judged.Connection.Config); diff != "" || e.judged.Credentials.AccessToken.Reveal() != "t" {
			t.Errorf("what was judged is not what is stored:\n%s", diff)
		}
		got, err := w.replicas[0].Live(t.Context(), envID, "hooked", "c")
		if err != nil || got.Connection.Metadata["plan"] != "gold" {
			t.Errorf("metadata %v, %v", got.Connection.Metadata, err)
		}
		w.wantHeard("creation")
		w.wantNothingPending()
	})
}

// TestFunctionsRefuse has validation refuse a new connection, and then new
// credentials of one that is there: it stays as it was.
func TestFunctionsRefuse(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		e := w.withEvents()
		e.refuse = invalid("Use your company's account.")
		const popup = `{"message_type":"error","provider_config_key":"acme","connection_id":"c","error_type":"connection_validation_failed","error_desc":"Use your company's account."}`
		_, err := w.replicas[0].Authorize(t.Context(), granted("acme", token("new")))
		if linkspan.CodeOf(err) != "connection_validation_failed" {
			t.Errorf("Authorize: %v", err)
		}
		w.wantPopup(popup)
		w.wantHeard("creation!connection_validation_failed")
		if _, err := w.replicas[0].Live(t.Context(), envID, "acme", "c"); linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("a refused connection is there: %v", err)
		}

		e.refuse = nil
		in := granted("acme", token("old"))
		in.PopupID = "another"
		if _, err := w.replicas[0].Authorize(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		before, err := w.replicas[0].Live(t.Context(), envID, "acme", "c")
		if err != nil {
			t.Fatal(err)
		}
		e.refuse = invalid("Use your company's account.")
		in.Credentials, in.Reconnect = token("new"), before.Connection.ID
		if _, err := w.replicas[0].Authorize(t.Context(), in); linkspan.CodeOf(err) != "connection_validation_failed" {
			t.Errorf("Authorize: %v", err)
		}
		after, err := w.replicas[0].Live(t.Context(), envID, "acme", "c")
		if err != nil || after.Credentials.AccessToken.Reveal() != "old" || after.Connection.Refresh != before.Connection.Refresh ||
			after.Connection.CredentialsVersion != before.Connection.CredentialsVersion {
			t.Errorf("the old credentials were touched: %+v, %v", after, err)
		}
		w.wantHeard("creation!connection_validation_failed", "creation", "override!connection_validation_failed")
		w.wantCallsOf(e, "validate c", "validate c", "created c", "validate c")
		w.wantNothingPending()
	})
}

// TestFunctionsThatCantBeAsked leaves the authorization to the job.
func TestFunctionsThatCantBeAsked(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		e := w.withEvents()
		e.refuse = linkspan.E("test", linkspan.KindUnavailable, "", nil, "No room.")
		if _, err := w.replicas[0].Authorize(t.Context(), granted("acme", token("t"))); linkspan.CodeOf(err) != connect.CodePending {
			t.Errorf("Authorize: %v", err)
		}
		w.wantHeard()
		w.wantPopup("")
		e.refuse = nil
		w.finishAll(w.replicas[0])
		w.wantHeard("creation")
		w.wantPopup(popupSuccess)
		w.wantCallsOf(e, "validate c", "validate c", "created c")
	})
}

func TestFunctionsOfAnImport(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		e := w.withEvents()
		in := connect.ImportInput{IntegrationKey: "open", Name: "c", Credentials: credential.NewNone(), Metadata: map[string]any{"given": true}}
		e.refuse = invalid("Not this one.")
		if _, err := w.replicas[0].Import(t.Context(), environment(), in); linkspan.CodeOf(err) != "connection_validation_failed" {
			t.Errorf("Import: %v", err)
		}
		e.refuse, e.metadata = nil, map[string]any{"set": true}
		got, err := w.replicas[0].Import(t.Context(), environment(), in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"set": true}, got.Connection.Metadata); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
		if !maps.Equal(e.judged.Connection.Metadata, in.Metadata) {
			t.Errorf("judged with the metadata %v", e.judged.Connection.Metadata)
		}
		w.wantCallsOf(e, "validate c", "validate c", "created c")
	})
}

// TestFunctionsBeforeADeletion run before the provider hears of it, and while the
// connection is still there.
func TestFunctionsBeforeADeletion(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		e := w.withEvents()
		if _, err := w.replicas[0].Authorize(t.Context(), granted("hooked", token("t"))); err != nil {
			t.Fatal(err)
		}
		e.during = func() {
			if slices.Contains(w.hooks.calls, "pre t") {
				t.Error("the provider knows already")
			}
			if _, err := w.replicas[0].Live(t.Context(), envID, "hooked", "c"); err != nil {
				t.Errorf("the connection is gone already: %v", err)
			}
		}
		if err := w.replicas[0].Delete(t.Context(), envID, "hooked", "c"); err != nil {
			t.Fatal(err)
		}
		w.wantCallsOf(e, "validate c", "created c", "deleting c")
		if !slices.Contains(w.hooks.calls, "pre t") {
			t.Error("the provider was not told")
		}
	})
}

// TestDeletionOutlivesItsCaller has the caller leave while functions say farewell:
// what they have told others must become true.
func TestDeletionOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		e := w.withEvents()
		if _, err := w.replicas[0].Authorize(t.Context(), granted("hooked", token("t"))); err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		e.during = leave
		if err := w.replicas[0].Delete(ctx, envID, "hooked", "c"); err != nil {
			t.Errorf("the deletion ended with its caller: %v", err)
		}
		if _, err := w.replicas[0].Live(t.Context(), envID, "hooked", "c"); linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("the connection is still there: %v", err)
		}
		w.wantHeard("creation", "deletion")
	})
}

// TestDeletionSparesASuccessor has somebody delete the connection and make another
// of its name while functions say farewell.
func TestDeletionSparesASuccessor(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		e := w.withEvents()
		if _, err := w.replicas[0].Authorize(t.Context(), granted("hooked", token("old"))); err != nil {
			t.Fatal(err)
		}
		e.during = func() {
			e.during = nil
			if err := w.replicas[0].Delete(t.Context(), envID, "hooked", "c"); err != nil {
				t.Error(err)
			}
			in := granted("hooked", token("new"))
			in.PopupID = "another"
			if _, err := w.replicas[0].Authorize(t.Context(), in); err != nil {
				t.Error(err)
			}
		}
		if err := w.replicas[0].Delete(t.Context(), envID, "hooked", "c"); linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("the deletion ended with %v", err)
		}
		got, err := w.replicas[0].Live(t.Context(), envID, "hooked", "c")
		if err != nil || got.Credentials.AccessToken.Reveal() != "new" {
			t.Errorf("the connection that was made since is gone: %v", err)
		}
		if err := w.replicas[0].Delete(t.Context(), envID, "hooked", "nobody"); linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("a connection that there is not: %v", err)
		}
		w.wantCallsOf(e, "validate c", "created c", "deleting c", "deleting c", "validate c", "created c")
	})
}
