// Package ratelimit counts the API calls of an account in fixed windows of one
// minute. Replicas count on their own and add their counts to shared ones about
// once a second, in one statement, so no call waits for the database; an
// account can exceed its budget by what the replicas let through within that
// second. When the database does not answer, each replica goes on with what it
// knows: a limiter must not be the reason that nothing works.
package ratelimit

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

// The buckets: calls from inside functions have a budget of their own, and so
// have the browsers of end users, who must not be able to use up what the
// customer's backend needs. Those that come with a public key, which everybody
// knows, have one apart from those with a connect session.
const (
	BucketAPI       = "api"
	BucketScript    = "script"
	BucketBrowser   = "browser"
	BucketPublicKey = "public_key"
)

const (
	window = time.Minute
	// reconcileEvery is how often counts are shared between replicas.
	reconcileEvery = time.Second
	// reconcileTimeout bounds one exchange with the database.
	reconcileTimeout = 2 * time.Second
)

// Store keeps the counts that replicas share.
type Store interface {
	// AddRateCounts adds to the shared counts and returns their new totals.
	AddRateCounts(ctx context.Context, tx linkspan.Tx, counts []linkspan.RateCount) (totals []linkspan.RateCount, err error)
}

// Config is what a Limiter needs.
type Config struct {
	Store Store
	Log   *slog.Logger
	// PerMinute is how many calls an account may make in a minute. Zero or less
	// turns the limiter off.
	PerMinute int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Limiter counts calls. Run it with Run; its methods may be called on nil,
// which limits nothing.
type Limiter struct {
	store Store
	log   *slog.Logger
	limit int64
	now   func() time.Time

	mu       sync.Mutex
	counters map[counterKey]*counter
}

type counterKey struct {
	account linkspan.AccountID
	bucket  string
}

// counter counts the calls of one account in the present window.
type counter struct {
	window  time.Time
	shared  int64 // what all replicas had when last told
	sending int64 // part of pending that is on its way to the store
	pending int64 // counted here, not yet confirmed as part of shared
}

// Decision is the outcome for one call.
type Decision struct {
	// OK says that the call may go on.
	OK bool
	// Limit is the budget of a window, zero when there is none; Remaining what
	// is left of it.
	Limit, Remaining int64
	// Reset is when the window ends, RetryAfter how long that is from now.
	Reset      time.Time
	RetryAfter time.Duration
}

// New returns a Limiter.
func New(cfg Config) *Limiter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Limiter{
		store: cfg.Store, log: cfg.Log, limit: int64(cfg.PerMinute), now: cfg.Now,
		counters: make(map[counterKey]*counter),
	}
}

// Allow counts a call of an account, unless its budget is used up.
func (l *Limiter) Allow(account linkspan.AccountID, bucket string) Decision {
	if l == nil || l.limit <= 0 {
		return Decision{OK: true}
	}
	now := l.now()
	start := now.Truncate(window)
	d := Decision{Limit: l.limit, Reset: start.Add(window)}
	d.RetryAfter = d.Reset.Sub(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counter(counterKey{account, bucket}, start)
	if used := c.shared + c.pending; used < l.limit {
		c.pending++
		d.OK, d.Remaining = true, l.limit-used-1
	}
	return d
}

// counter returns the counter of a window; l.mu is held.
func (l *Limiter) counter(key counterKey, start time.Time) *counter {
	c := l.counters[key]
	if c == nil || !c.window.Equal(start) {
		c = &counter{window: start}
		l.counters[key] = c
	}
	return c
}

// Apply counts a request of an account, sets the X-RateLimit headers of wire
// contract §1.5, and returns an error of linkspan.KindRateLimited with
// Retry-After set when the budget is used up.
func (l *Limiter) Apply(w http.ResponseWriter, r *http.Request, account linkspan.AccountID) error {
	bucket := BucketAPI
	if r.Header.Get("Nango-Is-Script") == "true" {
		bucket = BucketScript
	}
	return l.apply(w, account, bucket)
}

// ApplyBrowser is Apply for a request that an end user's browser makes with a
// connect session.
func (l *Limiter) ApplyBrowser(w http.ResponseWriter, account linkspan.AccountID) error {
	return l.apply(w, account, BucketBrowser)
}

// ApplyPublicKey is Apply for a request that a browser makes with a public key.
func (l *Limiter) ApplyPublicKey(w http.ResponseWriter, account linkspan.AccountID) error {
	return l.apply(w, account, BucketPublicKey)
}

func (l *Limiter) apply(w http.ResponseWriter, account linkspan.AccountID, bucket string) error {
	if l == nil || l.limit <= 0 {
		return nil
	}
	d := l.Allow(account, bucket)
	h := w.Header()
	h.Set("X-Ratelimit-Limit", strconv.FormatInt(d.Limit, 10))
	h.Set("X-Ratelimit-Remaining", strconv.FormatInt(d.Remaining, 10))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(d.Reset.Unix(), 10))
	if d.OK {
		return nil
	}
	seconds := max(1, int64((d.RetryAfter+time.Second-1)/time.Second))
	h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	return &linkspan.Error{
		Kind: linkspan.KindRateLimited, Code: "too_many_request", Op: "ratelimit.Apply",
		Msg: "The account has used up its budget of API calls for this minute.",
	}
}

// Run shares counts between replicas until ctx ends, and what is left then.
func (l *Limiter) Run(ctx context.Context) error {
	if l == nil || l.limit <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			l.reconcile(context.WithoutCancel(ctx), failing)
			return nil
		case <-tick.C:
			failing = l.reconcile(ctx, failing)
		}
	}
}

// reconcile adds what was counted here to the shared counts. It is told whether
// that failed the last time, and reports whether it did now.
func (l *Limiter) reconcile(ctx context.Context, failing bool) bool {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()
	counts := l.take(l.now().Truncate(window))
	if len(counts) == 0 {
		return failing
	}
	totals, err := l.store.AddRateCounts(ctx, nil, counts)
	l.settle(totals, err)
	if err != nil && !failing {
		l.log.WarnContext(ctx, "sharing rate counts failed; each replica limits on its own until it works again", "error", err)
	}
	return err != nil
}

// take returns what is to be sent and forgets counters of past windows.
func (l *Limiter) take(start time.Time) []linkspan.RateCount {
	l.mu.Lock()
	defer l.mu.Unlock()
	var counts []linkspan.RateCount
	for key, c := range l.counters {
		if c.window.Before(start) {
			delete(l.counters, key)
			continue
		}
		if c.sending = c.pending; c.sending > 0 {
			counts = append(counts, linkspan.RateCount{AccountID: key.account, Bucket: key.bucket, Window: c.window, N: c.sending})
		}
	}
	return counts
}

// settle takes over the totals, or keeps what was counted for the next round
// when they could not be had.
func (l *Limiter) settle(totals []linkspan.RateCount, err error) {
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range totals {
		c := l.counters[counterKey{t.AccountID, t.Bucket}]
		if c == nil || !c.window.Equal(t.Window) {
			continue
		}
		c.shared = t.N
		c.pending -= c.sending
		c.sending = 0
	}
}
