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

	env, err = w.EnvironmentByPublicKey(ctx, nil, w.env.PublicKey)
	must(t, err)
	wantEqual(t, "environment of a public key", env, w.env)
	_, err = w.EnvironmentByPublicKey(ctx, nil, linkspan.NewUUID())
	wantKind(t, err, linkspan.KindNotFound)

	must(t, w.DeleteAPIKey(ctx, nil, k))
	wantKind(t, w.DeleteAPIKey(ctx, nil, k), linkspan.KindNotFound)
	_, _, err = w.APIKeyByHash(ctx, nil, k.Hash)
	wantKind(t, err, linkspan.KindNotFound)
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
