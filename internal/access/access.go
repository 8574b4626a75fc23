// Package access finds out who calls: API keys, connect-session tokens and
// public keys, what they may do, and the life of keys. A call with a known key costs no
// database query: principals are cached by the hash of the key and dropped when
// the change feed names it, and nobody gets in while the feed is silent.
package access

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
)

const (
	// cacheLimit is how many principals are kept, and how many keys that are
	// known not to exist.
	cacheLimit = 10_000
	// sessionLimit is how many connect sessions, and browsers by what they show,
	// are kept. A session is used for minutes, by one person, and what is kept of
	// it holds all of its environment.
	sessionLimit = 1_000
	// unknownFor is how long a key that does not exist is remembered. Keys are
	// random, so one can't come into being unseen; the limit is for operators
	// who restore a database.
	unknownFor = 30 * time.Second
)

// Store is what access keeps in the database. Lookups return an error of
// linkspan.KindNotFound for what does not exist, is deleted, or belongs to a
// deleted environment.
type Store interface {
	// APIKeyByHash returns a key and its environment, which is zero for an
	// account key.
	APIKeyByHash(ctx context.Context, tx linkspan.Tx, hash [32]byte) (linkspan.APIKey, linkspan.Environment, error)
	// ConnectSessionByHash returns a session, expired or not, and its
	// environment.
	ConnectSessionByHash(ctx context.Context, tx linkspan.Tx, hash [32]byte) (linkspan.ConnectSession, linkspan.Environment, error)
	// EnvironmentByPublicKey returns the environment of a public key, which is in
	// lower case.
	EnvironmentByPublicKey(ctx context.Context, tx linkspan.Tx, publicKey string) (linkspan.Environment, error)
	// InsertAPIKey stores a key and fills in its id and time. The error is of
	// KindConflict when the display name is taken.
	InsertAPIKey(ctx context.Context, tx linkspan.Tx, key *linkspan.APIKey) error
	// APIKeys lists keys, those of the account itself when env is zero.
	APIKeys(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, displayName string) ([]linkspan.APIKey, error)
	APIKey(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, uuid string) (linkspan.APIKey, error)
	APIKeyByID(ctx context.Context, tx linkspan.Tx, account linkspan.AccountID, env linkspan.EnvironmentID, id linkspan.APIKeyID) (linkspan.APIKey, error)
	DeleteAPIKey(ctx context.Context, tx linkspan.Tx, key linkspan.APIKey) error
	// TouchAPIKeys notes when keys were last used; times never move back.
	TouchAPIKeys(ctx context.Context, tx linkspan.Tx, used map[linkspan.APIKeyID]time.Time) error
	PurgeConnectSessions(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// PrincipalKind says by what a caller proved who it is.
type PrincipalKind string

// The kinds of principals.
const (
	EnvironmentKey PrincipalKind = "environment_key"
	AccountKey     PrincipalKind = "account_key"
	Session        PrincipalKind = "connect_session"
	// PublicKey is a browser that sent the environment's public key. The key is
	// no secret: it may begin to connect an account and nothing else.
	PublicKey PrincipalKind = "public_key"
)

// Principal is an authenticated caller. It is shared by all requests of the
// caller and never changed.
type Principal struct {
	Kind      PrincipalKind
	AccountID linkspan.AccountID
	// Environment is zero for an account key.
	Environment linkspan.Environment
	// KeyID is zero for a session.
	KeyID  linkspan.APIKeyID
	Scopes []string
	// Session is nil unless Kind is Session.
	Session *linkspan.ConnectSession

	hash [32]byte
	// touched is when the key's use was last noted, in unix nanoseconds.
	touched atomic.Int64
}

// Grants reports whether the principal holds a scope.
func (p *Principal) Grants(scope string) bool { return linkspan.Grants(p.Scopes, scope) }

// Want says who may make a call.
type Want struct {
	// Environment, Account and Session admit principals with a key or a connect
	// session; Browser admits what Service.Browser returns.
	Environment, Account, Session, Browser bool
	// Scopes lists what the caller needs one of. Empty: nothing.
	Scopes []string
}

// Config is what a Service needs. All fields but Now are required.
type Config struct {
	Store Store
	Feed  *change.Feed
	Log   *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service authenticates callers and manages keys. Run it with Run.
type Service struct {
	store Store
	feed  *change.Feed
	log   *slog.Logger
	now   func() time.Time

	keys     *change.Cache[[32]byte, *Principal]
	sessions *change.Cache[[32]byte, *Principal]
	browsers *change.Cache[[32]byte, *Principal]
	unknown  *change.Cache[[32]byte, absence]

	mu   sync.Mutex
	used map[linkspan.APIKeyID]time.Time // to be written by Run
}

// absence remembers that there is no key or session with a hash.
type absence struct {
	hash  [32]byte
	until time.Time
}

// New returns a Service whose caches follow the feed.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{
		store:    cfg.Store,
		feed:     cfg.Feed,
		log:      cfg.Log,
		now:      cfg.Now,
		keys:     change.NewCache[[32]byte](cacheLimit, (*Principal).tags),
		sessions: change.NewCache[[32]byte](sessionLimit, (*Principal).tags),
		browsers: change.NewCache[[32]byte](sessionLimit, (*Principal).tags),
		unknown:  change.NewCache[[32]byte](cacheLimit, absence.tags),
		used:     make(map[linkspan.APIKeyID]time.Time),
	}
	s.keys.Follow(cfg.Feed)
	s.sessions.Follow(cfg.Feed)
	s.browsers.Follow(cfg.Feed)
	s.unknown.Follow(cfg.Feed)
	return s
}

// Identify finds out who sent the request, without asking what they may do: that
// is for Want.Admits, so that refused calls can be counted and logged too. Of
// want only the kinds matter: they decide how the token is read. Errors are those
// of wire contract §2.2, and unavailable when the database can't be asked or the
// caches can't be trusted.
func (s *Service) Identify(ctx context.Context, r *http.Request, want Want) (*Principal, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return nil, err
	}
	if err := s.feed.Check(); err != nil {
		return nil, err
	}
	p, err := s.identify(ctx, token, want)
	if err != nil {
		return nil, err
	}
	s.touch(p)
	return p, nil
}

