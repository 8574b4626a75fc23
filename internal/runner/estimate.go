package runner

import (
	"cmp"
	"sync"

	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	unknownRun   = 4 << 20 // bytes that a function takes of which nothing is known
	leastRun     = 1 << 20 // and that any run takes beside its memory
	mostShared   = 8 << 20 // and that is shared with others: a function that is alone may need all of its peak
	maxEstimates = 20_000  // functions that are remembered
)

// estimates tells how much memory a run will take by what the function needed
// lately.
type estimates struct {
	mu    sync.Mutex
	peaks map[string]int64
	// snapshot is the lowest peak ever seen: what all sandboxes share.
	snapshot int64
}

func newEstimates() *estimates { return &estimates{peaks: map[string]int64{}} }

// of returns the estimate of one run, in bytes.
func (e *estimates) of(function string, l sandbox.Limits) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := int64(unknownRun)
	if peak, ok := e.peaks[function]; ok {
		n = peak - min(e.snapshot, mostShared, peak) + leastRun
	}
	return min(n, mostMemory(l)+leastRun)
}

// mostMemory is what a run may take.
func mostMemory(l sandbox.Limits) int64 { return cmp.Or(l.Memory, 128<<20) }

// learn takes the peak of a run in. Estimates rise at once and fall slowly.
func (e *estimates) learn(function string, peak int64) {
	if peak <= 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.snapshot == 0 || peak < e.snapshot {
		e.snapshot = peak
	}
	old, ok := e.peaks[function]
	if !ok && len(e.peaks) >= maxEstimates {
		for some := range e.peaks {
			delete(e.peaks, some)
			break
		}
	}
	if peak < old {
		peak = old - (old-peak)/8
	}
	e.peaks[function] = peak
}
