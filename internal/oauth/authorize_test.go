package oauth_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/oauth"
)

// consentProvider parses a provider. authorize is what stands below
// auth.authorize, rest what stands below auth and after it, at its indentation.
func consentProvider(t testing.TB, authorize, rest string) *catalog.Provider {
	t.Helper()
	if !strings.Contains(authorize, "    url:") {
		authorize += "    url: ['https://acme.example/authorize']\n"
	}
	if !strings.Contains(rest, "  token:") {
		rest = "  token: {url: ['https://acme.example/token']}\n" + rest
	}
	p, err := catalog.ParseProvider("acme.yaml", "acme", []byte("name: acme\ndisplay_name: Acme\nauth:\n  mode: OAUTH2\n  authorize:\n"+authorize+rest))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func authorizeRequest(p *catalog.Provider) oauth.AuthorizeRequest {
	return oauth.AuthorizeRequest{
		Provider: p, ClientID: "id", RedirectURI: "https://connect.example/oauth/callback", State: "s1",
		CodeVerifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", Scopes: []string{"a", "b c"},
	}
}

const (
	plainHead = "https://acme.example/authorize?response_type=code&client_id=id&redirect_uri=https%3A%2F%2Fconnect.example%2Foauth%2Fcallback"
	// plainTail is the challenge of RFC 7636 appendix B.
	plainTail = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
	withoutID = "    pkce: false\n"
)

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	config := func(pairs ...any) func(*oauth.AuthorizeRequest) {
		return func(in *oauth.AuthorizeRequest) {
			in.ConnectionConfig = map[string]any{}
			for i := 0; i < len(pairs); i += 2 {
				in.ConnectionConfig[fmt.Sprint(pairs[i])] = pairs[i+1]
			}
		}
	}
	params := func(pairs ...string) func(*oauth.AuthorizeRequest) {
		return func(in *oauth.AuthorizeRequest) {
			in.Params = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				in.Params[pairs[i]] = pairs[i+1]
			}
		}
	}
	tests := []struct {
		name, authorize, rest string
		change                func(*oauth.AuthorizeRequest)
		want                  string
	}{
		{name: "plain", want: plainHead + "&scope=a%20b%20c&state=s1" + plainTail},
		{name: "without PKCE", authorize: withoutID, want: plainHead + "&scope=a%20b%20c&state=s1"},
		{name: "scopes divided by commas", authorize: withoutID, rest: "  scopes: {separator: ','}\n", want: plainHead + "&scope=a%2Cb%20c&state=s1"},
		{name: "no scopes", authorize: withoutID, change: func(in *oauth.AuthorizeRequest) { in.Scopes = nil }, want: plainHead + "&scope=&state=s1"},
		{
			name: "no scopes and empty ones dropped", authorize: withoutID + "    rewrite: {drop_empty: true}\n",
			change: func(in *oauth.AuthorizeRequest) { in.Scopes = nil }, want: plainHead + "&state=s1",
		},
		{
			name: "raw scopes", authorize: withoutID + "    rewrite: {leave_unescaped: [scopes]}\n", rest: "  scopes: {separator: '+'}\n",
			change: func(in *oauth.AuthorizeRequest) { in.Scopes = []string{"a:b/c", "d&state=x#y"} },
			want:   plainHead + "&scope=a:b/c+d%26state=x%23y&state=s1",
		},
		{
			name: "the provider's parameters", authorize: withoutID + "    params:\n      - {name: prompt, value: consent}\n      - {name: flag, value: false}\n      - {name: scope, value: fixed}\n      - {name: aud, value: 'x-${connectionConfig.team}'}\n",
			change: config("team", "a&b"), want: plainHead + "&scope=fixed&state=s1&prompt=consent&flag=false&aud=x-a%26b",
		},
		{
			name: "the caller's parameters", authorize: withoutID + "    params:\n      - {name: prompt, value: consent}\n      - {name: access, value: offline}\n",
			change: params("prompt", "none", "access", "undefined", "login_hint", "a@b", "", "x"),
			want:   plainHead + "&scope=a%20b%20c&state=s1&prompt=none&login_hint=a%40b",
		},
		{
			name: "the protocol's parameters are not the caller's",
			change: params("state", "x", "redirect_uri", "https://evil.example", "client_id", "x", "response_type", "token", "code_challenge", "x",
				"code_challenge_method", "plain", "State", "x", "REDIRECT_URI", "x", "request", "x", "request_uri", "x", "response_mode", "form_post", "client_secret", "x"),
			want: plainHead + "&scope=a%20b%20c&state=s1" + plainTail,
		},
		{
			name: "nor in a spelling that servers read as theirs",
			change: params(" redirect_uri", "x", "redirect_uri ", "x", "\tstate", "x", "redirect.uri", "x", "redirect uri", "x", "redirect[uri", "x",
				"redirect_uri[]", "x", "state[a][b]", "x", "Client.ID", "x", "response type[", "x"),
			want: plainHead + "&scope=a%20b%20c&state=s1" + plainTail,
		},
		{
			name: "nor can it remove them", change: params("state", "undefined", "code_challenge", "undefined", "redirect_uri", "undefined"),
			want: plainHead + "&scope=a%20b%20c&state=s1" + plainTail,
		},
		{
			name: "nor by the provider's names of them", authorize: withoutID + "    rewrite:\n      replace: [{find: redirect_uri, with: redirect_url}]\n",
			change: params("redirect_url", "https://evil.example"),
			want:   strings.Replace(plainHead, "redirect_uri", "redirect_url", 1) + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "user scopes where they are known", authorize: withoutID + "    params: [{name: user_scope, value: ''}]\n",
			change: func(in *oauth.AuthorizeRequest) { in.UserScope = "u:read" }, want: plainHead + "&scope=a%20b%20c&state=s1&user_scope=u%3Aread",
		},
		{
			name: "user scopes where they are not", authorize: withoutID,
			change: func(in *oauth.AuthorizeRequest) { in.UserScope = "u:read" }, want: plainHead + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "replacements in their order, first occurrences", authorize: withoutID + "    rewrite:\n      replace: [{find: client_id, with: app_id}, {find: acme, with: acme2}, {find: response_type, with: ''}]\n    url: ['https://login.example/acme/acme']\n",
			want: strings.NewReplacer("acme.example/authorize", "login.example/acme2/acme", "client_id", "app_id", "response_type", "").Replace(plainHead) + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "fragment", authorize: withoutID + "    rewrite: {fragment: /oauth}\n    url: ['https://acme.example']\n",
			want: strings.Replace(plainHead, "/authorize", "/#/oauth", 1) + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "query of the page is kept", authorize: withoutID + "    url: ['https://acme.example/authorize?tenant=1']\n",
			want: strings.Replace(plainHead, "?", "?tenant=1&", 1) + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "first address that can be filled", authorize: withoutID + "    url: ['https://${connectionConfig.host}/authorize', 'https://acme.example/authorize']\n",
			change: config("host", ""), want: plainHead + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "values are encoded", authorize: withoutID + "    url: ['https://acme.example/${connectionConfig.tenant}']\n",
			change: config("tenant", "a/b?c"), want: strings.Replace(plainHead, "authorize", "a%2Fb%3Fc", 1) + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "values are raw where the file says so", authorize: withoutID + "    rewrite: {leave_unescaped: [base_url]}\n    url: ['https://acme.example/${connectionConfig.tenant}']\n",
			change: config("tenant", "a/b"), want: strings.Replace(plainHead, "authorize", "a/b", 1) + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "values are not templates", authorize: withoutID + "    url: ['https://acme.example/${connectionConfig.tenant}']\n    params: [{name: t, value: '${connectionConfig.tenant}'}]\n",
			change: config("tenant", "${connectionConfig.secret} || ${x}", "secret", "no"),
			want: strings.Replace(plainHead, "authorize", "%24%7BconnectionConfig.secret%7D%20%7C%7C%20%24%7Bx%7D", 1) +
				"&scope=a%20b%20c&state=s1&t=%24%7BconnectionConfig.secret%7D%20%7C%7C%20%24%7Bx%7D",
		},
		{
			name: "a parameter that nobody has to give", authorize: withoutID + "    params: [{name: a, value: '${connectionConfig.a}'}, {name: b, value: '${connectionConfig.b}'}]\n",
			rest: "inputs:\n  connection_config: [{name: a, system: true}, {name: b, title: B}]\n", want: plainHead + "&scope=a%20b%20c&state=s1",
		},
		{
			name: "a token endpoint that the redirect completes", authorize: withoutID,
			rest: "  token: {url: ['https://${connectionConfig.dc}.acme.example/token']}\n  capture: {callback_query: [dc]}\n",
			want: plainHead + "&scope=a%20b%20c&state=s1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := authorizeRequest(consentProvider(t, tt.authorize, tt.rest))
			if tt.change != nil {
				tt.change(&in)
			}
			got, err := oauth.AuthorizeURL(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("address (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuthorizeURLErrors(t *testing.T) {
	t.Parallel()
	const fields = "inputs:\n  connection_config:\n    - {name: shop, title: Shop Name, required: true, pattern: '^[a-z]+$'}\n" +
		"    - {name: region, title: Region, choices: [{value: eu}, {value: us}]}\n    - {name: legacy, hidden: true}\n"
	const shop = "    url: ['https://${connectionConfig.shop}.acme.example/authorize', 'https://${connectionConfig.legacy}/authorize']\n"
	const anyHost = "    url: ['https://${connectionConfig.host}/authorize']\n"
	tests := []struct {
		name, authorize, rest string
		config                map[string]any
		change                func(*oauth.AuthorizeRequest)
		code, says            string
	}{
		{name: "no setting", authorize: shop, rest: fields, code: "url_param_err", says: `"Shop Name" (shop) is missing`},
		{name: "empty setting", authorize: shop, rest: fields, config: map[string]any{"shop": ""}, code: "url_param_err", says: `"Shop Name" (shop) is missing`},
		{name: "setting against its pattern", authorize: shop, rest: fields, config: map[string]any{"shop": "a-b"}, code: "url_param_err", says: "Shop Name must match"},
		{
			name: "setting that is none of the choices", rest: "  token: {url: ['https://api.${connectionConfig.region}/token']}\n" + fields,
			config: map[string]any{"region": "evil.example"}, code: "url_param_err", says: "Region must be one of eu, us",
		},
		{name: "field that is not described", authorize: anyHost, code: "url_param_err", says: "setting host is missing"},
		{name: "host with a path out", authorize: anyHost, config: map[string]any{"host": "a.example/../x"}, code: "url_param_err", says: "consent page"},
		{name: "host with a user", authorize: anyHost, config: map[string]any{"host": "acme.example@evil.example"}, code: "url_param_err", says: "host must be a host name"},
		{name: "host with a fragment", authorize: anyHost, config: map[string]any{"host": "evil.example#"}, code: "url_param_err", says: "host must be a host name"},
		{
			name: "label that ends the host", authorize: "    url: ['https://${connectionConfig.shop}.acme.example/authorize']\n",
			config: map[string]any{"shop": "evil.example/"}, code: "url_param_err", says: "shop is part of a host name",
		},
		{
			name: "script", authorize: "    url: ['${connectionConfig.host}']\n",
			config: map[string]any{"host": "javascript:alert(1)"}, code: "url_param_err", says: "must be an absolute http or https URL",
		},
		{
			name: "parameter that somebody has to give", authorize: "    params: [{name: shop, value: '${connectionConfig.shop}'}]\n", rest: fields,
			code: "url_param_err", says: `"Shop Name" (shop) is missing`,
		},
		{name: "token endpoint", rest: "  token: {url: ['https://${connectionConfig.shop}.acme.example/token']}\n" + fields, code: "url_param_err", says: "token endpoint depends on it"},
		{
			name: "parameter of the token request", rest: "  token:\n    url: ['https://acme.example/token']\n    params: [{name: shop, value: '${connectionConfig.shop}'}]\n" + fields,
			code: "url_param_err", says: `"Shop Name" (shop) is missing`,
		},
		{
			name: "too much", change: func(in *oauth.AuthorizeRequest) {
				in.Params = map[string]string{"login_hint": strings.Repeat("é", 10<<10)}
			}, code: "url_param_err", says: "longer than",
		},
		{
			name: "other grant", rest: "  token:\n    url: ['https://acme.example/token']\n    params: [{name: grant_type, value: client_credentials}]\n",
			code: "grant_type_err", says: "another grant",
		},
		{name: "no client", change: func(in *oauth.AuthorizeRequest) { in.ClientID = "" }, code: "provider_config_err", says: "client ID"},
		{name: "no state", change: func(in *oauth.AuthorizeRequest) { in.State = "" }, says: "state"},
		{name: "no verifier", change: func(in *oauth.AuthorizeRequest) { in.CodeVerifier = "" }, says: "verifier"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := authorizeRequest(consentProvider(t, tt.authorize, tt.rest))
			in.ConnectionConfig = tt.config
			if tt.change != nil {
				tt.change(&in)
			}
			got, err := oauth.AuthorizeURL(in)
			if err == nil || linkspan.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %q, %v; want code %q and %q", got, err, tt.code, tt.says)
			}
			for _, value := range tt.config {
				if text := fmt.Sprint(value); text != "" && strings.Contains(err.Error(), text) {
					t.Errorf("the error shows the value: %v", err)
				}
			}
		})
	}
}

func TestNewCodeVerifier(t *testing.T) {
	t.Parallel()
	a, b := oauth.NewCodeVerifier(), oauth.NewCodeVerifier()
	if a == b || len(a) != 43 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		t.Errorf("verifiers %q and %q", a, b)
	}
}

