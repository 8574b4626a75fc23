package connect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

// TestDatabaseGoneWhileTryingOut has a replica lose its database between the two
// transactions of an authorization. Another one ends it.
func TestDatabaseGoneWhileTryingOut(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{"accepted": nil, "refused": refusedKey()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 2, func(t *testing.T, w *world) {
				a, b := w.replicas[0], w.replicas[1]
				w.verifier.refuse = refusal
				w.verifier.during = func() { a.node.dead.Store(true) }
				in := granted("keyed", credential.NewAPIKey("k"))
				in.Tags, in.EndUser = map[string]string{"t": "1"}, &linkspan.EndUser{ID: "u1"}
				in.Operation = linkspan.NewOperationID(w.db.now())
				in.ConnectionConfig = map[string]any{"big": 12345678901234567, "s": "x"}
				_, err := a.Authorize(t.Context(), in)
				if linkspan.CodeOf(err) != connect.CodePending || linkspan.KindOf(err) != linkspan.KindUnavailable {
					t.Fatalf("error = %v, want %s", err, connect.CodePending)
				}
				w.wantHeard()
				w.verifier.during = nil
				pass(20 * time.Second)
				w.finishAll(b)
				w.finishAll(b) // again changes nothing
				w.wantNothingPending()
				ops := w.records.of(linkspan.ActionCreateConnection)
				last := ops[len(ops)-1]
				if refusal != nil {
					w.wantHeard("creation!connection_test_failed")
					if last.ID != in.Operation || last.State != linkspan.StateFailed {
						t.Errorf("operations %+v do not end in the failure", ops)
					}
					return
				}
				w.wantHeard("creation")
				w.wantPopup(strings.ReplaceAll(popupSuccess, "acme", "keyed"))
				if last.ID != in.Operation || last.State != linkspan.StateSuccess || last.AccountID != 0 {
					t.Errorf("operations %+v do not end in success", ops)
				}
				target, err := b.Live(t.Context(), envID, "keyed", "c")
				if err != nil || target.Credentials.APIKey.Reveal() != "k" || fmt.Sprint(target.Connection.Config["big"]) != "12345678901234567" ||
					target.Connection.Tags["t"] != "1" || target.Connection.Tags["end_user_id"] != "u1" || target.Connection.EndUser.ID != "u1" {
					t.Errorf("stored %+v, %v; want all that was granted", target, err)
				}
				if w.db.data.told[0].connection.UUID != target.Connection.UUID {
					t.Error("the webhook names another connection")
				}
			})
		})
	}
}

// TestGrantSurvivesAFailover has the database away as the grant comes.
func TestGrantSurvivesAFailover(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		away time.Duration
		kept bool
	}{"short": {5 * time.Second, true}, "long": {time.Minute, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(t *testing.T, w *world) {
				r := w.replicas[0]
				r.node.dead.Store(true)
				got := make(chan error)
				go func() { got <- second(r.Authorize(t.Context(), granted("open", credential.NewNone()))) }()
				pass(tt.away)
				r.node.dead.Store(false)
				err := <-got
				if tt.kept {
					if err != nil {
						t.Errorf("error = %v", err)
					}
					w.wantHeard("creation")
					return
				}
				if linkspan.KindOf(err) != linkspan.KindUnavailable || linkspan.CodeOf(err) == connect.CodePending {
					t.Errorf("error = %v: a grant that could not be stored is lost, and the user must know", err)
				}
				w.wantHeard()
				w.wantNothingPending()
			})
		})
	}
}

// TestCommitNobodyHeardOf breaks the way to the database at the moment of a
// commit: first of the grant's, then of the connection's.
func TestCommitNobodyHeardOf(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.replicas[0]
		r.node.deaf.Store(true)
		if _, err := r.Authorize(t.Context(), granted("open", credential.NewNone())); err != nil {
			t.Errorf("error = %v", err)
		}
		w.wantHeard("creation")
		w.verifier.during = func() { r.node.deaf.Store(true) }
		if _, err := r.Authorize(t.Context(), granted("keyed", credential.NewAPIKey("k"))); linkspan.CodeOf(err) != connect.CodePending {
			t.Errorf("error = %v, want %s", err, connect.CodePending)
		}
		w.finishAll(r)
		w.wantHeard("creation", "creation")
		w.wantNothingPending()
	})
}

// TestJobWaitsForTheProcess has the job come while the provider is slow.
func TestJobWaitsForTheProcess(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		tried := 0
		w.verifier.during = func() { tried++; pass(30 * time.Second) }
		got := make(chan error)
		go func() {
			got <- second(w.replicas[0].Authorize(t.Context(), granted("keyed", credential.NewAPIKey("k"))))
		}()
		pass(20 * time.Second)
		w.finishAll(w.replicas[1])
		if err := <-got; err != nil {
			t.Errorf("error = %v", err)
		}
		w.wantHeard("creation")
		if tried != 1 {
			t.Errorf("the credentials were tried out %d times", tried)
		}
	})
}

