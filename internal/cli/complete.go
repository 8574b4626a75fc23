package cli

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
)

// completeSource asks the server what may stand at a place of the command line.
type completeSource func(ctx context.Context, r *remote, args []string) ([]string, error)

// complete offers what the server says, and nothing when it takes long or says no.
func complete(sys System, o *serverOptions, source completeSource) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		r, err := o.find(sys)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := source(ctx, r, args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for i, name := range names {
			names[i] = printable(name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeArgs offers what each argument may be, by its place. Nil: nothing.
func completeArgs(sys System, o *serverOptions, places ...completeSource) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(places) || places[len(args)] == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(sys, o, places[len(args)])(cmd, args, begun)
	}
}

// completeFlag has a flag offer what the server says.
func completeFlag(cmd *cobra.Command, sys System, o *serverOptions, flag string, source completeSource) {
	_ = cmd.RegisterFlagCompletionFunc(flag, complete(sys, o, source)) // fails for flags that do not exist
}

// completeEnvironments offers the environments that every account begins with, and
// those that the file .env has a key of.
func completeEnvironments(_ System, o *serverOptions) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names := []string{"dev", "prod"}
		text, err := os.ReadFile(filepath.Join(o.dir, dotenvFile))
		if err != nil {
			return names, cobra.ShellCompDirectiveNoFileComp
		}
		for variable, value := range parseDotenv(string(text)) {
			for _, prefix := range []string{"LINKSPAN_SECRET_KEY_", "NANGO_SECRET_KEY_"} {
				if name, ok := strings.CutPrefix(variable, prefix); ok && value != "" && name != "" {
					names = append(names, strings.ToLower(name))
				}
			}
		}
		return sorted(names), cobra.ShellCompDirectiveNoFileComp
	}
}

func integrationNames(ctx context.Context, r *remote, _ []string) ([]string, error) {
	all, err := r.client.Integrations(ctx)
	names := make([]string, len(all))
	for i, in := range all {
		names[i] = in.UniqueKey + "\t" + in.DisplayName
	}
	return names, err
}

// maxCompleted is how many connections are offered.
const maxCompleted = 200

func connectionNames(ctx context.Context, r *remote, _ []string) ([]string, error) {
	all, err := r.client.Connections(ctx, api.ConnectionsQuery{Limit: new(maxCompleted)})
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.ConnectionID + "\t" + c.ProviderConfigKey
	}
	return names, err
}

// functionNames offers functions of the environment as INTEGRATION/NAME.
func functionNames(kinds ...linkspan.FunctionKind) completeSource {
	return func(ctx context.Context, r *remote, _ []string) ([]string, error) {
		all, err := r.functions(ctx, "", "")
		var names []string
		for _, f := range all {
			if len(kinds) == 0 || slices.Contains(kinds, linkspan.FunctionKind(f.Type)) {
				names = append(names, functionName(f.Integration, f.Name)+"\t"+f.Type)
			}
		}
		return names, err
	}
}

// connectionsOf offers the connections of the integration of the function that is
// the first argument.
func connectionsOf(ctx context.Context, r *remote, args []string) ([]string, error) {
	integration, _, qualified := strings.Cut(args[0], "/")
	all, err := connectionNames(ctx, r, nil)
	if !qualified {
		return all, err
	}
	return slices.DeleteFunc(all, func(name string) bool { return !strings.HasSuffix(name, "\t"+integration) }), err
}

// modelNames offers the models of the syncs of the connection's integrations.
func modelNames(ctx context.Context, r *remote, args []string) ([]string, error) {
	of, err := r.client.Connections(ctx, api.ConnectionsQuery{ConnectionID: &args[0]})
	if err != nil {
		return nil, err
	}
	return r.models(ctx, func(integration string) bool {
		return slices.ContainsFunc(of, func(conn api.Connection) bool { return conn.ProviderConfigKey == integration })
	})
}

// models names the models of the deployed syncs of some integrations.
func (r *remote) models(ctx context.Context, of func(integration string) bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	configs, err := r.client.ScriptsConfig(ctx)
	models := make(map[string]bool)
	for _, c := range configs {
		if !of(c.ProviderConfigKey) {
			continue
		}
		for _, s := range c.Syncs {
			for _, model := range s.Returns {
				models[model] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(models)), err
}
