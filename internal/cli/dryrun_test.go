package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/cli"
)

// mute is a standard input that nobody writes to. The first reading is told of.
type mute struct{ read func() }

func (m mute) Read([]byte) (int, error) {
	m.read()
	select {}
}

// A dry run that waits for its input can be interrupted.
func TestDryRunInterruptedAtInput(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := cli.Run(ctx, cli.System{
		Args: []string{"dryrun", "--dir", t.TempDir(), "f", "c", "--input", "-"}, Environ: func(string) string { return "" },
		Stdin: mute{cancel}, Stdout: &stdout, Stderr: &stderr, IsTerminal: func(any) bool { return false },
	}, authorServer())
	if code != 1 || stderr.String() != "linkspan: interrupted: nothing was stored\n" {
		t.Errorf("ended with %d: %s", code, &stderr)
	}
}

// Input that is too large is refused, and not cut.
func TestDryRunInputTooLarge(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), cli.System{
		Args: []string{"dryrun", "--dir", t.TempDir(), "f", "c", "--input", "-"}, Environ: func(string) string { return "" },
		Stdin: io.LimitReader(endless{}, 64<<20+1), Stdout: &stdout, Stderr: &stderr, IsTerminal: func(any) bool { return false },
	}, authorServer())
	if code != 2 || !strings.Contains(stderr.String(), "larger than 67108864 bytes") {
		t.Errorf("ended with %d: %.300s", code, &stderr)
	}
}

// endless is text without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}
