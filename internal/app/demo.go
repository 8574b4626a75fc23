package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/demo"
)

const (
	// The ports that the demo likes to have. It takes others when they are taken.
	demoPort         = "3003"
	demoProviderPort = "3004"
	demoReceiverPort = "3005"
	// onceTimeout bounds a demo that nobody watches.
	onceTimeout = 2 * time.Minute
	// openTimeout bounds the start of a browser.
	openTimeout = 10 * time.Second
)

// DemoOptions say how the demo runs.
type DemoOptions struct {
	// DataDir is where it keeps its data. Empty: in a new folder that is removed
	// at the end.
	DataDir string
	// Once makes it go through everything by itself and end.
	Once bool
	// Open shows a page in the person's browser. Nil: there is none.
	Open func(ctx context.Context, url string) error
	// Colour allows escape sequences in Out.
	Colour bool
	// Out gets the story, Log what operators would read.
	Out io.Writer
	Log *slog.Logger
}

// Demo runs a server with a provider to connect to and a receiver of webhooks,
// on this machine only: until ctx ends, or until it has gone through everything
// once. Nothing of it stays, unless it was given a folder.
func Demo(ctx context.Context, o DemoOptions) (err error) {
	if o.Once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, onceTimeout, fmt.Errorf("the demo was not through after %v", onceTimeout))
		defer cancel()
	}
	d := &demonstration{DemoOptions: o, screen: newScreen(o.Out, o.Colour)}
	if d.DataDir == "" {
		if d.DataDir, err = os.MkdirTemp("", "linkspan-demo-"); err != nil {
			return fmt.Errorf("making a folder for the demo: %w", err)
		}
		defer func() {
			if removed := os.RemoveAll(d.DataDir); removed != nil {
				err = errors.Join(err, fmt.Errorf("removing the folder of the demo: %w", removed))
			}
		}()
	}
	err = d.run(ctx)
	if o.Once && ctx.Err() != nil && err != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return errors.Join(err, d.screen.err())
}

// demonstration is one run of the demo.
type demonstration struct {
	DemoOptions
	screen *screen
	secret demoSecrets
	world  *demoWorld

	dev, account *client.Client
}

// run builds everything up, shows it, and takes it down again.
func (d *demonstration) run(ctx context.Context) (err error) {
	d.screen.title("Linkspan demo")
	if d.secret, err = openDemoSecrets(d.DataDir); err != nil {
		return err
	}
	if d.world, err = startDemoWorld(ctx, d); err != nil {
		return d.unlessLeft(ctx, err)
	}
	defer func() { err = errors.Join(err, d.world.stop()) }()
	d.screen.done("Ticketry, a provider to connect to", d.world.providerURL)
	d.screen.done("A receiver of webhooks", d.world.receiverURL)
	d.screen.done("Linkspan", d.world.url)
	if err := d.setUp(ctx); err != nil {
		return d.unlessLeft(ctx, err)
	}
	if d.Once {
		return d.walk(ctx)
	}
	return d.show(ctx)
}

// unlessLeft returns an error of the start, unless it came of a person leaving.
func (d *demonstration) unlessLeft(ctx context.Context, err error) error {
	if ctx.Err() != nil && !d.Once {
		return nil
	}
	return err
}

// setUp does what a customer does once: where webhooks go, which providers there
// are.
func (d *demonstration) setUp(ctx context.Context) (err error) {
	if d.dev, err = client.New(d.world.url, d.secret.DevKey); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if d.account, err = client.New(d.world.url, d.secret.AccountKey); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if err := d.setWebhook(ctx); err != nil {
		return fmt.Errorf("setting where webhooks go: %w", err)
	}
	d.screen.done("Webhooks go to the receiver", "")
	for _, provider := range demoProviders() {
		if err := d.integrate(ctx, provider); err != nil {
			return fmt.Errorf("setting up the integration %s: %w", provider, err)
		}
	}
	d.screen.done("Integrations by OAuth 2, API key and login", "")
	return nil
}

func demoProviders() []string {
	return []string{demo.ProviderOAuth, demo.ProviderKey, demo.ProviderBasic}
}

func (d *demonstration) setWebhook(ctx context.Context) error {
	environments, err := d.account.Environments(ctx, "dev")
	if err != nil {
		return err
	}
	if len(environments) != 1 {
		return fmt.Errorf("%d environments are called dev, not one", len(environments))
	}
	change := api.UpdateEnvironmentSettings{}
	change.Webhooks = &api.WebhookOptions{PrimaryURL: &d.world.receiverURL}
	change.ConnectUI = &api.ConnectUIOptions{AppName: new("Linkspan demo")}
	_, err = d.account.UpdateEnvironmentSettings(ctx, environments[0].UUID, change)
	return err
}

