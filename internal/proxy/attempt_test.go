package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/proxy"
)

func TestRetries(t *testing.T) {
	t.Parallel()
	now := clock
	cases := []struct {
		name, api, retries, retryOn string
		// answers are "status header=value body"; the last one repeats.
		answers []string
		want    int
		calls   int
		waits   []time.Duration
	}{
		{"none asked", "", "0", "", []string{"500"}, 500, 1, nil},
		{"5xx", "", "2", "", []string{"500", "503", "200"}, 200, 3, []time.Duration{3 * time.Second, 6 * time.Second}},
		{"exhausted", "", "2", "", []string{"500"}, 500, 3, []time.Duration{3 * time.Second, 6 * time.Second}},
		{"429 with Retry-After", "", "1", "", []string{"429 Retry-After=7", "200"}, 200, 2, []time.Duration{7 * time.Second}},
		{"404 is final", "", "3", "", []string{"404"}, 404, 1, nil},
		{"retry-on", "", "3", "404,409", []string{"404", "409", "200"}, 200, 3, []time.Duration{3 * time.Second, 6 * time.Second}},
		{"provider status replaces the set", "  retry:\n    status:\n      - '403'\n", "1", "", []string{"500"}, 500, 1, nil},
		{"provider status", "  retry:\n    status:\n      - 4xx\n", "1", "", []string{"403", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"provider at, seconds", "  retry:\n    at:\n      - x-reset\n", "1", "", []string{fmt.Sprintf("429 X-Reset=%d", now+20), "200"}, 200, 2, []time.Duration{20 * time.Second}},
		{"provider at, milliseconds", "  retry:\n    at:\n      - x-reset\n", "1", "", []string{fmt.Sprintf("429 X-Reset=%d", (now+20)*1000), "200"}, 200, 2, []time.Duration{20 * time.Second}},
		{"provider at, past", "  retry:\n    at:\n      - x-reset\n", "1", "", []string{"429 X-Reset=5", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"longest wins", "  retry:\n    after:\n      - x-a\n      - x-b\n", "1", "", []string{"429 X-A=5 X-B=9", "200"}, 200, 2, []time.Duration{9 * time.Second}},
		{"after, no number", "  retry:\n    after:\n      - x-a\n", "1", "", []string{"429 X-A=6m0s", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"cap", "  retry:\n    after:\n      - x-a\n", "1", "", []string{"429 X-A=99999999", "200"}, 200, 2, []time.Duration{10 * time.Minute}},
		{"remaining", "  retry:\n    remaining: x-left\n", "1", "", []string{"403 X-Left=0", "200"}, 200, 2, []time.Duration{3 * time.Second}},
		{"remaining, more left", "  retry:\n    remaining: x-left\n", "1", "", []string{"403 X-Left=1"}, 403, 1, nil},
		{
			"in body", "  retry:\n    body:\n      path: error.message\n      pattern: Retry after (.+)\n      kind: at\n", "1", "",
			[]string{`429 {"error":{"message":"Retry_after_2023-11-14T22:14:00Z"}}`, "200"},
			200, 2,
			[]time.Duration{40 * time.Second},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
				answer := c.answers[min(calls, len(c.answers)-1)]
				calls++
				if body, _ := io.ReadAll(r.Body); string(body) != "payload" {
					t.Errorf("attempt %d: body %q", calls, body)
				}
				scripted(w, answer)
			}, c.api)
			res := b.do(t, "POST", "/proxy/x", strings.NewReader("payload"), "Retries", c.retries, "Retry-On", cmpOr(c.retryOn, "999"))
			if res.StatusCode != c.want || calls != c.calls {
				t.Errorf("status %d after %d calls, want %d after %d", res.StatusCode, calls, c.want, c.calls)
			}
			if diff := cmp.Diff(c.waits, b.waits); diff != "" {
				t.Errorf("waits: %s", diff)
			}
			ops, msgs := b.flush(t)
			if len(ops) != 1 || ops[0].State.Final() == false || len(msgs) != c.calls-1 {
				t.Errorf("%d operations, %d messages", len(ops), len(msgs))
			}
		})
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// scripted writes an answer like "429 Retry-After=7 body".
func scripted(w http.ResponseWriter, answer string) {
	fields := strings.Fields(answer)
	status, body := 0, ""
	_, _ = fmt.Sscan(fields[0], &status)
	for _, field := range fields[1:] {
		if name, value, ok := strings.Cut(field, "="); ok && !strings.HasPrefix(field, "{") {
			w.Header().Set(name, value)
		} else {
			body = strings.ReplaceAll(field, "_", " ")
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestRefreshAfter401(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		retries string
		renewed string // the token after a refresh; empty: the refresh fails
		want    int
		calls   int
		fresh   int
	}{
		{"renewed", "1", "token-2", 200, 2, 3},
		{"no retries", "0", "token-2", 401, 1, 1},
		{"unchanged", "3", "token-1", 401, 1, 3},
		{"fails", "3", "", 401, 1, 3},
		{"renewed in vain", "5", "token-3", 401, 2, 3},
		{"renewed by somebody else", "1", "-", 200, 2, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			var b *bench
			b = newBench(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				if r.Header.Get("Authorization") != "Bearer token-2" {
					w.WriteHeader(http.StatusUnauthorized)
					if c.renewed == "-" {
						b.mu.Lock()
						defer b.mu.Unlock()
						b.target = newTarget(t, b.saas.URL, "", "token-2")
					}
				}
			}, "")
			if c.renewed != "" {
				b.renewed = newTarget(t, b.saas.URL, "", c.renewed)
			}
			res := b.do(t, "PUT", "/proxy/x", strings.NewReader("payload"), "Retries", c.retries)
			if res.StatusCode != c.want || calls != c.calls || len(b.fresh) != c.fresh || len(b.waits) != 0 {
				t.Errorf("status %d, %d calls, %d fetches, waits %v", res.StatusCode, calls, len(b.fresh), b.waits)
			}
			if len(b.fresh) > 2 && !b.fresh[2].Rejected {
				t.Errorf("a refresh was not asked for: %+v", b.fresh)
			}
		})
	}
}

// A refresh may end the token that a call has just been sent with. The call is made
// again, once, also where no retries were asked for, and none of those is spent.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, retries, body string
		tokens                []string // which the connection has after each call; empty: it can't be had
		// answers are the statuses of the calls, the last one repeats.
		answers []int
		want    []string // the tokens of the calls
	}{
		"without retries":           {"GET", "0", "", []string{"token-2"}, []int{401, 200}, []string{"token-1", "token-2"}},
		"refused all the same":      {"GET", "0", "", []string{"token-2", "token-3"}, []int{401}, []string{"token-1", "token-2"}},
		"the same token":            {"GET", "0", "", []string{"token-1"}, []int{401}, []string{"token-1"}},
		"no token":                  {"GET", "3", "", []string{""}, []int{401}, []string{"token-1"}},
		"another refusal":           {"GET", "0", "", []string{"token-2"}, []int{403}, []string{"token-1"}},
		"a body that is on its way": {"POST", "0", "payload", []string{"token-2"}, []int{401}, []string{"token-1"}},
		"a body that was kept":      {"POST", "1", "payload", []string{"token-2", "token-2"}, []int{401, 500, 200}, []string{"token-1", "token-2", "token-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			var b *bench
			b = newBench(t, func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) != c.body {
					t.Errorf("the body is %q", body)
				}
				n := len(got)
				got = append(got, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
				b.mu.Lock()
				if next := c.tokens[min(n, len(c.tokens)-1)]; next != "" {
					b.target = newTarget(t, b.saas.URL, "", next)
				} else {
					b.fail = errors.New("no token")
				}
				b.mu.Unlock()
				w.WriteHeader(c.answers[min(n, len(c.answers)-1)])
			}, "")
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			res := b.do(t, c.method, "/proxy/x", body, "Retries", c.retries)
			if want := c.answers[min(len(c.want), len(c.answers))-1]; res.StatusCode != want {
				t.Errorf("status %d, want %d", res.StatusCode, want)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if most := 1 + len(c.tokens); len(b.fresh) > most {
				t.Errorf("the connection was asked for %d times, %d at most", len(b.fresh), most)
			}
			if _, msgs := b.flush(t); len(c.want) > 1 && (len(msgs) != len(c.want)-1 || !strings.Contains(msgs[0].Text, "renewed meanwhile")) {
				t.Errorf("messages: %+v", msgs)
			}
		})
	}
}

func TestWaitsNeverOutliveTheRequest(t *testing.T) {
	t.Parallel()
	calls := 0
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}, "", func(c *proxy.Config) { c.Now = time.Now })
	service := b.proxy.Config.Handler
	b.proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		service.ServeHTTP(w, r.WithContext(ctx))
	})
	if res := b.do(t, "GET", "/proxy/x", nil, "Retries", "3"); res.StatusCode != http.StatusTooManyRequests || calls != 1 || len(b.waits) != 0 {
		t.Errorf("status %d, %d calls, waits %v", res.StatusCode, calls, b.waits)
	}
}