func (s *Service) identify(ctx context.Context, token string, want Want) (*Principal, error) {
	if want.Session && (strings.HasPrefix(token, sessionPrefix) || !want.Environment && !want.Account) {
		return s.session(ctx, token)
	}
	return s.key(ctx, token)
}

// Admits checks the kind and the scopes of a principal. The error is of
// linkspan.KindForbidden.
func (w Want) Admits(p *Principal) error {
	switch {
	case p.Kind == AccountKey && !w.Account:
		return forbidden("API key is not authorized for an environment")
	case p.Kind == EnvironmentKey && !w.Environment:
		return forbidden("API key is not authorized for the account. Use an account API key.")
	case p.Kind == PublicKey && !w.Browser:
		return forbidden("A public key is not authorized for this call. Use an API key.")
	case p.Kind == Session && !w.Session && !w.Browser:
		return forbidden("A connect session is not authorized for this call. Use an API key.")
	}
	if len(w.Scopes) == 0 || slices.ContainsFunc(w.Scopes, p.Grants) {
		return nil
	}
	if len(w.Scopes) == 1 {
		return forbidden("Insufficient scope. Required: " + w.Scopes[0])
	}
	return forbidden("Insufficient scope. Required one of: " + strings.Join(w.Scopes, " or "))
}

// bearer takes the token from the Authorization header.
func bearer(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) == 0 || values[0] == "" {
		return "", unauthenticated("missing_auth_header",
			"The Authorization header is missing. Send it as: Authorization: Bearer <API key>")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "", unauthenticated("malformed_auth_header",
			"The Authorization header is malformed. Send it as: Authorization: Bearer <API key>")
	}
	return token, nil
}

// key returns the principal of an API key.
func (s *Service) key(ctx context.Context, token string) (*Principal, error) {
	hash, ok := HashKey(token)
	if !ok {
		return nil, unauthenticated("invalid_secret_key_format", "The API key is malformed. API keys are UUIDs of version 4.")
	}
	if p, ok := s.keys.Peek(hash); ok {
		return p, nil
	}
	p, err := s.find(ctx, s.keys, hash, s.loadKey)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, unauthenticated("unknown_account", "No account matches the API key. Check that it was not deleted.")
	}
	return p, err
}

// session returns the principal of a connect session.
func (s *Service) session(ctx context.Context, token string) (*Principal, error) {
	hash, ok := HashSessionToken(token)
	if !ok {
		return nil, unauthenticated("invalid_connect_session_token_format",
			"The connect session token is malformed. It is the text \""+sessionPrefix+"\" and 64 hexadecimal digits.")
	}
	p, err := s.find(ctx, s.sessions, hash, s.loadSession)
	if err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
		return nil, err
	}
	if err != nil || !s.now().Before(p.Session.ExpiresAt) {
		return nil, unauthenticated("unknown_connect_session_token",
			"The connect session token is unknown or has expired. Create a new connect session.")
	}
	return p, nil
}

