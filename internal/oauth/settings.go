package oauth

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/catalog"
)

const settingPrefix = "connectionConfig."

// settings are a connection's connection_config as the templates of its provider
// see it.
type settings struct {
	provider *catalog.Provider
	vars     *catalog.Scope
}

func newSettings(p *catalog.Provider, config map[string]any) *settings {
	return &settings{provider: p, vars: templateVars(config)}
}

// templateVars are the variables of URLs and parameters: the values of
// connection_config, with and without its name in front.
func templateVars(config map[string]any) *catalog.Scope {
	values := make(map[string]any, len(config)+1)
	maps.Copy(values, config)
	values["connectionConfig"] = config
	return catalog.NewScope(values)
}

// check holds the settings that end up in an address against the rules of their
// fields. The rules keep addresses at the provider's own hosts: an extension of
// "com.evil.example" would lead the client's secret elsewhere.
func (s *settings) check() error {
	a := &s.provider.Auth
	refs := slices.Concat(a.Authorize.URL.Refs(), a.Token.URL.Refs())
	for _, u := range []*catalog.Template{a.Refresh.URL, a.Token.IntrospectionURL} {
		if u != nil {
			refs = append(refs, u.Refs()...)
		}
	}
	return s.checkRefs(refs)
}

// checkRefs holds the settings that the variables name against the rules of their
// fields.
func (s *settings) checkRefs(refs []string) error {
	for _, ref := range refs {
		field := s.field(ref)
		if field == nil {
			continue
		}
		value, ok := s.vars.Lookup(ref)
		if !ok || value == "" {
			continue // whether it is needed shows when the address is filled
		}
		if err := field.Validate(value); err != nil {
			if f, ok := errors.AsType[*catalog.FieldError](err); ok {
				return urlParamError("%s", f.Message)
			}
			return fmt.Errorf("checking the settings of the connection: %w", err)
		}
	}
	return nil
}

// field returns the field that a variable belongs to, or nil.
func (s *settings) field(ref string) *catalog.Field {
	name, ok := strings.CutPrefix(ref, settingPrefix)
	if !ok {
		return nil
	}
	return s.provider.Inputs.ConnectionConfig.Lookup(name)
}

// consentPage fills the address of the consent page.
func (s *settings) consentPage() (*url.URL, error) {
	a := &s.provider.Auth.Authorize
	expand := a.URL.Expand
	if slices.Contains(a.Rewrite.LeaveUnescaped, "base_url") {
		expand = a.URL.ExpandBase
	}
	page, err := expand(s.vars)
	if err != nil {
		return nil, s.unfilled("consent page", a.URL, err)
	}
	return page, nil
}

// tokenRequestFillable reports early what would otherwise fail once the user has
// consented. What the redirect brings is not known yet and taken for granted.
func (s *settings) tokenRequestFillable() error {
	t := &s.provider.Auth.Token
	if _, err := t.URL.Expand(s.vars); err != nil && !s.filledLater(t.URL) {
		return s.unfilled("token endpoint", t.URL, err)
	}
	for i := range t.Params {
		p := &t.Params[i]
		if _, ok := p.Expand(s.vars); ok || s.allBrought(s.unresolved(p)) {
			continue
		}
		return urlParamError("The connection's setting %s is missing: the provider asks for it.", s.labels(s.unresolved(p)))
	}
	return nil
}

// filledLater reports whether an alternative lacks only what the redirect brings.
func (s *settings) filledLater(urls catalog.URLs) bool {
	for i := range urls {
		if s.allBrought(s.missing(&urls[i])) {
			return true
		}
	}
	return false
}

// allBrought reports whether there are missing variables, and the redirect brings
// all of them.
func (s *settings) allBrought(missing []string) bool {
	return len(missing) > 0 && !slices.ContainsFunc(missing, func(ref string) bool {
		name, ok := strings.CutPrefix(ref, settingPrefix)
		return !ok || !slices.Contains(s.provider.Auth.Capture.CallbackQuery, name)
	})
}

// missing returns the variables that a URL lacks.
func (s *settings) missing(t *catalog.Template) []string {
	_, err := t.ExpandURL(s.vars)
	if u, ok := errors.AsType[*catalog.UnresolvedError](err); ok {
		return u.Names
	}
	return nil
}

// unfilled says what is wrong with the settings that should fill an address.
// Of several alternatives it names one that a person can do something about.
func (s *settings) unfilled(what string, urls catalog.URLs, err error) error {
	if errors.Is(err, catalog.ErrUnsafeURL) {
		return urlParamError("The address of the provider's %s can't be made from the connection's settings: %s.", what, s.inWords(err.Error()))
	}
	var names []string
	for i := range urls {
		missing := s.missing(&urls[i])
		asked := len(missing) > 0 && !slices.ContainsFunc(missing, func(ref string) bool {
			f := s.field(ref)
			return f == nil || !f.Asked()
		})
		if asked || names == nil {
			names = missing
		}
		if asked {
			break
		}
	}
	if len(names) == 0 {
		return urlParamError("The provider's file names no %s.", what)
	}
	return urlParamError("The connection's setting %s is missing: the address of the provider's %s depends on it.", s.labels(names), what)
}

func (s *settings) labels(refs []string) string {
	labels := make([]string, len(refs))
	for i, ref := range refs {
		labels[i] = s.label(ref)
	}
	return strings.Join(labels, ", ")
}

// label is what people call a setting, with its name for programs.
func (s *settings) label(ref string) string {
	f := s.field(ref)
	if f == nil {
		return strings.TrimPrefix(ref, settingPrefix)
	}
	if label := f.Label(); label != f.Name {
		return fmt.Sprintf("%q (%s)", label, f.Name)
	}
	return f.Name
}

// inWords drops what only programmers read of a message.
func (s *settings) inWords(message string) string {
	message = strings.TrimPrefix(message, catalog.ErrUnsafeURL.Error()+": ")
	if ref, rest, ok := strings.Cut(message, " "); ok && strings.HasPrefix(ref, settingPrefix) {
		return s.label(ref) + " " + rest
	}
	return message
}

// param fills a parameter of the consent page. One that lacks only settings that
// nobody has to give is left out.
func (s *settings) param(p *catalog.Param) (value string, ok bool, err error) {
	value, ok = p.ExpandText(s.vars)
	if ok {
		return value, true, nil
	}
	for _, ref := range s.unresolved(p) {
		if f := s.field(ref); f == nil || f.Required && f.Asked() && f.Default == nil {
			return "", false, urlParamError("The connection's setting %s is missing: the provider asks for it.", s.label(ref))
		}
	}
	return "", false, nil
}

// unresolved returns the variables that a parameter lacks.
func (s *settings) unresolved(p *catalog.Param) []string {
	var names []string
	p.Value.Templates(func(t *catalog.Template) {
		for _, ref := range t.Refs() {
			if _, ok := s.vars.Lookup(ref); !ok {
				names = append(names, ref)
			}
		}
	})
	return names
}
