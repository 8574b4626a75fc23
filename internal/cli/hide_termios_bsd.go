//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package cli

import "golang.org/x/sys/unix"

// The requests that read and set how a terminal works.
const (
	readTermios  = unix.TIOCGETA
	writeTermios = unix.TIOCSETA
)
