package run

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
)

// TestResultsThatCantBeStored keeps the claims on what has ended but is not stored
// yet, so that nobody executes it again.
func TestResultsThatCantBeStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.execute = func(context.Context, *Execution) (Done, error) {
			return Done{Output: json.RawMessage("1"), Effects: true}, nil
		}
		w.mute = true
		first := w.service("first")
		r := w.async(t, first, 1, 3)
		stopFirst := start(t, first)
		wait(time.Second)
		stopSecond := start(t, w.service("second"))
		wait(3 * ttl)
		func() {
			defer w.lock(nil)()
			w.mute = false
		}()
		wait(time.Minute)
		stopFirst()
		stopSecond()
		if got := w.row(r.ID); got.State != linkspan.RunSucceeded || got.Attempts != 1 || len(w.began) != 1 || len(w.told()) != 1 {
			t.Errorf("%d executions, %d webhooks: %+v", len(w.began), len(w.told()), got)
		}
	})
}

// TestResultThatIsRefused holds up nobody else.
func TestResultThatIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.execute = func(context.Context, *Execution) (Done, error) {
			return Done{Output: json.RawMessage("1"), Effects: true}, nil
		}
		s := w.service("me")
		w.unstorable = w.async(t, s, 1, 3).ID
		stop := start(t, s)
		wait(3 * time.Second)
		others := []linkspan.Run{w.async(t, s, 1, 3), w.async(t, s, 2, 3)}
		wait(time.Minute)
		for _, r := range others {
			if got := w.row(r.ID); got.State != linkspan.RunSucceeded {
				t.Errorf("%+v", got)
			}
		}
		stop()
		if got := len(w.began); got != 3 {
			t.Errorf("%d executions", got)
		}
	})
}

// TestInputThatCantBeRead fails without an execution: its claim comes with an
// error.
func TestInputThatCantBeRead(t *testing.T) {
	t.Parallel()
	unreadable := &linkspan.RunError{Code: "internal_server_error", Message: "The stored input of the run can't be decrypted."}
	w := newWorld()
	d := &dispatcher{Service: w.service("me")}
	o := d.perform(t.Context(), linkspan.Run{Kind: linkspan.FunctionAction, Name: "act", Attempts: 1, MaxAttempts: 1, Error: unreadable, ExpiresAt: time.Now().Add(time.Hour)})
	if o.run.State != linkspan.RunFailed || !errors.Is(o.err, unreadable) || len(w.began) != 0 {
		t.Errorf("%d executions: %+v, %v", len(w.began), o.run, o.err)
	}
}

// TestResultsAreThoseOfActions keeps runs of functions at events from callers.
func TestResultsAreThoseOfActions(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.service("me")
	r := w.async(t, s, 1, 0)
	row := w.runs[r.ID]
	row.Kind, row.State, row.Output = linkspan.FunctionOnEvent, linkspan.RunSucceeded, linkspan.NewSecret("1")
	if output, err := s.Result(t.Context(), 1, r.UUID); codeOf(err) != "not_found" {
		t.Errorf("the result of a function at an event: %s, %v", output, err)
	}
}
