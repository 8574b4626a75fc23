package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/catalog"
)

const integrationsCreateLong = `Sets a provider up. What the provider needs and no flag gives is asked on a terminal;
linkspan providers show NAME says what that is.

Secrets are not taken from the command line, where the shell's history and other
users would see them: --client-secret, --private-key and --webhook-secret are - for
the standard input, @FILE, or env:VARIABLE. The same goes for secret values of
--config.

` + remoteHelp + ` The key needs the scope environment:integrations:create.`

// integrationOptions are the flags of integrations create.
type integrationOptions struct {
	serverOptions

	key, display                            string
	clientID, clientSecret, scopes          string
	appID, appLink, privateKey, hookSecret  string
	config, custom                          []string
	noWebhooks, quickstart, skipped, asJSON bool
}

func newIntegrationsCreate(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create PROVIDER",
		Short: "Set a provider up",
		Long:  integrationsCreateLong,
		Example: `  linkspan integrations create github --client-id Iv1.abc
  linkspan integrations create github --key github-eu --client-id Iv1.abc --client-secret @secret.txt --scopes repo,user
  printenv SECRET | linkspan integrations create hubspot --client-id abc --client-secret -`,
		Args: usage(cobra.ExactArgs(1)),
	}
	var o integrationOptions
	o.add(cmd, sys)
	flags := cmd.Flags()
	flags.StringVar(&o.key, "key", "", "unique key of the integration; the provider's name unless told")
	flags.StringVar(&o.display, "display-name", "", "what people see")
	flags.StringVar(&o.clientID, "client-id", "", "client id of the app at the provider")
	flags.StringVar(&o.clientSecret, "client-secret", "", "its client secret: -, @FILE or env:VARIABLE")
	flags.StringVar(&o.scopes, "scopes", "", "scopes to ask for, with commas between; those of the provider unless told")
	flags.StringVar(&o.appID, "app-id", "", "id of an app that is installed, such as a GitHub app")
	flags.StringVar(&o.appLink, "app-link", "", "its public page")
	flags.StringVar(&o.privateKey, "private-key", "", "its private key, a PEM text: -, @FILE or env:VARIABLE")
	flags.StringVar(&o.hookSecret, "webhook-secret", "", "what the provider signs webhooks with: -, @FILE or env:VARIABLE")
	flags.StringArrayVar(&o.config, "config", nil, "a setting that the provider asks for, as name=value; may be repeated")
	flags.StringArrayVar(&o.custom, "custom", nil, "a free value, as name=value; may be repeated")
	flags.BoolVar(&o.noWebhooks, "no-webhooks", false, "do not pass the provider's webhooks on")
	flags.BoolVar(&o.quickstart, "quickstart", false, "use a developer app that the server's operator shares, if there is one")
	flags.BoolVar(&o.skipped, "no-credentials", false, "set no app up yet")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON, and ask nothing")
	cmd.ValidArgsFunction = completeProvider
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), sys, args[0]) }
	return cmd
}

func (o *integrationOptions) run(ctx context.Context, sys System, name string) error {
	r, err := o.find(sys)
	if err != nil {
		return err
	}
	p, err := findProvider(name)
	if err != nil {
		return err
	}
	s := &secrets{inputReader: inputReader{sys: sys, dir: o.dir}, asker: newAsker(sys, newTerminal(sys, sys.Stderr))}
	if o.asJSON {
		s.asker.in = nil
	}
	in, err := o.integration(ctx, s, p)
	if err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	var made api.Integration
	if o.quickstart {
		made, err = r.client.QuickstartIntegration(ctx, api.QuickstartIntegration{
			Provider: in.Provider, UniqueKey: in.UniqueKey, DisplayName: in.DisplayName, ForwardWebhooks: in.ForwardWebhooks,
		})
	} else {
		made, err = r.client.CreateIntegration(ctx, in)
	}
	if err != nil {
		return r.explain(err)
	}
	if o.asJSON {
		return showIntegration(sys, made, true)
	}
	t := newTerminal(sys, sys.Stdout)
	t.println(t.paint(styleGreen, "✓"), " The integration ", t.paint(styleBold, printable(made.UniqueKey)), " is set up in ", r.name)
	t.println("Next: connect an account with ", t.paint(styleCyan, "linkspan connect "+made.UniqueKey))
	return t.err
}

// integration makes the body of what the flags say, and asks for the rest.
func (o *integrationOptions) integration(ctx context.Context, s *secrets, p *catalog.Provider) (api.CreateIntegration, error) {
	in := api.CreateIntegration{Provider: p.Name, UniqueKey: cmp.Or(o.key, p.Name)}
	if o.display != "" {
		in.DisplayName = &o.display
	}
	if o.noWebhooks {
		in.ForwardWebhooks = new(false)
	}
	if o.quickstart {
		return in, nil
	}
	var err error
	if in.Custom, err = pairs("--custom", o.custom); err != nil {
		return in, err
	}
	if in.IntegrationConfig, err = o.configuration(ctx, s, p); err != nil || o.skipped {
		return in, err
	}
	in.Credentials, err = o.credentials(ctx, s, p)
	return in, err
}

