package apptest

import (
	"context"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/app"
	"github.com/linkspan/linkspan/internal/cli"
)

// Server is the program's own server, as cmd/linkspan wires it.
func Server() cli.Server {
	return cli.Server{
		Serve: app.Serve, Migrate: app.Migrate, RotateKeys: app.RotateKeys, Runner: app.Runner, Compiler: app.Compiler, Sandbox: app.Sandbox,
		Trials: func(_ context.Context, o cli.TrialOptions) (cli.Trials, error) {
			return app.NewTrials(app.TrialOptions(o))
		},
		Demo: func(ctx context.Context, d cli.Demo) error { return app.Demo(ctx, app.DemoOptions(d)) },
	}
}

// Start starts an instance in the test's process, by its command line, and
// waits until it serves. It shuts down when the test ends.
func Start(t testing.TB, o Options) *Instance {
	t.Helper()
	i := TryStart(t, o)
	if i == nil {
		t.FailNow()
	}
	return i
}

// TryStart is Start for goroutines other than the test's: instead of stopping
// the test it marks it as failed and returns nil.
func TryStart(t testing.TB, o Options) *Instance {
	t.Helper()
	i := &Instance{Keys: o.Database.Keys, logs: newLogs()}
	// The test's own context ends before its clean-ups run; the instance lives
	// until then.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	env := o.environ()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.System{
			Args: o.args(), Environ: func(name string) string { return env[name] }, Stdout: i.logs, Stderr: i.logs,
		}, Server())
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("the instance ended with code %d", code)
		}
		if t.Failed() {
			t.Logf("what the instance said last:\n%s", i.logs.tail())
		}
	})
	select {
	case <-i.logs.serving:
		i.URL, i.AdminURL = i.logs.urls()
		return i
	case code := <-ended:
		t.Errorf("the instance ended with code %d before it served\n%s", code, i.Logs())
	case <-time.After(startTimeout):
		t.Errorf("the instance does not serve after %v\n%s", startTimeout, i.Logs())
	}
	return nil
}
