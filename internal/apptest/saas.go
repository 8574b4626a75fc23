package apptest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// SaaS is a third-party API. It records every request that reaches it and
// answers by path:
//
//	/status/{code}     that status, with a JSON body and the header X-Upstream
//	/flaky/{name}/{n}  429 with Retry-After: 0 for the first n calls of the name
//	/stream            one server-sent event, the rest after ReleaseStreams
//	/big/{n}           n bytes
//	/count             the number of bytes received
//	/redirect?to=URL   302 to the URL
//	/private/...       401 unless Allow admits the Authorization header
//	anything else      an echo of the request as JSON
type SaaS struct {
	// URL is the base URL, without a slash at its end.
	URL string
	// Allow decides which Authorization headers /private/ admits. Nil admits
	// none. Set it before the first call.
	Allow func(authorization string) bool

	release  chan struct{}
	once     sync.Once
	streams  chan struct{}
	mu       sync.Mutex
	requests []Request
	flaky    map[string]int
}

// Request is one request as the SaaS got it.
type Request struct {
	Method string      `json:"method"`
	Target string      `json:"target"` // the request target, byte for byte
	Host   string      `json:"host"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// NewSaaS starts a SaaS that stops with the test.
func NewSaaS(t testing.TB) *SaaS {
	t.Helper()
	s := &SaaS{
		release: make(chan struct{}),
		streams: make(chan struct{}, 1024),
		flaky:   make(map[string]int),
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(s.ReleaseStreams) // runs first, so that Close finds no open stream
	s.URL = server.URL
	return s
}

// Requests returns a copy of what was recorded so far.
func (s *SaaS) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// ReleaseStreams lets every open and later stream run to its end.
func (s *SaaS) ReleaseStreams() { s.once.Do(func() { close(s.release) }) }

// StreamOpened yields one value for each stream whose first event was sent.
func (s *SaaS) StreamOpened() <-chan struct{} { return s.streams }

// ServeHTTP implements http.Handler.
func (s *SaaS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/count" {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return // the caller went away
		}
		reply(w, http.StatusOK, map[string]int64{"bytes": n})
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went away
	}
	got := Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Body: string(body)}
	s.mu.Lock()
	s.requests = append(s.requests, got)
	s.mu.Unlock()
	s.answer(w, r, got)
}

func (s *SaaS) answer(w http.ResponseWriter, r *http.Request, got Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "status" && len(parts) == 2:
		status, err := strconv.Atoi(parts[1])
		if err != nil || status < 200 || status > 599 {
			status = http.StatusTeapot
		}
		w.Header().Set("X-Upstream", "yes")
		reply(w, status, map[string]any{"upstream_says": status})
	case parts[0] == "flaky" && len(parts) == 3:
		s.answerFlaky(w, parts[1], parts[2], got)
	case parts[0] == "stream":
		s.answerStream(w, r)
	case parts[0] == "big" && len(parts) == 2:
		answerBig(w, parts[1])
	case parts[0] == "redirect":
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	case parts[0] == "private" && (s.Allow == nil || !s.Allow(r.Header.Get("Authorization"))):
		reply(w, http.StatusUnauthorized, map[string]string{"upstream_says": "token expired"})
	default:
		reply(w, http.StatusOK, got)
	}
}

func (s *SaaS) answerFlaky(w http.ResponseWriter, name, failures string, got Request) {
	n, err := strconv.Atoi(failures)
	if err != nil {
		reply(w, http.StatusTeapot, map[string]string{"upstream_says": "how many failures?"})
		return
	}
	s.mu.Lock()
	s.flaky[name]++
	call := s.flaky[name]
	s.mu.Unlock()
	if call <= n {
		w.Header().Set("Retry-After", "0")
		reply(w, http.StatusTooManyRequests, map[string]int{"call": call})
		return
	}
	reply(w, http.StatusOK, got)
}

func (s *SaaS) answerStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "data: first\n\n")
	_ = http.NewResponseController(w).Flush()
	select {
	case s.streams <- struct{}{}:
	default: // nobody counts that many
	}
	select {
	case <-s.release:
		_, _ = io.WriteString(w, "data: last\n\n")
	case <-r.Context().Done():
	}
}

func answerBig(w http.ResponseWriter, size string) {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		reply(w, http.StatusTeapot, map[string]string{"upstream_says": "how big?"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", size)
	_, _ = io.CopyN(w, zeros{}, n)
}

// zeros reads as an endless row of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// reply writes a JSON answer.
func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, fmt.Sprintf("encoding the answer: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
