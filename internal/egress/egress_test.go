package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// scripted answers each lookup of a name with the next of its answers and
// repeats the last one.
type scripted struct {
	mu      sync.Mutex
	answers map[string][][]string
	asked   map[string]int
}

func resolving(answers map[string][][]string) *scripted {
	return &scripted{answers: answers, asked: map[string]int{}}
}

func (s *scripted) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	turns, ok := s.answers[strings.TrimSuffix(host, ".")]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	turn := turns[min(s.asked[host], len(turns)-1)]
	s.asked[host]++
	addrs := make([]netip.Addr, len(turn))
	for i, text := range turn {
		addrs[i] = netip.MustParseAddr(text)
	}
	return addrs, nil
}

// hostileURLs are refused whatever a resolver says, because of how they are
// written. Those marked always are refused with private networks allowed, too.
func hostileURLs() map[string]bool {
	const always, unlessAllowed = true, false
	return map[string]bool{
		// Loopback and private, plainly.
		"http://127.0.0.1/":       unlessAllowed,
		"http://127.255.255.254/": unlessAllowed,
		"http://localhost/":       unlessAllowed,
		"http://LOCALHOST./":      unlessAllowed,
		"http://a.localhost/":     unlessAllowed,
		"http://10.0.0.1/":        unlessAllowed,
		"http://172.16.0.1/":      unlessAllowed,
		"http://172.31.255.255/":  unlessAllowed,
		"http://192.168.1.1/":     unlessAllowed,
		"http://100.64.0.1/":      unlessAllowed,
		"http://198.18.0.1/":      unlessAllowed,
		// Odd notations of IPv4.
		"http://2130706433/":          always,
		"http://0x7f000001/":          always,
		"http://0x7f.0.0.1/":          always,
		"http://0177.0.0.1/":          always,
		"http://017700000001/":        always,
		"http://127.1/":               always,
		"http://127.0.1/":             always,
		"http://0/":                   always,
		"http://127.0.0.01/":          always,
		"http://1.1.1.0x1/":           always,
		"http://127.0.0.1.0x/":        always,
		"http://0300.0250.1.1/":       always,
		"http://3232235777/":          always,
		"http://0xA9FEA9FE/":          always,
		"http://2852039166/":          always,
		"http://0251.0376.0251.0376/": always,
		"http://256.256.256.256/":     always,
		"http://１２７.0.0.1/":           always,
		"http://127。0。0。1/":           always,
		"http://ⓛocalhost/":           always,
		// Special IPv4.
		"http://0.0.0.0/":         always,
		"http://0.1.2.3/":         always,
		"http://192.0.2.1/":       always,
		"http://198.51.100.7/":    always,
		"http://203.0.113.9/":     always,
		"http://224.0.0.1/":       always,
		"http://239.255.255.250/": always,
		"http://240.0.0.1/":       always,
		"http://255.255.255.255/": always,
		"http://192.88.99.1/":     always,
		// Metadata.
		"http://169.254.169.254/latest/meta-data/":    always,
		"http://169.254.170.2/v2/credentials":         always,
		"http://100.100.100.200/":                     always,
		"http://168.63.129.16/":                       always,
		"http://192.0.0.192/":                         always,
		"http://metadata.google.internal/":            always,
		"http://METADATA.google.internal./":           always,
		"http://x.metadata.google.internal/":          always,
		"http://metadata/":                            always,
		"http://instance-data.ec2.internal/":          always,
		"http://[fd00:ec2::254]/":                     always,
		"http://[fd20:ce::254]/":                      always,
		"http://[fe80::a9fe:a9fe]/":                   always,
		"http://[::ffff:169.254.169.254]/":            always,
		"http://[::ffff:a9fe:a9fe]/":                  always,
		"http://[64:ff9b::169.254.169.254]/":          always,
		"http://[2002:a9fe:a9fe::]/":                  always,
		"http://[::169.254.169.254]/":                 always,
		"http://[::ffff:0:169.254.169.254]/":          always,
		"http://[64:ff9b:1::a9fe:a9fe]/":              always,
		"http://[2a00::5efe:169.254.169.254]/":        always,
		"http://[2001:0:4136:e378:8000:63bf:5601:1]/": always,
		// IPv6.
		"http://[::1]/":                 unlessAllowed,
		"http://[0:0:0:0:0:0:0:1]/":     unlessAllowed,
		"http://[::ffff:127.0.0.1]/":    unlessAllowed,
		"http://[::ffff:7f00:1]/":       unlessAllowed,
		"http://[64:ff9b::10.0.0.1]/":   unlessAllowed,
		"http://[fc00::1]/":             unlessAllowed,
		"http://[fd12:3456::1]/":        unlessAllowed,
		"http://[fec0::1]/":             unlessAllowed,
		"http://[::]/":                  always,
		"http://[::127.0.0.1]/":         always,
		"http://[fe80::1]/":             always,
		"http://[fe80::1%25eth0]/":      always,
		"http://[::1%25lo]/":            always,
		"http://[ff02::1]/":             always,
		"http://[2001:db8::1]/":         always,
		"http://[3fff::1]/":             always,
		"http://[2002:7f00:1::]/":       always,
		"http://[2002:808:808::]/":      always,
		"http://[2a00::5efe:10.0.0.1]/": always,
		"http://[4000::1]/":             always,
		// Anything but a plain http URL.
		"ftp://example.com/":                          always,
		"file:///etc/passwd":                          always,
		"gopher://example.com/":                       always,
		"javascript:alert(1)":                         always,
		"//example.com/":                              always,
		"/relative":                                   always,
		"http:example.com":                            always,
		"http:///path":                                always,
		"http://user@example.com/":                    always,
		"http://user:pass@example.com/":               always,
		"http://example.com@169.254.1.1/":             always,
		"http://:80/":                                 always,
		"http://example.com:0/":                       always,
		"http://example.com:/":                        always,
		"http://example.com:22/":                      always,
		"http://example.com:25/":                      always,
		"http://example.com:99999/":                   always,
		"http://a..example.com/":                      always,
		"http://.example.com/":                        always,
		"http://exa mple.com/":                        always,
		"http://example.com\\@evil/":                  always,
		"http://ex*mple.com/":                         always,
		"http://" + strings.Repeat("a", 64) + ".com/": always,
	}
}

