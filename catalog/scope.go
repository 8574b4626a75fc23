package catalog

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Scope is the usual [Vars]: named values, one moment and one random value for a
// whole set of templates, so that a signature and the timestamp beside it agree.
// It is safe for concurrent use once set up.
type Scope struct {
	values  map[string]any
	request *Request
	now     func() time.Time

	once   sync.Once
	frozen time.Time
	random string
}

// NewScope makes a scope over values. A value is a string, a number, a nested
// map[string]any or map[string]string, or anything with a method
// Reveal() string; others count as absent. The map is not copied.
func NewScope(values map[string]any) *Scope {
	return &Scope{values: values, now: time.Now}
}

// WithNow sets the clock that is read once, at the first use of ${now} or
// ${random}. It returns s.
func (s *Scope) WithNow(now func() time.Time) *Scope {
	s.now = now
	return s
}

// WithRequest sets the request that signing functions sign and that supplies
// ${method}, ${host}, ${path} and the other request variables. It returns s.
func (s *Scope) WithRequest(r Request) *Scope {
	s.request = &r
	return s
}

// Lookup implements [Vars]. A name with dots is looked up literally first and
// then as a path, at every level: connection settings may have dots in their
// names. Request variables come last.
func (s *Scope) Lookup(name string) (string, bool) {
	if text, ok := lookup(s.values, name); ok {
		return text, true
	}
	if s.request != nil {
		return s.request.Lookup(name)
	}
	return "", false
}

// Now returns the scope's one moment.
func (s *Scope) Now() time.Time {
	s.freeze()
	return s.frozen
}

// Random returns the scope's one random value, a UUID.
func (s *Scope) Random() string {
	s.freeze()
	return s.random
}

// RequestFacts returns the request to sign, if there is one.
func (s *Scope) RequestFacts() (Request, bool) {
	if s.request == nil {
		return Request{}, false
	}
	return *s.request, true
}

func (s *Scope) freeze() {
	s.once.Do(func() { s.frozen, s.random = s.now(), newUUID() })
}

// lookup finds name in a map: as it stands, then by descending at each of its
// dots, the shortest prefix first.
func lookup(container any, name string) (string, bool) {
	if value, ok := member(container, name); ok {
		return scalarText(value)
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		if child, ok := member(container, name[:i]); ok {
			if text, ok := lookup(child, name[i+1:]); ok {
				return text, true
			}
		}
	}
	return "", false
}

func member(container any, name string) (any, bool) {
	switch m := container.(type) {
	case map[string]any:
		v, ok := m[name]
		return v, ok
	case map[string]string:
		v, ok := m[name]
		return v, ok
	case []any:
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 || i >= len(m) {
			return nil, false
		}
		return m[i], true
	}
	return nil, false
}

// scalarText returns the text a value is substituted with: strings and numbers
// have one, booleans, nulls and containers do not.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case interface{ Reveal() string }:
		return v.Reveal(), true
	case json.Number:
		return v.String(), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return numberText(v)
	}
	return "", false
}

// numberText writes a JSON number the way JavaScript prints it, for the range
// that identifiers and timestamps live in.
func numberText(f float64) (string, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", false
	}
	if math.Abs(f) < 1e21 && (f == 0 || math.Abs(f) >= 1e-6) {
		return strconv.FormatFloat(f, 'f', -1, 64), true
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "e")
	sign, digits := exponent[:1], strings.TrimLeft(exponent[1:], "0")
	return mantissa + "e" + sign + digits, true
}
