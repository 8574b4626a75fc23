package catalog

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Limits of one template; they bound the work a hostile template can cause.
const (
	maxTemplateBytes = 64 << 10
	maxTemplateDepth = 16
)

// Template is a text with placeholders, parsed. It is immutable and safe for
// concurrent use. The zero value is the empty text.
//
// A placeholder is ${name}, ${random}, ${now}, ${now:FORMAT},
// ${now+7:days:FORMAT} or a function such as ${base64(text)}, whose argument is
// again a template. docs/providers.md describes them all.
type Template struct {
	nodes []node
}

type nodeKind uint8

const (
	nodeText nodeKind = iota
	nodeRef
	nodeNow
	nodeRandom
	nodeCall
)

// node is one piece of a template. src is the piece as written, so that the
// sources of all nodes joined are the template.
type node struct {
	kind nodeKind
	src  string
	name string   // nodeRef: the variable; nodeCall: the function
	now  nowSpec  // nodeNow
	args [][]node // nodeCall
}

// ParseTemplate parses src. The error says what is wrong and where; it never
// depends on values.
func ParseTemplate(src string) (*Template, error) {
	if len(src) > maxTemplateBytes {
		return nil, fmt.Errorf("template has %d bytes; at most %d are allowed", len(src), maxTemplateBytes)
	}
	p := templateParser{src: src}
	nodes, err := p.sequence(0)
	if err != nil {
		return nil, err
	}
	return &Template{nodes: nodes}, nil
}

// String returns the template as it was written.
func (t *Template) String() string {
	if t == nil {
		return ""
	}
	if len(t.nodes) == 1 {
		return t.nodes[0].src
	}
	var b strings.Builder
	for i := range t.nodes {
		b.WriteString(t.nodes[i].src)
	}
	return b.String()
}

// IsLiteral reports whether the template has no placeholder.
func (t *Template) IsLiteral() bool {
	return t == nil || !slices.ContainsFunc(t.nodes, func(n node) bool { return n.kind != nodeText })
}

// Refs returns the names of the variables the template mentions at any depth, in
// order of appearance and without repetition. ${now} and ${random} are not
// variables.
func (t *Template) Refs() []string {
	var names []string
	t.walk(func(n *node) {
		if n.kind == nodeRef && !slices.Contains(names, n.name) {
			names = append(names, n.name)
		}
	})
	return names
}

// Functions returns the names of the functions the template calls at any depth,
// in order of appearance and without repetition.
func (t *Template) Functions() []string {
	var names []string
	t.walk(func(n *node) {
		if n.kind == nodeCall && !slices.Contains(names, n.name) {
			names = append(names, n.name)
		}
	})
	return names
}

// Mentions reports whether a variable of the namespace, such as
// "connectionConfig", is used at any depth.
func (t *Template) Mentions(namespace string) bool {
	found := false
	t.walk(func(n *node) {
		found = found || n.kind == nodeRef && strings.HasPrefix(n.name, namespace+".")
	})
	return found
}

// walk calls visit for every node, outer ones first.
func (t *Template) walk(visit func(*node)) {
	if t != nil {
		walkNodes(t.nodes, visit)
	}
}

func walkNodes(nodes []node, visit func(*node)) {
	for i := range nodes {
		visit(&nodes[i])
		for _, arg := range nodes[i].args {
			walkNodes(arg, visit)
		}
	}
}

// UnmarshalYAML implements yaml.Unmarshaler for a scalar.
func (t *Template) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return &FileError{Line: n.Line, Message: "a template must be a text"}
	}
	parsed, err := ParseTemplate(n.Value)
	if err != nil {
		return &FileError{Line: n.Line, Message: err.Error()}
	}
	*t = *parsed
	return nil
}

// templateParser reads a template from left to right.
type templateParser struct {
	src   string
	pos   int
	depth int
}

// sequence reads text and placeholders up to the end, or, inside a call, up to
// the ")}" that closes it. start is where the sequence began, for messages.
func (p *templateParser) sequence(start int) ([]node, error) {
	var nodes []node
	textStart := p.pos
	flush := func() {
		if p.pos > textStart {
			nodes = append(nodes, node{kind: nodeText, src: p.src[textStart:p.pos]})
		}
	}
	for p.pos < len(p.src) {
		rest := p.src[p.pos:]
		switch {
		case p.depth > 0 && strings.HasPrefix(rest, ")}"):
			flush()
			return nodes, nil
		case strings.HasPrefix(rest, "${"):
			flush()
			n, err := p.placeholder()
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
			textStart = p.pos
		default:
			p.pos++
		}
	}
	if p.depth > 0 {
		return nil, fmt.Errorf("the function at byte %d is not closed: end it with )}", start)
	}
	flush()
	return nodes, nil
}

