package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/linkspan/linkspan"
)

func TestLostConnectionsAreUnavailable(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for name, c := range map[string]struct {
		err  error
		want linkspan.Kind
	}{
		"reset":              {fmt.Errorf("reading: %w", reset), linkspan.KindUnavailable},
		"half an answer":     {io.ErrUnexpectedEOF, linkspan.KindUnavailable},
		"no answer":          {io.EOF, linkspan.KindUnavailable},
		"not reached":        {&pgconn.ConnectError{}, linkspan.KindUnavailable},
		"told by the server": {&pgconn.PgError{Code: "08006"}, linkspan.KindUnavailable},
		"shutting down":      {&pgconn.PgError{Code: "57P01"}, linkspan.KindUnavailable},
		"idle for too long":  {&pgconn.PgError{Code: "25P03"}, linkspan.KindUnavailable},
		"caller left":        {fmt.Errorf("reading: %w", context.Canceled), linkspan.KindInternal},
		"caller out of time": {fmt.Errorf("reading: %w", context.DeadlineExceeded), linkspan.KindTimeout},
		"anything else":      {errors.New("column is missing"), linkspan.KindInternal},
		"a broken statement": {&pgconn.PgError{Code: "42601"}, linkspan.KindInternal},
	} {
		if got := linkspan.KindOf(wrap("Op", c.err)); got != c.want {
			t.Errorf("%s: kind %q, want %q", name, got, c.want)
		}
	}
}
