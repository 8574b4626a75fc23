package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ErrUnsafeURL reports that a value would change which server a URL leads to, or
// that the filled URL is not an absolute http or https URL.
var ErrUnsafeURL = errors.New("unsafe URL")

var errDotSegment = errors.New(`must not have "." or ".." as a segment of a path`)

// URLs is a list of alternatives of one URL, in order of preference.
type URLs []Template

// Expand fills the first alternative whose placeholders all have a non-empty
// value; see [Template.ExpandURL]. When there is none the error is an
// [UnresolvedError] that names what the last alternative lacks.
func (u URLs) Expand(v Vars) (*url.URL, error) {
	return u.expand(func(t *Template) (*url.URL, error) { return t.ExpandURL(v) })
}

// ExpandBase is Expand for the base of API calls; see [Template.ExpandBaseURL].
func (u URLs) ExpandBase(v Vars) (*url.URL, error) {
	return u.expand(func(t *Template) (*url.URL, error) { return t.ExpandBaseURL(v) })
}

func (u URLs) expand(fill func(*Template) (*url.URL, error)) (*url.URL, error) {
	err := error(&UnresolvedError{Names: []string{"the URL, which is not set"}})
	for i := range u {
		var filled *url.URL
		if filled, err = fill(&u[i]); err == nil {
			return filled, nil
		}
		if _, unresolved := errors.AsType[*UnresolvedError](err); !unresolved {
			return nil, err
		}
	}
	return nil, err
}

// String joins the alternatives with " || ", the form of the public API.
func (u URLs) String() string {
	parts := make([]string, len(u))
	for i := range u {
		parts[i] = u[i].String()
	}
	return strings.Join(parts, " || ")
}

