package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
	world "github.com/linkspan/linkspan/internal/function/remote"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	// maxSample is how many records of a model are shown, maxSampleWidth how much of
	// each, in bytes.
	maxSample      = 3
	maxSampleWidth = 400
	// maxShownBody is how much of an answer or a payload is shown, in bytes.
	maxShownBody = 4000
)

// dryrunReport is what --json prints.
type dryrunReport struct {
	Function    string `json:"function"`
	Type        string `json:"type"`
	Integration string `json:"integration"`
	Connection  string `json:"connection"`
	Environment string `json:"environment"`
	Host        string `json:"host"`
	// OK says that the function came to its end.
	OK bool `json:"ok"`
	// Output is what an action returned; null for none.
	Output json.RawMessage `json:"output"`
	// Models are what a sync did to its records, by model.
	Models map[string]dryrunModel `json:"models"`
	// Checkpoint is the one in the end; null for none.
	Checkpoint json.RawMessage `json:"checkpoint"`
	Logs       []dryrunLog     `json:"logs"`
	// Problems are why the function does not compile.
	Problems []reportedProblem `json:"problems"`
	// Diagnostics are null unless they were asked for.
	Diagnostics *dryrunDiagnostics `json:"diagnostics"`
	// Saved is the file with the recording; empty: there is none.
	Saved string       `json:"saved,omitempty"`
	Error *dryrunError `json:"error"`
}

// dryrunModel is what a sync did to the records of a model.
type dryrunModel struct {
	Saved   []json.RawMessage `json:"saved"`
	Updated []json.RawMessage `json:"updated"`
	Deleted []json.RawMessage `json:"deleted"`
	// Unseen are ids of records that were deleted since they were not saved again.
	Unseen []string `json:"unseen"`
}

