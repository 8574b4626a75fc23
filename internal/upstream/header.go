package upstream

import (
	"errors"
	"net/http"
	"net/textproto"
	"strings"
)

// isForbidden reports the headers that belong to a connection or to the framing
// of a message and are never taken from a caller or from configuration.
func isForbidden(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Expect", "Host", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Trailers", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, ":")
}

// checkHeader refuses names and values that would break out of a header line.
func checkHeader(name, value string) error {
	if !isToken(name) {
		return errors.New("the name of the header is not valid")
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return errors.New("the value of the header holds a control character")
		}
	}
	return nil
}

// isToken reports whether a name consists of the characters that RFC 9110 §5.6.2
// allows in header names.
func isToken(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}

// overlay puts the caller's headers over h, except for those that a caller may
// not set and those that its Connection header names.
func overlay(h, caller http.Header, keepUserAgent bool) error {
	nominated := caller["Connection"]
	for name, values := range caller {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if isForbidden(canonical) || keepUserAgent && canonical == "User-Agent" || nominates(nominated, canonical) {
			continue
		}
		for _, value := range values {
			if err := checkHeader(canonical, value); err != nil {
				return err
			}
		}
		h[canonical] = values
	}
	return nil
}

// nominates reports whether a Connection header names a header as meant for the
// next hop only.
func nominates(connection []string, name string) bool {
	for _, value := range connection {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), name) {
				return true
			}
		}
	}
	return false
}
