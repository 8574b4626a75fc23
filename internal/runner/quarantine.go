package runner

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	quarantineTime = time.Hour
	maxQuarantined = 10_000 // functions that are remembered
)

// quarantine remembers functions that have to run in a child of their own.
type quarantine struct {
	mu    sync.Mutex
	cases map[string]*suspicion
}

// suspicion is what one function is held for.
type suspicion struct {
	until time.Time
	// strikes counts how often a process ended while the function may have been the
	// cause; clean counts its runs since that made no trouble.
	strikes, clean int
	proven         bool
}

func newQuarantine() *quarantine { return &quarantine{cases: map[string]*suspicion{}} }

// holds says whether the function runs on its own.
func (q *quarantine) holds(function string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.cases[function]
	if s == nil {
		return false
	}
	if time.Now().After(s.until) {
		delete(q.cases, function)
		return false
	}
	return s.proven || s.clean < s.need()
}

// need returns how many good runs free a suspect: 1, 4, 16 … .
func (s *suspicion) need() int { return 1 << min(2*(s.strikes-1), 20) }

// hold begins or renews a quarantine.
func (q *quarantine) hold(function string, proven bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.cases[function]
	if s == nil {
		if len(q.cases) >= maxQuarantined {
			q.forget()
		}
		s = &suspicion{}
		q.cases[function] = s
	}
	s.until = time.Now().Add(quarantineTime)
	s.strikes++
	s.clean = 0
	s.proven = s.proven || proven
}

// forget makes room; it needs mu.
func (q *quarantine) forget() {
	now := time.Now()
	maps.DeleteFunc(q.cases, func(_ string, s *suspicion) bool { return now.After(s.until) })
	for function := range q.cases {
		if len(q.cases) < maxQuarantined {
			return
		}
		delete(q.cases, function)
	}
}

// ran judges a function by a run of it in quarantine.
func (q *quarantine) ran(function string, err error) {
	if e, ok := errors.AsType[*sandbox.LimitError](err); ok && (e.Limit == sandbox.LimitCPU || e.Limit == sandbox.LimitStuck) {
		q.hold(function, true)
		return
	}
	if _, ok := errors.AsType[*LostError](err); ok || isContextError(err) {
		return // proves nothing
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.cases[function]; s != nil {
		s.clean++
	}
}

// count returns how many functions are held.
func (q *quarantine) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, now := 0, time.Now()
	for _, s := range q.cases {
		if now.Before(s.until) && (s.proven || s.clean < s.need()) {
			n++
		}
	}
	return n
}
