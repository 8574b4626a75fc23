//go:build aix || linux || solaris

package cli

import "golang.org/x/sys/unix"

// The requests that read and set how a terminal works.
const (
	readTermios  = unix.TCGETS
	writeTermios = unix.TCSETS
)
