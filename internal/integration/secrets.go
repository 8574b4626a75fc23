package integration

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

// Credentials are a developer app's credentials; which fields count depends on
// Type (features INT-07).
type Credentials struct {
	Type         catalog.AuthMode
	ClientID     string
	ClientSecret linkspan.Secret
	// Scopes are comma separated. nil means the provider's defaults on
	// creation and no change later.
	Scopes *string
	// WebhookSecret is nil for no change.
	WebhookSecret *linkspan.Secret
	AppID         string
	AppLink       string
	PrivateKey    linkspan.Secret
}

// CredentialsOf returns the credentials of an integration, and false when its
// provider's mode has none, they were never set, or they are the operator's.
func CredentialsOf(i *linkspan.Integration, mode catalog.AuthMode) (Credentials, bool) {
	s := &i.Secrets
	if !takesCredentials(mode) || s.Shared || (s.ClientID == "" && s.ClientSecret.IsZero() && s.AppID == "") {
		return Credentials{}, false
	}
	return Credentials{
		Type: mode, ClientID: s.ClientID, ClientSecret: s.ClientSecret, Scopes: &s.Scopes, WebhookSecret: &s.WebhookSecret,
		AppID: s.AppID, AppLink: s.AppLink, PrivateKey: s.PrivateKey,
	}, true
}

// takesCredentials reports whether integrations of the mode hold a developer
// app's credentials.
func takesCredentials(mode catalog.AuthMode) bool {
	return mode == catalog.ModeOAuth1 || mode == catalog.ModeOAuth2 || mode == catalog.ModeTBA || mode == catalog.ModeApp || mode == catalog.ModeCustom
}

// setCredentials writes c into the secrets if it suits the provider.
func setCredentials(to *linkspan.IntegrationSecrets, p *catalog.Provider, c *Credentials, creating bool) error {
	if c == nil {
		if takesCredentials(p.Auth.Mode) {
			return invalidText("integration.setCredentials", "Missing credentials")
		}
		return nil
	}
	if !takesCredentials(p.Auth.Mode) || c.Type != p.Auth.Mode {
		return invalidText("integration.setCredentials", "incompatible credentials auth type and provider auth")
	}
	if to.Shared { // nothing of the operator's app stays
		*to = linkspan.IntegrationSecrets{Custom: to.Custom, Scopes: to.Scopes}
	}
	if c.Type == catalog.ModeApp || c.Type == catalog.ModeCustom {
		to.AppID, to.AppLink, to.PrivateKey = c.AppID, c.AppLink, c.PrivateKey
	}
	if c.Type == catalog.ModeApp {
		return nil
	}
	to.ClientID, to.ClientSecret = c.ClientID, c.ClientSecret
	if c.Scopes != nil {
		to.Scopes = *c.Scopes
	} else if creating {
		to.Scopes = strings.Join(p.Auth.Scopes.Default, ",")
	}
	if c.WebhookSecret != nil {
		to.WebhookSecret = *c.WebhookSecret
	}
	return nil
}

// configure changes the integration's own values: those of the provider's form
// and free ones. The result as a whole must satisfy the form.
func configure(to *linkspan.IntegrationSecrets, p *catalog.Provider, config, custom map[string]string, creating bool) error {
	form := p.Inputs.IntegrationConfig
	if issues := strangers(form, config); len(issues) > 0 {
		return invalid("integration.configure", nil, issues...)
	}
	values := make(map[string]string, len(to.Custom)+len(config)+len(custom))
	for name, v := range to.Custom {
		values[name] = v.Reveal()
	}
	if creating {
		for i := range form {
			if d := form[i].Default; d != nil && *d != "" && !form[i].System {
				values[form[i].Name] = *d
			}
		}
	}
	merge(values, form, custom)
	merge(values, form, config)
	if issues := check(form, values); len(issues) > 0 {
		return invalid("integration.configure", nil, issues...)
	}
	to.Custom = make(map[string]linkspan.Secret, len(values))
	for name, v := range values {
		to.Custom[name] = linkspan.NewSecret(v)
	}
	return nil
}

// merge lays changes over values: an empty one removes a value, and a masked
// secret stays as it is.
func merge(values map[string]string, form catalog.Fields, changes map[string]string) {
	for name, v := range changes {
		f := form.Lookup(name)
		switch {
		case v == Masked && f != nil && f.Secret:
		case v == "":
			delete(values, name)
		default:
			values[name] = v
		}
	}
}

// strangers reports names that the provider's form does not ask for.
func strangers(form catalog.Fields, config map[string]string) []linkspan.Issue {
	if len(form) == 0 && len(config) > 0 {
		return []linkspan.Issue{{
			Code:    "custom",
			Message: "The provider has no integration configuration: put free values into custom",
			Path:    []any{"integration_config"},
		}}
	}
	var issues []linkspan.Issue
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if f := form.Lookup(name); f == nil || f.System {
			issues = append(issues, linkspan.Issue{
				Code:    "unrecognized_keys",
				Message: `Unrecognized key: "` + name + `"`,
				Path:    []any{"integration_config"},
			})
		}
	}
	return issues
}

func check(form catalog.Fields, values map[string]string) []linkspan.Issue {
	var issues []linkspan.Issue
	for _, err := range form.Validate(values) {
		issue := linkspan.Issue{Code: "custom", Message: "The provider's rule for this value can't be checked", Path: []any{"integration_config"}}
		if fe, ok := errors.AsType[*catalog.FieldError](err); ok {
			issue.Message = fe.Message
			issue.Path = append(issue.Path, fe.Field)
		}
		issues = append(issues, issue)
	}
	return issues
}

// Custom returns the integration's own values for showing: secret fields of the
// provider's form are masked.
func Custom(i *linkspan.Integration, p *catalog.Provider) map[string]string {
	shown := make(map[string]string, len(i.Secrets.Custom))
	for name, v := range i.Secrets.Custom {
		shown[name] = v.Reveal()
		if f := p.Inputs.IntegrationConfig.Lookup(name); f != nil && f.Secret {
			shown[name] = Masked
		}
	}
	return shown
}

// keyLabel is the value in which generic providers keep what the API key is
// called where end users are asked for it.
const keyLabel = "keyLabel"

// CredentialsLabel returns the titles that the integration gives to fields of
// the form which end users fill in, by field, or nil. The value of a secret
// field of the integration is never a title.
func CredentialsLabel(i *linkspan.Integration, p *catalog.Provider) map[string]string {
	f := p.Inputs.IntegrationConfig.Lookup(keyLabel)
	if label := i.Secrets.Custom[keyLabel].Reveal(); f != nil && !f.Secret && label != "" {
		return map[string]string{"apiKey": label}
	}
	return nil
}