// TestLeaseTakenOverWhileTryingOut has the job do what a stalled process was
// about to do.
func TestLeaseTakenOverWhileTryingOut(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		stalled := make(chan struct{})
		w.verifier.during = func() {
			w.verifier.during = nil
			<-stalled
		}
		got := make(chan error)
		go func() {
			got <- second(w.replicas[0].Authorize(t.Context(), granted("keyed", credential.NewAPIKey("k"))))
		}()
		synctest.Wait()
		w.db.busy <- struct{}{}
		for key, l := range w.db.data.leases {
			l.Until = w.db.now() // nobody renewed it
			w.db.data.leases[key] = l
		}
		<-w.db.busy
		w.finishAll(w.replicas[1])
		close(stalled)
		if err := <-got; linkspan.CodeOf(err) != connect.CodePending {
			t.Errorf("error = %v, want that of somebody who does not know the end", err)
		}
		w.wantHeard("creation")
		w.wantNothingPending()
	})
}

// TestDamagedGrant can't be finished, and must not be forgotten either.
func TestDamagedGrant(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		n := w.replicas[0].node
		for _, text := range []string{`secret nonsense`, `{"credentials":{"type":"API_KEY","apiKey":{"secret":1}}}`} {
			a := linkspan.Authorization{UUID: linkspan.NewUUID(), EnvironmentID: envID, IntegrationKey: "acme", ConnectionName: "c", Payload: linkspan.NewSecret(text)}
			if err := n.InsertAuthorization(t.Context(), nil, &a); err != nil {
				t.Fatal(err)
			}
			err := w.replicas[0].FinishAuthorization(t.Context(), a.UUID)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: error = %v, want one that quotes nothing", text, err)
			}
			if _, err := n.Authorization(t.Context(), nil, a.UUID); err != nil {
				t.Errorf("%s: the row is gone: %v", text, err)
			}
		}
	})
}

// TestRefreshFailuresAreTold counts the webhooks of a row of failures.
func TestRefreshFailuresAreTold(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		r := w.replicas[0]
		fail := func(f fault) {
			t.Helper()
			pass(31 * time.Second)
			w.authority.fail(f)
			if err := second(r.get(t.Context(), asNeeded)); err == nil {
				t.Fatal("the refresh succeeded")
			}
			_ = second(r.get(t.Context(), asNeeded)) // within the pause
		}
		const failed = "refresh!token_refresh_error"
		want := []string{failed}
		fail(down())
		w.wantHeard(want...)
		for _, f := range []fault{down(), page(), unreachable(), down()} { // as much as the same again
			fail(f)
			w.wantHeard(want...)
		}
		fail(refused()) // another reason
		want = append(want, failed)
		w.wantHeard(want...)
		fail(down()) // adds nothing to a refusal
		w.wantHeard(want...)
		for range 3 {
			w.db.skip(24 * time.Hour)
			fail(down())
		}
		want = append(want, "refresh!"+connect.CodeRefreshExhausted)
		w.wantHeard(want...)
		if e := w.db.data.told[len(want)-1]; !strings.HasPrefix(e.Err.Description, "The refresh limit has been reached") || e.AuthMode != "OAUTH2" {
			t.Errorf("webhook %+v, %+v", e, e.Err)
		}
		w.want(r, forced, "at-1") // ends the row
		w.authority.fail(refused())
		if err := second(r.get(t.Context(), forced)); err == nil {
			t.Fatal("the refresh succeeded")
		}
		w.wantHeard(append(want, failed)...)
	})
}

// TestUntellableRefreshFailure is not stored either: both or none.
func TestUntellableRefreshFailure(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(_ *testing.T, w *world) {
		w.importToken(-time.Minute)
		r := w.replicas[0]
		broken := func() error { return errDead }
		r.node.tellFault.Store(&broken)
		w.authority.fail(refused())
		w.wantError(r, asNeeded, connect.CodeRefreshFailed, 400)
		r.node.tellFault.Store(nil)
		w.authority.fail(refused())
		w.wantError(r, asNeeded, connect.CodeRefreshFailed, 400)
		w.wantHeard("refresh!token_refresh_error")
	})
}

// TestLostCredentialsAreTold has new credentials that can't be stored.
func TestLostCredentialsAreTold(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		r := w.replicas[0]
		broken := func() error { return errDead }
		r.node.saveFault.Store(&broken)
		if err := second(r.get(t.Context(), asNeeded)); err == nil || errors.Is(err, errDead) {
			t.Errorf("error = %v", err)
		}
		pass(5 * time.Minute)
		w.wantHeard("refresh!" + connect.CodeRefreshInterrupted)
	})
}
