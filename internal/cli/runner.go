package cli

import (
	"log/slog"

	"github.com/spf13/cobra"
)

// newRunner makes the command of the processes that execute functions. The server
// starts them; they take no settings from anywhere else.
func newRunner(sys System, server Server) *cobra.Command {
	return &cobra.Command{
		Use:    "runner",
		Short:  "Execute functions for the server that started this process",
		Hidden: true,
		Args:   usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.NewTextHandler(sys.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return server.Runner(cmd.Context(), log)
		},
	}
}
