package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// stored is a database with an environment whose webhooks go to a URL.
type stored struct {
	*store.Store

	env  linkspan.Environment
	feed *change.Feed
}

func newStored(tb testing.TB, c store.Config, target string) *stored {
	tb.Helper()
	s := storetest.Open(tb, c, vault.NewRing(vault.NewMasterKey()))
	account := linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	if err := s.InsertAccount(tb.Context(), nil, &account); err != nil {
		tb.Fatal(err)
	}
	settings := linkspan.DefaultWebhookSettings()
	settings.PrimaryURL = target
	env := linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: account.ID, Name: "dev", PublicKey: linkspan.NewUUID(),
		WebhookSigningKey: linkspan.NewSecret("signing-key"), Settings: linkspan.EnvironmentSettings{Webhooks: settings},
	}
	if err := s.InsertEnvironment(tb.Context(), nil, &env); err != nil {
		tb.Fatal(err)
	}
	feed := change.NewFeed(s, discard())
	s.OnLocalChange(feed.Local)
	return &stored{s, env, feed}
}

func (s *stored) service(holder string) *Service {
	return New(Config{
		Store: s, Tx: s, Feed: s.feed, HTTP: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil), Log: discard(), Holder: holder,
	})
}

// background runs f until the test ends.
func background(tb testing.TB, f func(context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := f(ctx); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// until waits for a value.
func until[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing arrived in 30 seconds")
		panic("unreachable")
	}
}

type arrival struct {
	header http.Header
	body   string
}

// listen starts a receiver that notes what arrives and answers with f.
func listen(tb testing.TB, f http.HandlerFunc) (*httptest.Server, <-chan arrival) {
	tb.Helper()
	arrivals := make(chan arrival, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			tb.Error(err)
		}
		arrivals <- arrival{r.Header.Clone(), string(body)}
		f(w, r)
	}))
	tb.Cleanup(server.Close)
	return server, arrivals
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, arrivals := listen(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
			st := newStored(t, config(t), server.URL+"/hook")
			s := st.service("me")
			background(t, st.feed.Run)

			// What is written in a transaction that fails is not told.
			err := st.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
				if err := s.AddAuth(ctx, tx, AuthEvent{EnvironmentID: st.env.ID, Connection: connection(), Operation: Deletion}); err != nil {
					t.Error(err)
				}
				return errDown
			})
			if err == nil {
				t.Fatal("the transaction did not fail")
			}
			if err := s.AddAuth(t.Context(), nil, AuthEvent{EnvironmentID: st.env.ID, Connection: connection(), Operation: Creation}); err != nil {
				t.Fatal(err)
			}
			list, err := s.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: st.env.ID})
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			// A process that died with the message in hand.
			if _, err := st.ClaimDeliveries(t.Context(), nil, []linkspan.WebhookDeliveryID{list[0].ID}, "dead", -time.Second); err != nil {
				t.Fatal(err)
			}
			background(t, s.Run)
			got := until(t, arrivals)
			want := Sign(list[0].Event.UUID, time.Now(), got.body, st.env.WebhookSigningKey)
			if got.header.Get("Webhook-Id") != list[0].Event.UUID || got.header.Get("X-Nango-Hmac-Sha256") != want.Get("X-Nango-Hmac-Sha256") {
				t.Fatalf("arrived: %+v", got)
			}
			again := replayed(t, s, st.env.ID, list[0].UUID)
			if second := until(t, arrivals); second.header.Get("Webhook-Id") != list[0].Event.UUID || second.body != got.body {
				t.Fatalf("replayed as %+v", second)
			}
			if again.UUID == list[0].UUID {
				t.Fatal("a delivery that has ended was begun again")
			}
			if _, err := s.Replay(t.Context(), st.env.ID+1, list[0].UUID); linkspan.KindOf(err) != linkspan.KindNotFound {
				t.Fatalf("another environment replays: %v", err)
			}
			if n, err := s.Purge(t.Context(), 10); n != 0 || err != nil {
				t.Fatalf("purged %d: %v", n, err)
			}
		})
	}
}

// replayed replays a delivery once it has ended.
func replayed(t *testing.T, s *Service, env linkspan.EnvironmentID, uuid string) linkspan.WebhookDelivery {
	t.Helper()
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		list, err := s.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: env})
		if err != nil {
			t.Fatal(err)
		}
		if list[0].State == linkspan.DeliveryDelivered {
			tick.Stop()
			break
		}
	}
	d, err := s.Replay(t.Context(), env, uuid)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestRealReceivers posts to servers that misbehave on the wire.
