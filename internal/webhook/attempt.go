package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/oplog"
)

const (
	// attemptTimeout bounds an attempt, from resolving the host to the last byte
	// that is read of the answer (features HOOK-06).
	attemptTimeout = 20 * time.Second
	dialTimeout    = 10 * time.Second
	// maxAnswer is how much of an answer is read. Its text is of no use to us:
	// reading a short one to its end lets the connection be used again.
	maxAnswer = 64 << 10
	// maxAnswerHeader bounds its head.
	maxAnswerHeader = 64 << 10
	// awayPause is how long a delivery waits when it could not be sent because the
	// database was away.
	awayPause = 5 * time.Second
	// answerGrace is how long an answer may go on after its head has said all
	// that matters.
	answerGrace = 2 * time.Second
)

// newClient makes the client that posts: no redirects, since a message signed
// for one receiver is not for another.
func newClient(g *egress.Guard) *http.Client {
	transport := g.Transport(egress.TransportOptions{DialTimeout: dialTimeout, MaxIdlePerHost: perReceiver})
	transport.MaxResponseHeaderBytes = maxAnswerHeader
	return g.Client(egress.ClientOptions{Transport: transport, MaxRedirects: -1})
}

// answer is what came of one request.
type answer struct {
	status  int
	header  http.Header
	blocked *egress.BlockedError
	// problem says in safe words why there was no status.
	problem string
	// gaveUp means that it was we who broke off: it was no attempt.
	gaveUp bool
}

// outcome is an attempt that has ended.
type outcome struct {
	delivery linkspan.WebhookDelivery
	retryIn  time.Duration
	// slow means that the receiver kept us waiting.
	slow bool
	// released means that the attempt was broken off and does not count.
	released bool
	// ours means that the receiver was not asked.
	ours bool
	// stored means that the result was stored: nobody else was at it.
	stored bool
}

// keys are what signs an environment's messages.
type keys struct {
	present linkspan.Secret
	older   []linkspan.Secret
	// problem says why there are none.
	problem string
	// deleted means that the environment is gone, away that the database is.
	deleted, away bool
}

// keys reads an environment's present signing keys.
func (s *Service) keys(ctx context.Context, env linkspan.EnvironmentID) keys {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	e, err := s.store.WebhookEnvironment(ctx, nil, env)
	switch kind := linkspan.KindOf(err); {
	case err == nil:
	case kind == linkspan.KindNotFound:
		return keys{deleted: true}
	case ctx.Err() != nil, kind == linkspan.KindUnavailable:
		return keys{away: true}
	default:
		s.log.WarnContext(ctx, "reading the keys that sign webhooks failed", "environment_id", int64(env), "error", err)
		return keys{problem: "The signing key can't be read; the server's log has the details."}
	}
	if e.WebhookSigningKey.IsZero() {
		return keys{problem: "The environment has no signing key."}
	}
	k := keys{present: e.WebhookSigningKey}
	if !e.PreviousSigningKey.IsZero() && e.PreviousSigningKeyUntil.After(s.now()) {
		k.older = []linkspan.Secret{e.PreviousSigningKey}
	}
	return k
}

// attempt makes one attempt, signed with what signer returns, and says what
// becomes of the delivery.
func (s *Service) attempt(ctx context.Context, d linkspan.WebhookDelivery, signer func() keys) outcome {
	k := signer()
	began := s.now()
	var (
		a      answer
		header http.Header
	)
	switch {
	case k.deleted:
	case k.away: // our fault: it costs the delivery nothing
		return outcome{delivery: d, retryIn: awayPause, ours: true, released: ctx.Err() != nil}
	case k.problem != "":
		a.problem = k.problem
	case d.Event.Body.IsZero():
		a.problem = "The stored message can't be decrypted; the server's log has the details."
	default:
		header = s.header(&d.Event, k, began)
		a = s.post(ctx, &d, header)
	}
	if a.gaveUp {
		return outcome{delivery: d, released: true}
	}
	o := outcome{slow: s.now().Sub(began) >= slowAfter, ours: header == nil}
	d.Attempts++
	d.LastStatus, d.LastError = a.status, a.problem
	s.judge(&o, &d, k, a)
	o.delivery = d
	s.record(&o, k, header, a, began)
	return o
}

// judge says what an answer means for the delivery.
func (s *Service) judge(o *outcome, d *linkspan.WebhookDelivery, k keys, a answer) {
	switch {
	case k.deleted:
		d.State, d.LastError = linkspan.DeliveryFailed, "The environment was deleted."
	case a.blocked != nil:
		d.State, d.LastError = linkspan.DeliveryBlocked, "The URL may not be called: "+a.blocked.Error()+"."
	case a.status >= 200 && a.status <= 299:
		d.State = linkspan.DeliveryDelivered
	case a.status == http.StatusGone:
		d.State, d.LastError = linkspan.DeliveryGone, "The receiver answered 410: it wants no more of these."
	default:
		if a.status != 0 {
			d.LastError = fmt.Sprintf("The receiver answered %d.", a.status)
		}
		d.State = linkspan.DeliveryFailed
		if d.Attempts < maxAttempts {
			d.State = linkspan.DeliveryPending
			o.retryIn = max(pause(d.UUID, d.Attempts), retryAfter(a.header, s.now()))
		}
	}
}

// header returns the request's headers.
func (s *Service) header(e *linkspan.WebhookEvent, k keys, at time.Time) http.Header {
	h := Sign(e.UUID, at, e.Body.Reveal(), k.present, k.older...)
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", s.agent)
	return h
}

