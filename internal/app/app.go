package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/store"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 256 << 10
	// drainTimeout is how long requests may go on after the server was asked
	// to stop, stopTimeout how long jobs may.
	drainTimeout = 15 * time.Second
	stopTimeout  = 10 * time.Second
	// socketTimeout is how long pages get to hear that the server stops.
	socketTimeout = 5 * time.Second
)

// Options configure an App.
type Options struct {
	Config config.Config
	Log    *slog.Logger
	// Public is listened on instead of the address in Config, which must be the same,
	// and closed with the App; nil: the App listens itself.
	Public net.Listener
	// Stdout gets the keys that the first start generates.
	Stdout io.Writer
}

// App is the server with everything it is made of. Make it with New, run it once
// with Run, and Close it.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	db      *store.DB
	metrics *obs.Metrics
	parts   *parts

	public, admin net.Listener // admin may be nil
	// unlock lets other servers use the data folder; nil on PostgreSQL.
	unlock func() error
	// taking is set while the server takes work.
	taking atomic.Bool
	// working is set once jobs were started. Only Run touches it.
	working bool
}

// Serve runs a server until ctx ends and all it had begun is finished.
func Serve(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) (err error) {
	a, err := New(ctx, Options{Config: c, Log: log, Stdout: out})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.Run(ctx)
}

// New opens the database, brings it to this version, makes the first account if
// there is none, and takes the addresses to listen on. Nothing is served before
// Run.
func New(ctx context.Context, o Options) (_ *App, err error) {
	a := &App{cfg: o.Config, log: o.Log, public: o.Public, metrics: obs.NewMetrics(obs.ReadBuild().Version)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if err := requireKey(a.cfg); err != nil {
		return nil, err
	}
	// An address that is taken is the most frequent mistake: find it first.
	if err := a.listen(ctx); err != nil {
		return nil, err
	}
	if a.cfg.DatabaseURL.IsZero() {
		if a.unlock, err = store.LockFolder(a.cfg.DataDir); err != nil {
			return nil, err
		}
	}
	if a.db, err = openDatabase(ctx, a.cfg, a.log); err != nil {
		return nil, err
	}
	applied, err := migrate(ctx, a.db)
	if err != nil {
		return nil, err
	}
	if len(applied) > 0 {
		a.log.InfoContext(ctx, "database migrated", "applied", applied)
	}
	v, err := openVault(ctx, a.cfg, a.db)
	if err != nil {
		return nil, err
	}
	st := store.New(a.db, v)
	if err := st.VoidLeases(ctx); err != nil {
		return nil, fmt.Errorf("taking over what an earlier server left: %w", err)
	}
	if a.parts, err = newParts(a, st); err != nil { //nolint:contextcheck // opening the catalogue reads local files only
		return nil, err
	}
	if err := bootstrap(ctx, a.parts.environments, a.cfg.Bootstrap, a.publicURL(), o.Stdout); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *App) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if a.public == nil {
		if a.public, err = lc.Listen(ctx, "tcp", a.cfg.Listen); err != nil {
			return cannotListen("--listen", a.cfg.Listen, err)
		}
	}
	if a.cfg.AdminListen == "" {
		return nil
	}
	if a.admin, err = lc.Listen(ctx, "tcp", a.cfg.AdminListen); err != nil {
		return cannotListen("--admin-listen", a.cfg.AdminListen, err)
	}
	return nil
}

// cannotListen says what to do about an address that most likely another server
// has.
func cannotListen(setting, address string, err error) error {
	return linkspan.E("app.listen", linkspan.KindUnavailable, "", err, "The server can't listen on %s.", address).
		WithHint("Stop what listens there, or give another address with %s.", setting)
}

// Addr returns the address of the public API, with the port that was taken.
func (a *App) Addr() string { return a.public.Addr().String() }

// AdminAddr returns the address of metrics and profiles, empty if there is none.
func (a *App) AdminAddr() string {
	if a.admin == nil {
		return ""
	}
	return a.admin.Addr().String()
}

// publicURL is where clients reach the API.
func (a *App) publicURL() string {
	if a.cfg.PublicURL != "" {
		return a.cfg.PublicURL
	}
	_, port, err := net.SplitHostPort(a.Addr())
	if err != nil {
		return "http://localhost"
	}
	return "http://localhost:" + port
}

// connectURL is where browsers reach Connect UI.
func (a *App) connectURL() string {
	if a.cfg.ConnectURL != "" {
		return a.cfg.ConnectURL
	}
	return a.publicURL() + "/connect-ui/"
}

// ready says why the server should get no requests now.
func (a *App) ready(context.Context) error {
	if !a.taking.Load() {
		return linkspan.E("app.ready", linkspan.KindUnavailable, "", nil, "The server is starting or stopping.")
	}
	return a.parts.feed.Check()
}

// Close closes what New opened. Run must have returned.
func (a *App) Close() error {
	var errs []error
	for _, l := range []net.Listener{a.public, a.admin} {
		if l == nil {
			continue
		}
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("closing a listener: %w", err))
		}
	}
	if a.db != nil {
		if err := a.db.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing the database: %w", err))
		}
	}
	if a.unlock != nil {
		if err := a.unlock(); err != nil {
			errs = append(errs, fmt.Errorf("unlocking the data folder: %w", err))
		}
	}
	return errors.Join(errs...)
}

// httpServer returns a server with the time limits that all of ours have. There
// is no limit on writing: answers stream.
func (a *App) httpServer(base context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
}
