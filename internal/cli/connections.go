package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
)

func newConnections(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "connections",
		Aliases: []string{"connection"},
		Short:   "Look at connections, change their metadata, delete them",
		Long: `Looks at the connections of an environment of a running server: the accounts at
third-party APIs that were connected. Without another command it lists them. Make
one with: linkspan connect

` + remoteHelp,
	}
	listsConnections(cmd, sys)
	cmd.AddCommand(newConnectionsList(sys), newConnectionsGet(sys), newConnectionsMetadata(sys), newConnectionsDelete(sys))
	return cmd
}

// connectionsOptions are the flags of connections list.
type connectionsOptions struct {
	serverOptions

	integrations            []string
	search, endUser         string
	tags                    map[string]string
	limit                   int
	all, withErrors, asJSON bool
}

func newConnectionsList(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List connections, newest first",
		Long:    "Lists the connections of an environment, newest first.\n\n" + remoteHelp,
		Example: "  linkspan connections list --integration github\n  linkspan connections list --search jane@example.com --json",
	}
	listsConnections(cmd, sys)
	return cmd
}

// listsConnections has a command list connections.
func listsConnections(cmd *cobra.Command, sys System) {
	var o connectionsOptions
	o.add(cmd, sys)
	flags := cmd.Flags()
	flags.StringSliceVar(&o.integrations, "integration", nil, "only those of this integration; may be a list")
	flags.StringVar(&o.search, "search", "", "only those with this text in the id, or in the end user's name or e-mail")
	flags.StringVar(&o.endUser, "end-user", "", "only those of the end user with this id")
	flags.StringToStringVar(&o.tags, "tag", nil, "only those with this tag, as name=value; may be a list")
	flags.BoolVar(&o.withErrors, "errors", false, "only those that something is wrong with")
	flags.IntVar(&o.limit, "limit", 100, "how many at most")
	flags.BoolVar(&o.all, "all", false, "all there are")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON; with --all a connection a line")
	completeFlag(cmd, sys, &o.serverOptions, "integration", integrationNames)
	cmd.Args = usage(cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return listConnections(cmd.Context(), sys, &o) }
}

func listConnections(ctx context.Context, sys System, o *connectionsOptions) error {
	if o.limit < 1 {
		return &usageError{errors.New("--limit: it must be at least 1")}
	}
	r, err := o.dial(ctx, sys)
	if err != nil {
		return err
	}
	q := api.ConnectionsQuery{IntegrationID: o.integrations, Tags: o.tags, Limit: new(min(o.limit, 1000))}
	if o.search != "" {
		q.Search = &o.search
	}
	if o.endUser != "" {
		q.EndUserID = &o.endUser
	}
	found, more := []api.Connection{}, false
	for c, err := range r.client.AllConnections(ctx, q) {
		if err != nil {
			return r.explain(err)
		}
		if o.withErrors && len(c.Errors) == 0 {
			continue
		}
		if o.all && o.asJSON {
			if err := printJSONLine(sys.Stdout, c); err != nil {
				return err
			}
			continue
		}
		if more = !o.all && len(found) == o.limit; more {
			break
		}
		found = append(found, c)
	}
	switch {
	case o.asJSON && o.all:
		return nil
	case o.asJSON:
		return printJSON(sys.Stdout, api.Connections{Connections: found})
	default:
		return printConnections(sys, found, more)
	}
}

func printConnections(sys System, found []api.Connection, more bool) error {
	t, status := newTerminal(sys, sys.Stdout), newTerminal(sys, sys.Stderr)
	if len(found) == 0 {
		status.println("There are no such connections.")
		return status.err
	}
	rows := [][]string{{"CONNECTION", "INTEGRATION", "STATE", "CREATED", "END USER"}}
	for _, c := range found {
		rows = append(rows, []string{c.ConnectionID, c.ProviderConfigKey, connectionState(c.Errors), stamp(c.Created), endUserOf(c.EndUser, c.Tags)})
	}
	printTable(t, rows)
	if more {
		status.println("There are more: --all shows all.")
	}
	return errors.Join(t.err, status.err)
}

// connectionState says in a word or two what is wrong.
func connectionState(wrong []api.ConnectionError) string {
	if len(wrong) == 0 {
		return "ok"
	}
	var kinds []string
	for _, e := range wrong {
		kinds = append(kinds, e.Type)
	}
	return strings.Join(sorted(kinds), " and ") + " error"
}

