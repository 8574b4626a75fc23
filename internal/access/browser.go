package access

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan"
)

// The query parameters by which a browser says who it is (wire contract §2.1).
const (
	sessionParameter   = "connect_session_token"
	publicKeyParameter = "public_key"
)

// Browser finds out on whose behalf a browser calls that wants to connect an
// account: by the connect session or the public key in the query. Errors are
// those of wire contract §2.2, and unavailable as for Identify. The public key
// is refused with deprecated_authentication where the environment wants connect
// sessions.
func (s *Service) Browser(ctx context.Context, r *http.Request) (*Principal, error) {
	// Clients send values as their users typed them, with a bare "%" or ";". Other
	// parameters are no reason to refuse a caller.
	query, _ := url.ParseQuery(r.URL.RawQuery)
	if token := query.Get(sessionParameter); token != "" {
		return s.SessionByToken(ctx, token)
	}
	key := query.Get(publicKeyParameter)
	switch {
	case key == "":
		return nil, unauthenticated("missing_public_key",
			"Neither a connect session nor a public key was given. Send one of them as "+sessionParameter+" or "+publicKeyParameter+" in the query.")
	case !linkspan.IsUUID(key):
		return nil, unauthenticated("invalid_public_key", "The public key is malformed. Public keys are UUIDs.")
	}
	if err := s.feed.Check(); err != nil {
		return nil, err
	}
	return s.publicKey(ctx, strings.ToLower(key))
}

// SessionByToken returns the principal of a connect session that came another
// way than in the Authorization header. Errors are those of Identify.
func (s *Service) SessionByToken(ctx context.Context, token string) (*Principal, error) {
	if err := s.feed.Check(); err != nil {
		return nil, err
	}
	return s.session(ctx, token)
}

func (s *Service) publicKey(ctx context.Context, key string) (*Principal, error) {
	// The name of the parameter keeps these hashes apart from those of API keys,
	// with which they share the memory of what does not exist.
	hash := sha256.Sum256([]byte(publicKeyParameter + ":" + key))
	p, err := s.find(ctx, s.browsers, hash, func(ctx context.Context, hash [32]byte) (*Principal, error) {
		env, err := s.store.EnvironmentByPublicKey(ctx, nil, key)
		if err != nil {
			return nil, err
		}
		return &Principal{Kind: PublicKey, AccountID: env.AccountID, Environment: env, hash: hash}, nil
	})
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return nil, unauthenticated("unknown_account", "No environment has this public key.")
	}
	if err != nil {
		return nil, err
	}
	if !p.Environment.Settings.PublicKeyEnabled {
		return nil, unauthenticated("deprecated_authentication",
			"This environment does not accept its public key any more. Create a connect session on your server and send its token.")
	}
	return p, nil
}
