package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
)

func newRollback(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback ENVIRONMENT INTEGRATION/NAME",
		Short: "Make an earlier version of a function run again",
		Long: `Makes an earlier version of a function the one that runs, code and definition.
Without --to that is the version before the active one. The other functions stay
as they are. The next deploy of the folder deploys what is in the folder, so
change it there, too.

` + remoteHelp,
		Example: `  linkspan rollback prod github/create-issue
  linkspan rollback prod github/create-issue --to 1.0.0
  linkspan rollback prod github/issues --type sync --to '#3'`,
		Args:              usage(cobra.ExactArgs(2)),
		ValidArgsFunction: completeFunction(sys),
	}
	kind, asJSON := addType(cmd), addFunctionJSON(cmd)
	to := cmd.Flags().String("to", "", "label of the version, or its number as in #3 (default the one before the active)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		f, err := dialFunction(ctx, sys, args, *kind)
		if err != nil {
			return err
		}
		versions, err := f.versions(ctx)
		if err != nil {
			return err
		}
		target, err := pickVersion(versions, *to)
		if err != nil {
			return err
		}
		if target.Active && *asJSON {
			now, err := f.client.Function(ctx, f.integration, f.function, f.query())
			if err != nil {
				return f.explain(err)
			}
			return printJSON(sys.Stdout, now)
		}
		if target.Active {
			_, err := fmt.Fprintf(sys.Stdout, "%s runs version %s (#%d) in %s already.\n", args[1], printable(target.Label), target.Version, args[0])
			return err
		}
		now, err := f.client.RollbackFunction(ctx, f.integration, f.function, f.query(), api.RollbackFunction{Version: target.Version})
		if err != nil {
			return f.explain(err)
		}
		if *asJSON {
			return printJSON(sys.Stdout, now)
		}
		_, err = fmt.Fprintf(sys.Stdout, "The %s %s runs version %s (#%d) in %s.\n", now.Type, args[1], printable(target.Label), target.Version, args[0])
		return err
	}
	return cmd
}

// pickVersion finds the version to go back to, among versions with the newest
// first. Several may have a label: the active one is meant, then the newest.
func pickVersion(versions []api.FunctionVersion, to string) (api.FunctionVersion, error) {
	at := slices.IndexFunc(versions, func(v api.FunctionVersion) bool { return v.Active })
	if to == "" {
		if at < 0 || at+1 >= len(versions) {
			return api.FunctionVersion{}, errors.New("there is no version before the one that runs")
		}
		return versions[at+1], nil
	}
	means := func(v api.FunctionVersion) bool { return v.Label == to || fmt.Sprintf("#%d", v.Version) == to }
	if at >= 0 && means(versions[at]) {
		return versions[at], nil
	}
	if i := slices.IndexFunc(versions, means); i >= 0 {
		return versions[i], nil
	}
	known := make([]string, len(versions))
	for i, v := range versions {
		if known[i] = fmt.Sprintf("%s (#%d)", printable(v.Label), v.Version); v.Active {
			known[i] += ", which runs"
		}
	}
	return api.FunctionVersion{}, &usageError{fmt.Errorf("--to: there is no version %q; there are:\n  %s", to, strings.Join(known, "\n  "))}
}
