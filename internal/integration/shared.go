package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

// SharedApp is a developer app of the operator's, for customers to look around
// with before they have one of their own (features INT-08).
type SharedApp struct {
	ClientID      string
	ClientSecret  linkspan.Secret
	Scopes        *string // comma separated; nil: the provider's defaults
	WebhookSecret linkspan.Secret
	AppID         string
	AppLink       string
	PrivateKey    linkspan.Secret
}

// UseSharedApps has Quickstart use the operator's apps, by provider. It must be
// called before anything else is. The error names what can't be, without secrets.
func (s *Service) UseSharedApps(apps map[string]SharedApp) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		if err := s.checkShared(name, apps[name]); err != nil {
			errs = append(errs, fmt.Errorf("the shared app of %s: %w", name, err))
		}
	}
	s.shared = apps
	return errors.Join(errs...)
}

func (s *Service) checkShared(name string, app SharedApp) error {
	p, err := s.providers.Provider(name)
	if err != nil {
		return errors.New("there is no such provider")
	}
	if reason, unsupported := p.Unsupported(); unsupported {
		return fmt.Errorf("%s can't be used with this version: %s", p.DisplayName, reason)
	}
	mode := p.Auth.Mode
	if !takesCredentials(mode) {
		return fmt.Errorf("%s needs no developer app", p.DisplayName)
	}
	if mode != catalog.ModeApp && (app.ClientID == "" || app.ClientSecret.IsZero()) {
		return errors.New("client_id and client_secret are needed")
	}
	if (mode == catalog.ModeApp || mode == catalog.ModeCustom) && (app.AppID == "" || app.AppLink == "" || app.PrivateKey.IsZero()) {
		return errors.New("app_id, app_link and private_key are needed")
	}
	if mentionsSecret(p) {
		return fmt.Errorf("calls of %s carry the client secret, and their callers may name another host", p.DisplayName)
	}
	if leaks(p) {
		return fmt.Errorf("whoever connects an account of %s names the host that gets the client secret: every customer could have it sent to one of their own", p.DisplayName)
	}
	return nil
}

// mentionsSecret reports whether every call to the provider carries the secret.
func mentionsSecret(p *catalog.Provider) bool {
	if p.API == nil {
		return false
	}
	found := false
	look := func(t *catalog.Template) { found = found || slices.Contains(t.Refs(), "clientSecret") }
	p.API.Headers.Templates(look)
	p.API.Query.Templates(look)
	return found
}

// leaks reports whether users choose the host of the provider's token endpoint.
func leaks(p *catalog.Provider) bool {
	for i := range p.Auth.Token.URL {
		if chosenHost(p.Auth.Token.URL[i].String()) {
			return true
		}
	}
	return p.Auth.Refresh.URL != nil && chosenHost(p.Auth.Refresh.URL.String())
}

// chosenHost reports whether the host in the text of a URL's template ends in what
// somebody fills in.
func chosenHost(text string) bool {
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
	}
	depth, end := 0, len(text)
	for i, c := range text {
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case depth == 0 && (c == '/' || c == '?' || c == '#' || c == ':'):
			end = min(end, i)
		}
	}
	return strings.HasSuffix(text[:end], "}")
}

// QuickstartInput is a new integration on an app of the operator's.
type QuickstartInput struct {
	Provider        string
	Key             string
	DisplayName     string // empty: the provider's own
	ForwardWebhooks *bool  // nil: true
}

// Quickstart makes an integration on an app of the operator's. It says first whether
// the provider needs such an app at all. Codes: those of Create.
func (s *Service) Quickstart(ctx context.Context, env linkspan.EnvironmentID, in QuickstartInput) (linkspan.Integration, error) {
	const op = "integration.Quickstart"
	p, err := s.usableProvider(in.Provider)
	if err != nil {
		return linkspan.Integration{}, err
	}
	if !takesCredentials(p.Auth.Mode) {
		return linkspan.Integration{}, invalidText(op, "Quickstart is only available for providers that require a developer app")
	}
	app, ok := s.shared[p.Name]
	if !ok {
		return linkspan.Integration{}, invalidText(op, "No shared developer app is configured for this provider: register an app with %s and create the integration with its credentials", p.DisplayName)
	}
	c := Credentials{
		Type: p.Auth.Mode, ClientID: app.ClientID, ClientSecret: app.ClientSecret, Scopes: app.Scopes,
		AppID: app.AppID, AppLink: app.AppLink, PrivateKey: app.PrivateKey,
	}
	if !app.WebhookSecret.IsZero() {
		c.WebhookSecret = &app.WebhookSecret
	}
	return s.create(ctx, env, CreateInput{
		Provider: in.Provider, Key: in.Key, DisplayName: in.DisplayName, ForwardWebhooks: in.ForwardWebhooks, Credentials: &c,
	}, true)
}
