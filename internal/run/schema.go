package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/linkspan/linkspan"
)

const (
	// maxSchemas bounds the compiled schemas that are kept at hand.
	maxSchemas = 2000
	// maxViolations bounds what is told of one value.
	maxViolations = 50
	// patternTimeout bounds the matching of one pattern: authors write patterns
	// that take forever, and callers find the text for it.
	patternTimeout = 250 * time.Millisecond
	// schemaURL names a version's definitions inside the compiler.
	schemaURL = "https://schema.invalid/function.json"
)

// shape checks values against one definition. A nil shape takes everything.
type shape struct {
	name   string
	schema *jsonschema.Schema
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
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.Schema))
	if err != nil {
		c.problem = errors.New("its JSON Schema is not JSON")
		return c
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.UseRegexpEngine(compilePattern)
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		c.problem = fmt.Errorf("reading its JSON Schema: %w", err)
		return c
	}
	if c.input, err = newShape(compiler, doc, d.Input); err != nil {
		c.problem = err
	}
	if len(d.Models) > 0 {
		if c.output, err = newShape(compiler, doc, d.Models[0]); err != nil {
			c.problem = err
		}
	}
	return c
}

// newShape compiles one definition. What has none is not checked.
func newShape(compiler *jsonschema.Compiler, doc any, name string) (*shape, error) {
	root, _ := doc.(map[string]any)
	definitions, _ := root["definitions"].(map[string]any)
	definition, there := definitions[name]
	if name == "" || !there {
		return nil, nil //nolint:nilnil // nothing is checked without a definition
	}
	pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	schema, err := compiler.Compile(schemaURL + "#/definitions/" + url.PathEscape(pointer))
	if err != nil {
		return nil, fmt.Errorf("compiling the JSON Schema of %s: %w", name, err)
	}
	object, _ := definition.(map[string]any)
	return &shape{name: name, schema: schema, void: object["type"] == "null"}, nil
}

// noLoader refuses schemas from elsewhere.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a function's JSON Schema can't refer to other documents")
}

// pattern is JavaScript's kind of regular expression.
type pattern struct{ *regexp2.Regexp }

// MatchString implements jsonschema.Regexp. What takes too long does not match.
func (p pattern) MatchString(text string) bool {
	ok, err := p.Regexp.MatchString(text)
	return ok && err == nil
}

func compilePattern(source string) (jsonschema.Regexp, error) {
	re, err := regexp2.Compile(source, regexp2.ECMAScript)
	if err != nil {
		// Unicode classes, which JavaScript has with the flag u.
		if re, err = regexp2.Compile(source, regexp2.None); err != nil {
			return nil, err
		}
	}
	re.MatchTimeout = patternTimeout
	return pattern{re}, nil
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
