package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

// Sandbox starts a sandbox in this process with everything that functions find
// around them, for the command line. It keeps what it can make again in cacheDir;
// empty: nowhere.
func Sandbox(ctx context.Context, cacheDir string) (*sandbox.Engine, error) {
	engine, err := sandbox.New(ctx, sandbox.Options{
		Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure, CacheDir: cacheDir, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	return engine, nil
}
