package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxChoices is how many choices a person is shown.
const maxChoices = 50

// asker has people choose. It reads ahead, so a command has one.
type asker struct {
	t  *terminal
	in *bufio.Reader // nil: nobody can be asked
}

// newAsker returns one that asks when a person is at both ends.
func newAsker(sys System, t *terminal) *asker {
	a := &asker{t: t}
	if sys.Stdin != nil && sys.terminal(sys.Stdin) && sys.terminal(t.w) {
		a.in = bufio.NewReader(sys.Stdin)
	}
	return a
}

// can reports whether somebody can be asked.
func (a *asker) can() bool { return a.in != nil }

// choose asks for one of several, by its number or by its text, and returns its
// index.
func (a *asker) choose(ctx context.Context, question string, choices []string) (int, error) {
	a.t.println(question)
	for i, c := range choices[:min(len(choices), maxChoices)] {
		a.t.println("  ", a.t.paint(styleDim, column(strconv.Itoa(i+1), len(strconv.Itoa(len(choices))))), "  ", printable(c))
	}
	if n := len(choices) - maxChoices; n > 0 {
		a.t.println("  ", a.t.paint(styleDim, fmt.Sprintf("and %d more: give the name", n)))
	}
	for {
		a.t.prompt("Number or name: ")
		answer, err := a.line(ctx)
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(choices) {
			return n - 1, nil
		}
		for i, c := range choices {
			if c == answer {
				return i, nil
			}
		}
		a.t.println("There is no ", strconv.Quote(answer), " in the list.")
	}
}

// line reads a line of the answer.
func (a *asker) line(ctx context.Context) (string, error) {
	text, err := waited(ctx, func() (string, error) { return a.in.ReadString('\n') })
	text = strings.TrimSpace(text)
	if ctx.Err() != nil {
		a.t.println()
		return "", ctx.Err()
	}
	if err != nil && (!errors.Is(err, io.EOF) || text == "") {
		a.t.println()
		return "", fmt.Errorf("nothing was chosen: %w", err)
	}
	return text, nil
}

// prompt writes the beginning of a line that a person ends.
func (t *terminal) prompt(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(t.clear() + text)
}
