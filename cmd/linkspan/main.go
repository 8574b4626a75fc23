// Command linkspan is the server and its tools. See linkspan --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/linkspan/linkspan/internal/app"
	"github.com/linkspan/linkspan/internal/cli"
)

func main() { os.Exit(run()) }

// gcPercent lets the heap grow to four times what lives in it before it is
// collected. What lives is small, about 10 MB, so the runtime's default would
// collect dozens of times a second under load: a tenth of the work.
const gcPercent = 300

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // first: until then a signal ends the process without a word
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	return cli.Run(ctx, cli.OS(), cli.Server{
		Serve:      app.Serve,
		Migrate:    app.Migrate,
		RotateKeys: app.RotateKeys,
		Demo:       demo,
		Runner:     app.Runner,
		Compiler:   app.Compiler,
		Sandbox:    app.Sandbox,
		Trials:     trials,
	})
}

// demo runs the demo. It ends in order when its terminal or the reader of its
// story goes away, too: its folder holds keys.
func demo(ctx context.Context, d cli.Demo) error {
	ends := []os.Signal{syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(ctx, ends...)
	defer stop()
	return app.Demo(ctx, app.DemoOptions(d))
}

func trials(_ context.Context, o cli.TrialOptions) (cli.Trials, error) {
	return app.NewTrials(app.TrialOptions(o))
}