// Refs returns the variables of all alternatives.
func (u URLs) Refs() []string {
	var names []string
	for i := range u {
		for _, name := range u[i].Refs() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// ExpandURL fills a template that is an absolute URL. Empty values count as
// missing. What a value may contain depends on where it stands, so that no value
// can redirect the request to a server the template does not allow:
//
//   - at the very start it must be an http or https URL itself;
//   - as the whole host it may be a host, with a port and a path;
//   - as part of a host it may hold letters, digits, "-", "_" and ".";
//   - anywhere later it is percent-encoded like encodeURIComponent does.
//
// The error is an [UnresolvedError] or wraps [ErrUnsafeURL]; it names variables
// and never shows values.
func (t *Template) ExpandURL(v Vars) (*url.URL, error) {
	return t.expandURL(v, escapeURIComponent)
}

// ExpandBaseURL is like [Template.ExpandURL], but values in the path may have
// several segments and keep the characters a path may hold.
func (t *Template) ExpandBaseURL(v Vars) (*url.URL, error) {
	return t.expandURL(v, escapePathValue)
}

func (t *Template) expandURL(v Vars, escape func(string) string) (*url.URL, error) {
	if t == nil || len(t.nodes) == 0 {
		return nil, &UnresolvedError{Names: []string{"the URL, which is empty"}}
	}
	w := urlWriter{escape: escape}
	x := newExpansion(v)
	for i := range t.nodes {
		n := &t.nodes[i]
		value, ok := x.value(n)
		if !ok {
			continue
		}
		if n.kind == nodeText {
			w.literal(value)
			continue
		}
		if value == "" {
			x.miss(n.label())
			continue
		}
		if err := w.value(value, t.nodes[i+1:]); err != nil {
			return nil, fmt.Errorf("%w: %s %w", ErrUnsafeURL, n.label(), err)
		}
	}
	if len(x.missing) > 0 {
		return nil, &UnresolvedError{Names: x.missing}
	}
	filled, err := url.Parse(w.b.String())
	if err != nil {
		return nil, fmt.Errorf("%w: the filled URL cannot be parsed", ErrUnsafeURL)
	}
	if err := checkHTTP(filled); err != nil {
		return nil, fmt.Errorf("%w: the filled URL %w", ErrUnsafeURL, err)
	}
	return filled, nil
}

// label names a placeholder in an error.
func (n *node) label() string {
	if n.kind == nodeRef {
		return n.name
	}
	return n.src
}

// urlPart says where in a URL the writer is.
type urlPart uint8

const (
	urlStart urlPart = iota
	urlScheme
	urlHost
	urlPath
	urlQuery
)

// urlWriter joins literals and values of a URL template. The part it is in
// follows from the template's own text only.
type urlWriter struct {
	b      strings.Builder
	part   urlPart
	escape func(string) string
}

func (w *urlWriter) literal(text string) {
	w.b.WriteString(text)
	if w.part == urlStart || w.part == urlScheme {
		w.part = urlScheme
		_, rest, ok := strings.Cut(text, "://")
		if !ok {
			return
		}
		w.part, text = urlHost, rest
	}
	if w.part == urlHost && strings.ContainsAny(text, "/?#") {
		w.part = urlPath
	}
	if w.part == urlPath && strings.ContainsAny(text, "?#") {
		w.part = urlQuery
	}
}

// value appends a value. next is what follows in the template.
func (w *urlWriter) value(value string, next []node) error {
	atHostEnd := len(next) == 0 || next[0].kind == nodeText && strings.ContainsAny(next[0].src[:1], "/?#")
	switch w.part {
	case urlStart:
		u, err := url.Parse(value)
		if err != nil {
			return errors.New("must be an absolute http or https URL")
		}
		if err := checkHTTP(u); err != nil {
			return err
		}
		if u.Fragment != "" || u.RawQuery != "" && len(next) > 0 {
			return errors.New("must not have a query or fragment")
		}
		w.b.WriteString(strings.TrimRight(value, "/"))
		w.part = urlPath
	case urlScheme:
		return errors.New("stands where the scheme of the URL should be")
	case urlHost:
		if atHostEnd && strings.HasSuffix(w.b.String(), "://") {
			value = strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(value, "https://"), "http://"), "/")
			if value == "" || strings.HasPrefix(value, "/") || strings.ContainsFunc(value, notInHostAndPath) {
				return errors.New("must be a host name, such as api.example.com")
			}
			if hasDotSegment(value) {
				return errDotSegment
			}
		} else if strings.ContainsFunc(value, notInHostLabel) {
			return errors.New("is part of a host name and may hold only letters, digits, hyphens, underscores and dots")
		}
		w.b.WriteString(value)
	case urlPath:
		if hasDotSegment(value) {
			return errDotSegment
		}
		w.b.WriteString(w.escape(value))
	case urlQuery:
		w.b.WriteString(w.escape(value))
	}
	return nil
}

// hasDotSegment reports segments that would lead out of the place in a path
// where the value stands, encoded ones included.
func hasDotSegment(value string) bool {
	if decoded, err := url.PathUnescape(value); err == nil {
		value = decoded
	}
	for segment := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// notInHostAndPath refuses what ends a host early (user information, query,
// fragment), what clients read as a slash, and what no URL holds.
func notInHostAndPath(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`@?#\"<>^{|}`+"`", r)
}

func notInHostLabel(r rune) bool { return !isWordRune(r) && r != '-' && r != '.' }

// checkHTTP accepts absolute http and https URLs without user information.
func checkHTTP(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return errors.New("must be an absolute http or https URL")
	case u.User != nil:
		return errors.New("must not contain a user name or password")
	}
	return nil
}

// escapeURIComponent encodes like the JavaScript function of nearly that name.
func escapeURIComponent(text string) string {
	return escapeBytes(text, func(c byte) bool { return isUnreserved(c) || strings.IndexByte("!*'()", c) >= 0 })
}

// escapePathValue keeps what a path may hold, slashes and existing percent
// encodings included, so that a value may be several segments.
func escapePathValue(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		if len(text) >= 3 && text[0] == '%' && isHex(text[1]) && isHex(text[2]) {
			b.WriteString(text[:3])
			text = text[3:]
			continue
		}
		b.WriteString(escapeBytes(text[:1], func(c byte) bool {
			return isUnreserved(c) || strings.IndexByte("/:@!$&'()*+,;=", c) >= 0
		}))
		text = text[1:]
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
