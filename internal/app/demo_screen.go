package app

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
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

const (
	// markIndent is where the text of a line begins, after its mark, and
	// detailColumn where its second part does.
	markIndent   = 4
	detailColumn = 38
	// leastDetail is how much room the second part needs beside the first; with
	// less it goes below.
	leastDetail = 24
	// unbroken is a space that no line is broken at. It is written as any other.
	unbroken = "\u00a0"
	// spinEvery is how often a live line changes.
	spinEvery = 100 * time.Millisecond
)

// screen tells the story of the demo. On a terminal one line may move while
// something is waited for. After a failed write it keeps quiet. It is safe for
// concurrent use.
type screen struct {
	live, colour bool
	width        func() int // nil: lines may be of any length

	mu     sync.Mutex
	w      io.Writer
	shown  bool // a live line is on the screen
	failed error
}

func newScreen(o DemoOptions) *screen {
	return &screen{w: o.Out, live: o.Live, colour: o.Colour, width: o.Width}
}

// err returns why the story could not be written.
func (s *screen) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// line writes lines, in the place of the live one.
func (s *screen) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	s.write(fmt.Sprintf(format, args...) + "\n")
}

// wipe takes the live line away; s.mu is held.
func (s *screen) wipe() {
	if s.shown {
		s.write("\r\x1b[K")
		s.shown = false
	}
}

// write writes text; s.mu is held.
func (s *screen) write(text string) {
	if s.failed != nil {
		return
	}
	if _, err := io.WriteString(s.w, strings.ReplaceAll(text, unbroken, " ")); err != nil {
		s.failed = fmt.Errorf("writing: %w", err)
	}
}

// columns returns how many characters a line has room for; 0: any number.
func (s *screen) columns() int {
	if s.width == nil {
		return 0
	}
	return s.width()
}

// paint puts text into a style, where that can be seen.
func (s *screen) paint(style, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// title writes a line apart, section one that others belong to.
func (s *screen) title(text string)   { s.line("\n  %s", s.paint(styleBold, text)) }
func (s *screen) section(text string) { s.line("\n  %s\n", s.paint(styleBold, text)) }

// done tells that something is in place, broken that it is not, problem why, and
// note what else there is to say.
func (s *screen) done(what, detail string) { s.mark(styleGreen, "✓", what, detail) }
func (s *screen) broken(what string)       { s.mark(styleRed, "✗", what, "") }

func (s *screen) problem(err error) {
	s.line("")
	for line := range strings.Lines(err.Error()) {
		for _, part := range wrap(printable(strings.TrimRight(line, "\n")), s.room(2)) {
			s.line("  %s", s.paint(styleRed, part))
		}
	}
	s.line("")
}

func (s *screen) note(text string) {
	for _, line := range wrap(text, s.room(2)) {
		s.line("  %s", s.paint(styleDim, line))
	}
}

// fact tells a name and its value, which is never broken in two: people copy it.
// When there is no room for it beside the name, it goes below.
func (s *screen) fact(name, value string) {
	value = printable(value)
	first := padded(name, detailColumn-markIndent)
	if room := s.room(detailColumn); room > 0 && utf8.RuneCountInString(value) > room {
		first = name + "\n" + strings.Repeat(" ", markIndent+2)
	}
	s.line("    %s%s", first, s.paint(styleCyan, value))
}

// link tells an address.
func (s *screen) link(url string) { s.line("\n    %s\n", s.paint(styleCyan, url)) }

// row tells one thing of several, cut to the width of the screen.
func (s *screen) row(text string) {
	text = printable(text)
	if room := s.room(markIndent + 2); room > 0 {
		text = shortened(text, room)
	}
	s.line("      %s", s.paint(styleDim, text))
}

// mark writes a line of two parts. When there is no room for the second one, it
// goes on below.
func (s *screen) mark(style, mark, what, detail string) {
	what, detail = printable(what), printable(detail)
	head := "  " + s.paint(style, mark) + " "
	if detail == "" {
		s.line("%s%s", head, what)
		return
	}
	indent, room := detailColumn, s.room(detailColumn)
	first := head + padded(what, detailColumn-markIndent)
	if utf8.RuneCountInString(what) > detailColumn-markIndent-2 || room > 0 && room < leastDetail {
		indent, first = markIndent+2, head+what+"\n"+strings.Repeat(" ", markIndent+2)
		room = s.room(indent)
	}
	lines := wrap(detail, room)
	for i := range lines {
		lines[i] = s.paint(styleDim, lines[i])
	}
	s.line("%s%s", first, strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
}

// room returns how many characters fit behind an indent; 0: any number.
func (s *screen) room(indent int) int {
	columns := s.columns()
	if columns <= 0 {
		return 0
	}
	return max(columns-indent, 10)
}

// arrival tells of a webhook that came and is genuine.
func (s *screen) arrival(a arrival) {
	style := styleCyan
	if a.failed() {
		style = styleRed
	}
	s.mark(style, "←", "Webhook: "+a.title(), a.detail())
}

// command is one for a person to go on with.
type command struct{ what, line string }

// commands tells some. Their lines are never broken: people paste them.
func (s *screen) commands(commands []command) {
	for _, c := range commands {
		s.line("")
		for _, line := range wrap(c.what, s.room(2)) {
			s.line("  %s", line)
		}
		s.line("\n    %s", s.paint(styleCyan, c.line))
	}
}

// spin shows on a live line that something goes on, until stop is called.
func (s *screen) spin(what string) (stop func()) {
	if !s.live {
		return func() {}
	}
	began, ended, done := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(spinEvery)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ended:
				return
			case <-tick.C:
				s.frame(i, what, time.Since(began))
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(ended)
		<-done
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wipe()
	})
}

