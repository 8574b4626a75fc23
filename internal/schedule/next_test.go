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
