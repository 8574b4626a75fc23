package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
)

// call is one proxied call, whoever makes it.
type call struct {
	s        *Service
	ctx      context.Context //nolint:containedctx // the call is the request: it lives and ends with it
	cancel   context.CancelFunc
	env      linkspan.Environment
	params   params
	method   string
	endpoint string
	// body is what the caller sends, nil for nothing; its length is in length,
	// -1 if unknown, and its content type in bodyType.
	body     io.ReadCloser
	bodyType string
	// accept is the header of that name unless somebody else sets it.
	accept string

	op *oplog.Op
	// shared says that the operation is somebody else's who is still at work: the
	// call is a message under it and does not end it.
	shared bool
	// inner means that the call is not itself the request that ctx belongs to.
	inner bool
	// quiet leaves out those that say that all went well.
	quiet bool
	// redact takes further secrets out of those messages; nil: none.
	redact func(text string) string
	begun  time.Time
	sentAs *linkspan.HTTPRequestSummary
	// get replaces the service's way to the connection; nil means not.
	get    func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error)
	target *upstream.Target

	informer informer
	// status is the upstream's, failure what the network did instead; sent is
	// how often it was asked and took how long it needed to begin its answers.
	status, sent int
	failure      string
	took         time.Duration

	// content is the whole request body, stream the body as it comes; at most
	// one is set.
	content []byte
	stream  io.ReadCloser
	length  int64
	// type of the body, after a change of it.
	contentType string

	// looked is set once a 401 had the connection read again, renewed once it had
	// other credentials asked for.
	looked, renewed bool
}

// prepare gets the connection and the body, and checks what is asked for.
func (c *call) prepare() error {
	if err := c.fetchTarget(); err != nil {
		return err
	}
	if err := c.checkOverride(); err != nil {
		return err
	}
	return c.readBody()
}

// fresh returns the connection with credentials that can be used.
func (c *call) fresh(o connect.FreshOptions) (*upstream.Target, error) {
	if c.get != nil {
		return c.get(c.ctx, o)
	}
	return c.s.c.Fresh(c.ctx, c.env.ID, c.params.integration, c.params.connection, o)
}

// fetchTarget gets the connection and puts what can be wrong with it into the
// contract's words (§5.6).
func (c *call) fetchTarget() error {
	target, err := c.fresh(connect.FreshOptions{})
	if err != nil {
		return credentialsError(err)
	}
	c.target = target
	if !c.shared {
		c.op.Describe("", target.Provider.Name, "", target.Connection.UUID)
	}
	return nil
}

func credentialsError(err error) error {
	const op = "proxy.Serve"
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		return fmt.Errorf("getting the connection: %w", err)
	}
	switch e.Code {
	case "unknown_provider_config":
		return linkspan.E(op, linkspan.KindNotFound, e.Code, err, "%s", e.Msg).WithStatus(http.StatusNotFound)
	case "unknown_connection":
		return linkspan.E(op, linkspan.KindInvalid, "server_error", err, "Failed to get connection")
	case "connection_refresh_backoff", "connection_refresh_exhausted":
		return linkspan.E(op, e.Kind, e.Code, err, "%s", e.Msg).WithHint("%s", e.Hint).WithStatus(http.StatusFailedDependency)
	case "missing_provider", "unknown_provider", "unsupported_provider", "unsupported_auth":
		return linkspan.E(op, linkspan.KindInvalid, e.Code, err, "%s", e.Msg).WithHint("%s", e.Hint)
	}
	switch e.Kind {
	case linkspan.KindInternal, linkspan.KindUnavailable, linkspan.KindTimeout, linkspan.KindRateLimited:
		return fmt.Errorf("getting the connection: %w", err)
	default: // the credentials are at fault
	}
	reason := strings.TrimSpace(e.Msg + " " + e.Hint)
	failed := linkspan.E(op, e.Kind, "server_error", err, "Failed to get connection credentials: '%s'", reason)
	failed.Status = e.Status
	payload := map[string]any{"cause": e.Code}
	if more, ok := e.Payload.(map[string]any); ok {
		maps.Copy(payload, more)
	}
	return failed.WithPayload(payload)
}

// checkOverride refuses base URLs that callers may not name.
func (c *call) checkOverride() error {
	const op = "proxy.Serve"
	override := c.params.baseURL
	if override == "" {
		return nil
	}
	if c.s.c.Override == OverrideOff {
		return linkspan.E(op, linkspan.KindInvalid, "base_url_override_disabled", nil, "This server does not accept the header Base-Url-Override.")
	}
	if err := c.s.c.Upstream.CheckBaseURL(override); err != nil {
		return notAllowed(err)
	}
	u, err := url.Parse(override)
	if err != nil {
		return notAllowed(err)
	}
	// Tokens of an app that the operator lends are not for the caller to collect.
	lent := c.target.Integration.Secrets.Shared
	if (c.s.c.Override == OverrideProvider || lent) && !c.isProviders(u) {
		reason := "the operator allows overrides only within the provider's own host, with its scheme and port"
		if lent {
			reason = "with an app of the operator's, overrides stay within the provider's own host, with its scheme and port"
		}
		return notAllowed(&egress.BlockedError{Host: u.Hostname(), Reason: reason})
	}
	return nil
}

