package demo_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/internal/demo"
)

// received is a webhook that came.
type received struct {
	header http.Header
	body   []byte
}

// transport answers requests without a network, so that they work in a bubble.
type transport func(*http.Request) int

// RoundTrip implements http.RoundTripper.
func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(f(r))
	return w.Result(), nil
}

// Changes are announced in order, signed, and again when the receiver fails.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []received
		failures := 2
		s := demo.New(demo.Config{
			BaseURL: "http://demo.example", APIKey: apiKey, Webhook: demo.Webhook{URL: "http://receiver.example/hook", Secret: "secret"},
			HTTP: &http.Client{Transport: transport(func(r *http.Request) int {
				if failures > 0 {
					failures--
					return http.StatusInternalServerError
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = append(got, received{r.Header, body})
				return http.StatusNoContent
			})},
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		call := func(method, path, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), method, "/api/keyed"+path, strings.NewReader(body))
			r.Header.Set("X-Api-Key", apiKey)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		call(http.MethodPatch, "/tickets/1", `{"status":"solved"}`)
		call(http.MethodPost, "/tickets/1/comments", `{"body":"done"}`)
		call(http.MethodDelete, "/tickets/1", "")
		<-time.After(6 * time.Second) // the bubble's time: two pauses before repetitions
		synctest.Wait()

		if w := call(http.MethodDelete, "/webhook", ""); w.Code != http.StatusNoContent {
			t.Errorf("removing the webhook: status %d", w.Code)
		}
		call(http.MethodDelete, "/tickets/2", "")
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}

		var kinds []string
		for _, w := range got {
			var event struct{ Type, Workspace string }
			if err := json.Unmarshal(w.body, &event); err != nil || event.Workspace != "lumen-books" {
				t.Errorf("the body is %s", w.body)
			}
			kinds = append(kinds, event.Type)
			at := w.header.Get(demo.TimestampHeader)
			if want := "v1=" + demo.Sign("secret", at, w.body); w.header.Get(demo.SignatureHeader) != want {
				t.Errorf("the signature is %q, not %q", w.header.Get(demo.SignatureHeader), want)
			}
		}
		if len(kinds) != 3 || kinds[0] != "ticket.updated" || kinds[1] != "comment.created" || kinds[2] != "ticket.deleted" {
			t.Errorf("webhooks came about %v", kinds)
		}
	})
}

func TestWebhookSettings(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.api(t, http.MethodGet, "/webhook", "").want(t, http.StatusNotFound)
	f.api(t, http.MethodPut, "/webhook", `{"url":"file:///etc/passwd"}`).want(t, http.StatusUnprocessableEntity)
	f.api(t, http.MethodPut, "/webhook", `{"url":"https://x.example/hook"}`).want(t, http.StatusOK, `"secret":"tkw_`)
	if r := f.api(t, http.MethodGet, "/webhook", "").want(t, http.StatusOK); r.body != `{"url":"https://x.example/hook"}` {
		t.Errorf("the webhook reads %s", r.body)
	}
	f.api(t, http.MethodDelete, "/webhook", "").want(t, http.StatusNoContent)
	f.api(t, http.MethodGet, "/webhook", "").want(t, http.StatusNotFound)
}
