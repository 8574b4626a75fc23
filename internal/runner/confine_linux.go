package runner

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine keeps the terminal's signals from the child, whose parent decides when
// it ends, and has the kernel kill it with its parent, even while it can't notice
// that its parent is gone.
func confine(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// restrictThread keeps the processes that this thread starts from gaining
// privileges.
func restrictThread() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	return nil
}

// confineSelf takes from this process what it does not need.
func confineSelf() error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// When the machine is out of memory this process goes first, and not the server.
	// Where that can't be said, the kernel decides by itself.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	// No core dumps, and nobody but the administrator reads this memory.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making this process undumpable: %w", err)
	}
	if err := closeInherited(); err != nil {
		return err
	}
	return limitResources()
}

// closeInherited closes files that the parent inherited itself, without knowing,
// and passed on. Those that Go opened are marked to be closed on exec.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("listing open files: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= connFile {
			continue
		}
		marks, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || marks&unix.FD_CLOEXEC != 0 {
			continue // the list itself, or one of ours
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("closing an inherited file: %w", err)
		}
	}
	return nil
}
