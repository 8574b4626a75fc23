package app

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/author"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/connectui"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/hook"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/integration"
	"github.com/linkspan/linkspan/internal/job"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/providerdocs"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/ratelimit"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/run"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/schedule"
	"github.com/linkspan/linkspan/internal/server"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/upstream"
	"github.com/linkspan/linkspan/internal/webhook"
)

// scrapeTimeout bounds what a metric asks the database.
const scrapeTimeout = 2 * time.Second

// parts are the features, wired.
type parts struct {
	store        *store.Store
	feed         *change.Feed
	ops          *oplog.Log
	catalog      *catalog.Catalog
	environments *environment.Service
	access       *access.Service
	limiter      *ratelimit.Limiter
	connections  *connect.Service
	webhooks     *webhook.Service
	records      *record.Service
	syncs        *schedule.Service
	authorize    *authorize.Service
	oauth        *oauth.Client
	upstream     *upstream.Caller
	leases       *lease.Keeper
	proxy        *proxy.Service
	functions    *function.Service
	host         *host.Service
	runs         *run.Service
	runners      *runner.Pool
	integrations *integration.Service
	author       *author.Service
	jobs         *job.Client
	handler      http.Handler
	api          *server.Server // nil unless this replica serves the API
}

// newParts makes the features and gives them to each other.
func newParts(a *App, db *store.Store) (*parts, error) {
	p := &parts{
		store: db,
		feed:  change.NewFeed(db, a.log),
		ops:   oplog.New(db, a.log, oplog.Options{}),
	}
	db.OnLocalChange(p.feed.Local)

	var err error
	if p.catalog, err = catalog.Open(catalog.Options{Dir: a.cfg.ProvidersDir, Logger: a.log}); err != nil {
		return nil, fmt.Errorf("opening the catalogue: %w", err)
	}
	guard := egress.New(egress.Policy{AllowPrivateNetwork: a.cfg.AllowPrivateNetwork, DeniedHosts: a.cfg.DeniedHosts}, nil)
	p.upstream = upstream.New(upstream.Config{Guard: guard})
	p.environments = environment.New(db, db, environment.CheckURLs(webhookTargets(guard, a.publicURL())))
	p.access = access.New(access.Config{Store: db, Feed: p.feed, Log: a.log})
	if a.cfg.RateLimit > 0 {
		p.limiter = ratelimit.New(ratelimit.Config{Store: db, Log: a.log, PerMinute: a.cfg.RateLimit})
	}
	if p.jobs, err = newJobs(a, db, p); err != nil {
		return nil, err
	}
	name := holder()
	p.connectAccounts(a, db, guard, name)
	if err := p.setUpIntegrations(a, db); err != nil {
		return nil, err
	}
	if err := p.runFunctions(a, db, guard, name); err != nil {
		return nil, err
	}
	if err := p.workForAuthors(a, db, name); err != nil {
		return nil, err
	}
	p.handler = newHandler(a, db, p)
	p.expose(a.metrics)
	return p, nil
}

// connectAccounts makes what turns people's consent into connections, and tells
// of it.
func (p *parts) connectAccounts(a *App, db *store.Store, guard *egress.Guard, name string) {
	checkURL := webhookTargets(guard, a.publicURL())
	p.webhooks = webhook.New(webhook.Config{
		Store: db, Tx: db, Feed: p.feed, HTTP: guard, Ops: p.ops, Log: a.log, CheckURL: checkURL,
		Holder: name, Version: obs.ReadBuild().Version,
	})
	p.records = record.New(db)
	p.syncs = schedule.New(schedule.Config{Store: db, Tx: db, Records: p.records, Webhooks: p.webhooks, Ops: p.ops, Log: a.log})
	p.environments.UseSyncs(p.syncs)
	p.leases = lease.NewKeeper(db, name, a.log)
	p.oauth = oauth.New(oauth.Config{HTTP: guard.Client(egress.ClientOptions{})})
	p.connections = connect.New(connect.Config{
		Store: db, Tx: db, Providers: p.catalog, Feed: p.feed,
		Leases:   p.leases,
		Upstream: p.upstream, OAuth: p.oauth, Hooks: hook.New(hook.Config{Caller: p.upstream}), Syncs: p.syncs, Webhooks: p.webhooks, Jobs: p.jobs,
		Ops: p.ops, Log: a.log, CheckURL: checkURL,
	})
	p.catalog.OnChange(p.connections.ProvidersChanged)
	p.authorize = authorize.New(authorize.Config{
		Store: db, Providers: p.catalog, Feed: p.feed, OAuth: p.oauth, Connections: p.connections, Ops: p.ops, Log: a.log,
		PublicURL: a.publicURL(), ConnectURL: a.connectURL(), CheckURL: checkURL,
	})
}

// webhookTargets returns a check of the URLs that customers have webhooks sent
// to: the guard's, and that it is not this server, which would talk to itself.
// Many servers share a loopback address, so there the port decides.
func webhookTargets(guard *egress.Guard, publicURL string) func(*url.URL) error {
	own, err := url.Parse(publicURL)
	return func(u *url.URL) error {
		if err == nil && hostOf(u) == hostOf(own) && (!linkspan.IsLoopback(hostOf(own)) || u.Port() == own.Port()) {
			return &egress.BlockedError{Host: u.Hostname(), Reason: "it is this server"}
		}
		return guard.CheckURL(u)
	}
}

