package authorize

import (
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/access"
)

// Whatever a browser tries leaves rows in the database, so there is an end to it
// even where the operator limits no calls. Each replica counts on its own.
const (
	// sessionAttempts is more than a person makes in the 30 minutes of a session.
	sessionAttempts = 200
	// publicAttempts is how many an environment gets in publicWindow from browsers
	// with its public key, which everybody knows.
	publicAttempts = 600
	publicWindow   = time.Minute
	// sessionEvents is how many events a session has in the log: a person makes a
	// few dozen.
	sessionEvents = 200
)

// budgets count what browsers do.
type budgets struct {
	attempts budget[linkspan.ConnectSessionID]
	public   budget[linkspan.EnvironmentID]
	events   budget[linkspan.ConnectSessionID]
}

// attempt counts an attempt to connect an account. It is refused, before
// anything is written, when there were too many.
func (s *Service) attempt(p *access.Principal) error {
	now := s.now()
	switch {
	case p.Session == nil && !s.budgets.public.take(now, publicAttempts, p.Environment.ID, now.Add(publicWindow)):
		return linkspan.E("authorize.attempt", linkspan.KindRateLimited, "too_many_request", nil,
			"Too many accounts are being connected with this public key.").WithHint("Try again in a minute.")
	case p.Session != nil && !s.budgets.attempts.take(now, sessionAttempts, p.Session.ID, p.Session.ExpiresAt):
		return linkspan.E("authorize.attempt", linkspan.KindRateLimited, "too_many_request", nil,
			"Too many accounts were connected with this connect session.").WithHint("Create a new one.")
	}
	return nil
}

// CountEvent counts an event of a page of a session, and reports whether the
// session may have it in the log.
func (s *Service) CountEvent(session *linkspan.ConnectSession) bool {
	return s.budgets.events.take(s.now(), sessionEvents, session.ID, session.ExpiresAt)
}

// budget counts what is done under keys that live for some time. What it holds
// is bounded by the keys that are alive.
type budget[K comparable] struct {
	mu    sync.Mutex
	spent map[K]*spending
	swept time.Time
}

type spending struct {
	n     int
	until time.Time
}

// take counts one for a key, unless it has had the most that it gets; a key that
// is new lives until the given moment.
func (b *budget[K]) take(now time.Time, most int, key K, until time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	of := b.spent[key]
	if of == nil || now.After(of.until) {
		of = &spending{until: until}
		b.spent[key] = of
	}
	if of.n >= most {
		return false
	}
	of.n++
	return true
}

// sweep forgets keys that have expired, once a minute; b.mu is held.
func (b *budget[K]) sweep(now time.Time) {
	if b.spent == nil {
		b.spent = make(map[K]*spending)
	}
	if now.Sub(b.swept) < time.Minute {
		return
	}
	b.swept = now
	for key, of := range b.spent {
		if now.After(of.until) {
			delete(b.spent, key)
		}
	}
}
