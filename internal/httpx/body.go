package httpx

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// defaultBodyLimit is the largest body accepted unless configured: 75 MB.
	defaultBodyLimit = 75 << 20
	// defaultBodyIdle is how long nothing may arrive of a body.
	defaultBodyIdle = time.Minute
	// leftBodyTimeout bounds the wait for a body that nobody wants any more:
	// the server reads some of it to keep the connection usable.
	leftBodyTimeout = 5 * time.Second
)

// watch puts the patience with bodies that stop arriving in front of the
// request's body, before anything can be answered: the server waits for the rest
// of a refused request's body too.
func (rt *Router) watch(x *exchange, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	x.body = &body{ReadCloser: r.Body, control: http.NewResponseController(x.out.ResponseWriter), idle: rt.cfg.BodyIdle}
	r.Body = x.body
}

// limitBody applies the route's limits to the request's body.
func (rt *Router) limitBody(x *exchange, r *http.Request, route *Route) error {
	if x.body == nil {
		return nil
	}
	x.body.idle = cmp.Or(route.BodyIdle, rt.cfg.BodyIdle)
	limit := cmp.Or(route.BodyLimit, rt.cfg.BodyLimit)
	if limit < 0 {
		return nil
	}
	if r.ContentLength > limit {
		x.out.Header().Set("Connection", "close") // nobody is going to read that body
		return tooLarge(limit)
	}
	// It tells the server's own writer, not ours, to close the connection.
	x.body.ReadCloser = http.MaxBytesReader(x.out.ResponseWriter, x.body.ReadCloser, limit)
	return nil
}

// tooLarge is the error for a body of more than limit bytes.
func tooLarge(limit int64) error {
	return linkspan.E("httpx.Router", linkspan.KindTooLarge, "request_too_large", nil,
		"The request body is larger than the limit of %d bytes.", limit)
}

// body gives up on a request body that stops arriving. The server itself has no
// such limit: its one for whole requests would cut long uploads short. The
// deadline moves with each read and is lifted at the end, because the server goes
// on reading to notice when the client leaves.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration

	mu   sync.Mutex
	done bool // the deadline must not be touched any more
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.expect(b.idle, false)
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.lift()
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = linkspan.E("httpx.Router", linkspan.KindTimeout, "request_timeout", err,
			"The request body stopped arriving.").WithStatus(http.StatusRequestTimeout)
	}
	return n, err
}

// Close implements io.Closer. The connection is not touched after it.
func (b *body) Close() error {
	b.expect(min(b.idle, leftBodyTimeout), true)
	return b.ReadCloser.Close()
}

// expect sets the time in which more has to arrive; last makes it the last word.
// Test recorders and HTTP/2 have no deadline, which is no failure.
func (b *body) expect(within time.Duration, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	b.done = last
	_ = b.control.SetReadDeadline(time.Now().Add(within))
}

// lift ends the waiting: there is nothing more to come.
func (b *body) lift() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	b.done = true
	_ = b.control.SetReadDeadline(time.Time{})
}

// leave says that nobody reads on.
func (b *body) leave() {
	if b != nil {
		b.expect(min(b.idle, leftBodyTimeout), true)
	}
}
