//go:build unix

package runner

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
)

// connFile is the number of the connection's file in the child: the first of
// exec.Cmd.ExtraFiles.
const connFile = 3

// connect makes a socket pair and gives one end to cmd. release closes the
// parent's copy of that end.
func connect(cmd *exec.Cmd) (conn io.ReadWriteCloser, release func(), err error) {
	syscall.ForkLock.RLock() // or a process started now would inherit them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "runner"), os.NewFile(uintptr(pair[1]), "runner")
	conn, err = fileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	cmd.ExtraFiles = []*os.File{theirs}
	return conn, func() { _ = theirs.Close() }, nil // a duplicate that nothing was written to
}

// fileConn turns a socket into a connection and closes the file.
func fileConn(f *os.File) (io.ReadWriteCloser, error) {
	conn, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("taking the socket: %w", err)
	}
	return conn, nil
}

// inherited returns the connection that the parent gave this process.
func inherited() (io.ReadWriteCloser, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(connFile, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return nil, errNoParent // the file may be one that Go opened for itself
	}
	conn, err := fileConn(os.NewFile(connFile, "parent"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoParent, err)
	}
	return conn, nil
}

// killed says that a process ended by a kill, as an impatient operator or the
// kernel's search for memory does it.
func killed(err error) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
