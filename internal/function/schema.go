package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/linkspan/linkspan"
)

// schemaURL is what schemas are known by while they are compiled. Nothing is
// ever fetched.
const schemaURL = "linkspan:functions.json"

// patternTimeout bounds the match of one value with one pattern of a schema: a
// pattern can be made to take for ever.
const patternTimeout = 100 * time.Millisecond

// CompileSchema compiles one definition of a function's schema, draft 7 unless it
// says otherwise, with JavaScript's regular expressions. A pattern that Go's
// engine for these does not know matches everything, and references to other
// documents are errors. The result is safe for concurrent use.
func CompileSchema(schema json.RawMessage, definition string) (*jsonschema.Schema, error) {
	c, err := newSchemaCompiler(schema)
	if err != nil {
		return nil, err
	}
	return compileDefinition(c, definition)
}

func newSchemaCompiler(schema json.RawMessage) (*jsonschema.Compiler, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		return nil, errors.New("the JSON Schema is no JSON")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("the JSON Schema can't be read: %w", err)
	}
	return c, nil
}

func compileDefinition(c *jsonschema.Compiler, definition string) (*jsonschema.Schema, error) {
	s, err := c.Compile(schemaURL + "#/definitions/" + pointerEscape(definition))
	if err != nil {
		return nil, fmt.Errorf("the JSON Schema of %q is not valid: %w", definition, err)
	}
	return s, nil
}

// pointerEscape makes a name a part of a JSON pointer in a URL (RFC 6901 §6).
func pointerEscape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", " ", "%20").Replace(name)
}

// noLoader keeps schemas from reading files or the network.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s: schemas must be whole in themselves", url)
}

// jsPattern is a JavaScript regular expression.
type jsPattern struct {
	source string
	re     *regexp2.Regexp // nil: not understood
}

func compilePattern(source string) (jsonschema.Regexp, error) {
	re, err := regexp2.Compile(source, regexp2.ECMAScript|regexp2.Unicode)
	if err != nil {
		// Property escapes of Unicode that only JavaScript knows, such as those of
		// emoji, must not keep a function from being deployed.
		return jsPattern{source: source}, nil //nolint:nilerr // documented: it matches everything
	}
	re.MatchTimeout = patternTimeout
	return jsPattern{source, re}, nil
}

// MatchString implements jsonschema.Regexp. A match that takes too long is none.
func (p jsPattern) MatchString(s string) bool {
	if p.re == nil {
		return true
	}
	ok, err := p.re.MatchString(s)
	return ok && err == nil
}

// String implements jsonschema.Regexp.
func (p jsPattern) String() string { return p.source }

// checkSchemas compiles every definition of functions that get a new version, so
// that a schema that is none is found before it is deployed.
func checkSchemas(fresh []*prepared) error {
	var problems issues
	for _, p := range fresh {
		if len(problems.list) >= maxIssues {
			break
		}
		if err := p.checkSchema(); err != nil {
			problems.add(p.Deployable, "custom", err.Error(), "models_json_schema")
		}
	}
	return problems.err()
}

// checkSchema compiles all definitions, and wants those that the function names.
func (p *prepared) checkSchema() error {
	def := &p.definition
	if len(def.Schema) == 0 {
		return nil
	}
	var doc struct {
		Definitions map[string]json.RawMessage `json:"definitions"`
	}
	if err := json.Unmarshal(def.Schema, &doc); err != nil {
		return errors.New("the JSON Schema's definitions are no object")
	}
	for _, name := range append([]string{def.Input, def.Metadata}, def.Models...) {
		if _, ok := doc.Definitions[name]; name != "" && !ok {
			return errors.New("models_json_schema is missing definitions for some models or input")
		}
	}
	c, err := newSchemaCompiler(def.Schema)
	if err != nil {
		return err
	}
	for name := range doc.Definitions {
		if _, err := compileDefinition(c, name); err != nil {
			return err
		}
	}
	return nil
}

// Definition returns one definition of a function's schema, or nil.
func Definition(d *linkspan.FunctionDefinition, name string) json.RawMessage {
	var doc struct {
		Definitions map[string]json.RawMessage `json:"definitions"`
	}
	if name == "" || json.Unmarshal(d.Schema, &doc) != nil {
		return nil
	}
	return doc.Definitions[name]
}
