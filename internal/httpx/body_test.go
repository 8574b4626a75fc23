package httpx_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/httpx"
)

// dial sends raw bytes to a server and returns a reader of what it answers.
func dial(t *testing.T, server *httptest.Server, raw string) (net.Conn, *bufio.Reader) {
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
	return conn, bufio.NewReader(conn)
}

func status(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestBodyThatStopsArriving holds back the end of a body: the request ends with
// 408 instead of holding a goroutine for as long as the client likes.
func TestBodyThatStopsArriving(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newRouter(httpx.Config{BodyIdle: 20 * time.Millisecond}))
	t.Cleanup(server.Close)
	_, answer := dial(t, server, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"a\"")
	if got := status(t, answer); got != http.StatusRequestTimeout {
		t.Errorf("status %d, want 408", got)
	}
	if _, err := answer.ReadByte(); err == nil {
		t.Error("the connection stays open with half a body on it")
	}
}

// TestDeadlineOfABodyEndsWithIt makes a handler work for longer than a body may
// pause: its context stays alive, and the connection serves the next request.
func TestDeadlineOfABodyEndsWithIt(t *testing.T) {
	t.Parallel()
	const idle = 20 * time.Millisecond
	rt := httpx.New(httpx.Config{Log: discard(), BodyIdle: idle})
	rt.Add(httpx.Route{Method: "POST", Pattern: "/slow", Handler: func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-time.After(5 * idle):
		}
		_, err = fmt.Fprintf(w, "%s", body)
		return err
	}})
	server := httptest.NewServer(rt)
	t.Cleanup(server.Close)
	const request = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
	conn, answer := dial(t, server, request)
	for range 2 {
		if got := status(t, answer); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRefusedBodyIsNotAwaited answers a client that announced a body, was
// refused, and sends nothing: the answer must come, not wait for the body.
func TestRefusedBodyIsNotAwaited(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newRouter(httpx.Config{BodyIdle: 20 * time.Millisecond}))
	t.Cleanup(server.Close)
	_, answer := dial(t, server, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
	if got := status(t, answer); got != http.StatusNotFound {
		t.Errorf("status %d, want 404", got)
	}
}
