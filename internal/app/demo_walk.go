package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan/internal/demo"
)

// maxPage bounds what the demo reads of an answer.
const maxPage = 1 << 20

// browser is an end user's: it keeps cookies and goes where it is sent.
type browser struct{ http *http.Client }

func newBrowser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("making a browser: %w", err)
	}
	return &browser{http: &http.Client{Jar: jar}}, nil
}

func (d *demonstration) stepSession(ctx context.Context, w *walk) (string, error) {
	session, err := d.session(ctx)
	if err != nil {
		return "", err
	}
	w.token = session.Token.Reveal()
	return "for demo-user", nil
}

// stepOAuth opens the authorization as Connect UI does, approves it on the
// provider's page, and comes back.
func (d *demonstration) stepOAuth(ctx context.Context, w *walk) (string, error) {
	b, err := newBrowser()
	if err != nil {
		return "", err
	}
	start := d.world.url + "/oauth/connect/" + demo.ProviderOAuth + "?" + url.Values{"connect_session_token": {w.token}}.Encode()
	consent, err := b.visit(ctx, http.MethodGet, start, nil)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(consent.url, d.world.providerURL) {
		return "", fmt.Errorf("the way to the provider ended at %s with %s", consent.where(), consent.status())
	}
	request, ok := consent.hidden("request")
	if !ok {
		return "", fmt.Errorf("the provider shows no consent page, but answers with %s", consent.status())
	}
	form := url.Values{"request": {request}, "decision": {"approve"}}
	result, err := b.visit(ctx, http.MethodPost, d.world.providerURL+"/oauth/authorize", form)
	if err != nil {
		return "", err
	}
	if result.code != http.StatusOK || !strings.HasPrefix(result.url, d.world.url+"/oauth/callback") {
		return "", fmt.Errorf("the way back ended at %s with %s", result.where(), result.status())
	}
	return "OAuth 2 with PKCE", nil
}

// stepKey does what Connect UI does with a form.
func (d *demonstration) stepKey(ctx context.Context, w *walk) (string, error) {
	session, err := d.session(ctx)
	if err != nil {
		return "", err
	}
	b, err := newBrowser()
	if err != nil {
		return "", err
	}
	target := d.world.url + "/api-auth/api-key/" + demo.ProviderKey + "?" + url.Values{"connect_session_token": {session.Token.Reveal()}}.Encode()
	var made struct {
		ConnectionID string `json:"connectionId"`
	}
	if err := b.post(ctx, target, map[string]string{"apiKey": d.secret.APIKey.Reveal()}, &made); err != nil {
		return "", err
	}
	if made.ConnectionID == "" {
		return "", errors.New("the answer names no connection")
	}
	w.connection = made.ConnectionID
	return "the key was tried before it was kept", nil
}

// stepConnected waits for the webhook about a new connection: the one that is
// known already, or any. Older connections may have something to tell, too.
func (d *demonstration) stepConnected(ctx context.Context, w *walk) (string, error) {
	err := d.await(ctx, w, "the webhook about the connection", func(a arrival) (verdict, error) {
		if w.connection != "" && a.ConnectionID != w.connection {
			return another, nil
		}
		if a.Type == "auth" && a.Operation == "creation" && a.failed() && a.Error != nil {
			return enough, fmt.Errorf("connecting failed: %s", printable(a.Error.why()))
		}
		if !a.created() {
			return another, nil
		}
		w.integration, w.connection = a.ProviderConfigKey, a.ConnectionID
		return enough, nil
	})
	return "", err
}

// post sends JSON as a script of a page does.
func (b *browser) post(ctx context.Context, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding a body: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	p, err := b.fetch(r)
	if err != nil {
		return err
	}
	if p.code != http.StatusOK {
		return fmt.Errorf("the server answered with %s", p.status())
	}
	if err := json.Unmarshal([]byte(p.body), out); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	return nil
}

// page is what a visit ended with.
type page struct {
	url  string
	code int
	body string
}

// visit goes to a page and follows where it leads. A form is sent if there is
// one.
func (b *browser) visit(ctx context.Context, method, target string, form url.Values) (page, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, fmt.Errorf("making a request: %w", err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.fetch(r)
}

// fetch sends a request and reads where it ended.
func (b *browser) fetch(r *http.Request) (page, error) {
	res, err := b.http.Do(r)
	if err != nil {
		// Its text has the address, and that the session's token.
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return page{}, fmt.Errorf("visiting %s: %w", r.URL.Host+r.URL.Path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return page{}, fmt.Errorf("reading a page: %w", err)
	}
	return page{url: res.Request.URL.String(), code: res.StatusCode, body: string(body)}, nil
}

// where is the address of the page without what may be secret in it.
func (p page) where() string {
	address, _, _ := strings.Cut(p.url, "?")
	return address
}

// status says what the answer was: its code, and the title of the page or the
// beginning of what is no page.
func (p page) status() string {
	text := p.body
	if _, after, ok := strings.Cut(p.body, "<title>"); ok {
		title, _, _ := strings.Cut(after, "</title>")
		text = html.UnescapeString(title)
	}
	if len(text) > 500 {
		text = text[:500]
	}
	return fmt.Sprintf("status %d: %s", p.code, printable(text))
}

// hidden returns the value of a hidden input of the page's form.
func (p page) hidden(name string) (string, bool) {
	_, after, ok := strings.Cut(p.body, `name="`+name+`" value="`)
	value, _, closed := strings.Cut(after, `"`)
	return html.UnescapeString(value), ok && closed
}
