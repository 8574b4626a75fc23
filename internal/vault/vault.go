package vault

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	version    = 1
	keyIDSize  = 8
	headerSize = 1 + keyIDSize
	overhead   = 12 + 16 // nonce and tag

	// cachedEnvironments bounds how many environments' data keys are kept
	// unwrapped in memory, at about one kilobyte each.
	cachedEnvironments = 4096
)

// AAD is the place of a value. It is authenticated with the value, so that the
// value opens nowhere else.
type AAD struct {
	// Table and Column say where the value is stored.
	Table, Column string
	// Row is the row's UUID or natural key, never an id that the database
	// assigned: those change when data is moved.
	Row string
}

// WrappedKey is a data key as it is stored.
type WrappedKey struct {
	// ID names the key in ciphertexts. It is random.
	ID [keyIDSize]byte
	// EnvironmentID is whose key it is.
	EnvironmentID linkspan.EnvironmentID
	// EnvironmentUUID is bound into the wrapping.
	EnvironmentUUID string
	// MasterID is the id of the master key that wraps it.
	MasterID string
	// Wrapped is the encrypted key.
	Wrapped []byte
	// Active marks the environment's key for new values.
	Active    bool
	CreatedAt time.Time
}

// KeyStore keeps wrapped data keys.
type KeyStore interface {
	// DataKeys returns all data keys of an environment.
	DataKeys(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]WrappedKey, error)
	// InsertDataKey stores a new data key.
	InsertDataKey(ctx context.Context, tx linkspan.Tx, k WrappedKey) error
	// DataKeySamples returns one data key for each master key in use.
	DataKeySamples(ctx context.Context) ([]WrappedKey, error)
	// DataKeysByMaster returns data keys that another master key than
	// notMaster wraps, of environments after afterEnv, ordered by environment.
	DataKeysByMaster(ctx context.Context, notMaster string, afterEnv linkspan.EnvironmentID, limit int) ([]WrappedKey, error)
	// RewrapDataKey stores k.Wrapped and k.MasterID if the key is still
	// wrapped by oldMaster, and reports whether it was.
	RewrapDataKey(ctx context.Context, tx linkspan.Tx, k WrappedKey, oldMaster string) (bool, error)
	// CountDataKeys returns how many data keys there are, and how many of them
	// another master key than the given one wraps.
	CountDataKeys(ctx context.Context, tx linkspan.Tx, master string) (total, byOthers int, err error)
}

// Vault seals and opens values. It is safe for concurrent use.
type Vault struct {
	ring *Ring
	keys KeyStore

	mu    sync.RWMutex
	cache map[linkspan.EnvironmentID]*dataKeys
}

// dataKeys are the unwrapped data keys of one environment. Immutable.
type dataKeys struct {
	active dataKey
	byID   map[[keyIDSize]byte]cipher.AEAD
}

type dataKey struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

// New makes a vault.
func New(ring *Ring, keys KeyStore) *Vault {
	return &Vault{ring: ring, keys: keys, cache: make(map[linkspan.EnvironmentID]*dataKeys)}
}

// NewDataKey makes a data key for an environment, wrapped by the active master
// key. Call it inside the transaction that inserts it: on SQLite that is what
// keeps a rotation from dropping the master key in between.
func (v *Vault) NewDataKey(env linkspan.EnvironmentID, envUUID string) (WrappedKey, error) {
	if err := v.ring.Reload(); err != nil {
		return WrappedKey{}, err
	}
	k := WrappedKey{EnvironmentID: env, EnvironmentUUID: envUUID, Active: true}
	_, _ = rand.Read(k.ID[:]) // never fails
	var raw [keySize]byte
	_, _ = rand.Read(raw[:]) // never fails
	return wrap(v.ring.Active(), k, raw[:]), nil
}

// Seal encrypts a value for its place in an environment.
func (v *Vault) Seal(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, aad AAD, plaintext []byte) ([]byte, error) {
	keys, err := v.dataKeys(ctx, tx, env)
	if err != nil {
		return nil, err
	}
	out := make([]byte, headerSize, headerSize+overhead+len(plaintext))
	out[0] = version
	copy(out[1:], keys.active.id[:])
	return keys.active.aead.Seal(out, nil, plaintext, aad.encode()), nil //nolint:gosec // this mode makes the nonce itself
}

// Open decrypts what Seal made for the same place. The error is of KindInternal
// when the value is damaged, was made for another place, or its data key is
// gone.
func (v *Vault) Open(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, aad AAD, sealed []byte) ([]byte, error) {
	return v.AppendOpened(ctx, tx, env, aad, nil, sealed)
}

// AppendOpened is Open that appends the value to dst.
func (v *Vault) AppendOpened(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, aad AAD, dst, sealed []byte) ([]byte, error) {
	const op = "vault.Open"
	if len(sealed) < headerSize+overhead || sealed[0] != version {
		return nil, damaged(op, aad, errors.New("not the form of a sealed value"))
	}
	id := [keyIDSize]byte(sealed[1:headerSize])
	aead, err := v.dataKey(ctx, tx, env, id)
	if err != nil {
		return nil, err
	}
	if aead == nil {
		return nil, damaged(op, aad, fmt.Errorf("data key %x does not exist", id))
	}
	plaintext, err := aead.Open(dst, nil, sealed[headerSize:], aad.encode())
	if err != nil {
		return nil, damaged(op, aad, err)
	}
	return plaintext, nil
}

