package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// The escape sequences of what people read (ECMA-48).
const (
	styleBold   = "1"
	styleDim    = "2"
	styleRed    = "31"
	styleGreen  = "32"
	styleYellow = "33"
	styleCyan   = "36"
)

// terminal writes what people read. On a terminal it may colour, and keep one
// line up to date; elsewhere it writes plain lines. After a failed write it
// keeps quiet: err tells. It is safe for concurrent use.
type terminal struct {
	live, colour bool

	mu    sync.Mutex
	w     io.Writer
	shown bool // a live line is on the screen
	err   error
}

// newTerminal returns the terminal behind a stream of the process.
func newTerminal(sys System, w io.Writer) *terminal {
	live := sys.terminal(w) && sys.Environ("TERM") != "dumb"
	return &terminal{w: w, live: live, colour: live && sys.Environ("NO_COLOR") == ""}
}

// terminal reports whether a person is at the other end of a stream.
func (sys System) terminal(stream any) bool {
	if sys.IsTerminal != nil {
		return sys.IsTerminal(stream)
	}
	return isTerminal(stream)
}

// paint puts text into a style, where that can be seen.
func (t *terminal) paint(style, text string) string {
	if !t.colour || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// println writes a line.
func (t *terminal) println(parts ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(t.clear() + strings.TrimRight(strings.Join(parts, ""), " ") + "\n")
}

// update replaces the live line; on streams without one it does nothing.
func (t *terminal) update(text string) {
	if !t.live {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(t.clear() + text)
	t.shown = true
}

// wipe takes the live line away.
func (t *terminal) wipe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(t.clear())
}

// clear returns what removes the live line; t.mu is held.
func (t *terminal) clear() string {
	if !t.shown {
		return ""
	}
	t.shown = false
	return "\r\x1b[K"
}

// write writes text; t.mu is held.
func (t *terminal) write(text string) {
	if t.err == nil && text != "" {
		_, t.err = io.WriteString(t.w, text)
	}
}

// ask asks a question and reports whether the answer is yes.
func (t *terminal) ask(ctx context.Context, in io.Reader, question string) (bool, error) {
	t.mu.Lock()
	t.write(t.clear() + question + " " + t.paint(styleDim, "[y/N]") + " ")
	err := t.err
	t.mu.Unlock()
	if err != nil {
		return false, err
	}
	answer := make(chan string, 1)
	go func() { // nothing interrupts the reading of a terminal: it ends with the process
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil {
			t.println() // the input ended in the line of the question
		}
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		return a == "y" || a == "yes", nil
	case <-ctx.Done():
		t.println()
		return false, ctx.Err()
	}
}

// barWidth is how many cells of a live line the bar takes.
const barWidth = 30

// bar keeps a live line that shows how far a piece of work is.
type bar struct {
	t    *terminal
	what string
	last int // percent
}

// progress is told how much is done.
func (b *bar) progress(done, total int) {
	percent := 100 * done / max(total, 1)
	if !b.t.live || total <= 0 || percent == b.last {
		return
	}
	b.last = percent
	cells, at := min(barWidth*done/total, barWidth), fmt.Sprintf("%d/%d", done, total)
	b.t.update(fmt.Sprintf("%s %s%s %s", b.what,
		b.t.paint(styleCyan, strings.Repeat("━", cells)), b.t.paint(styleDim, strings.Repeat("─", barWidth-cells)), at))
}

// printable takes out of text from elsewhere what could control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' && r != '\t') || (r >= 0x7f && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
}

// printableLines is printable for texts of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// column is text padded to a width in characters.
func column(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// counted puts a number before a noun, whose plural is made with an s.
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// widest returns the number of characters of the longest text.
func widest(texts ...string) int {
	most := 0
	for _, text := range texts {
		most = max(most, utf8.RuneCountInString(text))
	}
	return most
}
