package proxy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/egress"
)

// networkHeader tells our word that an upstream gave no answer from an upstream's
// answer of the same status. No answer of an upstream has it.
const networkHeader = "X-Linkspan-Network-Error"

// NetworkError says that a call got no answer from the upstream. Its JSON is how
// the public API tells of it (wire contract §5.5): upstream errors have no
// envelope.
type NetworkError struct {
	// Message says in a sentence what happened. It holds no address.
	Message string `json:"message"`
	// Code names it as clients know it from their own network stack, such as
	// "ECONNREFUSED".
	Code string `json:"code"`
	// Status is always null: there was no answer.
	Status *int `json:"status"`
	// Method is that of the call.
	Method string `json:"method"`
}

// Error implements error.
func (e *NetworkError) Error() string { return e.Code + ": " + e.Message }

// NewNetworkError names what the network did to a call of the method.
func NewNetworkError(method string, err error) *NetworkError {
	if network, ok := errors.AsType[*NetworkError](err); ok {
		return network
	}
	code, text := describe(err)
	return &NetworkError{Message: text, Code: code, Method: method}
}

// failed answers a call that got no answer from the upstream. What the policy
// refused is an error of ours; what the network did is told in the shape of the
// contract.
func (c *exchange) failed(err error) error {
	err = c.explain(err)
	network, ok := errors.AsType[*NetworkError](err)
	if !ok {
		return err
	}
	body, encodeErr := json.Marshal(network)
	if encodeErr != nil {
		return fmt.Errorf("encoding a network failure: %w", encodeErr)
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.w.Header().Set(networkHeader, network.Code)
	c.w.WriteHeader(http.StatusInternalServerError)
	_, _ = c.w.Write(body) // a client that went away does not need it
	c.failOp(network.Code, network.Message)
	return nil
}

// explain puts an error of the attempts into words for the caller: a
// linkspan.Error for what we refuse, the context's error for a caller that went
// away, and else a NetworkError.
func (c *call) explain(err error) error {
	if _, ok := errors.AsType[*linkspan.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyError(err)
	}
	if blocked, ok := egress.IsBlocked(err); ok {
		refused := notAllowed(err)
		if _, redirected := errors.AsType[*egress.RedirectError](err); redirected {
			refused.Code = "proxy_redirect_to_denied_host"
			refused.Msg = fmt.Sprintf("The upstream redirected to a target that is refused: %s.", blocked.Reason)
		}
		return refused
	}
	if c.ctx.Err() != nil && !errors.Is(err, context.DeadlineExceeded) {
		return c.ctx.Err()
	}
	network := NewNetworkError(c.method, err)
	c.failure = network.Code
	return network
}

// describe names a network failure by the codes that clients know from their own
// network stack. The text holds no address and no URL.
func describe(err error) (code, text string) {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "ENOTFOUND", "The upstream's host name does not exist."
		}
		return "EAI_AGAIN", "The upstream's host name could not be resolved for the moment."
	}
	switch {
	case errors.Is(err, egress.ErrTooManyRedirects):
		return "ERR_FR_TOO_MANY_REDIRECTS", "The upstream redirected too often."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "ECONNREFUSED", "The upstream refused the connection."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "ECONNRESET", "The upstream closed the connection before it answered."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "EHOSTUNREACH", "The upstream cannot be reached."
	case isTimeout(err):
		return "ETIMEDOUT", "The upstream did not answer in time."
	case isTLS(err):
		return "ERR_TLS", "No trusted TLS connection to the upstream could be made."
	case isBroken(err):
		return "UND_ERR_SOCKET", "The connection to the upstream broke off."
	}
	return "EPROTO", "The upstream did not answer with valid HTTP."
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.AlertError](err)
	return ok
}

// isBroken knows the errors of a connection that ended under a request. Those of
// HTTP/2 have no exported type.
func isBroken(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "server closed idle connection") || strings.Contains(text, "http2: ") || strings.Contains(text, "stream error")
}

// isRetryable reports whether the failure is one that another attempt may not
// meet (features PROXY-08).
func isRetryable(err error) bool {
	if _, ok := errors.AsType[*linkspan.Error](err); ok {
		return false
	}
	if _, ok := egress.IsBlocked(err); ok {
		return false
	}
	switch code, _ := describe(err); code {
	case "ECONNRESET", "ETIMEDOUT", "ECONNREFUSED", "EHOSTUNREACH", "EAI_AGAIN", "UND_ERR_SOCKET":
		return true
	}
	return false
}
