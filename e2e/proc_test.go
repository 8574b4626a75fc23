//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// usage is what a process and its children take, as Linux counts it.
type usage struct {
	children []int   // their ids
	each     []int64 // MB of memory of the server and of each child
	zombies  int
	memory   int64 // bytes of all of them
	files    int   // that the process has open, but for those of TCP and on disk
}

// filesOfChild is how many files a process has open for a child: its connection,
// what it says, and itself.
const filesOfChild = 3

// String says it for people.
func (u usage) String() string {
	return fmt.Sprintf("%d MB of memory %v, %d children, %d zombies, %d files", u.memory>>20, u.each, len(u.children), u.zombies, u.files)
}

// usage looks at the server and its children.
func (b *besieged) usage(t *testing.T) usage {
	t.Helper()
	pid := b.PID()
	var u usage
	u.memory = resident(t, pid)
	u.each = append(u.each, u.memory>>20)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		// What follows the name, which is in parentheses: state, parent …
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[1] != strconv.Itoa(pid) {
			continue
		}
		if fields[0] == "Z" {
			u.zombies++
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		u.children = append(u.children, child)
		n := resident(t, child)
		u.memory += n
		u.each = append(u.each, n>>20)
	}
	u.files = openFiles(t, pid)
	return u
}

// resident returns the bytes of memory of a process; 0 when it is gone.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// openFiles counts the open files of a process, but for its connections of TCP and
// of the database, some of which wait to be used again.
func openFiles(t *testing.T, pid int) int {
	t.Helper()
	tcp := ""
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		tcp += string(text)
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil {
			continue // closed meanwhile
		}
		if strings.HasPrefix(to, "/") {
			continue
		}
		inode, ok := strings.CutPrefix(to, "socket:[")
		if ok && strings.Contains(tcp, " "+strings.TrimSuffix(inode, "]")+" ") {
			continue
		}
		n++
	}
	return n
}