func TestHostileURLs(t *testing.T) {
	t.Parallel()
	targets := hostileURLs()
	if len(targets) < 60 {
		t.Fatalf("only %d targets", len(targets))
	}
	strict, lenient := New(Policy{}, resolving(nil)), New(Policy{AllowPrivateNetwork: true}, resolving(nil))
	for target, always := range targets {
		if err := check(strict, target); err == nil {
			t.Errorf("%s: allowed", target)
		}
		err := check(lenient, target)
		if always && err == nil {
			t.Errorf("%s: allowed with private networks", target)
		}
		if !always && err != nil {
			t.Errorf("%s: refused though private networks are allowed: %v", target, err)
		}
	}
}

// check refuses what cannot be parsed and what the guard refuses.
func check(g *Guard, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	return g.CheckURL(u)
}

func TestHarmlessURLs(t *testing.T) {
	t.Parallel()
	g := New(Policy{}, resolving(nil))
	for _, target := range []string{
		"https://api.example.com/v1?x=y", "http://8.8.8.8/", "https://[2606:4700:4700::1111]/", "https://example.com:8443/",
		"https://xn--mnchen-3ya.example/", "https://a_b.example.com/", "http://[64:ff9b::8.8.8.8]/", "https://3com.com/", "https://example.com./",
		"https://172.32.0.1/", "https://0x.example.com/", "https://metadata.example.com/",
	} {
		if err := check(g, target); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestDialRefusesWhatANameResolvesTo(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		"loopback.example":  {"127.0.0.1"},
		"private.example":   {"10.1.2.3"},
		"metadata.example":  {"169.254.169.254"},
		"mixed.example":     {"8.8.8.8", "192.168.0.1"},
		"mapped.example":    {"::ffff:127.0.0.1"},
		"six.example":       {"::1"},
		"ula.example":       {"fd00::1"},
		"sixtofour.example": {"2002:7f00:1::"},
		"zero.example":      {"0.0.0.0"},
	}
	answers := map[string][][]string{}
	for host, addrs := range cases {
		answers[host] = [][]string{addrs}
	}
	client := New(Policy{}, resolving(answers)).Client(ClientOptions{})
	for host := range cases {
		_, err := get(t, client, "http://"+host+"/")
		blocked, ok := IsBlocked(err)
		if !ok {
			t.Errorf("%s: got %v, want a refusal", host, err)
			continue
		}
		for _, addr := range cases[host] {
			if strings.Contains(blocked.Error(), addr) {
				t.Errorf("%s: the error reveals the address: %v", host, blocked)
			}
		}
	}
}

// TestRebinding lets a name resolve to a public address first and to loopback
// from then on. The guard resolves once for a connection and connects to what it
// checked, so the second answer is refused and nothing is ever sent there.
func TestRebinding(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the internal server was reached") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())

	resolver := resolving(map[string][][]string{"rebind.example": {{"8.8.8.8"}, {"127.0.0.1"}}})
	g := New(Policy{}, resolver)
	ctx, cancel := context.WithCancel(t.Context())
	var dialed []netip.Addr
	addrs, err := g.resolve(ctx, "rebind.example", 0)
	if err != nil {
		t.Fatalf("the first answer is public: %v", err)
	}
	dialed = append(dialed, addrs...)
	if resolver.asked["rebind.example"] != 1 || dialed[0] != netip.MustParseAddr("8.8.8.8") {
		t.Fatalf("asked %d times, would dial %v", resolver.asked["rebind.example"], dialed)
	}
	cancel()
	if _, err := get(t, g.Client(ClientOptions{}), "http://rebind.example:"+port+"/"); err == nil {
		t.Fatal("the second answer was accepted")
	} else if _, ok := IsBlocked(err); !ok {
		t.Fatalf("got %v, want a refusal", err)
	}
}

// TestControlIsTheLastLook shows that even an address that slipped through is
// not connected to.
func TestControlIsTheLastLook(t *testing.T) {
	t.Parallel()
	g := New(Policy{}, nil)
	for _, addr := range []string{"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80", "169.254.169.254:80", "nonsense"} {
		if err := g.control(t.Context(), "tcp", addr, nil); err == nil {
			t.Errorf("%s: allowed", addr)
		}
	}
	if err := g.control(t.Context(), "tcp", "8.8.8.8:443", nil); err != nil {
		t.Error(err)
	}
}

func TestAllowPrivateNetworkReachesLoopback(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	resolver := resolving(map[string][][]string{"internal.example": {{"127.0.0.1"}}, "metadata.example": {{"169.254.169.254"}}})
	client := New(Policy{AllowPrivateNetwork: true}, resolver).Client(ClientOptions{})
	for _, target := range []string{server.URL, "http://internal.example:" + port} {
		body, err := get(t, client, target)
		if err != nil || body != "hello" {
			t.Errorf("%s: %q, %v", target, body, err)
		}
	}
	if _, err := get(t, client, "http://metadata.example/"); err == nil {
		t.Error("metadata was reached")
	}
	if _, err := get(t, New(Policy{}, nil).Client(ClientOptions{}), server.URL); err == nil {
		t.Error("loopback was reached under the strict policy")
	}
}

// publicly returns a client of a strict guard whose connections all end at the
// test's server, as if it were on the public internet.
func publicly(t *testing.T, server *httptest.Server, o ClientOptions) *http.Client {
	t.Helper()
	g := New(Policy{}, resolving(nil))
	o.Transport = g.Transport(TransportOptions{})
	o.Transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	t.Cleanup(o.Transport.CloseIdleConnections)
	return g.Client(o)
}

func TestRedirectsAreChecked(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	client := publicly(t, server, ClientOptions{})
	for target := range hostileURLs() {
		if strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") || strings.HasPrefix(target, "//") || target == "http:example.com" {
			continue // relative references are fine in a Location
		}
		if _, err := get(t, client, "http://public.example/?to="+url.QueryEscape(target)); err == nil {
			t.Errorf("a redirect to %s was followed", target)
		}
	}
	_, err := get(t, client, "http://public.example/?to="+url.QueryEscape("http://169.254.169.254/"))
	if _, ok := errors.AsType[*RedirectError](err); !ok {
		t.Errorf("got %v, want a RedirectError", err)
	}
}

