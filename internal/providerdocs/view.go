package providerdocs

import (
	"cmp"
	"html/template"
	"slices"
	"strings"
	"unicode"

	"github.com/linkspan/linkspan/catalog"
)

// frame is what every page needs.
type frame struct {
	Title string
	Style template.CSS
	// Home is the path of the index.
	Home string
}

func (h *Handler) frame(title string) frame {
	return frame{Title: title, Style: h.style, Home: h.path("/docs/providers")}
}

// path returns a path of this server as the browser sees it: the public URL may
// have a path of its own.
func (h *Handler) path(path string) string {
	_, rest, ok := strings.Cut(h.base, "://")
	if !ok {
		return path
	}
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:] + path
	}
	return path
}

func (h *Handler) logoPath(name string) string {
	return h.path("/images/template-logos/" + name + ".svg")
}

type missingView struct {
	frame
	Name string
}

// indexView is the list of providers.
type indexView struct {
	frame
	Query  string
	Count  int
	Groups []indexGroup
}

// indexGroup holds the providers under one letter.
type indexGroup struct {
	Letter    string
	Anchor    string
	Providers []indexEntry
}

type indexEntry struct {
	Name, DisplayName, Mode, Path, Logo string
	Later                               bool
}

func newIndexView(h *Handler, query string, found []catalog.Summary) indexView {
	v := indexView{frame: h.frame("Providers"), Query: query, Count: len(found)}
	slices.SortStableFunc(found, func(a, b catalog.Summary) int {
		return strings.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName))
	})
	for _, s := range found {
		letter := "#"
		if first := unicode.ToUpper([]rune(s.DisplayName)[0]); first >= 'A' && first <= 'Z' {
			letter = string(first)
		}
		if len(v.Groups) == 0 || v.Groups[len(v.Groups)-1].Letter != letter {
			v.Groups = append(v.Groups, indexGroup{Letter: letter, Anchor: cmp.Or(strings.Trim(letter, "#"), "0-9")})
		}
		group := &v.Groups[len(v.Groups)-1]
		group.Providers = append(group.Providers, indexEntry{
			Name: s.Name, DisplayName: s.DisplayName, Mode: modeName(s.AuthMode),
			Path: h.path("/docs/providers/" + s.Name), Logo: h.logoPath(s.Name), Later: s.Unsupported,
		})
	}
	return v
}

// providerView is the page of one provider.
type providerView struct {
	frame
	*catalog.Provider
	Logo        string
	Mode        string
	ModeText    string
	Unsupported string
	Callback    string
	Scopes      []string
	Integration []inputView
	Credentials []inputView
	Settings    []inputView
	System      []string
	BaseURLs    []string
	Sent        []sentView
	Limits      []sentence
	Pages       []sentence
	Verified    []sentence
	Samples     []sample
}

// inputView is one input as the reader sees it.
type inputView struct {
	Name, Label, Help, Example, Pattern, Format, Prefix, Suffix, Default, When string
	Required, Secret, HasDefault                                               bool
	Choices                                                                    []catalog.Choice
}

// sentView is one value that calls carry.
type sentView struct{ Where, Name, Value string }

// sentence is text with code in between: Parts at odd places are code.
type sentence struct{ Parts []string }

// say splits text at back quotes.
func say(text string) sentence { return sentence{strings.Split(text, "`")} }

func newProviderView(h *Handler, p *catalog.Provider) providerView {
	v := providerView{
		frame: h.frame(p.DisplayName), Provider: p, Logo: h.logoPath(p.Name),
		Mode: modeName(p.Auth.Mode), ModeText: modeText(p.Auth.Mode), Scopes: p.Auth.Scopes.Default,
		Integration: inputs(p.Inputs.IntegrationConfig),
		Credentials: inputs(append(baseFields(p), p.Inputs.Credentials...)),
		Settings:    inputs(p.Inputs.ConnectionConfig),
		Limits:      limits(p.API), Pages: pages(p.API), Verified: verification(p), Sent: sent(p),
	}
	v.Credentials = append(v.Credentials, inputs(p.Inputs.Assertion)...)
	v.Unsupported, _ = p.Unsupported()
	if usesCallback(p.Auth.Mode) {
		v.Callback = h.base + "/oauth/callback"
	}
	for _, f := range p.Inputs.ConnectionConfig {
		if f.System {
			v.System = append(v.System, f.Name)
		}
	}
	if p.API != nil {
		for i := range p.API.BaseURL {
			v.BaseURLs = append(v.BaseURLs, p.API.BaseURL[i].String())
		}
	}
	if v.Unsupported == "" {
		v.Samples = samples(h.base, p)
	}
	return v
}

// baseFields returns the inputs that the mode has by itself and the entry does
// not describe.
func baseFields(p *catalog.Provider) catalog.Fields {
	var base catalog.Fields
	switch p.Auth.Mode {
	case catalog.ModeAPIKey:
		base = catalog.Fields{{Name: "apiKey", Title: "API key", Required: true, Secret: true}}
	case catalog.ModeBasic:
		base = catalog.Fields{{Name: "username", Title: "User name"}, {Name: "password", Title: "Password", Secret: true}}
	case catalog.ModeOAuth2CC:
		base = catalog.Fields{{Name: "client_id", Title: "Client ID", Required: true}, {Name: "client_secret", Title: "Client secret", Required: true, Secret: true}}
	default:
	}
	var missing catalog.Fields
	for _, f := range base {
		if p.Inputs.Credentials.Lookup(f.Name) == nil {
			missing = append(missing, f)
		}
	}
	return missing
}

// inputs returns the fields that a person is asked for, in the order of a form.
func inputs(fields catalog.Fields) []inputView {
	var views []inputView
	for _, f := range fields.Ordered() {
		if !f.Asked() {
			continue
		}
		v := inputView{
			Name: f.Name, Label: f.Label(), Help: f.Help, Example: f.Example, Pattern: f.Pattern.String(), Format: formatName(f.Format),
			Prefix: f.Prefix, Suffix: f.Suffix, Required: f.Required && f.Default == nil, Secret: f.Secret, Choices: f.Choices,
		}
		if f.Default != nil && *f.Default != "" {
			v.Default, v.HasDefault = *f.Default, true
		}
		if c := f.VisibleWhen; c != nil {
			v.When = c.Field + " is " + c.Equals
		}
		views = append(views, v)
	}
	return views
}

func formatName(format string) string {
	switch format {
	case "hostname":
		return "host name"
	case "uri":
		return "URL"
	case "uuid":
		return "UUID"
	case "email":
		return "e-mail address"
	}
	return ""
}
