package connectui

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/authorize"
)

// answer is the head of an answer whose body was read.
type answer struct {
	StatusCode int
	Status     string
	Header     http.Header
	Cookies    []*http.Cookie
}

// ask sends a form and returns the answer and its body.
func (r *rig) ask(t testing.TB, path string, form url.Values, headers ...string) (answer, string) {
	t.Helper()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Status, res.Header, res.Cookies()}, string(text)
}

// TestWeight counts what a browser loads for the first view, compressed, on the
// heaviest list that the shell carries.
func TestWeight(t *testing.T) {
	t.Parallel()
	const limit = 60_000
	r := newRig(t)
	r.session("all", acme(), linkspan.ConnectSession{}, everything(t)...)
	_, page := r.ask(t, "/connect-ui/?session_token=all", nil)
	paths := append(regexp.MustCompile(`/connect-ui/assets/[\w.]+`).FindAllString(page, -1), "/connect-ui/?session_token=all")
	if len(paths) != 4 {
		t.Fatalf("the page loads %v", paths)
	}
	total := 0
	for _, path := range paths {
		res, body := r.ask(t, path, nil, "Accept-Encoding", "gzip")
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %s, encoded as %q", path, res.Status, res.Header.Get("Content-Encoding"))
		}
		if strings.Contains(path, "assets") && !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not kept for good", path)
		}
		t.Logf("%6d %s", len(body), path)
		total += len(body)
	}
	if total > limit {
		t.Errorf("the first view takes %d bytes, at most %d are allowed", total, limit)
	}
}

// TestTokenStaysOutOfAddresses looks for the token in links and actions.
func TestTokenStaysOutOfAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session("s3cret", acme(), linkspan.ConnectSession{}, integrations("github", "datadog")...)
	for path, form := range map[string]url.Values{
		"/connect-ui/?session_token=s3cret":       nil,
		"/connect-ui/":                            {"session_token": {"s3cret"}, "q": {"git"}},
		"/connect-ui/integrations/github":         {"session_token": {"s3cret"}},
		"/connect-ui/integrations/datadog":        {"session_token": {"s3cret"}},
		"/connect-ui/integrations/github/start":   {"session_token": {"s3cret"}},
		"/connect-ui/integrations/github/problem": {"session_token": {"s3cret"}, "code": {"token_err"}},
	} {
		res, page := r.ask(t, path, form)
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, res.Status)
		}
		for _, at := range regexp.MustCompile(`(?:href|action|src|url)="?[^">]*s3cret`).FindAllString(page, -1) {
			t.Errorf("%s: the token is in %s", path, at)
		}
		if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, res.Header)
		}
	}
	// With the token in a header, it is nowhere in the answer.
	if _, page := r.ask(t, "/connect-ui/integrations/github", url.Values{}, "Authorization", "Bearer s3cret", "HX-Request", "true"); strings.Contains(page, "s3cret") || strings.Contains(page, "<html") {
		t.Errorf("the fragment is %s", page)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session("some", acme(), linkspan.ConnectSession{AllowedIntegrations: []string{"github", "gone", "netsuite-tba"}}, integrations("github", "datadog", "netsuite-tba")...)
	w := english()
	tests := []struct {
		name, path, token string
		status            int
		want              string
	}{
		{"unknown session", "/connect-ui/integrations/github", "other", 401, w.Expired.Title},
		{"no session", "/connect-ui/integrations/github", "", 401, w.NoToken.Title},
		{"not allowed", "/connect-ui/integrations/datadog", "some", 403, w.NotOffered.Title},
		{"not allowed to begin", "/connect-ui/integrations/datadog/start", "some", 403, w.NotOffered.Title},
		{"not allowed to connect", "/connect-ui/integrations/datadog/connect", "some", 403, w.NotOffered.Title},
		{"deleted", "/connect-ui/integrations/gone", "some", 404, w.NotOffered.Title},
		{"unsupported", "/connect-ui/integrations/netsuite-tba", "some", 400, say(w.Unsupported.Title, "provider", "NetSuite")},
		{"injected", "/connect-ui/integrations/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "some", 403, w.NotOffered.Title},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			res, page := r.ask(t, test.path, url.Values{"session_token": {test.token}})
			if res.StatusCode != test.status || !strings.Contains(page, strings.ReplaceAll(test.want, "'", "&#39;")) || strings.Contains(page, "<script>") {
				t.Errorf("got %s and a page without %q:\n%s", res.Status, test.want, page)
			}
		})
	}
	res, page := r.ask(t, "/connect-ui/", url.Values{"q": {strings.Repeat("x", 300<<10)}})
	if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(page, "<h1") {
		t.Errorf("a huge form got %s", res.Status)
	}
}

