package oplog

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

// memory is a Store that keeps what it is given, as the database would.
type memory struct {
	mu    sync.Mutex
	ops   map[linkspan.OperationID]linkspan.Operation
	msgs  []linkspan.Message
	fails int
	err   error
	block chan struct{}
}

func (m *memory) SaveOperations(ctx context.Context, _ linkspan.Tx, ops []linkspan.Operation, msgs []linkspan.Message) error {
	if m.block != nil {
		select {
		case <-m.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails > 0 {
		m.fails--
		if m.err != nil {
			return m.err
		}
		return errors.New("database is away")
	}
	if m.ops == nil {
		m.ops = make(map[linkspan.OperationID]linkspan.Operation)
	}
	seen := make(map[linkspan.OperationID]bool)
	for _, op := range ops {
		if seen[op.ID] {
			return errors.New("one statement touched a row twice")
		}
		seen[op.ID] = true
		m.ops[op.ID] = op
	}
	m.msgs = append(m.msgs, msgs...)
	return nil
}

func (m *memory) get(id linkspan.OperationID) linkspan.Operation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops[id]
}

// pass lets the bubble's clock run; no real time passes.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func start(t *testing.T, l *Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = l.Run(ctx) }()
	return func() { cancel(); <-done }
}

func TestLifeOfAnOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		l := New(m, quiet(), Options{})
		stop := start(t, l)
		op := l.Start(linkspan.Operation{EnvironmentID: 7, Type: linkspan.OperationProxy, Action: linkspan.ActionCall})
		if !linkspan.IsOperationID(string(op.ID())) {
			t.Fatalf("id %q is not an operation id", op.ID())
		}
		op.Message(linkspan.Message{Text: "trying again", Level: "warn"})
		op.Publish()
		pass(time.Second)
		if got := m.get(op.ID()).State; got != linkspan.StateRunning {
			t.Errorf("published state = %q, want running", got)
		}
		op.Succeed("done")
		op.Fail("late", "a second end must not count")
		stop()
		got := m.ops[op.ID()]
		if got.State != linkspan.StateSuccess || got.Message != "done" || got.Error != nil || got.EndedAt.IsZero() {
			t.Errorf("stored operation = %+v", got)
		}
		if len(m.msgs) != 1 || m.msgs[0].EnvironmentID != 7 || m.msgs[0].OperationID != op.ID() || m.msgs[0].Type != "log" {
			t.Errorf("stored messages = %+v", m.msgs)
		}
		if l.Written() != 3 || l.Dropped() != 0 || l.Waiting() != 0 {
			t.Errorf("written %d dropped %d waiting %d", l.Written(), l.Dropped(), l.Waiting())
		}
	})
}

func TestSameOperationTwiceInOneBatch(t *testing.T) {
	t.Parallel()
	m := &memory{}
	l := New(m, quiet(), Options{})
	op := l.Start(linkspan.Operation{})
	op.Publish()
	op.Succeed("")
	l.flush(t.Context())
	if got := m.ops[op.ID()].State; got != linkspan.StateSuccess {
		t.Fatalf("state = %q, want the newest", got)
	}
}

func TestFullBufferDropsAndCounts(t *testing.T) {
	t.Parallel()
	m := &memory{}
	l := New(m, quiet(), Options{Buffer: 10, Batch: 4})
	for range 25 {
		l.Start(linkspan.Operation{}).Succeed("")
	}
	if l.Dropped() != 15 || l.Waiting() != 10 {
		t.Fatalf("dropped %d waiting %d, want 15 and 10", l.Dropped(), l.Waiting())
	}
	l.flush(t.Context())
	if len(m.ops) != 10 || l.Waiting() != 0 {
		t.Fatalf("stored %d, waiting %d", len(m.ops), l.Waiting())
	}
}

func TestSaveIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{fails: 2}
		l := New(m, quiet(), Options{})
		stop := start(t, l)
		l.Start(linkspan.Operation{}).Succeed("")
		pass(5 * time.Second)
		stop()
		if len(m.ops) != 1 || l.Dropped() != 0 {
			t.Fatalf("stored %d, dropped %d", len(m.ops), l.Dropped())
		}
	})
}

func TestBrokenStoreDropsButLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{fails: saveTries}
		l := New(m, quiet(), Options{})
		stop := start(t, l)
		l.Start(linkspan.Operation{}).Succeed("")
		pass(5 * time.Second)
		l.Start(linkspan.Operation{}).Succeed("")
		stop()
		if len(m.ops) != 1 || l.Dropped() != 1 {
			t.Fatalf("stored %d, dropped %d, want 1 and 1", len(m.ops), l.Dropped())
		}
	})
}

