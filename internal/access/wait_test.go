package access_test

import (
	"runtime"
	"testing"
	"testing/synctest"
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
