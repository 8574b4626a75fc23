package connect_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

var (
	asNeeded = connect.FreshOptions{}
	forced   = connect.FreshOptions{Force: true}
	rejected = connect.FreshOptions{Rejected: true}
)

func refused() fault {
	return fault{status: http.StatusBadRequest, body: `{"error":"invalid_grant","error_description":"revoked"}`}
}

func down() fault { return fault{status: http.StatusServiceUnavailable, body: "<html>"} }

func unreachable() fault { return fault{err: errors.New("connection refused")} }

func page() fault { return fault{status: http.StatusOK, body: "<html>Maintenance</html>"} }

// TestStampede lets 200 callers on two replicas find an expired token whose
// refresh token works once.
func TestStampede(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.authority.delay = 700 * time.Millisecond
		w.importToken(-time.Minute)
		tokens := make([]string, 200)
		errs := make([]error, len(tokens))
		var callers sync.WaitGroup
		for i := range tokens {
			callers.Go(func() { tokens[i], errs[i] = w.replicas[i%2].get(t.Context(), asNeeded) })
		}
		callers.Wait()
		for i := range tokens {
			if errs[i] != nil || tokens[i] != "at-1" {
				t.Fatalf("caller %d got %q, %v", i, tokens[i], errs[i])
			}
		}
		w.wantCalls(1)
	})
}

// TestUsableTokenDoesNotWait has a slow refresh of a token that still works.
func TestUsableTokenDoesNotWait(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.authority.delay = 10 * time.Second
		w.importToken(10 * time.Minute)
		first := make(chan string)
		go func() {
			token, _ := w.replicas[0].get(t.Context(), asNeeded)
			first <- token
		}()
		synctest.Wait()
		began := time.Now()
		w.want(w.replicas[0], asNeeded, "at-old")
		w.want(w.replicas[1], asNeeded, "at-old")
		if waited := time.Since(began); waited > time.Second {
			t.Errorf("callers with a usable token waited %v", waited)
		}
		if token := <-first; token != "at-1" {
			t.Errorf("the caller that refreshed got %q", token)
		}
		w.want(w.replicas[0], asNeeded, "at-1")
		w.wantCalls(1)
	})
}

func TestWhenRefreshIsDue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		expires time.Duration
		o       connect.FreshOptions
		want    string
	}{
		{"far from expiry", time.Hour, asNeeded, "at-old"},
		{"within a quarter of an hour", 14 * time.Minute, asNeeded, "at-1"},
		{"expired", -time.Minute, asNeeded, "at-1"},
		{"forced", time.Hour, forced, "at-1"},
		{"rejected", time.Hour, rejected, "at-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(_ *testing.T, w *world) {
				w.importToken(tt.expires)
				w.want(w.replicas[0], tt.o, tt.want)
			})
		})
	}
}

func TestWithoutRefreshTokenNothingIsRefreshed(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		_, err := w.replicas[0].Import(t.Context(), environment(), connect.ImportInput{
			IntegrationKey: "acme", Name: "c", Credentials: credential.NewOAuth2("at-old", "", w.db.now().Add(-time.Hour)),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.want(w.replicas[0], asNeeded, "at-old")
		w.want(w.replicas[0], forced, "at-old")
		w.wantCalls(0)
		due, err := w.replicas[0].node.ConnectionsToRefresh(t.Context(), nil, w.db.now().Add(time.Hour), 0, 10)
		if err != nil || len(due) != 0 {
			t.Errorf("the background is offered %+v, %v", due, err)
		}
	})
}

func TestTokenWithoutLifetimeIsKept(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(_ *testing.T, w *world) {
		w.authority.lifetime = 0
		w.importToken(-time.Minute)
		w.want(w.replicas[0], asNeeded, "at-1")
		w.db.skip(48 * time.Hour)
		w.want(w.replicas[0], asNeeded, "at-1")
		w.wantCalls(1)
	})
}

func TestRotationGoesOn(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(_ *testing.T, w *world) {
		w.importToken(-time.Minute)
		for i, token := range []string{"at-1", "at-2", "at-3"} {
			w.want(w.replicas[i%2], asNeeded, token)
			w.db.skip(50 * time.Minute)
		}
		w.wantCalls(3)
	})
}

// TestUsableTokenSurvivesTrouble covers failures that say nothing against the
// present token.
func TestUsableTokenSurvivesTrouble(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{"down": down(), "unreachable": unreachable(), "page": page()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(_ *testing.T, w *world) {
				w.importToken(10 * time.Minute)
				w.authority.fail(f)
				w.want(w.replicas[0], asNeeded, "at-old")
				w.want(w.replicas[0], asNeeded, "at-old") // cooldown
				w.wantCalls(1)
				pass(31 * time.Second)
				w.want(w.replicas[0], asNeeded, "at-1")
				w.wantCalls(2)
			})
		})
	}
}

