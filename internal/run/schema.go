package run

import (
	"sync"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
)

// maxSchemas bounds the compiled schemas that are kept at hand.
const maxSchemas = 2000

// schemas keeps the contracts of versions, which never change.
type schemas struct {
	mu    sync.Mutex
	known map[string]*function.Contract
}

// of returns the contract of a version.
func (s *schemas) of(v *linkspan.FunctionVersion) *function.Contract {
	s.mu.Lock()
	c := s.known[v.UUID]
	s.mu.Unlock()
	if c != nil {
		return c
	}
	c = function.NewContract(&v.Definition)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[string]*function.Contract)
	}
	if len(s.known) >= maxSchemas {
		for other := range s.known {
			delete(s.known, other)
			break
		}
	}
	s.known[v.UUID] = c
	return c
}
