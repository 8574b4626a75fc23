package host

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// defaultMaxBody is the most bytes of an answer that a function is given.
	defaultMaxBody = 32 << 20
	// levelFor is how long an environment's level of logs is remembered.
	levelFor = 10 * time.Second
	// maxLevels bounds how many environments' levels are remembered.
	maxLevels = 10_000
	// closeTimeout bounds what is done when a run has ended.
	closeTimeout = 10 * time.Second
)

// Store keeps checkpoints and locks, and knows which runs may write. Methods report linkspan.KindNotFound and
// linkspan.KindConflict where that is the case; a nil tx means that the method
// runs on its own.
type Store interface {
	Checkpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, key string) (linkspan.Checkpoint, error)
	// SaveCheckpoint writes the value if the stored version is still c.Version, 0
	// for none, and sets Version and UpdatedAt.
	SaveCheckpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, c *linkspan.Checkpoint) error
	// DeleteCheckpoint removes the checkpoint if it still has the version.
	DeleteCheckpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, key string, version int64) error
	// AcquireFunctionLock reports whether the lock is now the owner's.
	AcquireFunctionLock(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key, owner string, ttl time.Duration) (bool, error)
	// ReleaseFunctionLock reports whether the lock was the owner's.
	ReleaseFunctionLock(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key, owner string) (bool, error)
	ReleaseFunctionLocks(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, owner string) error
	// HoldRun reports KindConflict with the code "run_lost" unless the run is its
	// newest attempt and may write, and keeps that so until the transaction ends.
	HoldRun(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error
}

// Connections reads connections and writes their metadata; *connect.Service does.
type Connections interface {
	Fresh(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, o connect.FreshOptions) (*upstream.Target, error)
	SetMetadata(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, md map[string]any) error
	MergeMetadata(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, md map[string]any) error
}

// Proxy makes calls to providers; *proxy.Service does.
type Proxy interface {
	Do(ctx context.Context, r proxy.Request) (*proxy.Response, error)
}

// Variables reads an environment's variables; *environment.Service does.
type Variables interface {
	Variables(ctx context.Context, env linkspan.EnvironmentID) ([]linkspan.SecretPair, error)
}

// Config holds what a Service needs. Store, Connections, Proxy, Variables and
// Guard are required, and for the runs of syncs Tx and Records.
type Config struct {
	Store       Store
	Tx          linkspan.Transactor
	Records     Records
	Connections Connections
	Proxy       Proxy
	Variables   Variables
	// Guard decides where plain fetches may go.
	Guard *egress.Guard
	// PublicURL is where this server is reached, without a trailing slash.
	PublicURL string
	// MaxBody is the most bytes of an answer's body that a function is given:
	// 32 MiB.
	MaxBody int64
	// Log receives what no function can be told; nil discards it.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service serves the calls of functions. It is safe for concurrent use.
type Service struct {
	c     Config
	urls  catalog.PublicURLs
	fetch *http.Client

	mu     sync.Mutex
	levels map[linkspan.EnvironmentID]knownLevel

	// mapping bounds how many source maps are read at once: failing runs are as
	// many as somebody likes, and one map takes tens of megabytes.
	mapping chan struct{}
}

// maxMapping is how many source maps are read at once.
const maxMapping = 4

type knownLevel struct {
	level string
	until time.Time
}

// New returns a service.
func New(c Config) *Service {
	c.MaxBody = cmp.Or(c.MaxBody, defaultMaxBody)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{
		c: c, urls: catalog.PublicURLs{Base: c.PublicURL}, fetch: call.NewFetcher(c.Guard),
		levels: make(map[linkspan.EnvironmentID]knownLevel), mapping: make(chan struct{}, maxMapping),
	}
}

// Close closes idle connections of plain fetches.
func (s *Service) Close() { s.fetch.CloseIdleConnections() }

// Info says what a session is for.
type Info struct {
	Environment linkspan.Environment
	// AccountUUID is nango.accountId.
	AccountUUID string
	Kind        linkspan.FunctionKind
	// Event is of on-event functions.
	Event linkspan.FunctionEvent
	// Function is the function's name, Variant that of a sync's variant; webhooks are
	// always taken in the base variant.
	Function, Variant string
	// IntegrationKey, Provider and ConnectionName are whose run it is.
	IntegrationKey, Provider, ConnectionName string
	// ConnectionID is the number of the connection; zero while it is not stored.
	ConnectionID linkspan.ConnectionID
	// Attributes is what getFlowAttributes returns.
	Attributes map[string]any
	// Target returns the connection with credentials that can be used. The
	// connection may not be stored yet.
	Target func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error)
	// Pending says that the connection is not stored: its metadata is kept in the
	// session, and it has no checkpoints.
	Pending bool
	// Owner is unique for the run; locks are its.
	Owner string
	// Op is the run's operation. Nil records nothing.
	Op *oplog.Op
	// LogLevel is the least level of messages that are kept: "debug", "info",
	// "warn", "error" or "off". Empty: the environment's.
	LogLevel string
	// Trigger runs another action of the environment and returns its output, nil
	// for none. Nil: there are no others.
	Trigger func(ctx context.Context, integrationKey, connection, action string, input json.RawMessage) (json.RawMessage, error)
	// Syncs starts other syncs. Nil: there are none.
	Syncs Syncs
	// Sync is of runs that may save records. Nil: this one may not.
	Sync *Sync
	// Input is JSON, nil for none.
	Input json.RawMessage
	// Webhook is the payload of a provider's webhook that a sync's onWebhook is to
	// be given. Nil: the function itself runs.
	Webhook json.RawMessage
	// Request is the request that a function made by createFunction is to be given,
	// JSON of method, path, headers, query and body, and Subscriptions are those of the
	// function's that it is for. Nil: there is none.
	Request       json.RawMessage
	Subscriptions []string
	// CLI says that the run is a trial on a developer's machine.
	CLI bool
}

