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
	errDigit    = errors.New("the mappings hold a character that is no base64 digit")
	errNumber   = errors.New("the mappings hold a number that is cut short, negative or too large")
	errFields   = errors.New("the mappings hold a segment of neither one, four nor five numbers")
	errSegments = errors.New("the map has too many segments")
	errSource   = errors.New("the mappings refer to a source that is not there")
)

// maxSegments is more than bundles have, and little enough for memory: bundles
// come from outside.
const maxSegments = 2 << 20

// decode reads the mappings: lines are separated by semicolons, segments by
// commas. Each segment is a list of base64 VLQ numbers that count from the
// segment before (ECMA-426, section 9.2).
func decode(mappings string, sources int) ([]segment, error) {
	var at position
	var segments []segment
	line := int32(-1)
	for texts := range strings.SplitSeq(mappings, ";") {
		line++
		at.column = 0
		for text := range strings.SplitSeq(texts, ",") {
			if text == "" {
				continue
			}
			s, err := at.move(text, sources)
			if err != nil {
				return nil, err
			}
			s.line = line
			if segments = append(segments, s); len(segments) > maxSegments {
				return nil, errSegments
			}
		}
	}
	// They are in order in every map that a bundler wrote; a search needs them so.
	if !slices.IsSortedFunc(segments, byPlace) {
		slices.SortStableFunc(segments, byPlace)
	}
	return segments, nil
}

// position is what the numbers of the next segment count from.
type position struct{ column, source, sourceLine, sourceColumn int64 }

// move reads a segment.
func (p *position) move(text string, sources int) (segment, error) {
	numbers, n, err := vlqs(text)
	if err != nil {
		return segment{}, err
	}
	p.column += numbers[0]
	if !fits(p.column) {
		return segment{}, errNumber
	}
	s := segment{column: int32(p.column), source: -1}
	if n == 1 {
		return s, nil
	}
	p.source += numbers[1]
	p.sourceLine += numbers[2]
	p.sourceColumn += numbers[3]
	if p.source < 0 || p.source >= int64(sources) {
		return segment{}, errSource
	}
	if !fits(p.sourceLine) || !fits(p.sourceColumn) {
		return segment{}, errNumber
	}
	s.source, s.sourceLine, s.sourceColumn = int32(p.source), int32(p.sourceLine), int32(p.sourceColumn)
	return s, nil
}

func byPlace(a, b segment) int {
	return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
}

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
