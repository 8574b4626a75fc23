package vault_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// TestRotateOnRealDatabases rotates the master key several times while two
// processes seal and open, make environments, and start anew with cold caches.
func TestRotateOnRealDatabases(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rotation{config: config(t), path: filepath.Join(t.TempDir(), "keys")}
			ring, err := vault.CreateRingFile(r.path)
			must(t, err)
			r.store = storetest.Open(t, r.config, ring)
			r.account = linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
			must(t, r.store.InsertAccount(t.Context(), nil, &r.account))
			must(t, r.makeEnvironment(t.Context(), r.store, "first"))

			working, rotated := context.WithCancel(t.Context())
			defer rotated()
			var workers sync.WaitGroup
			for n := range 2 {
				workers.Go(func() { r.work(working, t, n) })
			}
			for r.rounds.Load() < 8 && !t.Failed() {
				// Only SQLite's one writer keeps a data key from being made
				// with a key that is being forgotten.
				r.rotate(t, r.config.DataDir != "")
			}
			rotated()
			workers.Wait()
			r.rotate(t, true) // nobody makes data keys any more
			if ids := r.open(t).IDs(); len(ids) != 1 {
				t.Errorf("the ring still holds %v", ids)
			}
			must(t, r.readAll(t.Context(), storetest.Open(t, r.config, r.open(t))))
		})
	}
}

type rotation struct {
	config  store.Config
	path    string
	account linkspan.Account
	store   *store.Store
	rounds  atomic.Int64
}

func (r *rotation) open(t *testing.T) *vault.Ring {
	t.Helper()
	ring, err := vault.LoadRingFile(r.path)
	must(t, err)
	return ring
}

// rotate does what the command does: a new key, everything rewrapped, and the
// old keys forgotten inside a transaction.
func (r *rotation) rotate(t *testing.T, forget bool) {
	t.Helper()
	ring, active := r.open(t), vault.NewMasterKey()
	must(t, vault.SaveRingFile(r.path, active, ring.Keys()...))
	v := vault.New(ring, r.store)
	must(t, v.Rotate(t.Context(), nil))
	if !forget {
		return
	}
	must(t, r.store.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		left, err := v.Remaining(ctx, tx)
		if err != nil || left > 0 {
			return err
		}
		return vault.SaveRingFile(r.path, active)
	}))
}

// work is a process that starts again and again until working ends.
func (r *rotation) work(working context.Context, t *testing.T, n int) {
	for round := 0; working.Err() == nil; round++ {
		ring, err := vault.LoadRingFile(r.path)
		if err != nil {
			t.Error(err)
			return
		}
		db, err := store.Open(t.Context(), r.config, discard())
		if err != nil {
			t.Error(err)
			return
		}
		v := vault.New(ring, db)
		s := store.New(db, v)
		for _, err := range []error{
			v.Verify(t.Context()),
			r.readAll(t.Context(), s),
			r.makeEnvironment(t.Context(), s, fmt.Sprintf("made-%d-%d", n, round)),
			r.readAll(t.Context(), s),
			db.Close(),
		} {
			if err != nil {
				t.Errorf("round %d of process %d: %v", round, n, err)
			}
		}
		if t.Failed() {
			return
		}
		r.rounds.Add(1)
	}
}

func (r *rotation) makeEnvironment(ctx context.Context, s *store.Store, name string) error {
	e := linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: r.account.ID, Name: name, PublicKey: linkspan.NewUUID(), WebhookSigningKey: linkspan.NewSecret(name),
	}
	if err := s.InsertEnvironment(ctx, nil, &e); err != nil {
		return err
	}
	return s.ReplaceVariables(ctx, nil, e.ID, e.UUID, []linkspan.SecretPair{{Name: "NAME", Value: linkspan.NewSecret(name)}})
}

// readAll opens something of every environment. It fails if any is not what was
// sealed.
func (r *rotation) readAll(ctx context.Context, s *store.Store) error {
	envs, err := s.Environments(ctx, nil, r.account.ID, "")
	if err != nil {
		return err
	}
	for _, e := range envs {
		if got := e.WebhookSigningKey.Reveal(); got != e.Name {
			return fmt.Errorf("environment %s opens as %q", e.Name, got)
		}
	}
	return nil
}
