package access_test

import (
	"context"
	"encoding/hex"
	"maps"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

// fakeStore keeps keys and sessions in maps and writes changes like the real
// one.
type fakeStore struct {
	mu        sync.Mutex
	keys      map[[32]byte]linkspan.APIKey
	envs      map[linkspan.EnvironmentID]linkspan.Environment
	sessions  map[[32]byte]linkspan.ConnectSession
	changes   []linkspan.Change
	used      map[linkspan.APIKeyID]time.Time
	lookups   int
	touches   int
	fail      error  // what everything returns, if set
	duringGet func() // runs within a lookup, after the store was read
}

func newStore() *fakeStore {
	return &fakeStore{
		keys:     map[[32]byte]linkspan.APIKey{},
		sessions: map[[32]byte]linkspan.ConnectSession{},
		used:     map[linkspan.APIKeyID]time.Time{},
		envs:     map[linkspan.EnvironmentID]linkspan.Environment{7: {ID: 7, UUID: "env-7", AccountID: 1, Name: "dev"}},
	}
}

func notFound() error { return linkspan.E("fake", linkspan.KindNotFound, "", nil, "none") }

func (f *fakeStore) record(kind linkspan.ChangeKind, key string) {
	f.changes = append(f.changes, linkspan.Change{Seq: int64(len(f.changes) + 1), Kind: kind, Key: key})
}

func (f *fakeStore) APIKeyByHash(_ context.Context, _ linkspan.Tx, hash [32]byte) (linkspan.APIKey, linkspan.Environment, error) {
	f.mu.Lock()
	f.lookups++
	key, ok := f.keys[hash]
	env, err, during := f.envs[key.EnvironmentID], f.fail, f.duringGet
	f.mu.Unlock()
	if during != nil {
		during()
	}
	if err != nil {
		return linkspan.APIKey{}, linkspan.Environment{}, err
	}
	if !ok || key.EnvironmentID != 0 && env.ID == 0 {
		return linkspan.APIKey{}, linkspan.Environment{}, notFound()
	}
	return key, env, nil
}

func (f *fakeStore) ConnectSessionByHash(_ context.Context, _ linkspan.Tx, hash [32]byte) (linkspan.ConnectSession, linkspan.Environment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lookups++
	s, ok := f.sessions[hash]
	if !ok {
		return linkspan.ConnectSession{}, linkspan.Environment{}, notFound()
	}
	return s, f.envs[s.EnvironmentID], f.fail
}

func (f *fakeStore) EnvironmentByPublicKey(_ context.Context, _ linkspan.Tx, key string) (linkspan.Environment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lookups++
	for _, e := range f.envs {
		if e.PublicKey == key {
			return e, f.fail
		}
	}
	return linkspan.Environment{}, notFound()
}

func (f *fakeStore) InsertAPIKey(_ context.Context, _ linkspan.Tx, key *linkspan.APIKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.keys {
		if k.EnvironmentID == key.EnvironmentID && k.DisplayName == key.DisplayName {
			return linkspan.E("fake", linkspan.KindConflict, "", nil, "taken")
		}
	}
	key.ID = linkspan.APIKeyID(len(f.keys) + 1)
	f.keys[key.Hash] = *key
	f.record(linkspan.ChangeAPIKey, hex.EncodeToString(key.Hash[:]))
	return f.fail
}

func (f *fakeStore) APIKeys(_ context.Context, _ linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, name string) ([]linkspan.APIKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []linkspan.APIKey
	for _, k := range f.keys {
		if k.AccountID == account && k.EnvironmentID == env && (name == "" || k.DisplayName == name) {
			keys = append(keys, k)
		}
	}
	return keys, f.fail
}

func (f *fakeStore) one(account linkspan.AccountID, env linkspan.EnvironmentID, is func(linkspan.APIKey) bool) (linkspan.APIKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.keys {
		if k.AccountID == account && k.EnvironmentID == env && is(k) {
			return k, f.fail
		}
	}
	return linkspan.APIKey{}, notFound()
}

func (f *fakeStore) APIKey(_ context.Context, _ linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, uuid string) (linkspan.APIKey, error) {
	return f.one(account, env, func(k linkspan.APIKey) bool { return k.UUID == uuid })
}

func (f *fakeStore) APIKeyByID(_ context.Context, _ linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, id linkspan.APIKeyID) (linkspan.APIKey, error) {
	return f.one(account, env, func(k linkspan.APIKey) bool { return k.ID == id })
}

func (f *fakeStore) DeleteAPIKey(_ context.Context, _ linkspan.Tx, key linkspan.APIKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, key.Hash)
	f.record(linkspan.ChangeAPIKey, hex.EncodeToString(key.Hash[:]))
	return f.fail
}

func (f *fakeStore) TouchAPIKeys(_ context.Context, _ linkspan.Tx, used map[linkspan.APIKeyID]time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touches++
	if f.fail == nil {
		maps.Copy(f.used, used)
	}
	return f.fail
}

func (f *fakeStore) PurgeConnectSessions(_ context.Context, _ linkspan.Tx, before time.Time, limit int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for hash, s := range f.sessions {
		if n < limit && s.ExpiresAt.Before(before) {
			delete(f.sessions, hash)
			n++
		}
	}
	return n, f.fail
}

func (f *fakeStore) LatestChange(context.Context) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.changes)), f.fail
}

func (f *fakeStore) ChangesSince(_ context.Context, seq int64, _ int) ([]linkspan.Change, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]linkspan.Change(nil), f.changes[seq:]...), f.fail
}

func (f *fakeStore) Notifications(context.Context) <-chan struct{} { return nil }

func (f *fakeStore) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// seen returns when a key was last used as far as the store knows, and how often
// such times were written.
func (f *fakeStore) seen(id linkspan.APIKeyID) (time.Time, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used[id], f.touches
}
