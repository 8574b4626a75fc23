// Command bench measures the program and prints a table: start-up, idle
// memory, proxied calls against httputil.ReverseProxy in the same run, reads of a
// connection, authorizations, Connect UI, webhooks, users' functions, syncs and
// records. Everything runs on this machine, each part in a process of its own: the
// program, the plain proxy, the upstream, the authorization server, and the load
// generator, which receives the webhooks, too. Numbers are printed, never judged.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	os.Exit(run()) //nolint:forbidigo // this is the main function of a command
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	stderr := os.Stderr //nolint:forbidigo // handed down from here
	//nolint:forbidigo // handed down from here
	if err := execute(ctx, os.Args[1:], os.Stdin, os.Stdout, stderr); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err) // nothing is left to report to
		return 1
	}
	return 0
}

// options are the flags of the command.
type options struct {
	binary   string
	database string
	duration time.Duration
	rounds   int
	child    string
	target   string
	pooled   bool
	only     string
}

func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.binary, "binary", "", "the program to measure; built from ./cmd/linkspan when empty")
	flags.StringVar(&o.database, "database", "", "URL of an empty PostgreSQL database; SQLite when empty")
	flags.DurationVar(&o.duration, "duration", 3*time.Second, "how long each load lasts")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each load is repeated; the median counts")
	flags.StringVar(&o.only, "only", "", "measure these parts of proxy, connection, browsers, webhooks, syncs, functions, fairness, tests, records, schedules and engine, with commas between; all when empty")
	flags.StringVar(&o.child, "child", "", "be a part of the benchmark: upstream, authority or reverseproxy")
	flags.StringVar(&o.target, "target", "", "where the reverseproxy sends its calls")
	flags.BoolVar(&o.pooled, "pooled", false, "give the reverseproxy a pool of buffers")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return fmt.Errorf("reading the flags: %w", err)
	}
	switch o.child {
	case "":
	case "upstream":
		return serveUpstream(ctx, stdin, stdout)
	case "authority":
		return serveAuthority(ctx, stdin, stdout)
	case "reverseproxy":
		return serveReverseProxy(ctx, stdin, stdout, o.target, o.pooled)
	default:
		return fmt.Errorf("there is no part called %q", o.child)
	}
	dir, err := os.MkdirTemp("", "linkspan-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	if o.binary == "" {
		o.binary = filepath.Join(dir, "linkspan")
		//nolint:gosec // the only variable is a path of our own making
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", o.binary, "./cmd/linkspan")
		build.Stdout, build.Stderr = stderr, stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("building the program (run this at the root of the module): %w", err)
		}
	}
	b := &bench{options: o, dir: dir, self: self, out: stdout, progress: stderr}
	return b.run(ctx)
}