func TestOutageLosesNothingThatFits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := linkspan.E("store.SaveOperations", linkspan.KindUnavailable, "", nil, "The database is away.")
		m := &memory{fails: 1 << 30, err: away}
		l := New(m, quiet(), Options{Buffer: 20, Batch: 8})
		stop := start(t, l)
		for range 30 {
			l.Start(linkspan.Operation{}).Succeed("")
		}
		pass(time.Minute)
		if l.Waiting() != 20 || l.Dropped() != 10 {
			t.Fatalf("waiting %d, dropped %d, want 20 and 10", l.Waiting(), l.Dropped())
		}
		m.mu.Lock()
		m.fails = 0
		m.mu.Unlock()
		pass(time.Minute)
		stop()
		if len(m.ops) != 20 || l.Dropped() != 10 || l.Written() != 20 {
			t.Fatalf("stored %d, dropped %d, written %d", len(m.ops), l.Dropped(), l.Written())
		}
	})
}

func TestStopWritesTheRest(t *testing.T) {
	t.Parallel()
	m := &memory{}
	l := New(m, quiet(), Options{FlushEvery: time.Hour, Batch: 100})
	stop := start(t, l)
	for range 50 {
		l.Start(linkspan.Operation{}).Succeed("")
	}
	stop()
	if len(m.ops) != 50 {
		t.Fatalf("stored %d of 50", len(m.ops))
	}
}

// A write under way when the process is told to stop is finished, not broken off.
func TestStopFinishesTheWriteUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{block: make(chan struct{})}
		l := New(m, quiet(), Options{FlushEvery: time.Second, Batch: 100})
		stop := start(t, l)
		l.Start(linkspan.Operation{}).Succeed("")
		pass(time.Second) // the write has begun
		go func() {
			pass(time.Second)
			close(m.block)
		}()
		stop()
		if len(m.ops) != 1 || l.Dropped() != 0 {
			t.Fatalf("stored %d, dropped %d", len(m.ops), l.Dropped())
		}
	})
}

func TestAttachWritesMessagesOnly(t *testing.T) {
	t.Parallel()
	m := &memory{}
	l := New(m, quiet(), Options{})
	op := l.Attach("abcdefghijklmnopqrstuvwx", 3)
	op.Message(linkspan.Message{Text: "hello"})
	op.Succeed("")
	l.flush(t.Context())
	if len(m.ops) != 0 || len(m.msgs) != 1 || m.msgs[0].OperationID != "abcdefghijklmnopqrstuvwx" {
		t.Fatalf("ops %v msgs %v", m.ops, m.msgs)
	}
}

func TestResumeEndsWhatAnotherBegan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		l := New(m, quiet(), Options{})
		stop := start(t, l)
		defer stop()
		begun := l.Start(linkspan.Operation{EnvironmentID: 7, Type: linkspan.OperationAuth})
		begun.Publish()
		created := begun.op.CreatedAt.Truncate(time.Millisecond)
		pass(time.Minute)
		l.Resume(linkspan.Operation{ID: begun.ID(), EnvironmentID: 7, Type: linkspan.OperationAuth, Provider: "acme"}).Succeed("Done.")
		pass(time.Second)
		got := m.get(begun.ID())
		if got.State != linkspan.StateSuccess || got.Provider != "acme" || got.EndedAt.Sub(got.StartedAt) != time.Minute || !got.CreatedAt.Equal(created) {
			t.Errorf("operation %+v does not continue the one begun at %s", got, created)
		}
	})
	l := New(&memory{}, quiet(), Options{})
	for _, id := range []linkspan.OperationID{"", "nonsense"} {
		op := l.Resume(linkspan.Operation{ID: id})
		if op.ID() == "" || op.op.CreatedAt.IsZero() {
			t.Errorf("an operation resumed by %q is %+v", id, &op.op)
		}
	}
	var none *Log
	none.Resume(linkspan.Operation{}).Succeed("")
}

func TestNilIsANoOp(t *testing.T) {
	t.Parallel()
	var l *Log
	op := l.Start(linkspan.Operation{})
	op.Message(linkspan.Message{})
	op.Describe("a", "b", "c", "d")
	op.Request(linkspan.HTTPRequestSummary{})
	op.Response(linkspan.HTTPResponseSummary{})
	op.Publish()
	op.FailWith(errors.New("x"))
	if op.ID() != "" || l.Dropped() != 0 || l.Attach("x", 1) != nil {
		t.Fatal("a nil log must do nothing")
	}
}

