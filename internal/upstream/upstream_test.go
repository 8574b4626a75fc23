package upstream_test

import (
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/upstream"
)

// provider parses a provider entry: its authentication mode and its api part.
func provider(tb testing.TB, mode, api string) *catalog.Provider {
	tb.Helper()
	text := "name: acme\ndisplay_name: Acme\ncategories:\n  - other\nauth:\n  mode: " + mode + "\n"
	if mode == "OAUTH2" {
		text += "  authorize:\n    url:\n      - https://acme.example/authorize\n  token:\n    url:\n      - https://acme.example/token\n"
	}
	p, err := catalog.ParseProvider("acme.yaml", "acme", []byte(text+api))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

const plainAPI = "api:\n  base_url:\n    - https://api.acme.example/v1\n"

func target(p *catalog.Provider, c credential.Credentials, config map[string]any) *upstream.Target {
	return &upstream.Target{
		Provider:    p,
		Integration: linkspan.Integration{Key: "acme"},
		Connection:  linkspan.Connection{Name: "c1", Config: config},
		Credentials: c,
	}
}

func build(tb testing.TB, tg *upstream.Target, r upstream.Request) *http.Request {
	tb.Helper()
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	req, err := upstream.Build(tb.Context(), tg, r)
	if err != nil {
		tb.Fatalf("Build: %v", err)
	}
	return req
}

func TestURL(t *testing.T) {
	t.Parallel()
	none := credential.NewNone()
	sub := "api:\n  base_url:\n    - https://${connectionConfig.sub}.acme.example\n    - https://acme.example/\n"
	cases := []struct {
		name, api string
		config    map[string]any
		endpoint  string
		override  string
		want      string
	}{
		{"plain", plainAPI, nil, "/user?a=b&a=c%20d", "", "https://api.acme.example/v1/user?a=b&a=c%20d"},
		{"no slash", plainAPI, nil, "user", "", "https://api.acme.example/v1/user"},
		{"empty", plainAPI, nil, "", "", "https://api.acme.example/v1/"},
		{"slashes stay", plainAPI, nil, "/a//b/", "", "https://api.acme.example/v1/a//b/"},
		{"leading slashes stay", plainAPI, nil, "//evil.example/x", "", "https://api.acme.example/v1//evil.example/x"},
		{"dots stay", plainAPI, nil, "/a/../../b/./c", "", "https://api.acme.example/v1/a/../../b/./c"},
		{"encodings stay", plainAPI, nil, "/a%2Fb%2f%25/%41", "", "https://api.acme.example/v1/a%2Fb%2f%25/%41"},
		{"odd characters stay", plainAPI, nil, "/(a)!*'[x];k=v@:$", "", "https://api.acme.example/v1/(a)!*'[x];k=v@:$"},
		{"invalid characters are encoded alone", plainAPI, nil, "/a%2Fb|c d", "", "https://api.acme.example/v1/a%2Fb%7Cc%20d"},
		{"broken encodings are encoded", plainAPI, nil, "/100%/%zz", "", "https://api.acme.example/v1/100%25/%25zz"},
		{"the query is not touched", plainAPI, nil, "/q?x=%zz&y[]=[1]&z=a+b%20c&&", "", "https://api.acme.example/v1/q?x=%zz&y[]=[1]&z=a+b%20c&&"},
		{"a fragment is no fragment", plainAPI, nil, "/a#b?c#d", "", "https://api.acme.example/v1/a%23b?c%23d"},
		{"duplicate base", plainAPI, nil, "/https://api.acme.example/v1/user", "", "https://api.acme.example/v1/user"},
		{"duplicate base alone", plainAPI, nil, "/https://api.acme.example/v1?x=1", "", "https://api.acme.example/v1/?x=1"},
		{"look-alike of the base", plainAPI, nil, "/https://api.acme.example/v10/x", "", "https://api.acme.example/v1/https://api.acme.example/v10/x"},
		{"foreign absolute URL", plainAPI, nil, "/https://evil.example/x", "", "https://api.acme.example/v1/https://evil.example/x"},
		{"caller placeholders are text", plainAPI, nil, "/${apiKey}/x?k=${apiKey}", "", "https://api.acme.example/v1/$%7BapiKey%7D/x?k=${apiKey}"},
		{"first alternative", sub, map[string]any{"sub": "eu"}, "/x", "", "https://eu.acme.example/x"},
		{"second alternative", sub, nil, "/x", "", "https://acme.example/x"},
		{"override", plainAPI, nil, "/x", "https://other.example/api/", "https://other.example/api/x"},
		{"override without api", "", nil, "/x", "https://other.example", "https://other.example/x"},
		{"override with query", plainAPI, nil, "/x?b=2", "https://other.example/api?a=1", "https://other.example/api/x?a=1&b=2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := build(t, target(provider(t, "NONE", c.api), none, c.config), upstream.Request{Endpoint: c.endpoint, BaseURL: c.override})
			if got := req.URL.Scheme + "://" + req.URL.Host + req.URL.RequestURI(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestURLErrors(t *testing.T) {
	t.Parallel()
	sub := "api:\n  base_url:\n    - https://${connectionConfig.sub}.acme.example\n"
	cases := []struct {
		name, api string
		config    map[string]any
		override  string
		code      string
	}{
		{"no api", "", nil, "", "missing_api_url"},
		{"unresolved", sub, nil, "", "missing_api_url"},
		{"escape from the host", sub, map[string]any{"sub": "evil.example/"}, "", "missing_api_url"},
		{"credentials in the host", sub, map[string]any{"sub": "a@evil"}, "", "missing_api_url"},
		{"bad override", plainAPI, nil, "ftp://x", "base_url_override_not_allowed"},
		{"credentials in override", plainAPI, nil, "https://a:b@x.example", "base_url_override_not_allowed"},
		{"fragment in override", plainAPI, nil, "https://x.example/#", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := upstream.Build(t.Context(), target(provider(t, "NONE", c.api), credential.NewNone(), c.config), upstream.Request{Method: "GET", BaseURL: c.override})
			if linkspan.CodeOf(err) != c.code {
				t.Errorf("got %v, want code %q", err, c.code)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	key, basic := credential.NewAPIKey("k3y"), credential.NewBasic("u", "p")
	oauth := credential.Credentials{Type: credential.OAuth2, AccessToken: linkspan.NewSecret("at")}
	api := func(headers string) string { return plainAPI + "  headers:\n" + headers }
	ua := "Linkspan (+https://github.com/linkspan/linkspan)"
	cases := []struct {
		name, mode, api string
		c               credential.Credentials
		config          map[string]any
		caller          http.Header
		want            http.Header
	}{
		{"nothing", "NONE", plainAPI, credential.NewNone(), nil, nil, http.Header{"User-Agent": {ua}}},
		{"basic", "BASIC", plainAPI, basic, nil, nil, http.Header{"Authorization": {"Basic dTpw"}, "User-Agent": {ua}}},
		{"bearer", "OAUTH2", plainAPI, oauth, nil, nil, http.Header{"Authorization": {"Bearer at"}, "User-Agent": {ua}}},
		{"api key has no default", "API_KEY", plainAPI, key, nil, nil, http.Header{"User-Agent": {ua}}},
		{
			"api key by template", "API_KEY", api("    - name: x-key\n      value: Key ${apiKey}\n"), key, nil, nil,
			http.Header{"X-Key": {"Key k3y"}, "User-Agent": {ua}},
		},
		{
			"configured authorization wins", "OAUTH2", api("    - name: authorization\n      value: token ${accessToken}\n"), oauth, nil, nil,
			http.Header{"Authorization": {"token at"}, "User-Agent": {ua}},
		},
		{
			"unresolved is left out", "API_KEY", api("    - name: x-tenant\n      value: ${connectionConfig.tenant}\n    - name: x-key\n      value: ${credentials.apiKey}\n"), key, nil, nil,
			http.Header{"X-Key": {"k3y"}, "User-Agent": {ua}},
		},
		{
			"fallback", "API_KEY", api("    - name: version\n      value: ${connectionConfig.version}\n      fallback: '2022'\n"), key, nil, nil,
			http.Header{"Version": {"2022"}, "User-Agent": {ua}},
		},
		{
			"values are not scanned again", "API_KEY", api("    - name: x-tenant\n      value: ${connectionConfig.tenant}\n"), key,
			map[string]any{"tenant": "${apiKey} || x"},
			nil,
			http.Header{"X-Tenant": {"${apiKey} || x"}, "User-Agent": {ua}},
		},
		{
			"caller wins", "BASIC", plainAPI, basic, nil,
			http.Header{"Authorization": {"mine"}, "User-Agent": {"my/1"}, "X-A": {"1", "2"}},
			http.Header{"Authorization": {"mine"}, "User-Agent": {"my/1"}, "X-A": {"1", "2"}},
		},
		{
			"configured user agent wins", "NONE", api("    - name: user-agent\n      value: fixed\n"), credential.NewNone(), nil,
			http.Header{"User-Agent": {"my/1"}},
			http.Header{"User-Agent": {"fixed"}},
		},
		{
			"no smuggling", "NONE", plainAPI, credential.NewNone(), nil, http.Header{
				"Host": {"evil"}, "Content-Length": {"5"}, "Transfer-Encoding": {"chunked"}, "Connection": {"X-Hop, close"}, "X-Hop": {"1"}, "Te": {"trailers"},
				"Trailer": {"X"}, "Upgrade": {"websocket"}, "Keep-Alive": {"1"}, "Proxy-Authorization": {"x"}, "Expect": {"100-continue"}, "X-Ok": {"1"},
			}, http.Header{"X-Ok": {"1"}, "User-Agent": {ua}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tg := target(provider(t, c.mode, c.api), c.c, c.config)
			for range 2 { // the second time from the plan
				req := build(t, tg, upstream.Request{Endpoint: "/x", Header: c.caller})
				if diff := cmp.Diff(c.want, req.Header); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				if req.Host != "api.acme.example" {
					t.Errorf("host %q", req.Host)
				}
			}
		})
	}
}

func TestHeaderInjection(t *testing.T) {
	t.Parallel()
	api := plainAPI + "  headers:\n    - name: x-key\n      value: ${apiKey}\n"
	for _, evil := range []string{"a\r\nX-Evil: 1", "a\nb", "a\x00b", "abc\n"} {
		_, err := upstream.Build(t.Context(), target(provider(t, "API_KEY", api), credential.NewAPIKey(evil), nil), upstream.Request{Method: "GET"})
		if linkspan.CodeOf(err) != "invalid_credentials" {
			t.Errorf("credential %q: %v", evil, err)
		}
		if err != nil && strings.Contains(err.Error(), "Evil") {
			t.Errorf("the error quotes the credential: %v", err)
		}
		_, err = upstream.Build(t.Context(), target(provider(t, "NONE", plainAPI), credential.NewNone(), nil), upstream.Request{Method: "GET", Header: http.Header{"X": {evil}}})
		if linkspan.CodeOf(err) != "invalid_headers" {
			t.Errorf("caller's %q: %v", evil, err)
		}
	}
}

func TestSignedHeadersSeeTheRequest(t *testing.T) {
	t.Parallel()
	api := plainAPI + "  headers:\n    - name: x-line\n      value: ${method} ${host} ${path} ${urlCanonicalParams} ${bodyCanonicalParams}\n" +
		"    - name: x-id\n      value: ${random}\n    - name: x-again\n      value: ${random}\n"
	tg := target(provider(t, "BASIC", api), credential.NewBasic("u", "p"), nil)
	if !tg.NeedsContent(http.MethodPost) || tg.NeedsContent(http.MethodGet) {
		t.Error("the body is signed where there is one")
	}
	r := upstream.Request{Method: "POST", Endpoint: "/a%2Fb?z=1&a=2", Content: []byte(`{"x":1}`), ContentType: "application/json"}
	first, second := build(t, tg, r), build(t, tg, r)
	if got, want := first.Header.Get("X-Line"), `POST api.acme.example /v1/a%2Fb a=2&z=1 {"x":1}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if first.Header.Get("X-Id") == "" || first.Header.Get("X-Id") != first.Header.Get("X-Again") {
		t.Error("the random value differs within one request")
	}
	if first.Header.Get("X-Id") == second.Header.Get("X-Id") {
		t.Error("the random value is the same in two requests")
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	api := plainAPI + "  query:\n    - name: key\n      value: ${apiKey}\n    - name: gone\n      value: ${connectionConfig.none}\n"
	tg := target(provider(t, "API_KEY", api), credential.NewAPIKey("a&b=c d"), nil)
	for endpoint, want := range map[string]string{
		"/x":                     "key=a%26b%3Dc+d",
		"/x?q=%20&key=mine&r":    "q=%20&r&key=a%26b%3Dc+d",
		"/x?%6bey=mine&keys=1":   "keys=1&key=a%26b%3Dc+d",
		"/x?gone=stays&Key=case": "gone=stays&Key=case&key=a%26b%3Dc+d",
	} {
		if got := build(t, tg, upstream.Request{Endpoint: endpoint}).URL.RawQuery; got != want {
			t.Errorf("%s: got %s, want %s", endpoint, got, want)
		}
	}
}

func TestGenericProvider(t *testing.T) {
	t.Parallel()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := cat.Provider("private-api-generic")
	if err != nil {
		t.Fatal(err)
	}
	make := func(custom map[string]string) *upstream.Target {
		tg := target(p, credential.NewAPIKey("k3y"), nil)
		tg.Integration.Secrets.Custom = map[string]linkspan.Secret{}
		for name, value := range custom {
			tg.Integration.Secrets.Custom[name] = linkspan.NewSecret(value)
		}
		return tg
	}
	req := build(t, make(map[string]string{"keyPlacement": "header", "keyName": "Authorization", "valueTemplate": "Api-Key ${apiKey}", "baseUrl": "https://own.example/api"}), upstream.Request{Endpoint: "/x"})
	if req.URL.String() != "https://own.example/api/x" || req.Header.Get("Authorization") != "Api-Key k3y" {
		t.Errorf("header: %s %v", req.URL, req.Header)
	}
	req = build(t, make(map[string]string{"keyPlacement": "query", "keyName": "api_key", "baseUrl": "https://own.example"}), upstream.Request{Endpoint: "/x?a=1"})
	if req.URL.String() != "https://own.example/x?a=1&api_key=k3y" {
		t.Errorf("query: %s", req.URL)
	}
	_, err = upstream.Build(t.Context(), make(map[string]string{"keyName": "bad name", "baseUrl": "https://own.example"}), upstream.Request{Method: "GET"})
	if linkspan.CodeOf(err) != "invalid_credentials" {
		t.Errorf("a bad key name: %v", err)
	}
}

func TestBodyInjection(t *testing.T) {
	t.Parallel()
	api := plainAPI + "  body:\n    key: ${apiKey}\n    auth:\n      id: ${connectionConfig.id}\n      none: ${connectionConfig.none}\n"
	tg := target(provider(t, "API_KEY", api), credential.NewAPIKey("k3y"), map[string]any{"id": "7"})
	cases := []struct{ name, method, contentType, body, want, wantType string }{
		{"empty", "POST", "", "", `{"auth":{"id":"7"},"key":"k3y"}`, "application/json"},
		{"object", "POST", "application/json", `{"a":1e400,"key":"mine"}`, `{"a":1e400,"auth":{"id":"7"},"key":"k3y"}`, "application/json"},
		{"list", "POST", "application/json", `[1]`, `[1]`, "application/json"},
		{"form", "PUT", "application/x-www-form-urlencoded", "a=1&key=mine", "a=1&auth%5Bid%5D=7&key=k3y", "application/x-www-form-urlencoded"},
		{"text", "PATCH", "text/plain", "hello", "hello", "text/plain"},
		{"report", "REPORT", "application/json", `{"a":1}`, `{"a":1}`, "application/json"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := build(t, tg, upstream.Request{Method: c.method, Content: []byte(c.body), ContentType: c.contentType})
			got, err := io.ReadAll(req.Body)
			if err != nil || string(got) != c.want || req.Header.Get("Content-Type") != c.wantType || req.ContentLength != int64(len(got)) {
				t.Errorf("got %s (%s, %d), %v; want %s (%s)", got, req.Header.Get("Content-Type"), req.ContentLength, err, c.want, c.wantType)
			}
		})
	}
	req := build(t, tg, upstream.Request{Method: "GET"})
	if req.Body != nil && req.Body != http.NoBody || req.Header.Get("Content-Type") != "" {
		t.Error("a GET got a body")
	}
}

func TestMultipartInjection(t *testing.T) {
	t.Parallel()
	tg := target(provider(t, "API_KEY", plainAPI+"  body:\n    key: ${apiKey}\n"), credential.NewAPIKey("k3y"), nil)
	var form strings.Builder
	w := multipart.NewWriter(&form)
	_ = w.WriteField("key", "mine")
	file, _ := w.CreateFormFile("f", "a.bin")
	_, _ = io.WriteString(file, "\x00\xff")
	_ = w.Close()
	req := build(t, tg, upstream.Request{
		Method: "POST", Content: []byte(form.String()), ContentType: w.FormDataContentType(),
		Header: http.Header{"Content-Type": {"multipart/form-data"}},
	})
	_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := multipart.NewReader(req.Body, params["boundary"]).ReadForm(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"key": {"k3y"}}, got.Value); diff != "" {
		t.Error(diff)
	}
	if len(got.File["f"]) != 1 || got.File["f"][0].Filename != "a.bin" || got.File["f"][0].Size != 2 {
		t.Errorf("the file did not survive: %v", got.File)
	}
	if _, err := upstream.Build(t.Context(), tg, upstream.Request{Method: "POST", Content: []byte("junk"), ContentType: "multipart/form-data; boundary=b"}); linkspan.CodeOf(err) != "invalid_body" {
		t.Errorf("junk: %v", err)
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	configured := plainAPI + "  headers:\n    - name: content-type\n      value: application/vnd.api+json\n"
	cases := []struct{ name, api, caller, incoming, want string }{
		{"incoming", plainAPI, "", "text/xml", "text/xml"},
		{"configured", configured, "", "application/json", "application/vnd.api+json"},
		{"caller", configured, "text/csv", "application/json", "text/csv"},
		{"multipart keeps its boundary", configured, "", "multipart/form-data; boundary=b", "multipart/form-data; boundary=b"},
		{"multipart named by the caller", configured, "multipart/form-data", "multipart/form-data; boundary=b", "multipart/form-data; boundary=b"},
		{"none", plainAPI, "", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := upstream.Request{Method: "POST", Body: io.NopCloser(strings.NewReader("x")), ContentLength: 1, ContentType: c.incoming, Header: http.Header{}}
			if c.caller != "" {
				r.Header.Set("Content-Type", c.caller)
			}
			req := build(t, target(provider(t, "NONE", c.api), credential.NewNone(), nil), r)
			if got := req.Header.Get("Content-Type"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Key")+" "+r.Header.Get("Content-Type")+" "+string(body))
		if r.Header.Get("X-Key") != "good" || strings.HasPrefix(r.URL.Path, "/first") {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	api := "api:\n  base_url:\n    - ${connectionConfig.url}\n  verify:\n    method: POST\n    paths:\n      - /first\n      - /second/${connectionConfig.org}?q=1\n" +
		"    headers:\n      - name: x-key\n        value: ${apiKey}\n    body:\n      a: 1\n"
	caller := upstream.New(upstream.Config{Guard: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)})
	defer caller.CloseIdleConnections()
	config := map[string]any{"url": server.URL, "org": "a b/c"}
	if err := caller.Verify(t.Context(), target(provider(t, "API_KEY", api), credential.NewAPIKey("good"), config)); err != nil {
		t.Fatal(err)
	}
	want := []string{`POST /first good application/json {"a":1}`, `POST /second/a%20b/c?q=1 good application/json {"a":1}`}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	for name, tg := range map[string]*upstream.Target{
		"refused":     target(provider(t, "API_KEY", api), credential.NewAPIKey("bad"), config),
		"unresolved":  target(provider(t, "API_KEY", api), credential.NewAPIKey("bad"), map[string]any{"url": server.URL}),
		"unreachable": target(provider(t, "API_KEY", api), credential.NewAPIKey("good"), map[string]any{"url": "http://169.254.169.254", "org": "x"}),
	} {
		err := caller.Verify(t.Context(), tg)
		if linkspan.CodeOf(err) != "connection_test_failed" || linkspan.KindOf(err) != linkspan.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := caller.Verify(t.Context(), target(provider(t, "NONE", plainAPI), credential.NewNone(), nil)); err != nil {
		t.Errorf("nothing to verify: %v", err)
	}
}

func FuzzJoinEndpoint(f *testing.F) {
	for _, seed := range []string{
		"", "/", "//", "/a//b", "/../..", "/%2e%2e/%2F", "/https://evil.example/", "//evil.example", "/@evil.example", "/\\evil.example", "/a?b#c", "?x=1",
		"/%zz", "/\x00\r\n", "/https://api.acme.example/v1", ":80/x", "/é?ü", "/${apiKey}", "*",
	} {
		f.Add(seed)
	}
	tg := target(provider(f, "NONE", plainAPI), credential.NewNone(), nil)
	f.Fuzz(func(t *testing.T, endpoint string) {
		req, err := upstream.Build(context.Background(), tg, upstream.Request{Method: "GET", Endpoint: endpoint})
		if err != nil {
			t.Fatalf("%q: %v", endpoint, err)
		}
		uri := req.URL.RequestURI()
		parsed, err := url.ParseRequestURI(uri)
		if err != nil {
			t.Fatalf("%q: not a request target: %q: %v", endpoint, uri, err)
		}
		if req.URL.Host != "api.acme.example" || req.Host != "api.acme.example" || parsed.Host != "" {
			t.Fatalf("%q: leads to %q", endpoint, req.URL.Host)
		}
		if !strings.HasPrefix(uri, "/v1/") {
			t.Fatalf("%q: leaves the base path: %q", endpoint, uri)
		}
		if strings.ContainsAny(uri, " \r\n\t\x00#") {
			t.Fatalf("%q: invalid bytes in %q", endpoint, uri)
		}
		if plainPath(endpoint) && uri != "/v1/"+strings.TrimPrefix(endpoint, "/") {
			t.Fatalf("%q became %q", endpoint, uri)
		}
	})
}

// plainPath reports endpoints whose bytes must arrive unchanged.
func plainPath(endpoint string) bool {
	if strings.HasPrefix(strings.TrimPrefix(endpoint, "/"), "https://api.acme.example/v1") || strings.HasSuffix(endpoint, "?") {
		return false
	}
	for i := range len(endpoint) {
		if c := endpoint[i]; c != '/' && c != '.' && c != '-' && c != '=' && c != '&' && c != '?' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func BenchmarkBuild(b *testing.B) {
	tg := target(provider(b, "OAUTH2", plainAPI), credential.Credentials{Type: credential.OAuth2, AccessToken: linkspan.NewSecret("at")}, nil)
	header := http.Header{"Accept": {"application/json"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := upstream.Build(b.Context(), tg, upstream.Request{Method: "GET", Endpoint: "/users/1?x=y", Header: header}); err != nil {
			b.Fatal(err)
		}
	}
}
