package sandbox

import "unicode/utf8"

// validText returns the text with U+FFFD in place of every lone surrogate, which
// strings of JavaScript can have and QuickJS writes as three bytes, and of every
// other byte that is not UTF-8. It is what encoding such a string gives elsewhere.
func validText(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	out := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 && len(b) >= 3 && b[0] == 0xed && b[1] >= 0xa0 && b[1] <= 0xbf && b[2]&0xc0 == 0x80 {
			n = 3
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}
