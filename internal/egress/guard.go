package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Policy is what the operator allows.
type Policy struct {
	// AllowPrivateNetwork lifts the refusal of loopback and private addresses.
	// Cloud metadata addresses stay refused.
	AllowPrivateNetwork bool
	// DeniedHosts are hosts that are never called, whatever their addresses.
	// One with a leading dot stands for the host and all hosts below it.
	DeniedHosts []string
}

// Resolver finds the addresses of a host name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Guard decides which targets may be called. It is safe for concurrent use.
type Guard struct {
	policy   Policy
	resolver Resolver
	classes  classifier
	badPorts []uint16
	// denied are the hosts of the policy as canonicalHost writes them, with the
	// leading dot.
	denied []string
}

// New returns a guard with a policy. A nil resolver means the system's.
func New(p Policy, r Resolver) *Guard {
	if r == nil {
		r = &net.Resolver{}
	}
	g := &Guard{policy: p, resolver: r, classes: newClassifier(), badPorts: badPorts()}
	for _, host := range p.DeniedHosts {
		rest, below := strings.CutPrefix(host, ".")
		if host = canonicalHost(rest); below {
			host = "." + host
		}
		g.denied = append(g.denied, host)
	}
	return g
}

// canonicalHost writes a host in the one form in which hosts are compared.
func canonicalHost(host string) string {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// isDenied reports whether the operator denies a host.
func (g *Guard) isDenied(host string) bool {
	if len(g.denied) == 0 {
		return false
	}
	host = canonicalHost(host)
	return slices.ContainsFunc(g.denied, func(denied string) bool {
		domain, below := strings.CutPrefix(denied, ".")
		return host == domain || below && strings.HasSuffix(host, denied)
	})
}

// BlockedError says that a target may not be called. It never names the address
// that a host name resolved to.
type BlockedError struct {
	// Host is the host as the target was written.
	Host string
	// Reason completes the sentence "the target is refused: ...".
	Reason string
}

// Error implements error. The text is safe for callers of the API.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("the target %q is refused: %s", e.Host, e.Reason)
}

// IsBlocked reports whether err comes from a refused target, and returns it.
func IsBlocked(err error) (*BlockedError, bool) { return errors.AsType[*BlockedError](err) }

// CheckURL refuses, with a [BlockedError], a URL that could never be called:
// another scheme than http and https, credentials in it, a host in an odd
// notation, a literal address that is not allowed, the name of a metadata
// service, a port of another protocol. It does not resolve names; dialling does.
func (g *Guard) CheckURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return &BlockedError{host, "only http and https URLs may be called"}
	case u.User != nil:
		return &BlockedError{host, "the URL carries credentials; put them into a header"}
	case u.Opaque != "":
		return &BlockedError{host, "the URL has no host"}
	}
	if err := g.checkPort(host, u.Port(), strings.HasSuffix(u.Host, ":")); err != nil {
		return err
	}
	return g.checkHost(host)
}

// checkHost refuses hosts by what can be seen without resolving them.
func (g *Guard) checkHost(host string) error {
	if host == "" {
		return &BlockedError{host, "the URL has no host"}
	}
	if g.isDenied(host) {
		return &BlockedError{host, "the operator denies it"}
	}
	if strings.Contains(host, ":") {
		return g.checkLiteral(host, host)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if reason := malformed(name); reason != "" {
		return &BlockedError{host, reason}
	}
	if looksNumeric(name) {
		return g.checkLiteral(host, name)
	}
	if isMetadataName(name) {
		return &BlockedError{host, "it is the name of a cloud metadata service"}
	}
	if !g.policy.AllowPrivateNetwork && (name == "localhost" || strings.HasSuffix(name, ".localhost")) {
		return &BlockedError{host, reasonLoopback + g.hint()}
	}
	return nil
}

func (g *Guard) checkLiteral(host, text string) error {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return &BlockedError{host, "its address is not written in the usual notation"}
	}
	return g.checkAddr(host, a)
}

// checkAddr refuses an address that the policy does not allow.
func (g *Guard) checkAddr(host string, a netip.Addr) error {
	v, reason := g.classes.classify(a)
	switch {
	case v == public, v == private && g.policy.AllowPrivateNetwork:
		return nil
	case v == private:
		return &BlockedError{host, reason + g.hint()}
	}
	return &BlockedError{host, reason}
}

// hint tells operators of self-hosted servers what to do.
func (g *Guard) hint() string {
	return " (an operator can allow private networks with --allow-private-network)"
}

// checkPort refuses port 0 and ports of protocols that an HTTP request could be
// abused to speak.
func (g *Guard) checkPort(host, port string, emptyPort bool) error {
	if port == "" {
		if emptyPort {
			return &BlockedError{host, "the port is empty"}
		}
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return &BlockedError{host, "the port is not a number from 1 to 65535"}
	}
	if slices.Contains(g.badPorts, uint16(n)) {
		return &BlockedError{host, "the port belongs to another protocol than HTTP"}
	}
	return nil
}

// malformed says what is wrong with a host name, if anything. Names in other
// scripts have to arrive in their ASCII form, because the mapping to it turns
// look-alikes of digits and dots into addresses.
func malformed(name string) string {
	if name == "" || len(name) > 253 {
		return "the host name is empty or too long"
	}
	for i := range len(name) {
		c := name[i]
		if c >= 0x80 {
			return "write international host names in their ASCII form (xn--...)"
		}
		if !isNameByte(c) {
			return "the host name contains a character that host names cannot have"
		}
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "a label of the host name is empty or too long"
		}
	}
	return ""
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

// looksNumeric reports whether some resolver could take the name for an IPv4
// address: its last label is a number, possibly hexadecimal (WHATWG URL,
// "ends in a number"). No top-level domain is one.
func looksNumeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// isMetadataName knows the names under which clouds serve machine credentials.
func isMetadataName(name string) bool {
	switch name {
	case "metadata", "metadata.google.internal", "metadata.goog", "metadata.azure.com", "metadata.azure.internal",
		"instance-data", "instance-data.ec2.internal", "metadata.tencentyun.com", "metadata.platformequinix.com",
		"metadata.packet.net", "metadata.aliyun.com", "metadata.oraclecloud.com":
		return true
	}
	return strings.HasSuffix(name, ".metadata.google.internal")
}

// badPorts are the ports that the Fetch standard blocks ("bad port").
func badPorts() []uint16 {
	return []uint16{
		1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111,
		113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548,
		554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665,
		6666, 6667, 6668, 6669, 6679, 6697, 10080,
	}
}
