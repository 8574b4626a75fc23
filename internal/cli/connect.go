package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

const connectLong = `Makes a connect session and prints its link, with which one person can connect an
account for 30 minutes, in a browser on any machine that reaches the server. With
--open it is opened here, with --wait the command waits until the connection exists
and prints its id.

Without INTEGRATION the person chooses among all. --connection gives a connection
that exists new credentials. A connection for which neither --tag nor --end-user
is given has the tag source=linkspan-connect; one that is waited for also has the
tag linkspan-connect, with a value by which the command knows it.

` + remoteHelp + ` The key needs the scope environment:connect_sessions:write.`

// connectTimeout is how long a connect session is valid.
const connectTimeout = 30 * time.Minute

// connectOptions are the flags of the command.
type connectOptions struct {
	serverOptions

	integrations         []string
	connection           string
	tags, config         []string
	open, wait, asJSON   bool
	timeout              time.Duration
	endUser, endUserMail string
}

// connecting is what --json prints.
type connecting struct {
	Link      string   `json:"connect_link"`
	ExpiresAt api.Time `json:"expires_at"`
	// Connection and Integration are null unless it was waited for.
	Connection  *string `json:"connection_id"`
	Integration *string `json:"provider_config_key"`
}

func newConnect(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connect [INTEGRATION ...]",
		Short: "Connect an account in the browser",
		Long:  connectLong,
		Example: `  linkspan connect github --open --wait
  linkspan connect zendesk --config subdomain=acme
  linkspan connect github --connection my-connection`,
	}
	var o connectOptions
	o.add(cmd, sys)
	flags := cmd.Flags()
	flags.StringVar(&o.connection, "connection", "", "give this connection of INTEGRATION new credentials")
	flags.StringVar(&o.endUser, "end-user", "", "id of whose account it is")
	flags.StringVar(&o.endUserMail, "end-user-email", "", "e-mail of whose account it is")
	flags.StringArrayVar(&o.tags, "tag", nil, "a tag of the connection, as name=value; may be repeated")
	flags.StringArrayVar(&o.config, "config", nil, "a setting of the connection that is not to be asked, as name=value; may be repeated")
	flags.BoolVar(&o.open, "open", false, "open the link in the browser of this machine")
	flags.BoolVar(&o.wait, "wait", false, "wait until the account is connected")
	flags.DurationVar(&o.timeout, "timeout", connectTimeout, "how long to wait")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	completeFlag(cmd, sys, &o.serverOptions, "connection", connectionNames)
	cmd.ValidArgsFunction = complete(sys, &o.serverOptions, integrationNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.integrations = args
		return o.run(cmd.Context(), sys)
	}
	return cmd
}

// session makes the body of the flags.
func (o *connectOptions) session() (api.ConnectSessionOptions, error) {
	var s api.ConnectSessionOptions
	tags, err := pairs("--tag", o.tags)
	if err != nil {
		return s, err
	}
	switch {
	case len(tags) > 0:
		s.Tags = tags
	case o.endUser == "" && o.connection == "":
		s.Tags = map[string]string{"source": "linkspan-connect"} // a session says whose it is
	}
	config, err := pairs("--config", o.config)
	if err != nil {
		return s, err
	}
	if len(config) > 0 && len(o.integrations) == 0 {
		return s, &usageError{errors.New("--config: say which INTEGRATION it is for")}
	}
	if o.endUser == "" && o.endUserMail != "" {
		return s, &usageError{errors.New("--end-user-email needs --end-user, too")}
	}
	if o.endUser != "" {
		s.EndUser = &api.EndUserInput{ID: o.endUser}
		if o.endUserMail != "" {
			s.EndUser.Email = &o.endUserMail
		}
	}
	for _, key := range o.integrations {
		if len(config) == 0 {
			break
		}
		if s.IntegrationsConfigDefaults == nil {
			s.IntegrationsConfigDefaults = make(map[string]api.IntegrationDefaults)
		}
		values := make(map[string]any, len(config))
		for name, value := range maps.All(config) {
			values[name] = value
		}
		s.IntegrationsConfigDefaults[key] = api.IntegrationDefaults{ConnectionConfig: values}
	}
	return s, nil
}

func (o *connectOptions) run(ctx context.Context, sys System) error {
	if o.timeout <= 0 {
		return &usageError{errors.New("--timeout: it must be more than nothing, such as 5m")}
	}
	if o.connection != "" && len(o.integrations) > 1 {
		return &usageError{errors.New("--connection: a connection is of one INTEGRATION")}
	}
	options, err := o.session()
	if err != nil {
		return err
	}
	r, err := o.dial(ctx, sys)
	if err != nil {
		return err
	}
	w := &connectWait{connectOptions: o, remote: r, status: newTerminal(sys, sys.Stderr)}
	if err := w.before(ctx, &options); err != nil {
		return err
	}
	made, err := w.begin(ctx, options)
	if err != nil {
		return err
	}
	report := connecting{Link: made.ConnectLink.Reveal(), ExpiresAt: made.ExpiresAt}
	if !o.asJSON || o.wait {
		out := sys.Stdout
		if o.asJSON {
			out = sys.Stderr
		}
		if _, err := fmt.Fprintln(out, printable(report.Link)); err != nil {
			return err
		}
	}
	if o.open {
		if err := openPage(ctx, report.Link); err != nil {
			w.status.println(w.status.paint(styleYellow, "!"), " No browser could be opened: ", printable(err.Error()), ". Open the link above.")
		}
	}
	if o.wait {
		c, err := w.connected(ctx)
		if err != nil {
			return err
		}
		if report.Connection, report.Integration = &c.ConnectionID, &c.ProviderConfigKey; !o.asJSON {
			t := newTerminal(sys, sys.Stdout)
			t.println(t.paint(styleGreen, "✓"), " Connected: ", t.paint(styleBold, printable(c.ConnectionID)), " of ", printable(c.ProviderConfigKey))
			return t.err
		}
	}
	if o.asJSON {
		return printJSON(sys.Stdout, report)
	}
	return nil
}

