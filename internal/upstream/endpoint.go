package upstream

import (
	"errors"
	"net/url"
	"strings"
)

// base is a parsed base URL: where an API is.
type base struct {
	scheme, host string
	// path is escaped and has no trailing slash.
	path string
	// query is prepended to the caller's; usually empty.
	query string
	// text is scheme, host and path.
	text string
}

// CheckBase says what is wrong with a base URL that a caller gives, if anything:
// it has to be absolute, http or https, without credentials and fragment.
// Whether it may be called is for package egress to say.
func CheckBase(text string) error {
	_, err := parseBase(text)
	return err
}

// parseBase reads a base URL as a caller or an integration gives it.
func parseBase(text string) (*base, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return nil, errors.New("the URL is not an absolute http or https URL")
	case u.User != nil:
		return nil, errors.New("the URL carries credentials")
	case u.Fragment != "":
		return nil, errors.New("the URL has a fragment")
	}
	return newBase(u), nil
}

func newBase(u *url.URL) *base {
	b := &base{scheme: u.Scheme, host: u.Host, path: strings.TrimRight(u.EscapedPath(), "/"), query: u.RawQuery}
	b.text = b.scheme + "://" + b.host + b.path
	return b
}

// join makes the URL of a call from the base and an endpoint, which is a path
// with or without a query, or a whole URL below the base. The bytes of the
// endpoint stay as they are, "//", "..", "%2F" and all, except for bytes that no
// URL may hold, which are percent-encoded. The host is always the base's.
func (b *base) join(endpoint string) *url.URL {
	endpoint = strings.TrimPrefix(endpoint, "/")
	if rest, ok := strings.CutPrefix(endpoint, b.text); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
		endpoint = strings.TrimPrefix(rest, "/")
	}
	path, query, _ := strings.Cut(endpoint, "?")
	raw := b.path + "/" + escapePath(path)
	query = escapeQuery(query)
	if b.query != "" {
		query = strings.TrimSuffix(b.query+"&"+query, "&")
	}
	plain, err := url.PathUnescape(raw)
	if err != nil {
		plain = raw // cannot be: every percent sign is followed by two digits
	}
	return &url.URL{Scheme: b.scheme, Host: b.host, Path: plain, RawPath: raw, RawQuery: query}
}

// escapePath percent-encodes the bytes that a path may not hold, and percent
// signs that begin no encoding.
func escapePath(text string) string {
	for i := range len(text) {
		if !validInPath(text[i]) || text[i] == '%' && !isEncoding(text[i:]) {
			at := -1
			return escapeEach(text, func(c byte) bool {
				at++
				return validInPath(c) && (c != '%' || isEncoding(text[at:]))
			})
		}
	}
	return text
}

// escapeQuery percent-encodes the bytes that would end the query. Everything
// else, broken encodings included, is the caller's and the upstream's business.
func escapeQuery(text string) string {
	for i := range len(text) {
		if !validInQuery(text[i]) {
			return escapeEach(text, validInQuery)
		}
	}
	return text
}

// escapeEach percent-encodes the bytes that keep refuses; keep is asked for each
// byte in turn.
func escapeEach(text string, keep func(c byte) bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text) + 16)
	for i := range len(text) {
		c := text[i]
		if keep(c) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

func isEncoding(text string) bool { return len(text) >= 3 && isHex(text[1]) && isHex(text[2]) }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// validInPath are the characters that net/url keeps in an escaped path.
func validInPath(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~/%!$&'()*+,;=:@[]", c) >= 0
}

// validInQuery keeps everything visible but what ends a URL.
func validInQuery(c byte) bool { return c > ' ' && c < 0x7f && c != '#' }

// mergeQuery appends the configured parameters to a query and removes the caller's of
// the same names.
func mergeQuery(query string, params []queryParam) string {
	if len(params) == 0 {
		return query
	}
	var b strings.Builder
	for part := range strings.SplitSeq(query, "&") {
		if part == "" || configured(part, params) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(part)
	}
	for i := range params {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(params[i].encoded)
	}
	return b.String()
}

func configured(part string, params []queryParam) bool {
	name, _, _ := strings.Cut(part, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	for i := range params {
		if params[i].name == name {
			return true
		}
	}
	return false
}
