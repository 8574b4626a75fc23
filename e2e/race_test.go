//go:build race

package e2e

// underRace says that the race detector watches: Go code is several times slower,
// and takes memory that does not come back.
const underRace = true