func TestExpiredTokenAndTrouble(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(_ *testing.T, w *world) {
		w.importToken(-time.Minute)
		w.authority.fail(down())
		w.wantError(w.replicas[0], asNeeded, connect.CodeRefreshFailed, http.StatusBadRequest)
		w.wantError(w.replicas[0], asNeeded, connect.CodeRefreshBackoff, http.StatusFailedDependency)
		pass(time.Second)
		w.wantError(w.replicas[1], asNeeded, connect.CodeRefreshBackoff, http.StatusFailedDependency)
		w.wantError(w.replicas[1], rejected, connect.CodeRefreshBackoff, http.StatusFailedDependency)
		w.wantCalls(1)
		pass(30 * time.Second)
		w.want(w.replicas[1], asNeeded, "at-1")
		w.wantCalls(2)
	})
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(10 * time.Minute)
		w.authority.fail(refused())
		r := w.replicas[0]
		e := w.wantError(r, asNeeded, connect.CodeRefreshFailed, http.StatusBadRequest)
		if !strings.Contains(e.Msg, "invalid_grant") || !strings.Contains(e.Msg, "revoked") || e.Hint == "" {
			t.Errorf("the message %q (hint %q) does not say why and what to do", e.Msg, e.Hint)
		}
		_, err := r.get(t.Context(), asNeeded)
		blocked, ok := errors.AsType[*connect.RefreshError](err)
		if !ok || blocked.Target.Connection.Name != "c" || blocked.Err.Code != connect.CodeRefreshBackoff {
			t.Fatalf("error = %v, want a RefreshError with its connection", err)
		}
		failed := connect.Errors(&blocked.Target.Connection)
		ops := w.records.of(linkspan.ActionRefreshToken)
		if len(failed) != 1 || failed[0].Type != "auth" || len(ops) != 1 || failed[0].LogID != ops[0].ID {
			t.Errorf("errors %+v do not name the operation of %+v", failed, ops)
		}
		if ops[0].State != linkspan.StateFailed || ops[0].Error.Code != connect.CodeRefreshFailed {
			t.Errorf("operation %+v, want one that failed with %s", ops[0], connect.CodeRefreshFailed)
		}
		w.want(r, forced, "at-1") // a forced refresh does not wait for the cooldown
		target, err := r.Live(t.Context(), envID, "acme", "c")
		if err != nil || len(connect.Errors(&target.Connection)) != 0 {
			t.Errorf("after a success the connection has errors %v (%v)", connect.Errors(&target.Connection), err)
		}
	})
}

func TestExhaustion(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		r := w.replicas[0]
		for range 4 {
			w.authority.fail(refused(), down())
			w.wantError(r, asNeeded, connect.CodeRefreshFailed, http.StatusBadRequest)
			w.db.skip(time.Minute)
			if e, _ := errors.AsType[*linkspan.Error](second(r.get(t.Context(), asNeeded))); e == nil {
				t.Fatal("a failure on the same day succeeded")
			}
			w.db.skip(24 * time.Hour)
		}
		calls := w.authority.count()
		w.wantError(r, asNeeded, connect.CodeRefreshExhausted, http.StatusFailedDependency)
		w.wantError(r, rejected, connect.CodeRefreshExhausted, http.StatusFailedDependency)
		if err := r.RefreshDue(t.Context()); err != nil {
			t.Error(err)
		}
		w.wantCalls(calls)
		w.authority.faults = nil
		w.importToken(-time.Minute)
		w.want(r, asNeeded, "at-1")
	})
}

// TestClockAhead has a failure noted by a replica whose clock is a day ahead.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(_ *testing.T, w *world) {
		w.authority.fail(down())
		w.db.skip(24 * time.Hour)
		w.importToken(-time.Minute)
		w.wantError(w.replicas[0], asNeeded, connect.CodeRefreshFailed, http.StatusBadRequest)
		w.db.skip(-24 * time.Hour)
		w.want(w.replicas[0], forced, "at-1")
		w.authority.fail(down())
		w.db.skip(24 * time.Hour)
		w.wantError(w.replicas[0], forced, connect.CodeRefreshFailed, http.StatusBadRequest)
		w.db.skip(-23*time.Hour - 10*time.Minute)
		w.want(w.replicas[0], rejected, "at-2")
	})
}

func second[T any](_ T, err error) error { return err }

// TestOwnOutageExhaustsNothing has no network for a week.
func TestOwnOutageExhaustsNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(_ *testing.T, w *world) {
		w.importToken(-time.Minute)
		for range 7 {
			w.authority.fail(unreachable())
			w.wantError(w.replicas[0], asNeeded, connect.CodeRefreshFailed, http.StatusBadRequest)
			w.db.skip(24 * time.Hour)
		}
		w.want(w.replicas[0], asNeeded, "at-1")
	})
}

func TestForcedRefreshesAtOnceAreOne(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.authority.delay = time.Second
		w.importToken(time.Hour)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				if token, err := w.replicas[0].get(t.Context(), forced); err != nil || token != "at-1" {
					t.Errorf("got %q, %v", token, err)
				}
			})
		}
		callers.Wait()
		w.wantCalls(1)
		w.want(w.replicas[0], forced, "at-2")
	})
}

// TestRejectionOfNewCredentials has a provider that answers 401 to whatever it
// does not permit.
func TestRejectionOfNewCredentials(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(_ *testing.T, w *world) {
		w.importToken(time.Hour)
		r := w.replicas[0]
		for range 5 {
			w.want(r, rejected, "at-1")
		}
		w.wantCalls(1)
		w.db.skip(time.Minute)
		w.want(r, rejected, "at-2")
	})
}

// TestRunWaitsForRefreshes stops a replica while the provider answers.
func TestRunWaitsForRefreshes(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		w.authority.delay = 5 * time.Second
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = w.replicas[0].Run(ctx)
		}()
		go func() { _ = second(w.replicas[0].get(t.Context(), asNeeded)) }()
		synctest.Wait()
		stop()
		<-done
		c, err := w.replicas[0].node.Connection(t.Context(), nil, envID, "acme", "c")
		if err != nil || !strings.Contains(c.Credentials.Reveal(), "at-1") {
			t.Errorf("the new token was not stored before Run returned (%v)", err)
		}
	})
}
