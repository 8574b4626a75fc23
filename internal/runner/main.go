package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

// errNoParent says that somebody started a child by hand.
var errNoParent = errors.New("this command is started by linkspan serve, for itself")

// Main is the program of a child: it gives up what it does not need and serves the
// parent that started it until that goes away. Signals don't end it.
func Main(ctx context.Context, log *slog.Logger) error {
	conn, err := inherited()
	if err != nil {
		return err
	}
	if err := confineSelf(); err != nil {
		return errors.Join(err, conn.Close())
	}
	return Serve(context.WithoutCancel(ctx), conn, func(ctx context.Context, s Settings) (Engine, error) {
		if s.Memory > 0 {
			debug.SetMemoryLimit(s.Memory)
		}
		engine, err := sandbox.New(ctx, sandbox.Options{
			Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure, CacheDir: s.CacheDir,
			Interruptible: s.Interruptible, HotImages: s.HotImages, Memory: s.Sandboxes, Log: log,
		})
		if err != nil {
			return nil, fmt.Errorf("making the sandbox: %w", err)
		}
		debug.FreeOSMemory() // that left several times as much garbage as there is to keep
		if s.Interruptible {
			return engine, nil // nothing holds the collector up for long
		}
		return collect(ctx, engine), nil
	})
}
