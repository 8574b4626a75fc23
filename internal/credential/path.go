package credential

import (
	"encoding/json"
	"strconv"
	"strings"
)

// lookPath finds a value in parsed JSON. A key that is written out literally
// wins over a path through nested objects; elements of lists are named by
// their index. It returns nil when there is nothing.
func lookPath(v any, path string) any {
	if path == "" {
		return v
	}
	switch node := v.(type) {
	case map[string]any:
		if e, ok := node[path]; ok {
			return e
		}
		// Any prefix that is a key may lead on: keys may hold dots themselves.
		for i := range len(path) {
			if path[i] != '.' {
				continue
			}
			if e, ok := node[path[:i]]; ok {
				if found := lookPath(e, path[i+1:]); found != nil {
					return found
				}
			}
		}
	case []any:
		head, rest, _ := strings.Cut(path, ".")
		i, err := strconv.Atoi(head)
		if err == nil && i >= 0 && i < len(node) {
			return lookPath(node[i], rest)
		}
	}
	return nil
}

// Text returns a JSON string or number as text, and false for anything else.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	default:
		return "", false
	}
}
