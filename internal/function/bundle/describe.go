package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/sourcemap"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// described is what the sandbox says of a program. Members that an author wrote
// stay as they are until they are checked.
type described struct {
	Type                 json.RawMessage `json:"type"`
	Description          json.RawMessage `json:"description"`
	Version              json.RawMessage `json:"version"`
	Frequency            json.RawMessage `json:"frequency"`
	AutoStart            json.RawMessage `json:"autoStart"`
	SyncType             json.RawMessage `json:"syncType"`
	TrackDeletes         json.RawMessage `json:"trackDeletes"`
	Endpoints            json.RawMessage `json:"endpoints"`
	Endpoint             json.RawMessage `json:"endpoint"`
	Scopes               json.RawMessage `json:"scopes"`
	Event                json.RawMessage `json:"event"`
	WebhookSubscriptions json.RawMessage `json:"webhookSubscriptions"`

	Input      string          `json:"input"`
	Models     []string        `json:"models"`
	Schema     json.RawMessage `json:"schema"`
	Checkpoint json.RawMessage `json:"checkpoint"`

	// These are of functions made by createFunction. Output, Metadata and
	// CheckpointName name definitions of Schema.
	Trigger        json.RawMessage `json:"trigger"`
	Requires       json.RawMessage `json:"requires"`
	Limits         json.RawMessage `json:"limits"`
	Output         string          `json:"output"`
	Metadata       string          `json:"metadata"`
	CheckpointName string          `json:"checkpointName"`

	OnWebhook bool   `json:"hasOnWebhook"`
	Plain     bool   `json:"plain"`
	Missing   *bool  `json:"missing"`
	Flaws     []flaw `json:"flaws"`
}

// flaw is something wrong in a definition.
type flaw struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// describe evaluates a bundle in the sandbox and returns what it says of itself.
func (b *builder) describe(ctx context.Context, e entry, out output) (*described, []Problem, error) {
	start, err := json.Marshal(map[string]any{"mode": "describe", "integration": e.integration, "name": e.name, "kind": e.kind})
	if err != nil {
		return nil, nil, fmt.Errorf("writing the question: %w", err)
	}
	r, err := b.options.Describer.Run(ctx, sandbox.Request{
		Program: sandbox.Program{Name: ProgramName(e.integration, e.kind, e.name), Source: out.bundle},
		Start:   start, Limits: describeLimits(), Host: silent{},
	})
	if p, ok := e.failed(err, out); ok {
		return nil, []Problem{p}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the definition in the sandbox: %w", err)
	}
	d := &described{}
	if err := json.Unmarshal(r.JSON, d); err != nil {
		return nil, nil, fmt.Errorf("reading the definition: %w", err)
	}
	return d, nil, nil
}

// failed explains an error of the sandbox that is the author's.
func (e entry) failed(err error, out output) (Problem, bool) {
	if f, ok := errors.AsType[*sandbox.Failure](err); ok {
		return e.thrown(f, out), true
	}
	if l, ok := errors.AsType[*sandbox.LimitError](err); ok {
		switch l.Limit {
		case sandbox.LimitCPU, sandbox.LimitWall, sandbox.LimitStuck:
			return e.problem("Loading the file does not end, or takes very long. Look for loops and regular expressions outside of functions, here and in what is imported: what takes long belongs into exec."), true
		}
		return e.problem("Reading the definition was stopped: %s. What takes much belongs into exec.", l.Error()), true
	}
	if s, ok := errors.AsType[*sandbox.SyntaxError](err); ok {
		p := e.problem("The sandbox can't read the function: %s.", strings.TrimSuffix(s.Message, "."))
		return out.place(p, s.Line, s.Column), true
	}
	return Problem{}, false
}

// thrown explains what a program threw while it was evaluated, at the first line
// of the author's that took part, or else of a package's.
func (e entry) thrown(f *sandbox.Failure, out output) Problem {
	var failure struct{ Name, Message, Stack string }
	if json.Unmarshal(f.JSON, &failure) != nil {
		return e.problem("Evaluating the file failed.")
	}
	p := e.problem("Evaluating the file failed: %s: %s", failure.Name, sentence(failure.Message))
	frame := regexp.MustCompile(regexp.QuoteMeta(ProgramName(e.integration, e.kind, e.name)) + `:(\d+):(\d+)`)
	first := p
	for _, at := range frame.FindAllStringSubmatch(failure.Stack, -1) {
		line, _ := strconv.Atoi(at[1])
		column, _ := strconv.Atoi(at[2])
		placed := out.place(p, line, column)
		if placed.Line > 0 && packageOf(placed.File) == "" {
			return placed
		}
		if first.Line == 0 {
			first = placed
		}
	}
	return first
}

