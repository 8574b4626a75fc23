package catalog

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Request is what signing templates need to know of the request being built.
type Request struct {
	// Method is the HTTP method in upper case.
	Method string
	// URL is the absolute URL of the request, query included.
	URL *url.URL
	// Endpoint is the path and query as the caller gave them.
	Endpoint string
	// ContentType is the caller's Content-Type; empty when there is none.
	ContentType string
	// Body is the body as it will be sent; nil when there is none.
	Body []byte
}

// Lookup returns the request variables of the template language: method,
// endpoint, host, path, params, urlCanonicalParams, bodyCanonicalParams and
// contentType.
func (r *Request) Lookup(name string) (string, bool) {
	switch name {
	case "method":
		return r.Method, true
	case "endpoint":
		return r.Endpoint, true
	case "contentType":
		return r.ContentType, true
	case "bodyCanonicalParams":
		return r.canonicalBody(), true
	}
	if r.URL == nil {
		return "", false
	}
	switch name {
	case "host":
		return r.URL.Host, true
	case "path":
		if path := r.URL.EscapedPath(); path != "" {
			return path, true
		}
		return "/", true
	case "urlCanonicalParams":
		return canonicalQuery(r.URL.RawQuery), true
	case "params":
		return r.canonicalParams(), true
	}
	return "", false
}

func (r *Request) hasBody() bool {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return true
	}
	return false
}

// mediaType returns the type without parameters, in lower case.
func (r *Request) mediaType() string {
	kind, _, err := mime.ParseMediaType(r.ContentType)
	if err != nil {
		return ""
	}
	return kind
}

// canonicalBody is the raw body where it can be signed as text.
func (r *Request) canonicalBody() string {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete || strings.HasPrefix(r.mediaType(), "multipart/") {
		return ""
	}
	return string(r.Body)
}

// canonicalParams returns the parameters of the body for methods that have one,
// else of the query, sorted and percent-encoded.
func (r *Request) canonicalParams() string {
	if !r.hasBody() {
		return canonicalQuery(r.URL.RawQuery)
	}
	if r.mediaType() == "application/x-www-form-urlencoded" {
		return canonicalQuery(string(r.Body))
	}
	fields := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.UseNumber()
	if decoder.Decode(&fields) != nil {
		return ""
	}
	var pairs []queryPair
	for name, value := range fields {
		text, ok := scalarText(value)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				continue
			}
			text = string(encoded)
		}
		pairs = append(pairs, queryPair{escapeComponent(name), escapeComponent(text)})
	}
	return joinPairs(pairs)
}

type queryPair struct{ name, value string }

// canonicalQuery sorts the parameters of a query by encoded name and value and
// encodes them by RFC 3986, as AWS and Duo sign them.
func canonicalQuery(raw string) string {
	var pairs []queryPair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, queryPair{recode(name), recode(value)})
	}
	return joinPairs(pairs)
}

func joinPairs(pairs []queryPair) string {
	slices.SortFunc(pairs, func(a, b queryPair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name)
		b.WriteByte('=')
		b.WriteString(p.value)
	}
	return b.String()
}

// recode decodes a query component and encodes it canonically. Text that is not
// valid encoding is taken as it stands.
func recode(component string) string {
	if decoded, err := url.QueryUnescape(component); err == nil {
		component = decoded
	}
	return escapeComponent(component)
}

// isUnreserved reports the characters RFC 3986 never encodes.
func isUnreserved(c byte) bool {
	return isWordRune(rune(c)) || c == '-' || c == '.' || c == '~'
}

// escapeComponent percent-encodes everything but unreserved characters.
func escapeComponent(text string) string { return escapeBytes(text, isUnreserved) }

// escapePath percent-encodes everything but unreserved characters and slashes.
func escapePath(path string) string {
	return escapeBytes(path, func(c byte) bool { return c == '/' || isUnreserved(c) })
}

func escapeBytes(text string, keep func(byte) bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; keep(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}