// TestStart checks what the window for the provider gets.
func TestStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session("s", acme(), linkspan.ConnectSession{}, integrations("zendesk")...)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Client().Jar = jar
	res, page := r.ask(t, "/connect-ui/integrations/zendesk/start", url.Values{
		"session_token": {"s"}, "s.subdomain": {"acme"}, "ws_client_id": {"p1"}, "lang": {"de"},
	})
	if res.StatusCode != http.StatusOK || !strings.Contains(page, `content="0;url=`+r.URL+`/provider?popup=p1"`) {
		t.Errorf("got %s\n%s", res.Status, page)
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the window's policy is %s", policy)
	}
	if c := res.Cookies; len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode || c[0].Name != "oauth2-x" {
		t.Errorf("the cookies are %v", c)
	}
	want := authorize.Request{IntegrationKey: "zendesk", Params: map[string]string{"subdomain": "acme"}, PopupID: "p1", Lang: "de"}
	if diff := cmp.Diff(want, r.begun[0], cmp.Comparer(func(a, b linkspan.Secret) bool { return a.Reveal() == b.Reveal() })); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
	res, page = r.ask(t, "/connect-ui/integrations/zendesk/start", url.Values{"session_token": {"s"}, "ws_client_id": {"p1"}})
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, `name="ws_client_id" value="p1"`) {
		t.Errorf("a form without its values got %s", res.Status)
	}
}

// TestPromises says that credentials are tried out only where they are: by the
// call of the catalogue, or by a hook.
func TestPromises(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session("s", acme(), linkspan.ConnectSession{}, integrations("datadog", "azure-devops", "private-api-bearer")...)
	checked, stored := "are checked with", "are stored encrypted and used only"
	for key, want := range map[string]string{"datadog": checked, "azure-devops": checked, "private-api-bearer": stored} {
		if _, page := r.ask(t, "/connect-ui/integrations/"+key, url.Values{"session_token": {"s"}}); !strings.Contains(page, want) {
			t.Errorf("the card of %s does not say that details %s", key, want)
		}
	}
}

// TestHostileNames shows names, texts and addresses that would like to be code.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	const evil = `"'></script><img src=x onerror=hacked=1>`
	r := newRig(t)
	r.session("s", linkspan.ConnectUISettings{AppName: evil[:40], AppLogoURL: "https://acme.example/" + evil, LightPrimary: "red;}" + evil, DefaultTheme: evil}, linkspan.ConnectSession{
		Overrides: map[string]linkspan.IntegrationOverrides{"github": {DocsConnect: "javascript:hacked=1"}},
		Defaults: map[string]linkspan.IntegrationDefaults{"github": {ConnectionConfig: map[string]any{
			"oauth_scopes_override": evil, "oauth_client_id_override": "", "oauth_client_secret_override": "",
		}}},
	}, linkspan.Integration{Key: "github", Provider: "github", DisplayName: evil}, linkspan.Integration{Key: evil, Provider: evil}, linkspan.Integration{Key: "zendesk", Provider: "zendesk"})
	for path, form := range map[string]url.Values{
		"/connect-ui": {"q": {evil}},
		"/connect-ui?lang=" + url.QueryEscape(evil):        {"back": {evil}, "theme": {evil}, "lang": {evil}},
		"/connect-ui/integrations/github":                  {"ws_client_id": {evil}},
		"/connect-ui/integrations/github/done":             {"connection_id": {evil}},
		"/connect-ui/integrations/github/problem":          {"code": {evil}, "message": {evil}},
		"/connect-ui/integrations/zendesk/start":           {"s.subdomain": {evil}, "ws_client_id": {evil}},
		"/connect-ui/integrations/" + url.PathEscape(evil): {},
	} {
		form.Set("session_token", "s")
		for _, fragment := range []string{"true", ""} {
			res, page := r.ask(t, path, form, "Hx-Request", fragment)
			if strings.Contains(page, "<img src=x") || strings.Contains(page, "javascript:") || strings.Contains(page, "red;}") || !strings.Contains(page, `class="view`) {
				t.Errorf("%s %v: %s\n%s", path, form, res.Status, page)
			}
		}
	}
}

