package httpx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/httpx"
)

// A route with pages of its own answers every failure with one: the guard's,
// the handler's, a panic's. The log line has the error all the same.
func TestFailuresAsPages(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter, _ *http.Request, status int, err error) error {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<p>%s", linkspan.CodeOf(err))
		return nil
	}
	refused := linkspan.E("x", linkspan.KindForbidden, "no_entry", nil, "No.")
	tests := []struct {
		name    string
		guard   error
		handler httpx.Handler
		fail    func(http.ResponseWriter, *http.Request, int, error) error
		status  int
		body    string
		code    string
	}{
		{"guard", refused, nil, page, 403, "<p>no_entry", "no_entry"},
		{"handler", nil, func(http.ResponseWriter, *http.Request) error { return refused }, page, 403, "<p>no_entry", "no_entry"},
		{"unforeseen", nil, func(http.ResponseWriter, *http.Request) error { return errors.New("secret") }, page, 500, "<p>", "generic_error_support"},
		{"panic", nil, func(http.ResponseWriter, *http.Request) error { panic("secret") }, page, 500, "<p>", ""},
		{
			"failing page", refused, nil, func(http.ResponseWriter, *http.Request, int, error) error { return errors.New("no template") },
			403, `{"error":{"code":"no_entry","message":"No."}}`, "no_entry",
		},
		{
			"panicking page", refused, nil, func(http.ResponseWriter, *http.Request, int, error) error { panic("secret") },
			500, `{"error":{"code":"generic_error_support"`, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			rt := httpx.New(httpx.Config{
				Log: slog.New(slog.NewJSONHandler(&log, nil)),
				Guard: func(_ http.ResponseWriter, r *http.Request, _ *httpx.Route) (*http.Request, error) {
					return r, tt.guard
				},
			})
			rt.Add(httpx.Route{Method: "GET", Pattern: "/page", Handler: tt.handler, Fail: tt.fail})
			w := send(rt, "GET", "/page", "")
			if w.Code != tt.status || !strings.HasPrefix(w.Body.String(), tt.body) || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			var line struct {
				Status int
				Error  string
				Code   string `json:"error_code"`
			}
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.Status != tt.status || line.Error == "" || tt.code != "" && line.Code != tt.code {
				t.Errorf("the log says %s", log.Bytes())
			}
		})
	}
}

// A route for the scripts of one origin says so in preflights, answers and
// failures; the others go on admitting all.
func TestOwnCORS(t *testing.T) {
	t.Parallel()
	rt := newRouter(httpx.Config{})
	cors := &httpx.CORS{Origin: "https://ui.example", Methods: "POST", Headers: "Content-type", Exposed: "content-type", MaxAge: 36000}
	rt.Add(httpx.Route{Method: "POST", Pattern: "/beacon", CORS: cors, Handler: func(w http.ResponseWriter, r *http.Request) error {
		if err := httpx.NoBody(r); err != nil {
			return err
		}
		return httpx.WriteNoContent(w)
	}})
	for _, c := range []struct {
		method, body, contentType string
		status                    int
	}{
		{"OPTIONS", "", "", 204}, {"POST", "", "", 204}, {"POST", `{"a":1}`, "application/json", 400}, {"POST", "a", "text/plain", 415},
	} {
		var header []string
		if c.contentType != "" {
			header = []string{"Content-Type", c.contentType}
		}
		w := send(rt, c.method, "/beacon", c.body, header...)
		h := w.Header()
		if w.Code != c.status || h.Get("Access-Control-Allow-Origin") != "https://ui.example" || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
			t.Errorf("%s %q: %d %v", c.method, c.body, w.Code, h)
		}
		if c.method == "OPTIONS" && (h.Get("Access-Control-Allow-Methods") != "POST" || h.Get("Access-Control-Allow-Headers") != "Content-type" || h.Get("Access-Control-Max-Age") != "36000") {
			t.Errorf("preflight: %v", h)
		}
	}
	if h := send(rt, "OPTIONS", "/records", "").Header(); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("another route: %v", h)
	}
}

// A sub-tree of files has its own headers, answers HEAD, and leads nowhere else.
func TestSubTree(t *testing.T) {
	t.Parallel()
	rt := newRouter(httpx.Config{})
	rt.Add(
		httpx.Route{Method: "GET", Pattern: "/ui/", AnyContentType: true, Handler: echo("shell")},
		httpx.Route{Method: "GET", Pattern: "/ui/assets/{file...}", AnyContentType: true, Handler: func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, err := io.WriteString(w, r.PathValue("file"))
			return err
		}},
	)
	web := httptest.NewServer(rt)
	t.Cleanup(web.Close)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/ui/", 200, `{"pattern":"shell"}`},
		{"GET", "/ui", 200, `{"pattern":"shell"}`},
		{"GET", "/ui/assets/a/b.css", 200, "a/b.css"},
		{"HEAD", "/ui/assets/a/b.css", 200, ""},
		{"GET", "/ui/assets/..%2f..%2fsecret", 404, ""},
		{"GET", "/ui/assets/%2e%2e/secret", 404, ""},
		{"GET", "/ui/assets/a%5cb", 404, ""},
		{"GET", "/ui/assets/", 404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, web.URL+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := web.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || c.status == 200 && string(body) != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, res.StatusCode, body, c.status, c.body)
		}
		if file := strings.HasSuffix(c.path, ".css"); file != strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s %s: Cache-Control %q", c.method, c.path, res.Header.Get("Cache-Control"))
		}
	}
}

// A handler can take the connection over, and the log has the real status.
func TestTakingTheConnection(t *testing.T) {
	t.Parallel()
	seen := make(chan observed, 1)
	rt := httpx.New(httpx.Config{Log: discard(), Metrics: observer(seen)})
	rt.Add(httpx.Route{Method: "GET", Pattern: "/raw", Handler: func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		_, _ = rw.WriteString("ours")
		return rw.Flush()
	}})
	web := httptest.NewServer(rt)
	t.Cleanup(web.Close)
	_, answer := dial(t, web, "GET /raw HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n")
	all, err := io.ReadAll(answer)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 101 ") || !strings.HasSuffix(string(all), "ours") {
		t.Errorf("got %q, %v", all, err)
	}
	if got := <-seen; got.Status != http.StatusSwitchingProtocols {
		t.Errorf("the metrics saw %d", got.Status)
	}
}

// observer is a Metrics that sends on what it is told.
type observer chan<- observed

// ObserveRequest implements httpx.Metrics.
func (o observer) ObserveRequest(method, pattern string, status int, _ time.Duration, n int64) {
	o <- observed{method, pattern, status, n}
}
