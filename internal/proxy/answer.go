package proxy

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// exchange is a call that came by HTTP and is answered by HTTP.
type exchange struct {
	call

	w http.ResponseWriter
	r *http.Request
}

// serve runs the call up to the end of the answer.
func (c *exchange) serve() error {
	if err := c.prepare(); err != nil {
		return err
	}
	if c.stream != nil && c.params.retries == 0 {
		// The answer may begin while the body is still arriving.
		_ = http.NewResponseController(c.w).EnableFullDuplex() // HTTP/2 and test recorders do without
	}
	res, err := c.attempts() //nolint:bodyclose // deliver closes it
	if err != nil {
		return c.failed(err)
	}
	return c.deliver(res)
}

// errSwitched is about an answer that is none.
var errSwitched = errors.New("the upstream switched protocols, which nobody asked for")

// decoded returns the body of an answer as the caller gets it.
func (c *call) decoded(res *http.Response) io.Reader {
	if !c.decompresses() || c.method == http.MethodHead || !strings.EqualFold(res.Header.Get("Content-Encoding"), "gzip") || res.ContentLength == 0 {
		return res.Body
	}
	res.Header.Del("Content-Encoding")
	res.Header.Del("Content-Length")
	res.ContentLength = -1
	return &gunzip{src: res.Body}
}

// deliver streams an answer to the caller.
func (c *exchange) deliver(res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return c.failed(errSwitched)
	}
	body := c.decoded(res)
	c.status = res.StatusCode
	c.logResponse(res)
	h := c.w.Header()
	copyHeader(h, res.Header)
	if _, typed := res.Header["Content-Type"]; !typed {
		h["Content-Type"] = nil // keeps the server from guessing one
	}
	announced := len(res.Trailer)
	for name := range res.Trailer {
		h.Add("Trailer", name)
	}
	c.w.WriteHeader(res.StatusCode)
	if announced > 0 {
		// The trailers need chunked encoding, which a flush forces.
		_ = http.NewResponseController(c.w).Flush() // a writer that cannot flush cannot do trailers either
	}
	if err := c.copyBody(body, flushes(res)); err != nil {
		c.finish(err) // the answer has begun: there is nobody to tell
		return nil
	}
	c.copyTrailer(res, announced)
	if c.stream != nil {
		// The answer may be complete before the caller's body is: a caller that
		// stops sending then must not wait for it.
		_ = http.NewResponseController(c.w).Flush() // the end of the handler flushes too
	}
	c.succeed(res)
	return nil
}

// errCallerGone says that the caller did not wait for the end of its answer.
var errCallerGone = fmt.Errorf("writing the answer: %w", context.Canceled)

// staysHere reports the headers that are for the next hop only (RFC 9110
// §7.6.1), and those that are ours to give: of cross-origin rules, and our own,
// by which callers tell our failures from the upstream's.
func staysHere(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "X-Linkspan-")
}

// copyHeader takes over the headers of an answer that are meant for the caller.
// They replace ours of the same name; an upstream that speaks of its own rate
// limit replaces all that we say of ours, because a mixture means nothing.
func copyHeader(dst, src http.Header) {
	connection := src["Connection"]
	limits := [...]string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"}
	if src[limits[0]] != nil || src[limits[1]] != nil || src[limits[2]] != nil {
		for _, name := range limits {
			delete(dst, name)
		}
	}
	for name, values := range src {
		if staysHere(name) || len(connection) > 0 && nominated(connection, name) {
			continue
		}
		dst[name] = values
	}
}

func nominated(connection []string, name string) bool {
	for _, value := range connection {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(textproto.TrimString(part), name) {
				return true
			}
		}
	}
	return false
}

