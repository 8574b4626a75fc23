package function

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxCheck bounds how long the check of one value takes. Honest schemas take
// milliseconds; others can be written so that they take for ever.
const maxCheck = 5 * time.Second

// ErrTooLong reports that a value could not be checked in time.
var ErrTooLong = errors.New("checking the value took too long")

// A Schema checks values. It is safe for concurrent use.
//
// The engine can't be stopped while it checks, and a schema that refers to itself
// twice at one place has it do work that doubles with each level of the value.
// Therefore everything that the engine asks on its way, formats and patterns,
// keeps an eye on the time. What is asked belongs to one check at a time, so that
// checks at once have copies of the compiled schema.
type Schema struct {
	text       json.RawMessage
	definition string
	limit      time.Duration

	mu   sync.Mutex
	free []*guarded
}

// guarded is a compiled schema with the watch that it asks.
type guarded struct {
	schema *jsonschema.Schema
	watch  *watch
}

// maxFree is how many copies of a compiled schema are kept.
const maxFree = 4

// CompileSchema compiles one definition of a function's schema, for whoever checks
// values against it. Formats are notes for people: what zod wants of a text it
// says as a pattern too, and every validator has its own idea of an e-mail
// address.
func CompileSchema(schema json.RawMessage, definition string) (*Schema, error) {
	s := &Schema{text: schema, definition: definition, limit: maxCheck}
	g, err := s.compile()
	if err != nil {
		return nil, err
	}
	s.free = append(s.free, g)
	return s, nil
}

func (s *Schema) compile() (*guarded, error) {
	w := &watch{}
	c, err := newSchemaCompiler(s.text, w)
	if err != nil {
		return nil, err
	}
	compiled, err := compileDefinition(c, s.definition)
	if err != nil {
		return nil, err
	}
	visits := &jsonschema.Format{Name: "visit", Validate: func(any) error { w.look(); return nil }}
	eachSchema(compiled, func(one *jsonschema.Schema) { one.Format = visits })
	return &guarded{compiled, w}, nil
}

// Validate checks a value that jsonschema.UnmarshalJSON has read, and may change
// its numbers. The error is a *jsonschema.ValidationError, or ErrTooLong.
func (s *Schema) Validate(value any) (err error) {
	g, err := s.take()
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			if r != ErrTooLong { //nolint:errorlint // the very value that look panics with
				panic(r)
			}
			err = ErrTooLong
		}
		s.put(g)
	}()
	g.watch.start(s.limit)
	return g.schema.Validate(plainNumbers(value))
}

func (s *Schema) take() (*guarded, error) {
	s.mu.Lock()
	n := len(s.free)
	if n > 0 {
		g := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return g, nil
	}
	s.mu.Unlock()
	return s.compile()
}

func (s *Schema) put(g *guarded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < maxFree {
		s.free = append(s.free, g)
	}
}

// watch ends a check that takes too long. The nil watch lets everything go on.
type watch struct {
	until time.Time
	looks uint
}

// looksPerTime is how many looks are taken without reading the clock.
const looksPerTime = 16

func (w *watch) start(limit time.Duration) { w.until, w.looks = time.Now().Add(limit), 0 }

// look panics with ErrTooLong when the time is up: the engine has no other way
// out.
func (w *watch) look() {
	if w == nil {
		return
	}
	if w.looks++; w.looks%looksPerTime == 0 {
		w.check()
	}
}

func (w *watch) check() {
	if w != nil && time.Now().After(w.until) {
		panic(ErrTooLong)
	}
}

// eachSchema visits a schema and all that it leads to, each once.
func eachSchema(root *jsonschema.Schema, visit func(*jsonschema.Schema)) {
	seen := map[*jsonschema.Schema]bool{nil: true}
	var walk func(...*jsonschema.Schema)
	any := func(v any) {
		switch v := v.(type) {
		case *jsonschema.Schema:
			walk(v)
		case []*jsonschema.Schema:
			walk(v...)
		}
	}
	walk = func(list ...*jsonschema.Schema) {
		for _, s := range list {
			if seen[s] {
				continue
			}
			seen[s] = true
			visit(s)
			walk(s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties, s.Contains,
				s.Items2020, s.UnevaluatedItems, s.ContentSchema)
			if s.DynamicRef != nil {
				walk(s.DynamicRef.Ref)
			}
			for _, several := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems} {
				walk(several...)
			}
			for _, several := range []map[string]*jsonschema.Schema{s.Properties, s.DependentSchemas} {
				for _, one := range several {
					walk(one)
				}
			}
			for _, one := range s.PatternProperties {
				walk(one)
			}
			for _, one := range s.Dependencies {
				any(one)
			}
			any(s.AdditionalProperties)
			any(s.Items)
			any(s.AdditionalItems)
		}
	}
	walk(root)
}

// plainNumbers makes numbers that take long to calculate with exactly, those with
// an exponent or many digits, what they are in JavaScript.
func plainNumbers(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	case json.Number:
		if len(v) > 20 || strings.ContainsAny(string(v), "eE") {
			f, _ := strconv.ParseFloat(string(v), 64) // out of range is infinity, which the engine does not know
			return max(-math.MaxFloat64, min(f, math.MaxFloat64))
		}
	}
	return value
}