// endUserOf names whose account a connection is.
func endUserOf(u *api.EndUser, tags map[string]string) string {
	if u == nil {
		return cmp.Or(tags["end_user_email"], tags["end_user_display_name"], tags["end_user_id"])
	}
	for _, text := range []*string{u.Email, u.DisplayName} {
		if text != nil && *text != "" {
			return *text
		}
	}
	return u.ID
}

func newConnectionsGet(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get CONNECTION",
		Short: "Show a connection",
		Long: `Shows a connection. Its credentials are refreshed when they are due, and left out
unless --credentials asks for them: what a terminal shows is easily seen by others.

` + remoteHelp + ` Credentials are shown to keys with the scope
environment:connections:read_credentials.`,
		Example: "  linkspan connections get my-connection\n  linkspan connections get my-connection --credentials --json",
		Args:    usage(cobra.ExactArgs(1)),
	}
	var o accountOptions
	o.add(cmd, sys)
	refresh := cmd.Flags().Bool("refresh", false, "refresh the credentials although they are valid")
	credentials := cmd.Flags().Bool("credentials", false, "show the credentials")
	asJSON := cmd.Flags().Bool("json", false, "print JSON, as the API has it")
	cmd.ValidArgsFunction = completeArgs(sys, &o.serverOptions, connectionNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := o.account(cmd.Context(), sys, args[0])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		q := api.ConnectionQuery{ProviderConfigKey: a.integration}
		if *refresh {
			q.ForceRefresh = refresh
		}
		if *credentials {
			q.RefreshToken = credentials
		}
		c, err := a.client.Connection(ctx, a.connection, q)
		if err != nil {
			return a.explainOwn(err)
		}
		if !*credentials {
			c.Credentials = hidden(c.Credentials)
		}
		if *asJSON {
			return printJSON(sys.Stdout, c)
		}
		return printConnection(newTerminal(sys, sys.Stdout), c, *credentials)
	}
	return cmd
}

// hidden leaves of credentials what kind they are and how long they are valid.
func hidden(c api.Credentials) api.Credentials {
	out := api.Credentials{}
	for _, field := range []string{"type", "expires_at"} {
		if value, ok := c[field]; ok {
			out[field] = value
		}
	}
	return out
}

// printConnection writes a connection, a fact a line.
func printConnection(t *terminal, c api.FullConnection, credentials bool) error {
	lines := [][2]string{
		{"connection", c.ConnectionID},
		{"integration", c.ProviderConfigKey},
		{"provider", c.Provider},
		{"state", connectionState(c.Errors)},
		{"credentials", credentialsLine(c.Credentials)},
		{"created", stamp(c.CreatedAt)},
		{"updated", stamp(c.UpdatedAt)},
	}
	if c.LastFetchedAt != nil {
		lines = append(lines, [2]string{"last used", stamp(*c.LastFetchedAt)})
	}
	if user := endUserOf(c.EndUser, nil); c.EndUser != nil {
		lines = append(lines, [2]string{"end user", user})
	}
	for _, e := range c.Errors {
		lines = append(lines, [2]string{"error", e.Type + ": linkspan logs --operation " + e.LogID})
	}
	for _, of := range []struct {
		name  string
		value any
		set   bool
	}{
		{"configuration", c.ConnectionConfig, len(c.ConnectionConfig) > 0},
		{"metadata", c.Metadata, len(c.Metadata) > 0},
		{"tags", c.Tags, len(c.Tags) > 0},
		{"secrets", map[string]any(c.Credentials), credentials},
	} {
		if !of.set {
			continue
		}
		text, err := json.Marshal(of.value)
		if err != nil {
			return fmt.Errorf("writing %s: %w", of.name, err)
		}
		lines = append(lines, [2]string{of.name, string(text)})
	}
	printFacts(t, lines)
	return t.err
}

// printFacts writes names and values in two columns.
func printFacts(t *terminal, lines [][2]string) {
	width := 0
	for _, line := range lines {
		width = max(width, widest(line[0]))
	}
	for _, line := range lines {
		t.println(t.paint(styleDim, column(line[0], width)), "  ", printable(line[1]))
	}
}

func credentialsLine(c api.Credentials) string {
	text := cmp.Or(c.Type(), "none to be seen")
	if until := c.Text("expires_at"); until != "" {
		text += ", valid until " + until
	}
	return text
}

// account finds the connection that an argument names.
func (o *accountOptions) account(ctx context.Context, sys System, name string) (*account, error) {
	r, err := o.dial(ctx, sys)
	if err != nil {
		return nil, err
	}
	return r.account(ctx, name, o.integration)
}

