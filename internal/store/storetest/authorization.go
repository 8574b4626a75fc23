package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan"
)

func newAuthorization(w *world, name string) linkspan.Authorization {
	return linkspan.Authorization{
		UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, IntegrationKey: "github", ConnectionName: name,
		Payload: linkspan.NewSecret(`{"credentials":"the grant"}`),
	}
}

func testAuthorizations(t *testing.T, w *world) {
	ctx := t.Context()
	a := newAuthorization(w, "c")
	must(t, w.InsertAuthorization(ctx, nil, &a))
	if a.ID == 0 || a.CreatedAt.IsZero() {
		t.Fatalf("authorization %+v is not filled", a)
	}
	got, err := w.Authorization(ctx, nil, a.UUID)
	must(t, err)
	wantEqual(t, "authorization", got, a)
	if bytes.Contains(w.sealedPayload(t, a.UUID), []byte("the grant")) {
		t.Fatal("the payload is stored as it is")
	}
	twin := a
	wantKind(t, w.InsertAuthorization(ctx, nil, &twin), linkspan.KindConflict)
	lost := newAuthorization(w, "c")
	lost.EnvironmentID = 999_999
	if err := w.InsertAuthorization(ctx, nil, &lost); err == nil {
		t.Fatal("an authorization of no environment was stored")
	}

	other := newAuthorization(w, "c")
	must(t, w.InsertAuthorization(ctx, nil, &other))
	w.exec(t, "update authorizations set payload = (select payload from authorizations where uuid = $1) where uuid = $2", a.UUID, other.UUID)
	if _, err := w.Authorization(ctx, nil, other.UUID); err == nil {
		t.Fatal("a payload was opened that belongs to another row")
	}

	n, err := w.PurgeAuthorizations(ctx, nil, a.CreatedAt, 10)
	must(t, err)
	wantEqual(t, "purged too early", n, 0)
	n, err = w.PurgeAuthorizations(ctx, nil, other.CreatedAt.Add(time.Microsecond), 10)
	must(t, err)
	wantEqual(t, "purged", n, 2)

	a = newAuthorization(w, "c")
	must(t, w.InsertAuthorization(ctx, nil, &a))
	for _, want := range []bool{true, false} {
		deleted, err := w.DeleteAuthorization(ctx, nil, a.ID)
		must(t, err)
		wantEqual(t, "deleted", deleted, want)
	}
	_, err = w.Authorization(ctx, nil, a.UUID)
	wantKind(t, err, linkspan.KindNotFound)
}

func testOlderAuthorizations(t *testing.T, w *world) {
	ctx := t.Context()
	var same []linkspan.Authorization
	for range 3 {
		a := newAuthorization(w, "c")
		must(t, w.InsertAuthorization(ctx, nil, &a))
		same = append(same, a)
	}
	others := []linkspan.Authorization{newAuthorization(w, "d"), newAuthorization(w, "c"), newAuthorization(w, "c")}
	others[1].IntegrationKey = "gitlab"
	others[2].EnvironmentID = w.newEnvironment(t, "other").ID
	for i := range others {
		must(t, w.InsertAuthorization(ctx, nil, &others[i]))
	}
	late := newAuthorization(w, "c")
	must(t, w.InsertAuthorization(ctx, nil, &late))
	w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
		n, err := w.DeleteOlderAuthorizations(ctx, tx, &same[1])
		must(t, err)
		wantEqual(t, "older ones", n, 1)
	})
	n, err := w.DeleteOlderAuthorizations(ctx, nil, &late)
	must(t, err)
	wantEqual(t, "older ones", n, 2)
	for _, a := range append(others, late) {
		_, err := w.Authorization(ctx, nil, a.UUID)
		must(t, err)
	}
}

// sealedPayload returns what is in the row.
func (w *world) sealedPayload(t *testing.T, uuid string) (sealed []byte) {
	t.Helper()
	const query = "select payload from authorizations where uuid = $1"
	switch pool := w.Pool().(type) {
	case *pgxpool.Pool:
		must(t, pool.QueryRow(t.Context(), query, uuid).Scan(&sealed))
	case *sql.DB:
		must(t, pool.QueryRowContext(t.Context(), query, uuid).Scan(&sealed))
	}
	return sealed
}
