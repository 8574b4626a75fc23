package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

func testEnvironments(t *testing.T, w *world) {
	ctx := t.Context()
	e := linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: w.account.ID, Name: "prod", IsProduction: true, PublicKey: linkspan.NewUUID(),
		WebhookSigningKey:  linkspan.NewSecret("k"),
		PreviousSigningKey: linkspan.NewSecret("before"), PreviousSigningKeyUntil: past(),
		Settings: linkspan.EnvironmentSettings{
			CallbackURL: "https://example.com/cb", PublicKeyEnabled: true, HMACEnabled: true, HMACKey: linkspan.NewSecret("hmac"), SlackNotifications: true,
			OTLPEndpoint: "https://otlp.example.com", OTLPHeaders: []linkspan.SecretPair{{Name: "Auth", Value: linkspan.NewSecret("v")}},
			Webhooks: linkspan.WebhookSettings{
				PrimaryURL: "https://a.example/hook", SecondaryURL: "https://b.example/hook", OnAuthCreation: true, OnAuthDeletion: true,
				OnAuthRefreshError: true, OnSyncError: true, OnSyncCompletionAlways: true, OnAsyncActionCompletion: true,
			},
			ConnectUI: linkspan.ConnectUISettings{
				LightPrimary: "#112233", DarkPrimary: "#aabbcc", DefaultTheme: "dark", HideWatermark: true,
				AppName: "Ünïcode", AppLogoURL: "https://a.example/logo.svg",
			},
		},
	}
	must(t, w.InsertEnvironment(ctx, nil, &e))
	got, err := w.EnvironmentByUUID(ctx, nil, w.account.ID, e.UUID)
	must(t, err)
	wantEqual(t, "by UUID", got, e)
	got, err = w.EnvironmentByID(ctx, nil, w.account.ID, e.ID)
	must(t, err)
	wantEqual(t, "by ID", got, e)

	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
		got, err := w.LockEnvironment(ctx, tx, w.account.ID, e.UUID)
		must(t, err)
		wantEqual(t, "locked", got, e)
		_, err = w.LockEnvironment(ctx, tx, w.account.ID+1, e.UUID)
		wantKind(t, err, linkspan.KindNotFound)
		if _, ok := w.Pool().(*pgxpool.Pool); ok {
			// Who ends a sync's run in it holds the sync, for which a deletion would wait.
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			must(t, w.InsertRuns(ctx, nil, []*linkspan.Run{{UUID: linkspan.NewUUID(), EnvironmentID: e.ID, Kind: linkspan.FunctionAction, ExpiresAt: past()}}))
		}
	})

	list, err := w.Environments(ctx, nil, w.account.ID, "")
	must(t, err)
	wantEqual(t, "list", list, []linkspan.Environment{w.env, e})
	list, err = w.Environments(ctx, nil, w.account.ID, "prod")
	must(t, err)
	wantEqual(t, "list by name", list, []linkspan.Environment{e})

	twin := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: w.account.ID, Name: "prod", PublicKey: linkspan.NewUUID()}
	wantKind(t, w.InsertEnvironment(ctx, nil, &twin), linkspan.KindConflict)

	e.Name, e.Settings = "production", linkspan.EnvironmentSettings{}
	e.WebhookSigningKey = linkspan.NewSecret("rotated")
	e.PreviousSigningKey, e.PreviousSigningKeyUntil = linkspan.Secret{}, time.Time{}
	must(t, w.UpdateEnvironment(ctx, nil, &e))
	got, err = w.EnvironmentByUUID(ctx, nil, w.account.ID, e.UUID)
	must(t, err)
	wantEqual(t, "updated", got, e)
	e.Name = "dev"
	wantKind(t, w.UpdateEnvironment(ctx, nil, &e), linkspan.KindConflict)
	e.Name = "production"

	foreign := linkspan.Account{UUID: linkspan.NewUUID(), Name: "Other"}
	must(t, w.InsertAccount(ctx, nil, &foreign))
	_, err = w.EnvironmentByUUID(ctx, nil, foreign.ID, e.UUID)
	wantKind(t, err, linkspan.KindNotFound)
	_, err = w.EnvironmentByID(ctx, nil, foreign.ID, e.ID)
	wantKind(t, err, linkspan.KindNotFound)
	stolen := e
	stolen.AccountID = foreign.ID
	wantKind(t, w.UpdateEnvironment(ctx, nil, &stolen), linkspan.KindNotFound)
	wantKind(t, w.DeleteEnvironment(ctx, nil, &stolen), linkspan.KindNotFound)

	must(t, w.DeleteEnvironment(ctx, nil, &e))
	wantKind(t, w.DeleteEnvironment(ctx, nil, &e), linkspan.KindNotFound)
	wantKind(t, w.UpdateEnvironment(ctx, nil, &e), linkspan.KindNotFound)
	_, err = w.EnvironmentByUUID(ctx, nil, w.account.ID, e.UUID)
	wantKind(t, err, linkspan.KindNotFound)
	w.newEnvironment(t, "production") // the name is free again
}

