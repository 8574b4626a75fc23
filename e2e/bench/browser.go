package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// visits is how often the page of Connect UI is opened.
const visits = 300

// browsers measures what end users wait for: authorizations, and the page of
// Connect UI.
func (b *bench) browsers(ctx context.Context, t io.Writer, program *process) error {
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	if err := c.authorize(ctx); err != nil {
		return err
	}
	row(t, "authorizations, from session to connection", "a second", "p50", "p99", "")
	for _, users := range []int{1, 16} {
		var all []result
		for range b.rounds {
			r, err := repeat(ctx, users, b.duration, c.authorize)
			if err != nil {
				return err
			}
			all = append(all, r)
			b.tick()
		}
		name := fmt.Sprintf("  %d users", users)
		if users == 1 {
			name = "  1 user"
		}
		results(t, name, median(all), "")
	}
	return c.connectUI(ctx, t)
}

// repeat has n workers do something again and again until the time is over.
func repeat(ctx context.Context, n int, d time.Duration, do func(context.Context) error) (result, error) {
	took := make([][]time.Duration, n)
	errs := make([]error, n)
	start := time.Now()
	var workers sync.WaitGroup
	for i := range n {
		workers.Go(func() {
			for len(took[i]) == 0 || time.Since(start) < d {
				began := time.Now()
				if errs[i] = do(ctx); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	workers.Wait()
	elapsed := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		return result{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return result{perSecond: float64(len(all)) / elapsed.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100]}, nil
}

// browser follows no redirect by itself, and counts what it receives.
type browser struct {
	address   string
	transport *http.Transport
	received  atomic.Int64
}

// newBrowser returns a browser that knows the program by the name in its
// callback, so that its cookies would come back.
func newBrowser(address string) *browser {
	c := &browser{address: strings.Replace(address, "127.0.0.1", "localhost", 1)}
	c.transport = &http.Transport{
		MaxIdleConnsPerHost: 64, DisableCompression: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, fmt.Errorf("connecting: %w", err)
			}
			return counted{conn, &c.received}, nil
		},
	}
	return c
}

// counted is a connection that counts what is read from it.
type counted struct {
	net.Conn
	received *atomic.Int64
}

// Read implements io.Reader.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err //nolint:wrapcheck // the contract of io.Reader wants io.EOF as it is
}

// call makes a request and reads the answer, which must have the status.
func (c *browser) call(ctx context.Context, method, target, body string, status int, headers ...string) (http.Header, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", method, err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, request.URL.Path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, request.URL.Path, err)
	}
	if response.StatusCode != status {
		return nil, nil, fmt.Errorf("%s %s: status %d: %s", method, request.URL.Path, response.StatusCode, text[:min(len(text), 1000)])
	}
	return response.Header, text, nil
}

var tokenPattern = regexp.MustCompile(`nango_connect_session_[0-9a-f]{64}`)

// session makes a connect session as the customer's backend does.
func (c *browser) session(ctx context.Context) (token string, err error) {
	_, text, err := c.call(ctx, http.MethodPost, "http://"+c.address+"/connect/sessions", `{"tags":{"team":"bench"}}`, http.StatusCreated,
		"Authorization", "Bearer "+devKey, "Content-Type", "application/json")
	if err != nil {
		return "", err
	}
	return string(tokenPattern.Find(text)), nil
}

// authorize is one whole authorization: a session, the way to the provider, its
// consent, and the way back, on which the code is exchanged, the credentials are
// tried out and the connection is stored.
func (c *browser) authorize(ctx context.Context) error {
	token, err := c.session(ctx)
	if err != nil {
		return err
	}
	started, _, err := c.call(ctx, http.MethodGet, "http://"+c.address+"/oauth/connect/bench-oauth?connect_session_token="+token, "", http.StatusFound)
	if err != nil {
		return err
	}
	cookie, _, _ := strings.Cut(started.Get("Set-Cookie"), ";")
	consented, _, err := c.call(ctx, http.MethodGet, started.Get("Location"), "", http.StatusFound)
	if err != nil {
		return err
	}
	back, err := url.Parse(consented.Get("Location"))
	if err != nil {
		return fmt.Errorf("reading the way back: %w", err)
	}
	_, _, err = c.call(ctx, http.MethodGet, "http://"+c.address+back.RequestURI(), "", http.StatusOK, "Cookie", cookie)
	return err
}

var resource = regexp.MustCompile(`(?:src|href)="(/[^"/][^"]*)"`)

// connectUI measures the page that end users see first.
func (c *browser) connectUI(ctx context.Context, t io.Writer) error {
	token, err := c.session(ctx)
	if err != nil {
		return err
	}
	target := "http://" + c.address + "/connect-ui/?session_token=" + token
	took := make([]time.Duration, 0, visits)
	for range visits {
		var start time.Time
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { took = append(took, time.Since(start)) }})
		start = time.Now()
		if _, _, err := c.call(traced, http.MethodGet, target, "", http.StatusOK, "Accept-Encoding", "gzip"); err != nil {
			return err
		}
	}
	slices.Sort(took)
	_, plain, err := c.call(ctx, http.MethodGet, target, "", http.StatusOK)
	if err != nil {
		return err
	}
	before := c.received.Load()
	if _, _, err := c.call(ctx, http.MethodGet, target, "", http.StatusOK, "Accept-Encoding", "gzip"); err != nil {
		return err
	}
	page := c.received.Load() - before
	// What the page's script does first.
	_, list, err := c.call(ctx, http.MethodPost, "http://"+c.address+"/connect-ui", "", http.StatusOK,
		"Authorization", "Bearer "+token, "HX-Request", "true", "Content-Type", "application/x-www-form-urlencoded", "Accept-Encoding", "gzip")
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("POST /connect-ui: there is no list")
	}
	var parts []string
	for _, found := range resource.FindAllSubmatch(plain, -1) {
		parts = append(parts, string(found[1]))
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	for _, path := range parts {
		if _, _, err := c.call(ctx, http.MethodGet, "http://"+c.address+strings.ReplaceAll(path, "&amp;", "&"), "", http.StatusOK, "Accept-Encoding", "gzip"); err != nil {
			return err
		}
	}
	row(t, "GET /connect-ui/", "first byte p50", "p99", "transferred", "")
	row(t, "  the page", milliseconds(took[len(took)/2]), milliseconds(took[len(took)*99/100]), kilobytes(page), "")
	row(t, fmt.Sprintf("  with the list and %d files", len(parts)), "", "", kilobytes(c.received.Load()-before), "")
	return nil
}

func kilobytes(n int64) string { return fmt.Sprintf("%.1f kB", float64(n)/1000) }
