package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/obs"
)

// Demo says how the demo runs.
type Demo struct {
	// DataDir is where it keeps its data. Empty: in a new folder that is removed
	// at the end.
	DataDir string
	// CacheDir is where it keeps what can be made again. Empty: with the data.
	CacheDir string
	// Once makes it go through everything by itself and end.
	Once bool
	// Alone makes it connect the first account by itself.
	Alone bool
	// Open shows a page in the person's browser. Nil: there is none.
	Open func(ctx context.Context, url string) error
	// Deploy compiles the functions of a folder and deploys them to the environment
	// of a key.
	Deploy func(ctx context.Context, dir, host string, key api.Secret) ([]api.DeployedFunction, error)
	// Program is what a person types to run this program.
	Program string
	// Live allows lines in Out that change while one looks, Colour escape sequences
	// for colours.
	Live, Colour bool
	// Width returns how many characters a line of Out has room for. Nil: lines may
	// be of any length.
	Width func() int
	// Out gets the story, Log what operators would read.
	Out io.Writer
	Log *slog.Logger
}

func newDemo(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See everything work on this machine, with a demo provider to connect to",
		Long: `Starts a server, Ticketry (a small ticketing service to connect to) and a
receiver of webhooks, all on this machine only. It deploys a sync and an action
in TypeScript, opens a page to connect an account, and then shows the whole loop:
the sync fetches tickets, a webhook tells of it, the records can be read, an action
writes back, and what changes at Ticketry arrives. Ctrl-C ends and removes all of
it; a folder given with --data stays.

Where no browser can be opened it connects an account by itself. With --once, and
where there is no terminal, nothing waits for a person: it goes through the loop,
checks each step, and exits with 0 if all is well.`,
		Args: usage(cobra.NoArgs),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	once := flags.Bool("once", false, "go through everything without a person, then end")
	noOpen := flags.Bool("no-open", false, "print the link to connect an account, and wait")
	data := flags.String("data", "", "folder to keep the data in (default a temporary one)")
	level := flags.String("log-level", "warn", "debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := obs.NewLogger(sys.Stderr, "text", *level)
		if err != nil {
			return &usageError{fmt.Errorf("--log-level: %q is not one of debug, info, warn, error", *level)}
		}
		t := newTerminal(sys, sys.Stdout)
		d := Demo{
			DataDir: *data, CacheDir: cacheFolder(sys), Out: sys.Stdout, Log: log,
			Deploy: func(ctx context.Context, dir, host string, key api.Secret) ([]api.DeployedFunction, error) {
				return deployFolder(ctx, sys, server, dir, host, key)
			},
			Program: programName(), Live: t.live, Colour: t.colour,
		}
		person := sys.terminal(sys.Stdout)
		if person {
			d.Width = func() int { return columns(sys) }
		}
		d.Once = *once || !person
		if !d.Once && !*noOpen {
			if d.Alone = !hasDisplay(sys.Environ); !d.Alone {
				d.Open = openPage
			}
		}
		return server.Demo(cmd.Context(), d)
	}
	return cmd
}

// programName is what a person types to run this program: its name if a shell finds
// it by that, and else where it is.
func programName() string {
	const name = "linkspan"
	own, err := os.Executable()
	if err != nil {
		return name
	}
	if found, err := exec.LookPath(name); err == nil && sameFile(found, own) {
		return name
	}
	return own
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// columns returns how many characters a line of the terminal has room for.
func columns(sys System) int {
	const usual = 80
	if f, ok := sys.Stdout.(*os.File); ok {
		if n := terminalWidth(f); n > 0 {
			return n
		}
	}
	if n, err := strconv.Atoi(sys.Environ("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return usual
}

// isTerminal reports whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device, too
	return err != nil || !os.SameFile(info, null)
}

// hasDisplay reports whether a browser could open a window here.
func hasDisplay(environ func(string) string) bool {
	switch runtime.GOOS {
	case "darwin", "windows":
		return environ("SSH_CONNECTION") == ""
	default:
		return environ("DISPLAY") != "" || environ("WAYLAND_DISPLAY") != ""
	}
}

// openPage shows a page in the browser that the person has chosen.
func openPage(ctx context.Context, url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	default: // the desktops of the others have xdg-open
	}
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // three fixed programs; the URL is our own
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("opening a browser with %s: %w", name, err)
	}
	return nil
}