// isProviders reports whether a URL is on the provider's own host or below it.
// Scheme and port must be the provider's too: credentials meant for TLS do not go
// out in the clear, nor to whatever else the host runs.
func (c *call) isProviders(u *url.URL) bool {
	text, err := c.target.BaseURL()
	if err != nil {
		return false
	}
	own, err := url.Parse(text)
	if err != nil {
		return false
	}
	moved := *u
	if strings.HasSuffix(strings.ToLower(u.Hostname()), "."+strings.ToLower(own.Hostname())) {
		moved.Host = own.Hostname() + u.Host[len(u.Hostname()):]
	}
	return egress.SameOrigin(&moved, own)
}

// notAllowed says that the policy refuses a target.
func notAllowed(err error) *linkspan.Error {
	const op, code = "proxy.Serve", "base_url_override_not_allowed"
	blocked, ok := egress.IsBlocked(err)
	if !ok {
		return linkspan.E(op, linkspan.KindInvalid, code, err, "The base URL is not usable: %v.", err)
	}
	return linkspan.E(op, linkspan.KindInvalid, code, err, "%s.", strings.ToUpper(blocked.Error()[:1])+blocked.Error()[1:])
}

// readBody decides whether the body streams through or has to be at hand.
func (c *call) readBody() error {
	if !upstream.HasBody(c.method) {
		c.content = nil
		return nil
	}
	if len(c.content) == 0 && (c.body == nil || c.body == http.NoBody || c.length == 0) {
		return nil
	}
	c.contentType = c.bodyType
	toForm := c.becomesForm()
	switch {
	case c.content != nil:
		if toForm {
			c.content = formOf(c.content)
		}
		return nil
	case toForm || c.target.NeedsContent(c.method):
		content, err := c.readAll()
		if err != nil {
			return err
		}
		c.content = content
		if toForm {
			c.content = formOf(content)
		}
		return nil
	case c.params.retries > 0:
		return c.readReplayable()
	}
	c.stream = c.body
	return nil
}

// readAll reads a body that has to be changed or signed.
func (c *call) readAll() ([]byte, error) {
	limit := c.s.c.MaxContent
	content, err := io.ReadAll(io.LimitReader(c.body, limit+1))
	if err != nil {
		return nil, bodyError(err)
	}
	if int64(len(content)) > limit {
		return nil, linkspan.E("proxy.Serve", linkspan.KindTooLarge, "request_too_large", nil,
			"The body is larger than the %d bytes that can be signed or completed for this provider.", limit)
	}
	return content, nil
}

// readReplayable keeps a small body, so that it can be sent again, and lets a
// large one stream through once.
func (c *call) readReplayable() error {
	limit := c.s.c.MaxReplay
	head, err := io.ReadAll(io.LimitReader(c.body, limit+1))
	if err != nil {
		return bodyError(err)
	}
	if int64(len(head)) <= limit {
		c.content = head
		return nil
	}
	c.stream = prefixed(head, c.body)
	return nil
}

// bodyError says that the caller's body could not be read.
func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return linkspan.E("proxy.Serve", linkspan.KindTooLarge, "request_too_large", err, "The body is too large.")
	}
	return linkspan.E("proxy.Serve", linkspan.KindInvalid, "invalid_body", err, "The body could not be read to its end.")
}

type readCloser struct {
	io.Reader
	io.Closer
}

// prefixed returns a stream that begins with what was read from it already.
func prefixed(head []byte, rest io.ReadCloser) io.ReadCloser {
	return readCloser{io.MultiReader(bytes.NewReader(head), rest), rest}
}

// becomesForm reports whether a JSON body is wanted upstream as a form: clients
// that have an object at hand send it as JSON and name the type they want.
func (c *call) becomesForm() bool {
	wanted := c.params.header["Content-Type"]
	if len(wanted) == 0 {
		return false
	}
	kind, _, err := mime.ParseMediaType(wanted[0])
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return false
	}
	kind, _, err = mime.ParseMediaType(c.contentType)
	return err == nil && kind == "application/json"
}

// formOf writes a JSON object as a form. What is no object stays as it is.
func formOf(content []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	object := map[string]any{}
	if err := decoder.Decode(&object); err != nil {
		return content
	}
	var out []byte
	for i, pair := range upstream.FormPairs(object) {
		if i > 0 {
			out = append(out, '&')
		}
		out = append(out, url.QueryEscape(pair[0])...)
		out = append(out, '=')
		out = append(out, url.QueryEscape(pair[1])...)
	}
	return out
}

// request builds the request of one attempt.
func (c *call) request() (*http.Request, error) {
	header := c.params.header
	if c.decompresses() && header["Accept-Encoding"] == nil {
		header = cloneWith(header, "Accept-Encoding", "gzip")
	}
	req, err := upstream.Build(c.traced(), c.target, upstream.Request{
		Method: c.method, Endpoint: c.endpoint, BaseURL: c.params.baseURL, Header: header,
		ContentType: c.contentType, Content: c.content, Body: c.stream, ContentLength: c.length,
	})
	if err == nil && c.accept != "" && req.Header["Accept"] == nil {
		req.Header["Accept"] = []string{c.accept}
	}
	return req, err
}

func cloneWith(h http.Header, name, value string) http.Header {
	out := make(http.Header, len(h)+1)
	maps.Copy(out, h)
	out[name] = []string{value}
	return out
}

func (c *call) decompresses() bool {
	if c.params.decompress != nil {
		return *c.params.decompress
	}
	return c.target.Decompress()
}

func (c *call) keepsHeaders() bool {
	if c.params.keepHeaders != nil {
		return *c.params.keepHeaders
	}
	return c.target.KeepHeadersOnRedirect()
}

// now returns the time by the service's clock.
func (c *call) now() time.Time { return c.s.c.Now() }
