package obs_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/obs"
)

func TestNewLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := obs.NewLogger(&out, "auto", "warn") // not a terminal: JSON
	if err != nil {
		t.Fatal(err)
	}
	log.InfoContext(t.Context(), "hidden")
	log.WarnContext(t.Context(), "shown", "n", 1)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one line of JSON: %v\n%s", err, out.String())
	}
	if line["msg"] != "shown" {
		t.Errorf("logged %v", line)
	}
	out.Reset()
	if log, err = obs.NewLogger(&out, "text", "debug"); err != nil {
		t.Fatal(err)
	}
	log.DebugContext(t.Context(), "shown")
	if !strings.Contains(out.String(), "level=DEBUG msg=shown") {
		t.Errorf("logged %s", out.String())
	}
	for _, bad := range [][2]string{{"xml", "info"}, {"json", "loud"}} {
		if _, err := obs.NewLogger(&out, bad[0], bad[1]); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestAdminHandler(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics("v1.2.3")
	var dropped atomic.Int64
	m.Counter("operations_dropped_total", "Dropped.", func() float64 { return float64(dropped.Load()) })
	m.Gauge("cached_connections", "Cached.", func() float64 { return 7 })
	m.ObserveRequest(http.MethodGet, "/connections/{id}", http.StatusNotFound, 3*time.Millisecond, 42)
	m.ObserveCall("github", http.StatusOK, 2, 80*time.Millisecond)
	m.ObserveCall("github", 0, 0, time.Second)
	dropped.Add(3)
	var ready atomic.Bool
	h := obs.AdminHandler(m, ready.Load)

	if code, body := get(t, h, "/health"); code != http.StatusOK || body != `{"result":"ok"}` {
		t.Errorf("/health: %d %s", code, body)
	}
	if code, body := get(t, h, "/ready"); code != http.StatusServiceUnavailable || body != `{"result":"not ready"}` {
		t.Errorf("/ready before: %d %s", code, body)
	}
	ready.Store(true)
	if code, body := get(t, h, "/ready"); code != http.StatusOK || body != `{"result":"ok"}` {
		t.Errorf("/ready after: %d %s", code, body)
	}
	code, body := get(t, h, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("/metrics: %d", code)
	}
	for _, want := range []string{
		`linkspan_http_request_duration_seconds_bucket{method="GET",route="/connections/{id}",status="4xx",le="0.0025"} 0`,
		`linkspan_http_request_duration_seconds_bucket{method="GET",route="/connections/{id}",status="4xx",le="0.005"} 1`,
		`linkspan_http_response_bytes_total{route="/connections/{id}"} 42`,
		`linkspan_proxy_upstream_duration_seconds_bucket{provider="github",status="2xx",le="0.05"} 0`,
		`linkspan_proxy_upstream_duration_seconds_bucket{provider="github",status="2xx",le="0.1"} 1`,
		`linkspan_proxy_upstream_duration_seconds_count{provider="github",status="none"} 1`,
		`linkspan_proxy_retries_total{provider="github"} 2`,
		`linkspan_build_info{version="v1.2.3"} 1`,
		"linkspan_operations_dropped_total 3",
		"linkspan_cached_connections 7",
		"go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if code, _ := get(t, h, "/debug/pprof/"); code != http.StatusOK {
		t.Errorf("/debug/pprof/: %d", code)
	}
}

func TestTrackCountsRequestsInFlight(t *testing.T) {
	t.Parallel()
	m := obs.NewMetrics("v0")
	var during string
	h := m.Track(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		_, during = get(t, m.Handler(), "/metrics")
	}))
	get(t, h, "/")
	if !strings.Contains(during, "linkspan_http_requests_in_flight 1\n") {
		t.Error("not counted while it was answered")
	}
	if _, after := get(t, m.Handler(), "/metrics"); !strings.Contains(after, "linkspan_http_requests_in_flight 0\n") {
		t.Error("still counted after it was answered")
	}
}
