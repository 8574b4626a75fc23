package apptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ProgramVariable is the environment variable that tells a test binary to be the
// program instead.
const ProgramVariable = "LINKSPAN_APPTEST_PROGRAM"

// startTimeout bounds the start of a child; it only turns a hang into a failure.
const startTimeout = 60 * time.Second

// Main is the TestMain of packages that use StartProcess. The test binary is
// the program too: started as a child it runs program with the child's
// arguments, so no second build is needed and the race detector watches the
// child as well.
func Main(m *testing.M, program func() int) {
	child := len(os.Args) == 2 && (os.Args[1] == "runner" || os.Args[1] == "compiler") // started by a server, without an environment
	if child || os.Getenv(ProgramVariable) != "" {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

// Process is an instance in a child process.
type Process struct {
	Instance
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; read it after done
}

// StartProcess starts an instance as a child and waits until it serves. The
// child is killed when the test ends, if it still runs.
func StartProcess(t testing.TB, o Options) *Process {
	t.Helper()
	p := SpawnProcess(t, o)
	select {
	case <-p.logs.serving:
	case <-p.done:
		t.Fatalf("the child ended before it served: %v\n%s", p.err, p.Logs())
	case <-time.After(startTimeout):
		t.Fatalf("the child does not serve after %v\n%s", startTimeout, p.Logs())
	}
	p.URL, p.AdminURL = p.logs.urls()
	return p
}

// SpawnProcess starts a child without waiting for it to serve.
func SpawnProcess(t testing.TB, o Options) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("finding the test binary: %v", err)
	}
	logs := newLogs()
	p := &Process{
		Instance: Instance{Keys: o.Database.Keys, logs: logs},
		cmd:      exec.Command(self, o.args()...),
		done:     make(chan struct{}),
	}
	p.cmd.Env = append(p.cmd.Environ(), ProgramVariable+"=1")
	for name, value := range o.environ() {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = logs, logs
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting the child: %v", err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("what the child said last:\n%s", p.logs.tail())
		}
	})
	return p
}

// PID returns the id that the process has, or had.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process as kill -9 does and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// KillNow is Kill without waiting, for use while the process waits for us.
func (p *Process) KillNow() { _ = p.cmd.Process.Kill() }

// Terminate asks the process to shut down.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("asking the child to shut down: %v", err)
	}
}

// Wait waits for the end of the process and returns its exit code.
func (p *Process) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(startTimeout):
		t.Fatalf("the child still runs after %v\n%s", startTimeout, p.Logs())
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		return exit.ExitCode()
	}
	if p.err != nil {
		t.Fatalf("waiting for the child: %v", p.err)
	}
	return 0
}

// logs collects what an instance prints and finds its addresses in it.
type logs struct {
	serving chan struct{}

	mu         sync.Mutex
	text       bytes.Buffer
	line       []byte
	api, admin string
	announced  bool
}

func newLogs() *logs { return &logs{serving: make(chan struct{})} }

var _ io.Writer = (*logs)(nil)

// Write implements io.Writer.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	l.line = append(l.line, p...)
	for {
		end := bytes.IndexByte(l.line, '\n')
		if end < 0 {
			return len(p), nil
		}
		l.read(l.line[:end])
		l.line = l.line[end+1:]
	}
}

// read looks for the line that says where the instance listens; l.mu is held.
func (l *logs) read(line []byte) {
	var entry struct {
		Listen string `json:"listen"`
		Admin  string `json:"admin_listen"`
	}
	if l.announced || json.Unmarshal(line, &entry) != nil || entry.Listen == "" {
		return
	}
	l.announced = true
	l.api, l.admin = "http://"+entry.Listen, "http://"+entry.Admin
	close(l.serving)
}

func (l *logs) urls() (api, admin string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.api, l.admin
}

// String returns everything printed so far.
func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tail returns the last lines printed, without those for debugging.
func (l *logs) tail() string {
	const most = 60
	var lines []string
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, `"level":"DEBUG"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "")
}
