package connect_test

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/job"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/upstream"
	"github.com/linkspan/linkspan/internal/webhook"
)

// doomed is a process that is killed at its nth step: its goroutine ends there,
// and what it had not committed is gone. Its leases have lapsed at once.
type doomed struct {
	*store.Store

	hooks *webhook.Service
	verifier
	functions events
	left      int
	died      bool
	commits   int
	planned   []string
}

// step ends the goroutine when it is time.
func (d *doomed) step() {
	if d.died {
		return // a deferred call: nothing that is left behind is cleaned up by the dead
	}
	if d.left--; d.left < 0 {
		d.died = true
		runtime.Goexit()
	}
}

func (d *doomed) InTx(ctx context.Context, f func(context.Context, linkspan.Tx) error) error {
	d.step()
	err := d.Store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := f(ctx, tx); err != nil {
			return err
		}
		d.step() // all is written, nothing committed
		return nil
	})
	if err == nil {
		d.commits++
	}
	d.step() // committed, but nobody has heard of it
	return err
}

func (d *doomed) AcquireLease(ctx context.Context, tx linkspan.Tx, kind, key, holder string, _ time.Duration) (linkspan.Lease, bool, error) {
	d.step()
	return d.Store.AcquireLease(ctx, tx, kind, key, holder, time.Microsecond)
}

func (d *doomed) ReleaseLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error) {
	if d.died {
		return false, errDead
	}
	d.step()
	return d.Store.ReleaseLease(ctx, tx, l)
}

func (d *doomed) Verify(ctx context.Context, t *upstream.Target) error {
	d.step()
	err := d.verifier.Verify(ctx, t)
	d.step()
	return err
}

func (d *doomed) EnqueueAt(_ context.Context, _ linkspan.Tx, _ time.Time, a job.Args) error {
	d.planned = append(d.planned, a.(connect.FinishAuthorization).UUID)
	d.step()
	return nil
}

func (d *doomed) AddAuth(ctx context.Context, tx linkspan.Tx, e webhook.AuthEvent) error {
	d.step()
	err := d.hooks.AddAuth(ctx, tx, e)
	d.step()
	return err
}

// Validate implements connect.Functions.
func (d *doomed) Validate(ctx context.Context, t *upstream.Target) (map[string]any, error) {
	d.step()
	metadata, err := d.functions.Validate(ctx, t)
	d.step()
	return metadata, err
}

// Creating implements connect.Functions.
func (d *doomed) Creating(ctx context.Context, env linkspan.EnvironmentID, integrationKey string) (func(context.Context, linkspan.Tx, *linkspan.Connection) error, error) {
	d.step()
	follow, err := d.functions.Creating(ctx, env, integrationKey)
	return func(ctx context.Context, tx linkspan.Tx, c *linkspan.Connection) error {
		d.step()
		err := follow(ctx, tx, c)
		d.step()
		return err
	}, err
}

// Deleting implements connect.Functions.
func (d *doomed) Deleting(context.Context, linkspan.EnvironmentID, string, string) {}

func (d *doomed) InsertPopupResult(ctx context.Context, tx linkspan.Tx, r linkspan.PopupResult) error {
	err := d.Store.InsertPopupResult(ctx, tx, r)
	d.step()
	return err
}

