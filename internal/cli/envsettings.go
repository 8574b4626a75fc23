package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/config"
)

// envSetting is a setting of an environment: the keys that lead to it in the
// API's JSON, joined by dots, and what kind of value it has.
type envSetting struct {
	name string
	typ  reflect.Type
}

// readable and writable list the settings, in the order of the API's types,
// which they are made from.
func readable() []envSetting { return leaves(reflect.TypeFor[api.EnvironmentSettings](), "") }
func writable() []envSetting { return leaves(reflect.TypeFor[api.UpdateEnvironmentSettings](), "") }

func leaves(t reflect.Type, prefix string) []envSetting {
	var out []envSetting
	for f := range t.Fields() {
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			out = append(out, leaves(typ, prefix)...)
		case typ.Kind() == reflect.Struct && !typ.Implements(reflect.TypeFor[json.Marshaler]()):
			out = append(out, leaves(typ, prefix+name+".")...)
		default:
			out = append(out, envSetting{prefix + name, typ})
		}
	}
	return out
}

func names(settings []envSetting) []string {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s.name
	}
	return out
}

func find(settings []envSetting, name string) *envSetting {
	for i := range settings {
		if settings[i].name == name {
			return &settings[i]
		}
	}
	return nil
}

// checkName refuses names that are none, with the one that was meant or else
// all there are.
func checkName(name string, settings []envSetting) error {
	if find(settings, name) != nil {
		return nil
	}
	known := names(settings)
	meant := config.Nearest(name, known)
	for _, k := range known {
		if strings.HasSuffix(k, "."+name) {
			meant = k
		}
	}
	if meant != "" {
		return &usageError{fmt.Errorf("there is no setting %q; did you mean %q?\nThe settings:\n%s", name, meant, indented(known))}
	}
	return &usageError{fmt.Errorf("there is no setting %q\nThe settings:\n%s", name, indented(known))}
}

// withSecrets returns name=value arguments with the values of secrets that are
// elsewhere.
func withSecrets(sys System, args []string) ([]string, error) {
	s := secrets{inputReader: inputReader{sys: sys, dir: "."}}
	given := slices.Clone(args)
	for i, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if setting := find(writable(), name); setting == nil || !setting.secret() {
			continue
		}
		if value != "-" && !strings.HasPrefix(value, "@") && !strings.HasPrefix(value, "env:") {
			continue
		}
		text, err := s.value(name, value)
		if err != nil {
			return nil, err
		}
		given[i] = name + "=" + text
	}
	return given, nil
}

// secret reports whether nobody is to see the value.
func (s *envSetting) secret() bool {
	return s.typ == reflect.TypeFor[api.Secret]() || s.typ == reflect.TypeFor[[]api.Header]()
}

// parseAssignments reads name=value arguments. It returns the names as well, in
// their order.
func parseAssignments(args []string) (change api.UpdateEnvironmentSettings, changed []string, err error) {
	tree := make(jsonTree)
	seen := make(map[string]bool)
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			return change, nil, &usageError{fmt.Errorf("%q is not of the form name=value", arg)}
		}
		value, err := parseSetting(name, text)
		if err != nil {
			return change, nil, err
		}
		if seen[name] {
			return change, nil, &usageError{fmt.Errorf("%s is given twice", name)}
		}
		seen[name] = true
		changed = append(changed, name)
		tree.put(name, value)
	}
	body, err := json.Marshal(tree)
	if err != nil {
		return change, nil, fmt.Errorf("encoding the settings: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&change); err != nil {
		return change, nil, &usageError{fmt.Errorf("a value has not the shape that the setting needs: %w", err)}
	}
	return change, changed, nil
}

// parseSetting returns the JSON value that a text stands for.
func parseSetting(name, text string) (any, error) {
	settings := writable()
	s := find(settings, name)
	if s == nil {
		if find(readable(), name) != nil {
			return nil, &usageError{fmt.Errorf("%s can only be read", name)}
		}
		return nil, checkName(name, settings)
	}
	switch s.typ.Kind() { // a test sees to it that there are no other kinds
	case reflect.Bool:
		on, err := parseSwitch(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("%s: %w", name, err)}
		}
		return on, nil
	case reflect.Slice:
		list := json.RawMessage(text)
		if text == "" {
			list = json.RawMessage("[]")
		}
		if !json.Valid(list) {
			return nil, &usageError{fmt.Errorf("%s: the value must be JSON, such as [{\"name\":\"…\",\"value\":\"…\"}]", name)}
		}
		return list, nil
	default:
		return text, nil
	}
}

func parseSwitch(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	default:
		return false, errors.New("the value must be true or false")
	}
}

// jsonTree is a JSON object by its decoded parts.
type jsonTree map[string]any

func treeOf(v any) (jsonTree, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding the settings: %w", err)
	}
	var tree jsonTree
	if err := json.Unmarshal(body, &tree); err != nil {
		return nil, fmt.Errorf("decoding the settings: %w", err)
	}
	return tree, nil
}

// put sets what a dotted name leads to.
func (t jsonTree) put(name string, v any) {
	key, rest, nested := strings.Cut(name, ".")
	if !nested {
		t[key] = v
		return
	}
	below, ok := t[key].(jsonTree)
	if !ok {
		below = make(jsonTree)
		t[key] = below
	}
	below.put(rest, v)
}

// at returns what a dotted name leads to.
func (t jsonTree) at(name string) any {
	var v any = map[string]any(t)
	for key := range strings.SplitSeq(name, ".") {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

// text returns what a dotted name leads to as people write it: no quotes, and
// nothing for what is not set. Text that would break its line, or play with the
// terminal, is shown as JSON.
func (t jsonTree) text(name string) string {
	switch v := t.at(name).(type) {
	case nil:
		return ""
	case string:
		if strings.ContainsFunc(v, unicode.IsControl) {
			return jsonLine(v)
		}
		return v
	default:
		return jsonLine(v)
	}
}

// jsonLine returns JSON without control characters.
func jsonLine(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return ""
	}
	return harmless(strings.TrimSuffix(b.String(), "\n"))
}

// harmless escapes the control characters in JSON that encoding/json lets pass, and
// that terminals obey: those from U+007F to U+009F. They can only be in its strings.
func harmless(text string) string {
	control := func(r rune) bool { return r != '\n' && unicode.IsControl(r) }
	if !strings.ContainsFunc(text, control) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if control(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
