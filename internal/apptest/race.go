//go:build race

package apptest

// UnderRace says that the race detector watches: Go code is several times slower,
// and takes memory that does not come back.
const UnderRace = true