func damaged(op string, aad AAD, cause error) error {
	return linkspan.E(op, linkspan.KindInternal, "", fmt.Errorf("%s.%s of %s: %w", aad.Table, aad.Column, aad.Row, cause),
		"A stored secret could not be decrypted: it is damaged or does not belong where it was found.")
}

// dataKey returns one data key of an environment, nil if it has no such key. A
// key that the cache does not know may be newer than the cache.
func (v *Vault) dataKey(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id [keyIDSize]byte) (cipher.AEAD, error) {
	if keys := v.cached(env); keys != nil {
		if aead := keys.byID[id]; aead != nil {
			return aead, nil
		}
	}
	keys, err := v.load(ctx, tx, env)
	if err != nil {
		return nil, err
	}
	return keys.byID[id], nil
}

func (v *Vault) dataKeys(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (*dataKeys, error) {
	if keys := v.cached(env); keys != nil {
		return keys, nil
	}
	return v.load(ctx, tx, env)
}

func (v *Vault) cached(env linkspan.EnvironmentID) *dataKeys {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.cache[env]
}

// load reads and unwraps the data keys of an environment and caches them. Keys
// read inside a transaction are cached when it commits and not before: it may
// have inserted them itself, and a key that was rolled back must never encrypt
// anything.
func (v *Vault) load(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (*dataKeys, error) {
	keys, err := v.read(ctx, tx, env)
	if _, ok := errors.AsType[*UnknownMasterError](err); ok {
		// A rotation may have ended after they were read and before they were
		// unwrapped: by now they are under a key that the ring holds.
		keys, err = v.read(ctx, tx, env)
	}
	if err != nil {
		return nil, err
	}
	if keys.active.aead == nil {
		return nil, fmt.Errorf("environment %d has no active data key", env)
	}
	if tx == nil {
		v.store(env, keys)
	} else {
		tx.OnCommit(func() { v.store(env, keys) })
	}
	return keys, nil
}

func (v *Vault) read(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (*dataKeys, error) {
	stored, err := v.keys.DataKeys(ctx, tx, env)
	if err != nil {
		return nil, fmt.Errorf("reading the data keys of environment %d: %w", env, err)
	}
	keys, err := v.unwrapAll(stored)
	if err != nil {
		return nil, fmt.Errorf("unwrapping the data keys of environment %d: %w", env, err)
	}
	return keys, nil
}

func (v *Vault) unwrapAll(stored []WrappedKey) (*dataKeys, error) {
	keys := &dataKeys{byID: make(map[[keyIDSize]byte]cipher.AEAD, len(stored))}
	for _, k := range stored {
		raw, err := v.unwrap(k)
		if err != nil {
			return nil, err
		}
		aead, err := newAEAD(raw)
		if err != nil {
			return nil, err
		}
		keys.byID[k.ID] = aead
		if k.Active {
			keys.active = dataKey{id: k.ID, aead: aead}
		}
	}
	return keys, nil
}

func (v *Vault) store(env linkspan.EnvironmentID, keys *dataKeys) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.cache[env]; !ok && len(v.cache) >= cachedEnvironments {
		for other := range v.cache { // map order is random: good enough a victim
			delete(v.cache, other)
			break
		}
	}
	v.cache[env] = keys
}

func (v *Vault) unwrap(k WrappedKey) ([]byte, error) {
	master, err := v.ring.find(k.MasterID)
	if err != nil {
		return nil, err
	}
	return unwrap(master, k)
}

func wrap(master MasterKey, k WrappedKey, raw []byte) WrappedKey {
	k.MasterID = master.id
	k.Wrapped = master.aead.Seal([]byte{version}, nil, raw, wrapAAD(k)) //nolint:gosec // this mode makes the nonce itself
	return k
}

func unwrap(master MasterKey, k WrappedKey) ([]byte, error) {
	if len(k.Wrapped) == 0 || k.Wrapped[0] != version {
		return nil, fmt.Errorf("data key %x is not in a form this version knows", k.ID)
	}
	raw, err := master.aead.Open(nil, nil, k.Wrapped[1:], wrapAAD(k))
	if err != nil {
		return nil, fmt.Errorf("data key %x does not open with master key %s: %w", k.ID, master.id, err)
	}
	return raw, nil
}

func wrapAAD(k WrappedKey) []byte {
	return AAD{Table: "data_keys", Column: string(k.ID[:]), Row: k.EnvironmentUUID}.encode()
}

// encode is injective: each part follows its length.
func (a AAD) encode() []byte {
	out := make([]byte, 0, 3+len(a.Table)+len(a.Column)+len(a.Row))
	for _, part := range [...]string{a.Table, a.Column, a.Row} {
		out = binary.AppendUvarint(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}
