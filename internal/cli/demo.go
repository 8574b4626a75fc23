package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/obs"
)

// Demo says how the demo runs.
type Demo struct {
	// DataDir is where it keeps its data. Empty: in a new folder that is removed
	// at the end.
	DataDir string
	// Once makes it go through everything by itself and end.
	Once bool
	// Open shows a page in the person's browser. Nil: there is none.
	Open func(ctx context.Context, url string) error
	// Colour allows escape sequences in Out.
	Colour bool
	// Out gets the story, Log what operators would read.
	Out io.Writer
	Log *slog.Logger
}

func newDemo(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try everything on this machine, with a demo provider to connect to",
		Long: `Starts a server, Ticketry (a small ticketing service to connect to) and a
receiver of webhooks, all on this machine only; sets up three integrations; and
opens a page to connect an account. Ctrl-C ends and removes all of it; a folder
given with --data stays.

With --once nothing waits for a person: it connects an account by itself, checks
each step, and exits with 0 if all is well.`,
		Args: usage(cobra.NoArgs),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	once := flags.Bool("once", false, "go through everything without a person, then end")
	noOpen := flags.Bool("no-open", false, "print the link to connect instead of opening it")
	data := flags.String("data", "", "folder to keep the data in (default a temporary one)")
	level := flags.String("log-level", "warn", "debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := obs.NewLogger(sys.Stderr, "text", *level)
		if err != nil {
			return &usageError{fmt.Errorf("--log-level: %q is not one of debug, info, warn, error", *level)}
		}
		d := Demo{DataDir: *data, Once: *once, Out: sys.Stdout, Log: log}
		person := isTerminal(sys.Stdout)
		d.Colour = person && sys.Environ("NO_COLOR") == "" && sys.Environ("TERM") != "dumb"
		if person && !*once && !*noOpen && hasDisplay(sys.Environ) {
			d.Open = openPage
		}
		return server.Demo(cmd.Context(), d)
	}
	return cmd
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
