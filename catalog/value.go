package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Value is what a parameter is set to: a template, a fixed scalar, or a list or
// object of values. The members of an object keep their order.
type Value struct {
	template *Template
	scalar   any
	list     []Value
	members  []Member
	kind     valueKind
}

type valueKind uint8

const (
	valueScalar valueKind = iota
	valueTemplate
	valueList
	valueObject
)

// Member is one entry of an object value.
type Member struct {
	Name  string
	Value Value
}

// TextValue returns the value that t expands to.
func TextValue(t *Template) Value { return Value{kind: valueTemplate, template: t} }

// Template returns the template of a text value, and nil for other values.
func (v *Value) Template() *Template { return v.template }

// List returns the elements of a list value.
func (v *Value) List() []Value { return v.list }

// Members returns the entries of an object value in their order.
func (v *Value) Members() []Member { return v.members }

// Expand fills all templates of the value. The result is a string, bool, int,
// float64, nil, []any or map[string]any. ok is false when a placeholder has no
// value; it then stands in the result as written.
func (v *Value) Expand(vars Vars) (result any, ok bool) {
	switch v.kind {
	case valueTemplate:
		return v.template.Expand(vars)
	case valueList:
		ok = true
		list := make([]any, len(v.list))
		for i := range v.list {
			var filled bool
			list[i], filled = v.list[i].Expand(vars)
			ok = ok && filled
		}
		return list, ok
	case valueObject:
		ok = true
		object := make(map[string]any, len(v.members))
		for i := range v.members {
			filled, all := v.members[i].Value.Expand(vars)
			object[v.members[i].Name] = filled
			ok = ok && all
		}
		return object, ok
	case valueScalar:
	}
	return v.scalar, true
}

// ExpandText is Expand for places that hold text, such as headers and form
// fields: scalars print as in JSON, lists and objects as JSON texts.
func (v *Value) ExpandText(vars Vars) (text string, ok bool) {
	result, ok := v.Expand(vars)
	switch r := result.(type) {
	case string:
		return r, ok
	case nil:
		return "", ok
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		return "", false
	}
	return string(encoded), ok
}

// Templates calls visit for every template inside the value.
func (v *Value) Templates(visit func(*Template)) {
	switch v.kind {
	case valueTemplate:
		visit(v.template)
	case valueList:
		for i := range v.list {
			v.list[i].Templates(visit)
		}
	case valueObject:
		for i := range v.members {
			v.members[i].Value.Templates(visit)
		}
	case valueScalar:
	}
}

// MarshalJSON writes the value with its templates as written and its members in
// order.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case valueTemplate:
		return json.Marshal(v.template.String())
	case valueList:
		if v.list == nil {
			return []byte("[]"), nil
		}
		return json.Marshal(v.list)
	case valueObject:
		object := make(Object, len(v.members))
		for i, m := range v.members {
			object[i] = Entry{m.Name, m.Value}
		}
		return object.MarshalJSON()
	case valueScalar:
	}
	return json.Marshal(v.scalar)
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (v *Value) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		return v.unmarshalScalar(n)
	case yaml.SequenceNode:
		v.kind, v.list = valueList, make([]Value, len(n.Content))
		for i, child := range n.Content {
			if err := v.list[i].UnmarshalYAML(child); err != nil {
				return err
			}
		}
		return nil
	case yaml.MappingNode:
		v.kind, v.members = valueObject, make([]Member, len(n.Content)/2)
		for i := range v.members {
			v.members[i].Name = n.Content[2*i].Value
			if err := v.members[i].Value.UnmarshalYAML(n.Content[2*i+1]); err != nil {
				return err
			}
		}
		return nil
	default:
	}
	return &FileError{Line: n.Line, Message: "a value must be a text, number, boolean, list or map"}
}

func (v *Value) unmarshalScalar(n *yaml.Node) error {
	if n.ShortTag() == "!!str" {
		v.kind, v.template = valueTemplate, &Template{}
		return v.template.UnmarshalYAML(n)
	}
	v.kind = valueScalar
	if err := n.Decode(&v.scalar); err != nil {
		return &FileError{Line: n.Line, Message: err.Error()}
	}
	return nil
}

// Param is a named value. Fallback stands in when a placeholder of Value has no
// value, or when the text is empty.
type Param struct {
	Name     string `yaml:"name"`
	Value    Value  `yaml:"value"`
	Fallback *Value `yaml:"fallback"`
}

// Expand fills the parameter, or its fallback.
func (p *Param) Expand(vars Vars) (any, bool) {
	result, ok := p.Value.Expand(vars)
	if p.Fallback != nil && (!ok || result == "") {
		return p.Fallback.Expand(vars)
	}
	return result, ok
}

// ExpandText fills the parameter, or its fallback, as text.
func (p *Param) ExpandText(vars Vars) (string, bool) {
	text, ok := p.Value.ExpandText(vars)
	if p.Fallback != nil && (!ok || text == "") {
		return p.Fallback.ExpandText(vars)
	}
	return text, ok
}

// Mentions reports whether the value uses a variable of the namespace.
func (p *Param) Mentions(namespace string) bool {
	found := false
	p.Value.Templates(func(t *Template) { found = found || t.Mentions(namespace) })
	return found
}

// Params is an ordered list of parameters; order can matter to signatures and
// XML bodies.
type Params []Param

// Lookup returns the parameter called name, ignoring case, or nil.
func (ps Params) Lookup(name string) *Param {
	for i := range ps {
		if strings.EqualFold(ps[i].Name, name) {
			return &ps[i]
		}
	}
	return nil
}

// Templates calls visit for every template of the parameters.
func (ps Params) Templates(visit func(*Template)) {
	for i := range ps {
		ps[i].Value.Templates(visit)
		if ps[i].Fallback != nil {
			ps[i].Fallback.Templates(visit)
		}
	}
}

// Object is a JSON object with ordered members.
type Object []Entry

// Entry is one member of an [Object].
type Entry struct {
	Name  string
	Value any
}

// Lookup returns the member called name.
func (o Object) Lookup(name string) (any, bool) {
	for _, e := range o {
		if e.Name == name {
			return e.Value, true
		}
	}
	return nil, false
}

// MarshalJSON writes the members in order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(e.Name)
		if err != nil {
			return nil, fmt.Errorf("encoding a member name: %w", err)
		}
		value, err := json.Marshal(e.Value)
		if err != nil {
			return nil, fmt.Errorf("encoding member %q: %w", e.Name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// set appends a member unless its value is empty.
func (o *Object) set(name string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case string:
		if v == "" {
			return
		}
	case bool:
		if !v {
			return
		}
	case int:
		if v == 0 {
			return
		}
	case *int:
		if v == nil {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case Object:
		if len(v) == 0 {
			return
		}
	case URLs:
		if len(v) == 0 {
			return
		}
		value = v.String()
	case *Template:
		if v == nil {
			return
		}
		value = v.String()
	case *Pattern:
		if v == nil {
			return
		}
		value = v.String()
	case Params:
		if len(v) == 0 {
			return
		}
		value = v.object()
	}
	*o = append(*o, Entry{name, value})
}

// object is the public form of parameters: a map, with a fallback joined to its
// value by " || ".
func (ps Params) object() Object {
	object := make(Object, len(ps))
	for i := range ps {
		p := &ps[i]
		if p.Fallback != nil && p.Value.template != nil && p.Fallback.template != nil {
			object[i] = Entry{p.Name, p.Value.template.String() + " || " + p.Fallback.template.String()}
			continue
		}
		object[i] = Entry{p.Name, p.Value}
	}
	return object
}