// placeholder reads one ${...}.
func (p *templateParser) placeholder() (node, error) {
	start := p.pos
	body := p.src[start+len("${"):]
	if open := strings.IndexFunc(body, func(r rune) bool { return !isWordRune(r) }); open > 0 && body[open] == '(' {
		return p.call(start, body[:open])
	}
	end := strings.IndexAny(body, "{}")
	if end < 0 || body[end] == '{' {
		return node{}, fmt.Errorf("the placeholder at byte %d is not closed: end it with }", start)
	}
	body = body[:end]
	p.pos = start + len("${") + end + len("}")
	n := node{src: p.src[start:p.pos]}
	switch {
	case body == "random":
		n.kind = nodeRandom
		return n, nil
	case body == "now" || strings.HasPrefix(body, "now:") || strings.HasPrefix(body, "now+") || strings.HasPrefix(body, "now-"):
		spec, err := parseNow(body)
		if err != nil {
			return node{}, fmt.Errorf("the placeholder at byte %d: %w", start, err)
		}
		n.kind, n.now = nodeNow, spec
		return n, nil
	}
	if err := checkRef(body); err != nil {
		return node{}, fmt.Errorf("the placeholder at byte %d: %w", start, err)
	}
	n.kind, n.name = nodeRef, body
	return n, nil
}

// call reads ${name(arguments)}; the position is at its "$".
func (p *templateParser) call(start int, name string) (node, error) {
	f, ok := functionNamed(name)
	if !ok {
		return node{}, fmt.Errorf("the placeholder at byte %d calls the unknown function %q; known are %s", start, name, strings.Join(functionNames(), ", "))
	}
	if p.depth++; p.depth > maxTemplateDepth {
		return node{}, fmt.Errorf("functions are nested deeper than %d", maxTemplateDepth)
	}
	p.pos = start + len("${") + len(name) + len("(")
	body, err := p.sequence(start)
	if err != nil {
		return node{}, err
	}
	p.pos += len(")}")
	p.depth--
	args := f.split(body)
	if len(args) < f.minArgs || len(args) > f.maxArgs {
		return node{}, fmt.Errorf("the function at byte %d takes %s: %s", start, f.arity(), f.usage)
	}
	return node{kind: nodeCall, src: p.src[start:p.pos], name: name, args: args}, nil
}

func isWordRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// checkRef refuses names that nobody can have meant as a variable.
func checkRef(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is missing")
	case strings.Contains(name, "|"):
		return fmt.Errorf("alternatives are not written inside a placeholder: list several URLs, or give the parameter a fallback")
	case strings.ContainsAny(name, " \t\r\n\"'`(),;$\\"):
		return fmt.Errorf("%q is not a variable name", name)
	}
	return nil
}

// splitTopLevel splits nodes at commas of their own text; commas inside nested
// placeholders do not count. With lastOnly it splits at the last comma.
func splitTopLevel(nodes []node, lastOnly bool) [][]node {
	type cut struct{ node, at int }
	var cuts []cut
	for i := range nodes {
		if nodes[i].kind != nodeText {
			continue
		}
		for at := range len(nodes[i].src) {
			if nodes[i].src[at] == ',' {
				cuts = append(cuts, cut{i, at})
			}
		}
	}
	if lastOnly && len(cuts) > 1 {
		cuts = cuts[len(cuts)-1:]
	}
	var parts [][]node
	var part []node
	next := 0
	for i := range nodes {
		from := 0
		for next < len(cuts) && cuts[next].node == i {
			part = appendText(part, nodes[i].src[from:cuts[next].at])
			parts = append(parts, part)
			part, from = nil, cuts[next].at+1
			next++
		}
		if nodes[i].kind == nodeText {
			part = appendText(part, nodes[i].src[from:])
		} else {
			part = append(part, nodes[i])
		}
	}
	return append(parts, part)
}

func appendText(nodes []node, text string) []node {
	if text == "" {
		return nodes
	}
	return append(nodes, node{kind: nodeText, src: text})
}

// trimNodes removes white space the template's author put around an argument.
// White space inside values stays.
func trimNodes(nodes []node) []node {
	nodes = slices.Clone(nodes)
	for len(nodes) > 0 && nodes[0].kind == nodeText {
		if nodes[0].src = strings.TrimLeft(nodes[0].src, " \t\r\n"); nodes[0].src != "" {
			break
		}
		nodes = nodes[1:]
	}
	for len(nodes) > 0 && nodes[len(nodes)-1].kind == nodeText {
		last := &nodes[len(nodes)-1]
		if last.src = strings.TrimRight(last.src, " \t\r\n"); last.src != "" {
			break
		}
		nodes = nodes[:len(nodes)-1]
	}
	return nodes
}
