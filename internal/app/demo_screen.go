package app

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The escape sequences of the story (ECMA-48).
const (
	styleBold  = "1"
	styleDim   = "2"
	styleRed   = "31"
	styleGreen = "32"
	styleCyan  = "36"
)

// detailColumn is where the second part of a line begins.
const detailColumn = 46

// screen tells the story of the demo. After a failed write it keeps quiet.
type screen struct {
	printer
	colour bool
}

func newScreen(out io.Writer, colour bool) *screen {
	return &screen{printer: printer{w: out}, colour: colour}
}

func (s *screen) err() error { return s.printer.err }

// paint puts text into a style, where that can be seen.
func (s *screen) paint(style, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

func (s *screen) title(text string) { s.line("\n  %s\n", s.paint(styleBold, text)) }

// done tells that something is in place.
func (s *screen) done(what, detail string) { s.mark(styleGreen, "✓", what, detail) }

// failed tells that something went wrong, while the demo goes on.
func (s *screen) failed(what string, err error) { s.mark(styleRed, "✗", what, err.Error()) }

func (s *screen) mark(style, mark, what, detail string) {
	if detail != "" {
		what += strings.Repeat(" ", max(2, detailColumn-utf8.RuneCountInString(what)))
	}
	s.line("  %s %s%s", s.paint(style, mark), what, s.paint(styleDim, printable(detail)))
}

// fact tells a name and its value.
func (s *screen) fact(name, value string) { s.line("    %-28s%s", name, s.paint(styleCyan, value)) }

func (s *screen) section(text string) { s.line("\n  %s", text) }

func (s *screen) link(url string) { s.line("\n    %s\n", s.paint(styleCyan, url)) }

func (s *screen) note(text string) { s.line("  %s\n", s.paint(styleDim, text)) }

// arrival tells of a webhook that came and is genuine.
func (s *screen) arrival(a arrival) {
	style := styleCyan
	if a.Success != nil && !*a.Success {
		style = styleRed
	}
	what := fmt.Sprintf("%s  webhook: %s", a.At.Format("15:04:05"), printable(a.summary()))
	s.mark(style, "←", what, fmt.Sprintf("%s, connection %s, signature verified", a.ProviderConfigKey, a.ConnectionID))
}

// command is one for a person to go on with.
type command struct{ what, line string }

func (s *screen) commands(commands []command) {
	s.section(s.paint(styleBold, "To go on by hand:"))
	for _, c := range commands {
		s.line("\n  %s\n\n    %s", c.what, s.paint(styleCyan, c.line))
	}
	s.line("")
}

// printable takes out of text from elsewhere what could control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
}

// plural puts a number before a noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
