package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan"
)

// CodeWrongKey is the code of errors that mean that the encryption keys given
// are not those of the data.
const CodeWrongKey = "wrong_encryption_key"

const rotateBatch = 200

// Verify checks that the ring opens the data: one data key for each master key
// in use. The error says what to do.
func (v *Vault) Verify(ctx context.Context) error {
	const op = "vault.Verify"
	samples, err := v.keys.DataKeySamples(ctx)
	if err != nil {
		return fmt.Errorf("reading the data keys: %w", err)
	}
	for _, k := range samples {
		_, err := v.unwrap(k)
		if err == nil {
			continue
		}
		if unknown, ok := errors.AsType[*UnknownMasterError](err); ok {
			return linkspan.E(op, linkspan.KindInvalid, CodeWrongKey, nil,
				"The encryption key does not match the data: the data is encrypted under master key %s, but only %s was given.",
				unknown.ID, strings.Join(unknown.Held, ", ")).
				WithHint("Give the key with id %s: as the encryption key, or as an old one if you have rotated since. Key ids are the first eight hexadecimal digits of the SHA-256 of the 32 bytes.", unknown.ID)
		}
		return linkspan.E(op, linkspan.KindInternal, "", err, "A data key is damaged and cannot be decrypted.").
			WithHint("Restore the table data_keys from a backup.")
	}
	return nil
}

// Rotate wraps every data key with the active master key, while the system is
// in use. It calls progress, which may be nil, after every batch. It can be
// interrupted and repeated.
func (v *Vault) Rotate(ctx context.Context, progress func(done, total int)) error {
	if err := v.ring.Reload(); err != nil {
		return err
	}
	active := v.ring.Active()
	_, total, err := v.keys.CountDataKeys(ctx, nil, active.id)
	if err != nil {
		return fmt.Errorf("counting the data keys: %w", err)
	}
	for done := 0; ; {
		// Keys that have been rewrapped leave this set, so that the start of it
		// is always the rest of the work.
		batch, err := v.keys.DataKeysByMaster(ctx, active.id, 0, rotateBatch)
		if err != nil {
			return fmt.Errorf("reading the data keys to rewrap: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		for _, k := range batch {
			if err := v.rewrap(ctx, active, k); err != nil {
				return err
			}
		}
		done += len(batch)
		if progress != nil {
			progress(done, max(done, total))
		}
	}
}

// rewrap moves one data key to the active master key. Losing to another process
// that does the same is success.
func (v *Vault) rewrap(ctx context.Context, active MasterKey, k WrappedKey) error {
	raw, err := v.unwrap(k)
	if err != nil {
		return fmt.Errorf("unwrapping data key %x of environment %d: %w", k.ID, k.EnvironmentID, err)
	}
	if _, err := v.keys.RewrapDataKey(ctx, nil, wrap(active, k, raw), k.MasterID); err != nil {
		return fmt.Errorf("storing data key %x of environment %d: %w", k.ID, k.EnvironmentID, err)
	}
	return nil
}

// Remaining returns how many data keys are not yet wrapped by the active master
// key. Inside a transaction on SQLite, zero stays zero until the transaction
// ends.
func (v *Vault) Remaining(ctx context.Context, tx linkspan.Tx) (int, error) {
	_, others, err := v.keys.CountDataKeys(ctx, tx, v.ring.Active().id)
	if err != nil {
		return 0, fmt.Errorf("counting the data keys: %w", err)
	}
	return others, nil
}
