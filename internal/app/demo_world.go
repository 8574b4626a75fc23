package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/demo"
)

// demoWorld is all that the demo runs: the server, and beside it the provider
// and the receiver of webhooks, which know the server only by HTTP.
type demoWorld struct {
	url         string // of the server
	providerURL string
	receiverURL string
	receiver    *receiver
	client      *http.Client // for calls to the provider

	app *App
	// served ends with the server, failed gets what ended it or another part.
	served  chan struct{}
	failed  chan error
	wg      sync.WaitGroup
	servers []*http.Server
	// alive lasts until everything stops; the server stops before the others.
	alive      context.Context //nolint:containedctx // the life of what stop ends
	stopServer context.CancelFunc
	stopRest   context.CancelFunc
}

// startDemoWorld starts everything and waits until the server is ready. The
// folder is the demo's alone.
func startDemoWorld(ctx context.Context, d *demonstration) (_ *demoWorld, err error) {
	w := &demoWorld{served: make(chan struct{}), failed: make(chan error, 1), client: new(http.Client)}
	w.alive, w.stopRest = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	provider, err := listenDemo(ctx, demoProviderPort, d.Once)
	if err != nil {
		return nil, err
	}
	defer closeUnless(&err, provider)
	hooks, err := listenDemo(ctx, demoReceiverPort, d.Once)
	if err != nil {
		return nil, err
	}
	defer closeUnless(&err, hooks)
	// By address, not by name: the server calls both, and "localhost" may be
	// another address first. For browsers it also is another site, as it would be.
	w.providerURL = "http://" + provider.Addr().String()
	w.receiverURL = "http://" + hooks.Addr().String() + "/webhooks"
	if err := w.openServer(ctx, d); err != nil {
		return nil, err
	}
	w.receiver = newReceiver(d.secret.SigningKey.Reveal())
	w.serveRest(d, provider, hooks)
	return w, w.runServer(ctx)
}

func closeUnless(err *error, l net.Listener) {
	if *err != nil {
		_ = l.Close() // it may be closed already; the error at hand matters more
	}
}

// listenDemo takes a port of this machine: the one that the demo likes unless
// any will do, or another if that is taken.
func listenDemo(ctx context.Context, port string, free bool) (net.Listener, error) {
	var lc net.ListenConfig
	if !free && !answersOnIPv6(ctx, port) {
		if l, err := lc.Listen(ctx, "tcp", "127.0.0.1:"+port); err == nil {
			return l, nil
		}
	}
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on this machine: %w", err)
	}
	return l, nil
}

// answersOnIPv6 reports whether something listens on a port of this machine's other
// address: "localhost" would lead browsers there.
func answersOnIPv6(ctx context.Context, port string) bool {
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "tcp6", "[::1]:"+port)
	if err != nil {
		return false
	}
	_ = c.Close() // nothing was written to it
	return true
}

// openServer makes the server, with the provider in its catalogue. Loopback
// addresses are open to it, since everything here is on one. The environment of
// the process does not count: a demo must not end up on somebody's database.
func (w *demoWorld) openServer(ctx context.Context, d *demonstration) (err error) {
	providers := filepath.Join(d.DataDir, "providers")
	if err := writeDemoProviders(providers, w.providerURL); err != nil {
		return err
	}
	// Kept from here on: a port that is looked for, let go and taken again may be
	// somebody else's by then.
	public, err := listenDemo(ctx, demoPort, d.Once)
	if err != nil {
		return err
	}
	defer closeUnless(&err, public)
	flags := map[string]string{"data": d.DataDir, "listen": public.Addr().String(), "providers": providers, "allow-private-network": "true"}
	if d.CacheDir != "" {
		flags["cache"] = d.CacheDir
	}
	cfg, err := config.Load(flags, d.secret.bootstrapEnviron, "")
	if err != nil {
		return fmt.Errorf("making the settings of the demo: %w", err)
	}
	if w.app, err = New(ctx, Options{Config: cfg, Log: d.Log, Public: public, Stdout: io.Discard}); err != nil {
		return err
	}
	w.url = w.app.publicURL()
	return nil
}

func writeDemoProviders(dir, providerURL string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of providers: %w", err)
	}
	for name, data := range demo.ProviderFiles(providerURL) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("writing a provider: %w", err)
		}
	}
	return nil
}

// serveRest starts the provider and the receiver.
func (w *demoWorld) serveRest(d *demonstration, provider, hooks net.Listener) {
	ticketry := demo.New(demo.Config{
		BaseURL: w.providerURL,
		Client: demo.Client{
			ID: d.secret.ClientID, Secret: d.secret.ClientSecret.Reveal(), Name: "Linkspan demo",
			RedirectURIs: []string{w.url + "/oauth/callback"},
		},
		APIKey: d.secret.APIKey.Reveal(), Username: demoUsername, Password: d.secret.Password.Reveal(), ControlKey: d.secret.ControlKey.Reveal(),
		HTTP: w.client, Log: d.Log,
	})
	w.wg.Go(func() {
		if err := ticketry.Run(w.alive); err != nil {
			w.fail(err)
		}
	})
	w.serve(provider, ticketry)
	w.serve(hooks, w.receiver)
}

func (w *demoWorld) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout}
	w.servers = append(w.servers, server)
	w.wg.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			w.fail(fmt.Errorf("serving on %s: %w", l.Addr(), err))
		}
	})
}

func (w *demoWorld) fail(err error) {
	select {
	case w.failed <- err:
	default: // the first one tells enough
	}
}

// runServer starts the server and waits until it takes work.
func (w *demoWorld) runServer(ctx context.Context) error {
	var running context.Context
	running, w.stopServer = context.WithCancel(context.WithoutCancel(ctx))
	w.wg.Go(func() {
		defer close(w.served)
		if err := w.app.Run(running); err != nil {
			w.fail(err)
		}
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for w.app.ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("starting the server: %w", context.Cause(ctx))
		case err := <-w.failed:
			return err
		case <-tick.C:
		}
	}
	return nil
}

// stop ends the server, which may still have something to tell the others, then
// the others.
func (w *demoWorld) stop() error {
	var errs []error
	if w.stopServer != nil {
		w.stopServer()
		<-w.served
	}
	if w.app != nil {
		errs = append(errs, w.app.Close())
	}
	w.stopRest()
	w.client.CloseIdleConnections()
	for _, s := range w.servers {
		errs = append(errs, s.Close())
	}
	w.wg.Wait()
	select {
	case err := <-w.failed:
		errs = append(errs, err)
	default:
	}
	return errors.Join(errs...)
}
