package bundle

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/linkspan/linkspan"
)

// Problem is something in the author's files that has to be corrected. It is an
// error that can be shown as it is.
type Problem struct {
	// File is the path in the folder, with slashes.
	File string
	// Line and Column count from 1, columns in characters. 0: the whole file.
	Line, Column int
	// Excerpt is the line, with a caret below the place. Empty: none.
	Excerpt string
	// Message says what is wrong and what to do.
	Message string
	// Integration, Kind and Function name the function. Empty: it is of none.
	Integration string
	Kind        linkspan.FunctionKind
	Function    string
}

// Error implements error: the place, the message and the excerpt.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Excerpt != "" {
		b.WriteString("\n\n" + p.Excerpt)
	}
	return b.String()
}

// sortProblems puts them in the order of files and lines and drops repetitions:
// functions share files.
func sortProblems(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if a.Column != b.Column {
			return a.Column - b.Column
		}
		return strings.Compare(a.Message, b.Message)
	})
	return slices.CompactFunc(problems, func(a, b Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}

// problemOf turns a message of esbuild into a problem.
func problemOf(m api.Message) Problem {
	p := Problem{Message: sentence(m.Text)}
	for _, n := range m.Notes {
		if n.Text != "" && n.Location == nil {
			p.Message += " " + sentence(n.Text)
		}
	}
	if l := m.Location; l != nil {
		p.File = l.File
		p.Line = l.Line
		p.Column = columnOf(l.LineText, l.Column)
		p.Excerpt = excerpt(l.Line, l.LineText, l.Column, l.Length)
	}
	return p
}

// sentence ends a text with a full stop.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".:!?") {
		return text
	}
	return text + "."
}

// columnOf turns an offset in bytes into a column.
func columnOf(line string, offset int) int {
	return utf8.RuneCountInString(line[:min(offset, len(line))]) + 1
}

// What an excerpt shows of a long line: minified packages are one line.
const (
	excerptBefore = 60
	excerptWidth  = 140
)

// excerpt renders a line with a caret below length bytes at an offset.
func excerpt(number int, line string, offset, length int) string {
	offset = min(max(offset, 0), len(line))
	length = min(max(length, 1), max(len(line)-offset, 1))
	before, at, after := line[:offset], line[offset:], ""
	if len(at) > length {
		at, after = at[:length], at[length:]
	}
	before, cut := lastRunes(before, excerptBefore)
	if cut {
		before = "…" + before
	}
	at, _ = firstRunes(at, excerptWidth-excerptBefore)
	if after, cut = firstRunes(after, excerptWidth-excerptBefore-utf8.RuneCountInString(at)); cut {
		after += "…"
	}
	// Tabs stay tabs in both lines, so that the caret is below its place whatever
	// their width.
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, before)
	head := fmt.Sprintf("%5d | ", number)
	gutter := strings.Repeat(" ", len(head)-2) + "| "
	return head + before + at + after + "\n" + gutter + indent + strings.Repeat("^", max(utf8.RuneCountInString(at), 1))
}

// firstRunes returns at most n characters of a text, and whether that is less
// than all.
func firstRunes(text string, n int) (string, bool) {
	count := 0
	for i := range text {
		if count == n {
			return text[:i], true
		}
		count++
	}
	return text, false
}

// lastRunes is firstRunes from the other end.
func lastRunes(text string, n int) (string, bool) {
	skip := utf8.RuneCountInString(text) - n
	if skip <= 0 {
		return text, false
	}
	for i := range text {
		if skip == 0 {
			return text[i:], true
		}
		skip--
	}
	return "", true
}

// lineOf returns a line of a text, counted from 1, or "".
func lineOf(text string, number int) string {
	for line := range strings.Lines(text) {
		if number--; number == 0 {
			return strings.TrimRight(line, "\r\n")
		}
	}
	return ""
}
