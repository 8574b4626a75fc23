package access_test

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// synctestWait lets other goroutines run: in a bubble until all are blocked.
func synctestWait(t testing.TB) {
	t.Helper()
	if _, isBenchmark := t.(*testing.B); isBenchmark {
		runtime.Gosched()
		return
	}
	synctest.Wait()
}
