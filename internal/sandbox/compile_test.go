package sandbox

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

// Runs that wait for one compilation share what comes of it, but not what stopped
// the run that does it.
func TestStoppedCompilationIsNobodyElses(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{})
	p := Program{Name: "p.js", Source: `module.exports = 1`}
	key := e.programs.known.key(p)
	began, coming := make(chan struct{}), make(chan struct{})
	go func() {
		_, _, _ = e.compiles.Do(string(key[:]), func() (any, error) {
			close(began)
			<-coming
			for range 10_000 { // it waits soon after; should it come too late, all is well too
				runtime.Gosched()
			}
			return nil, errors.New("stopped")
		})
	}()
	<-began
	result := make(chan error, 1)
	go func() {
		var w watched
		w.begin(Limits{}, time.Now())
		close(coming)
		_, err := e.compiled(t.Context(), p, &w)
		result <- err
	}()
	if err := <-result; err != nil {
		t.Errorf("a run that was not stopped: %v", err)
	}
}