func hostOf(u *url.URL) string { return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) }

// holder names this process among the replicas, for people who read lease rows
// as well.
func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), linkspan.NewUUID())
}

// newJobs makes the queue. A replica of the role api only adds to it.
func newJobs(a *App, db *store.Store, p *parts) (*job.Client, error) {
	c := job.Config{Pool: db.Pool(), Registry: registerJobs(a, db, p), Log: a.log, PollOnly: a.cfg.PollOnly}
	if a.cfg.Role == config.RoleAPI {
		c.Workers = -1
	}
	client, err := job.New(c)
	if err != nil {
		return nil, fmt.Errorf("making the queue: %w", err)
	}
	return client, nil
}

// newHandler returns what the public address serves: the API, or on replicas
// that only work in the background their health.
func newHandler(a *App, db *store.Store, p *parts) http.Handler {
	if a.cfg.Role == config.RoleWorker {
		mux := http.NewServeMux()
		obs.RegisterHealth(mux, a.isReady)
		return mux
	}
	ui := connectui.New(connectui.Config{
		Access: p.access, Authorize: p.authorize, Catalog: p.catalog, Integrations: p.integrations, PublicURL: a.publicURL(), Log: a.log,
	})
	p.api = server.New(server.Config{
		Log: a.log, Metrics: a.metrics, PublicURL: a.publicURL(), ConnectURL: a.connectURL(),
		BodyLimit: a.cfg.MaxBody, ProxyBodyLimit: cmp.Or(a.cfg.MaxProxyBody, -1),
		Access: p.access, Limiter: p.limiter, Catalog: p.catalog, Environments: p.environments,
		Integrations: p.integrations, Connections: p.connections, Authorize: p.authorize, Webhooks: p.webhooks,
		Pages: ui, Extra: ui.Routes(),
		Operations: db,
		Note:       p.note,
		Proxy:      p.proxy,
		Functions:  p.functions,
		Actions:    p.runs,
		Author:     p.author,
		Syncs:      p.syncs,
		Records:    p.records,
		Docs:       providerdocs.New(p.catalog, a.publicURL()),
		Ready:      a.ready,
	})
	return p.api
}

// note adds a message to an operation that others began.
func (p *parts) note(m linkspan.Message) {
	op := p.ops.Attach(m.OperationID, m.EnvironmentID)
	op.Message(m)
	op.Publish()
}

// observe counts proxied calls and completes the log line of their requests. Those
// of a function are not what a request is about, and run side by side.
func observe(m *obs.Metrics) func(context.Context, proxy.Outcome) {
	return func(ctx context.Context, o proxy.Outcome) {
		if o.Attempts > 0 {
			m.ObserveCall(o.Provider, o.Status, o.Attempts-1, o.Took)
		}
		if o.Inner {
			return
		}
		e := httpx.EventFrom(ctx)
		e.Integration, e.Connection, e.Provider = o.Integration, o.Connection, o.Provider
		e.Operation, e.UpstreamStatus, e.UpstreamError, e.Retries = o.Operation, o.Status, o.Failure, max(o.Attempts-1, 0)
	}
}

// expose shows what the features count.
func (p *parts) expose(m *obs.Metrics) {
	m.Counter("operations_written_total", "Operations and messages written to the log of operations.",
		func() float64 { return float64(p.ops.Written()) })
	m.Counter("operations_dropped_total", "Operations and messages lost because the log of operations could not keep up.",
		func() float64 { return float64(p.ops.Dropped()) })
	m.Gauge("operations_waiting", "Operations and messages that wait to be written.",
		func() float64 { return float64(p.ops.Waiting()) })
	p.exposeWebhooks(m)
	p.exposeFunctions(m)
	p.exposeAuthor(m)
	if p.api != nil {
		m.Gauge("waiting_pages", "Pages that wait for an authorization in another window.",
			func() float64 { return float64(p.api.Sockets()) })
	}
	m.Gauge("caches_fresh", "1 while the caches may be trusted, 0 after the database could not be read for five seconds.",
		func() float64 {
			if p.feed.Fresh() {
				return 1
			}
			return 0
		})
}

// exposeWebhooks shows how the sending of webhooks goes.
func (p *parts) exposeWebhooks(m *obs.Metrics) {
	m.Counter("webhook_attempts_total", "Attempts to deliver webhooks, by this process.",
		func() float64 { return float64(p.webhooks.Attempts()) })
	m.Counter("webhooks_delivered_total", "Webhooks that reached their receivers, sent by this process.",
		func() float64 { return float64(p.webhooks.Delivered()) })
	m.Counter("webhooks_failed_total", "Webhooks that this process gave up: after the last attempt, after a 410, or because the URL may not be called.",
		func() float64 { return float64(p.webhooks.GivenUp()) })
	m.Gauge("webhooks_sending", "Requests to receivers of webhooks that are under way in this process.",
		func() float64 { return float64(p.webhooks.Sending()) })
	m.Gauge("webhooks_pending", "Webhooks that wait for their next attempt, in the whole database. NaN: it can't be read.",
		func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
			defer cancel()
			n, err := p.webhooks.Pending(ctx)
			if err != nil {
				return math.NaN()
			}
			return float64(n)
		})
}
