package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestOddRequests sends what no client library would: every form of request
// target, and messages with two lengths.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	server := httptest.NewServer(r.server)
	t.Cleanup(server.Close)
	const key = "Authorization: Bearer " + devKey + "\r\n"
	cases := []struct {
		name, raw string
		status    int
		body      string // that the answer begins with; the fake proxy repeats its path
	}{
		{"absolute form", "GET http://evil.example/proxy/a//b?c HTTP/1.1\r\nHost: x\r\n" + key + "\r\n", 202, "GET /proxy/a//b dev"},
		{"absolute form without a key", "GET http://evil.example/proxy/a HTTP/1.1\r\nHost: x\r\n\r\n", 401, ""},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
		{"authority form", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 404, ""},
		{"two slashes in front", "GET //evil.example/proxy/a HTTP/1.1\r\nHost: x\r\n" + key + "\r\n", 404, ""},
		{"encoded prefix", "GET /%70roxy/a HTTP/1.1\r\nHost: x\r\n" + key + "\r\n", 404, ""},
		{"two different lengths", "POST /proxy/a HTTP/1.1\r\nHost: x\r\n" + key + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, ""},
		{"an unknown coding", "POST /proxy/a HTTP/1.1\r\nHost: x\r\n" + key + "Transfer-Encoding: xchunked\r\n\r\n", 501, ""},
		{"a space before the colon", "GET /proxy/a HTTP/1.1\r\nHost: x\r\n" + key + "Connection-Id : c1\r\n\r\n", 400, ""},
		{"two hosts", "GET /proxy/a HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + key + "\r\n", 400, ""},
	}
	for _, c := range cases {
		answers := rawCall(t, server, c.raw)
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || !strings.HasPrefix(string(body), c.body) {
			t.Errorf("%s: %d %q, want %d %q", c.name, res.StatusCode, body, c.status, c.body)
		}
	}
}

// TestTwoFramings gives a message a length and a coding. The coding counts, so
// that what looks like a second request inside of it stays a body.
func TestTwoFramings(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	server := httptest.NewServer(r.server)
	t.Cleanup(server.Close)
	inner := "GET /proxy/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	answers := rawCall(t, server, "POST /proxy/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+devKey+
		fmt.Sprintf("\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(inner), inner))
	all, err := io.ReadAll(answers)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 || r.proxied.Load() > 1 {
		t.Errorf("%d answers, %d calls: %s", n, r.proxied.Load(), all)
	}
}

func rawCall(t *testing.T, server *httptest.Server, raw string) *bufio.Reader {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}
