package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oplog"
)

// memory is a store whose clock is the bubble's. A transaction is its lock.
type memory struct {
	mu         sync.Mutex
	envs       map[linkspan.EnvironmentID]linkspan.Environment
	overrides  map[string]string // of connections
	events     map[linkspan.WebhookEventID]linkspan.WebhookEvent
	deliveries map[linkspan.WebhookDeliveryID]*linkspan.WebhookDelivery
	ops        map[linkspan.OperationID]linkspan.Operation
	msgs       []linkspan.Message
	down       bool
	keysDown   bool
	looks      int
	stuck      bool // looks find nothing before the caller gives up
}

var errDown = errors.New("the database is down")

func newMemory() *memory {
	m := &memory{
		envs:       make(map[linkspan.EnvironmentID]linkspan.Environment),
		events:     make(map[linkspan.WebhookEventID]linkspan.WebhookEvent),
		deliveries: make(map[linkspan.WebhookDeliveryID]*linkspan.WebhookDelivery),
		ops:        make(map[linkspan.OperationID]linkspan.Operation),
	}
	for id := range linkspan.EnvironmentID(3) {
		m.envs[id+1] = linkspan.Environment{ID: id + 1, Name: "dev", WebhookSigningKey: linkspan.NewSecret("signing-key")}
	}
	return m
}

type memoryTx struct{ hooks []func() }

func (*memoryTx) Now() time.Time      { return time.Now() }
func (t *memoryTx) OnCommit(f func()) { t.hooks = append(t.hooks, f) }
func (*memoryTx) Unwrap() any         { return nil }

// InTx implements linkspan.Transactor.
func (m *memory) InTx(ctx context.Context, f func(context.Context, linkspan.Tx) error) error {
	m.mu.Lock()
	tx := &memoryTx{}
	err := cmp.Or(m.fault(), ctx.Err())
	if err == nil {
		err = f(ctx, tx)
	}
	m.mu.Unlock()
	if err == nil {
		for _, hook := range tx.hooks {
			hook()
		}
	}
	return err
}

func (m *memory) fault() error {
	if m.down {
		return errDown
	}
	return nil
}

// lock takes the lock unless a transaction has it.
func (m *memory) lock(tx linkspan.Tx) func() {
	if tx != nil {
		return func() {}
	}
	m.mu.Lock()
	return m.mu.Unlock
}

func (m *memory) setDown(down bool) {
	defer m.lock(nil)()
	m.down = down
}

func (m *memory) setStuck(stuck bool) {
	defer m.lock(nil)()
	m.stuck = stuck
}

// setKeysDown has only the reading of environments fail.
func (m *memory) setKeysDown(down bool) {
	defer m.lock(nil)()
	m.keysDown = down
}

func (m *memory) WebhookEnvironment(_ context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error) {
	defer m.lock(tx)()
	if m.keysDown {
		return linkspan.Environment{}, linkspan.E("memory", linkspan.KindUnavailable, "", errDown, "The database is not available.")
	}
	e, ok := m.envs[env]
	if !ok {
		return e, linkspan.E("memory", linkspan.KindNotFound, "", nil, "It does not exist.")
	}
	return e, m.fault()
}

func (m *memory) WebhookOverride(_ context.Context, tx linkspan.Tx, _ linkspan.EnvironmentID, connection string) (string, error) {
	defer m.lock(tx)()
	return m.overrides[connection], m.fault()
}

func (m *memory) InsertWebhook(_ context.Context, tx linkspan.Tx, e *linkspan.WebhookEvent, deliveries []linkspan.WebhookDelivery) error {
	defer m.lock(tx)()
	e.ID, e.CreatedAt = linkspan.WebhookEventID(len(m.events)+1), time.Now()
	m.events[e.ID] = *e
	for i := range deliveries {
		d := &deliveries[i]
		d.ID, d.EventID, d.EnvironmentID = linkspan.WebhookDeliveryID(len(m.deliveries)+1), e.ID, e.EnvironmentID
		d.State, d.NextAt, d.CreatedAt = linkspan.DeliveryPending, time.Now(), time.Now()
		c := *d
		m.deliveries[d.ID] = &c
	}
	return nil
}

func (m *memory) WebhookDeliveries(_ context.Context, tx linkspan.Tx, f linkspan.DeliveryFilter) ([]linkspan.WebhookDelivery, error) {
	defer m.lock(tx)()
	var out []linkspan.WebhookDelivery
	for _, d := range m.sorted(func(d *linkspan.WebhookDelivery) bool { return d.EnvironmentID == f.EnvironmentID }) {
		c := *d
		c.Event = m.events[d.EventID]
		out = append(out, c)
	}
	slices.Reverse(out)
	return out[:min(len(out), f.Limit)], m.fault()
}

