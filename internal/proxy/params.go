package proxy

import (
	"math"
	"net/http"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/upstream"
)

const (
	// forwardPrefix marks the headers that are meant for the upstream.
	forwardPrefix = "Nango-Proxy-"
	// maxRetries bounds what a caller can ask for.
	maxRetries = 100
	maxKey     = 255
)

// params are the caller's wishes.
type params struct {
	connection  string
	integration string
	retries     int
	retryOn     []int
	// retryAt and retryAfter name headers of answers that say when to try again:
	// a moment, or a number of seconds. They replace the provider's.
	retryAt, retryAfter []string
	baseURL             string
	// decompress and keepHeaders are nil when the caller leaves them to the
	// provider.
	decompress  *bool
	keepHeaders *bool
	operation   linkspan.OperationID
	// header holds what goes upstream.
	header http.Header
}

// headerReader reads control headers and collects what is wrong with them.
type headerReader struct {
	h      http.Header
	issues []linkspan.Issue
}

func (r *headerReader) issue(name, code, message string) {
	r.issues = append(r.issues, linkspan.Issue{Code: code, Message: message, Path: []any{strings.ToLower(name)}})
}

// one returns the only value of a header; canonical is its canonical name.
func (r *headerReader) one(canonical string) (string, bool) {
	values := r.h[canonical]
	if len(values) > 1 {
		r.issue(canonical, "invalid_type", "Invalid input: expected string, received array")
		return "", false
	}
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// parseParams reads the control headers. The error lists every problem.
func parseParams(h http.Header) (params, error) {
	r := headerReader{h: h}
	p := params{
		connection:  r.key("Connection-Id", isConnectionByte, "invalid_union", "Invalid input"),
		integration: r.key("Provider-Config-Key", isKeyByte, "invalid_format", "Invalid string: must match pattern /^[a-zA-Z0-9~:.@ _-]+$/"),
		retries:     r.retries(),
		retryOn:     r.retryOn(),
		baseURL:     r.baseURL(),
		decompress:  r.flag("Decompress"),
		keepHeaders: r.flag("Forward-Headers-On-Redirect"),
		operation:   r.operation(),
	}
	r.flag("Nango-Is-Sync")
	r.flag("Nango-Is-Dry-Run")
	r.noWebSocket()
	if len(r.issues) > 0 {
		err := linkspan.E("proxy.Serve", linkspan.KindInvalid, "invalid_headers", nil, "")
		err.Issues = r.issues
		return params{}, err
	}
	p.header = forwarded(h)
	return p, nil
}

// noWebSocket refuses what would otherwise fail in a way that is hard to
// understand: the upstream would see a plain request. Other upgrades may be
// ignored (RFC 9110 §7.8).
func (r *headerReader) noWebSocket() {
	for _, name := range []string{"Upgrade", forwardPrefix + "Upgrade"} {
		if values := r.h[name]; len(values) > 0 && strings.EqualFold(values[0], "websocket") {
			r.issue(name, "custom", "WebSocket connections cannot be proxied")
		}
	}
}

// key reads a required name.
func (r *headerReader) key(name string, valid func(byte) bool, code, message string) string {
	before := len(r.issues)
	value, ok := r.one(name)
	switch {
	case len(r.issues) > before:
	case !ok:
		r.issue(name, "invalid_type", "Invalid input: expected string, received undefined")
	case value == "":
		r.issue(name, "too_small", "Too small: expected string to have >=1 characters")
	case len(value) > maxKey:
		r.issue(name, "too_big", "Too big: expected string to have <=255 characters")
	default:
		for i := range len(value) {
			if !valid(value[i]) {
				r.issue(name, code, message)
				break
			}
		}
	}
	return value
}

func isKeyByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("~:.@ _-", c) >= 0
}

func isConnectionByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte(`,.;:=+~[]|@${}"'\/_ -`, c) >= 0
}

func isAlphanumeric(c byte) bool { return syntax.IsWordChar(rune(c)) && c != '_' }

func (r *headerReader) retries() int {
	text, ok := r.one("Retries")
	if !ok {
		return 0
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case strings.TrimSpace(text) == "":
		return 0
	case err != nil || math.IsNaN(n) || math.IsInf(n, 0):
		r.issue("Retries", "invalid_type", "Invalid input: expected number, received NaN")
	case n < 0:
		r.issue("Retries", "too_small", "Too small: expected number to be >=0")
	}
	return int(min(max(n, 0), maxRetries))
}

func (r *headerReader) retryOn() []int {
	text, ok := r.one("Retry-On")
	if !ok {
		return nil
	}
	var statuses []int
	for part := range strings.SplitSeq(text, ",") {
		if part == "" || strings.Trim(part, "0123456789") != "" {
			r.issue("Retry-On", "invalid_format", `Invalid string: must match pattern /^\d+(,\d+)*$/`)
			return nil
		}
		if n, err := strconv.Atoi(part); err == nil {
			statuses = append(statuses, n) // a number too large is no status
		}
	}
	return statuses
}

func (r *headerReader) baseURL() string {
	text, ok := r.one("Base-Url-Override")
	if !ok || text == "" {
		return ""
	}
	if err := upstream.CheckBase(text); err != nil {
		r.issue("Base-Url-Override", "invalid_format", "Invalid URL")
	}
	return text
}

func (r *headerReader) flag(name string) *bool {
	text, ok := r.one(name)
	if !ok {
		return nil
	}
	if text != "true" && text != "false" {
		r.issue(name, "invalid_value", `Invalid option: expected one of "true"|"false"`)
		return nil
	}
	return new(text == "true")
}

// operation reads the operation that the call belongs to. Ids that are none of
// ours are ignored: the call then gets an operation of its own.
func (r *headerReader) operation() linkspan.OperationID {
	text, _ := r.one("Nango-Activity-Log-Id")
	if len(text) > maxKey {
		r.issue("Nango-Activity-Log-Id", "too_big", "Too big: expected string to have <=255 characters")
	}
	if !linkspan.IsOperationID(text) {
		return ""
	}
	return linkspan.OperationID(text)
}

// forwarded returns the headers for the upstream without their prefix. A header
// that repeats our own authorization is a mistake of the caller and stays here.
func forwarded(h http.Header) http.Header {
	var out http.Header
	for name, values := range h {
		if len(name) <= len(forwardPrefix) || name[:len(forwardPrefix)] != forwardPrefix {
			continue
		}
		rest := name[len(forwardPrefix):]
		if rest == "Authorization" && slices.Equal(values, h["Authorization"]) {
			continue
		}
		if out == nil {
			out = make(http.Header, 4)
		}
		out[rest] = values
	}
	return out
}