func newConnectionsMetadata(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "metadata CONNECTION [JSON]",
		Short: "Show or change the metadata of a connection",
		Long: `Shows the metadata of a connection or, with JSON, lays an object over it key by
key; --replace puts it in its place. JSON is text, @FILE or - for the standard input.

` + remoteHelp,
		Example: `  linkspan connections metadata my-connection
  linkspan connections metadata my-connection '{"repos":["acme/site"]}'
  linkspan connections metadata my-connection @metadata.json --replace`,
		Args: usage(cobra.RangeArgs(1, 2)),
	}
	var o accountOptions
	o.add(cmd, sys)
	whole := cmd.Flags().Bool("replace", false, "replace all of the metadata")
	cmd.Flags().Bool("json", true, "print JSON; it always does")
	cmd.ValidArgsFunction = completeArgs(sys, &o.serverOptions, connectionNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var change map[string]any
		if len(args) == 2 {
			r := inputReader{sys: sys, dir: o.dir}
			text, err := r.read(args[1], false)
			if err == nil {
				change, err = object(text)
			}
			if err != nil {
				return &usageError{err}
			}
		} else if *whole {
			return &usageError{errors.New("--replace needs the metadata to put there")}
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		a, err := o.account(ctx, sys, args[0])
		if err != nil {
			return err
		}
		return a.metadata(ctx, sys, change, *whole)
	}
	return cmd
}

// object reads a JSON object. Its numbers stay as they are written: ids have more
// digits than a float64.
func object(text []byte) (map[string]any, error) {
	var o map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if !json.Valid(text) || d.Decode(&o) != nil || o == nil {
		return nil, errors.New(`it must be a JSON object, such as {"repos":[]}`)
	}
	return o, nil
}

// metadata changes the metadata, unless change is nil, and shows all.
func (a *account) metadata(ctx context.Context, sys System, change map[string]any, whole bool) error {
	if change != nil {
		in := api.ConnectionMetadata{ConnectionID: api.One(a.connection), ProviderConfigKey: a.integration, Metadata: change}
		set := a.client.MergeMetadata
		if whole {
			set = a.client.SetMetadata
		}
		if err := set(ctx, in); err != nil {
			return a.explain(err)
		}
	}
	found, err := a.client.Connections(ctx, api.ConnectionsQuery{ConnectionID: &a.connection, IntegrationID: []string{a.integration}})
	if err != nil {
		return a.explain(err)
	}
	if len(found) == 0 {
		return a.gone()
	}
	if found[0].Metadata == nil {
		return printJSON(sys.Stdout, map[string]any{})
	}
	return printJSON(sys.Stdout, found[0].Metadata)
}

func newConnectionsDelete(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete CONNECTION",
		Short: "Delete a connection with its records",
		Long: `Deletes a connection: its credentials, its syncs and their records. It asks before,
unless --yes says so.

` + remoteHelp,
		Example: "  linkspan connections delete my-connection\n  linkspan connections delete my-connection --integration github --yes",
		Args:    usage(cobra.ExactArgs(1)),
	}
	var o accountOptions
	o.add(cmd, sys)
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.ValidArgsFunction = completeArgs(sys, &o.serverOptions, connectionNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := o.account(cmd.Context(), sys, args[0])
		if err != nil {
			return err
		}
		question := fmt.Sprintf("Delete the connection %s of %s in %s, with its records?", printable(a.connection), printable(a.integration), a.name)
		if err := sure(cmd.Context(), sys, *yes, question); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		if err := a.client.DeleteConnection(ctx, a.integration, a.connection); err != nil {
			return a.explainOwn(err)
		}
		return deleted(sys, *asJSON, "the connection "+a.connection+" of "+a.integration)
	}
	return cmd
}

// sure makes sure that something that does not come back may go.
func sure(ctx context.Context, sys System, yes bool, question string) error {
	if yes {
		return nil
	}
	status := newTerminal(sys, sys.Stderr)
	if sys.Stdin == nil || !sys.terminal(sys.Stdin) || !sys.terminal(status.w) {
		return &usageError{errors.New("nobody can be asked here whether it may go: give --yes")}
	}
	agreed, err := status.ask(ctx, sys.Stdin, question)
	if err != nil {
		return fmt.Errorf("asking for a confirmation: %w", err)
	}
	if !agreed {
		return errors.New("nothing was deleted: it was not confirmed")
	}
	return nil
}

// deleted says what is gone.
func deleted(sys System, asJSON bool, what string) error {
	if asJSON {
		return printJSON(sys.Stdout, api.Success{Success: true})
	}
	t := newTerminal(sys, sys.Stdout)
	t.println(t.paint(styleGreen, "✓"), " Deleted ", printable(what))
	return t.err
}
