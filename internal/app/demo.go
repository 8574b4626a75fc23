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
	// onceTimeout bounds a demo that nobody watches, stepTimeout one of its steps.
	onceTimeout = 5 * time.Minute
	stepTimeout = time.Minute
	// openTimeout bounds the start of a browser.
	openTimeout = 10 * time.Second
)

// DemoOptions say how the demo runs.
type DemoOptions struct {
	// DataDir is where it keeps its data. Empty: in a new folder that is removed
	// at the end.
	DataDir string
	// CacheDir is where it keeps what can be made again. Empty: with the data.
	CacheDir string
	// Once makes it go through everything by itself and end.
	Once bool
	// Alone makes it connect the first account by itself.
	Alone bool
	// Open shows a page in the person's browser. Nil: there is none.
	Open func(ctx context.Context, url string) error
	// Deploy compiles the functions of a folder and deploys them to the environment
	// of a key.
	Deploy func(ctx context.Context, dir, host string, key api.Secret) ([]api.DeployedFunction, error)
	// Program is what a person types to run this program.
	Program string
	// Live allows lines in Out that change while one looks, Colour escape sequences
	// for colours.
	Live, Colour bool
	// Width returns how many characters a line of Out has room for. Nil: lines may
	// be of any length.
	Width func() int
	// Out gets the story, Log what operators would read.
	Out io.Writer
	Log *slog.Logger
}

// Demo runs a server with a provider to connect to and a receiver of webhooks,
// on this machine only: until ctx ends, or until it has gone through everything
// once. Nothing of it stays, unless it was given a folder.
func Demo(ctx context.Context, o DemoOptions) error { return newDemonstration(o).tell(ctx) }

// demonstration is one run of the demo.
type demonstration struct {
	DemoOptions
	// patience is how long a step may take.
	patience time.Duration
	began    time.Time
	screen   *screen
	secret   demoSecrets
	world    *demoWorld

	dev, account *client.Client
}

func newDemonstration(o DemoOptions) *demonstration {
	return &demonstration{DemoOptions: o, patience: stepTimeout, began: time.Now(), screen: newScreen(o)}
}

// tell runs the demo in its folder.
func (d *demonstration) tell(ctx context.Context) (err error) {
	if d.Once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, onceTimeout, fmt.Errorf("the demo was not through after %v", onceTimeout))
		defer cancel()
	}
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
	way := d.show
	if d.Once {
		way = d.goThrough
	}
	err = d.run(ctx, way)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return errors.Join(err, d.screen.err())
}

// run builds everything up, goes a way through it, and takes it down again.
func (d *demonstration) run(ctx context.Context, way func(context.Context) error) (err error) {
	release, err := claimDemoFolder(d.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if d.secret, err = openDemoSecrets(d.DataDir); err != nil {
		return err
	}
	d.screen.section("Linkspan demo")
	stop := d.screen.spin("Starting a server, a provider to connect to and a receiver of webhooks")
	d.world, err = startDemoWorld(ctx, d)
	stop()
	if err != nil {
		return d.unlessLeft(ctx, err)
	}
	defer func() { err = errors.Join(err, d.world.stop()) }()
	d.screen.done("Ticketry, to connect to", d.world.providerURL)
	d.screen.done("A receiver of webhooks", d.world.receiverURL)
	d.screen.done("Linkspan", joined(d.world.url, took(time.Since(d.began))))
	if err := d.setUp(ctx); err != nil {
		return d.unlessLeft(ctx, err)
	}
	return way(ctx)
}

// unlessLeft returns an error of the start, unless it came of a person leaving.
func (d *demonstration) unlessLeft(ctx context.Context, err error) error {
	if ctx.Err() != nil && !d.Once {
		return nil
	}
	return err
}

// setUp does what a customer does once: where webhooks go, which providers and
// functions there are.
func (d *demonstration) setUp(ctx context.Context) (err error) {
	if d.dev, err = client.New(d.world.url, d.secret.DevKey); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	if d.account, err = client.New(d.world.url, d.secret.AccountKey); err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return d.each(ctx, new(walk), []step{
		{what: "Webhooks go to the receiver", do: d.stepSettings},
		{what: "Integrations of Ticketry", do: d.stepIntegrations},
		{what: "TypeScript functions deployed", do: d.stepDeploy},
	})
}

func (d *demonstration) stepSettings(ctx context.Context, _ *walk) (string, error) {
	environments, err := d.account.Environments(ctx, "dev")
	if err != nil {
		return "", err
	}
	if len(environments) != 1 {
		return "", fmt.Errorf("%d environments are called dev, not one", len(environments))
	}
	change := api.UpdateEnvironmentSettings{}
	change.Webhooks = &api.WebhookOptions{PrimaryURL: &d.world.receiverURL, OnSyncError: new(true)}
	change.ConnectUI = &api.ConnectUIOptions{AppName: new("Linkspan demo")}
	_, err = d.account.UpdateEnvironmentSettings(ctx, environments[0].UUID, change)
	return "", err
}

func demoProviders() []string {
	return []string{demo.ProviderOAuth, demo.ProviderKey, demo.ProviderBasic}
}

// stepIntegrations makes the integrations, and removes the connections that an
// earlier demo in the same folder made by OAuth: Ticketry has forgotten them.
func (d *demonstration) stepIntegrations(ctx context.Context, _ *walk) (string, error) {
	for _, provider := range demoProviders() {
		if err := d.integrate(ctx, provider); err != nil {
			return "", fmt.Errorf("integrating %s: %w", provider, err)
		}
	}
	gone := 0
	for old, err := range d.dev.AllConnections(ctx, api.ConnectionsQuery{IntegrationID: []string{demo.ProviderOAuth}}) {
		if err != nil {
			return "", fmt.Errorf("listing the connections of an earlier demo: %w", err)
		}
		if err := d.dev.DeleteConnection(ctx, demo.ProviderOAuth, old.ConnectionID); err != nil {
			return "", fmt.Errorf("deleting a connection of an earlier demo: %w", err)
		}
		gone++
	}
	detail := "OAuth 2, API key, login"
	if gone > 0 {
		detail = joined(detail, plural(gone, "old connection", "old connections")+" deleted")
	}
	return detail, nil
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
