package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical encodes v as JSON in the one form in which bodies are signed and
// sent (wire contract §14.1): compact, the keys of objects sorted, and such that
// JavaScript's JSON.parse followed by JSON.stringify yields the same text again,
// which is what older clients sign. Numbers therefore are those of JavaScript:
// integers beyond 2^53 lose their last digits, what exceeds a double is null.
// A json.RawMessage keeps even text that is not valid Unicode.
func Canonical(v any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the body of a webhook: %w", err)
	}
	c := canonicalizer{in: text.Bytes(), out: make([]byte, 0, text.Len())}
	if err := c.value(); err != nil {
		return nil, fmt.Errorf("encoding the body of a webhook: %w", err)
	}
	return c.out, nil
}

// canonicalizer rewrites JSON text that encoding/json has found valid, so it
// looks only for what it needs.
type canonicalizer struct {
	in  []byte
	pos int
	out []byte
}

func errTruncated() error { return errors.New("the JSON text ends too early") }

// next skips white space and returns the byte it stands before.
func (c *canonicalizer) next() (byte, error) {
	for ; c.pos < len(c.in); c.pos++ {
		switch b := c.in[c.pos]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b, nil
		}
	}
	return 0, errTruncated()
}

func (c *canonicalizer) value() error {
	b, err := c.next()
	if err != nil {
		return err
	}
	switch b {
	case '{':
		return c.object()
	case '[':
		return c.array()
	case '"':
		units, err := c.text()
		c.out = appendText(c.out, units)
		return err
	case 't', 'f', 'n':
		for ; c.pos < len(c.in) && c.in[c.pos] >= 'a' && c.in[c.pos] <= 'z'; c.pos++ {
			c.out = append(c.out, c.in[c.pos])
		}
		return nil
	default:
		return c.number()
	}
}

// list reads what stands between brackets, element by element.
func (c *canonicalizer) list(end byte, element func() error) error {
	c.pos++
	b, err := c.next()
	if err != nil {
		return err
	}
	for b != end {
		if err := element(); err != nil {
			return err
		}
		if b, err = c.next(); err != nil {
			return err
		}
		if b == ',' {
			c.pos++
		}
	}
	c.pos++
	return nil
}

func (c *canonicalizer) array() error {
	c.out = append(c.out, '[')
	start := len(c.out)
	err := c.list(']', func() error {
		if len(c.out) > start {
			c.out = append(c.out, ',')
		}
		return c.value()
	})
	c.out = append(c.out, ']')
	return err
}

// member is a member of an object; text is its canonical form, from key to
// value.
type member struct {
	key   []uint16
	index int64 // of an integer-like key; -1: it is none
	text  []byte
}

func (c *canonicalizer) object() error {
	var members []member
	outer := c.out
	err := c.list('}', func() error {
		if _, err := c.next(); err != nil {
			return err
		}
		key, err := c.text()
		if err != nil {
			return err
		}
		if _, err := c.next(); err != nil {
			return err
		}
		c.pos++ // the colon
		c.out = append(appendText(nil, key), ':')
		if err := c.value(); err != nil {
			return err
		}
		members = append(members, member{key: key, index: arrayIndex(key), text: c.out})
		return nil
	})
	c.out = append(outer, '{')
	slices.SortStableFunc(members, func(a, b member) int { return compareKeys(&a, &b) })
	written := false
	for i := range members {
		if i+1 < len(members) && compareKeys(&members[i], &members[i+1]) == 0 {
			continue // of equal keys the last one counts
		}
		if written {
			c.out = append(c.out, ',')
		}
		c.out, written = append(c.out, members[i].text...), true
	}
	c.out = append(c.out, '}')
	return err
}

// compareKeys orders keys as JavaScript lists them after they were inserted in
// sorted order: array indexes first, by value, then the others by UTF-16 unit.
func compareKeys(a, b *member) int {
	switch {
	case a.index >= 0 && b.index >= 0:
		return int(min(max(a.index-b.index, -1), 1))
	case a.index >= 0:
		return -1
	case b.index >= 0:
		return 1
	}
	return slices.Compare(a.key, b.key)
}

