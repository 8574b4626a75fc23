package project

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// GeneratedMark begins the first line of every file that this package derives
// from functions, after what makes it a comment. Files without it are written by
// somebody else.
const GeneratedMark = "Written by linkspan"

const appTypesHead = `// ` + GeneratedMark + ` generate types: changes are lost.
//
// What your product exchanges with the functions of this folder. For example:
//
//   import type { ActionInput, StoredRecord } from "./linkspan";

`

// appTypesTail are types that look things up in the two maps.
const appTypesTail = `
/** Every integration of the folder. */
export type Integration = keyof Actions | keyof Syncs;
/** The actions of an integration. */
export type ActionName<I extends keyof Actions> = keyof Actions[I];
/** What an action takes. */
export type ActionInput<I extends keyof Actions, A extends keyof Actions[I]> = Actions[I][A] extends { input: infer T } ? T : never;
/** What an action returns. */
export type ActionOutput<I extends keyof Actions, A extends keyof Actions[I]> = Actions[I][A] extends { output: infer T } ? T : never;
/** The syncs of an integration. */
export type SyncName<I extends keyof Syncs> = keyof Syncs[I];
/** The models of a sync. */
export type ModelsOf<I extends keyof Syncs, S extends keyof Syncs[I]> = Syncs[I][S] extends { models: infer T } ? T : never;
/** A record that a sync keeps, with what is known about it. */
export type StoredRecord<I extends keyof Syncs, S extends keyof Syncs[I], M extends keyof ModelsOf<I, S>> = ModelsOf<I, S>[M] & { _nango_metadata: RecordMetadata };

/** What is known about a record. Times are ISO 8601. */
export interface RecordMetadata {
	first_seen_at: string;
	last_modified_at: string;
	last_action: "ADDED" | "UPDATED" | "DELETED";
	deleted_at: string | null;
	pruned_at: string | null;
	cursor: string;
}
`

// AppTypes writes TypeScript for the application that uses the functions: models,
// inputs and outputs by integration, and maps from names to them. The functions
// are in the order of integrations.
func AppTypes(functions []bundle.Function) (string, error) {
	taken := map[string]bool{}
	for _, name := range []string{
		"Actions", "Syncs", "Integration", "ActionName", "ActionInput", "ActionOutput", "SyncName", "ModelsOf", "StoredRecord", "RecordMetadata",
	} {
		taken[name] = true
	}
	w := appTypes{}
	for start := 0; start < len(functions); {
		end := start
		for end < len(functions) && functions[end].Integration == functions[start].Integration {
			end++
		}
		if err := w.integration(unique(taken, identifier(functions[start].Integration)), functions[start:end]); err != nil {
			return "", err
		}
		start = end
	}
	return appTypesHead + w.spaces.String() +
		"/** The actions of each integration. */\nexport interface Actions {\n" + w.actions.String() + "}\n\n" +
		"/** The syncs of each integration. */\nexport interface Syncs {\n" + w.syncs.String() + "}\n" + appTypesTail, nil
}

// appTypes collects the parts of the text.
type appTypes struct {
	spaces, actions, syncs strings.Builder
}

// integration writes the types of one integration, and its part of the maps.
func (w *appTypes) integration(space string, functions []bundle.Function) error {
	s := typeSpace{name: space, taken: map[string]bool{}, texts: map[string]string{}}
	var actions, syncs strings.Builder
	for _, kind := range []linkspan.FunctionKind{linkspan.FunctionSync, linkspan.FunctionAction} {
		for _, f := range functions {
			if f.Kind != kind {
				continue
			}
			entry, err := s.function(f)
			if err != nil {
				return err
			}
			if kind == linkspan.FunctionSync {
				syncs.WriteString(entry)
			} else {
				actions.WriteString(entry)
			}
		}
	}
	if s.text.Len() > 0 {
		fmt.Fprintf(&w.spaces, "export declare namespace %s {\n%s}\n\n", space, strings.TrimPrefix(s.text.String(), "\n"))
	}
	name := key(functions[0].Integration)
	if actions.Len() > 0 {
		fmt.Fprintf(&w.actions, "\t%s: {\n%s\t};\n", name, &actions)
	}
	if syncs.Len() > 0 {
		fmt.Fprintf(&w.syncs, "\t%s: {\n%s\t};\n", name, &syncs)
	}
	return nil
}

// typeSpace is the namespace of an integration.
type typeSpace struct {
	name  string
	taken map[string]bool
	texts map[string]string // of types that functions may share, by name
	text  strings.Builder
}

// function writes the types of a function and returns its entry in the map.
func (s *typeSpace) function(f bundle.Function) (string, error) {
	definitions, err := definitionsOf(f)
	if err != nil {
		return "", err
	}
	def := f.Definition
	own := identifier(f.Name)
	wanted := map[string]string{} // definition → the name that its type should have
	output := ""
	if f.Kind == linkspan.FunctionAction && len(def.Models) > 0 {
		output = def.Models[0]
		wanted[output] = own + "Output"
	}
	if def.Input != "" {
		wanted[def.Input] = own + "Input"
	}
	metadata := metadataOf(f)
	if metadata != "" {
		wanted[metadata] = own + "Metadata"
	}
	types := s.define(own, definitions, wanted)
	if f.Kind == linkspan.FunctionAction {
		return s.commented(f) + fmt.Sprintf("\t\t%s: { input: %s; output: %s };\n", key(f.Name), s.ref(types, def.Input), s.ref(types, output)), nil
	}
	var b strings.Builder
	b.WriteString(s.commented(f))
	fmt.Fprintf(&b, "\t\t%s: {\n\t\t\tmodels: {", key(f.Name))
	for i, m := range def.Models {
		if i > 0 {
			b.WriteString(";")
		}
		fmt.Fprintf(&b, " %s: %s", key(m), s.ref(types, m))
	}
	fmt.Fprintf(&b, " };\n\t\t\tmetadata: %s;\n\t\t};\n", s.ref(types, metadata))
	return b.String(), nil
}