// FuzzAuthorizeURL checks that nothing a caller or a user gives changes where the
// user is sent to, or what the protocol depends on.
func FuzzAuthorizeURL(f *testing.F) {
	for _, seed := range [][4]string{
		{"acme", "prompt", "none", "read"},
		{"evil.example/", "state", "x", "a b"},
		{"${connectionConfig.x}", "redirect_uri", "https://evil.example", "&state=x"},
		{"a#", "redirect_url", "undefined", "#"},
		{"..", "x&state", "1&state=2", "%26state=x"},
		{"redirect_uri", "ſtate", "?", "?state=x"},
		{"0", "0", "0", ";state=x"},
		{"\x00", "\n", "\r\nLocation: x", "é"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	p := consentProvider(f, "    rewrite: {leave_unescaped: [scopes, base_url], replace: [{find: redirect_uri, with: redirect_url}], drop_empty: true}\n"+
		"    params: [{name: t, value: '${connectionConfig.x}'}]\n    url: ['https://${connectionConfig.x}.acme.example/${connectionConfig.y}/authorize']\n", "")
	f.Fuzz(func(t *testing.T, value, name, param, scope string) {
		in := authorizeRequest(p)
		in.Scopes = []string{scope}
		in.ConnectionConfig = map[string]any{"x": value, "y": "tenant"}
		in.Params = map[string]string{name: param}
		text, err := oauth.AuthorizeURL(in)
		if err != nil {
			if code := linkspan.CodeOf(err); code != "url_param_err" {
				t.Fatalf("error %v has the code %q", err, code)
			}
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Host, ".acme.example") || u.User != nil || u.Fragment != "" || u.Path != "/tenant/authorize" {
			t.Fatalf("the user is sent to %q, %v", text, err)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for key, want := range map[string]string{"state": "s1", "response_type": "code", "client_id": "id", "code_challenge_method": "S256"} {
			if len(q[key]) != 1 || q.Get(key) != want {
				t.Errorf("%s = %q in %q", key, q[key], text)
			}
		}
		if where := append(q["redirect_url"], q["redirect_uri"]...); len(where) != 1 || where[0] != in.RedirectURI {
			t.Errorf("the redirect goes to %q in %q", where, text)
		}
	})
}
