package connect

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/credential"
)

// Limits of imported values, in characters.
const (
	maxAPIKey       = 1024
	maxBasic        = 1024
	maxClientID     = 255
	maxClientSecret = 2048
	maxName         = 255
	maxURL          = 2048
)

// invalidBody is the error of input with problems.
func invalidBody(op string, issues []linkspan.Issue) error {
	e := linkspan.E(op, linkspan.KindInvalid, "invalid_body", nil, "")
	e.Issues = issues
	return e
}

func issue(code, message string, path ...any) linkspan.Issue {
	return linkspan.Issue{Code: code, Message: message, Path: path}
}

// checkType refuses providers this version can't use and credentials that are
// not of the provider's kind.
func checkType(op string, p *catalog.Provider, t credential.Type) error {
	if reason, unsupported := p.Unsupported(); unsupported {
		return linkspan.E(op, linkspan.KindInvalid, "unsupported_provider", nil, "%s", reason)
	}
	if string(p.Auth.Mode) != string(t) {
		return linkspan.E(op, linkspan.KindInvalid, "invalid_body", nil, "Provider %s does not support %s auth", p.Auth.Mode, t)
	}
	return nil
}

// checkCredentials returns what is wrong with the texts of credentials.
func checkCredentials(c credential.Credentials) []linkspan.Issue {
	var l limits
	switch c.Type {
	case credential.APIKey:
		l.text(c.APIKey.Reveal(), 1, maxAPIKey, "credentials", "apiKey")
	case credential.Basic:
		l.text(c.Username.Reveal(), 0, maxBasic, "credentials", "username")
		l.text(c.Password.Reveal(), 0, maxBasic, "credentials", "password")
	case credential.OAuth2:
		l.text(c.AccessToken.Reveal(), 1, credential.MaxTokenLength, "credentials", "access_token")
		l.text(c.RefreshToken.Reveal(), 0, credential.MaxTokenLength, "credentials", "refresh_token")
		l.text(c.ClientID, 0, maxClientID, "credentials", "config_override", "client_id")
		l.text(c.ClientSecret.Reveal(), 0, maxClientSecret, "credentials", "config_override", "client_secret")
	case credential.None:
	}
	return l
}

// limits collects problems with the length of texts.
type limits []linkspan.Issue

func (l *limits) text(s string, least, most int, path ...any) {
	switch n := utf8.RuneCountInString(s); {
	case n < least:
		*l = append(*l, issue("too_small", fmt.Sprintf("Too small: expected string to have >=%d characters", least), path...))
	case n > most:
		*l = append(*l, issue("too_big", fmt.Sprintf("Too big: expected string to have <=%d characters", most), path...))
	}
}

// configKeys with a meaning of their own in connection_config.
const (
	keyWebhookURL   = "webhook_url"
	keyClientID     = "oauth_client_id_override"
	keyClientSecret = "oauth_client_secret_override"
)

// hoist checks connection_config and takes out of it what belongs elsewhere: the
// webhook URL, and the connection's own OAuth client, whose secret must not be
// readable there. It changes in and returns the problems.
func (in *ImportInput) hoist() []linkspan.Issue {
	if in.ConnectionConfig == nil {
		return nil
	}
	in.ConnectionConfig = maps.Clone(in.ConnectionConfig)
	var issues []linkspan.Issue
	for _, k := range slices.Sorted(maps.Keys(in.ConnectionConfig)) {
		if !isScalar(in.ConnectionConfig[k]) {
			issues = append(issues, issue("invalid_union", "Invalid input", "connection_config", k))
		}
	}
	if webhook, ok := in.ConnectionConfig[keyWebhookURL]; ok {
		delete(in.ConnectionConfig, keyWebhookURL)
		text, isText := webhook.(string)
		switch {
		case !isText:
			issues = append(issues, issue("invalid_type", "Invalid input: expected string", "connection_config", keyWebhookURL))
		case in.WebhookURLOverride != nil && *in.WebhookURLOverride != text:
			issues = append(issues, issue("custom", "connection_config.webhook_url and webhook_url_override are both given and differ", "webhook_url_override"))
		default:
			in.WebhookURLOverride = &text
		}
	}
	if in.Credentials.Type == credential.OAuth2 {
		in.hoistClient()
	}
	return issues
}

func (in *ImportInput) hoistClient() {
	if id, ok := in.ConnectionConfig[keyClientID].(string); ok {
		delete(in.ConnectionConfig, keyClientID)
		if in.Credentials.ClientID == "" {
			in.Credentials.ClientID = id
		}
	}
	if secret, ok := in.ConnectionConfig[keyClientSecret].(string); ok {
		delete(in.ConnectionConfig, keyClientSecret)
		if in.Credentials.ClientSecret.IsZero() {
			in.Credentials.ClientSecret = linkspan.NewSecret(secret)
		}
	}
}

// isScalar reports whether v is a JSON text, number, truth value or null.
func isScalar(v any) bool {
	switch v.(type) {
	case nil, string, bool, float64, json.Number, int, int64:
		return true
	default:
		return false
	}
}

// checkWebhookURL returns what is wrong with an override of the webhook URL.
func (s *Service) checkWebhookURL(text *string) []linkspan.Issue {
	if text == nil {
		return nil
	}
	return WebhookURL(*text, s.checkURL, "webhook_url_override")
}

// WebhookURL returns what is wrong with an override of the webhook URL, as issues
// under path. None is no problem. policy says whether webhooks may be sent to a
// URL; nil checks the form only.
func WebhookURL(text string, policy func(*url.URL) error, path ...any) []linkspan.Issue {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return []linkspan.Issue{issue("invalid_format", "Invalid URL", path...)}
	}
	if policy == nil || policy(u) == nil {
		return nil
	}
	return []linkspan.Issue{issue("custom", "Webhooks can't be sent to this URL: it is refused by the outbound policy", path...)}
}
