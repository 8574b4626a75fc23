package vault_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

// memoryKeys is a KeyStore in memory.
type memoryKeys struct {
	mu    sync.Mutex
	keys  []vault.WrappedKey
	reads int
}

func (m *memoryKeys) DataKeys(_ context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]vault.WrappedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	keys := m.where(func(k vault.WrappedKey) bool { return k.EnvironmentID == env })
	if tx, ok := tx.(*memoryTx); ok {
		keys = append(keys, tx.keys...)
	}
	return keys, nil
}

func (m *memoryKeys) InsertDataKey(_ context.Context, tx linkspan.Tx, k vault.WrappedKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if tx, ok := tx.(*memoryTx); ok {
		tx.keys = append(tx.keys, k)
		return nil
	}
	m.keys = append(m.keys, k)
	return nil
}

func (m *memoryKeys) DataKeySamples(context.Context) ([]vault.WrappedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := make(map[string]bool)
	return m.where(func(k vault.WrappedKey) bool {
		first := !seen[k.MasterID]
		seen[k.MasterID] = true
		return first
	}), nil
}

func (m *memoryKeys) DataKeysByMaster(_ context.Context, notMaster string, after linkspan.EnvironmentID, limit int) ([]vault.WrappedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := m.where(func(k vault.WrappedKey) bool { return k.MasterID != notMaster && k.EnvironmentID > after })
	return keys[:min(limit, len(keys))], nil
}

func (m *memoryKeys) RewrapDataKey(_ context.Context, _ linkspan.Tx, k vault.WrappedKey, oldMaster string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.keys {
		if m.keys[i].ID == k.ID && m.keys[i].MasterID == oldMaster {
			m.keys[i].MasterID, m.keys[i].Wrapped = k.MasterID, k.Wrapped
			return true, nil
		}
	}
	return false, nil
}

func (m *memoryKeys) CountDataKeys(_ context.Context, _ linkspan.Tx, master string) (total, byOthers int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.keys), len(m.where(func(k vault.WrappedKey) bool { return k.MasterID != master })), nil
}

func (m *memoryKeys) where(keep func(vault.WrappedKey) bool) []vault.WrappedKey {
	var out []vault.WrappedKey
	for _, k := range m.keys {
		if keep(k) {
			k.Wrapped = slices.Clone(k.Wrapped)
			out = append(out, k)
		}
	}
	return out
}

// memoryTx holds data keys that are not committed.
type memoryTx struct {
	keys  []vault.WrappedKey
	hooks []func()
}

func (*memoryTx) Now() time.Time      { return time.Unix(0, 0).UTC() }
func (t *memoryTx) OnCommit(f func()) { t.hooks = append(t.hooks, f) }
func (*memoryTx) Unwrap() any         { return nil }
func (t *memoryTx) commit(m *memoryKeys) {
	m.keys = append(m.keys, t.keys...)
	for _, f := range t.hooks {
		f()
	}
}

// addEnvironment gives an environment its data key.
func addEnvironment(t *testing.T, v *vault.Vault, keys *memoryKeys, env linkspan.EnvironmentID) {
	t.Helper()
	k, err := v.NewDataKey(env, linkspan.NewUUID())
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.InsertDataKey(t.Context(), nil, k); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
