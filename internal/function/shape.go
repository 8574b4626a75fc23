package function

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/linkspan/linkspan"
)

// maxViolations bounds what is told of one value.
const maxViolations = 50

// Shape checks values against one definition. A nil Shape takes everything. It is
// safe for concurrent use.
type Shape struct {
	name   string
	schema *Schema
	// void means that the definition is that of nothing.
	void bool
}

// Contract is what a version of an action takes and returns.
type Contract struct {
	Input, Output *Shape
	// Problem says why the definitions can't be used. Nil: they can.
	Problem error
}

// NewContract compiles what a definition says of input and output.
func NewContract(d *linkspan.FunctionDefinition) *Contract {
	c := &Contract{}
	if len(d.Schema) == 0 {
		return c
	}
	definitions := Definitions(d.Schema)
	if definitions == nil && !isObject(d.Schema) {
		c.Problem = errors.New("its JSON Schema is no JSON object")
		return c
	}
	output := ""
	if len(d.Models) > 0 {
		output = d.Models[0]
	}
	var inputErr, outputErr error
	c.Input, inputErr = newShape(d.Schema, definitions, d.Input)
	c.Output, outputErr = newShape(d.Schema, definitions, output)
	c.Problem = errors.Join(inputErr, outputErr)
	return c
}

// NewShape compiles one definition of a schema. What has none is not checked: the
// Shape is nil.
func NewShape(schema json.RawMessage, definition string) (*Shape, error) {
	return newShape(schema, Definitions(schema), definition)
}

func isObject(text json.RawMessage) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(text, &object) == nil
}

func newShape(doc json.RawMessage, definitions map[string]json.RawMessage, name string) (*Shape, error) {
	definition, there := definitions[name]
	if name == "" || !there {
		return nil, nil //nolint:nilnil // nothing is checked without a definition
	}
	schema, err := CompileSchema(doc, name)
	if err != nil {
		return nil, fmt.Errorf("compiling what %s is: %w", name, err)
	}
	var void struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(definition, &void) // another type of type is none that matters here
	return &Shape{name: name, schema: schema, void: void.Type == "null"}, nil
}

// Violation is one way in which a value is not what it should be.
type Violation struct {
	Path    []any  `json:"path"`
	Message string `json:"message"`
	Code    string `json:"code"`
}

// Violations is the payload of errors about values that are not what they should be
// (features TEST-01).
type Violations struct {
	Validation []Violation `json:"validation"`
	Model      string      `json:"model"`
}

// Check returns what is wrong with a JSON value, nil for nothing. Nothing at all (nil) counts as
// null.
func (s *Shape) Check(value json.RawMessage) (*Violations, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // nothing is wrong
	}
	var instance any
	if len(value) > 0 {
		var err error
		if instance, err = jsonschema.UnmarshalJSON(bytes.NewReader(value)); err != nil {
			return nil, fmt.Errorf("reading the value: %w", err)
		}
	}
	if object, ok := instance.(map[string]any); ok && s.void && len(object) == 0 {
		return nil, nil //nolint:nilnil // callers that have nothing to say send an empty object
	}
	err := s.schema.Validate(instance)
	if err == nil {
		return nil, nil //nolint:nilnil // nothing is wrong
	}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil, fmt.Errorf("checking the value: %w", err)
	}
	out := &Violations{Model: s.name}
	out.collect(failed, instance, message.NewPrinter(language.English))
	return out, nil
}

// collect adds the leaves of a tree of errors, which say it best.
func (v *Violations) collect(e *jsonschema.ValidationError, instance any, p *message.Printer) {
	for _, cause := range e.Causes {
		v.collect(cause, instance, p)
	}
	if len(e.Causes) > 0 || len(v.Validation) >= maxViolations {
		return
	}
	code := "invalid"
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		code = path[len(path)-1]
	}
	v.Validation = append(v.Validation, Violation{Path: pathTo(instance, e.InstanceLocation), Message: describe(e.ErrorKind, p), Code: code})
}

// describe says what is wrong without repeating texts of the value, which may be
// secret.
func describe(k jsonschema.ErrorKind, p *message.Printer) string {
	switch k := k.(type) {
	case *kind.Pattern:
		return "does not match the pattern " + k.Want
	case *kind.Format:
		return "is not a valid " + k.Want
	default:
		return k.LocalizedString(p)
	}
}

// pathTo turns a path into one whose indexes of arrays are numbers.
func pathTo(instance any, location []string) []any {
	path := make([]any, len(location))
	for i, step := range location {
		path[i] = step
		switch at := instance.(type) {
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(at) {
				instance = nil
				continue
			}
			path[i], instance = n, at[n]
		case map[string]any:
			instance = at[step]
		}
	}
	return path
}

// Refuse checks a value. The error is a *linkspan.RunError with the code and the
// text, and with Violations as its payload, if something is wrong with it.
func (s *Shape) Refuse(value json.RawMessage, code, text string) error {
	found, err := s.Check(value)
	if errors.Is(err, ErrTooLong) {
		return &linkspan.RunError{Code: code, Message: "Checking the value against the schema took too long."}
	}
	if err != nil {
		return &linkspan.RunError{Code: code, Message: "The value is not JSON."}
	}
	if found == nil {
		return nil
	}
	payload, err := json.Marshal(found)
	if err != nil {
		return fmt.Errorf("encoding what is wrong with a value: %w", err)
	}
	return &linkspan.RunError{Code: code, Message: text, Payload: payload}
}
