package access

import (
	"context"
	"maps"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// touchEvery bounds how often the use of one key is written.
	touchEvery = time.Minute
	// flushEvery is how often noted uses are written, all in one statement.
	flushEvery = 10 * time.Second
	// flushTimeout bounds one write.
	flushTimeout = 5 * time.Second
)

// touch notes that a key was used, at most once a minute a key. The common
// case is two atomic loads.
func (s *Service) touch(p *Principal) {
	if p.KeyID == 0 {
		return
	}
	now := s.now()
	last := p.touched.Load()
	if now.UnixNano()-last < int64(touchEvery) || !p.touched.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	s.mu.Lock()
	s.used[p.KeyID] = now
	s.mu.Unlock()
}

// Run writes the times of last use until ctx ends, and what is left then.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			s.flush(context.WithoutCancel(ctx), &failing)
			return nil
		case <-tick.C:
			s.flush(ctx, &failing)
		}
	}
}

func (s *Service) flush(ctx context.Context, failing *bool) {
	s.mu.Lock()
	batch := s.used
	s.used = make(map[linkspan.APIKeyID]time.Time)
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := s.store.TouchAPIKeys(ctx, nil, batch); err != nil {
		if !*failing {
			s.log.WarnContext(ctx, "writing when API keys were last used failed; it will be tried again", "error", err)
		}
		*failing = true
		s.restore(batch)
		return
	}
	*failing = false
}

// restore puts back what could not be written, below what was noted since.
func (s *Service) restore(batch map[linkspan.APIKeyID]time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(batch, s.used)
	s.used = batch
}
