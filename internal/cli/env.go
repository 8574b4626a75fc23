package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
)

// envTimeout bounds a command that asks the server.
const envTimeout = 30 * time.Second

func newEnv(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Make environments, look at and change their settings",
		Long: `Looks at and changes the settings of an environment of a running server: where
webhooks go, the callback URL, how Connect UI looks. Lists, creates and deletes
environments.

` + remoteHelp,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEnvGet(sys), newEnvSet(sys), newEnvList(sys), newEnvCreate(sys), newEnvDelete(sys))
	return cmd
}

func newEnvGet(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get ENVIRONMENT [NAME]",
		Short: "Print the settings of an environment, or one of them",
		Long: `Prints the settings of an environment as name=value lines, or the value of one.
Secrets are masked; webhook_signing_key is shown to keys that may replace it.

` + remoteHelp + "\n\nThe names:\n" + indented(names(readable())),
		Example: "  linkspan env get dev\n  linkspan env get prod webhooks.primary_url",
		Args:    usage(cobra.RangeArgs(1, 2)),
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON, as the API has it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var only string
		if len(args) == 2 {
			only = args[1]
			if err := checkName(only, readable()); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), envTimeout)
		defer cancel()
		r, err := dial(sys, args[0])
		if err != nil {
			return err
		}
		settings, err := r.settings(ctx)
		if err != nil {
			return err
		}
		return printSettings(cmd.OutOrStdout(), settings, only, *asJSON)
	}
	return cmd
}

func newEnvSet(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set ENVIRONMENT NAME=VALUE ...",
		Short: "Change settings of an environment",
		Long: `Changes settings of an environment, all of them or, when one is refused, none,
and prints what they are then. NAME= clears a setting.

The shell's history and other users see what is on the command line. Of secrets,
hmac_key and otlp_headers, VALUE may therefore also be - for the standard input,
@FILE or env:VARIABLE.

` + remoteHelp + "\n\nThe names:\n" + indented(names(writable())),
		Example: `  linkspan env set dev webhooks.primary_url=https://app.example/hooks
  linkspan env set prod connect_ui.theme.light.primary=#1d4ed8 callback_url=
  linkspan env set prod hmac_key=env:HMAC_KEY`,
		Args: usage(cobra.MinimumNArgs(2)),
	}
	asJSON := cmd.Flags().Bool("json", false, "print all settings as JSON, as the API has them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := withSecrets(sys, args[1:])
		if err != nil {
			return err
		}
		change, changed, err := parseAssignments(given)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), envTimeout)
		defer cancel()
		r, err := dial(sys, args[0])
		if err != nil {
			return err
		}
		settings, err := r.change(ctx, change)
		if err != nil {
			return err
		}
		if *asJSON {
			return printSettings(cmd.OutOrStdout(), settings, "", true)
		}
		return printLines(cmd.OutOrStdout(), settings, changed)
	}
	return cmd
}

// printSettings writes all settings or only one.
func printSettings(out io.Writer, settings api.EnvironmentSettings, only string, asJSON bool) error {
	if asJSON && only == "" {
		return printJSON(out, settings) // in the order of the API
	}
	if only == "" {
		return printLines(out, settings, names(readable()))
	}
	tree, err := treeOf(settings)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, tree.at(only))
	}
	_, err = fmt.Fprintln(out, tree.text(only))
	return err
}

// printLines writes settings as name=value. Names that only change something
// have nothing to show.
func printLines(out io.Writer, settings api.EnvironmentSettings, which []string) error {
	tree, err := treeOf(settings)
	if err != nil {
		return err
	}
	for _, name := range which {
		if find(readable(), name) == nil {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s=%s\n", name, tree.text(name)); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(out io.Writer, v any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(out, harmless(text.String()))
	return err
}

func indented(lines []string) string { return "  " + strings.Join(lines, "\n  ") }
