package runner

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Self returns a Config.Command that starts this program again, with the given
// arguments. On Linux it is this very program even when its file was replaced in
// the meantime, by an upgrade.
func Self(args ...string) (func() *exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	name := filepath.Base(path)
	if runtime.GOOS == "linux" {
		path = "/proc/self/exe"
	}
	return func() *exec.Cmd {
		return &exec.Cmd{Path: path, Args: append([]string{name}, args...)}
	}, nil
}