func TestRedirectLimit(t *testing.T) {
	t.Parallel()
	hops := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hops++
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	defer server.Close()
	if _, err := get(t, publicly(t, server, ClientOptions{}), "http://public.example/"); !errors.Is(err, ErrTooManyRedirects) {
		t.Fatalf("got %v", err)
	}
	if hops != MaxRedirects+1 {
		t.Errorf("%d requests were sent, want %d", hops, MaxRedirects+1)
	}
	hops = 0
	if _, err := get(t, publicly(t, server, ClientOptions{MaxRedirects: -1}), "http://public.example/"); err != nil || hops != 1 {
		t.Errorf("following none: %d requests, %v", hops, err)
	}
}

func TestRedirectHeaders(t *testing.T) {
	t.Parallel()
	var last http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r.Header.Clone()
		switch r.Host + r.URL.Path {
		case "a.example/same":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "a.example/cross":
			http.Redirect(w, r, "http://b.example/end", http.StatusFound)
		case "a.example/port":
			http.Redirect(w, r, "http://a.example:8080/end", http.StatusFound)
		case "a.example/sub":
			http.Redirect(w, r, "http://x.a.example/end", http.StatusFound)
		case "a.example/back":
			http.Redirect(w, r, "http://b.example/back", http.StatusFound)
		case "b.example/back":
			http.Redirect(w, r, "http://a.example/end", http.StatusFound)
		}
	}))
	defer server.Close()
	cases := []struct {
		path string
		all  bool
		want bool
	}{
		{"/same", false, true},
		{"/cross", false, false},
		{"/port", false, false},
		{"/sub", false, false},
		{"/back", false, false},
		{"/cross", true, true},
	}
	for _, c := range cases {
		client := publicly(t, server, ClientOptions{KeepHeadersAcrossOrigins: c.all})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a.example"+c.path+"?key=secret", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", "secret")
		req.Header.Set("Accept", "text/plain")
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		_ = res.Body.Close()
		if got := last.Get("X-Api-Key") != ""; got != c.want {
			t.Errorf("%s: the key arrived: %v, want %v", c.path, got, c.want)
		}
		if last.Get("Accept") != "text/plain" {
			t.Errorf("%s: a harmless header was dropped", c.path)
		}
		if last.Get("Referer") != "" {
			t.Errorf("%s: the target learned where we come from: %q", c.path, last.Get("Referer"))
		}
	}
}

