package linkspan

import (
	"net/netip"
	"strings"
)

// IsLoopback reports whether a host, without a port, names this very machine:
// localhost and what is below it (RFC 6761 §6.3), or a loopback address.
func IsLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.IsLoopback()
}
