package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
)

// joined lists names for people.
func joined(names []string) string { return strings.Join(names, ", ") }

// show writes an operation, or what is new of it.
func (l *logs) show(op api.OperationDetail) error {
	if l.asJSON {
		return printJSONLine(l.sys.Stdout, op)
	}
	l.head(op.Operation)
	for _, m := range op.Messages {
		l.message(m)
	}
	return l.out.err
}

// head writes what an operation is and how it stands.
func (l *logs) head(op api.Operation) {
	t := l.out
	l.last = op.ID
	what := op.Type + " " + op.Action
	if of := about(op); of != "" {
		what += "  " + of
	}
	line := t.paint(styleDim, stamp(op.CreatedAt)) + "  " + t.paint(stateStyle(op.Status), column(printable(op.Status), len(string(linkspan.StateCancelled)))) +
		"  " + t.paint(styleBold, printable(what)) + "  " + printable(op.Message)
	if op.DurationMS != nil {
		line += t.paint(styleDim, "  "+lasted(*op.DurationMS))
	}
	t.println(line, "  ", t.paint(styleDim, printable(op.ID)))
	if op.Error != nil && op.Error.Message != op.Message {
		t.println("    ", t.paint(styleRed, printable(op.Error.Code)), "  ", printable(op.Error.Message))
	}
}

// about names what an operation is about.
func about(op api.Operation) string {
	var parts []string
	for _, part := range []*string{op.Integration, op.Connection} {
		if part != nil && *part != "" {
			parts = append(parts, *part)
		}
	}
	return strings.Join(parts, "/")
}

// lasted is a duration that people take in at a glance.
func lasted(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	if d >= 10*time.Second {
		d = d.Round(time.Second)
	}
	return d.String()
}

func stateStyle(status string) string {
	switch linkspan.OperationState(status) {
	case linkspan.StateSuccess:
		return styleGreen
	case linkspan.StateFailed, linkspan.StateTimeout:
		return styleRed
	case linkspan.StateCancelled:
		return styleYellow
	case linkspan.StateWaiting, linkspan.StateRunning:
	}
	return styleCyan
}

func levelStyle(level string) string {
	switch level {
	case "error":
		return styleRed
	case "warn":
		return styleYellow
	case "debug":
		return styleDim
	default:
		return styleCyan
	}
}

// message writes a line under an operation.
func (l *logs) message(m api.OperationMessage) {
	t := l.out
	text := m.Message
	if r := m.Request; r != nil && !strings.Contains(text, r.URL) {
		text += "  " + r.Method + " " + r.URL
	}
	if m.Response != nil {
		text += fmt.Sprintf("  %d", m.Response.Code)
	}
	if m.EndedAt != nil {
		text += "  " + lasted(m.EndedAt.Sub(m.CreatedAt.Time).Milliseconds())
	}
	if m.Retry != nil {
		text += fmt.Sprintf("  (attempt %d of %d)", m.Retry.Attempt, m.Retry.Max)
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	t.println("    ", t.paint(styleDim, m.CreatedAt.UTC().Format("15:04:05.000")), "  ", t.paint(levelStyle(m.Level), column(printable(m.Level), 5)), "  ", printable(lines[0]))
	more := lines[1:]
	if m.Error != nil && !strings.Contains(text, m.Error.Message) {
		more = append(more, strings.Split(m.Error.Message, "\n")...)
	}
	if meta := compactMeta(m.Meta); meta != "" {
		more = append(more, meta)
	}
	for _, line := range more {
		t.println("                         ", printable(line))
	}
}

// maxMeta is how much of the further data of a message people are shown.
const maxMeta = 500

// compactMeta is further data of a message on one line, or "".
func compactMeta(meta json.RawMessage) string {
	text := strings.TrimSpace(string(meta))
	if text == "" || text == "null" || text == "{}" {
		return ""
	}
	if runes := []rune(text); len(runes) > maxMeta {
		return string(runes[:maxMeta]) + " …"
	}
	return text
}
