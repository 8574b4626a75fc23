package demo

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter counts the requests of each caller in the running minute of the clock.
// Callers have been authenticated, so there are no more of them than grants.
type limiter struct {
	perMinute int
	now       func() time.Time

	mu     sync.Mutex
	minute time.Time
	counts map[string]int
}

// admit counts a request, tells the caller where it stands, and reports whether
// it may go on.
func (l *limiter) admit(w http.ResponseWriter, caller string) error {
	if l.perMinute < 0 {
		return nil
	}
	now := l.now()
	used, reset := l.count(caller, now)
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(l.perMinute))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(l.perMinute-used, 0)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	if used <= l.perMinute {
		return nil
	}
	wait := max(1, int((reset.Sub(now)+time.Second-1)/time.Second))
	h.Set("Retry-After", strconv.Itoa(wait))
	return fail(http.StatusTooManyRequests, "rate_limited", "Too many requests. Try again in "+strconv.Itoa(wait)+" s.")
}

func (l *limiter) count(caller string, now time.Time) (used int, reset time.Time) {
	minute := now.Truncate(time.Minute)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil || !l.minute.Equal(minute) {
		l.minute, l.counts = minute, make(map[string]int)
	}
	l.counts[caller]++
	return l.counts[caller], minute.Add(time.Minute)
}
