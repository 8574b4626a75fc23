package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/obs"
)

// Run serves until ctx ends, or until something the server can't do without
// fails. Then it stops in this order, so that nothing that was begun is lost:
// it reports not ready, stops accepting, lets requests finish, stops jobs, stops
// what works behind the requests, and writes the rest of the operations log.
func (a *App) Run(ctx context.Context) error {
	// What runs below outlives ctx by the time that draining takes.
	alive := context.WithoutCancel(ctx)
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default: // the first one tells enough
		}
	}

	ops := start(alive, fail, a.parts.ops.Run)
	loops := start(alive, fail, a.loops()...)
	base, cutOff := context.WithCancel(alive)
	defer cutOff()
	servers := a.serve(base, fail)

	err := a.awaitFresh(ctx, failed)
	if err == nil && ctx.Err() == nil {
		err = a.startJobs(alive)
	}
	if err == nil && ctx.Err() == nil {
		a.taking.Store(true)
		a.log.InfoContext(ctx, "serving", "listen", a.Addr(), "admin_listen", a.AdminAddr(),
			"public_url", a.publicURL(), "database", a.db.Dialect(), "role", a.cfg.Role, "version", obs.ReadBuild().Version)
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}

	a.taking.Store(false)
	a.log.InfoContext(alive, "stopping")
	err = errors.Join(err, a.drain(alive, servers, cutOff), a.stopJobs(alive), loops.stop(), a.parts.closeFunctions(alive), ops.stop())
	a.parts.oauth.Close()
	a.parts.upstream.CloseIdleConnections()
	a.log.InfoContext(alive, "stopped")
	return err
}

// loops are what runs behind the requests for as long as there are any.
func (a *App) loops() []func(context.Context) error {
	p := a.parts
	loops := []func(context.Context) error{
		p.feed.Run,
		p.access.Run,
		p.connections.Run,
		func(ctx context.Context) error { p.catalog.Watch(ctx); return nil },
	}
	if a.cfg.Role != config.RoleAPI {
		for _, loop := range []func(context.Context) error{p.webhooks.Run, p.syncs.Run, p.runs.Run, p.author.Run} {
			loops = append(loops, a.onceFresh(loop))
		}
	}
	if p.limiter != nil {
		loops = append(loops, p.limiter.Run)
	}
	return loops
}

// group is a set of loops that are stopped together.
type group struct {
	cancel context.CancelFunc
	group  *errgroup.Group
}

// start runs loops until the group is stopped. A loop that fails before is
// reported at once.
func start(ctx context.Context, fail func(error), loops ...func(context.Context) error) *group {
	ctx, cancel := context.WithCancel(ctx)
	g := &group{cancel: cancel, group: new(errgroup.Group)}
	for _, loop := range loops {
		g.group.Go(func() error {
			err := loop(ctx)
			if err != nil && ctx.Err() == nil {
				fail(err)
				return nil
			}
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		})
	}
	return g
}

// stop ends the loops and waits for them.
func (g *group) stop() error {
	g.cancel()
	return g.group.Wait()
}

// onceFresh begins a loop when the caches know where they start: what was left from
// an earlier process would find no connection before.
func (a *App) onceFresh(loop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := a.awaitFresh(ctx, nil); err != nil || ctx.Err() != nil {
			return err
		}
		return loop(ctx)
	}
}

// awaitFresh waits until the caches know where they start.
func (a *App) awaitFresh(ctx context.Context, failed <-chan error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !a.parts.feed.Fresh() {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-tick.C:
		}
	}
	return nil
}

// servers are the running HTTP servers.
type servers struct {
	public, admin *http.Server
	wg            sync.WaitGroup
}

// serve starts the HTTP servers.
func (a *App) serve(base context.Context, fail func(error)) *servers {
	s := &servers{public: a.httpServer(base, a.metrics.Track(a.parts.handler))}
	s.run(s.public, a.public, fail)
	if a.admin != nil {
		s.admin = a.httpServer(base, obs.AdminHandler(a.metrics, a.isReady))
		s.run(s.admin, a.admin, fail)
	}
	return s
}

func (s *servers) run(server *http.Server, l net.Listener, fail func(error)) {
	s.wg.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("serving on %s: %w", l.Addr(), err))
		}
	})
}

func (a *App) isReady() bool { return a.ready(context.Background()) == nil }

// endSockets tells the pages that wait for a result that there will be none from
// here.
func (a *App) endSockets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	return a.parts.api.Shutdown(ctx)
}

// drain stops accepting and waits for the requests that are being answered, but
// not for ever.
func (a *App) drain(ctx context.Context, s *servers, cutOff context.CancelFunc) error {
	wait, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	err := s.public.Shutdown(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		a.log.WarnContext(ctx, "requests were cut off that did not finish in time", "waited", drainTimeout.String())
		cutOff()
		err = s.public.Close()
	}
	if a.parts.api != nil { // after the requests: they may have something to tell
		err = errors.Join(err, a.endSockets(ctx))
	}
	if s.admin != nil { // last, so that the drain can be watched
		err = errors.Join(err, s.admin.Close())
	}
	s.wg.Wait()
	if err != nil {
		return fmt.Errorf("closing the HTTP servers: %w", err)
	}
	return nil
}

// startJobs starts the background work, if this replica does any.
func (a *App) startJobs(ctx context.Context) error {
	a.working = true
	return a.parts.jobs.Start(ctx)
}

func (a *App) stopJobs(ctx context.Context) error {
	if !a.working {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := a.parts.jobs.Stop(ctx); err != nil {
		return fmt.Errorf("stopping the jobs: %w", err)
	}
	return nil
}
