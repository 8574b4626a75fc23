package oauth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/catalog"
)

// authority is the authorization server of a provider, as its catalogue entry
// describes it, behind every host. It fills templates in a way of its own, by
// plain replacement, so that it does not share the mistakes of the code it tests.
type authority struct {
	t        *testing.T
	p        *catalog.Provider
	settings map[string]any
	// callback and captured are what the redirect brings and what a connection
	// should have in the end.
	callback, captured map[string]any

	mu        sync.Mutex
	page      string // the consent page without its query
	challenge string
	sent      []string // token requests, masked
}

func newAuthority(t *testing.T, p *catalog.Provider, settings map[string]any) *authority {
	t.Helper()
	a := &authority{t: t, p: p, settings: settings, callback: map[string]any{}, captured: map[string]any{}}
	for _, path := range p.Auth.Capture.TokenResponse {
		a.captured[path] = "captured-of-" + path
	}
	for _, name := range p.Auth.Capture.CallbackQuery {
		value := "redirected"
		if f := p.Inputs.ConnectionConfig.Lookup(name); f != nil {
			value = sampleValue(t, f)
		}
		a.callback[name], a.captured[name] = value, value
	}
	return a
}

// fill replaces the placeholders of settings; ok is false when one has no value.
func (a *authority) fill(template string) (text string, ok bool) {
	for _, values := range []map[string]any{a.settings, a.callback} {
		for name, value := range values {
			if value != "" {
				template = strings.ReplaceAll(template, "${connectionConfig."+name+"}", fmt.Sprint(value))
			}
		}
	}
	return template, !strings.Contains(template, "${")
}

// firstFilled returns the first alternative of an address that has all values.
func (a *authority) firstFilled(urls catalog.URLs) string {
	for i := range urls {
		if text, ok := a.fill(urls[i].String()); ok {
			return text
		}
	}
	a.t.Fatalf("no alternative of %s can be filled", urls)
	return ""
}

