package host

import (
	"errors"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/protocol"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// RunError is Service.RunError without the secrets that the function knew.
func (x *Session) RunError(bundle string, err error) *linkspan.RunError {
	e := *x.s.RunError(bundle, err)
	e.Message = x.redact(e.Message)
	if len(e.Payload) > 0 {
		e.Payload = x.redactJSON(e.Payload)
	}
	if e.Upstream != nil {
		clean := linkspan.UpstreamAnswer{Status: e.Upstream.Status, Headers: make(map[string]string, len(e.Upstream.Headers)), Body: x.redactJSON(e.Upstream.Body)}
		for name, value := range e.Upstream.Headers {
			clean.Headers[name] = x.redact(value)
		}
		e.Upstream = &clean
	}
	return &e
}

// RunError is protocol.RunError. Only a few source maps are read at once: failing
// runs are as many as somebody likes.
func (s *Service) RunError(bundle string, err error) *linkspan.RunError {
	if _, ok := errors.AsType[*sandbox.Failure](err); ok {
		s.mapping <- struct{}{}
		defer func() { <-s.mapping }()
	}
	return protocol.RunError(bundle, err)
}