// flushes reports whether each piece of an answer goes on at once: what is
// streamed has no length, and events must not wait.
func flushes(res *http.Response) bool {
	if res.ContentLength == -1 {
		return true
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return err == nil && kind == "text/event-stream"
}

// copyBody copies with a pooled buffer. When the upstream breaks off it aborts
// the answer, so that the caller does not take a part for the whole.
func (c *exchange) copyBody(src io.Reader, flush bool) error {
	buffer, ok := c.s.buffers.Get().(*[copyBufferBytes]byte)
	if !ok { // cannot be: the pool makes nothing else
		buffer = new([copyBufferBytes]byte)
	}
	defer c.s.buffers.Put(buffer)
	var control *http.ResponseController
	if flush {
		control = http.NewResponseController(c.w)
	}
	idle := time.AfterFunc(c.s.c.IdleTimeout, c.cancel)
	defer idle.Stop()
	for {
		n, readErr := src.Read(buffer[:])
		if n > 0 {
			if _, err := c.w.Write(buffer[:n]); err != nil {
				return errCallerGone
			}
			if control != nil {
				_ = control.Flush() // the next write tells whether the caller is still there
			}
			idle.Reset(c.s.c.IdleTimeout)
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			c.abort(readErr)
		}
	}
}

// abort cuts the connection to the caller, who cannot be told otherwise that the
// upstream broke off. When it is the caller who left, there is nothing to report.
func (c *exchange) abort(err error) {
	if c.r.Context().Err() != nil {
		c.finish(c.r.Context().Err())
	} else {
		c.failure, _ = describe(err)
		c.failOp("upstream_aborted", "The upstream broke off in the middle of its answer.")
		c.s.c.Log.WarnContext(c.ctx, "the upstream broke off in the middle of its answer",
			"integration", c.params.integration, "provider", c.target.Provider.Name, "error", err)
	}
	panic(http.ErrAbortHandler)
}

// copyTrailer takes over the trailers, announced ones and others.
func (c *exchange) copyTrailer(res *http.Response, announced int) {
	if len(res.Trailer) == 0 {
		return
	}
	h := c.w.Header()
	for name, values := range res.Trailer {
		if len(res.Trailer) != announced {
			name = http.TrailerPrefix + name
		}
		for _, value := range values {
			h.Add(name, value)
		}
	}
}

// maxInformational bounds how many informational responses an upstream may send
// before its answer.
const maxInformational = 64

// informer hands informational responses, such as 103 Early Hints, on to the
// caller while an attempt waits for its answer. The transport calls it from a
// goroutine of its own, possibly after it gave up on the attempt.
type informer struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	waiting bool
	// speaks is set when the caller's protocol has informational responses.
	speaks bool
	seen   int
}

// traced returns the call's context with the informer hooked in, if there is
// anybody to inform.
func (c *call) traced() context.Context {
	if c.informer.w == nil {
		return c.ctx
	}
	return httptrace.WithClientTrace(c.ctx, &httptrace.ClientTrace{Got1xxResponse: c.informer.inform})
}

// wait says whether an attempt is waiting for its answer. Only then may the
// response writer be used.
func (i *informer) wait(waiting bool) {
	i.mu.Lock()
	i.waiting = waiting
	i.mu.Unlock()
}

func (i *informer) inform(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.seen++; i.seen > maxInformational {
		return errors.New("the upstream sent too many informational responses")
	}
	if !i.waiting || !i.speaks || code == http.StatusContinue || code == http.StatusSwitchingProtocols {
		return nil
	}
	h := i.w.Header()
	before := maps.Clone(h)
	copyHeader(h, http.Header(header))
	i.w.WriteHeader(code)
	clear(h)
	maps.Copy(h, before)
	return nil
}

// gunzip decompresses, beginning with the first read.
type gunzip struct {
	src io.Reader
	zip *gzip.Reader
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	if g.zip == nil {
		zip, err := gzip.NewReader(g.src)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return 0, io.EOF // an empty body
			}
			return 0, fmt.Errorf("decompressing the answer: %w", err)
		}
		g.zip = zip
	}
	return g.zip.Read(p)
}
