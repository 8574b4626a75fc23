package schedule

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func TestNextAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name         string
		every, ahead time.Duration // how often, and how far the anchor is ahead
		want         time.Duration
	}{
		{"started at this moment", time.Hour, 0, time.Hour},
		{"started at this moment, counted off later", time.Hour, 4 * time.Minute, time.Hour + 4*time.Minute},
		{"long ago", time.Hour, -90 * time.Minute, 30 * time.Minute},
		{"more often than when it was started", 30 * time.Second, 4*time.Minute + 10*time.Second, 10 * time.Second},
	} {
		sy := &linkspan.Sync{Every: test.every, Anchor: now.Add(test.ahead)}
		if got, err := nextAfter(sy, now); err != nil || got.Sub(now) != test.want {
			t.Errorf("%s: in %s, %v, want %s", test.name, got.Sub(now), err, test.want)
		}
	}
}

// TestJitter looks at how schedules are spread that begin together: evenly over five
// minutes or their frequency, and for each sync always the same.
func TestJitter(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{0, 30 * time.Second, time.Minute, maxJitter, time.Hour, 31 * 24 * time.Hour} {
		most := maxJitter
		if every != 0 && every < most {
			most = every
		}
		const syncs, parts = 4000, 10
		var in [parts]int
		for range syncs {
			uuid := linkspan.NewUUID()
			late := jitter(uuid, every)
			if late < 0 || late >= most || late != jitter(uuid, every) {
				t.Fatalf("%s, every %s: %s, then %s", uuid, every, late, jitter(uuid, every))
			}
			in[late*parts/most]++
		}
		for part, n := range in {
			if n < syncs/parts/2 || n > syncs/parts*2 {
				t.Errorf("every %s: %d of %d are in part %d of %d", every, n, syncs, part+1, parts)
			}
		}
	}
}
