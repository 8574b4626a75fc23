package httpx

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// described is implemented by types that marshal themselves.
type described interface{ OpenAPI() map[string]any }

func (s *shape) describesItself() bool {
	_, ok := reflect.TypeAssert[described](reflect.New(s.typ))
	return ok
}

// schema returns the JSON schema of a value, with named structs as references.
func (b *specBuilder) schema(s *shape, ru *rules, input bool) map[string]any {
	nullable := ru.nullable
	for (s.kind == pointerShape || s.kind == presentShape) && !s.describesItself() {
		s = s.elem
	}
	schema := b.plain(s, ru, input)
	if ru.hasFallback {
		schema["default"] = ru.fallbackValue(fromBody, s)
	}
	if nullable {
		return orNull(schema)
	}
	return schema
}

func orNull(schema map[string]any) map[string]any {
	if name, ok := schema["type"].(string); ok && schema["enum"] == nil {
		schema["type"] = []string{name, "null"}
		return schema
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}

func (b *specBuilder) plain(s *shape, ru *rules, input bool) map[string]any {
	if d, ok := reflect.TypeAssert[described](reflect.New(s.typ)); ok {
		return maps.Clone(d.OpenAPI())
	}
	switch s.kind {
	case textShape:
		return textSchema(ru)
	case boolShape:
		return map[string]any{"type": "boolean"}
	case intShape, uintShape, floatShape:
		return numberSchema(s, ru)
	case timeShape:
		return map[string]any{"type": "string", "format": "date-time"}
	case listShape:
		schema := map[string]any{"type": "array", "items": b.schema(s.elem, ru.elementRules(), input)}
		bound(schema, ru, "minItems", "maxItems")
		return schema
	case mapShape:
		schema := map[string]any{"type": "object", "additionalProperties": b.schema(s.elem, ru.elementRules(), input)}
		if keys := ru.keyRules(); keys != noRules {
			schema["propertyNames"] = textSchema(keys)
		}
		bound(schema, ru, "minProperties", "maxProperties")
		return schema
	case structShape:
		return b.object(s, ru, input)
	case unionShape:
		return b.oneOf(s, input)
	case anyShape, rawShape, pointerShape, presentShape:
		return map[string]any{}
	default:
		return map[string]any{}
	}
}

func bound(schema map[string]any, ru *rules, least, most string) {
	if ru.min != nil {
		schema[least] = *ru.min
	}
	if ru.max != nil {
		schema[most] = *ru.max
	}
}

func textSchema(ru *rules) map[string]any {
	schema := map[string]any{"type": "string"}
	bound(schema, ru, "minLength", "maxLength")
	if len(ru.enum) > 0 {
		schema["enum"] = ru.enum
	}
	if ru.pattern.match != nil {
		schema["pattern"] = ru.pattern.js
	}
	if ru.format.match != nil {
		schema["format"] = ru.format.openAPI
	}
	if ru.blank && len(schema) > 1 {
		return map[string]any{"anyOf": []any{schema, map[string]any{"const": ""}}}
	}
	return schema
}

func numberSchema(s *shape, ru *rules) map[string]any {
	schema := map[string]any{"type": "integer"}
	switch s.kind { //nolint:exhaustive // called for numbers only
	case floatShape:
		schema["type"] = "number"
	case uintShape:
		schema["minimum"] = 0
	}
	bound(schema, ru, "minimum", "maximum")
	return schema
}

func (b *specBuilder) oneOf(s *shape, input bool) map[string]any {
	// Several values may choose the same struct; exactly one alternative must
	// fit, so each is named once. Without the mapping, generators of clients take
	// the values for names of schemas.
	var variants []any
	named := make(map[*shape]bool, len(s.variants))
	mapping := make(map[string]any, len(s.variants))
	for _, value := range slices.Sorted(maps.Keys(s.variants)) {
		variant := s.variants[value]
		schema := b.schema(variant, noRules, input)
		if !named[variant] {
			named[variant] = true
			variants = append(variants, schema)
		}
		if target := schema["$ref"]; target != nil {
			mapping[value] = target
		}
	}
	discriminator := map[string]any{"propertyName": s.key}
	if len(mapping) > 0 {
		discriminator["mapping"] = mapping
	}
	return map[string]any{"oneOf": variants, "discriminator": discriminator}
}

// object returns a reference to the schema of a named struct, which it builds
// at the first use, or the schema itself of a struct without a name.
func (b *specBuilder) object(s *shape, ru *rules, input bool) map[string]any {
	if s.typ.Name() == "" {
		return b.properties(s, ru, input)
	}
	key := schemaKey{s.typ, input}
	if name, ok := b.names[key]; ok {
		return ref("schemas", name)
	}
	name := b.freeName(s.typ, input)
	b.names[key] = name
	b.schemas[name] = nil // taken, also while its own fields are looked at
	b.schemas[name] = b.properties(s, ru, input)
	return ref("schemas", name)
}

func (b *specBuilder) freeName(t reflect.Type, input bool) string {
	name := schemaName(t.Name())
	if _, taken := b.schemas[name]; taken && input {
		name += "Input"
	}
	for i, base := 2, name; ; i++ {
		if _, taken := b.schemas[name]; !taken {
			return name
		}
		name = base + strconv.Itoa(i)
	}
}

// schemaName turns the name of a generic type, List[example.com/x.Item], into
// ListItem.
func schemaName(name string) string {
	name, args, generic := strings.Cut(name, "[")
	if !generic {
		return name
	}
	words := []string{name}
	for arg := range strings.SplitSeq(strings.TrimRight(args, "]"), ",") {
		if i := strings.LastIndexAny(arg, "./"); i >= 0 {
			arg = arg[i+1:]
		}
		words = append(words, upperFirst(arg))
	}
	return strings.Join(words, "")
}

func (b *specBuilder) properties(s *shape, ru *rules, input bool) map[string]any {
	properties := make(map[string]any, len(s.fields))
	var required []string
	for i := range s.fields {
		f := &s.fields[i]
		schema := b.schema(f.shape, f.rules, input)
		if !input && f.shape.kind == pointerShape && !f.leaveOut && !f.rules.nullable {
			schema = orNull(schema)
		}
		if f.doc != "" {
			schema["description"] = f.doc
		}
		properties[f.name] = schema
		if input && f.rules.required || !input && !f.leaveOut {
			required = append(required, f.name)
		}
	}
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	if input && !s.loose && !ru.loose {
		schema["additionalProperties"] = false
	}
	return schema
}
