package runner

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// process is a child as the operating system sees it.
type process interface {
	// Conn is the connection to it.
	Conn() io.ReadWriteCloser
	// Kill ends it at once. It may be called at any time and more than once.
	Kill()
	// Wait waits for its end and frees what is left of it. It is called once.
	Wait() error
	// Said returns the beginning of what it wrote to its standard error.
	Said() string
}

// launcher starts processes, all of them from one operating system thread: Linux
// kills a child when the thread ends that started it, and the thread's privileges
// are the child's.
type launcher struct {
	command  func() *exec.Cmd
	requests chan launch
	once     sync.Once
	wg       sync.WaitGroup
}

type launch struct{ done chan<- launched }

type launched struct {
	process process
	err     error
}

func newLauncher(command func() *exec.Cmd) *launcher {
	return &launcher{command: command, requests: make(chan launch)}
}

// close ends the thread.
func (l *launcher) close() {
	close(l.requests)
	l.wg.Wait()
}

func (l *launcher) run() {
	runtime.LockOSThread() // and never unlocks: the thread gave privileges up and ends with this function
	err := restrictThread()
	for r := range l.requests {
		if err != nil {
			r.done <- launched{err: err}
			continue
		}
		p, startErr := startProcess(l.command())
		r.done <- launched{p, startErr}
	}
}

// launch starts a process. It must not be called after close.
func (l *launcher) launch() (process, error) {
	l.once.Do(func() { l.wg.Go(l.run) })
	done := make(chan launched, 1)
	l.requests <- launch{done}
	r := <-done
	return r.process, r.err
}

// osProcess implements process.
type osProcess struct {
	cmd  *exec.Cmd
	conn io.ReadWriteCloser
	said saying
}

// startProcess starts cmd with a connection and nothing else: no environment, no
// other file.
func startProcess(cmd *exec.Cmd) (process, error) {
	if cmd.Err != nil {
		return nil, fmt.Errorf("starting a runner: %w", cmd.Err)
	}
	p := &osProcess{cmd: cmd}
	cmd.Env = []string{}
	cmd.Stderr = &p.said
	cmd.WaitDelay = time.Second
	confine(cmd)
	conn, release, err := connect(cmd)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a runner: %w", err), conn.Close())
	}
	p.conn = conn
	return p, nil
}

// Conn implements process.
func (p *osProcess) Conn() io.ReadWriteCloser { return p.conn }

// Kill implements process.
func (p *osProcess) Kill() { _ = p.cmd.Process.Kill() } // fails when it has ended

// Wait implements process.
func (p *osProcess) Wait() error { return p.cmd.Wait() }

// Said implements process.
func (p *osProcess) Said() string { return p.said.String() }

// saying keeps the beginning and drops the rest of what is written: a crash says
// first what happened.
type saying struct {
	mu   sync.Mutex
	text strings.Builder
}

const sayingSize = 2 << 10

// Write implements io.Writer.
func (t *saying) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(b[:min(len(b), sayingSize-t.text.Len())])
	return len(b), nil
}

// String returns what was kept.
func (t *saying) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.text.String())
}
