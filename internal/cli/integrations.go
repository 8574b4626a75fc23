package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
)

func newIntegrations(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "integrations",
		Aliases: []string{"integration"},
		Short:   "Look at integrations, make and delete them",
		Long: `Looks at the integrations of an environment of a running server, makes and deletes
them. An integration is a provider that is set up, under a key of its own: that is
the folder of its functions. Without another command it lists them.

` + remoteHelp,
	}
	listsIntegrations(cmd, sys)
	list := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List integrations",
		Long: "Lists the integrations of an environment.\n\n" + remoteHelp, Example: "  linkspan integrations list --env prod",
	}
	listsIntegrations(list, sys)
	cmd.AddCommand(list, newIntegrationsGet(sys), newIntegrationsCreate(sys), newIntegrationsDelete(sys))
	return cmd
}

// listsIntegrations has a command list integrations.
func listsIntegrations(cmd *cobra.Command, sys System) {
	var o serverOptions
	o.add(cmd, sys)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.Args = usage(cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		r, err := o.dial(ctx, sys)
		if err != nil {
			return err
		}
		all, err := r.client.Integrations(ctx)
		if err != nil {
			return r.explain(err)
		}
		for i := range all {
			all[i].Credentials = api.Optional[api.IntegrationCredentials]{}
		}
		if *asJSON {
			return printJSON(sys.Stdout, append([]api.Integration{}, all...))
		}
		return printIntegrations(sys, all)
	}
}

func printIntegrations(sys System, all []api.Integration) error {
	if len(all) == 0 {
		status := newTerminal(sys, sys.Stderr)
		status.println("There are no integrations. Make one with: linkspan integrations create PROVIDER")
		return status.err
	}
	rows := [][]string{{"INTEGRATION", "PROVIDER", "NAME", "CREATED"}}
	for _, i := range all {
		rows = append(rows, []string{i.UniqueKey, i.Provider, i.DisplayName, stamp(i.CreatedAt)})
	}
	t := newTerminal(sys, sys.Stdout)
	printTable(t, rows)
	return t.err
}

func newIntegrationsGet(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get INTEGRATION",
		Short:   "Show an integration, without its secrets",
		Long:    "Shows an integration, and where its provider has to send webhooks. Secrets are not\nshown.\n\n" + remoteHelp,
		Example: "  linkspan integrations get github",
		Args:    usage(cobra.ExactArgs(1)),
	}
	var o serverOptions
	o.add(cmd, sys)
	asJSON := cmd.Flags().Bool("json", false, "print JSON, as the API has it")
	cmd.ValidArgsFunction = completeArgs(sys, &o, integrationNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		r, err := o.dial(ctx, sys)
		if err != nil {
			return err
		}
		i, err := r.client.Integration(ctx, args[0], "webhook")
		if err != nil {
			return r.explain(err)
		}
		return showIntegration(sys, i, *asJSON)
	}
	return cmd
}

func showIntegration(sys System, i api.Integration, asJSON bool) error {
	i.Credentials = api.Optional[api.IntegrationCredentials]{}
	if asJSON {
		return printJSON(sys.Stdout, i)
	}
	facts := [][2]string{
		{"integration", i.UniqueKey}, {"provider", i.Provider}, {"name", i.DisplayName}, {"created", stamp(i.CreatedAt)}, {"updated", stamp(i.UpdatedAt)},
	}
	if i.WebhookURL.Value != nil {
		facts = append(facts, [2]string{"webhook URL", *i.WebhookURL.Value})
	}
	t := newTerminal(sys, sys.Stdout)
	printFacts(t, facts)
	return t.err
}

func newIntegrationsDelete(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete INTEGRATION",
		Short: "Delete an integration with its connections and functions",
		Long: `Deletes an integration with all that belongs to it: its connections, their records,
and the functions deployed to it. It asks before, unless --yes says so.

` + remoteHelp,
		Example: "  linkspan integrations delete github --yes",
		Args:    usage(cobra.ExactArgs(1)),
	}
	var o serverOptions
	o.add(cmd, sys)
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.ValidArgsFunction = completeArgs(sys, &o, integrationNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := o.dial(cmd.Context(), sys)
		if err != nil {
			return err
		}
		question := fmt.Sprintf("Delete the integration %s in %s, with its connections and functions?", printable(args[0]), r.name)
		if err := sure(cmd.Context(), sys, *yes, question); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		if err := r.client.DeleteIntegration(ctx, args[0]); err != nil {
			return r.explain(err)
		}
		return deleted(sys, *asJSON, "the integration "+args[0])
	}
	return cmd
}

// pairs reads name=value texts of a flag.
func pairs(flag string, given []string) (map[string]string, error) {
	values := make(map[string]string, len(given))
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, &usageError{fmt.Errorf("%s: %q is not of the form name=value", flag, text)}
		}
		if _, twice := values[name]; twice {
			return nil, &usageError{fmt.Errorf("%s: %s is given twice", flag, name)}
		}
		values[name] = value
	}
	return values, nil
}

// errNobody is the reason why something must be on the command line.
var errNobody = errors.New("nobody can be asked here")
