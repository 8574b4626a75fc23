package e2e

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
	"github.com/linkspan/linkspan/internal/cli"
)

func TestMain(m *testing.M) {
	apptest.Main(m, func() int {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return cli.Run(ctx, cli.OS(), apptest.Server())
	})
}

// full has the tests that kill, and those of fairness, work with as much as is
// promised, which takes minutes.
var full = flag.Bool("full", false, "kill and crowd syncs and webhooks at full size")

// sized chooses how much a test works with: in full, by default, and under the
// race detector.
func sized(whole, usual, slow int) int {
	switch {
	case *full:
		return whole
	case apptest.UnderRace:
		return slow
	default:
		return usual
	}
}
