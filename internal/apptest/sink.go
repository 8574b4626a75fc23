package apptest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Hook is one webhook as it arrived.
type Hook struct {
	Header http.Header
	Body   []byte
}

// ID is the id of the message, the same in every attempt.
func (h Hook) ID() string { return h.Header.Get("webhook-id") }

// Auth decodes the parts of an auth webhook that tests look at.
func (h Hook) Auth(t testing.TB) AuthHook {
	t.Helper()
	var a AuthHook
	if err := json.Unmarshal(h.Body, &a); err != nil {
		t.Fatalf("decoding a webhook: %v\n%s", err, h.Body)
	}
	return a
}

// AuthHook is the payload of an auth webhook.
type AuthHook struct {
	From, Type, Operation, ConnectionID, ProviderConfigKey, Provider, AuthMode, Environment string
	Success                                                                                 bool
	Tags                                                                                    map[string]string
	Error                                                                                   *struct{ Type, Description string }
}

// Sink is the customer's backend: it keeps the webhooks it gets.
type Sink struct {
	URL string
	// Answer decides the status of an answer; nil answers 200. It may hold the
	// request. Set it before the first webhook.
	Answer func(Hook) int

	mu    sync.Mutex
	hooks []Hook
}

// NewSink starts a sink that stops with the test.
func NewSink(t testing.TB) *Sink {
	t.Helper()
	s := new(Sink)
	site := httptest.NewServer(s)
	t.Cleanup(site.Close)
	s.URL = site.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender died
	}
	h := Hook{Header: r.Header.Clone(), Body: body}
	s.mu.Lock()
	s.hooks = append(s.hooks, h)
	s.mu.Unlock()
	status := http.StatusOK
	if s.Answer != nil {
		status = s.Answer(h)
	}
	w.WriteHeader(status)
}

// Hooks returns what has arrived so far, in the order of arrival.
func (s *Sink) Hooks() []Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Hook(nil), s.hooks...)
}

// Want waits for at least n webhooks and returns all.
func (s *Sink) Want(t testing.TB, n int) []Hook {
	t.Helper()
	Poll(t, "webhooks to arrive", func() bool { return len(s.Hooks()) >= n })
	return s.Hooks()
}

// SendTo makes the environment dev of an instance send its webhooks to urls: the
// primary, and optionally a secondary one.
func (i *Instance) SendTo(t testing.TB, urls ...string) {
	t.Helper()
	hooks := map[string]any{"primary_url": urls[0]}
	if len(urls) > 1 {
		hooks["secondary_url"] = urls[1]
	}
	i.Dev(t).Do(t, http.MethodPatch, "/environments/current/settings", map[string]any{"webhooks": hooks}).Want(t, http.StatusOK)
}
