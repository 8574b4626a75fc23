package record

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions here read JSON that encoding/json has found valid, so they look
// only for what they need. Positions are indexes into the text.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipText returns where the string that begins at i ends.
func skipText(b []byte, i int) int {
	i++
	// Most strings have no escapes.
	if n := bytes.IndexByte(b[i:], '"'); n >= 0 && bytes.IndexByte(b[i:i+n], '\\') < 0 {
		return i + n + 1
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return i
}

// skipValue returns where the value that begins at i ends.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipText(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				i = skipText(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return i
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

// tooDeep reports whether a value is nested more than maxDepth levels deep.
func tooDeep(b []byte) bool {
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipText(b, i)
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

// elements yields the values of an array.
func elements(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := skipSpace(b, 1); i < len(b) && b[i] != ']'; {
			end := skipValue(b, i)
			if !yield(b[i:end]) {
				return
			}
			i = skipSpace(b, end)
			if i < len(b) && b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
	}
}

// members yields the keys of an object, in their quotes and with their escapes,
// and its values.
func members(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := skipSpace(b, 1); i < len(b) && b[i] != '}'; {
			end := skipText(b, i)
			key := b[i:end]
			i = skipSpace(b, skipSpace(b, end)+1)
			end = skipValue(b, i)
			if !yield(key, b[i:end]) {
				return
			}
			i = skipSpace(b, end)
			if i < len(b) && b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
	}
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
	value = value[skipSpace(value, 0):]
	switch value[0] {
	case '{':
		return c.object(dst, value)
	case '[':
		dst = append(dst, '[')
		first := true
		for e := range elements(value) {
			if !first {
				dst = append(dst, ',')
			}
			dst, first = c.canonical(dst, e), false
		}
		return append(dst, ']')
	case '"':
		return appendText(dst, value[:skipText(value, 0)])
	case 't', 'f', 'n':
		return append(dst, value[:skipValue(value, 0)]...)
	default:
		return appendNumber(dst, value[:skipValue(value, 0)])
	}
}

func (c *canonicalizer) object(dst, value []byte) []byte {
	start := len(c.members)
	sorted := true
	for key, v := range members(value) {
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
