package egress

import (
	"encoding/binary"
	"net/netip"
)

// verdict is what a range of addresses means for an outbound connection.
type verdict uint8

const (
	// public addresses may be dialled.
	public verdict = iota
	// private addresses may be dialled when the operator allows it.
	private
	// forbidden addresses are never dialled.
	forbidden
)

// addressRange is an entry of the special-purpose tables.
type addressRange struct {
	prefix  netip.Prefix
	verdict verdict
	reason  string
}

// Reasons that callers see. They name the class of the address, never the
// address itself: what an internal name resolves to is nobody's business.
const (
	reasonMetadata  = "it is a cloud metadata address"
	reasonLinkLocal = "it is a link-local address, where cloud metadata services live"
	reasonLoopback  = "it is a loopback address"
	reasonPrivate   = "it is in a private network"
	reasonReserved  = "it is not a public unicast address"
	reasonTunnel    = "it tunnels to another address"
)

// ranges4 holds the IPv4 addresses that are not public: the IANA IPv4
// special-purpose address registry (RFC 6890 and successors) and the metadata
// addresses outside of it. The first entry that matches wins.
func ranges4() []addressRange {
	return parseRanges([]rangeText{
		{"100.100.100.200/32", forbidden, reasonMetadata}, // Alibaba Cloud
		{"168.63.129.16/32", forbidden, reasonMetadata},   // Azure wire server
		{"192.0.0.192/32", forbidden, reasonMetadata},     // Oracle Cloud classic
		{"169.254.0.0/16", forbidden, reasonLinkLocal},    // AWS, Azure, Google, Oracle, OpenStack
		{"0.0.0.0/8", forbidden, reasonReserved},
		{"10.0.0.0/8", private, reasonPrivate},
		{"100.64.0.0/10", private, reasonPrivate}, // carrier-grade NAT
		{"127.0.0.0/8", private, reasonLoopback},
		{"172.16.0.0/12", private, reasonPrivate},
		{"192.0.0.0/24", forbidden, reasonReserved},
		{"192.0.2.0/24", forbidden, reasonReserved}, // documentation
		{"192.31.196.0/24", forbidden, reasonReserved},
		{"192.52.193.0/24", forbidden, reasonReserved},
		{"192.88.99.0/24", forbidden, reasonReserved}, // 6to4 relays
		{"192.168.0.0/16", private, reasonPrivate},
		{"192.175.48.0/24", forbidden, reasonReserved},
		{"198.18.0.0/15", private, reasonPrivate}, // benchmarking
		{"198.51.100.0/24", forbidden, reasonReserved},
		{"203.0.113.0/24", forbidden, reasonReserved},
		{"224.0.0.0/4", forbidden, reasonReserved}, // multicast
		{"240.0.0.0/4", forbidden, reasonReserved}, // reserved, broadcast
	})
}

// ranges6 holds the IPv6 addresses that are not public. What is outside of
// 2000::/3 is refused without being listed.
func ranges6() []addressRange {
	return parseRanges([]rangeText{
		{"fd00:ec2::/32", forbidden, reasonMetadata},       // AWS
		{"fd20:ce::254/128", forbidden, reasonMetadata},    // Google Cloud
		{"fd00:42::42/128", forbidden, reasonMetadata},     // Scaleway
		{"fd00:a9fe:a9fe::/48", forbidden, reasonMetadata}, // a9fe:a9fe spells 169.254.169.254
		{"fe80::/10", forbidden, reasonLinkLocal},
		{"::1/128", private, reasonLoopback},
		{"fc00::/7", private, reasonPrivate},
		{"fec0::/10", private, reasonPrivate}, // site-local, deprecated
		{"ff00::/8", forbidden, reasonReserved},
		{"2001::/32", forbidden, reasonTunnel}, // Teredo
		{"2001::/23", forbidden, reasonReserved},
		{"2001:db8::/32", forbidden, reasonReserved},
		{"2002::/16", forbidden, reasonTunnel}, // 6to4
		{"2620:4f:8000::/48", forbidden, reasonReserved},
		{"3fff::/20", forbidden, reasonReserved}, // documentation
		{"2000::/3", public, ""},
	})
}

type rangeText struct {
	prefix  string
	verdict verdict
	reason  string
}

func parseRanges(texts []rangeText) []addressRange {
	ranges := make([]addressRange, len(texts))
	for i, t := range texts {
		ranges[i] = addressRange{netip.MustParsePrefix(t.prefix), t.verdict, t.reason}
	}
	return ranges
}

// classifier judges addresses.
type classifier struct{ v4, v6 []addressRange }

func newClassifier() classifier { return classifier{v4: ranges4(), v6: ranges6()} }

// classify judges an address by where a packet to it ends up: forms of IPv6
// that carry an IPv4 address are judged by that one.
func (c classifier) classify(a netip.Addr) (verdict, string) {
	if !a.IsValid() || a.Zone() != "" {
		return forbidden, reasonReserved
	}
	a = a.Unmap()
	if a.Is4() {
		return find(c.v4, a, public, "")
	}
	if inner, ok := translated(a); ok {
		return find(c.v4, inner, public, "")
	}
	v, reason := find(c.v6, a, forbidden, reasonReserved)
	if v == forbidden {
		return v, reason
	}
	if inner, ok := isatap(a); ok {
		if got, _ := find(c.v4, inner, public, ""); got != public {
			return forbidden, reasonTunnel
		}
	}
	return v, reason
}

func find(ranges []addressRange, a netip.Addr, otherwise verdict, reason string) (verdict, string) {
	for i := range ranges {
		if ranges[i].prefix.Contains(a) {
			return ranges[i].verdict, ranges[i].reason
		}
	}
	return otherwise, reason
}

// translated returns the IPv4 address inside the well-known NAT64 prefix
// 64:ff9b::/96 (RFC 6052), which networks without IPv4 use to reach the public
// internet. All other translation prefixes are outside of 2000::/3 and refused.
func translated(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	if binary.BigEndian.Uint64(b[:8]) != 0x0064ff9b_00000000 || binary.BigEndian.Uint32(b[8:12]) != 0 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b[12:])), true
}

// isatap returns the IPv4 address inside an ISATAP interface identifier
// (RFC 5214 §6.1), which may stand under any prefix.
func isatap(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	if id := binary.BigEndian.Uint32(b[8:12]); id != 0x00005efe && id != 0x02005efe {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b[12:])), true
}
