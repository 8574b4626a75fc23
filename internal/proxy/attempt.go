package proxy

import (
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/connect"
)

// maxErrorBody is how much of an error's body is looked at for a wait.
const maxErrorBody = 64 << 10

// attempts sends the request until an answer is final. The answer of the last
// attempt is returned whatever its status.
func (c *call) attempts() (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		req, err := c.request()
		if err != nil {
			return nil, err
		}
		if c.sent == 0 {
			c.logRequest(req)
		}
		res, err := c.send(req)
		if c.stream != nil || c.ctx.Err() != nil {
			return res, err
		}
		if c.overtaken(res) {
			drain(res)
			attempt-- // it is none of those that were asked for
			continue
		}
		if attempt >= c.params.retries {
			return res, err
		}
		pause, again := c.pause(attempt, res, err)
		if !again {
			return res, err
		}
		c.logRetry(attempt, res, err, pause)
		if res != nil {
			drain(res)
		}
		if pause > 0 {
			if err := c.s.c.Wait(c.ctx, pause); err != nil {
				return nil, err
			}
		}
	}
}

// send makes one attempt.
func (c *call) send(req *http.Request) (*http.Response, error) {
	begun := c.now()
	c.sent++
	c.informer.wait(true)
	res, err := c.s.c.Upstream.Do(req, c.keepsHeaders())
	c.informer.wait(false)
	c.took += c.now().Sub(begun)
	return res, err
}

// pause decides whether the request is sent again, and after how long.
func (c *call) pause(attempt int, res *http.Response, err error) (time.Duration, bool) {
	if err != nil {
		if !isRetryable(err) {
			return 0, false
		}
		return c.fits(backoff(attempt))
	}
	hints := c.hints()
	retryable := hints.Retryable(res.StatusCode) || slices.Contains(c.params.retryOn, res.StatusCode)
	if !retryable && (res.StatusCode < 400 || hints.Remaining == "" || res.Header.Get(hints.Remaining) != "0") {
		return 0, false
	}
	if res.StatusCode == http.StatusUnauthorized {
		// Nothing changes by waiting, only by other credentials.
		return 0, c.renewCredentials()
	}
	if pause, ok := hinted(hints, res, c.now(), c.peek); ok {
		return c.fits(pause)
	}
	return c.fits(backoff(attempt))
}

// hints are the provider's about trying again, with the caller's own words on
// when.
func (c *call) hints() catalog.Retry {
	hints := c.target.Retry()
	if len(c.params.retryAt)+len(c.params.retryAfter) > 0 {
		hints.At, hints.After = c.params.retryAt, c.params.retryAfter
	}
	return hints
}

// fits caps a wait, and refuses one that outlives the request.
func (c *call) fits(pause time.Duration) (time.Duration, bool) {
	pause = min(pause, maxPause)
	if deadline, ok := c.ctx.Deadline(); ok && c.now().Add(pause).After(deadline) {
		return 0, false
	}
	return pause, true
}

// overtaken reports, once, whether a 401 is about credentials that somebody else has
// replaced while the call was on its way. Some providers end those at once. With
// the new ones it is made again whether or not that was asked for: the refusal
// says nothing about them, and that the call had no effect.
func (c *call) overtaken(res *http.Response) bool {
	if res == nil || res.StatusCode != http.StatusUnauthorized || c.looked {
		return false
	}
	c.looked = true
	if !c.replaceCredentials(connect.FreshOptions{}) {
		return false
	}
	c.op.Message(linkspan.Message{
		Type: "http", Level: "info", Response: &linkspan.HTTPResponseSummary{Code: res.StatusCode},
		Text: "The upstream refused credentials that were renewed meanwhile. The call is made again with the new ones.",
	})
	return true
}

// renewCredentials gets other credentials after a 401, once. It reports whether
// there are any; the same ones would be refused again.
func (c *call) renewCredentials() bool {
	if c.renewed {
		return false
	}
	c.renewed = true
	return c.replaceCredentials(connect.FreshOptions{Rejected: true})
}

// replaceCredentials has the call go on with the connection's credentials if they
// are others than it has, and reports whether they are.
func (c *call) replaceCredentials(o connect.FreshOptions) bool {
	target, err := c.fresh(o)
	if err != nil {
		c.renewed = true // it is in vain to ask again
		c.op.Message(linkspan.Message{Level: "warn", Text: "The upstream refused the credentials, and they could not be renewed."})
		return false
	}
	if target.Credentials.Equal(c.target.Credentials) {
		return false
	}
	c.target = target
	return true
}

// peek reads the beginning of an error's body and leaves the body whole.
func (c *call) peek(res *http.Response) []byte {
	head, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody)) // what could be read is looked at
	res.Body = prefixed(head, res.Body)
	return head
}

// drain reads the rest of a small answer, so that its connection can be used
// again, and closes it.
func drain(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, maxErrorBody)
	_ = res.Body.Close()
}
