// Package jsontext finds the parts of JSON texts where decoding them would lose how
// they are written, or cost too much.
//
// The texts are those that encoding/json has found valid, so it looks only for what
// it needs. On any other text it returns something and ends.
package jsontext

import (
	"bytes"
	"iter"
)

// short is how long most names and many values are: to look at so many bytes one by
// one is faster than to call what looks at several at a time.
const short = 16

// SkipSpace returns where the white space that begins at i ends.
func SkipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// SkipString returns where the string that begins at i ends.
func SkipString(b []byte, i int) int {
	i++
	for end := min(i+short, len(b)); i < end && b[i] != '\\'; i++ {
		if b[i] == '"' {
			return i + 1
		}
	}
	// Most strings have no escapes.
	if n := bytes.IndexByte(b[min(i, len(b)):], '"'); n >= 0 && bytes.IndexByte(b[i:i+n], '\\') < 0 {
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
	return len(b)
}

// SkipValue returns where the value that begins at i ends.
func SkipValue(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return SkipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = SkipString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}

// Elements yields the values of the array that a text is.
func Elements(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := SkipSpace(b, SkipSpace(b, 0)+1); i < len(b) && b[i] != ']'; {
			end := SkipValue(b, i)
			if end == i || !yield(b[i:end]) {
				return
			}
			i = SkipComma(b, end)
		}
	}
}

// Members yields the keys of the object that a text is, in their quotes and with
// their escapes, and its values.
func Members(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := SkipSpace(b, SkipSpace(b, 0)+1); i < len(b) && b[i] != '}'; {
			end := SkipString(b, i)
			key := b[i:end]
			i = SkipSpace(b, SkipSpace(b, end)+1)
			if end = SkipValue(b, i); end <= i || !yield(key, b[i:end]) {
				return
			}
			i = SkipComma(b, end)
		}
	}
}

// SkipComma returns where the next element or member begins, or where the closing
// bracket is.
func SkipComma(b []byte, i int) int {
	i = SkipSpace(b, i)
	if i < len(b) && b[i] == ',' {
		i = SkipSpace(b, i+1)
	}
	return i
}