// consent reads the consent page's address as the provider does, checks it, and
// returns the query with which the user comes back.
func (a *authority) consent(text string) url.Values {
	a.t.Helper()
	auth := &a.p.Auth.Authorize
	a.page = a.firstFilled(auth.URL)
	if strings.Count(a.page, "/") == 2 {
		a.page += "/" // how browsers have it
	}
	prefix := a.page + "?"
	if auth.Rewrite.Fragment != "" {
		prefix = a.page + "#" + auth.Rewrite.Fragment + "?"
	}
	raw, ok := strings.CutPrefix(text, prefix)
	if !ok {
		a.t.Fatalf("the consent page is %s, want %s...", text, prefix)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, values := range q {
		if len(values) > 1 {
			a.t.Errorf("the consent page gets %s %d times", name, len(values))
		}
		if auth.Rewrite.DropEmpty && values[0] == "" {
			a.t.Errorf("the consent page gets an empty %s", name)
		}
	}
	for name, want := range a.consentParams() {
		if values := q[name]; len(values) != 1 || want != "*" && values[0] != want {
			a.t.Errorf("the consent page gets %s=%q, want %q", name, values, want)
		}
	}
	if a.challenge = q.Get("code_challenge"); auth.UsesPKCE() != (a.challenge != "" && q.Get("code_challenge_method") == "S256") {
		a.t.Errorf("PKCE is %t in the catalogue, and the challenge %q", auth.UsesPKCE(), a.challenge)
	}
	page, err := url.Parse(a.page)
	if err != nil {
		a.t.Fatal(err)
	}
	back := url.Values{"state": {q.Get("state")}, "iss": {page.Scheme + "://" + page.Host}}
	code := "code"
	if auth.CodeParam != "" {
		code = auth.CodeParam
	}
	back.Set(code, flowCode)
	for name, value := range a.callback {
		back.Set(name, fmt.Sprint(value))
	}
	return back
}

// consentParams are the parameters that the consent page should get; "*" is any.
func (a *authority) consentParams() map[string]string {
	separator := a.p.Auth.Scopes.Separator
	if separator == "" {
		separator = " "
	}
	want := map[string]string{
		"response_type": "code", "client_id": flowID, "redirect_uri": flowRedirect, "state": flowState,
		"scope": "read:all" + separator + "write",
	}
	if slices.Contains(a.p.Auth.Authorize.Rewrite.LeaveUnescaped, "scopes") {
		want["scope"] = strings.ReplaceAll(want["scope"], "+", " ") // how a form reads it
	}
	for _, param := range a.p.Auth.Authorize.Params {
		text := fmt.Sprint(scalar(a.t, param))
		filled, ok := a.fill(text)
		switch {
		case strings.Contains(text, "${random}"):
			want[param.Name] = "*"
		case ok && (filled != "" || !a.p.Auth.Authorize.Rewrite.DropEmpty):
			want[param.Name] = filled
		}
	}
	for _, r := range a.p.Auth.Authorize.Rewrite.Replace {
		if value, ok := want[r.Find]; ok {
			delete(want, r.Find)
			want[r.With] = value
		}
	}
	return want
}

// scalar is a parameter's value as the file has it.
func scalar(t *testing.T, p catalog.Param) any {
	t.Helper()
	text, err := json.Marshal(p.Value)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// RoundTrip implements http.RoundTripper: the token endpoint, and the metadata.
func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	var body any
	if strings.HasPrefix(r.URL.Path, "/.well-known/") {
		body = map[string]any{
			"issuer":                 r.URL.Scheme + "://" + r.URL.Host,
			"authorization_endpoint": a.p.Auth.Authorize.URL[0].String(),
			"authorization_response_iss_parameter_supported": true,
		}
	} else {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if a.asksForEnd(r) {
			body = a.end(r, text)
		} else {
			body = a.token(r, text)
		}
	}
	if err := json.NewEncoder(answer).Encode(body); err != nil {
		return nil, err
	}
	res := answer.Result()
	res.Request = r
	return res, nil
}

// token checks a token request and answers it.
func (a *authority) token(r *http.Request, body []byte) map[string]any {
	params := a.tokenParams(r, body)
	a.sent = append(a.sent, masked(r, body))
	refresh := len(a.sent) > 1
	target, want := a.firstFilled(a.p.Auth.Token.URL), map[string]any{}
	if refresh {
		if a.p.Auth.Refresh.URL != nil {
			target, _ = a.fill(a.p.Auth.Refresh.URL.String())
		}
		want["grant_type"], want["refresh_token"] = "refresh_token", "refresh-1"
		a.declare(want, a.p.Auth.Refresh.Params)
	} else {
		want["grant_type"], want["code"], want["redirect_uri"] = "authorization_code", flowCode, flowRedirect
		a.declare(want, a.p.Auth.Token.Params)
		a.verifyPKCE(params)
	}
	if r.Method != http.MethodPost || r.URL.String() != target {
		a.t.Errorf("token request %s %s, want POST %s", r.Method, r.URL, target)
	}
	for name, value := range want {
		if fmt.Sprint(params[name]) != fmt.Sprint(value) {
			a.t.Errorf("the token request has %s=%v, want %v", name, params[name], value)
		}
	}
	a.authenticate(r, params)
	return a.tokens(refresh)
}

func (a *authority) declare(want map[string]any, params catalog.Params) {
	for _, p := range params {
		v := scalar(a.t, p)
		if text, ok := v.(string); ok {
			if v, ok = a.fill(text); !ok {
				a.t.Errorf("the parameter %s can't be filled", p.Name)
			}
		}
		want[p.Name] = v
	}
}

func (a *authority) tokenParams(r *http.Request, body []byte) map[string]any {
	params := map[string]any{}
	kind := r.Header.Get("Content-Type")
	if a.p.Auth.Token.BodyFormat == "json" {
		if err := json.Unmarshal(body, &params); err != nil || kind != "application/json" {
			a.t.Errorf("the token request is no JSON object: %s, %v", kind, err)
		}
		return params
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		a.t.Errorf("the token request is no form: %s, %v", kind, err)
	}
	for name := range form {
		if len(form[name]) > 1 {
			a.t.Errorf("the token request has %s more than once", name)
		}
		params[name] = form.Get(name)
	}
	return params
}

func (a *authority) verifyPKCE(params map[string]any) {
	verifier, given := params["code_verifier"].(string)
	if given != a.p.Auth.Authorize.UsesPKCE() {
		a.t.Errorf("PKCE is %t in the catalogue, and the verifier %q", a.p.Auth.Authorize.UsesPKCE(), verifier)
	}
	sum := sha256.Sum256([]byte(verifier))
	if given && base64.RawURLEncoding.EncodeToString(sum[:]) != a.challenge {
		a.t.Error("the verifier does not fit the challenge")
	}
}

// authenticate checks the client's proof as the provider wants it.
func (a *authority) authenticate(r *http.Request, params map[string]any) {
	user, password, isBasic := r.BasicAuth()
	inBody := params["client_id"] == flowID && params["client_secret"] == flowSecret
	_, hasID := params["client_id"]
	_, hasSecret := params["client_secret"]
	ok := false
	switch a.p.Auth.Token.ClientAuth {
	case catalog.ClientAuthBasic:
		ok = isBasic && user == flowID && password == flowSecret && inBody
	case catalog.ClientAuthBasicURLEncoded:
		id, errID := url.QueryUnescape(user)
		secret, errSecret := url.QueryUnescape(password)
		ok = isBasic && errID == nil && errSecret == nil && id == flowID && secret == flowSecret && !hasID && !hasSecret
	case "", catalog.ClientAuthBody:
		ok = inBody && !isBasic
	default:
	}
	if !ok {
		a.t.Errorf("the client does not prove itself by %q", a.p.Auth.Token.ClientAuth)
	}
}

// asksForEnd reports whether a request is to the introspection endpoint.
func (a *authority) asksForEnd(r *http.Request) bool {
	template := a.p.Auth.Token.IntrospectionURL
	if template == nil {
		return false
	}
	address, ok := a.fill(template.String())
	return ok && r.URL.String() == address
}

// end is the answer of the introspection endpoint: tokens live for an hour.
func (a *authority) end(r *http.Request, body []byte) map[string]any {
	params := a.tokenParams(r, body)
	if params["client_id"] != flowID || params["client_secret"] == nil || !strings.HasPrefix(fmt.Sprint(params["token"]), "access-") {
		a.t.Errorf("the end of a token is asked for with %v", slices.Sorted(maps.Keys(params)))
	}
	return map[string]any{"active": true, "exp": now().Add(time.Hour).Unix()}
}

// tokens is the token response in the provider's shape.
func (a *authority) tokens(refresh bool) map[string]any {
	lifetime := 3600
	if a.p.Auth.Token.Response.ExpiresInUnit == "milliseconds" {
		lifetime *= 1000
	}
	tokens := map[string]any{"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": lifetime}
	if refresh {
		tokens = map[string]any{"access_token": "access-2", "expires_in": lifetime}
	}
	if a.p.Auth.Token.IntrospectionURL != nil {
		delete(tokens, "expires_in")
	}
	answer := tokens
	if path := a.p.Auth.Token.Response.AlternateTokenPath; path != "" {
		answer = map[string]any{}
		put(answer, path, tokens)
	}
	for _, path := range a.p.Auth.Capture.TokenResponse {
		put(answer, path, "captured-of-"+path)
	}
	return answer
}

// put sets a value at a dotted path.
func put(object map[string]any, path string, value any) {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		object[head] = value
		return
	}
	child, ok := object[head].(map[string]any)
	if !ok {
		child = map[string]any{}
		object[head] = child
	}
	put(child, rest, value)
}

// masked writes a request down without its secrets, in lines that diff well.
func masked(r *http.Request, body []byte) string {
	mask := strings.NewReplacer(
		base64.StdEncoding.EncodeToString([]byte(flowID+":"+flowSecret)), "[base64 of id and secret]",
		base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(flowID)+":"+url.QueryEscape(flowSecret))), "[base64 of form-encoded id and secret]",
		flowSecret, "[secret]", url.QueryEscape(flowSecret), "[secret]",
		flowVerifier, "[verifier]", url.QueryEscape(flowCode), "[code]", flowCode, "[code]", "refresh-1", "[refresh token]",
	)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	for _, name := range sortedHeader(r.Header) {
		if name != "User-Agent" {
			fmt.Fprintf(&b, "%s: %s\n", name, r.Header.Get(name))
		}
	}
	if r.Header.Get("Content-Type") == "application/json" {
		_ = json.Indent(&b, body, "", "  ")
	} else {
		b.WriteString(strings.ReplaceAll(string(body), "&", "\n&"))
	}
	b.WriteByte('\n')
	return mask.Replace(b.String())
}

func sortedHeader(h http.Header) []string {
	var names []string
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
