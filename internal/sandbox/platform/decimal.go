package platform

import (
	"strconv"
	"strings"
)

// maxDigits bounds the digits of a number that is formatted.
const maxDigits = 10_000

// decimal is a number as its digits: 0.d1d2d3… times ten to the power of point.
// Zero has no digits. It never begins or ends with the digit 0.
type decimal struct {
	negative bool
	digits   string
	point    int
}

// parseDecimal reads what String() gives for numbers and big integers.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	e := 0
	if hasExponent {
		n, err := strconv.Atoi(exponent)
		if err != nil || n > maxDigits || n < -maxDigits {
			return d, false
		}
		e = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	if all == "" || len(all) > maxDigits || strings.Trim(all, "0123456789") != "" {
		return d, false
	}
	d.digits, d.point = all, len(whole)+e
	d.normalize()
	return d, true
}

func (d *decimal) normalize() {
	trimmed := strings.TrimLeft(d.digits, "0")
	d.point -= len(d.digits) - len(trimmed)
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		d.point = 0
	}
}

func (d decimal) zero() bool { return d.digits == "" }

// magnitude is the power of ten of the first digit.
func (d decimal) magnitude() int {
	if d.zero() {
		return 0
	}
	return d.point - 1
}

// round cuts at the power of ten, of which the last digit kept is a multiple.
func (d decimal) round(power int, mode string) decimal {
	keep := d.point - power
	if keep >= len(d.digits) {
		return d
	}
	out := d
	rest := d.digits
	kept := ""
	if keep >= 0 {
		kept, rest = d.digits[:keep], d.digits[keep:]
	} else {
		rest = "0" + rest // less than a tenth of a unit
	}
	up := roundsUp(rest, kept != "" && (kept[len(kept)-1]-'0')%2 == 1, d.negative, mode)
	if !up {
		out.digits = kept
		out.normalize()
		return out
	}
	if keep <= 0 {
		out.digits, out.point = "1", power+1
		return out
	}
	b := []byte(kept)
	i := len(b) - 1
	for ; i >= 0 && b[i] == '9'; i-- {
		b[i] = '0'
	}
	if i >= 0 {
		b[i]++
		out.digits = string(b)
	} else {
		out.digits = "1" + string(b)
		out.point++
	}
	out.normalize()
	return out
}

// roundsUp reports whether the part that is cut off raises the last digit.
func roundsUp(rest string, odd, negative bool, mode string) bool {
	nothing := strings.Trim(rest, "0") == ""
	if nothing {
		return false
	}
	half := 0
	switch {
	case rest[0] > '5' || rest[0] == '5' && strings.Trim(rest[1:], "0") != "":
		half = 1
	case rest[0] < '5':
		half = -1
	}
	switch mode {
	case "ceil":
		return !negative
	case "floor":
		return negative
	case "expand":
		return true
	case "trunc":
		return false
	case "halfCeil":
		return half > 0 || half == 0 && !negative
	case "halfFloor":
		return half > 0 || half == 0 && negative
	case "halfTrunc":
		return half > 0
	case "halfEven":
		return half > 0 || half == 0 && odd
	default: // halfExpand
		return half >= 0
	}
}

// text returns the digits before and after the point, padded to the minima.
func (d decimal) text(minInt, minFraction int) (whole, fraction string) {
	switch {
	case d.point <= 0:
		fraction = strings.Repeat("0", -d.point) + d.digits
		if d.zero() {
			fraction = ""
		}
	case d.point >= len(d.digits):
		whole = d.digits + strings.Repeat("0", d.point-len(d.digits))
	default:
		whole, fraction = d.digits[:d.point], d.digits[d.point:]
	}
	if n := minInt - len(whole); n > 0 {
		whole = strings.Repeat("0", n) + whole
	}
	if n := minFraction - len(fraction); n > 0 {
		fraction += strings.Repeat("0", n)
	}
	return whole, fraction
}
