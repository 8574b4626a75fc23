package platform

import (
	"strconv"
	"strings"
)

// address is a URL record of the WHATWG URL standard.
type address struct {
	scheme             string
	username, password string
	host               string
	hasHost            bool
	port               int // -1: none
	path               []string
	opaque             string // the path, when hasOpaque
	hasOpaque          bool
	query, fragment    *string
}

// defaultPort returns the port that a special scheme leaves out, -1 for none.
func defaultPort(scheme string) (port int, special bool) {
	switch scheme {
	case "http", "ws":
		return 80, true
	case "https", "wss":
		return 443, true
	case "ftp":
		return 21, true
	case "file":
		return -1, true
	default:
		return -1, false
	}
}

func (a *address) special() bool {
	_, special := defaultPort(a.scheme)
	return special
}

func (a *address) cannotHaveCredentials() bool {
	return !a.hasHost || a.host == "" || a.scheme == "file"
}

func (a *address) pathname() string {
	if a.hasOpaque {
		return a.opaque
	}
	if len(a.path) == 0 {
		return ""
	}
	return "/" + strings.Join(a.path, "/")
}

func (a *address) portText() string {
	if a.port < 0 {
		return ""
	}
	return strconv.Itoa(a.port)
}

func (a *address) hostPort() string {
	if a.port < 0 {
		return a.host
	}
	return a.host + ":" + strconv.Itoa(a.port)
}

// href serializes the record.
func (a *address) href() string {
	var b strings.Builder
	b.WriteString(a.scheme)
	b.WriteByte(':')
	if a.hasHost {
		b.WriteString("//")
		if a.username != "" || a.password != "" {
			b.WriteString(a.username)
			if a.password != "" {
				b.WriteByte(':')
				b.WriteString(a.password)
			}
			b.WriteByte('@')
		}
		b.WriteString(a.hostPort())
	} else if !a.hasOpaque && len(a.path) > 1 && a.path[0] == "" {
		b.WriteString("/.")
	}
	b.WriteString(a.pathname())
	if a.query != nil {
		b.WriteByte('?')
		b.WriteString(*a.query)
	}
	if a.fragment != nil {
		b.WriteByte('#')
		b.WriteString(*a.fragment)
	}
	return b.String()
}

// origin serializes the record's origin; opaque ones are "null".
func (a *address) origin() string {
	switch a.scheme {
	case "http", "https", "ws", "wss", "ftp":
		return a.scheme + "://" + a.hostPort()
	case "blob":
		inner, err := parseAddress(a.pathname(), nil)
		if err == nil && (inner.scheme == "http" || inner.scheme == "https") {
			return inner.origin()
		}
	}
	return "null"
}

// members returns what the class URL shows: href, origin, protocol, username,
// password, hostname, port, pathname, search, hash.
func (a *address) members() []string {
	mark := func(sign string, s *string) string {
		if s == nil || *s == "" {
			return ""
		}
		return sign + *s
	}
	return []string{
		a.href(), a.origin(), a.scheme + ":", a.username, a.password, a.host,
		a.portText(), a.pathname(), mark("?", a.query), mark("#", a.fragment),
	}
}

func (a *address) shorten() {
	if a.scheme == "file" && len(a.path) == 1 && isNormalizedDriveLetter(a.path[0]) {
		return
	}
	if len(a.path) > 0 {
		a.path = a.path[:len(a.path)-1]
	}
}

// A set of code points that are percent-encoded.
type encodeSet int

const (
	encodeControl encodeSet = iota
	encodeFragment
	encodeQuery
	encodeSpecialQuery
	encodePath
	encodeUserinfo
)

func (s encodeSet) has(c byte) bool {
	if c < 0x20 || c > 0x7e {
		return true
	}
	switch s {
	case encodeControl:
		return false
	case encodeFragment:
		return strings.IndexByte(" \"<>`", c) >= 0
	case encodeQuery:
		return strings.IndexByte(" \"#<>", c) >= 0
	case encodeSpecialQuery:
		return strings.IndexByte(" \"#<>'", c) >= 0
	case encodePath:
		return strings.IndexByte(" \"#<>?^`{}", c) >= 0
	default:
		return strings.IndexByte(" \"#<>?^`{}/:;=@[\\]|", c) >= 0
	}
}

func percentEncode(s string, set encodeSet) string {
	clean := true
	for i := range len(s) {
		if set.has(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if !set.has(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func isAlpha[C rune | byte](c C) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isDigit[C rune | byte](c C) bool { return c >= '0' && c <= '9' }

func isDriveLetter(s string) bool {
	return len(s) == 2 && isAlpha(s[0]) && (s[1] == ':' || s[1] == '|')
}

func isNormalizedDriveLetter(s string) bool { return isDriveLetter(s) && s[1] == ':' }

// startsWithDriveLetter reports whether a path begins with a Windows drive letter.
func startsWithDriveLetter(s []rune) bool {
	if len(s) < 2 || !isAlpha(s[0]) || s[1] != ':' && s[1] != '|' {
		return false
	}
	return len(s) == 2 || strings.ContainsRune("/\\?#", s[2])
}

func isSingleDot(s string) bool { return s == "." || strings.EqualFold(s, "%2e") }

func isDoubleDot(s string) bool {
	switch strings.ToLower(s) {
	case "..", ".%2e", "%2e.", "%2e%2e":
		return true
	default:
		return false
	}
}
