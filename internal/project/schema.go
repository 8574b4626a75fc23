package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/internal/function/bundle"
)

// schema is a JSON Schema, draft 7, as far as it says something about types.
type schema struct {
	Ref         string            `json:"$ref"`
	Description string            `json:"description"`
	Deprecated  bool              `json:"deprecated"`
	Type        names             `json:"type"`
	Format      string            `json:"format"`
	Const       json.RawMessage   `json:"const"`
	Enum        []json.RawMessage `json:"enum"`
	Default     json.RawMessage   `json:"default"`
	AnyOf       []*schema         `json:"anyOf"`
	OneOf       []*schema         `json:"oneOf"`
	AllOf       []*schema         `json:"allOf"`
	Not         *schema           `json:"not"`
	Properties  members           `json:"properties"`
	Required    []string          `json:"required"`
	Additional  *schema           `json:"additionalProperties"`
	Keys        *schema           `json:"propertyNames"`
	Items       items             `json:"items"`
	MoreItems   *schema           `json:"additionalItems"`
	// never is the schema false, which nothing fits.
	never bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *schema) UnmarshalJSON(text []byte) error {
	switch string(bytes.TrimSpace(text)) {
	case "true":
		return nil
	case "false":
		s.never = true
		return nil
	}
	type plain schema // without this method
	return json.Unmarshal(text, (*plain)(s))
}

// names is one name or several.
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(n))
}

// items is the schema of all items of an array, or those of a tuple's.
type items struct {
	all   *schema
	tuple []*schema
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *items) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		i.tuple = []*schema{}
		return json.Unmarshal(text, &i.tuple)
	}
	i.all = new(schema)
	return json.Unmarshal(text, i.all)
}

// member is a named schema.
type member struct {
	name string
	schema
}

// members are named schemas in the order of the text.
type members []member

// UnmarshalJSON implements json.Unmarshaler.
func (m *members) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.Join(errors.New("schemas by name are an object"), err)
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return errors.New("names of schemas are texts")
		}
		of := member{name: name}
		if err := d.Decode(&of.schema); err != nil {
			return err
		}
		*m = append(*m, of)
	}
	return nil
}

// find returns the schema of a name, or nil.
func (m members) find(name string) *schema {
	for i := range m {
		if m[i].name == name {
			return &m[i].schema
		}
	}
	return nil
}

// definitionsOf reads the models of a function.
func definitionsOf(f bundle.Function) (members, error) {
	if f.Definition.Schema == nil {
		return nil, nil
	}
	var s struct {
		Definitions members `json:"definitions"`
	}
	if err := json.Unmarshal(f.Definition.Schema, &s); err != nil {
		return nil, fmt.Errorf("reading the schema of %s: %w", f.File, err)
	}
	return s.Definitions, nil
}

// isNull reports whether only null fits.
func (s *schema) isNull() bool {
	return s != nil && len(s.Type) == 1 && s.Type[0] == "null"
}

// object reports whether the schema is that of an object with known members.
func (s *schema) object() bool {
	return s.Ref == "" && len(s.Type) == 1 && s.Type[0] == "object" && len(s.AnyOf)+len(s.OneOf)+len(s.AllOf) == 0
}

// refName returns the name of the definition that a schema refers to.
func refName(ref string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(ref, "#/definitions/"), "#/$defs/")
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
}
