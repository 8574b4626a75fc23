package catalog

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Vars supplies the values a template is expanded with. Lookup gets the name as
// written between the braces, such as "connectionConfig.domain".
//
// Vars may also implement Now() time.Time, Random() string and
// RequestFacts() (Request, bool); [Scope] does. Without them each expansion uses
// the present moment and a fresh UUID, and functions that sign a request do not
// resolve.
type Vars interface {
	Lookup(name string) (value string, ok bool)
}

// VarsFunc adapts a function to [Vars].
type VarsFunc func(name string) (string, bool)

// Lookup implements [Vars].
func (f VarsFunc) Lookup(name string) (string, bool) { return f(name) }

// UnresolvedError reports placeholders that have no value.
type UnresolvedError struct {
	// Names are the variables without value, or whole placeholders whose
	// function could not be computed.
	Names []string
}

// Error implements error. It names variables, never values.
func (e *UnresolvedError) Error() string {
	return "no value for " + strings.Join(e.Names, ", ")
}

// Expand fills the template. ok is false when a placeholder has no value; out
// then still holds that placeholder as written.
func (t *Template) Expand(v Vars) (out string, ok bool) {
	if t == nil || len(t.nodes) == 0 {
		return "", true
	}
	if len(t.nodes) == 1 && t.nodes[0].kind == nodeText {
		return t.nodes[0].src, true
	}
	x := newExpansion(v)
	out = x.text(t.nodes)
	return out, len(x.missing) == 0
}

// ExpandOrError is like Expand but returns an [UnresolvedError] that names what
// is missing, and no text, when a placeholder has no value.
func (t *Template) ExpandOrError(v Vars) (string, error) {
	if t == nil {
		return "", nil
	}
	x := newExpansion(v)
	out := x.text(t.nodes)
	if len(x.missing) > 0 {
		return "", &UnresolvedError{Names: x.missing}
	}
	return out, nil
}

// expansion is the state of filling one template.
type expansion struct {
	vars    Vars
	now     time.Time
	random  string
	missing []string
}

func newExpansion(v Vars) *expansion { return &expansion{vars: v} }

func (x *expansion) text(nodes []node) string {
	var b strings.Builder
	for i := range nodes {
		if value, ok := x.value(&nodes[i]); ok {
			b.WriteString(value)
		} else {
			b.WriteString(nodes[i].src)
		}
	}
	return b.String()
}

// value returns what a node stands for and records what has no value.
func (x *expansion) value(n *node) (string, bool) {
	switch n.kind {
	case nodeText:
		return n.src, true
	case nodeNow:
		return n.now.format(x.moment()), true
	case nodeRandom:
		return x.randomValue(), true
	case nodeRef:
		if x.vars != nil {
			if value, ok := x.vars.Lookup(n.name); ok {
				return value, true
			}
		}
		x.miss(n.name)
		return "", false
	case nodeCall:
		return x.call(n)
	}
	return "", false
}

func (x *expansion) call(n *node) (string, bool) {
	before := len(x.missing)
	args := make([]string, len(n.args))
	for i, arg := range n.args {
		args[i] = x.text(arg)
	}
	if len(x.missing) > before {
		return "", false
	}
	f, ok := functionNamed(n.name)
	if !ok {
		return "", false
	}
	value, err := f.eval(x, args)
	if err != nil {
		x.miss(fmt.Sprintf("%s(...): %v", n.name, err))
		return "", false
	}
	return value, true
}

func (x *expansion) miss(name string) {
	if !slices.Contains(x.missing, name) {
		x.missing = append(x.missing, name)
	}
}

// moment returns the one moment of this expansion.
func (x *expansion) moment() time.Time {
	if c, ok := x.vars.(interface{ Now() time.Time }); ok {
		return c.Now()
	}
	if x.now.IsZero() {
		x.now = time.Now()
	}
	return x.now
}

// randomValue returns the one random value of this expansion.
func (x *expansion) randomValue() string {
	if r, ok := x.vars.(interface{ Random() string }); ok {
		return r.Random()
	}
	if x.random == "" {
		x.random = newUUID()
	}
	return x.random
}

func (x *expansion) request() (Request, bool) {
	if r, ok := x.vars.(interface{ RequestFacts() (Request, bool) }); ok {
		return r.RequestFacts()
	}
	return Request{}, false
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
