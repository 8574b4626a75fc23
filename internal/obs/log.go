package obs

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// NewLogger returns a logger that writes to w. The format is "text", "json", or
// "auto": text if w is a terminal, JSON otherwise. The level is "debug",
// "info", "warn" or "error".
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("reading the log level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: least}
	switch {
	case format == "text", format == "auto" && isTerminal(w):
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case format == "json", format == "auto":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	default:
		return nil, fmt.Errorf("log format %q is not one of auto, text, json", format)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