func testVariables(t *testing.T, w *world) {
	ctx := t.Context()
	pairs := func(list ...string) (out []linkspan.SecretPair) {
		for i := 0; i < len(list); i += 2 {
			out = append(out, linkspan.SecretPair{Name: list[i], Value: linkspan.NewSecret(list[i+1])})
		}
		return out
	}
	check := func(want []linkspan.SecretPair) {
		t.Helper()
		got, err := w.Variables(ctx, nil, w.env.ID)
		must(t, err)
		if len(got)+len(want) > 0 {
			wantEqual(t, "variables", got, want)
		}
	}
	check(nil)
	must(t, w.ReplaceVariables(ctx, nil, w.env.ID, w.env.UUID, pairs("b", "2", "A", "1", "empty", "")))
	check(pairs("A", "1", "b", "2", "empty", ""))
	wantKind(t, w.ReplaceVariables(ctx, nil, w.env.ID, w.env.UUID, pairs("x", "1", "x", "2")), linkspan.KindConflict)
	check(pairs("A", "1", "b", "2", "empty", ""))
	must(t, w.ReplaceVariables(ctx, nil, w.env.ID, w.env.UUID, pairs("c", "3")))
	check(pairs("c", "3"))
	must(t, w.ReplaceVariables(ctx, nil, w.env.ID, w.env.UUID, nil))
	check(nil)
	other := w.newEnvironment(t, "other")
	must(t, w.ReplaceVariables(ctx, nil, other.ID, other.UUID, pairs("c", "3")))
	check(nil)
	must(t, w.DeleteEnvironment(ctx, nil, &other))
	wantKind(t, w.ReplaceVariables(ctx, nil, other.ID, other.UUID, nil), linkspan.KindNotFound)
	if got, err := w.Variables(ctx, nil, other.ID); err != nil || len(got) != 0 {
		t.Fatalf("a deleted environment has variables %v, %v", got, err)
	}
}

func testDataKeys(t *testing.T, w *world) {
	ctx := t.Context()
	keys, err := w.DataKeys(ctx, nil, w.env.ID)
	must(t, err)
	if len(keys) != 1 || !keys[0].Active || keys[0].EnvironmentUUID != w.env.UUID || keys[0].CreatedAt.IsZero() {
		t.Fatalf("a new environment has keys %+v", keys)
	}
	first := keys[0]
	master := first.MasterID
	old := vault.WrappedKey{ID: [8]byte{1}, EnvironmentID: w.env.ID, EnvironmentUUID: w.env.UUID, MasterID: "old", Wrapped: []byte("w"), CreatedAt: past()}
	must(t, w.InsertDataKey(ctx, nil, old))
	wantKind(t, w.InsertDataKey(ctx, nil, old), linkspan.KindConflict)
	second := old
	second.ID, second.Active = [8]byte{2}, true
	wantKind(t, w.InsertDataKey(ctx, nil, second), linkspan.KindConflict) // one active key
	w.newEnvironment(t, "other")

	total, others, err := w.CountDataKeys(ctx, nil, master)
	must(t, err)
	if total != 3 || others != 1 {
		t.Fatalf("counted %d keys, %d of other masters", total, others)
	}
	samples, err := w.DataKeySamples(ctx)
	must(t, err)
	if len(samples) != 2 || samples[0].MasterID == samples[1].MasterID {
		t.Fatalf("samples: %+v", samples)
	}
	list, err := w.DataKeysByMaster(ctx, master, 0, 10)
	must(t, err)
	wantEqual(t, "keys of other masters", list, []vault.WrappedKey{old})
	list, err = w.DataKeysByMaster(ctx, master, w.env.ID, 10)
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("keys of later environments: %v", list)
	}
	list, err = w.DataKeysByMaster(ctx, "none", 0, 1)
	must(t, err)
	if len(list) != 2 {
		t.Fatalf("a limit of one environment gave %d keys, want its 2", len(list))
	}

	old.MasterID, old.Wrapped = master, []byte("new")
	for _, want := range []bool{true, false} {
		done, err := w.RewrapDataKey(ctx, nil, old, "old")
		must(t, err)
		if done != want {
			t.Fatalf("rewrapping reported %t, want %t", done, want)
		}
	}
	keys, err = w.DataKeys(ctx, nil, w.env.ID)
	must(t, err)
	for _, k := range keys {
		if k.ID == old.ID {
			wantEqual(t, "rewrapped", k, old)
		} else {
			wantEqual(t, "untouched", k, first)
		}
	}
}
