package demo

import (
	"cmp"
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"
)

const (
	defaultLifetime = 5 * time.Minute
	defaultPerMin   = 120
	defaultTickets  = 42
	maxBody         = 64 << 10
)

// Client is the registered OAuth client.
type Client struct {
	ID, Secret string
	// Name is what the consent page calls it.
	Name string
	// RedirectURIs are compared byte for byte.
	RedirectURIs []string
}

// Config says how a Server behaves. Only BaseURL, Client and HTTP are required.
type Config struct {
	// BaseURL is where browsers and clients reach the server, without a slash at
	// its end. It is the issuer, too.
	BaseURL string
	Client  Client
	// APIKey opens /api/keyed/, Username and Password open /api/basic/. Empty:
	// nobody gets in that way.
	APIKey             string
	Username, Password string
	// ControlKey is the bearer token of /control/. Empty: there is no /control/.
	ControlKey string
	// AccessLifetime is how long an access token is good; five minutes if zero.
	AccessLifetime time.Duration
	// RequestsPerMinute is the limit of each caller of the API; 120 if zero, none
	// if negative.
	RequestsPerMinute int
	// Tickets is how many there are at the start; 42 if zero, none if negative.
	Tickets int
	// Webhook is where changes are announced at first. Optional.
	Webhook Webhook
	// HTTP sends the webhooks.
	HTTP *http.Client
	// Log gets what goes wrong while sending webhooks. Nil: nobody does.
	Log *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Server is the service. Make it with New. It is safe for concurrent use.
type Server struct {
	cfg      Config
	grants   *authority
	desk     *desk
	limits   *limiter
	faults   *faults
	webhooks *sender
	pages    *template.Template
	handler  http.Handler
}

var _ http.Handler = (*Server)(nil)

// New makes a service with its first tickets. Call Run, too, if webhooks are to
// be sent.
func New(cfg Config) *Server {
	cfg.AccessLifetime = cmp.Or(cfg.AccessLifetime, defaultLifetime)
	cfg.RequestsPerMinute = cmp.Or(cfg.RequestsPerMinute, defaultPerMin)
	cfg.Tickets = cmp.Or(cfg.Tickets, defaultTickets)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg:      cfg,
		grants:   newAuthority(cfg),
		desk:     newDesk(cfg.Now, cfg.Tickets),
		limits:   &limiter{perMinute: cfg.RequestsPerMinute, now: cfg.Now},
		faults:   newFaults(),
		webhooks: newSender(cfg),
		pages:    parsePages(),
	}
	s.handler = s.faults.wrap(s.routes())
	return s
}

// Run sends webhooks until ctx ends. What then waits is dropped.
func (s *Server) Run(ctx context.Context) error { return s.webhooks.run(ctx) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.handler.ServeHTTP(w, r)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.board)
	mux.HandleFunc("GET /settings", s.settings)
	mux.HandleFunc("GET /style.css", style)
	mux.HandleFunc("GET /oauth/authorize", s.authorize)
	mux.HandleFunc("POST /oauth/authorize", s.decide)
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("POST /oauth/revoke", s.revoke)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.metadata)
	api := s.apiRoutes()
	mux.Handle("/api/", http.StripPrefix("/api", s.admit(`Bearer realm="Ticketry", error="invalid_token"`, s.bearer, api)))
	mux.Handle("/api/keyed/", http.StripPrefix("/api/keyed", s.admit(`ApiKey realm="Ticketry"`, s.apiKey, api)))
	mux.Handle("/api/basic/", http.StripPrefix("/api/basic", s.admit(`Basic realm="Ticketry", charset="UTF-8"`, s.basic, api)))
	if s.cfg.ControlKey != "" {
		mux.HandleFunc("POST /control/faults", s.control(s.armFault))
		mux.HandleFunc("DELETE /control/faults", s.control(s.clearFaults))
	}
	return mux
}

// Tokens is one pair.
type Tokens struct{ Access, Refresh string }

// Issue makes a grant as a finished authorization by the first user would, for
// all scopes if none are named.
func (s *Server) Issue(scopes ...string) Tokens {
	if len(scopes) == 0 {
		scopes = allScopes()
	}
	return s.grants.issue(firstUser, scopes)
}

// Expire ends an access token before its time; its refresh token stays good.
func (s *Server) Expire(access string) { s.grants.expire(access) }
