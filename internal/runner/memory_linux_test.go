package runner

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// A child whose runs have ended gives memory back, without being asked to.
func TestMemoryComesBack(t *testing.T) {
	t.Parallel()
	p := scriptedPool(t, Config{Runners: 1})
	res, err := p.Run(t.Context(), program("litter"))
	if err != nil {
		t.Fatal(err)
	}
	littered, err := strconv.ParseInt(string(res.JSON), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for tick := time.Tick(10 * time.Millisecond); ; <-tick { // until the test's own end
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pids(p)[0]))
		if err != nil {
			t.Fatal(err)
		}
		if now := residentIn(text); now > 0 && now < littered-64<<20 {
			return
		}
	}
}
