package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
)

const (
	// maxSchemas bounds the compiled schemas that are kept at hand.
	maxSchemas = 2000
	// maxViolations bounds what is told of one value.
	maxViolations = 50
)

// shape checks values against one definition. A nil shape takes everything.
type shape struct {
	name   string
	schema *function.Schema
	// void means that the definition is that of nothing.
	void bool
}

// contract is what a version of an action takes and returns.
type contract struct {
	input, output *shape
	// problem says why the definitions can't be used. Nil: they can.
	problem error
}

// schemas keeps the contracts of versions, which never change.
type schemas struct {
	mu    sync.Mutex
	known map[string]*contract
}

// of returns the contract of a version.
func (s *schemas) of(v *linkspan.FunctionVersion) *contract {
	s.mu.Lock()
	c := s.known[v.UUID]
	s.mu.Unlock()
	if c != nil {
		return c
	}
	c = newContract(&v.Definition)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[string]*contract)
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

func newContract(d *linkspan.FunctionDefinition) *contract {
	c := &contract{}
	if len(d.Schema) == 0 {
		return c
	}
	var doc struct {
		Definitions map[string]json.RawMessage `json:"definitions"`
	}
	if err := json.Unmarshal(d.Schema, &doc); err != nil {
		c.problem = errors.New("its JSON Schema is no JSON object")
		return c
	}
	output := ""
	if len(d.Models) > 0 {
		output = d.Models[0]
	}
	var inputErr, outputErr error
	c.input, inputErr = newShape(d.Schema, doc.Definitions, d.Input)
	c.output, outputErr = newShape(d.Schema, doc.Definitions, output)
	c.problem = errors.Join(inputErr, outputErr)
	return c
}

// newShape compiles one definition. What has none is not checked.
func newShape(doc json.RawMessage, definitions map[string]json.RawMessage, name string) (*shape, error) {
	definition, there := definitions[name]
	if name == "" || !there {
		return nil, nil //nolint:nilnil // nothing is checked without a definition
	}
	schema, err := function.CompileSchema(doc, name)
	if err != nil {
		return nil, fmt.Errorf("compiling what %s is: %w", name, err)
	}
	var void struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(definition, &void) // another type of type is none that matters here
	return &shape{name: name, schema: schema, void: void.Type == "null"}, nil
}

// violation is one way in which a value is not what it should be.
type violation struct {
	Path    []any  `json:"path"`
	Message string `json:"message"`
	Code    string `json:"code"`
}

// violations is the payload of errors about input and output.
type violations struct {
	Validation []violation `json:"validation"`
	Model      string      `json:"model"`
}

// check returns what is wrong with a JSON value. Nothing at all (nil) counts as
// null.
func (s *shape) check(value json.RawMessage) (*violations, error) {
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
	out := &violations{Model: s.name}
	out.collect(failed, instance, message.NewPrinter(language.English))
	return out, nil
}

// collect adds the leaves of a tree of errors, which say it best.
func (v *violations) collect(e *jsonschema.ValidationError, instance any, p *message.Printer) {
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
	v.Validation = append(v.Validation, violation{Path: pathTo(instance, e.InstanceLocation), Message: describe(e.ErrorKind, p), Code: code})
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
