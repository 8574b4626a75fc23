package demo

import "testing"

// What a person sees first has no ticket twice.
func TestSeedRepeatsNothing(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, s := range seedSubjects() {
		for _, text := range s[:2] {
			if seen[text]++; seen[text] > 1 {
				t.Errorf("%q is there twice", text)
			}
		}
	}
	if n := len(seedSubjects()); n < defaultTickets {
		t.Errorf("%d subjects for %d tickets", n, defaultTickets)
	}
}