// configuration reads what the provider asks of an integration.
func (o *integrationOptions) configuration(ctx context.Context, s *secrets, p *catalog.Provider) (map[string]string, error) {
	values, err := pairs("--config", o.config)
	if err != nil {
		return nil, err
	}
	fields := p.Inputs.IntegrationConfig
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f := fields.Lookup(name)
		if f == nil {
			return nil, &usageError{fmt.Errorf("--config: %s has no setting %q", p.Name, name)}
		}
		if !f.Secret {
			continue
		}
		if values[name], err = s.value("--config "+name, values[name]); err != nil {
			return nil, err
		}
	}
	for i := range fields {
		f := &fields[i]
		if _, given := values[f.Name]; given || f.Hidden || f.System || !f.Required || f.Default != nil {
			continue
		}
		if values[f.Name], err = s.ask(ctx, "--config "+f.Name, cmp.Or(f.Title, f.Name), "", f.Secret); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// credentialFlags are the flags that give the credentials of an app at a provider.
func credentialFlags(mode catalog.AuthMode) []string {
	client, app := []string{"--client-id", "--client-secret"}, []string{"--app-id", "--app-link", "--private-key"}
	switch mode {
	case catalog.ModeOAuth1, catalog.ModeOAuth2, catalog.ModeTBA:
		return client
	case catalog.ModeApp:
		return app
	case catalog.ModeCustom:
		return append(client, app...)
	default:
		return nil
	}
}

// credentials reads the credentials of the app. Nil: the provider needs none.
func (o *integrationOptions) credentials(ctx context.Context, s *secrets, p *catalog.Provider) (*api.IntegrationCredentialsInput, error) {
	needed := credentialFlags(p.Auth.Mode)
	values := make(map[string]string)
	for _, of := range []struct {
		flag, question, given string
		secret                bool
	}{
		{"--client-id", "Client id", o.clientID, false},
		{"--client-secret", "Client secret", o.clientSecret, true},
		{"--app-id", "App id", o.appID, false},
		{"--app-link", "Public page of the app", o.appLink, false},
		{"--private-key", "Private key: - or @FILE or env:VARIABLE", o.privateKey, true},
	} {
		if !slices.Contains(needed, of.flag) {
			if of.given != "" {
				return nil, &usageError{fmt.Errorf("%s: integrations of %s have no such thing, for it authenticates with %s", of.flag, p.Name, p.Auth.Mode)}
			}
			continue
		}
		var err error
		if values[of.flag], err = s.ask(ctx, of.flag, of.question, of.given, of.secret); err != nil {
			return nil, err
		}
	}
	return o.app(s, p.Auth.Mode, values)
}

// app puts the credentials together.
func (o *integrationOptions) app(s *secrets, mode catalog.AuthMode, values map[string]string) (*api.IntegrationCredentialsInput, error) {
	secret := func(flag string) api.Secret { return api.Secret(values[flag]) }
	switch mode {
	case catalog.ModeOAuth1, catalog.ModeOAuth2, catalog.ModeTBA:
		app := api.OAuthApp{Type: string(mode), ClientID: values["--client-id"], ClientSecret: secret("--client-secret")}
		if o.scopes != "" {
			app.Scopes = api.Some(strings.Join(strings.FieldsFunc(o.scopes, func(r rune) bool { return r == ',' || r == ' ' }), ","))
		}
		if o.hookSecret != "" {
			text, err := s.value("--webhook-secret", o.hookSecret)
			if err != nil {
				return nil, err
			}
			app.WebhookSecret = api.Some(api.Secret(text))
		}
		return api.NewIntegrationCredentials(app), nil
	case catalog.ModeApp:
		return api.NewIntegrationCredentials(api.App{
			Type: string(mode), AppID: values["--app-id"], AppLink: values["--app-link"], PrivateKey: secret("--private-key"),
		}), nil
	case catalog.ModeCustom:
		return api.NewIntegrationCredentials(api.CustomApp{
			Type: string(mode), ClientID: values["--client-id"], ClientSecret: secret("--client-secret"),
			AppID: values["--app-id"], AppLink: values["--app-link"], PrivateKey: secret("--private-key"),
		}), nil
	default:
		if o.scopes != "" || o.hookSecret != "" {
			return nil, &usageError{fmt.Errorf("--scopes and --webhook-secret are for providers with an app, and %s has none", mode)}
		}
		return nil, nil //nolint:nilnil // there are no credentials
	}
}