// find returns the principal with a hash from a cache or the store, and
// remembers hashes that nothing has. The load of the store runs inside the load
// of the absence, so that a key created meanwhile is not remembered as absent.
func (s *Service) find(
	ctx context.Context, cache *change.Cache[[32]byte, *Principal], hash [32]byte,
	load func(context.Context, [32]byte) (*Principal, error),
) (*Principal, error) {
	for {
		if p, ok := cache.Peek(hash); ok {
			return p, nil
		}
		var found *Principal
		a, err := s.unknown.Load(ctx, hash, func(ctx context.Context) (absence, error) {
			p, err := cache.Load(ctx, hash, func(ctx context.Context) (*Principal, error) { return load(ctx, hash) })
			if linkspan.KindOf(err) == linkspan.KindNotFound {
				return absence{hash: hash, until: s.now().Add(unknownFor)}, nil
			}
			if err != nil {
				return absence{}, err
			}
			found = p
			return absence{}, errPresent
		})
		switch {
		case found != nil:
			return found, nil
		case err == nil && s.now().Before(a.until):
			return nil, errAbsent
		case err == nil:
			s.unknown.Invalidate(a.tags()[0])
		case errors.Is(err, errPresent): // somebody else's load found it
		case errors.Is(err, context.Canceled):
			return nil, err
		default:
			return nil, linkspan.E("access.Identify", linkspan.KindUnavailable, "unavailable", err,
				"The server can't check the credentials right now.").WithHint("Try again in a few seconds.")
		}
	}
}

var (
	errPresent = errors.New("access: the hash exists")
	errAbsent  = linkspan.E("access.Identify", linkspan.KindNotFound, "", nil, "Nothing has this hash.")
)

func (s *Service) loadKey(ctx context.Context, hash [32]byte) (*Principal, error) {
	key, env, err := s.store.APIKeyByHash(ctx, nil, hash)
	if err != nil {
		return nil, err
	}
	p := &Principal{
		Kind: EnvironmentKey, AccountID: key.AccountID, Environment: env,
		KeyID: key.ID, Scopes: key.Scopes, hash: hash,
	}
	if key.EnvironmentID == 0 {
		p.Kind, p.Environment = AccountKey, linkspan.Environment{}
	}
	if !key.LastUsedAt.IsZero() {
		p.touched.Store(key.LastUsedAt.UnixNano())
	}
	return p, nil
}

func (s *Service) loadSession(ctx context.Context, hash [32]byte) (*Principal, error) {
	session, env, err := s.store.ConnectSessionByHash(ctx, nil, hash)
	if err != nil {
		return nil, err
	}
	return &Principal{
		Kind: Session, AccountID: env.AccountID, Environment: env,
		Scopes: []string{linkspan.ScopeIntegrationsList}, Session: &session, hash: hash,
	}, nil
}

func unauthenticated(code, message string) error {
	return &linkspan.Error{Kind: linkspan.KindUnauthenticated, Code: code, Op: "access.Identify", Msg: message}
}

func forbidden(message string) error {
	return &linkspan.Error{Kind: linkspan.KindForbidden, Code: "forbidden", Op: "access.Identify", Msg: message}
}

// tags names what a principal was made from, for the change feed.
func (p *Principal) tags() []string {
	var tags []string
	switch p.Kind {
	case EnvironmentKey, AccountKey:
		tags = append(tags, change.Tag(linkspan.ChangeAPIKey, hex.EncodeToString(p.hash[:])))
	case Session:
		tags = append(tags, change.Tag(linkspan.ChangeConnectSession, hex.EncodeToString(p.hash[:])))
	case PublicKey: // goes with its environment
	}
	if p.Environment.UUID != "" {
		tags = append(tags, change.Tag(linkspan.ChangeEnvironment, p.Environment.UUID))
	}
	return tags
}

func (a absence) tags() []string {
	text := hex.EncodeToString(a.hash[:])
	return []string{change.Tag(linkspan.ChangeAPIKey, text), change.Tag(linkspan.ChangeConnectSession, text)}
}

type principalKey struct{}

// WithPrincipal returns a context that knows the caller.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the caller that WithPrincipal put there, or nil.
func PrincipalFrom(ctx context.Context) *Principal {
	p, _ := ctx.Value(principalKey{}).(*Principal)
	return p
}
