package connect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

// TestKilledBetweenAnswerAndStore cuts a replica off from the database at the
// moment the provider has exchanged the token.
func TestKilledBetweenAnswerAndStore(t *testing.T) {
	t.Parallel()
	for name, tolerant := range map[string]bool{"provider with a grace period": true, "provider without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 2, func(t *testing.T, w *world) {
				w.importToken(-time.Minute)
				w.authority.tolerant = tolerant
				a, b := w.replicas[0], w.replicas[1]
				w.authority.answered = func() { a.node.dead.Store(true) }
				gone := make(chan error)
				go func() { gone <- second(a.get(t.Context(), asNeeded)) }()
				defer pass(6 * time.Minute) // until the replica that is cut off gives up
				synctest.Wait()
				if tolerant {
					w.want(b, asNeeded, "at-1")
					ops := w.records.of(linkspan.ActionRefreshToken)
					if i := len(ops) - 1; i < 0 || !strings.Contains(ops[i].Message, "recovered") {
						t.Errorf("operations %+v do not tell of the recovery", ops)
					}
				} else {
					e := w.wantError(b, asNeeded, connect.CodeRefreshInterrupted, http.StatusFailedDependency)
					if !strings.Contains(e.Msg, "interrupted") || !strings.Contains(e.Msg, "connect the account again") {
						t.Errorf("the message %q does not say what happened and what to do", e.Msg)
					}
				}
				w.wantCalls(2)
				if err := <-gone; err == nil {
					t.Error("the replica that lost its database handed out a token it could not store")
				}
				if tolerant {
					return
				}
				w.db.skip(time.Minute)
				w.wantError(b, asNeeded, connect.CodeRefreshInterrupted, http.StatusFailedDependency)
				w.authority.answered = nil
				_, err := b.Import(t.Context(), environment(), connect.ImportInput{
					IntegrationKey: "acme", Name: "c", Credentials: credential.NewOAuth2("at-x", w.authority.current, w.db.now().Add(-time.Minute)),
				})
				if err != nil {
					t.Fatal(err)
				}
				w.want(b, asNeeded, "at-2")
			})
		})
	}
}

// TestUsableTokenSurvivesAnInterruption has a process die in the middle of a
// refresh, and the provider be down when the next one tries.
func TestUsableTokenSurvivesAnInterruption(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.importToken(10 * time.Minute)
		a, b := w.replicas[0], w.replicas[1]
		w.authority.answered = func() { a.node.dead.Store(true) }
		defer pass(6 * time.Minute) // until the replica that is cut off gives up
		go func() { _ = second(a.get(t.Context(), asNeeded)) }()
		synctest.Wait()
		pass(20 * time.Second) // the lease lapses
		w.authority.fail(down())
		w.want(b, asNeeded, "at-old")
		w.wantCalls(2)
		w.want(b, asNeeded, "at-old") // within the pause after the failure
		w.wantCalls(2)
		pass(31 * time.Second)
		w.wantError(b, asNeeded, connect.CodeRefreshInterrupted, http.StatusFailedDependency)
	})
}

// TestInterruptionIsNotPutOff has a process die in the middle of a refresh at a
// provider whose access token lives on: the refresh is tried again all the same,
// while the provider may still take the refresh token.
func TestInterruptionIsNotPutOff(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		text := strings.Replace(oauthYAML, "/token]", "/token]\n    introspection_url: https://acme.example/introspect", 1) +
			"code_facts: {expiry_by_introspection: true}\n"
		p, err := catalog.ParseProvider("acme.yaml", "acme", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		w.providers["acme"] = p
		w.authority.introspected = `{"active":false}`
		w.authority.tolerant = true
		w.importToken(10 * time.Minute)
		a, b := w.replicas[0], w.replicas[1]
		w.authority.answered = func() { a.node.dead.Store(true) }
		defer pass(6 * time.Minute) // until the replica that is cut off gives up
		go func() { _ = second(a.get(t.Context(), asNeeded)) }()
		synctest.Wait()
		pass(20 * time.Second) // the lease lapses
		w.authority.introspected = fmt.Sprintf(`{"active":true,"exp":%d}`, w.db.now().Add(2*time.Hour).Unix())
		w.want(b, asNeeded, "at-1")
		w.wantCalls(2)
	})
}

// TestStoreTroubleAfterTheAnswer has the database refuse the new credentials a
// few times.
func TestStoreTroubleAfterTheAnswer(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(_ *testing.T, w *world) {
		w.importToken(-time.Minute)
		left := 3
		trouble := func() error {
			if left--; left >= 0 {
				return errDead
			}
			return nil
		}
		w.replicas[0].node.saveFault.Store(&trouble)
		w.want(w.replicas[0], asNeeded, "at-1")
		w.wantCalls(1)
	})
}

// TestDatabaseFailsOverAfterTheAnswer has the database come back long after the
// provider has exchanged the refresh token, and long after the lease lapsed.
func TestDatabaseFailsOverAfterTheAnswer(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		r := w.replicas[0]
		w.authority.answered = func() { r.node.dead.Store(true) }
		gone := make(chan error)
		go func() { gone <- second(r.get(t.Context(), asNeeded)) }()
		if err := <-gone; linkspan.KindOf(err) != linkspan.KindTimeout {
			t.Errorf("error = %v, want a caller's wait to end", err)
		}
		pass(2 * time.Minute)
		r.node.dead.Store(false)
		pass(time.Second)
		w.want(r, asNeeded, "at-1")
		w.wantCalls(1)
	})
}

