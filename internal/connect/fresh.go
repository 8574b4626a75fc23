package connect

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// callTime is how much life credentials need to be worth a call.
	callTime = 5 * time.Second
	// rejectedPause is how old refreshed credentials must be for a provider's
	// refusal to lead to another refresh. Some providers answer 401 to whatever
	// they do not permit, and would be asked for a new token with every call.
	rejectedPause = 30 * time.Second
	// waitDeadline bounds the wait for another replica's refresh.
	waitDeadline = 60 * time.Second
	// patience bounds how long a caller waits for a refresh, which may itself go
	// on for longer to store what the provider answered.
	patience = 90 * time.Second
)

// FreshOptions say when credentials are refreshed although they are not due.
type FreshOptions struct {
	// Force refreshes whatever can be refreshed, even within the cooldown after
	// a failure and after exhaustion. It is for a caller's explicit wish.
	Force bool
	// Rejected says that the provider has just refused the credentials that
	// Fresh returned: they are refreshed unless an earlier failure forbids it
	// or they are so new that another refresh would not help.
	Rejected bool
}

// mode is why a refresh is wanted.
type mode int

const (
	modeDue mode = iota
	modeRejected
	modeForced
	modeBackground
)

// Fresh returns the connection with credentials that can be used, refreshing
// them when they are due, and notes that it was fetched. One refresh runs at a
// time on all replicas; callers whose credentials still work do not wait for
// it. Errors are those of Live, and a *RefreshError when the credentials can't
// be used and can't be refreshed.
func (s *Service) Fresh(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, o FreshOptions) (*upstream.Target, error) {
	e, err := s.live(ctx, cacheKey{env, integrationKey, name})
	if err != nil {
		return nil, err
	}
	now := s.now()
	s.touch(e, now)
	m, wanted := e.wants(o, now)
	if !wanted {
		return e.target.Load(), nil
	}
	e, err = s.refreshed(ctx, e, m, now)
	if err != nil {
		return nil, err
	}
	return e.target.Load(), nil
}

// wants reports whether and why the credentials are to be refreshed.
func (e *entry) wants(o FreshOptions, now time.Time) (mode, bool) {
	if !e.target.Load().Credentials.Refreshable() {
		return modeDue, false
	}
	switch {
	case o.Force:
		return modeForced, true
	case o.Rejected:
		return modeRejected, true
	default:
		return modeDue, e.due(now)
	}
}

// refreshed returns the connection after a refresh, or as it is when that will
// do.
func (s *Service) refreshed(ctx context.Context, e *entry, m mode, now time.Time) (*entry, error) {
	if early, done, err := s.settled(e, m, now); done {
		return early, err
	}
	f, mine := s.flights.join(flightKey{e.target.Load().Connection.UUID, m})
	if mine {
		go s.fly(context.WithoutCancel(ctx), f, e, m) // ends by its deadline; Run waits for it
	} else if m == modeDue && e.usable(now) {
		return e, nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.entry, f.err
	case <-timer.C:
		return nil, linkspan.E("connect.Fresh", linkspan.KindTimeout, "", nil,
			"The refresh of the credentials takes too long.").WithHint("Try again in a few seconds.")
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a refresh of connection %q: %w", e.target.Load().Connection.Name, context.Cause(ctx))
	}
}

// settled answers without a refresh when one would not help or an earlier
// failure forbids it: with the credentials while they may work, and with the
// failure otherwise.
func (s *Service) settled(e *entry, m mode, now time.Time) (*entry, bool, error) {
	if issued := e.target.Load().Credentials.IssuedAt; m == modeRejected && !issued.IsZero() && within(issued, now, rejectedPause) {
		return e, true, nil
	}
	st := e.target.Load().Connection.Refresh
	if m == modeForced || !blocked(st, now) {
		return nil, false, nil
	}
	if m == modeDue && keepsCredentials(st) && e.usable(now) {
		return e, true, nil
	}
	return nil, true, blockedError(e.target.Load(), now)
}

// flightKey names a refresh in this process. Each mode flies alone, because some
// are content with less than others; the lease puts them in a row.
type flightKey struct {
	uuid string
	mode mode
}

// flight is a refresh that callers in this process share. It goes on when they
// leave: the token it gets must be stored.
type flight struct {
	key   flightKey
	done  chan struct{}
	entry *entry
	err   error
}

// flights are the refreshes in progress.
type flights struct {
	mu      sync.Mutex
	running map[flightKey]*flight
}

// join returns the flight of the key, and whether the caller must fly it.
func (fs *flights) join(key flightKey) (f *flight, mine bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f, ok := fs.running[key]; ok {
		return f, false
	}
	f = &flight{key: key, done: make(chan struct{})}
	fs.running[key] = f
	return f, true
}

func (fs *flights) land(f *flight) {
	fs.mu.Lock()
	delete(fs.running, f.key)
	fs.mu.Unlock()
	close(f.done)
}

// drain waits until all flights have landed or ctx ends.
func (fs *flights) drain(ctx context.Context) {
	for {
		f := fs.any()
		if f == nil {
			return
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return
		}
	}
}

func (fs *flights) any() *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.running {
		return f
	}
	return nil
}

// fly runs a flight to its end.
func (s *Service) fly(ctx context.Context, f *flight, e *entry, m mode) {
	ctx, cancel := context.WithTimeout(ctx, waitDeadline)
	defer cancel()
	defer s.flights.land(f)
	defer func() {
		if p := recover(); p != nil {
			// The panic must not take down the process: nobody else's calls
			// depend on this connection.
			s.log.ErrorContext(ctx, "a refresh panicked", "panic", p, "stack", string(debug.Stack()), "connection", e.target.Load().Connection.UUID)
			f.entry, f.err = nil, linkspan.E("connect.Fresh", linkspan.KindInternal, "", nil, "The refresh of the credentials failed for an internal reason.")
		}
	}()
	f.entry, f.err = s.refreshAcross(ctx, e, m)
}
