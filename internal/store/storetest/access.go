package storetest

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func testAPIKeys(t *testing.T, w *world) {
	ctx := t.Context()
	k := w.newAPIKey(t, w.env.ID, "one")
	other := w.newAPIKey(t, w.env.ID, "two")
	acct := w.newAPIKey(t, 0, "one")

	got, env, err := w.APIKeyByHash(ctx, nil, k.Hash)
	must(t, err)
	wantEqual(t, "by hash", got, k)
	wantEqual(t, "its environment", env, w.env)
	got, env, err = w.APIKeyByHash(ctx, nil, acct.Hash)
	must(t, err)
	wantEqual(t, "account key", got, acct)
	wantEqual(t, "its environment", env, linkspan.Environment{})
	_, _, err = w.APIKeyByHash(ctx, nil, newHash())
	wantKind(t, err, linkspan.KindNotFound)

	list, err := w.APIKeys(ctx, nil, w.account.ID, w.env.ID, "")
	must(t, err)
	wantEqual(t, "environment keys", list, []linkspan.APIKey{k, other})
	list, err = w.APIKeys(ctx, nil, w.account.ID, w.env.ID, "two")
	must(t, err)
	wantEqual(t, "by name", list, []linkspan.APIKey{other})
	list, err = w.APIKeys(ctx, nil, w.account.ID, 0, "")
	must(t, err)
	wantEqual(t, "account keys", list, []linkspan.APIKey{acct})

	got, err = w.APIKey(ctx, nil, w.account.ID, w.env.ID, k.UUID)
	must(t, err)
	wantEqual(t, "by UUID", got, k)
	got, err = w.APIKeyByID(ctx, nil, w.account.ID, w.env.ID, k.ID)
	must(t, err)
	wantEqual(t, "by ID", got, k)
	for _, env := range []linkspan.EnvironmentID{0, w.newEnvironment(t, "other").ID} {
		_, err = w.APIKey(ctx, nil, w.account.ID, env, k.UUID)
		wantKind(t, err, linkspan.KindNotFound)
		_, err = w.APIKeyByID(ctx, nil, w.account.ID, env, k.ID)
		wantKind(t, err, linkspan.KindNotFound)
		elsewhere := k
		elsewhere.EnvironmentID = env
		wantKind(t, w.DeleteAPIKey(ctx, nil, elsewhere), linkspan.KindNotFound)
	}

	for _, env := range []linkspan.EnvironmentID{0, w.env.ID} {
		twin := linkspan.APIKey{UUID: linkspan.NewUUID(), AccountID: w.account.ID, EnvironmentID: env, DisplayName: "one", Hash: newHash()}
		wantKind(t, w.InsertAPIKey(ctx, nil, &twin), linkspan.KindConflict)
	}
	twin := linkspan.APIKey{UUID: linkspan.NewUUID(), AccountID: w.account.ID, DisplayName: "three", Hash: k.Hash}
	wantKind(t, w.InsertAPIKey(ctx, nil, &twin), linkspan.KindConflict)

	must(t, w.DeleteAPIKey(ctx, nil, k))
	wantKind(t, w.DeleteAPIKey(ctx, nil, k), linkspan.KindNotFound)
	_, _, err = w.APIKeyByHash(ctx, nil, k.Hash)
	wantKind(t, err, linkspan.KindNotFound)
}

func testConnectSessions(t *testing.T, w *world) {
	ctx := t.Context()
	full := linkspan.ConnectSession{
		UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, Hash: newHash(), AllowedIntegrations: []string{"github"},
		EndUser: &linkspan.EndUser{ID: "u", Email: "u@example.com", Tags: map[string]string{"a": "b"}, Organization: &linkspan.Organization{ID: "o"}},
		Tags:    map[string]string{"k": "v"}, ExpiresAt: past(),
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
	_, _, err = w.ConnectSessionByHash(ctx, nil, bare.Hash)
	must(t, err)
}

func testRateCounts(t *testing.T, w *world) {
	ctx := t.Context()
	at := past().Truncate(time.Minute)
	add := func(counts ...linkspan.RateCount) map[string]int64 {
		t.Helper()
		totals, err := w.AddRateCounts(ctx, nil, counts)
		must(t, err)
		out := make(map[string]int64)
		for _, c := range totals {
			out[c.Bucket+c.Window.Format(" 15:04")] = c.N
		}
		return out
	}
	a := linkspan.RateCount{AccountID: w.account.ID, Bucket: "api", Window: at, N: 3}
	b := linkspan.RateCount{AccountID: w.account.ID, Bucket: "proxy", Window: at, N: 1}
	next := linkspan.RateCount{AccountID: w.account.ID, Bucket: "api", Window: at.Add(time.Minute), N: 7}
	wantEqual(t, "first", add(b, a, a), map[string]int64{"api 12:30": 6, "proxy 12:30": 1})
	wantEqual(t, "second", add(a, next), map[string]int64{"api 12:30": 9, "api 12:31": 7})
	must(t, w.PurgeRateCounts(ctx, nil, at.Add(time.Minute)))
	wantEqual(t, "after purging", add(a, next), map[string]int64{"api 12:30": 3, "api 12:31": 14})
	if got := add(); len(got) != 0 {
		t.Fatalf("nothing gave %v", got)
	}
}