type dryrunLog struct {
	Level   string          `json:"level"`
	Text    string          `json:"text"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// dryrunDiagnostics is what a run took.
type dryrunDiagnostics struct {
	WallMS      float64 `json:"wall_ms"`
	CPUMS       float64 `json:"cpu_ms"`
	MemoryBytes int64   `json:"memory_bytes"`
	Requests    int     `json:"requests"`
	Sent        int64   `json:"sent_bytes"`
	Received    int64   `json:"received_bytes"`
}

// dryrunError is why it failed.
type dryrunError struct {
	Code     string                   `json:"code,omitempty"`
	Message  string                   `json:"message"`
	Payload  json.RawMessage          `json:"payload,omitempty"`
	Upstream *linkspan.UpstreamAnswer `json:"upstream,omitempty"`
	Stack    []string                 `json:"stack,omitempty"`
	// Limit is the one that the function exceeded, such as memory or wall.
	Limit string `json:"limit,omitempty"`
}

// say shows a line of the log.
func (d *dryrun) say(level, text string, payload json.RawMessage) {
	d.logs.Lock()
	d.report.Logs = append(d.report.Logs, dryrunLog{level, text, payload})
	d.logs.Unlock()
	style := map[string]string{"info": styleGreen, "warn": styleYellow, "error": styleRed}[level]
	if style == "" {
		style = styleDim
	}
	first := true
	for line := range strings.Lines(text + "\n") {
		label := "     "
		if first {
			label = column(level, len(label))
		}
		first = false
		d.status.println("  ", d.status.paint(style, label), "  ", printable(strings.TrimSuffix(line, "\n")))
	}
	if len(payload) > 0 {
		d.status.println("         ", d.status.paint(styleDim, printable(shortened(string(payload), maxShownBody))))
	}
}

// seen shows a call to the provider.
func (d *dryrun) seen(x world.Exchange) {
	outcome, style := strconv.Itoa(x.Status), styleDim
	switch {
	case x.Problem != "":
		outcome, style = x.Problem, styleRed
	case x.Status >= 400:
		style = styleYellow
	default:
		outcome += " " + size(int64(x.Received))
	}
	d.status.println("  ", d.status.paint(styleCyan, "http "), "  ", x.Method, " ", printable(x.Target), " ", d.status.paint(style, outcome))
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// shortened cuts text that is too long to be read.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// measure notes and shows what a run took.
func (d *dryrun) measure(r *trial.Result, t world.Traffic) {
	d.status.wipe()
	if !d.diagnostics {
		return
	}
	u := r.Usage
	ms := func(x time.Duration) float64 { return float64(x.Microseconds()) / 1e3 }
	d.report.Diagnostics = &dryrunDiagnostics{
		WallMS: ms(u.Wall), CPUMS: ms(u.CPU), MemoryBytes: u.Memory, Requests: t.Requests, Sent: t.Sent, Received: t.Received,
	}
	d.status.println(d.status.paint(styleBold, "Diagnostics"))
	for _, row := range [][2]string{
		{"time", u.Wall.Round(time.Microsecond * 100).String()},
		{"computing", u.CPU.Round(time.Microsecond * 100).String()},
		{"memory", size(u.Memory) + " at the peak"},
		{"requests", strconv.Itoa(t.Requests)},
		{"sent", size(t.Sent)},
		{"received", size(t.Received)},
	} {
		d.status.println("  ", column(row[0], 9), "  ", row[1])
	}
}

// show writes what the function returned or saved.
func (d *dryrun) show(f bundle.Function, r *trial.Result) error {
	d.report.OK = true
	d.report.Output, d.report.Checkpoint = r.Output, r.Checkpoint
	for name, c := range r.Models {
		d.report.Models[name] = dryrunModel{orNone(c.Saved), orNone(c.Updated), orNone(c.Deleted), orNone(c.Unseen)}
	}
	if !d.asJSON {
		d.showResult(f, r)
	}
	d.status.println(d.status.paint(styleGreen, "✓"), " ", d.status.paint(styleBold, printable(functionName(f.Integration, f.Name))),
		" came to its end. Nothing was stored.")
	return d.story.err
}

// orNone makes no list an empty one, as JSON has it.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (d *dryrun) showResult(f bundle.Function, r *trial.Result) {
	if f.Kind != linkspan.FunctionSync {
		if len(r.Output) > 0 {
			d.story.println(printableLines(pretty(r.Output)))
		} else if f.Kind == linkspan.FunctionAction {
			d.status.println("It returned nothing.")
		}
		return
	}
	if len(r.Models) == 0 {
		d.story.println("No records were saved.")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Models)) {
		d.showModel(name, r.Models[name])
	}
	if len(r.Checkpoint) > 0 {
		d.story.println(d.story.paint(styleBold, "Checkpoint"), "  ", printable(string(r.Checkpoint)))
	}
}

// showModel writes how many records changed, and the first of them.
func (d *dryrun) showModel(name string, c *trial.Changes) {
	var counts []string
	for _, part := range []struct {
		n    int
		what string
	}{
		{len(c.Saved), "saved"},
		{len(c.Updated), "updated"},
		{len(c.Deleted), "deleted"},
		{len(c.Unseen), "deleted since they were not saved again"},
	} {
		if part.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	if len(counts) == 0 {
		counts = []string{"no changes"}
	}
	d.story.println(d.story.paint(styleBold, printable(name)), "  ", strings.Join(counts, ", "))
	for _, list := range [][]json.RawMessage{c.Saved, c.Updated, c.Deleted} {
		for _, record := range list[:min(len(list), maxSample)] {
			d.story.println("  ", printable(shortened(string(record), maxSampleWidth)))
		}
		if n := len(list) - maxSample; n > 0 {
			d.story.println("  ", d.story.paint(styleDim, fmt.Sprintf("and %d more", n)))
		}
	}
}

// pretty writes JSON in lines.
func pretty(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// failed shows why the function failed.
func (d *dryrun) failed(r *trial.Result, redact func(string) string) error {
	f := r.Failure
	e := &dryrunError{Code: f.Code, Message: redact(explained(f)), Payload: redactedJSON(redact, f.Payload), Limit: f.Limit}
	for _, frame := range f.Stack {
		e.Stack = append(e.Stack, redact(frame))
	}
	if f.Upstream != nil {
		e.Upstream = &linkspan.UpstreamAnswer{Status: f.Upstream.Status, Headers: map[string]string{}, Body: redactedJSON(redact, f.Upstream.Body)}
		for name, value := range f.Upstream.Headers {
			e.Upstream.Headers[name] = redact(value)
		}
	}
	d.report.Error, d.report.Checkpoint = e, r.Checkpoint
	for name, c := range r.Models {
		d.report.Models[name] = dryrunModel{orNone(c.Saved), orNone(c.Updated), orNone(c.Deleted), orNone(c.Unseen)}
	}
	d.showFailure(e)
	return &codedError{exitDryRun, fmt.Errorf("%s failed (%s). Nothing was stored", d.report.Function, f.Code)}
}

// explained is what a failure says, and for limits what to do.
func explained(f *trial.Failure) string {
	switch f.Limit {
	case sandbox.LimitMemory, sandbox.LimitPressure:
		return f.Message + " Work on smaller pages, and save them as they come."
	case sandbox.LimitWall:
		return f.Message + " Look for a loop that does not end, or a call that is not answered; --timeout gives it more time."
	case sandbox.LimitCPU, sandbox.LimitStuck:
		return f.Message + " Look for a loop that does not end."
	case sandbox.LimitStalled:
		return f.Message + " Look for a promise that is neither resolved nor rejected."
	}
	return f.Error()
}

func (d *dryrun) showFailure(e *dryrunError) {
	t := d.status
	place, excerpt := d.place(e.Stack)
	if place == "" {
		place = d.report.Function
	}
	t.println()
	t.println(t.paint(styleRed, "✗"), " ", t.paint(styleBold, printable(place)))
	for line := range strings.Lines(e.Message) {
		t.println("  ", printable(strings.TrimSuffix(line, "\n")))
	}
	for line := range strings.Lines(excerpt) {
		t.println("  ", t.paint(styleDim, printable(strings.TrimSuffix(line, "\n"))))
	}
	if e.Upstream != nil {
		t.println("  the provider answered ", strconv.Itoa(e.Upstream.Status), ": ", printable(shortened(string(e.Upstream.Body), maxShownBody)))
	} else if payload := string(e.Payload); len(payload) > 0 && payload != "{}" && !isStackPayload(e.Payload) {
		t.println("  payload: ", printable(shortened(payload, maxShownBody)))
	}
	for _, frame := range e.Stack {
		t.println("  ", t.paint(styleDim, printable(frame)))
	}
	t.println()
}

// isStackPayload reports whether a payload repeats the message and the stack.
func isStackPayload(payload json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(payload, &fields) == nil && fields["stacktrace"] != nil
}

// framePattern finds a position in a frame of a stack.
var framePattern = regexp.MustCompile(`\(?([^()\s]+):(\d+):(\d+)\)?$`)

// place finds the first frame in a file of the folder, and the line there with a
// caret below the place.
func (d *dryrun) place(stack []string) (place, excerpt string) {
	for _, frame := range stack {
		m := framePattern.FindStringSubmatch(frame)
		if m == nil || !filepath.IsLocal(filepath.FromSlash(m[1])) {
			continue
		}
		source, err := os.ReadFile(filepath.Join(d.dir, filepath.FromSlash(m[1])))
		if err != nil {
			continue
		}
		line, errLine := strconv.Atoi(m[2])
		col, errCol := strconv.Atoi(m[3])
		lines := strings.Split(string(source), "\n")
		if errLine != nil || errCol != nil || line < 1 || line > len(lines) || col < 1 {
			continue
		}
		text := []rune(strings.TrimRight(lines[line-1], "\r"))
		indent := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, string(text[:min(col-1, len(text))]))
		head := fmt.Sprintf("%5d | ", line)
		return m[1] + ":" + m[2] + ":" + m[3], head + shortened(string(text), maxSampleWidth) + "\n" + strings.Repeat(" ", len(head)-2) + "| " + indent + "^"
	}
	return "", ""
}
