package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	// familyHeadStart is how long the preferred address family is tried alone
	// ("Happy Eyeballs", RFC 8305 §5).
	familyHeadStart = 250 * time.Millisecond
	// maxAddresses bounds what a name may make us try.
	maxAddresses = 16
)

// dialContext connects to addr, a host and port. It resolves the host once,
// refuses it when any of its addresses is refused, and connects to one of
// exactly the addresses that were checked.
func (g *Guard) dialContext(timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, ControlContext: g.control}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("reading the target %q: %w", addr, err)
		}
		if err := g.checkPort(host, port, false); err != nil {
			return nil, err
		}
		addrs, err := g.resolve(ctx, host, timeout)
		if err != nil {
			return nil, err
		}
		first, second := families(addrs)
		return race(ctx, first, second, func(ctx context.Context, a netip.Addr) (net.Conn, error) {
			return dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		})
	}
}

// control is the last look before a socket connects: whatever happened above, a
// refused address is not connected to.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &BlockedError{Reason: reasonReserved}
	}
	return g.checkAddr("", ap.Addr())
}

// resolve returns the addresses of host, all of them allowed.
func (g *Guard) resolve(ctx context.Context, host string, timeout time.Duration) ([]netip.Addr, error) {
	if err := g.checkHost(host); err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolving the host: %w", err)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("resolving the host: %w", &net.DNSError{Err: "no such host", Name: host, IsNotFound: true})
	}
	checked := make([]netip.Addr, 0, len(addrs))
	for _, a := range addrs {
		// One refused address refuses the name: a public name with a private
		// address beside a public one is an attack or a mistake.
		if err := g.checkAddr(host, a); err != nil {
			return nil, err
		}
		checked = append(checked, a.Unmap())
	}
	return checked[:min(len(checked), maxAddresses)], nil
}

// families splits addresses into those of the first one's family and the rest.
func families(addrs []netip.Addr) (first, second []netip.Addr) {
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	return first, second
}

type dialFunc func(ctx context.Context, a netip.Addr) (net.Conn, error)

type dialResult struct {
	conn net.Conn
	err  error
}

// race dials the first family and, after a head start or its failure, the
// second one too, and returns the first connection.
func race(ctx context.Context, first, second []netip.Addr, dial dialFunc) (net.Conn, error) {
	if len(second) == 0 {
		return inOrder(ctx, first, dial)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan dialResult, 2)
	start := func(addrs []netip.Addr) {
		go func() {
			conn, err := inOrder(ctx, addrs, dial)
			results <- dialResult{conn, err}
		}()
	}
	start(first)
	timer := time.NewTimer(familyHeadStart)
	defer timer.Stop()
	pending, waiting := 1, true
	var firstErr error
	for {
		select {
		case <-timer.C:
			if waiting {
				waiting = false
				pending++
				start(second)
			}
		case r := <-results:
			pending--
			if r.err == nil {
				closeLosers(results, pending)
				return r.conn, nil
			}
			firstErr = cmpError(firstErr, r.err)
			if waiting {
				waiting = false
				pending++
				start(second)
			} else if pending == 0 {
				return nil, firstErr
			}
		}
	}
}

// closeLosers closes the connections of a race that were not needed. The race's
// context is cancelled by then, so that the dials end at once.
func closeLosers(results <-chan dialResult, pending int) {
	if pending == 0 {
		return
	}
	go func() {
		for range pending {
			if r := <-results; r.conn != nil {
				_ = r.conn.Close()
			}
		}
	}()
}

func cmpError(first, next error) error {
	if first != nil {
		return first
	}
	return next
}

// inOrder dials one address after the other.
func inOrder(ctx context.Context, addrs []netip.Addr, dial dialFunc) (net.Conn, error) {
	var firstErr error
	for _, a := range addrs {
		conn, err := dial(ctx, a)
		if err == nil {
			return conn, nil
		}
		firstErr = cmpError(firstErr, err)
		if ctx.Err() != nil {
			break
		}
	}
	if firstErr == nil {
		firstErr = errors.New("no address to dial")
	}
	return nil, firstErr
}
