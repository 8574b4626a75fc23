package sourcemap

import (
	"fmt"
	"strconv"
	"strings"
)

// Stack maps the frames of a stack trace of the sandbox to the author's files and
// lines. Frames of the prelude, which are ours and not the author's, are left
// out. Everything that is no frame stays as it is.
func (m *Map) Stack(stack string) string {
	var b strings.Builder
	b.Grow(len(stack))
	for line := range strings.Lines(stack) {
		text, end := strings.CutSuffix(line, "\n")
		f, ok := parseFrame(text)
		switch {
		case !ok:
			b.WriteString(line)
			continue
		case f.prelude():
			continue
		case f.bundle():
			b.WriteString(m.frame(f))
		default:
			b.WriteString(text)
		}
		if end {
			b.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// frame writes a frame of the bundle with its position in the author's files.
func (m *Map) frame(f frame) string {
	if file, line, column, ok := m.Position(f.line, f.column); ok {
		f.file, f.line, f.column = file, line, column
	}
	at := fmt.Sprintf("%s:%d:%d", f.file, f.line, f.column)
	if f.function == "" {
		return f.indent + "at " + at
	}
	return f.indent + "at " + f.function + " (" + at + ")"
}

// frame is one line of a stack trace: "    at f (file:12:5)" or
// "    at file:12:5".
type frame struct {
	indent, function, file string
	line, column           int
}

func parseFrame(text string) (frame, bool) {
	trimmed := strings.TrimLeft(text, " \t")
	f := frame{indent: text[:len(text)-len(trimmed)]}
	place, ok := strings.CutPrefix(strings.TrimRight(trimmed, " \t\r"), "at ")
	if !ok {
		return frame{}, false
	}
	if inner, closed := strings.CutSuffix(place, ")"); closed {
		open := strings.LastIndex(inner, " (")
		if open < 0 {
			return frame{}, false
		}
		f.function, place = inner[:open], inner[open+2:]
	}
	rest, column, ok := cutNumber(place)
	if !ok {
		return frame{}, false
	}
	f.file, f.line, ok = cutNumber(rest)
	f.column = column
	return f, ok && f.file != ""
}

// cutNumber cuts ":<number>" off the end of the text.
func cutNumber(text string) (rest string, number int, ok bool) {
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return "", 0, false
	}
	number, err := strconv.Atoi(text[at+1:])
	return text[:at], number, err == nil && number >= 0
}

// prelude reports whether the frame is one of the prelude: it is evaluated under
// the name "prelude.js", and nothing of an author's is at the root of the folder
// under that name, for functions are in folders of integrations.
func (f frame) prelude() bool {
	return f.file == "prelude.js" || strings.HasPrefix(f.file, "linkspan:")
}

// bundle reports whether the frame is one of the bundle and not of text that was
// evaluated in the sandbox, which the engine names "<…>".
func (f frame) bundle() bool {
	return !strings.HasPrefix(f.file, "<")
}