// TestResult checks the page's promises of wire contract §8.4.
func TestResult(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	page := func(result authorize.Result) (*httptest.ResponseRecorder, string) {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/oauth/callback", nil)
		if err := r.ui.Result(w, req, result); err != nil {
			t.Fatal(err)
		}
		return w, w.Body.String()
	}
	w, text := page(authorize.Result{Success: true, ProviderName: "GitHub", Status: 200})
	for _, want := range []string{`{"type":"nango_oauth_callback_success"}`, `opener.postMessage(m,"*")`, `new BroadcastChannel("nango-oauth-callback")`, "nango_oauth_callback_ack", "setTimeout(()=>close(),500)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of a success lacks %s", want)
		}
	}
	if _, named := page(authorize.Result{Success: true, IntegrationKey: "github", ConnectionName: "</script>", Status: 200}); !strings.Contains(named,
		`"payload":{"connectionId":"\u003c/script\u003e","providerConfigKey":"github"}`) {
		t.Error("the page of a success does not name the connection")
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	if w.Header().Get("Cross-Origin-Opener-Policy") != "" {
		t.Error("the page is cut off from its opener")
	}
	w, text = page(authorize.Result{
		Code: "callback_err", Message: `</script><script>alert("x")`, Status: 400, IntegrationKey: `"><b>`,
		Query: []authorize.QueryParam{{Name: "error", Value: "</script>&'"}, {Name: "state", Value: "[redacted]"}},
	})
	if w.Code != 400 || strings.Count(text, "</script>") != 1 || strings.Contains(text, "<b>") {
		t.Errorf("hostile texts get through: %d\n%s", w.Code, text[strings.Index(text, "<body"):])
	}
	if !strings.Contains(text, "nango_oauth_callback_error") || !strings.Contains(text, `"errorType":"callback_err"`) || strings.Contains(text, "setTimeout") {
		t.Error("the page of a failure does not tell, or closes")
	}
	w, text = page(authorize.Result{Code: "state_err", Status: 400, Lang: "fr"})
	if !strings.Contains(text, `<html lang="fr"`) || w.Header().Get("Content-Language") != "fr" || !strings.Contains(text, french().Stale.Title) {
		t.Error("the page is not in the language that was asked for")
	}
	// Nobody knows which provider a stray callback is about.
	if _, text = page(authorize.Result{Code: "x", Status: 400, Query: []authorize.QueryParam{{Name: "code", Value: "[redacted]"}}}); !strings.Contains(text,
		"The service could not be connected") || !strings.Contains(text, "What the service sent") {
		t.Error("the page leaves a gap where the provider should be")
	}
}

func TestShortNames(t *testing.T) {
	t.Parallel()
	items := []item{{Name: "GitHub (User OAuth)"}, {Name: "1Password (SCIM)"}, {Name: "1Password (Events API)"}, {Name: "(odd)"}, {Name: "Plain"}}
	shorten(items)
	var got []string
	for _, i := range items {
		got = append(got, i.Name)
	}
	if diff := cmp.Diff([]string{"GitHub", "1Password (SCIM)", "1Password (Events API)", "(odd)", "Plain"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res, text := r.ask(t, "/connect-ui/look?light=%23ff0000&dark=x", nil)
	if res.StatusCode != http.StatusOK || !strings.Contains(text, `"accent":"#ff0000"`) {
		t.Errorf("got %s %s", res.Status, text)
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session("all", acme(), linkspan.ConnectSession{}, everything(t)...)
	count := func(form url.Values) int {
		_, page := r.ask(t, "/connect-ui/", form, "Authorization", "Bearer all", "HX-Request", "true")
		return strings.Count(page, "<li>")
	}
	for want, form := range map[int]url.Values{
		56:  {"q": {""}, "part": {"results"}},
		106: {"q": {""}, "show": {"100"}},
		50:  {"q": {"a"}},
		0:   {"q": {"no such thing"}},
		5:   {"q": {" Asana"}, "show": {"-4"}},
	} {
		if got := count(form); got != want && want != 5 || want == 5 && got == 0 {
			t.Errorf("%v shows %d, want %d", form, got, want)
		}
	}
}
