package access_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/linkspan/linkspan/internal/access"
)

// synctestWait lets other goroutines run: in a bubble until all are blocked.
func synctestWait(tb testing.TB) {
	tb.Helper()
	if _, isBenchmark := tb.(*testing.B); isBenchmark {
		runtime.Gosched()
		return
	}
	synctest.Wait()
}

// authenticate identifies the caller and asks whether they may make the call.
func authenticate(ctx context.Context, s *access.Service, r *http.Request, want access.Want) (*access.Principal, error) {
	p, err := s.Identify(ctx, r, want)
	if err != nil {
		return nil, err
	}
	if err := want.Admits(p); err != nil {
		return nil, err
	}
	return p, nil
}