// arrayIndex returns the value of a key that is an array index: an integer below
// 2^32-1 in its only notation (ECMAScript §6.1.7). Otherwise it is -1.
func arrayIndex(key []uint16) int64 {
	if len(key) == 0 || len(key) > 10 || key[0] == '0' && len(key) > 1 {
		return -1
	}
	var n int64
	for _, u := range key {
		if u < '0' || u > '9' {
			return -1
		}
		n = n*10 + int64(u-'0')
	}
	if n >= math.MaxUint32 {
		return -1
	}
	return n
}

// text reads a string as UTF-16, which alone can hold half of a surrogate pair.
func (c *canonicalizer) text() ([]uint16, error) {
	var units []uint16
	for c.pos++; c.pos < len(c.in); {
		switch c.in[c.pos] {
		case '"':
			c.pos++
			return units, nil
		case '\\':
			u, err := c.escape()
			if err != nil {
				return nil, err
			}
			units = append(units, u)
		default:
			r, size := utf8.DecodeRune(c.in[c.pos:])
			units = utf16.AppendRune(units, r)
			c.pos += size
		}
	}
	return nil, errTruncated()
}

// escape reads what a backslash begins.
func (c *canonicalizer) escape() (uint16, error) {
	if c.pos+1 >= len(c.in) {
		return 0, errTruncated()
	}
	b := c.in[c.pos+1]
	c.pos += 2
	switch b {
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		if c.pos+4 > len(c.in) {
			return 0, errTruncated()
		}
		u, err := strconv.ParseUint(string(c.in[c.pos:c.pos+4]), 16, 16)
		c.pos += 4
		return uint16(u), err
	default:
		return uint16(b), nil
	}
}

// appendText writes a string as JSON.stringify does (ECMAScript §25.5.2.3,
// QuoteJSONString).
func appendText(out []byte, units []uint16) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(units); i++ {
		u := units[i]
		switch {
		case u == '"' || u == '\\':
			out = append(out, '\\', byte(u))
		case u == '\b':
			out = append(out, '\\', 'b')
		case u == '\f':
			out = append(out, '\\', 'f')
		case u == '\n':
			out = append(out, '\\', 'n')
		case u == '\r':
			out = append(out, '\\', 'r')
		case u == '\t':
			out = append(out, '\\', 't')
		case u >= 0x20 && !utf16.IsSurrogate(rune(u)):
			out = utf8.AppendRune(out, rune(u))
		case u >= 0x20 && i+1 < len(units) && utf16.DecodeRune(rune(u), rune(units[i+1])) != utf8.RuneError:
			out = utf8.AppendRune(out, utf16.DecodeRune(rune(u), rune(units[i+1])))
			i++
		default: // a control character, or half of a pair
			out = append(out, '\\', 'u', hex[u>>12], hex[u>>8&0xf], hex[u>>4&0xf], hex[u&0xf])
		}
	}
	return append(out, '"')
}

// number reads a number and writes it as JavaScript does (ECMAScript §6.1.6.1.20,
// Number::toString).
func (c *canonicalizer) number() error {
	start := c.pos
	for ; c.pos < len(c.in); c.pos++ {
		if b := c.in[c.pos]; (b < '0' || b > '9') && b != '-' && b != '+' && b != '.' && b != 'e' && b != 'E' {
			break
		}
	}
	f, err := strconv.ParseFloat(string(c.in[start:c.pos]), 64)
	switch {
	case math.IsInf(f, 0): // with an error of range
		c.out = append(c.out, "null"...)
		return nil
	case err != nil:
		return fmt.Errorf("reading a number: %w", err)
	}
	const fixedFrom, fixedBelow = 1e-6, 1e21
	switch abs := math.Abs(f); {
	case abs == 0: // JavaScript shows no sign of a negative zero
		c.out = append(c.out, '0')
		return nil
	case abs >= fixedFrom && abs < fixedBelow:
		c.out = strconv.AppendFloat(c.out, f, 'f', -1, 64)
		return nil
	}
	before := len(c.out)
	c.out = strconv.AppendFloat(c.out, f, 'e', -1, 64)
	// Go writes exponents with at least two digits: 1e-07.
	if n := len(c.out); n-before >= 4 && c.out[n-2] == '0' && (c.out[n-3] == '-' || c.out[n-3] == '+') {
		c.out = append(c.out[:n-2], c.out[n-1])
	}
	return nil
}
