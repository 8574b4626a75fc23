package authorize

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
)

// Limits of what a browser sends, in bytes.
const (
	// maxKey bounds the key of an integration (wire contract §3).
	maxKey = 255
	// maxParamName and maxParam bound one parameter, maxParams all of them.
	maxParamName = 255
	maxParam     = 8 << 10
	maxParams    = 64 << 10
	maxParamsN   = 200
)

// problems collects what is wrong with an input.
type problems []linkspan.Issue

func issue(code, message string, path ...any) linkspan.Issue {
	if path == nil {
		path = []any{}
	}
	return linkspan.Issue{Code: code, Message: message, Path: path}
}

func (p *problems) add(code, message string, path ...any) {
	*p = append(*p, issue(code, message, path...))
}

// text checks the length of a text that describes an end user, in characters.
func (p *problems) text(s string, least int, path ...any) {
	switch n := utf8.RuneCountInString(s); {
	case n < least:
		p.add("too_small", fmt.Sprintf("Too small: expected string to have >=%d characters", least), path...)
	case n > maxEndUser:
		p.add("too_big", fmt.Sprintf("Too big: expected string to have <=%d characters", maxEndUser), path...)
	}
}

// err is nil when there are no problems.
func (p problems) err(op, code string) error {
	if len(p) == 0 {
		return nil
	}
	return invalid(op, code, "", p...)
}

func invalid(op, code, message string, issues ...linkspan.Issue) error {
	return &linkspan.Error{Kind: linkspan.KindInvalid, Code: code, Op: op, Msg: message, Issues: issues}
}

// isKey matches the keys of integrations (wire contract §3).
func isKey(s string) bool {
	return s != "" && len(s) <= maxKey && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("~:.@ _-", r)
	})
}

// fits reports whether a parameter has a sane name and is not too long.
func fits(name, value string) bool {
	return name != "" && len(name) <= maxParamName && !hasControl(name) && utf8.ValidString(name) &&
		len(value) <= maxParam && utf8.ValidString(value) && !strings.ContainsRune(value, 0)
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// scalarText writes a setting the way fields of forms hold it. ok is false for
// what is no text, number or truth value.
func scalarText(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case json.Number:
		return v.String(), true
	case int, int64:
		return fmt.Sprint(v), true
	default:
		return "", false
	}
}