// Session serves one run.
type Session struct {
	s    *Service
	info Info

	mu sync.Mutex
	// redactors know the secrets that the function may have seen; the slice is
	// never changed, only replaced. redacted says which ones they are.
	redactors []*oplog.Redactor
	redacted  map[[sha256.Size]byte]struct{}
	// seen spares looking at a connection's secrets again, by its id.
	seen    map[linkspan.ConnectionID]*upstream.Target
	effects bool
	locks   bool
	calls   int
	// metadata is that of a pending connection, once it was written.
	metadata   map[string]any
	metadataOK bool
	// unless is from which position on records of a model are left alone when others
	// changed them; 0 or absent: they are not.
	unless map[string]linkspan.RecordPosition
	// swept are the models whose unseen records the run has deleted, or has begun to.
	swept map[string]bool
	// batches counts those that were written.
	batches int
	// connectionID is that of the run's connection, once it is known.
	connectionID linkspan.ConnectionID
	// writing puts the calls in a row that change it.
	writing sync.Mutex

	// large holds a value for each large body that is being read.
	large chan struct{}

	// checkpoints puts the calls about the checkpoint in a row; version is the
	// one that the function knows, once read is set. first is the value that the run
	// began with, nil for none; resumed says that the function was given one, and saved
	// that it stored one.
	checkpoints sync.Mutex
	read        bool
	version     int64
	first       map[string]any
	resumed     bool
	saved       bool
}

var _ sandbox.Host = (*Session)(nil)

// Open returns the session of a run. Close ends it.
func (s *Service) Open(info Info) *Session {
	return &Session{
		s: s, info: info, large: make(chan struct{}, largeBodies),
		redacted: make(map[[sha256.Size]byte]struct{}), seen: make(map[linkspan.ConnectionID]*upstream.Target),
		unless: make(map[string]linkspan.RecordPosition), swept: make(map[string]bool),
	}
}

// Close gives back what the run holds. It must be called when the run has ended.
func (x *Session) Close(ctx context.Context) {
	x.mu.Lock()
	locks := x.locks
	x.mu.Unlock()
	if !locks {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := x.s.c.Store.ReleaseFunctionLocks(ctx, nil, x.info.Environment.ID, x.info.Owner); err != nil {
		x.s.c.Log.WarnContext(ctx, "giving back the locks of a function failed; they lapse by themselves", "function", x.info.Function, "error", err)
	}
}

// Effects reports whether the run changed anything outside its sandbox, so that
// running it again would repeat that. Records and checkpoints of syncs are no such
// thing: a sync may always be taken up again.
func (x *Session) Effects() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.effects
}

func (x *Session) effect() {
	x.mu.Lock()
	x.effects = true
	x.mu.Unlock()
}

// Metadata returns the metadata that the function gave a pending connection, and
// whether it did.
func (x *Session) Metadata() (map[string]any, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.metadata, x.metadataOK
}

// know has secrets that are given to the function taken out of what it says from
// now on. The same ones cost nothing more, however often they are given.
func (x *Session) know(secrets ...linkspan.Secret) {
	sum := sha256.New()
	for _, s := range secrets {
		fmt.Fprintf(sum, "%d:%s", len(s.Reveal()), s.Reveal())
	}
	key := [sha256.Size]byte(sum.Sum(nil))
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, ok := x.redacted[key]; !ok {
		x.redacted[key] = struct{}{}
		x.redactors = append(slices.Clip(x.redactors), oplog.NewRedactor(secrets...))
	}
}

// knowTarget is know for a connection and its integration.
func (x *Session) knowTarget(t *upstream.Target) {
	x.mu.Lock()
	same := x.seen[t.Connection.ID] == t
	x.seen[t.Connection.ID] = t
	x.mu.Unlock()
	if !same {
		x.know(t.Secrets()...)
	}
}

// redact takes the secrets that the function knows out of a text.
func (x *Session) redact(text string) string {
	x.mu.Lock()
	redactors := x.redactors
	x.mu.Unlock()
	for _, r := range redactors {
		text = r.Text(text)
	}
	return text
}

// target returns a connection: the run's own for empty names, or the named one
// of the same environment.
func (x *Session) target(ctx context.Context, w which, o connect.FreshOptions) (*upstream.Target, error) {
	t, err := x.lookUp(ctx, w, o)
	if err != nil {
		return nil, err
	}
	x.knowTarget(t)
	return t, nil
}

func (x *Session) lookUp(ctx context.Context, w which, o connect.FreshOptions) (*upstream.Target, error) {
	if x.own(w) {
		return x.info.Target(ctx, o)
	}
	key, name := x.names(w)
	return x.s.c.Connections.Fresh(ctx, x.info.Environment.ID, key, name, o)
}

// which names a connection; empty names are those of the run's own.
type which = call.Which

func (x *Session) names(w which) (key, name string) {
	return cmp.Or(w.IntegrationKey, x.info.IntegrationKey), cmp.Or(w.Connection, x.info.ConnectionName)
}

func (x *Session) own(w which) bool {
	key, name := x.names(w)
	return key == x.info.IntegrationKey && name == x.info.ConnectionName
}
