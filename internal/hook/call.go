package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/upstream"
)

// maxAnswer bounds what is read of a provider's answer, in bytes.
const maxAnswer = 1 << 20

// call is one call of a provider.
type call struct {
	method string
	// endpoint is the path with its query.
	endpoint string
	// base replaces the provider's base URL; empty means not. It is always a
	// constant: credentials go there.
	base string
	// header is put over what the provider's entry configures.
	header http.Header
	// anonymous calls carry no Authorization.
	anonymous   bool
	content     []byte
	contentType string
}

// get is a call of the provider's own base URL.
func get(endpoint string) call { return call{method: http.MethodGet, endpoint: endpoint} }

// getFrom is a call of another base URL, which must be a constant.
func getFrom(base, endpoint string) call {
	return call{method: http.MethodGet, base: base, endpoint: endpoint}
}

// post is a call with a JSON body, which must be encodable.
func post(endpoint string, body any) call {
	content, _ := json.Marshal(body) // texts in maps always encode
	return call{method: http.MethodPost, endpoint: endpoint, content: content, contentType: "application/json"}
}

// graphQL is a query in GraphQL.
func graphQL(endpoint, query string) call { return post(endpoint, map[string]string{"query": query}) }

// answer is what a provider answered.
type answer struct {
	status int
	header http.Header
	body   []byte
	// cut is set when there was more than maxAnswer.
	cut bool
}

func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 }

// json decodes the body. Numbers stay as they are written.
func (a *answer) json() (any, error) {
	if a.cut {
		return nil, say("the provider's answer has more than %d bytes.", maxAnswer)
	}
	v, err := decode(a.body)
	if err != nil {
		return nil, say("the provider's answer is not JSON.")
	}
	return v, nil
}

func decode(text []byte) (v any, err error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decoding JSON: %w", err)
	}
	return v, nil
}

// fetch makes a call that must succeed and returns the JSON of its answer.
func (r *run) fetch(ctx context.Context, c call) (any, error) {
	a, err := r.must(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.json()
}

// must makes a call that must succeed. A 401 or 403 counts as a refusal of the
// credentials, and so does any other status of an error that is the caller's.
func (r *run) must(ctx context.Context, c call) (*answer, error) {
	a, err := r.send(ctx, c)
	if err != nil {
		return nil, err
	}
	if !a.ok() {
		return nil, badStatus(a)
	}
	return a, nil
}

func badStatus(a *answer) error {
	p := refuse(a, "it answered with status %d.", a.status)
	p.refusal = a.status >= 300 && a.status < 500 && a.status != http.StatusRequestTimeout && a.status != http.StatusTooManyRequests
	if !p.refusal {
		p.text = fmt.Sprintf("the provider answered with status %d.", a.status)
	}
	return p
}

// send makes a call. Any answer is a success; the error is a *problem or a
// *linkspan.Error of package upstream.
func (r *run) send(ctx context.Context, c call) (*answer, error) {
	request, err := upstream.Build(ctx, r.t, upstream.Request{
		Method: c.method, Endpoint: c.endpoint, BaseURL: c.base, Header: c.header,
		Content: c.content, ContentType: c.contentType, SecretBody: true,
	})
	if err != nil {
		return nil, err
	}
	if c.anonymous {
		request.Header.Del("Authorization")
	}
	if request.Header.Get("Accept") == "" {
		request.Header.Set("Accept", "application/json")
	}
	started := r.now()
	a, err := r.exchange(request)
	if err != nil {
		err = unreachable(ctx, err)
	}
	if r.trace != nil {
		m := r.message(request, a, err)
		m.CreatedAt, m.EndedAt = started.UTC(), r.now().UTC()
		r.trace(m)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// exchange sends a request and reads the answer. Credentials never follow a
// redirect to another origin, whatever the provider's entry says of proxied
// calls.
func (r *run) exchange(request *http.Request) (*answer, error) {
	res, err := r.caller.Do(request, false)
	if err != nil {
		return nil, fmt.Errorf("calling the provider: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	a := &answer{status: res.StatusCode, header: res.Header, body: body}
	if len(body) > maxAnswer {
		a.body, a.cut = body[:maxAnswer], true
	}
	return a, nil
}

// unreachable is the problem of a call without an answer.
func unreachable(ctx context.Context, err error) *problem {
	p := say("the provider could not be reached.")
	p.err = err
	if blocked, ok := egress.IsBlocked(err); ok {
		p.text = "the provider was not called: " + blocked.Error() + "."
	} else if errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.text = "the provider did not answer in time."
	}
	return p
}

// message describes an exchange without its secrets.
func (r *run) message(request *http.Request, a *answer, err error) linkspan.Message {
	redact := r.t.Redactor()
	m := linkspan.Message{
		Type: "http", Level: "info", Text: "Called the provider for its hook.",
		Request: &linkspan.HTTPRequestSummary{Method: request.Method, URL: redact.URL(request.URL), Headers: redact.Headers(request.Header)},
	}
	if err != nil {
		m.Level, m.Text = "warn", "Calling the provider for its hook failed: "+words(err)
		m.Error = &linkspan.OperationError{Code: "hook_failed", Message: words(err)}
		return m
	}
	m.Response = &linkspan.HTTPResponseSummary{Code: a.status, Headers: redact.Headers(a.header)}
	if !a.ok() {
		m.Level = "warn"
	}
	return m
}
