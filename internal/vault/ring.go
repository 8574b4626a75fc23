package vault

import (
	"fmt"
	"slices"
	"sync"

	"github.com/linkspan/linkspan"
)

// Ring holds the master keys: one active, which wraps, and old ones, which only
// unwrap. It is safe for concurrent use.
//
// A ring that was loaded from a file reads the file again when it meets the id
// of a key it does not hold, and before it wraps: that is how a running server
// follows a rotation made by another process.
type Ring struct {
	reload func() ([]MasterKey, error) // nil: the keys are fixed

	mu   sync.RWMutex
	keys []MasterKey // the first is active
}

// NewRing makes a ring of fixed keys.
func NewRing(active MasterKey, old ...MasterKey) *Ring {
	return &Ring{keys: append([]MasterKey{active}, old...)}
}

// ParseRing makes a ring of fixed keys from their base64 forms.
func ParseRing(active linkspan.Secret, old []linkspan.Secret) (*Ring, error) {
	first, err := ParseMasterKey(active)
	if err != nil {
		return nil, fmt.Errorf("reading the active encryption key: %w", err)
	}
	keys := []MasterKey{first}
	for i, text := range old {
		k, err := ParseMasterKey(text)
		if err != nil {
			return nil, fmt.Errorf("reading old encryption key %d: %w", i+1, err)
		}
		keys = append(keys, k)
	}
	return &Ring{keys: keys}, nil
}

// Active returns the key that wraps new data keys.
func (r *Ring) Active() MasterKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[0]
}

// Keys returns all keys, the active one first.
func (r *Ring) Keys() []MasterKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.keys)
}

// IDs returns the ids of all keys, the active one's first.
func (r *Ring) IDs() []string {
	keys := r.Keys()
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.id
	}
	return ids
}

// Reload reads the ring's file again. A ring without a file stays as it is.
func (r *Ring) Reload() error {
	if r.reload == nil {
		return nil
	}
	keys, err := r.reload()
	if err != nil {
		return fmt.Errorf("reading the encryption keys again: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = keys
	return nil
}

// find returns the key with the id. It looks into the file again when the ring
// does not hold it.
func (r *Ring) find(id string) (MasterKey, error) {
	if k, ok := r.held(id); ok {
		return k, nil
	}
	if err := r.Reload(); err != nil {
		return MasterKey{}, err
	}
	if k, ok := r.held(id); ok {
		return k, nil
	}
	return MasterKey{}, &UnknownMasterError{ID: id, Held: r.IDs()}
}

func (r *Ring) held(id string) (MasterKey, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, k := range r.keys {
		if k.id == id {
			return k, true
		}
	}
	return MasterKey{}, false
}

// UnknownMasterError means that a data key is wrapped by a master key that the
// ring does not hold.
type UnknownMasterError struct {
	// ID is the id of the master key that is needed.
	ID string
	// Held are the ids of those that were given.
	Held []string
}

// Error implements error.
func (e *UnknownMasterError) Error() string {
	return fmt.Sprintf("the data is encrypted under master key %s, which was not given (given: %v)", e.ID, e.Held)
}
