package platform

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

var errHost = errors.New("invalid host")

// parseHost is the host parser of the WHATWG URL standard.
func parseHost(s string, special bool) (string, error) {
	if strings.HasPrefix(s, "[") {
		if !strings.HasSuffix(s, "]") {
			return "", errHost
		}
		return parseIPv6(s[1 : len(s)-1])
	}
	if !special {
		if strings.ContainsAny(s, "\x00\t\n\r #/:<>?@[\\]^|") {
			return "", errHost
		}
		return percentEncode(s, encodeControl), nil
	}
	domain := percentDecode(s)
	if !utf8.ValidString(domain) {
		return "", errHost
	}
	ascii, err := domainToASCII(domain)
	if err != nil || ascii == "" {
		return "", errHost
	}
	for i := range len(ascii) {
		if c := ascii[i]; c <= 0x20 || c == 0x7f || strings.IndexByte("#/:<>?@[\\]^|%", c) >= 0 {
			return "", errHost
		}
	}
	if endsInNumber(ascii) {
		return parseIPv4(ascii)
	}
	return ascii, nil
}

// domainToASCII is UTS 46 as the URL standard asks for it: not transitional, not strict.
func domainToASCII(domain string) (string, error) {
	if plainASCII(domain) {
		return strings.ToLower(domain), nil
	}
	p := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
		idna.CheckHyphens(false), idna.CheckJoiners(true), idna.BidiRule(), idna.VerifyDNSLength(false))
	ascii, err := p.ToASCII(domain)
	if err == nil && slices.Contains(strings.Split(strings.ToLower(domain), "."), "xn--") {
		return "", errHost // a label that says it is encoded, and is empty
	}
	return ascii, err
}

func domainToUnicode(domain string) string {
	p := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
		idna.CheckHyphens(false), idna.VerifyDNSLength(false))
	s, err := p.ToUnicode(domain)
	if err != nil {
		return domain
	}
	return s
}

// plainASCII reports whether a domain needs no more than lower case.
func plainASCII(domain string) bool {
	start := 0
	for i := range len(domain) {
		if domain[i] >= utf8.RuneSelf {
			return false
		}
		if domain[i] == '.' {
			start = i + 1
		}
		if i == start && len(domain)-i >= 4 && strings.EqualFold(domain[i:i+4], "xn--") {
			return false
		}
	}
	return true
}

func endsInNumber(s string) bool {
	parts := strings.Split(s, ".")
	if parts[len(parts)-1] == "" {
		if len(parts) == 1 {
			return false
		}
		parts = parts[:len(parts)-1]
	}
	last := parts[len(parts)-1]
	if last != "" && strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, err := parseIPv4Number(last)
	return err == nil
}

func parseIPv4Number(s string) (uint64, error) {
	base := 10
	switch {
	case s == "":
		return 0, errHost
	case len(s) >= 2 && (s[:2] == "0x" || s[:2] == "0X"):
		s, base = s[2:], 16
	case len(s) >= 2 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, base, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 1 << 63, nil // a number, only too large
	}
	if err != nil {
		return 0, errHost
	}
	return n, nil
}

func parseIPv4(s string) (string, error) {
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(parts) > 4 {
		return "", errHost
	}
	var ip uint64
	for i, part := range parts {
		n, err := parseIPv4Number(part)
		if err != nil {
			return "", err
		}
		if i < len(parts)-1 {
			if n > 255 {
				return "", errHost
			}
			ip += n << (8 * (3 - i))
			continue
		}
		if n >= 1<<(8*(5-len(parts))) {
			return "", errHost
		}
		ip += n
	}
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}).String(), nil
}

// parseIPv6 returns the canonical form in brackets.
func parseIPv6(s string) (string, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", errHost
	}
	b := addr.As16()
	var pieces [8]uint16
	for i := range pieces {
		pieces[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	start, length := longestZeros(pieces)
	var out strings.Builder
	out.WriteByte('[')
	for i := 0; i < 8; i++ {
		if i == start {
			out.WriteString("::")
			i += length - 1
			continue
		}
		if i > 0 && i != start+length {
			out.WriteByte(':')
		}
		out.WriteString(strconv.FormatUint(uint64(pieces[i]), 16))
	}
	out.WriteByte(']')
	return out.String(), nil
}

// longestZeros finds the first longest run of two or more zero pieces; start is -1 without one.
func longestZeros(pieces [8]uint16) (start, length int) {
	start = -9
	for i := 0; i < 8; i++ {
		n := 0
		for i+n < 8 && pieces[i+n] == 0 {
			n++
		}
		if n > 1 && n > length {
			start, length = i, n
		}
		i += n
	}
	return start, length
}
