package httpx

import (
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// pattern is a named rule of wire contract §3 for text.
type pattern struct {
	// js is the expression as the contract writes it, for messages and the
	// OpenAPI document.
	js string
	// match is the same by hand: patterns sit on every request's path.
	match func(string) bool
	// union makes every problem with the text the one issue that the contract
	// has for connection ids.
	union bool
}

func patternNamed(name string) (pattern, bool) {
	switch name {
	case "pck": // provider config key
		return pattern{js: `^[a-zA-Z0-9~:.@ _-]+$`, match: all(alphanumeric, "~:.@ _-")}, true
	case "cid": // connection id
		return pattern{
			js:    `^[a-zA-Z0-9,.;:=+~[\]|@${}"'\\/_ -]+$`,
			match: all(alphanumeric, `,.;:=+~[]|@${}"'\/_ -`),
			union: true,
		}, true
	case "name": // providers, functions, syncs, variants
		return pattern{js: `^[a-zA-Z0-9_-]+$`, match: all(alphanumeric, "_-")}, true
	case "env": // environment names
		return pattern{js: `^[a-z0-9_-]+$`, match: all(lowerOrDigit, "_-")}, true
	case "model":
		return pattern{js: `^[A-Z][a-zA-Z0-9_-]+$`, match: func(s string) bool {
			return len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && all(alphanumeric, "_-")(s[1:])
		}}, true
	case "tag_key":
		return pattern{js: `^[a-zA-Z][a-zA-Z0-9_\-./]*$`, match: func(s string) bool {
			return s != "" && letter(s[0]) && (len(s) == 1 || all(alphanumeric, "_-./")(s[1:]))
		}}, true
	case "scopes": // comma-separated OAuth scopes, or nothing
		return pattern{js: `^$|^[0-9a-zA-Z:/_.*-]+(,[0-9a-zA-Z:/_.*-]+)*$`, match: isScopeList}, true
	case "status_list": // comma-separated numbers
		return pattern{js: `^\d+(,\d+)*$`, match: func(s string) bool {
			return listOf(s, all(digit, ""))
		}}, true
	case "sdk_version": // of the tool that bundled functions
		return pattern{js: `[0-9]+\.[0-9]+\.[0-9]+-(zero|yaml)`, match: hasSDKVersion}, true
	case "number":
		return pattern{js: `^\d+$`, match: all(digit, "")}, true
	case "operation":
		return pattern{js: `^[a-z0-9]{24}$`, match: linkspan.IsOperationID}, true
	default:
		return pattern{}, false
	}
}

// hasSDKVersion looks for three numbers followed by the kind of project. The
// pattern of the contract has no anchors.
func hasSDKVersion(s string) bool {
	for from := range len(s) {
		rest, ok := s[from:], true
		for part := 0; part < 3 && ok; part++ {
			n := 0
			for n < len(rest) && digit(rest[n]) {
				n++
			}
			if ok = n > 0; ok && part < 2 {
				ok = n < len(rest) && rest[n] == '.'
				n++
			}
			if ok {
				rest = rest[n:]
			}
		}
		if ok && (strings.HasPrefix(rest, "-zero") || strings.HasPrefix(rest, "-yaml")) {
			return true
		}
	}
	return false
}

func isScopeList(s string) bool {
	return s == "" || listOf(s, all(alphanumeric, ":/_.*-"))
}

func listOf(s string, match func(string) bool) bool {
	for element := range strings.SplitSeq(s, ",") {
		if !match(element) {
			return false
		}
	}
	return true
}

// all returns a test for text of at least one byte, each in the class or among
// the others.
func all(class func(byte) bool, others string) func(string) bool {
	return func(s string) bool {
		for i := range len(s) {
			if !class(s[i]) && strings.IndexByte(others, s[i]) < 0 {
				return false
			}
		}
		return s != ""
	}
}

func digit(c byte) bool        { return c >= '0' && c <= '9' }
func lowerOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || digit(c) }
func letter(c byte) bool       { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func alphanumeric(c byte) bool { return letter(c) || digit(c) }

// format is a named shape of text that is not a plain pattern.
type format struct {
	message string // of the issue
	openAPI string // the name in the OpenAPI document
	match   func(string) bool
}

func formatNamed(name string) (format, bool) {
	switch name {
	case "email":
		return format{message: "Invalid email address", openAPI: "email", match: isEmail}, true
	case "url":
		return format{message: "Invalid URL", openAPI: "uri", match: isURL}, true
	case "uuid":
		return format{message: "Invalid UUID", openAPI: "uuid", match: linkspan.IsUUID}, true
	case "datetime":
		return format{message: "Invalid ISO datetime", openAPI: "date-time", match: func(s string) bool {
			_, err := parseTime(s)
			return err == nil
		}}, true
	default:
		return format{}, false
	}
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return strings.Contains(domain, ".")
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && s == strings.TrimSpace(s)
}

// parseTime reads an ISO 8601 date and time with a zone, or a date alone,
// which begins at midnight UTC.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), nil
	}
	return time.Parse(time.DateOnly, s)
}
