package apptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ProgramVariable is the environment variable that tells a test binary to be the
// program instead.
const ProgramVariable = "LINKSPAN_APPTEST_PROGRAM"

// startTimeout bounds the start and the end of an instance; it only turns a hang
// into a failure.
const startTimeout = 5 * time.Minute

// Main is the TestMain of packages whose tests start the program, or servers
// that start others to run functions in. The test binary is the program too:
// started as a child it runs program with the child's arguments.
//
// Under the race detector it becomes a plain build of the program instead, which
// Main makes before the tests: children share no memory with what the detector
// watches, and the engine of functions takes ten times as long to start there.
// What they do is watched where it runs in the test's own process.
func Main(m *testing.M, program func() int) {
	child := len(os.Args) == 2 && (os.Args[1] == "runner" || os.Args[1] == "compiler") // started by a server, without an environment
	if child || os.Getenv(ProgramVariable) != "" {
		if UnderRace {
			// This returns when there is no such file: whoever started it has no tests.
			_ = syscall.Exec(beside(os.Getppid(), "plain"), os.Args, os.Environ())
		}
		os.Exit(program())
	}
	code := runWithPlain(m)
	_ = os.RemoveAll(CacheDir()) // of a test binary in a folder that goes anyway, mostly
	os.Exit(code)
}

// CacheDir is where the instances and commands of this process keep what they
// compiled. The first one compiles the engine of functions for all.
func CacheDir() string { return beside(os.Getpid(), "cache") }

// runWithPlain runs the tests, twice as many at a time as Go would, with a plain
// build of the program beside the test binary where it is needed.
func runWithPlain(m *testing.M) int {
	flag.Parse()
	atOnce := false
	flag.Visit(func(f *flag.Flag) { atOnce = atOnce || f.Name == "test.parallel" })
	if !atOnce { // these tests wait for children and the network more than they compute
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if UnderRace {
		path := beside(os.Getpid(), "plain")
		defer os.Remove(path)
		build := exec.Command("go", "build", "-race=false", "-buildvcs=false", "-o", path, "github.com/linkspan/linkspan/cmd/linkspan")
		build.Env = append(build.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "building the program for the children of tests: %v\n", err)
			return 1
		}
	}
	return m.Run()
}

// beside is a path beside the test binary, for a process of tests. Children know
// it without being told: they have no environment.
func beside(pid int, what string) string {
	self, err := os.Executable()
	if err != nil {
		return "" // there is no such file
	}
	return fmt.Sprintf("%s.%d.%s", self, pid, what)
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
