package catalog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFileBytes bounds one provider file.
const maxFileBytes = 1 << 20

// FileError says what is wrong with a provider file and where.
type FileError struct {
	// File is the name of the file.
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Message says what is wrong and what to do.
	Message string
}

// Error implements error.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// ParseProvider parses and checks one provider file. file names it in errors;
// name is what the provider must be called. Every problem that was found is in
// the error, as [FileError] values.
func ParseProvider(file, name string, data []byte) (*Provider, error) {
	if len(data) > maxFileBytes {
		return nil, &FileError{File: file, Message: fmt.Sprintf("the file has %d bytes; at most %d are allowed", len(data), maxFileBytes)}
	}
	p := new(Provider)
	if err := yaml.Load(data, p, yaml.WithKnownFields()); err != nil {
		return nil, fileErrors(file, err)
	}
	problems := check(p)
	if p.Name != name {
		problems = append([]problem{{"name", fmt.Sprintf("is %q; it must be %q, as the file is called", p.Name, name)}}, problems...)
	}
	if len(problems) == 0 {
		return p, nil
	}
	var root yaml.Node
	if err := yaml.Load(data, &root); err != nil {
		return nil, fileErrors(file, err)
	}
	errs := make([]error, len(problems))
	for i, found := range problems {
		errs[i] = &FileError{File: file, Line: lineOf(&root, found.path), Message: found.path + " " + found.text}
	}
	return nil, errors.Join(errs...)
}

// fileErrors splits what the YAML package reports into one error a line.
func fileErrors(file string, err error) error {
	var errs []error
	if many, ok := errors.AsType[*yaml.LoadErrors](err); ok {
		for _, one := range many.Errors {
			errs = append(errs, fileError(file, one))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, fileError(file, err))
	}
	return errors.Join(errs...)
}

func fileError(file string, err error) error {
	if own, ok := errors.AsType[*FileError](err); ok {
		return &FileError{File: file, Line: own.Line, Message: own.Message}
	}
	if located, ok := errors.AsType[*yaml.LoadError](err); ok {
		return &FileError{File: file, Line: located.Mark.Line, Message: plainMessage(located.Message)}
	}
	return &FileError{File: file, Message: plainMessage(err.Error())}
}

// plainMessage puts the messages that people meet most into the words of this
// format; others stay as they are.
func plainMessage(message string) string {
	if rest, ok := strings.CutPrefix(message, "field "); ok {
		if key, _, ok := strings.Cut(rest, " not found in type "); ok {
			return fmt.Sprintf("the key %q is unknown here; docs/providers.md lists the keys", key)
		}
	}
	if rest, ok := strings.CutPrefix(message, "cannot construct "); ok {
		tag, _, _ := strings.Cut(rest, " ")
		return kindOfTag(tag) + " cannot stand here; docs/providers.md says what can"
	}
	if strings.Contains(message, "no documents in stream") {
		return "the file is empty"
	}
	return message
}

func kindOfTag(tag string) string {
	switch tag {
	case "!!map":
		return "a map"
	case "!!seq":
		return "a list"
	case "!!str":
		return "a text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "this value"
}

// lineOf returns the line of the node that path leads to, or of its nearest
// ancestor when the node is missing.
func lineOf(n *yaml.Node, path string) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	line := n.Line
	for path != "" {
		var key string
		key, path, _ = strings.Cut(path, ".")
		child, at := childNode(n, key)
		if child == nil {
			break
		}
		n, line = child, at
	}
	return line
}

// childNode returns a member of a map, or an element of a list, and its line.
func childNode(n *yaml.Node, key string) (*yaml.Node, int) {
	if i, err := strconv.Atoi(key); err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
		return n.Content[i], n.Content[i].Line
	}
	if n.Kind != yaml.MappingNode {
		return nil, 0
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1], n.Content[i].Line
		}
	}
	return nil, 0
}