func TestCredentialsDoNotLeaveTLS(t *testing.T) {
	t.Parallel()
	client := New(Policy{}, nil).Client(ClientOptions{KeepHeadersAcrossOrigins: true})
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"https://a.example", "https://b.example", true},
		{"http://a.example", "http://b.example", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "http://b.example", false},
	} {
		first := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.from, nil)
		first.Header.Set("Authorization", "Bearer secret")
		next := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.to, nil)
		next.Header.Set("X-Api-Key", "secret")
		if err := client.CheckRedirect(next, []*http.Request{first}); err != nil {
			t.Fatal(err)
		}
		if got := next.Header.Get("Authorization") != "" && next.Header.Get("X-Api-Key") != ""; got != c.want {
			t.Errorf("%s to %s: the credentials went along: %v", c.from, c.to, got)
		}
	}
}

func TestDeniedHosts(t *testing.T) {
	t.Parallel()
	guard := New(Policy{DeniedHosts: []string{"Api.Example", ".evil.example.", "203.0.114.7", "[2606:4700::1111]"}}, nil)
	for target, denied := range map[string]bool{
		"https://api.example": true, "https://API.example./x": true, "https://sub.api.example": false, "https://xapi.example": false,
		"https://evil.example": true, "https://a.b.evil.example": true, "https://notevil.example": false,
		"https://203.0.114.7": true, "https://203.0.114.8": false, "https://[::ffff:203.0.114.7]": true,
		"https://[2606:4700:0::1111]": true,
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		if err := guard.CheckURL(u); (err != nil) != denied {
			t.Errorf("%s: %v, want denied %v", target, err, denied)
		}
	}
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	t.Parallel()
	if New(Policy{}, nil).Transport(TransportOptions{}).Proxy != nil {
		t.Error("the transport uses a proxy")
	}
}

func FuzzCheckURL(f *testing.F) {
	for target := range hostileURLs() {
		f.Add(target)
	}
	g := New(Policy{}, resolving(nil))
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.Parse(target)
		if err != nil || g.CheckURL(u) != nil {
			return
		}
		host := u.Hostname()
		if a, err := netip.ParseAddr(strings.TrimSuffix(host, ".")); err == nil {
			if v, _ := g.classes.classify(a); v != public {
				t.Fatalf("%q: allowed address %v", target, a)
			}
		}
		if u.User != nil || u.Scheme != "http" && u.Scheme != "https" || host == "" {
			t.Fatalf("%q: allowed", target)
		}
	})
}

func get(t *testing.T, client *http.Client, target string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}
