package storetest

import (
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/linkspan/linkspan"
)

func testConnectSessions(t *testing.T, w *world) {
	ctx := t.Context()
	full := linkspan.ConnectSession{
		UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, Hash: newHash(), AllowedIntegrations: []string{"github"},
		EndUser:   &linkspan.EndUser{ID: "u", Email: "u@example.com", Tags: map[string]string{"a": "b"}, Organization: &linkspan.Organization{ID: "o"}},
		Tags:      map[string]string{"k": "v"},
		Reconnect: 42,
		Defaults: map[string]linkspan.IntegrationDefaults{"github": {
			UserScopes: "a,b", AuthorizationParams: map[string]string{"p": "q"}, ConnectionConfig: map[string]any{"subdomain": "x", "n": true},
		}},
		Overrides:          map[string]linkspan.IntegrationOverrides{"github": {DocsConnect: "https://example.com/docs"}},
		WebhookURLOverride: "https://example.com/hook", Operation: linkspan.NewOperationID(past()), ExpiresAt: past(),
	}
	bare := linkspan.ConnectSession{UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, Hash: newHash(), ExpiresAt: past().Add(time.Hour)}
	for _, s := range []*linkspan.ConnectSession{&full, &bare} {
		must(t, w.InsertConnectSession(ctx, nil, s))
		got, env, err := w.ConnectSessionByHash(ctx, nil, s.Hash)
		must(t, err)
		wantEqual(t, "session", got, *s)
		wantEqual(t, "its environment", env, w.env)
	}
	twin := full
	twin.UUID = linkspan.NewUUID()
	wantKind(t, w.InsertConnectSession(ctx, nil, &twin), linkspan.KindConflict)
	_, _, err := w.ConnectSessionByHash(ctx, nil, newHash())
	wantKind(t, err, linkspan.KindNotFound)

	for want := range 2 {
		n, err := w.PurgeConnectSessions(ctx, nil, past().Add(time.Minute), 10)
		must(t, err)
		if n != 1-want {
			t.Fatalf("purged %d sessions, want %d", n, 1-want)
		}
	}
	_, _, err = w.ConnectSessionByHash(ctx, nil, full.Hash)
	wantKind(t, err, linkspan.KindNotFound)

	elsewhere := bare
	elsewhere.EnvironmentID = w.newEnvironment(t, "other").ID
	wantKind(t, w.DeleteConnectSession(ctx, nil, elsewhere), linkspan.KindNotFound)
	changes := w.changesOf(t, func() { must(t, w.DeleteConnectSession(ctx, nil, bare)) })
	wantEqual(t, "changes", changes, []linkspan.Change{
		{Kind: linkspan.ChangeConnectSession, Environment: w.env.ID, Key: hex.EncodeToString(bare.Hash[:])},
	})
	wantKind(t, w.DeleteConnectSession(ctx, nil, bare), linkspan.KindNotFound)
	_, _, err = w.ConnectSessionByHash(ctx, nil, bare.Hash)
	wantKind(t, err, linkspan.KindNotFound)
}

// changesOf returns the changes that f commits, without their numbers.
func (w *world) changesOf(t *testing.T, f func()) []linkspan.Change {
	t.Helper()
	before, err := w.LatestChange(t.Context())
	must(t, err)
	f()
	changes, err := w.ChangesSince(t.Context(), before, 100)
	must(t, err)
	for i := range changes {
		changes[i].Seq = 0
	}
	return changes
}

func (w *world) newOAuthSession(t *testing.T, env linkspan.EnvironmentID, expires time.Time) linkspan.OAuthSession {
	t.Helper()
	o := linkspan.OAuthSession{
		UUID: linkspan.NewUUID(), EnvironmentID: env, StateHash: newHash(), BrowserHash: newHash(), ConnectSessionID: 7,
		IntegrationKey: "github", ConnectionName: "c", PopupID: linkspan.NewUUID(), Operation: linkspan.NewOperationID(past()),
		Payload: linkspan.NewSecret(`{"verifier":"v"}`), ExpiresAt: expires,
	}
	must(t, w.InsertOAuthSession(t.Context(), nil, &o))
	return o
}

