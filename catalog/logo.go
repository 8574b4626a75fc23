package catalog

import (
	"embed"
	"fmt"
	"hash/fnv"
	"html"
	"io/fs"
	"strings"
	"unicode"
)

// logoFiles holds the logos of known brands.
//
//go:embed logos/*.svg
var logoFiles embed.FS

// Logo returns the logo of a provider as SVG: the operator's own file, else the
// embedded one, else a monogram of the display name. The error wraps
// [ErrUnknownProvider] when there is no such provider.
func (c *Catalog) Logo(name string) ([]byte, error) {
	if logo, ok := c.own.Load().logos[name]; ok && c.Has(name) {
		return logo, nil
	}
	p, err := c.peek(name)
	if err != nil {
		return nil, err
	}
	if logo, ok := brandLogo(p); ok {
		return logo, nil
	}
	return Monogram(p.Name, p.DisplayName), nil
}

// brandLogo returns the embedded logo that the provider names, or the one called
// like the provider.
func brandLogo(p *Provider) ([]byte, bool) {
	file := p.Logo
	if file == "" {
		file = p.Name
	}
	data, err := fs.ReadFile(logoFiles, "logos/"+file+".svg")
	return data, err == nil
}

// hasLogo reports whether an embedded logo has this name.
func hasLogo(name string) bool {
	_, err := fs.Stat(logoFiles, "logos/"+name+".svg")
	return err == nil
}

// Monogram draws a tile with the initials of a name. The colour follows from id
// alone, and white text on it has a contrast of at least 4.5 to 1.
func Monogram(id, displayName string) []byte {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id)) // a hash never fails
	colours := monogramColours()
	from := colours[hash.Sum32()%uint32(len(colours))]
	text := initials(displayName)
	size := 11
	if len([]rune(text)) == 1 {
		size = 13
	}
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" role="img"><title>%s</title>`+
		`<rect width="24" height="24" rx="5" fill="%s"/>`+
		`<text x="12" y="12" dy=".36em" text-anchor="middle" fill="#fff" font-family="system-ui,-apple-system,'Segoe UI',Roboto,sans-serif" font-size="%d" font-weight="600">%s</text></svg>`+"\n",
		html.EscapeString(displayName), from, size, html.EscapeString(text))
}

// monogramColours are hues of one lightness, each dark enough for white text.
func monogramColours() []string {
	return []string{
		"#b4232c", "#a8450f", "#8a5a00", "#5f6b00", "#2f7523", "#0d7650", "#00746f", "#0b6f8f",
		"#1f63b5", "#4456c7", "#6448c4", "#8340b3", "#9f3792", "#ae2f6c", "#5b5f6b", "#7a5548",
	}
}

// initials returns one or two letters or digits: of the first two words, or the
// first of a single word. What stands in brackets does not count.
func initials(name string) string {
	if open := strings.IndexByte(name, '('); open > 0 {
		name = name[:open]
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var text []rune
	for _, word := range words {
		if text = append(text, unicode.ToUpper([]rune(word)[0])); len(text) == 2 {
			break
		}
	}
	if len(text) == 0 {
		return "?"
	}
	return string(text)
}