func (s *typeSpace) commented(f bundle.Function) string {
	if f.Definition.Description == "" {
		return ""
	}
	return commented(strings.Split(strings.TrimSpace(f.Definition.Description), "\n"), "\t\t")
}

// ref names a type from outside of the namespace.
func (s *typeSpace) ref(types map[string]string, definition string) string {
	switch name := types[definition]; {
	case definition == "", name == "null":
		return "null"
	case name == "":
		return "unknown"
	default:
		return s.name + "." + name
	}
}

// define writes the definitions of a function and returns the names of their
// types. One that another function has with the same name and content is shared.
func (s *typeSpace) define(own string, definitions members, wanted map[string]string) map[string]string {
	types := make(map[string]string, len(definitions))
	var fresh []*member
	for i := range definitions {
		d := &definitions[i]
		want := wanted[d.name]
		if want != "" && d.isNull() {
			types[d.name] = "null"
			continue
		}
		if want == "" {
			want = identifier(d.name)
		}
		content := contentOf(&d.schema)
		if known, ok := s.texts[want]; ok && known == content {
			types[d.name] = want
			continue
		}
		if s.taken[want] {
			want = own + want
		}
		types[d.name] = unique(s.taken, want)
		if !refers(content) {
			s.texts[types[d.name]] = content
		}
		fresh = append(fresh, d)
	}
	t := typeText{named: func(definition string) string {
		if name := types[definition]; name != "" {
			return name
		}
		return "unknown"
	}}
	for _, d := range fresh {
		s.text.WriteString("\n" + comment(&schema{Description: d.Description, Deprecated: d.Deprecated}, "\t"))
		if name := types[d.name]; d.object() && len(d.Properties) > 0 {
			fmt.Fprintf(&s.text, "\tinterface %s %s\n", name, t.object(&d.schema, 1))
		} else {
			fmt.Fprintf(&s.text, "\ttype %s = %s;\n", name, t.of(&d.schema, 1))
		}
	}
	return types
}

// contentOf tells schemas apart.
func contentOf(s *schema) string {
	text := typeText{named: func(definition string) string { return "#" + definition }}.of(s, 0)
	return s.Description + "\x00" + text
}

// refers reports whether a content depends on other definitions: what they are
// differs between functions.
func refers(content string) bool {
	_, text, _ := strings.Cut(content, "\x00")
	return strings.Contains(text, "#")
}

// sample makes a value that fits a schema, to be shown in examples.
func sample(definitions members, s *schema, depth int) any {
	switch {
	case s == nil || s.never || depth > 8:
		return nil
	case s.Ref != "":
		return sample(definitions, definitions.find(refName(s.Ref)), depth+1)
	case len(s.Const) > 0:
		return s.Const
	case len(s.Default) > 0:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.AnyOf) > 0:
		return sample(definitions, s.AnyOf[0], depth+1)
	case len(s.OneOf) > 0:
		return sample(definitions, s.OneOf[0], depth+1)
	case len(s.Type) == 0:
		return nil
	}
	return s.sampleOf(definitions, depth)
}

// sampleOf is sample for schemas that name their type.
func (s *schema) sampleOf(definitions members, depth int) any {
	switch s.Type[0] {
	case "string":
		switch s.Format {
		case "date-time":
			return "2026-01-05T09:00:00Z"
		case "date":
			return "2026-01-05"
		case "email":
			return "ada@example.com"
		case "uri":
			return "https://example.com"
		case "uuid":
			return "7f2c1f6e-0f5f-4d0e-9a38-3a4a1c7c1b52"
		}
		return "text"
	case "number", "integer":
		return 1
	case "boolean":
		return true
	case "array":
		if s.Items.all == nil {
			return []any{}
		}
		return []any{sample(definitions, s.Items.all, depth+1)}
	case "object":
		// Members in order: a map would be sorted.
		return sampleObject{definitions, s, depth}
	}
	return nil
}

// sampleObject is an example of an object, with the members that it must have, or
// all where it needs none.
type sampleObject struct {
	definitions members
	of          *schema
	depth       int
}

// MarshalJSON implements json.Marshaler.
func (o sampleObject) MarshalJSON() ([]byte, error) {
	required := map[string]bool{}
	for _, name := range o.of.Required {
		required[name] = true
	}
	text := []byte{'{'}
	for i := range o.of.Properties {
		p := &o.of.Properties[i]
		if len(required) > 0 && !required[p.name] {
			continue
		}
		value, err := json.Marshal(sample(o.definitions, &p.schema, o.depth+1))
		if err != nil {
			return nil, err
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, quoted(p.name)...), ':'), value...)
	}
	return append(text, '}'), nil
}
