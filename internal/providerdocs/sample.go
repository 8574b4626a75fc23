package providerdocs

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan/catalog"
)

// sample is one command of the walk-through.
type sample struct {
	Title string
	Text  string
	Code  string
}

// samples are the commands that lead from nothing to a proxied call.
func samples(base string, p *catalog.Provider) []sample {
	list := []sample{{
		Title: "Create the integration",
		Text:  "Once per environment. The key names the integration in all later calls.",
		Code:  curl(base+"/integrations", nil, integrationBody(p)),
	}, {
		Title: "Import a connection",
		Text:  "One for each of your users. Send what you hold already; it is stored encrypted.",
		Code:  curl(base+"/connections", nil, connectionBody(p)),
	}}
	if p.API != nil && len(p.API.BaseURL) > 0 {
		list = append(list, sample{
			Title: "Call the API",
			Text:  "The path is the provider's own. Credentials are added on the way.",
			Code:  curl(base+"/proxy"+samplePath(p), []string{"Provider-Config-Key: " + p.Name, "Connection-Id: user-1"}, nil),
		})
	}
	return list
}

// samplePath is a path the provider surely has: that of its verification call,
// when it is a plain GET.
func samplePath(p *catalog.Provider) string {
	if v := p.API.Verify; v != nil && v.Method != http.MethodPost && v.BaseURL == nil {
		for i := range v.Paths {
			if path := v.Paths[i].String(); v.Paths[i].IsLiteral() && strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "'\\") {
				return path
			}
		}
	}
	return "/path/of/the/api"
}

func integrationBody(p *catalog.Provider) catalog.Object {
	body := catalog.Object{{Name: "unique_key", Value: p.Name}, {Name: "provider", Value: p.Name}}
	if p.Auth.Mode == catalog.ModeOAuth2 {
		credentials := catalog.Object{{Name: "type", Value: "OAUTH2"}, {Name: "client_id", Value: "…"}, {Name: "client_secret", Value: "…"}}
		if len(p.Auth.Scopes.Default) > 0 {
			credentials = append(credentials, catalog.Entry{Name: "scopes", Value: strings.Join(p.Auth.Scopes.Default, ",")})
		}
		body = append(body, catalog.Entry{Name: "credentials", Value: credentials})
	}
	if config := sampleValues(p.Inputs.IntegrationConfig); len(config) > 0 {
		body = append(body, catalog.Entry{Name: "integration_config", Value: config})
	}
	return body
}

func connectionBody(p *catalog.Provider) catalog.Object {
	credentials := catalog.Object{{Name: "type", Value: p.Auth.Mode}}
	switch p.Auth.Mode {
	case catalog.ModeAPIKey:
		credentials = append(credentials, catalog.Entry{Name: "apiKey", Value: "…"})
	case catalog.ModeBasic:
		for _, name := range []string{"username", "password"} {
			value := "…"
			if f := p.Inputs.Credentials.Lookup(name); f != nil && f.Hidden && f.Default != nil {
				value = *f.Default
			}
			credentials = append(credentials, catalog.Entry{Name: name, Value: value})
		}
	case catalog.ModeOAuth2:
		credentials = append(credentials, catalog.Object{
			{Name: "access_token", Value: "…"}, {Name: "refresh_token", Value: "…"}, {Name: "expires_at", Value: "2030-01-31T12:00:00Z"},
		}...)
	default:
	}
	body := catalog.Object{
		{Name: "provider_config_key", Value: p.Name},
		{Name: "connection_id", Value: "user-1"},
		{Name: "credentials", Value: credentials},
	}
	if config := sampleValues(p.Inputs.ConnectionConfig); len(config) > 0 {
		body = append(body, catalog.Entry{Name: "connection_config", Value: config})
	}
	return body
}

// sampleValues gives required inputs an example, a choice or an ellipsis.
func sampleValues(fields catalog.Fields) catalog.Object {
	var values catalog.Object
	for _, f := range fields.Ordered() {
		if !f.Required || f.System || !fields.Visible(f.Name, nil) {
			continue
		}
		value := "…"
		switch {
		case f.Default != nil && *f.Default != "":
			value = *f.Default
		case len(f.Choices) > 0:
			value = f.Choices[0].Value
		case f.Example != "" && !f.Secret:
			value = f.Example
		}
		values = append(values, catalog.Entry{Name: f.Name, Value: value})
	}
	return values
}

// curl writes a command that can be pasted into a POSIX shell. With a body it is
// a POST of JSON.
func curl(url string, headers []string, body catalog.Object) string {
	var b strings.Builder
	b.WriteString("curl '" + url + "' \\\n  -H \"Authorization: Bearer $LINKSPAN_SECRET_KEY\"")
	for _, header := range headers {
		b.WriteString(" \\\n  -H " + quote(header))
	}
	if body == nil {
		return b.String()
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("  ", "  ")
	if err := encoder.Encode(body); err != nil {
		return b.String()
	}
	b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d " + quote(strings.TrimSpace(text.String())))
	return b.String()
}

// quote puts text into single quotes of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
