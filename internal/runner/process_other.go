//go:build !unix

package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// pipes is a connection of two pipes.
type pipes struct {
	io.Reader
	io.Writer
	closers []io.Closer
}

// Close implements io.Closer.
func (p *pipes) Close() error {
	var err error
	for _, c := range p.closers {
		err = errors.Join(err, c.Close())
	}
	return err
}

// connect makes the standard streams of cmd the connection: there are no socket
// pairs to inherit.
func connect(cmd *exec.Cmd) (conn io.ReadWriteCloser, release func(), err error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("making a pipe: %w", err), in.Close())
	}
	cmd.Stdout = w
	return &pipes{r, in, []io.Closer{in, r}}, func() { _ = w.Close() }, nil // a duplicate that nothing was written to
}

// inherited returns the connection that the parent gave this process.
func inherited() (io.ReadWriteCloser, error) {
	in, out := os.NewFile(uintptr(syscall.Stdin), "stdin"), os.NewFile(uintptr(syscall.Stdout), "stdout")
	if in == nil || out == nil {
		return nil, errNoParent
	}
	return &pipes{in, out, []io.Closer{in, out}}, nil
}

// killed says that a process ended by a kill. There is no telling here.
func killed(error) bool { return false }
