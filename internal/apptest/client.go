package apptest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// callTimeout bounds every call of a test. It is far above what any takes: it
// only turns a hang into a failure.
const callTimeout = 5 * time.Minute

// Client calls an instance over plain HTTP with one key.
type Client struct {
	// URL is the instance's base URL.
	URL string
	// Key is sent as the bearer token; empty sends none.
	Key string

	http *http.Client
}

// NewClient returns a client with connections of its own. It follows no
// redirect, so that a test sees each.
func NewClient(t testing.TB, url, key string) Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return Client{URL: url, Key: key, http: &http.Client{
		Transport:     transport,
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// WithKey returns the client with another key.
func (c Client) WithKey(key string) Client {
	c.Key = key
	return c
}

// Reply is an answer, read to its end.
type Reply struct {
	// What names the call, for messages of failed tests.
	What   string
	Status int
	Header http.Header
	Body   []byte
}

// Do calls the instance. A body that is a string or []byte is sent as it is,
// anything else as JSON, and nil not at all. Headers come in pairs.
func (c Client) Do(t testing.TB, method, path string, body any, headers ...string) Reply {
	t.Helper()
	r, err := c.Try(t, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// Try is Do that hands back the error of a call without an answer.
func (c Client) Try(t testing.TB, method, path string, body any, headers ...string) (Reply, error) {
	t.Helper()
	response, err := c.Open(t, method, path, body, headers...)
	if err != nil {
		return Reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return Reply{}, fmt.Errorf("reading the answer: %w", err)
	}
	return Reply{What: method + " " + path, Status: response.StatusCode, Header: response.Header, Body: text}, nil
}

// Open is Try that leaves the body to be read by the caller.
func (c Client) Open(t testing.TB, method, path string, body any, headers ...string) (*http.Response, error) {
	t.Helper()
	reader, isJSON := encode(t, body)
	request, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, reader)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	if isJSON {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	return c.http.Do(request)
}

// encode turns a body into bytes. A nil interface stays nil, so that the
// request has no body at all.
func encode(t testing.TB, body any) (reader io.Reader, isJSON bool) {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil, false
	case io.Reader:
		return b, false
	case string:
		return strings.NewReader(b), strings.HasPrefix(b, "{")
	case []byte:
		return bytes.NewReader(b), false
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatalf("encoding a body: %v", err)
	}
	return bytes.NewReader(text), true
}

// Raw sends a request line and headers byte for byte, which http.Client would
// tidy up, and returns the answer.
func (c Client) Raw(t testing.TB, method, target string, headers ...string) Reply {
	t.Helper()
	host := strings.TrimPrefix(c.URL, "http://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatalf("connecting to %s: %v", host, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		t.Fatalf("setting a deadline: %v", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, target, host)
	if c.Key != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", c.Key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(conn, b.String()); err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, target, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", method, target, err)
	}
	return Reply{What: method + " " + target, Status: response.StatusCode, Header: response.Header, Body: text}
}

// Want fails the test unless the answer has the status.
func (r Reply) Want(t testing.TB, status int) Reply {
	t.Helper()
	if r.Status != status {
		t.Fatalf("%s: status %d, not %d\n%s", r.What, r.Status, status, r.Body)
	}
	return r
}

// WantError fails the test unless the answer is the contract's error with the
// status and code.
func (r Reply) WantError(t testing.TB, status int, code string) Reply {
	t.Helper()
	if r.Status != status || r.Code() != code {
		t.Errorf("%s: status %d code %q, not %d %q\n%s", r.What, r.Status, r.Code(), status, code, r.Body)
	}
	return r
}

// Code returns error.code of the contract's error envelope, or "".
func (r Reply) Code() string {
	var envelope struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(r.Body, &envelope) != nil {
		return ""
	}
	return envelope.Error.Code
}

// Into decodes the JSON body.
func (r Reply) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		t.Fatalf("%s: decoding the answer: %v\n%s", r.What, err, r.Body)
	}
}

// Map decodes a JSON object.
func (r Reply) Map(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	r.Into(t, &m)
	return m
}

// WantStatusIn fails the test unless the answer has one of the statuses.
func (r Reply) WantStatusIn(t testing.TB, statuses ...int) Reply {
	t.Helper()
	if !slices.Contains(statuses, r.Status) {
		t.Fatalf("%s: status %d, not one of %v\n%s", r.What, r.Status, statuses, r.Body)
	}
	return r
}
