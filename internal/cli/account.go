package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

// account is a connection of a running server that a command is about.
type account struct {
	*remote
	integration, connection string
}

// accountOptions are the flags that say where a connection is.
type accountOptions struct {
	serverOptions

	integration string
}

// add adds the flags.
func (o *accountOptions) add(cmd *cobra.Command, sys System) {
	o.serverOptions.add(cmd, sys)
	cmd.Flags().StringVar(&o.integration, "integration", "", "integration of the connection, where several have one of that name")
	completeFlag(cmd, sys, &o.serverOptions, "integration", integrationNames)
}

// account finds the integration of a connection: the one that was named, or the only
// one that has such a connection.
func (r *remote) account(ctx context.Context, connection, integration string) (*account, error) {
	if integration != "" {
		return &account{r, integration, connection}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	list, err := r.client.Connections(ctx, api.ConnectionsQuery{ConnectionID: &connection})
	if err != nil {
		return nil, r.explain(err)
	}
	var keys []string
	for _, c := range list {
		keys = append(keys, c.ProviderConfigKey)
	}
	slices.Sort(keys)
	switch keys = slices.Compact(keys); len(keys) {
	case 0:
		return nil, (&account{r, "", connection}).gone()
	case 1:
		return &account{r, keys[0], connection}, nil
	default:
		return nil, &usageError{fmt.Errorf("several integrations have a connection %q: say with --integration which one is meant, %s", connection, strings.Join(keys, " or "))}
	}
}

// explain says in an operator's terms why a call about the connection failed.
func (a *account) explain(err error) error {
	refused, ok := client.AsError(err)
	switch {
	case !ok:
	case refused.Code == "unknown_connection":
		return a.gone()
	case refused.Code == "invalid_credentials":
		return linkspan.E("cli.account", linkspan.KindInvalid, refused.Code, nil, "The connection %q has no credentials that work: %s", a.connection, refused.Message).
			WithHint("linkspan connect %s --connection %s gives it new ones.", a.integration, a.connection)
	}
	return a.remote.explain(err)
}

// explainOwn is explain for calls that are about nothing but the connection.
func (a *account) explainOwn(err error) error {
	if refused, ok := client.AsError(err); ok && refused.Status == http.StatusNotFound {
		return a.gone()
	}
	return a.explain(err)
}

// gone is the error for a connection that is not there.
func (a *account) gone() error {
	of := ""
	if a.integration != "" {
		of = fmt.Sprintf(" of %q", a.integration)
	}
	return &codedError{exitDryRun, linkspan.E("cli.account", linkspan.KindNotFound, codeConnectionMissing, nil,
		"There is no connection %q%s in the environment %q at %s.", a.connection, of, a.name, a.host).
		WithHint("linkspan connections lists those that there are; --env names another environment.")}
}