// waitTag is the tag by which a connection is known that is waited for: others are
// made at the same time.
const waitTag = "linkspan-connect"

// connectWait waits for a connection that was not there, or not so, before.
type connectWait struct {
	*connectOptions

	remote *remote
	status *terminal
	tags   map[string]string // of the connection that is new
	at     api.Time          // of the connection that gets new credentials; zero: it had none that work
}

// before notes what there is, and how what comes will be known.
func (w *connectWait) before(ctx context.Context, options *api.ConnectSessionOptions) error {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	if w.connection != "" {
		a, err := w.remote.account(ctx, w.connection, strings.Join(w.integrations, ""))
		if err != nil {
			return err
		}
		w.integrations = []string{a.integration}
		if w.wait {
			c, _, err := w.one(ctx)
			w.at = c.UpdatedAt
			return err
		}
		return nil
	}
	if w.wait {
		w.tags = map[string]string{waitTag: linkspan.NewUUID()}
		options.Tags = maps.Clone(options.Tags)
		if options.Tags == nil {
			options.Tags = make(map[string]string)
		}
		maps.Copy(options.Tags, w.tags)
	}
	return nil
}

// one reads the connection that gets new credentials, and reports whether those that
// it has work.
func (w *connectWait) one(ctx context.Context) (c api.FullConnection, works bool, err error) {
	c, err = w.remote.client.Connection(ctx, w.connection, api.ConnectionQuery{ProviderConfigKey: w.integrations[0]})
	if refused, ok := client.AsError(err); ok && refused.Code == "invalid_credentials" {
		return c, false, nil
	}
	if err != nil {
		return c, false, (&account{w.remote, w.integrations[0], w.connection}).explainOwn(err)
	}
	return c, true, nil
}

// begin makes the session.
func (w *connectWait) begin(ctx context.Context, options api.ConnectSessionOptions) (made api.CreatedConnectSession, err error) {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	if w.connection != "" {
		made, err = w.remote.client.CreateReconnectSession(ctx, api.CreateReconnectSession{
			ConnectionID: w.connection, IntegrationID: w.integrations[0], ConnectSessionOptions: options,
		})
	} else {
		made, err = w.remote.client.CreateConnectSession(ctx, api.CreateConnectSession{AllowedIntegrations: w.integrations, ConnectSessionOptions: options})
	}
	if err != nil {
		return made, w.explain(err)
	}
	return made, nil
}

// explain says why the server made no session.
func (w *connectWait) explain(err error) error {
	refused, _ := client.AsError(err)
	if refused == nil {
		return w.remote.explain(err)
	}
	for _, issue := range refused.Issues {
		if len(issue.Path) != 2 || issue.Path[0] != "allowed_integrations" {
			continue
		}
		if i, ok := issue.Path[1].(float64); ok && i >= 0 && int(i) < len(w.integrations) {
			return linkspan.E("cli.connect", linkspan.KindNotFound, refused.Code, nil, "%q in %s: %s.", w.integrations[int(i)], w.remote.name, issue.Message).
				WithHint("linkspan integrations lists those that there are, linkspan integrations create makes one.")
		}
	}
	return w.remote.explain(err)
}

// pollConnect is how often it is looked whether the account is connected.
const pollConnect = time.Second

// connected waits for the connection.
func (w *connectWait) connected(ctx context.Context) (api.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	defer w.status.wipe()
	tick := time.NewTicker(pollConnect)
	defer tick.Stop()
	for {
		w.status.update("Waiting for the account to be connected …")
		c, found, err := w.look(ctx)
		if found {
			return c, nil
		}
		if err != nil && ctx.Err() == nil {
			return c, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return c, fmt.Errorf("no account was connected within %s", w.timeout)
			}
			return c, errors.New("interrupted: the link stays valid")
		}
	}
}

// look reports whether the account is connected.
func (w *connectWait) look(ctx context.Context) (found api.Connection, ok bool, err error) {
	if w.connection != "" {
		c, works, err := w.one(ctx)
		return api.Connection{ConnectionID: c.ConnectionID, ProviderConfigKey: c.ProviderConfigKey}, works && c.UpdatedAt.After(w.at.Time), err
	}
	all, err := w.remote.client.Connections(ctx, api.ConnectionsQuery{IntegrationID: w.integrations, Tags: w.tags, Limit: new(1)})
	if err != nil {
		return found, false, w.remote.explain(err)
	}
	if len(all) == 0 {
		return found, false, nil
	}
	return all[0], true, nil
}
