package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/vault"
)

func newServe(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until it is interrupted. Without flags it keeps its data in
./linkspan-data and listens on 127.0.0.1:3003. The first start makes an account
with the environments dev and prod and prints their keys once.

Settings come from flags, then from the environment variables named in
brackets, then from the file given with --config.`,
		Args: usage(cobra.NoArgs),
	}
	s := addSettings(cmd, sys)
	cmd.RunE = s.run(server.Serve)
	return cmd
}

func newMigrate(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to this version",
		Long: `Applies the migrations that the database lacks. The server does the same when
it starts; this command is for those who want to do it before.`,
		Args: usage(cobra.NoArgs),
	}
	s := addSettings(cmd, sys)
	dryRun := cmd.Flags().Bool("dry-run", false, "list the migrations that would be applied")
	cmd.RunE = s.run(func(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) error {
		return server.Migrate(ctx, c, log, *dryRun, out)
	})
	return cmd
}

func newKeys(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make and rotate encryption keys",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeysGenerate(), newKeysRotate(sys, server))
	return cmd
}

func newKeysGenerate() *cobra.Command {
	return &cobra.Command{
		Use:   "generate",
		Short: "Print a new encryption key",
		Long: `Prints a new random key for --encryption-key. Keep a copy where you keep other
secrets: without it the stored credentials can't be read.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), vault.NewMasterKey().Text().Reveal())
			return err
		},
	}
}

func newKeysRotate(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Encrypt the stored secrets under a new key, while the server runs",
		Long: `With --data: makes a new encryption key in the folder, moves everything to it
and forgets the old one. A running server follows by itself.

With --encryption-key: moves everything to that key. To stay online, give every
replica the new key as one of its --old-encryption-keys first; then make it the
--encryption-key everywhere, with the previous key as an old one; then run this
command with the same settings. It says when the old keys can be removed.`,
		Args: usage(cobra.NoArgs),
	}
	s := addSettings(cmd, sys)
	cmd.RunE = s.run(server.RotateKeys)
	return cmd
}

func newConfig(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Look at the settings",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	sub := &cobra.Command{
		Use:   "print",
		Short: "Print the settings in effect and where each comes from, without secrets",
		Args:  usage(cobra.NoArgs),
	}
	s := addSettings(sub, sys)
	sub.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.load()
		if err != nil {
			return err
		}
		return c.Print(cmd.OutOrStdout())
	}
	cmd.AddCommand(sub)
	return cmd
}

func newVersion() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
	}
	asJSON := cmd.Flags().Bool("json", false, "print all that is known, as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		build := obs.ReadBuild()
		if *asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(build)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "linkspan", build)
		return err
	}
	return cmd
}
