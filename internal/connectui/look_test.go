package connectui

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestHex(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"#000000", "#ffffff", "#00b2e3", "#5b3df5", "#7f7f7f"} {
		c, ok := parseHex(text)
		if !ok || c.hex() != text || c.oklch().rgb().hex() != text {
			t.Errorf("%s becomes %s, and %s by way of OKLCH", text, c.hex(), c.oklch().rgb().hex())
		}
	}
	for _, text := range []string{"", "red", "#fff", "#gggggg", "00b2e3", "#00b2e3;"} {
		if _, ok := parseHex(text); ok {
			t.Errorf("%q is taken for a colour", text)
		}
	}
}

// TestContrast checks what WCAG asks for, for colours all over the cube.
func TestContrast(t *testing.T) {
	t.Parallel()
	parse := func(text string) rgb {
		c, ok := parseHex(text)
		if !ok {
			t.Fatalf("%q is no colour", text)
		}
		return c
	}
	const step = 51
	for r := 0; r < 256; r += step {
		for g := 0; g < 256; g += step {
			for b := 0; b < 256; b += step {
				primary := fmt.Sprintf("#%02x%02x%02x", r, g, b)
				l := newLook(primary, primary)
				for name, theme := range map[string]struct {
					tones
					themeColours
				}{"light": {l.Light, lightTheme()}, "dark": {l.Dark, darkTheme()}} {
					if theme.Accent != primary {
						t.Errorf("%s: the accent became %s", primary, theme.Accent)
					}
					for what, on := range map[string]string{"button": theme.Accent, "hovered button": theme.Hover} {
						if c := contrast(parse(theme.On), parse(on)); c < textContrast {
							t.Errorf("%s, %s: the contrast on the %s is %.2f", primary, name, what, c)
						}
					}
					for _, ground := range theme.grounds {
						if c := contrast(parse(theme.Text), ground); c < textContrast {
							t.Errorf("%s, %s: the contrast of links is %.2f", primary, name, c)
						}
						if c := contrast(parse(theme.Edge), ground); c < shapeContrast {
							t.Errorf("%s, %s: the contrast of rings is %.2f", primary, name, c)
						}
					}
				}
			}
		}
	}
}

func TestForeignLook(t *testing.T) {
	t.Parallel()
	if newLook("", "") != newLook("red; background: url(x)", "</style>") {
		t.Error("what is no colour does not give way to our own")
	}
	if sheet := newLook("</style>", "").sheet(); strings.ContainsAny(sheet, "<>") {
		t.Errorf("the sheet is %s", sheet)
	}
}

// TestGrounds checks that the colours that contrasts are computed for are those
// of the style sheet.
func TestGrounds(t *testing.T) {
	t.Parallel()
	css := loadAssets().css
	themes := map[string]themeColours{}
	light, rest, _ := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	themes[light] = lightTheme()
	system, dark, _ := strings.Cut(rest, `:root[data-theme="dark"]`)
	themes[system] = darkTheme()
	themes[dark[:strings.Index(dark, "}")]] = darkTheme()
	if len(themes) != 3 {
		t.Fatalf("found %d themes", len(themes))
	}
	for text, theme := range themes {
		for i, name := range []string{"--bg", "--surface", "--sunk"} {
			if got, want := declared(t, text, name).hex(), theme.grounds[i].hex(); got != want {
				t.Errorf("%s is %s in the style sheet and %s in the code", name, got, want)
			}
		}
		for _, name := range []string{"--text", "--muted", "--danger"} {
			for _, ground := range theme.grounds {
				if c := contrast(declared(t, text, name), ground); c < textContrast {
					t.Errorf("the contrast of %s is %.2f", name, c)
				}
			}
		}
		for _, ground := range theme.grounds[:2] {
			if c := contrast(declared(t, text, "--control"), ground); c < shapeContrast {
				t.Errorf("the contrast of --control is %.2f", c)
			}
		}
	}
}

// declared reads a colour of the style sheet.
func declared(t *testing.T, css, name string) rgb {
	t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(name) + `: (?:oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)|(#fff));`).FindStringSubmatch(css)
	if m == nil {
		t.Fatalf("%s is not declared", name)
	}
	if m[4] != "" {
		return rgb{1, 1, 1}
	}
	var parts [3]float64
	for i := range parts {
		parts[i], _ = strconv.ParseFloat(m[i+1], 64)
	}
	return oklch{parts[0], parts[1], radians(parts[2])}.rgb()
}
