package runner

import (
	"os/exec"
	"os/signal"
	"syscall"
)

// confine keeps the terminal's signals from the child: its parent decides when it
// ends.
func confine(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// restrictThread has nothing to do here.
func restrictThread() error { return nil }

// confineSelf takes from this process what it does not need.
func confineSelf() error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return limitResources()
}
