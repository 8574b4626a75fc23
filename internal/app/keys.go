package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/vault"
)

// RotateKeys moves every data key under the active master key while servers are
// running, and shows its progress on out. With a key file it makes a new master
// key first and forgets the old ones at the end.
func RotateKeys(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) (err error) {
	if err := requireKey(c); err != nil {
		return err
	}
	pending, err := store.Pending(ctx, storeConfig(c), log)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		return linkspan.E("app.RotateKeys", linkspan.KindConflict, "", nil, "The database is not of this version.").
			WithHint("Run linkspan migrate, or start the server, first.")
	}
	db, err := openDatabase(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ring, err := openRing(ctx, c, db)
	if err != nil {
		return err
	}
	r := rotation{db: db, ring: ring, out: &printer{w: out}}
	if err := vault.New(ring, db).Verify(ctx); err != nil {
		return err
	}
	if c.EncryptionKey.IsZero() {
		err = r.keyFile(ctx, keyPath(c))
	} else {
		err = r.givenKeys(ctx)
	}
	return errors.Join(err, r.out.err)
}

type rotation struct {
	db   *store.DB
	ring *vault.Ring
	out  *printer
}

// keyFile rotates a key file. Its changes happen inside database transactions:
// on SQLite there is one writer at a time, across processes, which keeps two
// rotations from losing each other's key, and a server from wrapping a data key
// with a key that is being dropped.
func (r *rotation) keyFile(ctx context.Context, path string) error {
	active := vault.NewMasterKey()
	err := r.db.InTx(ctx, func(context.Context, linkspan.Tx) error {
		if err := r.ring.Reload(); err != nil {
			return err
		}
		return vault.SaveRingFile(path, active, r.ring.Keys()...)
	})
	if err != nil {
		return err
	}
	r.out.line("Made encryption key %s in %s.", active.ID(), path)
	if _, err := r.rewrap(ctx); err != nil {
		return err
	}
	dropped := false
	err = r.db.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		dropped = false
		if err := r.ring.Reload(); err != nil {
			return err
		}
		left, err := vault.New(r.ring, r.db).Remaining(ctx, tx)
		if err != nil || left > 0 || r.ring.Active().ID() != active.ID() {
			return err
		}
		dropped = true
		return vault.SaveRingFile(path, active)
	})
	if err != nil {
		return err
	}
	if !dropped {
		r.out.line("Another rotation is going on; the old keys are kept until it ends.")
		return nil
	}
	r.out.line("The old key is forgotten. Back up %s now: earlier copies do not open this data any more.", path)
	return nil
}

// givenKeys moves everything to the key that was given as the active one. Old
// keys are the operator's to remove.
func (r *rotation) givenKeys(ctx context.Context) error {
	moved, err := r.rewrap(ctx)
	if err != nil {
		return err
	}
	old := r.ring.IDs()[1:]
	if len(old) == 0 {
		return nil
	}
	r.out.line("Not used any more: %s.", strings.Join(old, ", "))
	// A replica with another active key may be making a data key right now.
	then := "remove --old-encryption-keys everywhere"
	if moved > 0 {
		then = "run this command again, to be sure"
	}
	r.out.line("Once every replica has %s as its --encryption-key, %s.", r.ring.Active().ID(), then)
	return nil
}

// rewrap moves every data key, and returns and says how many there were.
func (r *rotation) rewrap(ctx context.Context) (moved int, err error) {
	v := vault.New(r.ring, r.db)
	err = v.Rotate(ctx, func(done, total int) {
		moved = done
		r.out.line("Moved %d of %d data keys.", done, total)
	})
	if err != nil {
		return moved, err
	}
	active := r.ring.Active().ID()
	if moved == 0 {
		r.out.line("Nothing to move: every data key is under key %s.", active)
		return 0, nil
	}
	r.out.line("Every data key is under key %s.", active)
	return moved, nil
}
