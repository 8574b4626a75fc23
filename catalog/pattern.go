package catalog

import (
	"fmt"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"go.yaml.in/yaml/v4"
)

// patternTimeout bounds one match: patterns may come from an operator's own
// files and backtrack.
const patternTimeout = 250 * time.Millisecond

// Pattern is a JavaScript regular expression. It is compiled at its first use
// and safe for concurrent use. It matches anywhere in a text unless it anchors
// itself.
type Pattern struct {
	source string
	once   sync.Once
	re     *regexp2.Regexp
	err    error
}

// NewPattern wraps the text of an expression, without slashes around it.
func NewPattern(source string) *Pattern { return &Pattern{source: source} }

// String returns the text of the expression.
func (p *Pattern) String() string {
	if p == nil {
		return ""
	}
	return p.source
}

// Compile compiles the expression if that has not happened yet.
func (p *Pattern) Compile() error {
	p.once.Do(func() {
		p.re, p.err = regexp2.Compile(p.source, regexp2.ECMAScript)
		if p.err != nil {
			p.err = fmt.Errorf("pattern %q is not a JavaScript regular expression: %w", p.source, p.err)
			return
		}
		p.re.MatchTimeout = patternTimeout
	})
	return p.err
}

// Match reports whether the expression matches somewhere in text. It fails when
// the expression does not compile or takes too long.
func (p *Pattern) Match(text string) (bool, error) {
	if err := p.Compile(); err != nil {
		return false, err
	}
	ok, err := p.re.MatchString(text)
	if err != nil {
		return false, fmt.Errorf("matching pattern %q: %w", p.source, err)
	}
	return ok, nil
}

// Find returns the first group of the first match in text, or the whole match
// when the expression has no group.
func (p *Pattern) Find(text string) (string, bool, error) {
	if err := p.Compile(); err != nil {
		return "", false, err
	}
	m, err := p.re.FindStringMatch(text)
	if err != nil {
		return "", false, fmt.Errorf("matching pattern %q: %w", p.source, err)
	}
	if m == nil {
		return "", false, nil
	}
	if g := m.GroupByNumber(1); g != nil && len(g.Captures) > 0 {
		return g.String(), true, nil
	}
	return m.String(), true, nil
}

// UnmarshalYAML implements yaml.Unmarshaler for a scalar.
func (p *Pattern) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return &FileError{Line: n.Line, Message: "a pattern must be a text"}
	}
	p.source = n.Value
	return nil
}
