package connectui

import (
	"encoding/json"
	"fmt"
)

// Contrasts that WCAG 2.2 AA asks for, with a little to spare for rounding.
const (
	textContrast  = 4.5
	shapeContrast = 3.0
)

// tones are the colours that follow from the customer's primary colour in one
// theme.
type tones struct {
	// Accent fills the main button, Hover does under the pointer, On is the text
	// on both.
	Accent string `json:"accent"`
	Hover  string `json:"accent-hover"`
	On     string `json:"accent-on"`
	// Text is the accent as a colour of text on the page, Edge as one of borders
	// and focus rings.
	Text string `json:"accent-text"`
	Edge string `json:"accent-edge"`
}

// look is how the pages of an environment look.
type look struct {
	Light tones `json:"light"`
	Dark  tones `json:"dark"`
}

// themeColours are what a theme is made of, as far as contrasts depend on it:
// the backgrounds that text stands on, the lightness of our own accent and which
// way lightness moves away from the backgrounds.
type themeColours struct {
	grounds []rgb
	accent  oklch
	step    float64
}

// lightTheme and darkTheme repeat --bg, --surface and --field of the style sheet;
// a test compares them.
func lightTheme() themeColours {
	return themeColours{
		grounds: []rgb{oklch{0.975, 0.003, radians(260)}.rgb(), {1, 1, 1}, oklch{0.965, 0.005, radians(260)}.rgb()},
		accent:  oklch{0.5, 0.17, radians(262)}, step: -0.01,
	}
}

func darkTheme() themeColours {
	return themeColours{
		grounds: []rgb{oklch{0.17, 0.012, radians(260)}.rgb(), oklch{0.22, 0.014, radians(260)}.rgb(), oklch{0.265, 0.015, radians(260)}.rgb()},
		accent:  oklch{0.76, 0.12, radians(258)}, step: 0.01,
	}
}

// radians converts degrees.
func radians(degrees float64) float64 { return degrees * 0.017453292519943295 }

// newLook derives a look from two primary colours, #rrggbb; our own stands in
// for one that is empty or not a colour.
func newLook(light, dark string) look {
	return look{Light: newTones(light, lightTheme()), Dark: newTones(dark, darkTheme())}
}

func newTones(primary string, theme themeColours) tones {
	accent, ok := parseHex(primary)
	if !ok {
		accent, _ = parseHex(theme.accent.rgb().hex())
	}
	// One of white and black always has more than 4.5:1; white is kept while it
	// has, because it reads as a button.
	on, away := rgb{1, 1, 1}, -0.06
	if contrast(accent, on) < textContrast {
		on, away = rgb{}, 0.06
	}
	hover := accent.oklch()
	hover.l = min(max(hover.l+away, 0), 1)
	return tones{
		Accent: accent.hex(), Hover: hover.rgb().hex(), On: on.hex(),
		Text: accent.until(textContrast, theme.step, theme.grounds...).hex(),
		Edge: accent.until(shapeContrast, theme.step, theme.grounds...).hex(),
	}
}

// attribute is the look as the script reads it.
func (l look) attribute() string {
	text, err := json.Marshal(l)
	if err != nil { // it holds nothing but texts
		return "{}"
	}
	return string(text)
}

// sheet is the look as a style sheet, for pages that run no script.
func (l look) sheet() string { return ":root{" + l.Light.vars("l") + l.Dark.vars("d") + "}" }

func (t tones) vars(theme string) string {
	return fmt.Sprintf("--%[1]s-accent:%[2]s;--%[1]s-accent-hover:%[3]s;--%[1]s-accent-on:%[4]s;--%[1]s-accent-text:%[5]s;--%[1]s-accent-edge:%[6]s;",
		theme, t.Accent, t.Hover, t.On, t.Text, t.Edge)
}

// themeOf chooses a theme: what the page's address asks for, else what the
// environment has set, else the system's.
func themeOf(asked, set string) string {
	for _, theme := range []string{asked, set} {
		if isTheme(theme) {
			return theme
		}
	}
	return "system"
}

func isTheme(text string) bool { return text == "light" || text == "dark" || text == "system" }
