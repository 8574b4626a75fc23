// Command linkspan is the server and its tools. See linkspan --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/linkspan/linkspan/internal/app"
	"github.com/linkspan/linkspan/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return cli.Run(ctx, cli.OS(), cli.Server{
		Serve:      app.Serve,
		Migrate:    app.Migrate,
		RotateKeys: app.RotateKeys,
	})
}
