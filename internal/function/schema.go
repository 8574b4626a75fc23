package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaURL is what schemas are known by while they are compiled. Nothing is
// ever fetched.
const schemaURL = "linkspan:functions.json"

// patternTimeout bounds the match of one value with one pattern of a schema: a
// pattern can be made to take for ever.
const patternTimeout = 100 * time.Millisecond

// newSchemaCompiler returns a compiler of one function's definitions, draft 7
// unless they say otherwise, with JavaScript's regular expressions. A pattern that
// Go's engine for these does not know matches everything; references to other
// documents are errors. Patterns ask the watch, which may be nil.
func newSchemaCompiler(schema json.RawMessage, w *watch) (*jsonschema.Compiler, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		return nil, errors.New("the JSON Schema is no JSON")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(func(source string) (jsonschema.Regexp, error) { return compilePattern(source, w), nil })
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
	watch  *watch
}

func compilePattern(source string, w *watch) jsPattern {
	re, err := regexp2.Compile(source, regexp2.ECMAScript|regexp2.Unicode)
	if err != nil {
		// Property escapes of Unicode that only JavaScript knows, such as those of
		// emoji, must not keep a function from being deployed.
		return jsPattern{source: source}
	}
	re.MatchTimeout = patternTimeout
	return jsPattern{source, re, w}
}

// MatchString implements jsonschema.Regexp. A match that takes too long is none.
func (p jsPattern) MatchString(s string) bool {
	if p.re == nil {
		return true
	}
	ok, err := p.re.MatchString(s)
	if err != nil {
		p.watch.check()
		return false
	}
	return ok
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
			problems.add(p.Deployable, "custom", err.Error(), p.schemaField())
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
	definitions := Definitions(def.Schema)
	names := append([]string{def.Input, def.Metadata}, def.Models...)
	if def.Unified != nil {
		names = append(names, def.Unified.Output, def.Unified.Checkpoint)
	}
	for _, name := range names {
		if _, ok := definitions[name]; name != "" && !ok {
			return errors.New("models_json_schema is missing definitions for some models or input")
		}
	}
	c, err := newSchemaCompiler(def.Schema, nil)
	if err != nil {
		return err
	}
	for name := range definitions {
		if _, err := compileDefinition(c, name); err != nil {
			return err
		}
	}
	return nil
}

// Referenced returns the definitions of the given names in a schema with those
// that they refer to. Names without one are left out.
func Referenced(definitions map[string]json.RawMessage, names ...string) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage)
	for len(names) > 0 {
		name := names[len(names)-1]
		names = names[:len(names)-1]
		text, ok := definitions[name]
		if _, done := out[name]; done || !ok {
			continue
		}
		out[name] = text
		var tree any
		if json.Unmarshal(text, &tree) == nil {
			names = references(tree, names)
		}
	}
	return out
}

// references adds the names that a schema refers to.
func references(tree any, names []string) []string {
	switch v := tree.(type) {
	case []any:
		for _, element := range v {
			names = references(element, names)
		}
	case map[string]any:
		for key, element := range v {
			ref, isText := element.(string)
			if name, ok := strings.CutPrefix(ref, "#/definitions/"); ok && isText && key == "$ref" {
				names = append(names, strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
				continue
			}
			names = references(element, names)
		}
	}
	return names
}

// Definitions returns the definitions of a function's schema by their names.
func Definitions(schema json.RawMessage) map[string]json.RawMessage {
	var doc struct {
		Definitions map[string]json.RawMessage `json:"definitions"`
	}
	if json.Unmarshal(schema, &doc) != nil {
		return nil
	}
	return doc.Definitions
}
