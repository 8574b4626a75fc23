package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that serves HTTP.
type process struct {
	address string
	admin   string // where the program has its metrics
	cmd     *exec.Cmd
	stdin   io.Closer
	ended   chan error
}

// startPart starts this program as a part of the benchmark.
func startPart(ctx context.Context, self string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, self, args...) //nolint:gosec // this very program
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting to a part: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting to a part: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a part: %w", err)
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("learning a part's address: %w", err)
	}
	p := &process{address: strings.TrimSpace(address), cmd: cmd, stdin: stdin, ended: make(chan error, 1)}
	go func() { p.ended <- cmd.Wait() }()
	return p, nil
}

// startProgram starts the measured program and returns when it is ready, with
// the time that it took to answer /health. Its log goes to a file, as it would in
// production.
func startProgram(ctx context.Context, binary, log string, env []string, args ...string) (*process, time.Duration, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, 0, err
	}
	admin, err := freeAddress(ctx)
	if err != nil {
		return nil, 0, err
	}
	file, err := os.Create(log)
	if err != nil {
		return nil, 0, fmt.Errorf("making the log: %w", err)
	}
	defer file.Close() // the child has its own handle
	//nolint:gosec // the user names the program to measure
	cmd := exec.CommandContext(ctx, binary, append([]string{"serve", "--listen=" + address, "--admin-listen=" + admin}, args...)...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stderr = file
	p := &process{address: address, admin: admin, cmd: cmd, ended: make(chan error, 1)}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("starting the program: %w", err)
	}
	go func() { p.ended <- cmd.Wait() }()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	var took time.Duration
	for {
		select {
		case err := <-p.ended:
			said, _ := os.ReadFile(log)
			return nil, 0, fmt.Errorf("the program ended at its start: %w\n%s", err, said)
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-ticker.C:
		}
		if took == 0 && succeeds(ctx, address, "/health") {
			took = time.Since(start)
		}
		if took > 0 && succeeds(ctx, address, "/ready") {
			return p, took, nil
		}
	}
}

func succeeds(ctx context.Context, address, path string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return false
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// freeAddress finds a port that nobody uses. The measured time begins before
// the program could say which port it took, so it must be told.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// stop ends a process in good order.
func (p *process) stop() error {
	if p.stdin != nil {
		_ = p.stdin.Close()
	} else if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping a process: %w", err)
	}
	if err := <-p.ended; err != nil {
		return fmt.Errorf("stopping a process: %w", err)
	}
	return nil
}

// memory returns the resident memory of a process in bytes: now, and at most
// so far.
func (p *process) memory() (now, peak int64, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, 0, fmt.Errorf("reading the memory of a process: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(fields[1], 10, 64) // other lines are no numbers
		switch fields[0] {
		case "VmRSS:":
			now = kilobytes << 10
		case "VmHWM:":
			peak = kilobytes << 10
		}
	}
	return now, peak, nil
}

// processors returns how long processors have worked for the program and the
// processes that it started.
func (p *process) processors() (time.Duration, error) {
	runners, err := p.runners()
	if err != nil {
		return 0, err
	}
	var all time.Duration
	for _, pid := range append(runners, p.cmd.Process.Pid) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue // it has ended
		}
		// What follows the name begins with the third field, the state.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 15 {
			return 0, errors.New("reading the times of a process: there are none")
		}
		for _, field := range fields[11:15] { // its own and those of its ended children
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the times of a process: %w", err)
			}
			all += time.Duration(n) * clockTick
		}
	}
	return all, nil
}

// clockTick is the unit of times in /proc, on all systems that we measure on.
const clockTick = 10 * time.Millisecond

// metrics returns the values of some of the program's metrics.
func (p *process) metrics(ctx context.Context, names ...string) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	defer response.Body.Close()
	values := make([]string, len(names))
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if i := slices.Index(names, name); i >= 0 {
			values[i] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	if i := slices.Index(values, ""); i >= 0 {
		return nil, fmt.Errorf("the program has no metric %q", names[i])
	}
	return values, nil
}