func (m *memory) ReplayDelivery(context.Context, linkspan.Tx, linkspan.EnvironmentID, string, linkspan.WebhookDelivery) (linkspan.WebhookDelivery, error) {
	return linkspan.WebhookDelivery{}, linkspan.E("memory", linkspan.KindNotFound, "", nil, "It does not exist.")
}

// sorted returns the chosen deliveries by destination, environment and time.
func (m *memory) sorted(choose func(*linkspan.WebhookDelivery) bool) []*linkspan.WebhookDelivery {
	var list []*linkspan.WebhookDelivery
	for _, d := range m.deliveries {
		if choose(d) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *linkspan.WebhookDelivery) int {
		return cmp.Or(strings.Compare(a.Destination, b.Destination), cmp.Compare(a.EnvironmentID, b.EnvironmentID), a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func free(d *linkspan.WebhookDelivery) bool {
	return d.State == linkspan.DeliveryPending && !d.NextAt.After(time.Now()) && !d.LeaseUntil.After(time.Now())
}

func (m *memory) DueDeliveries(ctx context.Context, tx linkspan.Tx, after linkspan.WebhookDelivery, without []linkspan.WebhookDelivery, perGroup, limit int) ([]linkspan.WebhookDelivery, error) {
	unlock := m.lock(tx)
	m.looks++
	if m.stuck {
		unlock()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	defer unlock()
	var out []linkspan.WebhookDelivery
	counts, skip := make(map[group]int), make(map[group]bool)
	for i := range without {
		skip[groupOf(&without[i])] = true
	}
	for _, d := range m.sorted(free) {
		g := groupOf(d)
		behind := cmp.Or(strings.Compare(g.destination, after.Destination), cmp.Compare(g.env, after.EnvironmentID)) > 0
		if behind && !skip[g] && counts[g] < perGroup && len(out) < limit {
			counts[g]++
			out = append(out, *d)
		}
	}
	return out, m.fault()
}

func (m *memory) ClaimDeliveries(_ context.Context, tx linkspan.Tx, ids []linkspan.WebhookDeliveryID, holder string, ttl time.Duration) ([]linkspan.WebhookDelivery, error) {
	defer m.lock(tx)()
	var out []linkspan.WebhookDelivery
	for _, id := range ids {
		d := m.deliveries[id]
		if !free(d) {
			continue
		}
		d.Holder, d.LeaseUntil = holder, time.Now().Add(ttl)
		d.Attempt++
		c := *d
		c.Event = m.events[d.EventID]
		out = append(out, c)
	}
	return out, nil
}

// own returns the row of an attempt that is still the newest.
func (m *memory) own(held linkspan.WebhookDelivery) *linkspan.WebhookDelivery {
	if d := m.deliveries[held.ID]; d.Attempt == held.Attempt && d.State == linkspan.DeliveryPending {
		return d
	}
	return nil
}

func (m *memory) RenewDeliveries(_ context.Context, tx linkspan.Tx, held []linkspan.WebhookDelivery, ttl time.Duration) (kept []linkspan.WebhookDeliveryID, err error) {
	defer m.lock(tx)()
	for i := range held {
		if d := m.own(held[i]); d != nil && !m.down {
			d.LeaseUntil = time.Now().Add(ttl)
			kept = append(kept, d.ID)
		}
	}
	return kept, m.fault()
}

func (m *memory) FinishDelivery(_ context.Context, tx linkspan.Tx, f linkspan.WebhookDelivery, retryIn time.Duration) (bool, error) {
	defer m.lock(tx)()
	d := m.own(f)
	if d == nil {
		return false, nil
	}
	d.State, d.Attempts, d.LastStatus, d.LastError = f.State, f.Attempts, f.LastStatus, f.LastError
	d.Holder, d.LeaseUntil, d.NextAt = "", time.Time{}, time.Now().Add(retryIn)
	return true, nil
}

func (m *memory) ReleaseDeliveries(_ context.Context, tx linkspan.Tx, held []linkspan.WebhookDelivery) error {
	defer m.lock(tx)()
	for i := range held {
		if d := m.own(held[i]); d != nil {
			d.Holder, d.LeaseUntil = "", time.Time{}
		}
	}
	return nil
}

func (m *memory) ReleaseDeliveryClaims(_ context.Context, tx linkspan.Tx, ids []linkspan.WebhookDeliveryID, holder string) error {
	defer m.lock(tx)()
	for _, id := range ids {
		if d := m.deliveries[id]; d.Holder == holder && !m.down {
			d.Holder, d.LeaseUntil = "", time.Time{}
		}
	}
	return m.fault()
}

func (*memory) PendingDeliveries(context.Context, linkspan.Tx, int) (int, error) { return 0, nil }

func (*memory) PurgeWebhookEvents(context.Context, linkspan.Tx, time.Time, int) (int, error) {
	return 0, nil
}

// SaveOperations implements oplog.Store.
func (m *memory) SaveOperations(_ context.Context, _ linkspan.Tx, ops []linkspan.Operation, msgs []linkspan.Message) error {
	defer m.lock(nil)()
	for i := range ops {
		m.ops[ops[i].ID] = ops[i]
	}
	m.msgs = append(m.msgs, msgs...)
	return nil
}

func (m *memory) row(id linkspan.WebhookDeliveryID) linkspan.WebhookDelivery {
	defer m.lock(nil)()
	return *m.deliveries[id]
}

func (m *memory) operation(id linkspan.OperationID) linkspan.Operation {
	defer m.lock(nil)()
	return m.ops[id]
}

func (m *memory) messages() []linkspan.Message {
	defer m.lock(nil)()
	return slices.Clone(m.msgs)
}

func (m *memory) looked() int {
	defer m.lock(nil)()
	return m.looks
}

// count returns how many deliveries to a destination are in a state.
func (m *memory) count(destination string, state linkspan.DeliveryState) (n int) {
	defer m.lock(nil)()
	for _, d := range m.deliveries {
		if d.Destination == destination && d.State == state {
			n++
		}
	}
	return n
}

// hit is a request that arrived.
type hit struct {
	at     time.Time
	host   string
	id     string
	header http.Header
	body   string
}

// world is receivers in a bubble and the services that send to them.
type world struct {
	*memory

	hitMu     sync.Mutex
	hits      []hit
	receivers map[string]http.RoundTripper // by host
	log       *oplog.Log
}

type receiverFunc func(*http.Request) (*http.Response, error)

func (f receiverFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newTestWorld() *world {
	return &world{memory: newMemory(), receivers: make(map[string]http.RoundTripper)}
}

// RoundTrip implements http.RoundTripper.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.hitMu.Lock()
	w.hits = append(w.hits, hit{time.Now(), r.URL.Host, r.Header.Get("Webhook-Id"), r.Header.Clone(), string(body)})
	w.hitMu.Unlock()
	return w.receivers[r.URL.Host].RoundTrip(r)
}

// hitsOf returns what arrived at a host, or anywhere if it is empty.
func (w *world) hitsOf(host string) (out []hit) {
	w.hitMu.Lock()
	defer w.hitMu.Unlock()
	for _, h := range w.hits {
		if host == "" || h.host == host {
			out = append(out, h)
		}
	}
	return out
}

func (w *world) service(holder string) *Service {
	s := New(Config{
		Store: w, Tx: w, HTTP: egress.New(egress.Policy{}, nil), Ops: w.log, Log: slog.New(slog.DiscardHandler), Holder: holder, Version: "1.2.3",
	})
	s.client = &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// run runs a service until the returned function has stopped it.
func run(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// add stores n events of an environment for a host.
func (w *world) add(t *testing.T, env linkspan.EnvironmentID, host string, n int) []linkspan.WebhookDelivery {
	t.Helper()
	var out []linkspan.WebhookDelivery
	for range n {
		e := linkspan.WebhookEvent{
			UUID: linkspan.NewUUID(), EnvironmentID: env, Type: "auth", Operation: "creation", ConnectionName: "c1",
			Body: linkspan.NewSecret(`{"a":1}`),
		}
		raw := "https://" + host + "/hook?token=hidden-token"
		ds := []linkspan.WebhookDelivery{{
			UUID: linkspan.NewUUID(), URL: raw, Destination: destination(raw), Operation: linkspan.NewOperationID(time.Now()),
		}}
		if err := w.InsertWebhook(t.Context(), nil, &e, ds); err != nil {
			t.Fatal(err)
		}
		out = append(out, ds...)
	}
	return out
}

// answers answers with a status and headers, given as names and values.
func answers(status int, header ...string) receiverFunc {
	return func(r *http.Request) (*http.Response, error) {
		h := make(http.Header)
		for i := 0; i+1 < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("ok")), Request: r}, nil
	}
}

// hangs never answers.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// drips answers at once and then sends a byte every second, for ever.
func drips(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: &drip{r.Context()}, Request: r}, nil
}

type drip struct{ ctx context.Context }

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return copy(p, "x"), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (*drip) Close() error { return nil }

// floods answers at once and then sends as fast as it is read, for ever.
func floods(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: io.NopCloser(flood{}), Request: r}, nil
}

type flood struct{}

func (flood) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("x"), len(p))), nil }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// runLog runs a log until the test ends.
func runLog(t *testing.T, l *oplog.Log) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}