// integrate sets a provider up under its own name, unless an earlier run in the
// same folder did.
func (d *demonstration) integrate(ctx context.Context, provider string) error {
	_, err := d.dev.Integration(ctx, provider)
	if e, ok := client.AsError(err); !ok || e.Status != http.StatusNotFound {
		return err
	}
	in := api.CreateIntegration{Provider: provider, UniqueKey: provider}
	if provider == demo.ProviderOAuth {
		in.Credentials = api.NewIntegrationCredentials(api.OAuthApp{
			Type: "OAUTH2", ClientID: d.secret.ClientID, ClientSecret: d.secret.ClientSecret,
		})
	}
	_, err = d.dev.CreateIntegration(ctx, in)
	return err
}

// session makes a connect session, as a customer's backend does for a user who
// wants to connect an account.
func (d *demonstration) session(ctx context.Context) (api.CreatedConnectSession, error) {
	in := api.CreateConnectSession{AllowedIntegrations: demoProviders()}
	in.Tags = map[string]string{"end_user_id": "demo-user", "organization_id": "demo-company"}
	made, err := d.dev.CreateConnectSession(ctx, in)
	if err != nil {
		return made, fmt.Errorf("making a connect session: %w", err)
	}
	return made, nil
}

// show leaves the connecting to a person and tells what happens, until ctx ends.
func (d *demonstration) show(ctx context.Context) error {
	session, err := d.session(ctx)
	if err != nil {
		return err
	}
	d.screen.section("Keys of this demo:\n")
	d.screen.fact("API key of dev", d.secret.DevKey.Reveal())
	d.screen.fact("Account key", d.secret.AccountKey.Reveal())
	d.screen.fact("Webhook signing key of dev", d.secret.SigningKey.Reveal())
	link := session.ConnectLink.Reveal()
	if d.open(ctx, link) {
		d.screen.section("A page to connect an account is opening in your browser. If not, open this link:")
	} else {
		d.screen.section("Open this link in a browser to connect an account:")
	}
	d.screen.link(link)
	d.screen.note("For a key or a login look at " + d.world.providerURL + "/settings. The link is good for 30 minutes. Ctrl-C ends.")
	for told := false; ; {
		select {
		case <-ctx.Done():
			d.screen.section("Stopping.")
			return nil
		case err := <-d.world.failed:
			return err
		case a := <-d.world.receiver.arrivals:
			d.screen.arrival(a)
			if a.connected() {
				d.tryOut(ctx, a, !told)
				told = true
			}
		}
	}
}

// tryOut makes a call through a new connection. What goes wrong is told and no
// reason to end. The first time it tells how to go on, too.
func (d *demonstration) tryOut(ctx context.Context, a arrival, first bool) {
	detail, err := d.call(ctx, a.ProviderConfigKey, a.ConnectionID)
	if err != nil {
		d.screen.failed("A call through the new connection", err)
		return
	}
	d.screen.done("A call through the new connection", detail)
	if first {
		d.screen.commands(d.commands(a.ProviderConfigKey, a.ConnectionID))
	}
}

// open shows a page in the person's browser and reports whether that worked as
// far as one can tell.
func (d *demonstration) open(ctx context.Context, link string) bool {
	if d.Open == nil {
		return false
	}
	result := make(chan error, 1)
	d.world.wg.Go(func() { result <- d.Open(d.world.alive, link) })
	wait, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	select {
	case err := <-result:
		return err == nil
	case <-wait.Done(): // some browsers keep the command that opened them
		return true
	}
}

// commands are what a person can go on with by hand.
func (d *demonstration) commands(integration, connection string) []command {
	auth := "-H 'Authorization: Bearer " + d.secret.DevKey.Reveal() + "'"
	through := fmt.Sprintf("%s \\\n    -H 'Provider-Config-Key: %s' -H 'Connection-Id: %s'", auth, integration, connection)
	return []command{
		{"Call the provider's API. Your code never sees the token:", fmt.Sprintf("curl '%s/proxy/tickets?limit=3' %s", d.world.url, through)},
		{
			"Create a ticket, then look at " + d.world.providerURL + ":",
			fmt.Sprintf("curl %s/proxy/tickets %s \\\n    -H 'Content-Type: application/json' -d '{\"subject\":\"Hello from Linkspan\"}'", d.world.url, through),
		},
		{
			"Make another link to connect an account:",
			fmt.Sprintf("curl %s/connect/sessions %s \\\n    -H 'Content-Type: application/json' -d '{\"tags\":{\"end_user_id\":\"you\"}}'", d.world.url, auth),
		},
	}
}