// place puts a problem where the author wrote what is at a line and column of the
// bundle.
func (o output) place(p Problem, line, column int) Problem {
	m, err := sourcemap.New(o.mapped)
	if err != nil {
		return p
	}
	file, line, column, ok := m.Position(line, column)
	if !ok {
		return p
	}
	text := lineOf(m.Source(file), line)
	offset := offsetOf(text, column)
	p.File, p.Line, p.Column = file, line, columnOf(text, offset)
	if text != "" {
		p.Excerpt = excerpt(line, text, offset, 1)
	}
	return p
}

// offsetOf turns a column in UTF-16 units into an offset in bytes.
func offsetOf(line string, column int) int {
	units := column - 1
	for i, r := range line {
		if units <= 0 {
			return i
		}
		units--
		if r > 0xFFFF {
			units--
		}
	}
	return len(line)
}

// fill turns what a program says of itself into the function's definition. The
// problems say what can't be.
func (d *described) fill(f *Function, version string) []Problem {
	c := checker{}
	switch {
	case d.Missing != nil && *d.Missing:
		c.add("", "The file has no default export. Write export default %s({ … }), or for a plain function export default async function run(nango) { … }.", creatorOf(f.Kind))
	case d.Missing != nil:
		c.add("", "The default export is neither a definition nor a function: write export default %s({ … }).", creatorOf(f.Kind))
	case d.Plain:
		d.plain(f, &c)
	default:
		d.definition(f, &c)
	}
	f.Definition.SDKVersion = SDKVersion(version)
	return c.problems
}

// plain fills in a function without a definition: its kind is its folder's.
func (d *described) plain(f *Function, c *checker) {
	switch f.Kind {
	case KindUnified:
		c.add("", "A plain function does not say what it runs at: write export default createFunction({ … }), or move the file to the folder actions or syncs.")
	case linkspan.FunctionOnEvent:
		c.add("", "A plain function does not say at which event it runs: write export default createOnEvent({ event: \"post-connection-creation\", … }).")
	case linkspan.FunctionSync, linkspan.FunctionAction:
	}
	f.Plain = true
}

// definition fills in what an author defined.
func (d *described) definition(f *Function, c *checker) {
	d.checkType(f.Kind, c)
	if len(c.problems) > 0 {
		return
	}
	for _, flaw := range d.Flaws {
		c.add(flaw.Field, "%s", flaw.Message)
	}
	def := &f.Definition
	read(c, "description", d.Description, &def.Description, "a text")
	read(c, "version", d.Version, &f.Version, "a text such as \"1.0.0\"")
	read(c, "scopes", d.Scopes, &def.Scopes, "a list of texts")
	def.Input, def.Models, def.Schema = d.Input, d.Models, d.Schema
	f.OnWebhook = d.OnWebhook
	switch f.Kind {
	case linkspan.FunctionSync:
		d.sync(def, c)
	case linkspan.FunctionAction:
		d.action(def, c)
	case linkspan.FunctionOnEvent:
		d.onEvent(def, c)
	case KindUnified:
		f.Kind = d.unified(def, c)
	}
	c.text("description", def.Description, 2000)
	c.text("version", f.Version, 255)
	c.texts("scopes", def.Scopes)
	c.checkpoint(d.checkpointField(), d.Checkpoint)
}

// checkType compares what a definition is with the folder that it is in.
func (d *described) checkType(kind linkspan.FunctionKind, c *checker) {
	var typ string
	if len(d.Type) > 0 && json.Unmarshal(d.Type, &typ) != nil {
		typ = ""
	}
	is := map[string]linkspan.FunctionKind{"sync": linkspan.FunctionSync, "action": linkspan.FunctionAction, "onEvent": linkspan.FunctionOnEvent, "function": KindUnified}[typ]
	switch {
	case is == kind:
	case is != "":
		c.add("", "This is made by %s, but the file is in the folder %s: move it to the folder %s.", creatorOf(is), folderOf(kind), folderOf(is))
	default:
		c.add("", "The default export is an object that was not made by %s: write export default %s({ … }).", creatorOf(kind), creatorOf(kind))
	}
}

// creatorOf returns the SDK's function that makes definitions of a kind.
func creatorOf(kind linkspan.FunctionKind) string {
	switch kind {
	case linkspan.FunctionSync:
		return "createSync"
	case linkspan.FunctionOnEvent:
		return "createOnEvent"
	case KindUnified:
		return "createFunction"
	default:
		return "createAction"
	}
}

// SDKVersion writes the tool's version as servers know it: three numbers and
// "-zero", for functions that define themselves.
func SDKVersion(version string) string {
	numbers := regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`).FindString(version)
	if numbers == "" {
		numbers = "0.0.0"
	}
	return numbers + "-zero"
}
