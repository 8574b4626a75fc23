package record

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/linkspan/linkspan/internal/jsontext"
)

// The functions here read JSON that encoding/json has found valid.

// tooDeep reports whether a value is nested more than maxDepth levels deep.
func tooDeep(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = jsontext.SkipString(b, i)
			continue
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
		i++
	}
	return false
}

// canonicalizer writes JSON in the one form that is hashed: compact, the keys of
// objects sorted by their bytes, of equal keys the last one, strings with as few
// escapes as possible, numbers as JavaScript shows them. The form never changes:
// all records would seem to.
type canonicalizer struct {
	members []member // of the objects that are being written, innermost last
	keys    []byte   // the keys that had to be rewritten
}

type member struct{ key, value []byte }

// canonical appends the canonical form of valid JSON.
func (c *canonicalizer) canonical(dst, value []byte) []byte {
	value = value[jsontext.SkipSpace(value, 0):]
	switch value[0] {
	case '{':
		return c.object(dst, value)
	case '[':
		dst = append(dst, '[')
		first := true
		for e := range jsontext.Elements(value) {
			if !first {
				dst = append(dst, ',')
			}
			dst, first = c.canonical(dst, e), false
		}
		return append(dst, ']')
	case '"':
		return appendText(dst, value[:jsontext.SkipString(value, 0)])
	case 't', 'f', 'n':
		return append(dst, value[:jsontext.SkipValue(value, 0)]...)
	default:
		return appendNumber(dst, value[:jsontext.SkipValue(value, 0)])
	}
}

func (c *canonicalizer) object(dst, value []byte) []byte {
	start := len(c.members)
	sorted := true
	for key, v := range jsontext.Members(value) {
		key = c.key(key)
		if n := len(c.members); n > start && bytes.Compare(c.members[n-1].key, key) >= 0 {
			sorted = false
		}
		c.members = append(c.members, member{key, v})
	}
	own := c.members[start:]
	if !sorted {
		slices.SortStableFunc(own, func(a, b member) int { return bytes.Compare(a.key, b.key) })
	}
	// Objects within append behind the own members; own stays what it is even when
	// the list moves.
	dst = append(dst, '{')
	first := true
	for i, m := range own {
		if i+1 < len(own) && bytes.Equal(m.key, own[i+1].key) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, m.key...), ':')
		dst = c.canonical(dst, m.value)
	}
	c.members = c.members[:start]
	return append(dst, '}')
}

// key returns the canonical form of a key, which is nearly always what it is.
func (c *canonicalizer) key(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	start := len(c.keys)
	c.keys = appendText(c.keys, key)
	return c.keys[start:]
}

// appendText writes a string as JSON.stringify does (ECMAScript §25.5.2.3,
// QuoteJSONString).
func appendText(dst, text []byte) []byte {
	at := bytes.IndexByte(text, '\\')
	if at < 0 {
		return append(dst, text...)
	}
	for {
		dst = append(dst, text[:at]...)
		dst, text = appendEscape(dst, text[at:])
		if at = bytes.IndexByte(text, '\\'); at < 0 {
			return append(dst, text...)
		}
	}
}

// appendEscape writes the character that the escape at the beginning of text
// means, and returns the rest.
func appendEscape(dst, text []byte) (out, rest []byte) {
	const hex = "0123456789abcdef"
	if text[1] != 'u' {
		switch b := text[1]; b {
		case '/':
			return append(dst, b), text[2:]
		default: // the short forms are the canonical ones
			return append(dst, '\\', b), text[2:]
		}
	}
	u := unit(text)
	rest = text[6:]
	switch {
	case u == '"' || u == '\\':
		return append(dst, '\\', byte(u)), rest
	case u < 0x20:
		if i := bytes.IndexByte([]byte("\b\f\n\r\t"), byte(u)); i >= 0 {
			return append(dst, '\\', "bfnrt"[i]), rest
		}
	case !utf16.IsSurrogate(u):
		return utf8.AppendRune(dst, u), rest
	case len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u':
		if r := utf16.DecodeRune(u, unit(rest)); r != utf8.RuneError {
			return utf8.AppendRune(dst, r), rest[6:]
		}
	}
	return append(dst, '\\', 'u', hex[u>>12], hex[u>>8&0xf], hex[u>>4&0xf], hex[u&0xf]), rest
}

// unit reads an escape of four hexadecimal digits, such as \u00e9.
func unit(text []byte) rune {
	var u rune
	for _, b := range text[2:6] {
		switch {
		case b >= 'a':
			b -= 'a' - 10
		case b >= 'A':
			b -= 'A' - 10
		default:
			b -= '0'
		}
		u = u<<4 | rune(b)
	}
	return u
}

// exactDigits is how many digits of an integer a double holds without fail.
const exactDigits = 15

// appendNumber writes a number as JavaScript does (ECMAScript §6.1.6.1.20,
// Number::toString); what exceeds a double is null.
func appendNumber(dst, number []byte) []byte {
	if plain(number) {
		return append(dst, number...)
	}
	f, _ := strconv.ParseFloat(string(number), 64) // errors are of the range, and lead to infinity
	if math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if f == 0 { // JavaScript shows no sign of a negative zero
		return append(dst, '0')
	}
	b, err := json.Marshal(f) // encoding/json writes floats like JavaScript
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// plain reports whether a number is an integer that is in its canonical form.
func plain(number []byte) bool {
	if len(number) > exactDigits || number[0] == '-' && number[1] == '0' {
		return false
	}
	for i, b := range number {
		if (b < '0' || b > '9') && (b != '-' || i > 0) {
			return false
		}
	}
	return true
}
