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

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/demo"
)

// maxPage bounds what the walk reads of a page.
const maxPage = 1 << 20

// walk goes the way of an end user and of the customer's backend, and checks
// every step.
func (d *demonstration) walk(ctx context.Context) error {
	d.screen.section("One time through:\n")
	steps := []struct {
		what string
		do   func(context.Context, *walker) (detail string, err error)
	}{
		{"Connect session made by the backend", d.stepSession},
		{"Signed in at Ticketry, access approved", d.stepOAuth},
		{"Webhook: connection created", d.stepWebhook},
		{"Call through the new connection", d.stepCall},
		{"Token renewed", d.stepRenew},
		{"Account connected with an API key", d.stepKey},
		{"Webhook: connection created", d.stepWebhook},
		{"Ticket created through that connection", d.stepCreate},
	}
	w, err := newWalker()
	if err != nil {
		return err
	}
	for _, step := range steps {
		detail, err := step.do(ctx, w)
		if err != nil {
			d.screen.mark(styleRed, "✗", step.what, "")
			return fmt.Errorf("%s: %w", step.what, err)
		}
		d.screen.done(step.what, detail)
	}
	d.screen.section("All is well.\n")
	return nil
}

// walker is the end user's browser, and what the walk has found so far.
type walker struct {
	browser *http.Client
	token   string // of the connect session
	// integration and connection are those of the last webhook.
	integration, connection string
}

func newWalker() (*walker, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("making a browser: %w", err)
	}
	return &walker{browser: &http.Client{Jar: jar}}, nil
}

func (d *demonstration) stepSession(ctx context.Context, w *walker) (string, error) {
	session, err := d.session(ctx)
	if err != nil {
		return "", err
	}
	w.token = session.Token.Reveal()
	return "", nil
}

// stepOAuth opens the authorization as Connect UI does, approves it on the
// provider's page, and comes back.
func (d *demonstration) stepOAuth(ctx context.Context, w *walker) (string, error) {
	start := d.world.url + "/oauth/connect/" + demo.ProviderOAuth + "?" + url.Values{"connect_session_token": {w.token}}.Encode()
	consent, err := w.visit(ctx, http.MethodGet, start, nil)
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
	result, err := w.visit(ctx, http.MethodPost, d.world.providerURL+"/oauth/authorize", form)
	if err != nil {
		return "", err
	}
	if result.code != http.StatusOK || !strings.HasPrefix(result.url, d.world.url+"/oauth/callback") {
		return "", fmt.Errorf("the way back ended at %s with %s", result.where(), result.status())
	}
	return "", nil
}

func (d *demonstration) stepWebhook(ctx context.Context, w *walker) (string, error) {
	for {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no webhook came: %w", context.Cause(ctx))
		case err := <-d.world.failed:
			return "", err
		case a := <-d.world.receiver.arrivals:
			if !a.connected() {
				return "", fmt.Errorf("another webhook came: %s", printable(a.summary()))
			}
			w.integration, w.connection = a.ProviderConfigKey, a.ConnectionID
			return a.ProviderConfigKey + ", signature verified", nil
		}
	}
}

func (d *demonstration) stepCall(ctx context.Context, w *walker) (string, error) {
	return d.call(ctx, w.integration, w.connection)
}

// stepCreate writes to the provider.
func (d *demonstration) stepCreate(ctx context.Context, w *walker) (string, error) {
	var made struct {
		ID int `json:"id"`
	}
	err := d.proxy(ctx, http.StatusCreated, &made, client.ProxyRequest{
		Method: http.MethodPost, Endpoint: "/tickets", ProviderConfigKey: w.integration, ConnectionID: w.connection,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: strings.NewReader(`{"subject":"Hello from Linkspan"}`),
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("POST /tickets: number %d", made.ID), nil
}

// call lists tickets through a connection.
func (d *demonstration) call(ctx context.Context, integration, connection string) (string, error) {
	var page struct {
		Data []struct {
			Subject string `json:"subject"`
		} `json:"data"`
	}
	err := d.proxy(ctx, http.StatusOK, &page, client.ProxyRequest{
		Endpoint: "/tickets?limit=5", ProviderConfigKey: integration, ConnectionID: connection,
	})
	if err != nil {
		return "", err
	}
	if len(page.Data) == 0 {
		return "", errors.New("the provider answered without tickets")
	}
	return fmt.Sprintf("GET /tickets: %s, such as %q", plural(len(page.Data), "ticket", "tickets"), page.Data[0].Subject), nil
}

// proxy makes a call through a connection and decodes the provider's answer.
func (d *demonstration) proxy(ctx context.Context, want int, out any, p client.ProxyRequest) error {
	res, err := d.dev.Proxy(ctx, p)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if res.StatusCode != want {
		return fmt.Errorf("the provider answered %d: %s", res.StatusCode, printable(string(body)))
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	return nil
}

// stepRenew has the server exchange the refresh token, and calls with what came
// of it.
func (d *demonstration) stepRenew(ctx context.Context, w *walker) (string, error) {
	read := func(force bool) (string, error) {
		conn, err := d.dev.Connection(ctx, w.connection, api.ConnectionQuery{ProviderConfigKey: w.integration, ForceRefresh: &force})
		if err != nil {
			return "", err
		}
		token, _ := conn.Credentials["access_token"].(string)
		return token, nil
	}
	before, err := read(false)
	if err != nil {
		return "", err
	}
	after, err := read(true)
	if err != nil {
		return "", err
	}
	if after == "" || after == before {
		return "", errors.New("the token is still the same")
	}
	if _, err := d.call(ctx, w.integration, w.connection); err != nil {
		return "", fmt.Errorf("calling with the new token: %w", err)
	}
	return "by its refresh token, which works once", nil
}

// stepKey does what Connect UI does with a form.
func (d *demonstration) stepKey(ctx context.Context, w *walker) (string, error) {
	target := d.world.url + "/api-auth/api-key/" + demo.ProviderKey + "?" + url.Values{"connect_session_token": {w.token}}.Encode()
	var made struct {
		ConnectionID string `json:"connectionId"`
	}
	if err := w.post(ctx, target, map[string]string{"apiKey": d.secret.APIKey.Reveal()}, &made); err != nil {
		return "", err
	}
	if made.ConnectionID == "" {
		return "", errors.New("the answer names no connection")
	}
	return "", nil
}

// post sends JSON as a script of a page does.
func (w *walker) post(ctx context.Context, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding a body: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	p, err := w.fetch(r)
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
func (w *walker) visit(ctx context.Context, method, target string, form url.Values) (page, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, fmt.Errorf("making a request: %w", err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return w.fetch(r)
}

// fetch sends a request and reads where it ended.
func (w *walker) fetch(r *http.Request) (page, error) {
	res, err := w.browser.Do(r)
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