func TestRealReceivers(t *testing.T) {
	t.Parallel()
	elsewhere, strayed := listen(t, func(http.ResponseWriter, *http.Request) {})
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		status  int
		problem string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, 307, ""},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			block := make([]byte, 32<<10)
			for r.Context().Err() == nil {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, 200, ""},
		"endless head": {func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 1000)
			for i := range block {
				block[i] = 'x'
			}
			for i := range 1000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), string(block))
			}
		}, 0, "The receiver can't be reached, or its answer is not HTTP."},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		}, 0, "The receiver closed the connection without an answer."},
		"not HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n"))
			_ = conn.Close()
		}, 0, "The receiver can't be reached, or its answer is not HTTP."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, arrivals := listen(t, test.answer)
			s := New(Config{HTTP: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil), Log: discard()})
			t.Cleanup(s.client.CloseIdleConnections)
			d := linkspan.WebhookDelivery{URL: server.URL, Event: linkspan.WebhookEvent{UUID: "1", Body: linkspan.NewSecret("{}")}}
			a := s.post(t.Context(), &d, make(http.Header))
			if a.status != test.status || a.problem != test.problem || a.gaveUp || a.blocked != nil {
				t.Fatalf("answer: %+v", a)
			}
			if len(arrivals) != 1 || len(strayed) != 0 {
				t.Fatalf("%d requests, %d strayed", len(arrivals), len(strayed))
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		s := New(Config{HTTP: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil), Log: discard()})
		d := linkspan.WebhookDelivery{URL: server.URL, Event: linkspan.WebhookEvent{UUID: "1", Body: linkspan.NewSecret("{}")}}
		if a := s.post(t.Context(), &d, make(http.Header)); a.problem != "The receiver refused the connection." {
			t.Fatalf("answer: %+v", a)
		}
	})
	t.Run("a private address", func(t *testing.T) {
		t.Parallel()
		server, arrivals := listen(t, func(http.ResponseWriter, *http.Request) {})
		// Even if the check before were to let it pass.
		s := New(Config{HTTP: egress.New(egress.Policy{}, nil), Log: discard(), CheckURL: func(*url.URL) error { return nil }})
		d := linkspan.WebhookDelivery{URL: server.URL, Event: linkspan.WebhookEvent{UUID: "1", Body: linkspan.NewSecret("{}")}}
		if a := s.post(t.Context(), &d, make(http.Header)); a.blocked == nil || len(arrivals) != 0 {
			t.Fatalf("answer: %+v", a)
		}
	})
}

// BenchmarkDeliver sends a backlog to eight receivers on this machine, from the
// database to the stored result.
func BenchmarkDeliver(b *testing.B) {
	const receivers = 8
	st := newStored(b, storetest.Databases()["sqlite"](b), "")
	s := st.service("me")
	var left atomic.Int64
	done := make(chan struct{})
	var urls []string
	for range receivers {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			if left.Add(-1) == 0 {
				close(done)
			}
		}))
		b.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	const batch = 2000
	for b.Loop() {
		b.StopTimer()
		done = make(chan struct{})
		left.Store(batch)
		err := st.InTx(b.Context(), func(ctx context.Context, tx linkspan.Tx) error {
			for i := range batch {
				e := linkspan.WebhookEvent{UUID: linkspan.NewUUID(), EnvironmentID: st.env.ID, Type: "auth", Body: linkspan.NewSecret(`{"a":1}`)}
				u := urls[i%receivers]
				if err := st.InsertWebhook(ctx, tx, &e, []linkspan.WebhookDelivery{{UUID: linkspan.NewUUID(), URL: u, Destination: u}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				b.Error(err)
			}
		})
		<-done
		cancel()
		running.Wait()
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "deliveries/s")
}

// TestWhereRunsAreTold has a connection choose another URL while its runs are under
// way, and go: what they tell goes where it wants to be told when they end, and
// nowhere else.
func TestWhereRunsAreTold(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newStored(t, config(t), "https://acme.example/hook")
			s := st.service("me")
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			st.env.Settings.Webhooks.OnAsyncActionCompletion = true
			must(st.UpdateEnvironment(t.Context(), nil, &st.env))
			i := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: st.env.ID, Key: "github-dev", Provider: "github"}
			must(st.InsertIntegration(t.Context(), nil, &i))
			c := linkspan.Connection{
				UUID: linkspan.NewUUID(), EnvironmentID: st.env.ID, IntegrationID: i.ID, IntegrationKey: i.Key, Provider: i.Provider, Name: "c1",
				Credentials: linkspan.NewSecret("{}"), WebhookURLOverride: "https://own.example/1",
			}
			must(st.InsertConnection(t.Context(), nil, &c))
			told := func() (urls []string) {
				t.Helper()
				event := synced()
				event.EnvironmentID, event.ConnectionUUID = st.env.ID, c.UUID
				must(s.AddSync(t.Context(), nil, event))
				must(s.AddAsyncAction(t.Context(), nil, AsyncActionEvent{
					EnvironmentID: st.env.ID, ID: "a", IntegrationKey: i.Key, Provider: i.Provider, ConnectionName: c.Name, ConnectionUUID: c.UUID,
				}))
				list, err := s.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: st.env.ID, Limit: 2})
				must(err)
				for _, d := range list {
					urls = append(urls, d.URL)
				}
				return urls
			}
			want := func(url string) {
				t.Helper()
				if got := told(); !slices.Equal(got, []string{url, url}) {
					t.Errorf("told at %v, want %s", got, url)
				}
			}
			want("https://own.example/1")
			c.WebhookURLOverride = "https://own.example/2"
			must(st.UpdateConnection(t.Context(), nil, &c))
			want("https://own.example/2")
			must(st.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error { return st.DeleteConnection(ctx, tx, &c) }))
			want("https://own.example/2")
			if url, err := st.WebhookOverride(t.Context(), nil, st.env.ID+1, c.UUID); url != "" || err != nil {
				t.Errorf("another environment's connection: %q, %v", url, err)
			}
			c.UUID = linkspan.NewUUID()
			want("https://acme.example/hook")
		})
	}
}