// frame draws the live line.
func (s *screen) frame(i int, what string, passed time.Duration) {
	const turns = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
	mark := string([]rune(turns)[i%utf8.RuneCountInString(turns)])
	text := printable(what)
	if passed >= time.Second {
		text += " · " + passed.Truncate(time.Second).String()
	}
	if room := s.room(markIndent + 1); room > 0 { // the last column may break the line
		text = shortened(text, room)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	s.write("  " + s.paint(styleCyan, mark) + " " + s.paint(styleDim, text))
	s.shown = true
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

// wrap breaks text into lines of at most room characters, between words. Words
// that are longer stay whole. No room: one line.
func wrap(text string, room int) []string {
	if room <= 0 {
		return []string{text}
	}
	var lines []string
	line, length := "", 0
	for word := range strings.SplitSeq(strings.ReplaceAll(text, " ·", unbroken+"·"), " ") { // a line does not begin with a dot
		n := utf8.RuneCountInString(word)
		switch {
		case line == "":
			line, length = word, n
		case length+1+n > room:
			lines = append(lines, line)
			line, length = word, n
		default:
			line, length = line+" "+word, length+1+n
		}
	}
	return append(lines, line)
}

// shortened cuts text to a number of characters.
func shortened(text string, room int) string {
	if utf8.RuneCountInString(text) <= room {
		return text
	}
	return string([]rune(text)[:max(room-1, 0)]) + "…"
}

// padded fills text up with spaces, at least one.
func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(1, width-utf8.RuneCountInString(text)))
}

// plural puts a number before a noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// took says how long something took, in as many digits as people read.
func took(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f", d.Seconds()*1000) + unbroken + "ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + unbroken + "ms"
	default:
		return fmt.Sprintf("%.1f", d.Seconds()) + unbroken + "s"
	}
}

// joined puts the parts of a detail together, without those that are empty.
func joined(parts ...string) string {
	var all []string
	for _, part := range parts {
		if part != "" {
			all = append(all, part)
		}
	}
	return strings.Join(all, " · ")
}