func TestFailWithHidesForeignText(t *testing.T) {
	t.Parallel()
	m := &memory{}
	l := New(m, quiet(), Options{})
	a, b := l.Start(linkspan.Operation{}), l.Start(linkspan.Operation{})
	a.FailWith(errors.New("password hunter2 is wrong"))
	b.FailWith(linkspan.E("x", linkspan.KindUpstream, "invalid_grant", errors.New("hunter2"), "The provider refused."))
	l.flush(t.Context())
	if e := m.ops[a.ID()].Error; strings.Contains(e.Message, "hunter2") || e.Code != "internal" {
		t.Errorf("foreign error = %+v", e)
	}
	if e := m.ops[b.ID()].Error; e.Code != "invalid_grant" || e.Message != "The provider refused." {
		t.Errorf("own error = %+v", e)
	}
}

// A secret that another one begins with does not leave the end of that.
func TestRedactorLongestFirst(t *testing.T) {
	t.Parallel()
	r := NewRedactor(linkspan.NewSecret("token"), linkspan.NewSecret("token-and-more"))
	if got := r.Text("a token-and-more b token"); got != "a [redacted] b [redacted]" {
		t.Errorf("got %q", got)
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	r := NewRedactor(linkspan.NewSecret("s3cr3t/+value"), linkspan.NewSecret("X"), linkspan.NewSecret(""))
	mustURL := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	urls := map[string]string{
		"https://api.example.com/v1/items?page=2":                          "https://api.example.com/v1/items?page=2",
		"https://user:pass@api.example.com/":                               "https://api.example.com/",
		"https://a.example.com/?api_key=abc&q=1":                           "https://a.example.com/?api_key=[redacted]&q=1",
		"https://a.example.com/?q=s3cr3t%2F%2Bvalue":                       "https://a.example.com/?q=[redacted]",
		"https://a.example.com/bots3cr3t%2F+value/send":                    "https://a.example.com/bot[redacted]/send",
		"https://a.example.com/?page_token=abc&X-Amz-Signature=ff":         "https://a.example.com/?page_token=abc&X-Amz-Signature=[redacted]",
		"https://a.example.com/?access%5Ftoken=abc":                        "https://a.example.com/?access%5Ftoken=[redacted]",
		"https://a.example.com/?u=X&flag":                                  "https://a.example.com/?u=[redacted]&flag",
		"https://a.example.com/?bad=%zz&code=1#access_token=in-a-fragment": "https://a.example.com/?bad=%zz&code=[redacted]",
	}
	for in, want := range urls {
		if got := r.URL(mustURL(in)); got != want {
			t.Errorf("URL(%q)\n got %q\nwant %q", in, got, want)
		}
	}
	h := http.Header{
		"Authorization":                {"Bearer abc"},
		"Accept":                       {"application/json"},
		"X-Api-Key":                    {"abc"},
		"X-Custom":                     {"prefix czNjcjN0Lyt2YWx1ZQ== suffix"},
		"X-Ratelimit-Remaining-Tokens": {"12"},
		"Vary":                         {"A", "B"},
	}
	want := map[string]string{
		"authorization": redacted, "accept": "application/json", "x-api-key": redacted,
		"x-custom": "prefix " + redacted + " suffix", "x-ratelimit-remaining-tokens": "12", "vary": "A, B",
	}
	if diff := cmp.Diff(want, r.Headers(h)); diff != "" {
		t.Error(diff)
	}
	var none *Redactor
	if got := none.URL(mustURL("https://a.example.com/?token=1")); got != "https://a.example.com/?token=[redacted]" {
		t.Errorf("nil redactor: %q", got)
	}
}

func FuzzRedactURL(f *testing.F) {
	f.Add("https://a.example.com/x?token=abc&y=hunter22")
	f.Add("//?=&&%")
	r := NewRedactor(linkspan.NewSecret("hunter22"))
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse(raw)
		if err != nil {
			return
		}
		if got := r.URL(u); strings.Contains(got, "hunter22") {
			t.Errorf("%q leaks in %q", raw, got)
		}
	})
}

func BenchmarkProxyCallRecord(b *testing.B) {
	l := New(&memory{}, quiet(), Options{Buffer: 1 << 30})
	r := NewRedactor(linkspan.NewSecret("a-long-access-token"))
	u, _ := url.Parse("https://api.example.com/v1/items?page=2&limit=100")
	h := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "Authorization": {"Bearer x"}}
	b.ReportAllocs()
	for b.Loop() {
		op := l.Start(linkspan.Operation{Type: linkspan.OperationProxy, Action: linkspan.ActionCall})
		op.Request(linkspan.HTTPRequestSummary{Method: "GET", URL: r.URL(u), Headers: r.Headers(h)})
		op.Response(linkspan.HTTPResponseSummary{Code: 200, Headers: r.Headers(h)})
		op.Succeed("")
		if len(l.ops) > 4096 {
			l.ops = l.ops[:0]
		}
	}
}