func testOAuthSessions(t *testing.T, w *world) {
	ctx, now := t.Context(), past()
	o := w.newOAuthSession(t, w.env.ID, now.Add(time.Hour))
	unpaid := o
	unpaid.Payload = linkspan.Secret{}

	w.inTx(t, func(context.Context, linkspan.Tx) {
		// Made-up states do not wait for those who write.
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, _, err := w.TakeOAuthSession(ctx, nil, newHash(), o.BrowserHash, now)
		wantKind(t, err, linkspan.KindNotFound)
	})
	for name, try := range map[string]struct {
		browser [32]byte
		at      time.Time
	}{
		"foreign browser": {newHash(), now},
		"expired":         {o.BrowserHash, o.ExpiresAt},
	} {
		got, taken, err := w.TakeOAuthSession(ctx, nil, o.StateHash, try.browser, try.at)
		must(t, err)
		if taken {
			t.Fatalf("%s: it was taken", name)
		}
		wantEqual(t, name, got, unpaid)
	}

	got, taken, err := w.TakeOAuthSession(ctx, nil, o.StateHash, o.BrowserHash, now)
	must(t, err)
	o.UsedAt, unpaid.UsedAt = now, now
	wantEqual(t, "taken", taken, true)
	wantEqual(t, "what was taken", got, o)
	got, taken, err = w.TakeOAuthSession(ctx, nil, o.StateHash, o.BrowserHash, now.Add(time.Second))
	must(t, err)
	wantEqual(t, "taken again", taken, false)
	wantEqual(t, "the second time", got, unpaid)

	other := w.newEnvironment(t, "other")
	gone := w.newOAuthSession(t, other.ID, now.Add(time.Hour))
	must(t, w.DeleteEnvironment(ctx, nil, &other))
	_, _, err = w.TakeOAuthSession(ctx, nil, gone.StateHash, gone.BrowserHash, now)
	wantKind(t, err, linkspan.KindNotFound)

	old := w.newOAuthSession(t, w.env.ID, now.Add(-time.Hour))
	n, err := w.PurgeOAuthSessions(ctx, nil, now, 10)
	must(t, err)
	wantEqual(t, "purged", n, 1)
	_, _, err = w.TakeOAuthSession(ctx, nil, old.StateHash, old.BrowserHash, now)
	wantKind(t, err, linkspan.KindNotFound)
}

// However many callbacks come at once with one state, one of them gets it.
func testOAuthSessionRace(t *testing.T, w *world) {
	o := w.newOAuthSession(t, w.env.ID, past().Add(time.Hour))
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, mine, err := w.TakeOAuthSession(t.Context(), nil, o.StateHash, o.BrowserHash, past())
			if err != nil {
				t.Error(err)
			}
			if mine != !got.Payload.IsZero() {
				t.Error("the payload does not go with the taking")
			}
			if mine {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	wantEqual(t, "taken", taken.Load(), 1)
}

func testPopupResults(t *testing.T, w *world) {
	ctx := t.Context()
	p := linkspan.PopupResult{PopupID: linkspan.NewUUID(), Message: `{"message_type":"success"}`}
	_, err := w.TakePopupResult(ctx, nil, p.PopupID)
	wantKind(t, err, linkspan.KindNotFound)

	told := linkspan.Change{Kind: linkspan.ChangePopupResult, Key: p.PopupID}
	wantEqual(t, "changes", w.changesOf(t, func() { must(t, w.InsertPopupResult(ctx, nil, p)) }), []linkspan.Change{told})
	late := linkspan.PopupResult{PopupID: p.PopupID, Message: `{"message_type":"error"}`}
	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
		must(t, w.InsertPopupResult(ctx, tx, late))
		must(t, w.InsertPopupResult(ctx, tx, linkspan.PopupResult{PopupID: linkspan.NewUUID(), Message: "other"}))
	})
	for _, ids := range [][]string{{linkspan.NewUUID(), p.PopupID, "'"}, {linkspan.NewUUID()}, nil} {
		there, err := w.PopupResultsFor(ctx, nil, ids)
		must(t, err)
		wantEqual(t, "results there", slices.Contains(there, p.PopupID), len(ids) == 3)
		wantEqual(t, "how many", len(there), len(ids)/3)
	}
	got, err := w.TakePopupResult(ctx, nil, p.PopupID)
	must(t, err)
	if diff := cmp.Diff(p, got, cmpopts.IgnoreFields(linkspan.PopupResult{}, "CreatedAt")); diff != "" {
		t.Fatalf("the first result (-want +got):\n%s", diff)
	}
	_, err = w.TakePopupResult(ctx, nil, p.PopupID)
	wantKind(t, err, linkspan.KindNotFound)

	for _, purge := range []struct {
		before time.Time
		want   int
	}{{got.CreatedAt, 0}, {time.Now().Add(time.Hour), 1}, {time.Now().Add(time.Hour), 0}} {
		n, err := w.PurgePopupResults(ctx, nil, purge.before, 10)
		must(t, err)
		wantEqual(t, "purged", n, purge.want)
	}
}

func testByNumber(t *testing.T, w *world) {
	ctx, other := t.Context(), w.newEnvironment(t, "other")
	i := w.newIntegration(t, w.env, "github")
	w.newIntegration(t, w.env, "slack")
	w.newIntegration(t, other, "elsewhere")
	c := w.newConnection(t, i, "c", nil)

	got, err := w.ConnectionByID(ctx, nil, w.env.ID, c.ID)
	must(t, err)
	same, err := w.Connection(ctx, nil, w.env.ID, "github", "c")
	must(t, err)
	wantEqual(t, "by id", got, same)
	_, err = w.ConnectionByID(ctx, nil, other.ID, c.ID)
	wantKind(t, err, linkspan.KindNotFound)
	must(t, w.DeleteConnection(ctx, nil, &c))
	_, err = w.ConnectionByID(ctx, nil, w.env.ID, c.ID)
	wantKind(t, err, linkspan.KindNotFound)

	keys, err := w.IntegrationKeys(ctx, nil, w.env.ID, []string{"slack", "elsewhere", "github", "nothing"})
	must(t, err)
	wantEqual(t, "keys", slices.Sorted(slices.Values(keys)), []string{"github", "slack"})
	keys, err = w.IntegrationKeys(ctx, nil, w.env.ID, nil)
	must(t, err)
	wantEqual(t, "no keys", len(keys), 0)
}
