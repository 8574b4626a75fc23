package project

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// typeText writes schemas as TypeScript. It uses no name of the language's
// library: models may be called Record or Array.
type typeText struct {
	// named returns the type's name for that of a definition.
	named func(definition string) string
}

// of returns a schema as a type. What follows a line break is indented by tabs.
func (t typeText) of(s *schema, indent int) string {
	parts, intersection := t.parts(s, indent)
	if intersection {
		return strings.Join(parts, " & ")
	}
	return strings.Join(parts, " | ")
}

// single is of, in parentheses where what follows would bind more tightly.
func (t typeText) single(s *schema, indent int) string {
	parts, _ := t.parts(s, indent)
	if text := t.of(s, indent); len(parts) > 1 {
		return "(" + text + ")"
	}
	return parts[0]
}

// parts returns the members of a union or an intersection; others are alone.
func (t typeText) parts(s *schema, indent int) (parts []string, intersection bool) {
	switch {
	case s == nil:
		return []string{"unknown"}, false
	case s.never:
		return []string{"never"}, false
	case s.Ref != "":
		return []string{t.named(refName(s.Ref))}, false
	case len(s.Const) > 0:
		return []string{literal(s.Const)}, false
	case len(s.Enum) > 0:
		for _, v := range s.Enum {
			parts = append(parts, literal(v))
		}
		return parts, false
	case len(s.AnyOf) > 0:
		return t.union(s.AnyOf, indent), false
	case len(s.OneOf) > 0:
		return t.union(s.OneOf, indent), false
	case len(s.AllOf) > 0:
		for _, of := range s.AllOf {
			parts = append(parts, t.single(of, indent))
		}
		return parts, len(parts) > 1
	case s.Not != nil && len(s.Type) == 0 && s.Not.anything():
		return []string{"never"}, false
	}
	return t.plain(s, indent), false
}

// anything reports whether the schema says nothing.
func (s *schema) anything() bool {
	return !s.never && s.Ref == "" && len(s.Type)+len(s.Const)+len(s.Enum)+len(s.AnyOf)+len(s.OneOf)+len(s.AllOf)+len(s.Properties) == 0 && s.Not == nil
}

func (t typeText) union(of []*schema, indent int) []string {
	var parts []string
	for _, s := range of {
		all, intersection := t.parts(s, indent)
		if intersection {
			all = []string{"(" + strings.Join(all, " & ") + ")"}
		}
		for _, part := range all {
			if !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
	}
	if slices.Contains(parts, "unknown") {
		return []string{"unknown"}
	}
	return parts
}

// plain is a type by the names of types.
func (t typeText) plain(s *schema, indent int) []string {
	var parts []string
	for _, name := range s.Type {
		part := "unknown"
		switch name {
		case "string", "boolean", "null":
			part = name
		case "number", "integer":
			part = "number"
		case "array":
			part = t.array(s, indent)
		case "object":
			part = t.object(s, indent)
		}
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 && len(s.Properties) > 0 {
		return []string{t.object(s, indent)}
	}
	if len(parts) == 0 {
		return []string{"unknown"}
	}
	return parts
}

func (t typeText) array(s *schema, indent int) string {
	if s.Items.tuple == nil {
		return t.single(s.Items.all, indent) + "[]"
	}
	var parts []string
	for _, of := range s.Items.tuple {
		parts = append(parts, t.of(of, indent))
	}
	if s.MoreItems != nil && !s.MoreItems.never {
		parts = append(parts, "..."+t.single(s.MoreItems, indent)+"[]")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// object writes an object's type over several lines, one for each member.
func (t typeText) object(s *schema, indent int) string {
	if len(s.Properties) == 0 {
		return t.record(s, indent)
	}
	tabs := strings.Repeat("\t", indent)
	var b strings.Builder
	b.WriteString("{\n")
	for i := range s.Properties {
		of := &s.Properties[i]
		b.WriteString(comment(&of.schema, tabs+"\t"))
		optional := "?"
		if slices.Contains(s.Required, of.name) {
			optional = ""
		}
		b.WriteString(tabs + "\t" + key(of.name) + optional + ": " + t.of(&of.schema, indent+1) + ";\n")
	}
	if s.Additional != nil && !s.Additional.never {
		b.WriteString(tabs + "\t[key: string]: unknown;\n")
	}
	return b.String() + tabs + "}"
}

// record is the type of an object whose members have no names of their own.
func (t typeText) record(s *schema, indent int) string {
	if s.Additional != nil && s.Additional.never {
		return "{ [key: string]: never }"
	}
	value := t.of(s.Additional, indent)
	if s.Keys == nil || len(s.Keys.Enum) == 0 {
		return "{ [key: string]: " + value + " }"
	}
	optional := "?"
	if len(s.Required) >= len(s.Keys.Enum) {
		optional = ""
	}
	return "{ [K in " + t.of(s.Keys, indent) + "]" + optional + ": " + value + " }"
}

// literal writes a value as a type. Objects and lists are what they hold.
func literal(value json.RawMessage) string {
	var text bytes.Buffer
	if json.Compact(&text, value) != nil {
		return "unknown"
	}
	if c := text.Bytes()[0]; c == '{' || c == '[' {
		return "unknown"
	}
	return text.String()
}

// key writes the name of a member.
func key(name string) string {
	if regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`).MatchString(name) {
		return name
	}
	return quoted(name)
}

// quoted writes a text as a literal of TypeScript's.
func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil { // no text fails
		return strconv.Quote(text)
	}
	return string(encoded)
}

// comment writes what a schema says about itself, in a comment of its own lines.
func comment(s *schema, tabs string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(s.Description)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	if s.Format != "" {
		lines = append(lines, "Format: "+s.Format+".")
	}
	if s.Deprecated {
		lines = append(lines, "@deprecated")
	}
	return commented(lines, tabs)
}

func commented(lines []string, tabs string) string {
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "*/", "*\\/")
	}
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return tabs + "/** " + lines[0] + " */\n"
	default:
		return tabs + "/**\n" + tabs + " * " + strings.Join(lines, "\n"+tabs+" * ") + "\n" + tabs + " */\n"
	}
}

// identifier makes a name of TypeScript's from any text.
func identifier(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	name := pascal(words)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// unique returns a name that is not taken yet, and takes it.
func unique(taken map[string]bool, name string) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = name + strconv.Itoa(n)
	}
	taken[free] = true
	return free
}
