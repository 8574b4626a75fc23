package connect

import (
	"context"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// touchEvery is how often noted uses are written.
	touchEvery = 5 * time.Second
	// touchAgain is how long a noted use of a connection stands for all others.
	touchAgain = time.Minute
	// drainTimeout bounds what is done on the way out.
	drainTimeout = 20 * time.Second
)

// touches are the uses that wait to be written.
type touches struct {
	mu      sync.Mutex
	pending map[linkspan.ConnectionID]time.Time
}

func (t *touches) add(id linkspan.ConnectionID, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.After(t.pending[id]) {
		t.pending[id] = at
	}
}

func (t *touches) take() map[linkspan.ConnectionID]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) == 0 {
		return nil
	}
	taken := t.pending
	t.pending = make(map[linkspan.ConnectionID]time.Time, len(taken))
	return taken
}

// touch notes a use at most once a minute, without a lock on the way there, and
// shows it on the cached connection. It is written behind.
func (s *Service) touch(e *entry, now time.Time) {
	t := e.target.Load()
	if now.Sub(t.Connection.LastFetchedAt) < touchAgain {
		return
	}
	next := &upstream.Target{Provider: t.Provider, Integration: t.Integration, Connection: t.Connection, Credentials: t.Credentials}
	next.Connection.LastFetchedAt = now.UTC()
	if e.target.CompareAndSwap(t, next) {
		s.touched.add(t.Connection.ID, now)
	}
}

// flushTouches writes what was noted and keeps it for later if that fails.
func (s *Service) flushTouches(ctx context.Context) {
	taken := s.touched.take()
	if len(taken) == 0 {
		return
	}
	err := s.store.TouchConnections(ctx, nil, taken)
	if err == nil {
		return
	}
	s.log.WarnContext(ctx, "noting when connections were last fetched failed; it is tried again", "error", err, "connections", len(taken))
	for id, at := range taken {
		s.touched.add(id, at)
	}
}
