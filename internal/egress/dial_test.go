package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// closing counts the connections that are closed.
type closing struct {
	net.Conn
	closed *int
}

func (c closing) Close() error {
	*c.closed++
	return nil
}

func TestRace(t *testing.T) {
	t.Parallel()
	six, four := netip.MustParseAddr("2606:4700::1"), netip.MustParseAddr("8.8.8.8")
	refused := errors.New("refused")
	type plan struct {
		after time.Duration
		err   error
	}
	cases := []struct {
		name       string
		six, four  plan
		wantClosed int
		wantTook   time.Duration
		wantErr    bool
	}{
		{"the first is quick", plan{10 * time.Millisecond, nil}, plan{0, nil}, 0, 10 * time.Millisecond, false},
		{"the first fails", plan{10 * time.Millisecond, refused}, plan{10 * time.Millisecond, nil}, 0, 20 * time.Millisecond, false},
		{"the first hangs", plan{time.Hour, nil}, plan{10 * time.Millisecond, nil}, 0, familyHeadStart + 10*time.Millisecond, false},
		{"both come", plan{familyHeadStart + 5*time.Millisecond, nil}, plan{5 * time.Millisecond, nil}, 1, familyHeadStart + 5*time.Millisecond, false},
		{"both fail", plan{0, refused}, plan{0, refused}, 0, 0, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				closed := 0
				begin := time.Now()
				conn, err := race(t.Context(), []netip.Addr{six}, []netip.Addr{four}, func(ctx context.Context, a netip.Addr) (net.Conn, error) {
					p := c.four
					if a.Is6() {
						p = c.six
					}
					timer := time.NewTimer(p.after)
					defer timer.Stop()
					select {
					case <-timer.C:
						return closing{closed: &closed}, p.err
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				})
				if took := time.Since(begin); took != c.wantTook || (err != nil) != c.wantErr || (conn == nil) != c.wantErr {
					t.Errorf("took %v, %v, %v", took, conn, err)
				}
				synctest.Wait()
				if closed > c.wantClosed {
					t.Errorf("%d connections were closed", closed)
				}
			})
		})
	}
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	a, b, c := netip.MustParseAddr("2606:4700::1"), netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2606:4700::2")
	first, second := families([]netip.Addr{a, b, c})
	if len(first) != 2 || len(second) != 1 || second[0] != b {
		t.Errorf("%v %v", first, second)
	}
}