// testAuthorizationKilled kills a process at every step of an authorization. If
// it had stored the grant, the job of another one makes exactly one connection
// of it, announced once and followed by its functions once; if not, nothing is
// left of it.
func (d *database) testAuthorizationKilled(t *testing.T) {
	refused := func(text string) func(name string) string {
		return func(name string) string {
			return connect.PopupError("tested", name, "connection_validation_failed", text)
		}
	}
	for name, tt := range map[string]struct {
		refusal, invalid error
		popup            func(name string) string
		there            bool
	}{
		"accepted": {nil, nil, func(name string) string { return connect.PopupSuccess("tested", name) }, true},
		"refused":  {refusedKey(), nil, refused("The provider refused the key."), false},
		"invalid":  {nil, invalid("The wrong account."), refused("The wrong account."), false},
	} {
		t.Run(name, func(t *testing.T) {
			st := d.open(t)
			const enough = 100
			for n := range enough {
				p := &doomed{Store: st, hooks: hooks(st), left: n, verifier: verifier{refuse: tt.refusal}, functions: events{
					store: st, refuse: tt.invalid, metadata: map[string]any{"checked": true},
				}}
				conn := linkspan.NewUUID()
				before, err := st.WaitingRuns(t.Context(), nil, 10_000)
				must(t, err)
				d.runDoomed(t, p, conn)
				d.recover(t, p)
				runs, err := st.WaitingRuns(t.Context(), nil, 10_000)
				must(t, err)
				deliveries, err := st.WebhookDeliveries(t.Context(), nil, linkspan.DeliveryFilter{EnvironmentID: d.env.ID, ConnectionName: conn, Limit: 10})
				must(t, err)
				made, err := st.Connection(t.Context(), nil, d.env.ID, "tested", conn)
				if err == nil && made.Metadata["checked"] != true || (runs-before == 1) != (err == nil) || runs-before > 1 {
					t.Errorf("killed at step %d: metadata %v, %d runs follow (%v)", n, made.Metadata, runs-before, err)
				}
				told, popupErr := st.TakePopupResult(t.Context(), nil, conn)
				switch stored := p.commits > 0; {
				case stored && (len(deliveries) != 1 || (err == nil) != tt.there || popupErr != nil || told.Message != tt.popup(conn)):
					t.Errorf("killed at step %d: %d webhooks, connection %v, page told %q (%v)", n, len(deliveries), err, told.Message, popupErr)
				case !stored && (len(deliveries) != 0 || err == nil || popupErr == nil):
					t.Errorf("killed at step %d before anything was stored: %d webhooks, connection %v, page told %q", n, len(deliveries), err, told.Message)
				}
				if !p.died {
					return
				}
			}
			t.Errorf("an authorization takes more than %d steps", enough)
		})
	}
}

// runDoomed authorizes in a process that is killed on the way, or not.
func (d *database) runDoomed(t *testing.T, p *doomed, conn string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := connect.New(connect.Config{
		Store: p, Tx: p, Providers: d.world, Feed: change.NewFeed(p, log), Leases: lease.NewKeeper(p, "doomed", log),
		Upstream: p, OAuth: oauth.New(oauth.Config{HTTP: http.DefaultClient}), Functions: p, Webhooks: p, Jobs: p, Log: log,
	})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = s.Authorize(context.WithoutCancel(t.Context()), connect.Authorized{
			Environment: d.env, IntegrationKey: "tested", Name: conn, Credentials: credential.NewAPIKey("key"), PopupID: conn,
			WebhookURLOverride: new("https://hooks.example/auth"),
		})
	}()
	<-gone
}

// recover runs the jobs that the process left behind, twice.
func (d *database) recover(t *testing.T, p *doomed) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := connect.New(connect.Config{
		Store: p.Store, Tx: p.Store, Providers: d.world, Feed: change.NewFeed(p.Store, log), Leases: lease.NewKeeper(p.Store, "healthy", log),
		Upstream: &p.verifier, OAuth: oauth.New(oauth.Config{HTTP: http.DefaultClient}), Functions: &p.functions, Webhooks: p.hooks, Log: log,
	})
	for range 2 {
		for _, uuid := range p.planned {
			must(t, s.FinishAuthorization(t.Context(), uuid))
		}
	}
	for _, uuid := range p.planned {
		if _, err := p.Authorization(t.Context(), nil, uuid); linkspan.KindOf(err) != linkspan.KindNotFound {
			t.Errorf("the grant is still stored: %v", err)
		}
	}
}

func hooks(st *store.Store) *webhook.Service {
	return webhook.New(webhook.Config{
		Store: st, Tx: st, HTTP: egress.New(egress.Policy{}, nil), Log: slog.New(slog.DiscardHandler), Holder: "test",
	})
}
