//go:build !race

package apptest

// UnderRace says that the race detector watches.
const UnderRace = false
