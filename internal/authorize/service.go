// Package authorize lets end users connect their accounts: it makes connect
// sessions for the customer's backend, sends browsers to providers and takes
// them back, takes in credentials that users type, and tells the pages that wait
// for the result.
//
// An authorization is bound to the browser that began it: its state is random,
// kept as a hash, usable once and for an hour, and worth nothing without the
// cookie that went to the same browser. What a browser sends is never trusted
// with what the customer's backend decides: see the rules at plan.
package authorize

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
)

const (
	// sessionLifetime is how long a connect session's token works (features
	// CUI-01).
	sessionLifetime = 30 * time.Minute
	// flowLifetime is how long a user may take at the provider. The browser's
	// cookie lives as long.
	flowLifetime = time.Hour
	// keepFlows and keepPopupResults are how long rows stay that nobody needs
	// any more, so that a late callback is told what became of it.
	keepFlows        = 48 * time.Hour
	keepPopupResults = 24 * time.Hour
	// exchangeTimeout bounds the exchange of a code, callbackTimeout all that a
	// callback does: a grant must not be lost because a tab was closed, so the
	// browser's own patience does not count.
	exchangeTimeout = 60 * time.Second
	callbackTimeout = 150 * time.Second

	callbackPath  = "/oauth/callback"
	connectUIPath = "/connect-ui/"
)

// Store is what authorize keeps in the database. Lookups return an error of
// linkspan.KindNotFound for what does not exist in the environment.
type Store interface {
	EnvironmentByID(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, id linkspan.EnvironmentID) (linkspan.Environment, error)
	Integration(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
	// IntegrationKeys returns those of the keys that name integrations.
	IntegrationKeys(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, keys []string) ([]string, error)
	Connection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integrationKey, name string) (linkspan.Connection, error)
	ConnectionByID(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.ConnectionID) (linkspan.Connection, error)
	Operation(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.OperationID) (linkspan.Operation, error)

	InsertConnectSession(ctx context.Context, tx linkspan.Tx, c *linkspan.ConnectSession) error
	// DeleteConnectSession also drops the session from caches.
	DeleteConnectSession(ctx context.Context, tx linkspan.Tx, c linkspan.ConnectSession) error

	InsertOAuthSession(ctx context.Context, tx linkspan.Tx, o *linkspan.OAuthSession) error
	// TakeOAuthSession takes the authorization with the state: once, for the
	// browser that began it, before it expires. One that is not taken comes
	// without its payload.
	TakeOAuthSession(ctx context.Context, tx linkspan.Tx, state, browser [32]byte, now time.Time) (o linkspan.OAuthSession, taken bool, err error)
	PurgeOAuthSessions(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)

	// InsertPopupResult keeps the first result for a page and ignores later ones.
	InsertPopupResult(ctx context.Context, tx linkspan.Tx, p linkspan.PopupResult) error
	// TakePopupResult returns the result for a page and removes it; it only reads
	// as long as there is none.
	TakePopupResult(ctx context.Context, tx linkspan.Tx, popupID string) (linkspan.PopupResult, error)
	// PopupResultsFor returns those of the ids for which there are results.
	PopupResultsFor(ctx context.Context, tx linkspan.Tx, popupIDs []string) ([]string, error)
	PurgePopupResults(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// Providers looks providers up; *catalog.Catalog does.
type Providers interface {
	Provider(name string) (*catalog.Provider, error)
}

// OAuth talks to authorization servers; *oauth.Client does.
type OAuth interface {
	// Exchange exchanges a code. Its errors are *oauth.Failure.
	Exchange(ctx context.Context, in oauth.ExchangeRequest) (oauth.Grant, error)
	// CheckIssuer refuses an answer of another server than the one that the user
	// was sent to (RFC 9207).
	CheckIssuer(ctx context.Context, in oauth.IssuerCheck) error
	// PrepareIssuer looks up in the background what CheckIssuer will want to know.
	PrepareIssuer(in oauth.IssuerCheck)
}

// Connections makes connections of grants; *connect.Service does.
type Connections interface {
	// Authorize also ends the operation and tells the page that waits, whether it
	// succeeds or not.
	Authorize(ctx context.Context, in connect.Authorized) (connect.Outcome, error)
	// AuthorizationFailed tells the customer's backend and the page that waits
	// that there was no grant.
	AuthorizationFailed(ctx context.Context, in connect.Authorized, errorType, description string) error
}

// Config holds what a Service needs.
type Config struct {
	Store       Store
	Providers   Providers
	Feed        *change.Feed
	OAuth       OAuth
	Connections Connections
	// Ops records operations. Nil records nothing.
	Ops *oplog.Log
	Log *slog.Logger
	// PublicURL is where browsers reach the API, without a trailing slash.
	PublicURL string
	// ConnectURL is where Connect UI is. Empty: below PublicURL.
	ConnectURL string
	// CheckURL says whether webhooks may be sent to a URL; nil checks its form
	// only.
	CheckURL func(*url.URL) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service lets end users connect accounts. It is safe for concurrent use.
type Service struct {
	store       Store
	providers   Providers
	oauth       OAuth
	connections Connections
	ops         *oplog.Log
	log         *slog.Logger
	publicURL   string
	connectURL  string
	checkURL    func(*url.URL) error
	now         func() time.Time
	waiting     waiting
	budgets     budgets
}

// New returns a service that hears of popup results by the feed.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, providers: c.Providers, oauth: c.OAuth, connections: c.Connections, ops: c.Ops, log: c.Log,
		publicURL: strings.TrimRight(c.PublicURL, "/"), connectURL: c.ConnectURL, checkURL: c.CheckURL, now: c.Now,
	}
	if s.connectURL == "" {
		s.connectURL = s.publicURL + connectUIPath
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.waiting.follow(c.Feed)
	return s
}
