package storetest

import (
	"encoding/json"
	"os"
	osexec "os/exec"
	"testing"
)

// RunAndKill runs a test of this binary in a process of its own, with a task in an
// environment variable, until it writes to its file descriptor 3 that it is in the
// middle of it, and kills it.
func RunAndKill(t *testing.T, test, variable string, task any) {
	t.Helper()
	text, err := json.Marshal(task)
	must(t, err)
	ready, say, err := os.Pipe()
	must(t, err)
	defer ready.Close()
	child := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$")
	child.Env = append(os.Environ(), variable+"="+string(text))
	child.ExtraFiles = []*os.File{say}
	must(t, child.Start())
	must(t, say.Close())
	if n, err := ready.Read(make([]byte, 1)); n != 1 {
		t.Errorf("the process ended before it could be killed: %v", err)
	}
	_ = child.Process.Kill() // SIGKILL
	_ = child.Wait()
}
