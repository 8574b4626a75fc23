package cli

import "github.com/spf13/cobra"

// newCompiler makes the command of the processes that compile the texts of functions.
// The server starts one for each text; they take no settings from anywhere else.
func newCompiler(sys System, server Server) *cobra.Command {
	return &cobra.Command{
		Use:    "compiler",
		Short:  "Compile a function's text for the server that started this process",
		Hidden: true,
		Args:   usage(cobra.NoArgs),
		RunE:   func(*cobra.Command, []string) error { return server.Compiler(sys.Stdin, sys.Stdout) },
	}
}
