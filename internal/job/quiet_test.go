package job

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
)

func TestQuiet(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var stopping atomic.Bool
	log := slog.New(quiet{slog.NewTextHandler(&out, nil), &stopping}).With("a", 1).WithGroup("g")
	say := func() string {
		out.Reset()
		log.Info("idle chatter")
		log.Error("beginning a transaction", "error", fmt.Errorf("begin: %w", context.Canceled))
		log.Error("disk is full")
		return out.String()
	}
	if got := say(); strings.Contains(got, "chatter") || strings.Count(got, "\n") != 2 {
		t.Errorf("while running:\n%s", got)
	}
	stopping.Store(true)
	if got := say(); strings.Contains(got, "begin: ") || !strings.Contains(got, "disk is full") {
		t.Errorf("while stopping:\n%s", got)
	}
}
