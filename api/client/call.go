package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/api"
)

// call is one request of the API.
type call struct {
	method string
	path   string // escaped, see join
	query  url.Values
	body   any // nil: none
	header map[string]string
	// once forbids repetition.
	once bool
}

// do sends a call and decodes the reply into out, if out is not nil.
func (c *Client) do(ctx context.Context, k call, out any) error {
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body); err != nil {
			return fmt.Errorf("encoding the body of %s %s: %w", k.method, k.path, err)
		}
	}
	for attempt := 0; ; attempt++ {
		resp, err := c.send(ctx, k, body)
		if err != nil {
			return err
		}
		err = read(resp, out)
		wait, again := c.again(k, err, attempt)
		if !again {
			return err
		}
		if !sleep(ctx, wait) {
			return err
		}
	}
}

func (c *Client) send(ctx context.Context, k call, body []byte) (*http.Response, error) {
	target := c.base + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, reader)
	if err != nil {
		return nil, fmt.Errorf("making the request %s %s: %w", k.method, k.path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.sign(req)
	req.Header.Set("Accept", "application/json")
	for name, value := range k.header {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("calling the server: %w", err)
	}
	return resp, nil
}

// sign adds what every request carries.
func (c *Client) sign(req *http.Request) {
	maps.Copy(req.Header, c.header)
	req.Header.Set("User-Agent", c.userAgent)
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
}

// read decodes a reply and closes it.
func read(resp *http.Response, out any) error {
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return newError(resp)
	}
	if out == nil {
		_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxReply))
		if err != nil {
			return fmt.Errorf("reading the reply: %w", err)
		}
		return nil
	}
	body := io.LimitReader(resp.Body, maxReply)
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("decoding the reply: %w", err)
	}
	_, _ = io.Copy(io.Discard, body) // a body read to its end gives the connection back
	return nil
}

// again decides whether a call is repeated, and after how long.
func (c *Client) again(k call, err error, attempt int) (time.Duration, bool) {
	e, refused := AsError(err)
	if !refused || k.once || !idempotent(k.method) || attempt >= c.retries {
		return 0, false
	}
	if e.Status != http.StatusTooManyRequests && e.Status != http.StatusServiceUnavailable {
		return 0, false
	}
	if e.RetryAfter > 0 {
		return min(e.RetryAfter, maxWait), true
	}
	// 0.5, 1, 2 … seconds, with a random half so that clients spread out. The
	// exponent is bounded, too: shifted far enough, a duration is negative.
	base := min(500*time.Millisecond<<min(attempt, 10), maxWait)
	return base/2 + rand.N(base/2+1), true //nolint:gosec // spreading load, not a secret
}

// idempotent reports whether repeating a call does no harm (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	return method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
}

// sleep waits and reports whether it was not interrupted.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// join makes an escaped path of segments, each of which may hold any character.
func join(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		if strings.Trim(s, ".") == "" {
			// "." and ".." would be taken for directories.
			b.WriteString(strings.ReplaceAll(s, ".", "%2E"))
			continue
		}
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// retryAfter reads the Retry-After header: seconds or a date (RFC 9110
// §10.2.3).
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s >= 0 {
		return min(time.Duration(s)*time.Second, 24*time.Hour)
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}

// data unwraps the envelope of newer routes.
func data[T any](ctx context.Context, c *Client, k call) (T, error) {
	var reply api.Data[T]
	err := c.do(ctx, k, &reply)
	return reply.Data, err
}

// bare decodes a reply without envelope.
func bare[T any](ctx context.Context, c *Client, k call) (T, error) {
	var reply T
	err := c.do(ctx, k, &reply)
	return reply, err
}
