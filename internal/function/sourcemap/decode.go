package sourcemap

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
)

// The ways in which mappings can be wrong.
var (
	errDigit  = errors.New("the mappings hold a character that is no base64 digit")
	errNumber = errors.New("the mappings hold a number that is cut short, negative or too large")
	errFields = errors.New("the mappings hold a segment of neither one, four nor five numbers")
	errSource = errors.New("the mappings refer to a source that is not there")
)

// decode reads the mappings: lines are separated by semicolons, segments by
// commas. Each segment is a list of base64 VLQ numbers that count from the
// segment before (ECMA-426, section 9.2).
func decode(mappings string, sources int) ([][]segment, error) {
	var last struct{ source, line, column, name int64 }
	lines := make([][]segment, 0, strings.Count(mappings, ";")+1)
	for line := range strings.SplitSeq(mappings, ";") {
		var segments []segment
		var column int64
		for text := range strings.SplitSeq(line, ",") {
			if text == "" {
				continue
			}
			numbers, n, err := vlqs(text)
			if err != nil {
				return nil, err
			}
			column += numbers[0]
			s := segment{source: -1}
			if n >= 4 {
				last.source += numbers[1]
				last.line += numbers[2]
				last.column += numbers[3]
				if last.source < 0 || last.source >= int64(sources) {
					return nil, errSource
				}
				s = segment{source: int32(last.source), sourceLine: int32(last.line), sourceColumn: int32(last.column)}
			}
			if !fits(column) || !fits(last.line) || !fits(last.column) {
				return nil, errNumber
			}
			s.column = int32(column)
			segments = append(segments, s)
		}
		// They are in order in every map that a bundler wrote; a search needs them so.
		if !slices.IsSortedFunc(segments, byColumn) {
			slices.SortStableFunc(segments, byColumn)
		}
		lines = append(lines, segments)
	}
	return lines, nil
}

func byColumn(a, b segment) int { return cmp.Compare(a.column, b.column) }

// fits reports whether a number is a line or a column.
func fits(n int64) bool { return n >= 0 && n < math.MaxInt32 }

// vlqs reads the numbers of a segment, of which there are n.
func vlqs(text string) (numbers [5]int64, n int, err error) {
	for text != "" {
		if n == len(numbers) {
			return numbers, n, errFields
		}
		if numbers[n], text, err = vlq(text); err != nil {
			return numbers, n, err
		}
		n++
	}
	if n != 1 && n != 4 && n != 5 {
		return numbers, n, errFields
	}
	return numbers, n, nil
}

// vlq reads one number and returns the text behind it. A digit holds five bits,
// the lowest first, and whether more follow; the lowest bit of all is the sign.
func vlq(text string) (number int64, rest string, err error) {
	var bits uint64
	for i := range len(text) {
		d, ok := digit(text[i])
		if !ok {
			return 0, "", errDigit
		}
		if i >= 7 { // 35 bits: more than a line or column has
			return 0, "", errNumber
		}
		bits |= uint64(d&31) << (5 * i)
		if d&32 != 0 {
			continue
		}
		number = int64(bits >> 1)
		if bits&1 != 0 {
			number = -number
		}
		return number, text[i+1:], nil
	}
	return 0, "", errNumber
}

// digit returns the value of a base64 digit.
func digit(c byte) (byte, bool) {
	switch {
	case c >= 'A' && c <= 'Z':
		return c - 'A', true
	case c >= 'a' && c <= 'z':
		return c - 'a' + 26, true
	case c >= '0' && c <= '9':
		return c - '0' + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}
