//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// TestMain is the program itself where a test starts it.
func TestMain(m *testing.M) {
	child := len(os.Args) == 2 && (os.Args[1] == "runner" || os.Args[1] == "compiler") // started by a server, without an environment
	if child || os.Getenv("LINKSPAN_TEST_AS_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

// The demo's folder holds keys. It goes however the person leaves.
func TestDemoLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		args  []string
		until string // the line of the story after which the person leaves
		hup   bool   // by closing the terminal, else by ending what reads the story
	}{
		{"the reader of the story ends", []string{"demo", "--once"}, "Linkspan demo", false},
		{"the terminal is closed", []string{"demo", "--once"}, "Connect an account", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.hup && signal.Ignored(syscall.SIGHUP) {
				t.Skip("run under nohup: the program, too, must stay when the terminal goes")
			}
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), os.Args[0], c.args...)
			cmd.Env = []string{"LINKSPAN_TEST_AS_PROGRAM=1", "TMPDIR=" + dir}
			story, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(story)
			for lines.Scan() && !strings.Contains(lines.Text(), c.until) {
			}
			if c.hup {
				if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Error(err)
				}
			} else if err := story.Close(); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it says that all went well")
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, error %v", left, err)
			}
		})
	}
}
