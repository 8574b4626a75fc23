package call

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// Accept is what axios asks for: some APIs answer with XML otherwise.
	Accept = "application/json, text/plain, */*"
	// MaxHeaders is how many headers a call takes.
	MaxHeaders  = 200
	maxEndpoint = 64 << 10
	maxRetryOn  = 600
)

// HTTP is what "http" takes: one proxied call.
type HTTP struct {
	Which

	Method   string `json:"method"`
	Endpoint string `json:"endpoint"`
	// Headers are pairs of a name and a value.
	Headers [][2]string `json:"headers"`
	// ContentType describes the body unless Headers do.
	ContentType              string   `json:"contentType"`
	Retries                  float64  `json:"retries"`
	RetryOn                  []int    `json:"retryOn"`
	RetryAt                  []string `json:"retryAt"`
	RetryAfter               []string `json:"retryAfter"`
	BaseURLOverride          string   `json:"baseUrlOverride"`
	Decompress               *bool    `json:"decompress"`
	ForwardHeadersOnRedirect *bool    `json:"forwardHeadersOnRedirect"`
	// Text asks for the answer's body as a string.
	Text bool `json:"text"`
	// Given is told in trials only.
	Given *Given `json:"given"`
}

// Given is what a function made a call of, before it was written as a request.
// Recordings go by it.
type Given struct {
	Endpoint string `json:"endpoint"`
	// Params are a query as text, or an object. Nil: there are none.
	Params json.RawMessage `json:"params"`
	// Data is nil for none.
	Data json.RawMessage `json:"data"`
}

// Head is the head of an answer to "http" and "fetch"; the body goes beside it.
type Head struct {
	Status     int    `json:"status"`
	StatusText string `json:"statusText"`
	// Headers are pairs of a name in lower case and a value, sorted by name.
	Headers    [][2]string `json:"headers"`
	URL        string      `json:"url,omitempty"`
	Redirected bool        `json:"redirected,omitempty"`
}

// Check refuses what no call can be made of and returns the headers.
func (p *HTTP) Check() (http.Header, error) {
	const op = "call.HTTP"
	switch {
	case !isMethod(p.Method):
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_method", nil, "The method of the call is not valid.")
	case len(p.Endpoint) > maxEndpoint:
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_endpoint", nil, "The endpoint is longer than %d bytes.", maxEndpoint)
	case len(p.RetryOn) > maxRetryOn:
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_parameters", nil, "There are more statuses in retryOn than exist.")
	case p.BaseURLOverride != "" && upstream.CheckBase(p.BaseURLOverride) != nil:
		return nil, linkspan.E(op, linkspan.KindInvalid, "base_url_override_not_allowed", nil, "The baseUrlOverride is not an absolute http or https URL.")
	}
	return headerOf(p.Headers)
}

// TooLarge is the error of an answer that is larger than a function may have.
func TooLarge(limit int64) error {
	return linkspan.E("call.HTTP", linkspan.KindTooLarge, "response_too_large", nil,
		"The answer is larger than the %d bytes that a function can be given.", limit).
		WithHint("Ask for smaller pages, or for a part of the file with the header Range.")
}

// isMethod reports whether a method may be used: that of a request which is
// answered by one response.
func isMethod(method string) bool {
	if len(method) == 0 || len(method) > 20 || method == http.MethodConnect || method == http.MethodTrace {
		return false
	}
	return strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// Changes reports whether a method may change something where it is sent.
func Changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// headerOf makes headers of pairs. What can't be a header is refused by name.
func headerOf(list [][2]string) (http.Header, error) {
	const op = "call.HTTP"
	if len(list) > MaxHeaders {
		return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_headers", nil, "A call takes at most %d headers.", MaxHeaders)
	}
	h := make(http.Header, len(list))
	for _, pair := range list {
		if !httpguts.ValidHeaderFieldName(pair[0]) {
			return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_headers", nil, "%.100q is not the name of a header.", pair[0])
		}
		if !httpguts.ValidHeaderFieldValue(pair[1]) {
			return nil, linkspan.E(op, linkspan.KindInvalid, "invalid_headers", nil, "The value of the header %.100q holds a control character.", pair[0])
		}
		h.Add(pair[0], pair[1])
	}
	return h, nil
}

// Pairs lists headers in lower case, sorted by name.
func Pairs(h http.Header) [][2]string {
	list := make([][2]string, 0, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			list = append(list, [2]string{strings.ToLower(name), latin1(value)})
		}
	}
	return list
}

// latin1 makes a character of each byte: HTTP says no more of values, and so does
// Node, whatever the bytes are.
func latin1(value string) string {
	if !strings.ContainsFunc(value, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return value
	}
	out := make([]rune, len(value))
	for i := range len(value) {
		out[i] = rune(value[i])
	}
	return string(out)
}

// Text makes a body a string: without a byte order mark, and with U+FFFD for
// what is not UTF-8.
func Text(body []byte) []byte {
	body = bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))
	if utf8.Valid(body) {
		return body
	}
	out := make([]byte, 0, len(body)+len(body)/8)
	for len(body) > 0 {
		r, n := utf8.DecodeRune(body)
		if r == utf8.RuneError && n == 1 {
			n = malformed(body)
		}
		out = utf8.AppendRune(out, r)
		body = body[n:]
	}
	return out
}

// malformed is how many bytes one U+FFFD stands for: the longest beginning of a
// character, as the Encoding Standard has it, or a single byte.
func malformed(b []byte) int {
	for n := min(len(b), utf8.UTFMax-1); n > 1; n-- {
		if !utf8.FullRune(b[:n]) {
			return n
		}
	}
	return 1
}
