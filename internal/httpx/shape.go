package httpx

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

// source is where an input comes from. It decides which tag names the fields
// and whether values are text to be converted.
type source int

const (
	fromBody source = iota
	fromQuery
	fromHeader
	fromPath
)

func (s source) isText() bool { return s != fromBody }

// tag is the struct tag that names fields; json stands in where it is absent.
func (s source) tag() string {
	switch s {
	case fromBody:
		return "json"
	case fromQuery:
		return "query"
	case fromHeader:
		return "header"
	case fromPath:
		return "path"
	default:
		return "json"
	}
}

// The optional interfaces of input types; see the package comment.
type (
	checker interface{ Check() []linkspan.Issue }
	present interface{ Present(null bool) any }
	union   interface {
		Discriminator() (key string, variants map[string]any)
		SetVariant(v any)
	}
)

type shapeKind int

const (
	anyShape shapeKind = iota
	rawShape
	textShape
	boolShape
	intShape
	uintShape
	floatShape
	timeShape
	pointerShape
	presentShape
	listShape
	mapShape
	structShape
	unionShape
)

// shape is the compiled form of a type: what reflection says, found out once.
type shape struct {
	kind shapeKind
	typ  reflect.Type
	elem *shape // of pointers, present values, lists and maps

	// Of structs.
	fields  []field
	byName  map[string]int
	loose   bool
	checker bool

	// Of unions.
	key      string
	variants map[string]*shape
}

type field struct {
	name  string // on the wire
	index []int
	rules *rules
	shape *shape
	// leaveOut is json's omitempty and doc the doc tag, for the OpenAPI
	// document.
	leaveOut bool
	doc      string
}

type shapeKey struct {
	typ  reflect.Type
	from source
}

// compiler builds shapes; types may be recursive, so a shape is known before it
// is complete.
type compiler struct {
	from source
	done map[reflect.Type]*shape
}

//nolint:gochecknoglobals // a cache of what reflection says of types: it can't differ between users
var shapes sync.Map // shapeKey → *shape

// shapeOf returns the compiled form of a type. It panics on what can't be
// decoded.
func shapeOf(t reflect.Type, from source) *shape {
	if s, ok := shapes.Load(shapeKey{t, from}); ok {
		return s.(*shape) //nolint:errcheck,forcetypeassert // nothing else is stored
	}
	c := compiler{from: from, done: make(map[reflect.Type]*shape)}
	s, _ := shapes.LoadOrStore(shapeKey{t, from}, c.compile(t))
	return s.(*shape) //nolint:errcheck,forcetypeassert // nothing else is stored
}

func (c *compiler) compile(t reflect.Type) *shape {
	if s, ok := c.done[t]; ok {
		return s
	}
	s := &shape{typ: t}
	c.done[t] = s
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		s.kind = rawShape
		return s
	case t == reflect.TypeFor[time.Time]():
		s.kind = timeShape
		return s
	}
	requireHooks(t)
	switch p := reflect.New(t).Interface().(type) {
	case present:
		s.kind = presentShape
		s.elem = c.compile(reflect.TypeOf(p.Present(false)).Elem())
		return s
	case union:
		c.compileUnion(s, p)
		return s
	}
	c.compileKind(s, t)
	return s
}

// requireHooks panics when a type has a method with the name of an optional
// interface but another signature: it would never be called.
func requireHooks(t reflect.Type) {
	p := reflect.PointerTo(t)
	for name, hook := range map[string]reflect.Type{
		"Check": reflect.TypeFor[checker](), "Present": reflect.TypeFor[present](),
		"Discriminator": reflect.TypeFor[union](), "OpenAPI": reflect.TypeFor[described](),
	} {
		if _, has := p.MethodByName(name); has && !p.Implements(hook) {
			panic("httpx: the method " + name + " of " + t.String() + " has not the signature that the decoder calls")
		}
	}
}

func (c *compiler) compileKind(s *shape, t reflect.Type) {
	switch t.Kind() {
	case reflect.Interface:
		if t.NumMethod() > 0 {
			panic("httpx: can't decode into " + t.String())
		}
		s.kind = anyShape
	case reflect.String:
		s.kind = textShape
	case reflect.Bool:
		s.kind = boolShape
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind = intShape
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.kind = uintShape
	case reflect.Float32, reflect.Float64:
		s.kind = floatShape
	case reflect.Pointer:
		s.kind, s.elem = pointerShape, c.compile(t.Elem())
	case reflect.Slice:
		s.kind, s.elem = listShape, c.compile(t.Elem())
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			panic("httpx: can't decode into " + t.String())
		}
		s.kind, s.elem = mapShape, c.compile(t.Elem())
	case reflect.Struct:
		s.kind = structShape
		s.byName = make(map[string]int)
		_, s.checker = reflect.TypeAssert[checker](reflect.New(t))
		c.compileFields(s, t, nil)
	default:
		panic("httpx: can't decode into " + t.String())
	}
}

func (c *compiler) compileUnion(s *shape, p union) {
	s.kind = unionShape
	key, variants := p.Discriminator()
	s.key = key
	s.variants = make(map[string]*shape, len(variants))
	for value, zero := range variants {
		s.variants[value] = c.compile(reflect.TypeOf(zero))
	}
}

func (c *compiler) compileFields(s *shape, t reflect.Type, above []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), above...), i)
		if f.Name == "_" {
			s.loose = s.loose || parseRules(f.Tag.Get("check")).loose
			continue
		}
		name, opts := c.wireName(f)
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			c.compileFields(s, f.Type, index)
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if c.from == fromHeader {
			name = strings.ToLower(name)
		}
		if _, taken := s.byName[name]; taken {
			panic(fmt.Sprintf("httpx: two fields of %s are named %q", t, name))
		}
		s.byName[name] = len(s.fields)
		s.fields = append(s.fields, field{
			name: name, index: index, rules: parseRules(f.Tag.Get("check")),
			shape: c.compile(f.Type), leaveOut: strings.Contains(opts, "omit"), doc: f.Tag.Get("doc"),
		})
	}
}

func (c *compiler) wireName(f reflect.StructField) (name, opts string) {
	tag, ok := f.Tag.Lookup(c.from.tag())
	if !ok {
		tag = f.Tag.Get("json")
	}
	name, opts, _ = strings.Cut(tag, ",")
	return name, opts
}
