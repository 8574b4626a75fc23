package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oplog"
)

const (
	// DefaultTimeout bounds one exchange with a token endpoint.
	DefaultTimeout = 30 * time.Second
	// maxAnswer bounds the body of a token endpoint's answer, in bytes.
	maxAnswer = 1 << 20
	userAgent = "Linkspan (https://github.com/linkspan/linkspan)"
)

// Config holds what a Client needs.
type Config struct {
	// HTTP sends the requests; it comes from package egress. Its redirect
	// policy is not used: a token endpoint that redirects is refused, because
	// the grant would travel on to wherever it says.
	HTTP *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Timeout bounds one exchange; zero means DefaultTimeout.
	Timeout time.Duration
}

// Client talks to authorization servers. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	now     func() time.Time
	timeout time.Duration
	issuers *issuers
}

// New returns a client. Close ends what it does in the background.
func New(c Config) *Client {
	hc := *c.HTTP
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	hc.Jar = nil
	client := &Client{http: &hc, now: c.Now, timeout: c.Timeout}
	if client.now == nil {
		client.now = time.Now
	}
	if client.timeout <= 0 {
		client.timeout = DefaultTimeout
	}
	client.issuers = newIssuers(&hc, client.now)
	return client
}

// Close ends lookups in the background and waits for them. Nothing else of the
// client stops to work.
func (c *Client) Close() { c.issuers.close() }

// exchange sends one request to a token endpoint and returns the parsed answer
// of a success, which has the given format. Every error is a *Failure. trace, if
// not nil, gets the exchange as a message without secrets.
func (c *Client) exchange(ctx context.Context, r *http.Request, format credential.TokenResponse, redact *oplog.Redactor, trace func(linkspan.Message)) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	started := c.now()
	a, err := c.send(r.WithContext(ctx))
	var raw map[string]any
	if err != nil {
		err = networkFailure(ctx, err)
	} else {
		raw, err = judge(a, format, redact)
	}
	if trace != nil {
		trace(message(r, a, err, redact, started, c.now()))
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// answer is what a token endpoint answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send performs the exchange and reads the body, at most maxAnswer and a byte.
func (c *Client) send(r *http.Request) (answer, error) {
	res, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	return answer{res.StatusCode, res.Header, body}, nil
}

// networkFailure classifies an exchange that brought no answer. The text of a
// *url.Error holds the URL, which may hold a key; it is taken off.
func networkFailure(ctx context.Context, err error) *Failure {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if blocked, ok := egress.IsBlocked(err); ok {
		return &Failure{
			Class: Transient, Code: "blocked", Err: blocked,
			Message: "The token endpoint was not called: " + blocked.Error() + ".",
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Failure{Class: Transient, Code: "timeout", Err: err, Message: "The provider's token endpoint did not answer in time."}
	}
	return &Failure{Class: Transient, Code: "network_error", Err: err, Message: "The provider's token endpoint could not be reached."}
}

// judge makes an answer either a parsed success or a *Failure. An answer that
// holds a token is a success whatever else it says: {"code":0} looks like an
// error, and the old grant is spent.
func judge(a answer, format credential.TokenResponse, redact *oplog.Redactor) (map[string]any, error) {
	status := a.status
	raw := parse(a.header.Get("Content-Type"), a.body)
	e, declared := errorIn(raw, redact)
	ok := status >= 200 && status < 300
	switch {
	case transientStatus(status):
		return nil, &Failure{
			Class: Transient, Code: orDefault(e.code, fmt.Sprintf("http_%d", status)), Status: status, Description: e.description,
			Message: fmt.Sprintf("The provider's token endpoint answered %d.", status),
		}
	case ok && len(a.body) > maxAnswer:
		return nil, malformed(status, fmt.Sprintf("The provider's token endpoint answered with more than %d bytes.", maxAnswer))
	case ok && raw == nil:
		return nil, malformed(status, "The provider's token endpoint answered with something that is not a JSON object.")
	case ok && format.HasToken(raw), ok && !declared:
		return raw, nil
	case ok, status >= 400 && declared:
		return nil, refusal(status, e)
	default:
		f := malformed(status, fmt.Sprintf("The provider's token endpoint answered %d without saying why in a form that OAuth knows.", status))
		f.Code = fmt.Sprintf("http_%d", status)
		return nil, f
	}
}

// refusal is the Failure of an answer that declares an OAuth error.
func refusal(status int, e oauthError) *Failure {
	f := &Failure{Class: Permanent, Code: orDefault(e.code, fmt.Sprintf("http_%d", status)), Status: status, Description: e.description}
	if transientCode(e.code) {
		f.Class = Transient
	}
	f.Message = fmt.Sprintf("The provider's token endpoint refused with %d (%s).", status, f.Code)
	return f
}

func malformed(status int, message string) *Failure {
	return &Failure{Class: Malformed, Code: "malformed_response", Status: status, Message: message}
}

// parse reads a JSON object, or a form as some endpoints still answer. It
// returns nil for anything else. Numbers stay exact.
func parse(contentType string, body []byte) map[string]any {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err == nil && raw != nil && !dec.More() {
		return raw
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/x-www-form-urlencoded" {
		return nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) == 0 {
		return nil
	}
	raw = make(map[string]any, len(form))
	for k := range form {
		raw[k] = form.Get(k)
	}
	return raw
}

// message records an exchange for the operation's log.
func message(r *http.Request, a answer, err error, redact *oplog.Redactor, started, ended time.Time) linkspan.Message {
	m := linkspan.Message{
		Type: "http", Level: "info", Text: "Called the provider's token endpoint.",
		Request:   &linkspan.HTTPRequestSummary{Method: r.Method, URL: redact.URL(r.URL), Headers: redact.Headers(r.Header)},
		CreatedAt: started.UTC(), EndedAt: ended.UTC(),
	}
	if a.status != 0 {
		m.Response = &linkspan.HTTPResponseSummary{Code: a.status, Headers: redact.Headers(a.header)}
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		m.Level, m.Text = "error", f.Message
		m.Error = &linkspan.OperationError{Code: f.Code, Message: orDefault(f.Description, f.Message)}
	}
	return m
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
