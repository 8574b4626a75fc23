package apptest

import (
	"testing"
	"time"
)

// pollEvery is the pause between two looks of Poll.
const pollEvery = 50 * time.Millisecond

// patience is the number of looks after which Poll gives up: two minutes, since a
// busy machine may need one for what takes a second.
const patience = 2400

// Poll looks every 50 ms until look reports true, for two minutes at least. It is for
// what another process does by itself; what a test can wait for on a channel, it
// waits for there.
func Poll(t testing.TB, what string, look func() bool) {
	t.Helper()
	PollWithin(t, patience, what, look)
}

// PollWithin is Poll for what is promised to happen soon, or takes long: it looks at
// most rounds times, and returns how many looks it took. A look takes longer where
// the machine is busy.
func PollWithin(t testing.TB, rounds int, what string, look func() bool) int {
	t.Helper()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for n := range rounds {
		if look() {
			return n + 1
		}
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatalf("waiting until %s: the test ended", what)
		}
	}
	t.Fatalf("waiting until %s: not in %d looks, %v apart", what, rounds, pollEvery)
	return rounds
}

// Pause waits as long as Poll does between two looks.
func Pause(t testing.TB) {
	t.Helper()
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal("the test ended while it waited")
	}
}
