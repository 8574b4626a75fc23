package app

import (
	"context"
	"log/slog"

	"github.com/linkspan/linkspan/internal/runner"
)

// Runner is the program of a process that executes functions. A server started it.
func Runner(ctx context.Context, log *slog.Logger) error { return runner.Main(ctx, log) }