// TestNewCredentialsCannotBeStored has the database refuse them for good.
func TestNewCredentialsCannotBeStored(t *testing.T) {
	t.Parallel()
	for name, noted := range map[string]bool{"and notes the loss": true, "and nothing else either": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(t *testing.T, w *world) {
				w.importToken(-time.Minute)
				broken := func() error { return errDead }
				n := w.replicas[0].node
				n.saveFault.Store(&broken)
				if !noted {
					n.stateFault.Store(&broken)
				}
				if err := second(w.replicas[0].get(t.Context(), asNeeded)); linkspan.KindOf(err) != linkspan.KindTimeout {
					t.Errorf("error = %v, want a caller's wait to end", err)
				}
				pass(4 * time.Minute)
				ops := w.records.of(linkspan.ActionRefreshToken)
				if len(ops) != 1 || ops[0].Error == nil || ops[0].Error.Code != connect.CodeRefreshInterrupted {
					t.Fatalf("operations %+v do not say that the new credentials could not be stored", ops)
				}
				n.saveFault.Store(nil)
				n.stateFault.Store(nil)
				pass(31 * time.Second)
				w.wantError(w.replicas[0], asNeeded, connect.CodeRefreshInterrupted, http.StatusFailedDependency)
			})
		})
	}
}

// TestPanicWhileStoring must not take the process down, nor lose the note.
func TestPanicWhileStoring(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		broken := func() error { panic("broken driver") }
		w.replicas[0].node.saveFault.Store(&broken)
		if err := second(w.replicas[0].get(t.Context(), asNeeded)); linkspan.KindOf(err) != linkspan.KindInternal {
			t.Fatalf("error = %v, want an internal one", err)
		}
		w.replicas[0].node.saveFault.Store(nil)
		pass(20 * time.Second) // the lease lapses
		w.wantError(w.replicas[0], asNeeded, connect.CodeRefreshInterrupted, http.StatusFailedDependency)
	})
}

func TestImportDuringRefreshWins(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		w.authority.delay = 5 * time.Second
		got := make(chan string)
		go func() {
			token, err := w.replicas[0].get(t.Context(), asNeeded)
			if err != nil {
				t.Error(err)
			}
			got <- token
		}()
		synctest.Wait()
		_, err := w.replicas[1].Import(t.Context(), environment(), connect.ImportInput{
			IntegrationKey: "acme", Name: "c", Credentials: credential.NewOAuth2("at-imported", "refresh-other", w.db.now().Add(time.Hour)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if token := <-got; token != "at-imported" {
			t.Errorf("the caller got %q, not what was imported meanwhile", token)
		}
		w.want(w.replicas[0], asNeeded, "at-imported")
		w.want(w.replicas[1], asNeeded, "at-imported")
	})
}

func TestDeleteDuringRefresh(t *testing.T) {
	t.Parallel()
	inWorld(t, 2, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		w.authority.delay = 5 * time.Second
		got := make(chan error)
		go func() { got <- second(w.replicas[0].get(t.Context(), asNeeded)) }()
		synctest.Wait()
		if err := w.replicas[1].Delete(t.Context(), envID, "acme", "c"); err != nil {
			t.Fatal(err)
		}
		if err := <-got; linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("error = %v, want unknown_connection", err)
		}
	})
}

// TestTokenIsStoredWithoutTheLease has somebody take the lease over while the
// provider is slow: the token that came is the only good one.
func TestTokenIsStoredWithoutTheLease(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		target := w.importToken(-time.Minute)
		w.authority.delay = 3 * time.Second
		got := make(chan string)
		go func() {
			token, _ := w.replicas[0].get(t.Context(), asNeeded)
			got <- token
		}()
		synctest.Wait()
		w.db.busy <- struct{}{}
		l := w.db.data.leases["refresh/"+target.Connection.UUID]
		l.Holder, l.Attempt = "somebody else", l.Attempt+1
		w.db.data.leases["refresh/"+target.Connection.UUID] = l
		<-w.db.busy
		if token := <-got; token != "at-1" {
			t.Errorf("the caller got %q", token)
		}
		w.want(w.replicas[0], asNeeded, "at-1")
	})
}

// TestCallerLeaves has the only caller go away while the provider is slow.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(-time.Minute)
		w.authority.delay = 5 * time.Second
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if err := second(w.replicas[0].get(ctx, asNeeded)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want the caller's deadline", err)
		}
		pass(10 * time.Second)
		w.want(w.replicas[0], asNeeded, "at-1")
		w.wantCalls(1)
	})
}

// TestDatabaseGoneBeforeTheCall must not lose a token that works.
func TestDatabaseGoneBeforeTheCall(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importToken(10 * time.Minute)
		r := w.replicas[0]
		if _, err := r.Live(t.Context(), envID, "acme", "c"); err != nil {
			t.Fatal(err)
		}
		r.node.dead.Store(true)
		w.want(r, asNeeded, "at-old")
		w.wantCalls(0)
		pass(6 * time.Second)
		if err := second(r.get(t.Context(), asNeeded)); linkspan.KindOf(err) != linkspan.KindUnavailable {
			t.Errorf("error = %v; caches that can't be checked must not be used", err)
		}
	})
}
