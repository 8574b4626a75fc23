package httpx

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values is a parsed query: strings, lists ([]any) and objects
// (map[string]any) of these.
type Values map[string]any

// Limits on hostile queries.
const (
	maxQueryParams = 1000
	maxQueryDepth  = 5
	// maxListIndex is the largest n for which a[n] means a list; beyond it, it
	// is a key like any other.
	maxListIndex = 100
)

var errTooManyParams = errors.New("the query has more than 1000 parameters")

// ParseQuery parses a query string with bracket semantics (wire contract
// §1.1): a[b]=1 is an object; a=1&a=2, a[]=1 and a[0]=1 are lists. Brackets may
// be percent-encoded. Nesting beyond five levels stays in the last key, as
// written. Text that is not valid percent-encoded UTF-8 is taken as it is. The
// only error is too many parameters.
func ParseQuery(raw string) (Values, error) {
	if raw == "" {
		return Values{}, nil
	}
	root := &queryNode{}
	count := 0
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		if count++; count > maxQueryParams {
			return nil, errTooManyParams
		}
		key, value := cutParam(part)
		if key = unescapeQuery(key); key != "" {
			root.insert(splitKey(key), unescapeQuery(value))
		}
	}
	values := make(Values, len(root.children))
	for key, n := range root.children {
		values[key] = n.value()
	}
	return values, nil
}

// cutParam splits at the equals sign after the closing bracket, or at the
// first one.
func cutParam(part string) (key, value string) {
	for i := 1; i < len(part); i++ {
		if part[i] != '=' {
			continue
		}
		head := part[:i]
		if head[i-1] == ']' || i >= 3 && strings.EqualFold(head[i-3:], "%5D") {
			return head, part[i+1:]
		}
	}
	key, value, _ = strings.Cut(part, "=")
	return key, value
}

func unescapeQuery(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	if plain, err := url.QueryUnescape(s); err == nil && utf8.ValidString(plain) {
		return plain
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "+", " "), "\uFFFD")
}

// splitKey turns a[b][] into its path: "a", "b", "".
func splitKey(key string) []string {
	open := strings.IndexByte(key, '[')
	if open < 0 {
		return []string{key}
	}
	var path []string
	if open > 0 {
		path = append(path, key[:open])
	}
	rest := key[open:]
	for strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			break
		}
		if len(path) > maxQueryDepth {
			return append(path, rest)
		}
		path = append(path, rest[1:end])
		rest = rest[end+1:]
	}
	if rest != "" || path[0] == "" {
		return []string{key} // brackets without a name, or that do not close, mean nothing
	}
	return path
}

// queryNode gathers what is under one key.
type queryNode struct {
	texts    []string // values given for the key itself
	children map[string]*queryNode
	next     int  // the index that the next [] gets
	object   bool // some child has a key that is no list index
}

func (n *queryNode) insert(path []string, text string) {
	for depth, key := range path {
		n = n.child(key, depth > 0)
	}
	n.texts = append(n.texts, text)
}

func (n *queryNode) child(key string, nested bool) *queryNode {
	switch index, ok := listIndex(key); {
	case !nested:
		n.object = true
	case key == "":
		key = strconv.Itoa(n.next)
		n.next++
	case ok:
		n.next = max(n.next, index+1)
	default:
		n.object = true
	}
	c := n.children[key]
	if c == nil {
		if n.children == nil {
			n.children = make(map[string]*queryNode)
		}
		c = &queryNode{}
		n.children[key] = c
	}
	return c
}

func listIndex(key string) (int, bool) {
	if key == "" || len(key) > 3 {
		return 0, false
	}
	index, err := strconv.ParseUint(key, 10, 16)
	if err != nil || index > maxListIndex || len(key) > 1 && key[0] == '0' {
		return 0, false
	}
	return int(index), true
}

func (n *queryNode) value() any {
	if len(n.children) == 0 {
		if len(n.texts) == 1 {
			return n.texts[0]
		}
		return n.appendTexts(nil)
	}
	if n.object {
		object := make(map[string]any, len(n.children))
		for key, c := range n.children {
			object[key] = c.value()
		}
		if len(n.texts) == 0 {
			return object
		}
		return append(n.appendTexts(nil), object)
	}
	list := n.appendTexts(nil)
	keys := slices.SortedFunc(maps.Keys(n.children), func(a, b string) int {
		i, _ := strconv.Atoi(a) // every key is a list index here
		j, _ := strconv.Atoi(b)
		return i - j
	})
	for _, key := range keys {
		list = append(list, n.children[key].value())
	}
	return list
}

func (n *queryNode) appendTexts(list []any) []any {
	for _, t := range n.texts {
		list = append(list, t)
	}
	return list
}
