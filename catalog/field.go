package catalog

import (
	"cmp"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
)

// Field is one input that is asked for when an integration or a connection is
// set up. Values are always text.
type Field struct {
	// Name is the key the value is stored under.
	Name string `yaml:"name"`
	// Title is the label; empty means the name.
	Title string `yaml:"title"`
	// Help says in a sentence what to enter.
	Help string `yaml:"help"`
	// Required fields must not be empty.
	Required bool `yaml:"required"`
	// Example is shown as a placeholder; it need not match Pattern.
	Example string `yaml:"example"`
	// Pattern is what the value must match.
	Pattern *Pattern `yaml:"pattern"`
	// Format is "hostname", "uri", "uuid" or "email"; empty means any text.
	Format string `yaml:"format"`
	// Choices is the closed list of values, if there is one.
	Choices []Choice `yaml:"choices"`
	// Default is the value that is filled in. A default that is present but
	// empty lifts Required.
	Default *string `yaml:"default"`
	// Secret values are masked while typed and never shown again.
	Secret bool `yaml:"secret"`
	// Hidden fields are submitted with their default and not shown.
	Hidden bool `yaml:"hidden"`
	// System fields are never asked for: the system fills them.
	System bool `yaml:"system"`
	// Order is the position in the form; fields without one come last.
	Order *int `yaml:"order"`
	// Prefix and Suffix are shown around the input and are not part of the value.
	Prefix string `yaml:"prefix"`
	Suffix string `yaml:"suffix"`
	// VisibleWhen limits the field to one value of a sibling. nil means always.
	VisibleWhen *VisibleWhen `yaml:"visible_when"`
}

// Choice is one allowed value of a field.
type Choice struct {
	Value string `yaml:"value"`
	// Caution is shown when the value is chosen.
	Caution string `yaml:"caution"`
}

// VisibleWhen is the condition under which a field is asked for.
type VisibleWhen struct {
	// Field is the name of the sibling.
	Field string `yaml:"field"`
	// Equals is the value it must have.
	Equals string `yaml:"equals"`
}

// FieldError says why a value was refused. Its text is safe to show and does not
// contain the value.
type FieldError struct {
	// Field is the name of the field.
	Field string
	// Rule is the rule that failed: "required", "choices", "format" or "pattern".
	Rule string
	// Message is a sentence for the person who entered the value.
	Message string
}

// Error implements error.
func (e *FieldError) Error() string { return e.Message }

// Label returns the title, or the name of a field without one.
func (f *Field) Label() string { return cmp.Or(f.Title, f.Name) }

// Asked reports whether a person is ever asked for the field.
func (f *Field) Asked() bool { return !f.System && !f.Hidden }

// Validate checks one value. The error is a [FieldError], or says that the
// provider's pattern itself is broken.
func (f *Field) Validate(value string) error {
	if value == "" {
		if f.Required && !f.System && f.Default == nil {
			return f.refuse("required", "is required")
		}
		return nil
	}
	if len(f.Choices) > 0 && !slices.ContainsFunc(f.Choices, func(c Choice) bool { return c.Value == value }) {
		return f.refuse("choices", "must be one of "+strings.Join(f.choiceValues(), ", "))
	}
	if want, ok := matchesFormat(f.Format, value); !ok {
		return f.refuse("format", "must be "+want+f.exampleHint())
	}
	if f.Pattern == nil {
		return nil
	}
	ok, err := f.Pattern.Match(value)
	if err != nil {
		return fmt.Errorf("checking field %s: %w", f.Name, err)
	}
	if !ok {
		return f.refuse("pattern", "must match "+f.Pattern.String()+f.exampleHint())
	}
	return nil
}

func (f *Field) refuse(rule, reason string) error {
	return &FieldError{Field: f.Name, Rule: rule, Message: f.Label() + " " + reason + "."}
}

func (f *Field) exampleHint() string {
	if f.Example == "" {
		return ""
	}
	return " (for example " + f.Example + ")"
}

func (f *Field) choiceValues() []string {
	values := make([]string, len(f.Choices))
	for i, c := range f.Choices {
		values[i] = c.Value
	}
	return values
}

// Fields is the list of inputs of one kind, in the order of the file.
type Fields []Field

// Lookup returns the field called name, or nil.
func (fs Fields) Lookup(name string) *Field {
	for i := range fs {
		if fs[i].Name == name {
			return &fs[i]
		}
	}
	return nil
}

// Ordered returns the fields in the order of a form: those with a position
// first. The order of the file decides between equals.
func (fs Fields) Ordered() Fields {
	ordered := slices.Clone(fs)
	position := func(f Field) int {
		if f.Order == nil {
			return int(^uint(0) >> 1)
		}
		return *f.Order
	}
	slices.SortStableFunc(ordered, func(a, b Field) int { return cmp.Compare(position(a), position(b)) })
	return ordered
}

// Visible reports whether the field called name is asked for, given the values
// of its siblings (or their defaults). A field that depends on an invisible
// field is invisible.
func (fs Fields) Visible(name string, values map[string]string) bool {
	for range len(fs) + 1 { // a circle of conditions ends as invisible
		f := fs.Lookup(name)
		if f == nil {
			return false
		}
		if f.VisibleWhen == nil {
			return true
		}
		sibling := fs.Lookup(f.VisibleWhen.Field)
		if sibling == nil || sibling.valueIn(values) != f.VisibleWhen.Equals {
			return false
		}
		name = sibling.Name
	}
	return false
}

func (f *Field) valueIn(values map[string]string) string {
	if value, ok := values[f.Name]; ok {
		return value
	}
	if f.Default != nil {
		return *f.Default
	}
	return ""
}

// Validate checks the values of all visible fields and returns all problems, in
// the order of the fields. Names that are no field are ignored.
func (fs Fields) Validate(values map[string]string) []error {
	var problems []error
	for i := range fs {
		if !fs.Visible(fs[i].Name, values) {
			continue
		}
		if err := fs[i].Validate(fs[i].valueIn(values)); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// matchesFormat checks a value and returns in words what the format is.
func matchesFormat(format, value string) (string, bool) {
	switch format {
	case "hostname":
		return "a host name", !strings.ContainsFunc(value, func(r rune) bool {
			return r == '_' || !isWordRune(r) && r != '-' && r != '.'
		})
	case "uri":
		u, err := url.Parse(value)
		return "a URL with its scheme", err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "" || u.Path != "")
	case "uuid":
		return "a UUID", isUUID(value)
	case "email":
		address, err := mail.ParseAddress(value)
		return "an e-mail address", err == nil && address.Address == value
	}
	return "", true
}

func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		switch i {
		case 8, 13, 18, 23:
			if text[i] != '-' {
				return false
			}
		default:
			if !isHex(text[i]) {
				return false
			}
		}
	}
	return true
}
