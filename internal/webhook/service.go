package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oplog"
)

const (
	// keepEvents is how long an event stays after its last delivery has ended,
	// for people to look it up and send it again.
	keepEvents = 15 * 24 * time.Hour
	// pageDefault and pageMax bound a list of deliveries.
	pageDefault = 100
	pageMax     = 1000
)

// Store keeps events and their deliveries.
type Store interface {
	// WebhookEnvironment returns an environment with its present settings and
	// signing keys.
	WebhookEnvironment(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error)
	// WebhookOverride returns the URL to which webhooks about a connection, named by
	// its UUID, go instead of to those of its environment, also when it was deleted.
	// Empty: there is none.
	WebhookOverride(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection string) (string, error)
	// InsertWebhook stores an event and its deliveries, which are due at once,
	// sets their IDs and times, and tells all replicas.
	InsertWebhook(ctx context.Context, tx linkspan.Tx, e *linkspan.WebhookEvent, deliveries []linkspan.WebhookDelivery) error
	// WebhookDeliveries returns the selected deliveries, newest first, without
	// the bodies of their events.
	WebhookDeliveries(ctx context.Context, tx linkspan.Tx, f linkspan.DeliveryFilter) ([]linkspan.WebhookDelivery, error)
	// ReplayDelivery makes a pending delivery of the environment due, and of one
	// that has ended a copy with fresh's UUID and Operation, due at once. It
	// returns what will be sent and tells all replicas.
	ReplayDelivery(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string, fresh linkspan.WebhookDelivery) (linkspan.WebhookDelivery, error)
	// DueDeliveries returns at most limit deliveries that are due or whose
	// holders let their leases lapse; of the former, at most perGroup of each
	// pair of destination and environment, in the order of these pairs, from
	// behind that of after. The pairs in without are passed over. Only ID,
	// EnvironmentID, Destination, Attempts, Attempt and LeaseUntil are filled in;
	// LeaseUntil is zero unless a lease lapsed.
	DueDeliveries(ctx context.Context, tx linkspan.Tx, after linkspan.WebhookDelivery, without []linkspan.WebhookDelivery, perGroup, limit int) ([]linkspan.WebhookDelivery, error)
	// ClaimDeliveries makes holder the one that works on those of the deliveries
	// that are still due and free, raises their attempt numbers and returns them
	// with their events. A body that can't be decrypted is zero.
	ClaimDeliveries(ctx context.Context, tx linkspan.Tx, ids []linkspan.WebhookDeliveryID, holder string, ttl time.Duration) ([]linkspan.WebhookDelivery, error)
	// RenewDeliveries lets the leases last for ttl from now, and returns the ids
	// of those that were still the holder's.
	RenewDeliveries(ctx context.Context, tx linkspan.Tx, held []linkspan.WebhookDelivery, ttl time.Duration) ([]linkspan.WebhookDeliveryID, error)
	// FinishDelivery stores what became of an attempt: State, Attempts,
	// LastStatus and LastError. A pending one is due again in retryIn. It
	// reports whether the attempt was still the newest.
	FinishDelivery(ctx context.Context, tx linkspan.Tx, d linkspan.WebhookDelivery, retryIn time.Duration) (bool, error)
	// ReleaseDeliveries gives leases back of attempts that were not finished.
	ReleaseDeliveries(ctx context.Context, tx linkspan.Tx, held []linkspan.WebhookDelivery) error
	// ReleaseDeliveryClaims gives back what the holder has claimed of the given
	// deliveries, as if it had not.
	ReleaseDeliveryClaims(ctx context.Context, tx linkspan.Tx, ids []linkspan.WebhookDeliveryID, holder string) error
	// PendingDeliveries counts what is due or planned, up to limit.
	PendingDeliveries(ctx context.Context, tx linkspan.Tx, limit int) (int, error)
	// PurgeWebhookEvents removes at most limit events, with their deliveries,
	// that were created and whose deliveries all ended before the given time. It
	// returns how many.
	PurgeWebhookEvents(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// Config is what a Service needs.
type Config struct {
	Store Store
	Tx    linkspan.Transactor
	// Feed wakes the dispatcher when there is something to send. Nil: it only
	// polls, every second.
	Feed *change.Feed
	// HTTP makes the client that posts.
	HTTP *egress.Guard
	// Ops shows customers what was sent. Nil: nothing is recorded.
	Ops *oplog.Log
	Log *slog.Logger
	// CheckURL refuses URLs that may not be called. Nil: the one of HTTP.
	CheckURL func(*url.URL) error
	// Holder names this process uniquely among the replicas.
	Holder string
	// Version is shown to receivers. Empty: "dev".
	Version string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service writes webhooks, sends them, and shows what became of them. It is
// safe for concurrent use; Run may run once.
type Service struct {
	store    Store
	tx       linkspan.Transactor
	ops      *oplog.Log
	log      *slog.Logger
	client   *http.Client
	checkURL func(*url.URL) error
	holder   string
	agent    string
	now      func() time.Time
	// due tells the dispatcher that there may be something to send.
	due chan struct{}

	// What the dispatcher of this process has done.
	attempts, delivered, givenUp, underWay atomic.Int64
}

// New returns a service. Its dispatcher works once Run runs.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, tx: c.Tx, ops: c.Ops, log: c.Log, client: newClient(c.HTTP), checkURL: c.CheckURL,
		holder: c.Holder, agent: "linkspan/" + cmp.Or(c.Version, "dev"), now: c.Now, due: make(chan struct{}, 1),
	}
	if s.checkURL == nil {
		s.checkURL = c.HTTP.CheckURL
	}
	if s.now == nil {
		s.now = time.Now
	}
	if c.Feed != nil {
		c.Feed.Subscribe(func(ch linkspan.Change) {
			if ch.Kind == linkspan.ChangeWebhooksDue || ch.Kind == linkspan.ChangeLost {
				s.WebhooksDue()
			}
		})
	}
	return s
}

// WebhooksDue tells the dispatcher of this process that there may be something
// to send. It never blocks.
func (s *Service) WebhooksDue() {
	select {
	case s.due <- struct{}{}:
	default: // it is told already
	}
}

// Deliveries returns deliveries of one environment, newest first and without
// the bodies of their events: 100 unless the filter says otherwise, at most
// 1000.
func (s *Service) Deliveries(ctx context.Context, f linkspan.DeliveryFilter) ([]linkspan.WebhookDelivery, error) {
	if f.Limit <= 0 {
		f.Limit = pageDefault
	}
	f.Limit = min(f.Limit, pageMax)
	list, err := s.store.WebhookDeliveries(ctx, nil, f)
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return list, nil
}

// Replay sends the event of a delivery once more to the same URL, with the same
// message id, and returns the delivery that will do it: a new one if the given
// one has ended, else the given one, which becomes due at once. What the
// environment doesn't have is of KindNotFound.
func (s *Service) Replay(ctx context.Context, env linkspan.EnvironmentID, uuid string) (linkspan.WebhookDelivery, error) {
	fresh := linkspan.WebhookDelivery{UUID: linkspan.NewUUID(), Operation: linkspan.NewOperationID(s.now())}
	d, err := s.store.ReplayDelivery(ctx, nil, env, uuid, fresh)
	if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Kind == linkspan.KindNotFound {
		return d, linkspan.E("webhook.Replay", linkspan.KindNotFound, "not_found", err, "There is no such delivery.").
			WithHint("Deliveries are kept for 15 days after they have ended; GET /webhooks/deliveries lists them.")
	}
	if err != nil {
		return d, fmt.Errorf("sending a webhook again: %w", err)
	}
	s.WebhooksDue()
	return d, nil
}

// Attempts returns how many attempts this process has made and stored.
func (s *Service) Attempts() int64 { return s.attempts.Load() }

// Delivered returns how many deliveries this process has brought to their
// receivers.
func (s *Service) Delivered() int64 { return s.delivered.Load() }

// GivenUp returns how many deliveries this process has ended without success:
// after the last attempt, because the receiver wants no more, or because its URL
// may not be called.
func (s *Service) GivenUp() int64 { return s.givenUp.Load() }

// Sending returns how many attempts of this process are under way.
func (s *Service) Sending() int64 { return s.underWay.Load() }

// Pending returns how many deliveries of all environments are due or planned; a
// million stands for any greater number.
func (s *Service) Pending(ctx context.Context) (int, error) {
	const most = 1_000_000
	n, err := s.store.PendingDeliveries(ctx, nil, most)
	if err != nil {
		return 0, fmt.Errorf("counting webhooks: %w", err)
	}
	return n, nil
}

// count adds what became of an attempt to what is shown of this process.
func (s *Service) count(o *outcome) {
	if !o.stored || o.ours && o.delivery.State == linkspan.DeliveryPending {
		return
	}
	if !o.ours {
		s.attempts.Add(1)
	}
	switch o.delivery.State {
	case linkspan.DeliveryDelivered:
		s.delivered.Add(1)
	case linkspan.DeliveryFailed, linkspan.DeliveryGone, linkspan.DeliveryBlocked:
		s.givenUp.Add(1)
	case linkspan.DeliveryPending:
	}
}

// Purge removes at most limit events whose deliveries ended long ago, and
// returns how many. Call it again while that is limit or more.
func (s *Service) Purge(ctx context.Context, limit int) (int, error) {
	n, err := s.store.PurgeWebhookEvents(ctx, nil, s.now().Add(-keepEvents), limit)
	if err != nil {
		return n, fmt.Errorf("removing old webhooks: %w", err)
	}
	return n, nil
}
