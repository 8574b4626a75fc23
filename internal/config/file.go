package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseFile reads the YAML form: one mapping of file keys to values, where a
// list stands for values separated by commas. Unknown and repeated keys are
// errors. Problems name the file and the line.
func parseFile(name string, data []byte) (map[string]source, error) {
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the configuration file %s: %w", name, err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the configuration file %s: it holds more than one document", name)
	}
	if len(doc.Content) == 0 { // empty, or comments only
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: the configuration file is not a mapping of settings to values", name, root.Line)
	}
	known := make(map[string]bool)
	for _, s := range Settings() {
		known[s.Key()] = true
	}
	values := make(map[string]source, len(root.Content)/2)
	var problems []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		at := fmt.Sprintf("%s:%d", name, key.Line)
		if !known[key.Value] {
			problems = append(problems, fmt.Errorf("%s: unknown setting %q%s", at, key.Value, suggestion(key.Value)))
			continue
		}
		if _, ok := values[key.Value]; ok {
			problems = append(problems, fmt.Errorf("%s: %s is set twice", at, key.Value))
			continue
		}
		s, err := scalar(value)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s %w", at, key.Value, err))
			continue
		}
		values[key.Value] = source{text: s, origin: at + " (" + key.Value + ")"}
	}
	return values, errors.Join(problems...)
}

func scalar(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", nil
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", errors.New("is a list of something else than plain values")
			}
			parts[i] = item.Value
		}
		return strings.Join(parts, ","), nil
	default:
		return "", errors.New("is neither a plain value nor a list")
	}
}

// suggestion names the setting that a wrong key most likely meant.
func suggestion(key string) string {
	var known []string
	for _, s := range Settings() {
		known = append(known, s.Key())
	}
	best := Nearest(strings.ReplaceAll(key, "-", "_"), known)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// Nearest returns which of the known names a wrong one most likely meant, or ""
// when it is like none of them.
func Nearest(name string, known []string) string {
	best, distance := "", 4
	name = strings.ToLower(name)
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance, computed row by row.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