// post sends the message and reads what there is to read.
func (s *Service) post(ctx context.Context, d *linkspan.WebhookDelivery, header http.Header) answer {
	u, err := url.Parse(d.URL)
	if err != nil {
		return answer{blocked: &egress.BlockedError{Reason: "it is not a URL"}}
	}
	if err := s.checkURL(u); err != nil {
		return refused(u, err)
	}
	timed, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(timed, http.MethodPost, d.URL, strings.NewReader(d.Event.Body.Reveal()))
	if err != nil {
		return answer{blocked: &egress.BlockedError{Host: u.Hostname(), Reason: "it is not a URL"}}
	}
	r.Header = header
	res, err := s.client.Do(r)
	if err != nil {
		return failed(ctx, u, err)
	}
	// The head says whether the message has arrived. Whatever follows is read
	// only for the connection's sake, and not for long.
	grace := time.AfterFunc(answerGrace, cancel)
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer)
	grace.Stop()
	_ = res.Body.Close()
	return answer{status: res.StatusCode, header: res.Header}
}

// refused is the answer when the policy forbids the URL.
func refused(u *url.URL, err error) answer {
	if b, ok := egress.IsBlocked(err); ok {
		return answer{blocked: b}
	}
	return answer{blocked: &egress.BlockedError{Host: u.Hostname(), Reason: "the policy for outbound calls forbids it"}}
}

// failed says in safe words why there is no answer. The error itself may quote
// the URL, which may hold a token.
func failed(ctx context.Context, u *url.URL, err error) answer {
	if b, ok := egress.IsBlocked(err); ok {
		return refused(u, b)
	}
	if ctx.Err() != nil {
		return answer{gaveUp: true}
	}
	return answer{problem: describe(err)}
}

func describe(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsTimeout {
		return "The receiver's host name can't be resolved."
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "The receiver's TLS certificate is not valid."
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "The receiver does not speak TLS at this port."
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return "The receiver did not answer in time (20 s in all, 10 s to connect)."
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "The receiver did not answer in time (20 s in all, 10 s to connect)."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The receiver refused the connection."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "The receiver closed the connection without an answer."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "The receiver's network can't be reached."
	}
	return "The receiver can't be reached, or its answer is not HTTP."
}

// record shows the attempt under the delivery's operation, which it also brings
// up to date: whoever makes the next attempt may be another process.
func (s *Service) record(o *outcome, k keys, header http.Header, a answer, began time.Time) {
	d := &o.delivery
	target := safeURL(d.URL)
	op := s.ops.Start(linkspan.Operation{
		ID: d.Operation, EnvironmentID: d.EnvironmentID, Type: linkspan.OperationWebhook, Action: action(&d.Event),
		State: linkspan.StateWaiting, Message: "POST " + target, IntegrationKey: d.Event.IntegrationKey, Provider: d.Event.Provider,
		ConnectionName: d.Event.ConnectionName, ConnectionUUID: d.Event.ConnectionUUID,
		CreatedAt: d.CreatedAt, StartedAt: d.CreatedAt,
		// Somebody else goes on within seconds when the next attempt's holder dies.
		ExpiresAt: s.now().Add(o.retryIn + time.Hour),
	})
	redact := oplog.NewRedactor(append([]linkspan.Secret{k.present}, k.older...)...)
	m := linkspan.Message{
		Type: "http", Level: "info", Text: fmt.Sprintf("Attempt %d of %d: the receiver answered %d.", d.Attempts, maxAttempts, d.LastStatus),
		Request:   &linkspan.HTTPRequestSummary{Method: http.MethodPost, URL: target, Headers: safeHeaders(redact, header)},
		CreatedAt: began, EndedAt: s.now(),
	}
	if a.status != 0 {
		m.Response = &linkspan.HTTPResponseSummary{Code: a.status, Headers: redact.Headers(a.header)}
	}
	if d.LastError != "" {
		m.Level = "warn"
		m.Text = fmt.Sprintf("Attempt %d of %d: %s", d.Attempts, maxAttempts, d.LastError)
		m.Error = &linkspan.OperationError{Code: "webhook_" + string(d.State), Message: d.LastError}
	}
	switch d.State {
	case linkspan.DeliveryPending:
		m.Error.Code = "webhook_attempt_failed"
		m.Text += " The next attempt follows in " + o.retryIn.Round(time.Second).String() + "."
		op.Message(m)
		op.Publish()
	case linkspan.DeliveryDelivered:
		op.Message(m)
		op.Succeed(fmt.Sprintf("POST %s answered %d", target, a.status))
	case linkspan.DeliveryFailed, linkspan.DeliveryGone, linkspan.DeliveryBlocked:
		op.Message(m)
		op.Fail("webhook_"+string(d.State), "POST "+target+": "+d.LastError)
	}
}

func action(e *linkspan.WebhookEvent) linkspan.OperationAction {
	switch e.Type {
	case typeAsyncAction:
		return linkspan.ActionAsyncActionHook
	case typeSync:
		return linkspan.ActionSyncHook
	}
	switch Operation(e.Operation) {
	case Refresh:
		return linkspan.ActionConnectionRefreshHook
	case Deletion:
		return linkspan.ActionConnectionDeleteHook
	case Creation, Override:
	}
	return linkspan.ActionConnectionCreateHook
}

// safeURL renders a receiver's URL without what often authenticates the sender:
// user information and the whole query.
func safeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	text := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		text += "?[redacted]"
	}
	return text
}

// safeHeaders leaves the signatures out: whoever reads the log and guesses the
// body could test keys against them.
func safeHeaders(redact *oplog.Redactor, h http.Header) map[string]string {
	out := redact.Headers(h)
	for _, name := range []string{headerPlainSignature, headerHMAC, headerSignature} {
		if lower := strings.ToLower(name); out[lower] != "" {
			out[lower] = "[redacted]"
		}
	}
	return out
}
