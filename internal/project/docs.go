package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// Page is a document about functions.
type Page struct {
	// File is its path below the folder of documents, with slashes.
	File string
	// Text is Markdown.
	Text string
}

// listFile is the page that lists the functions.
const listFile = "README.md"

const pageMark = "<!-- " + GeneratedMark + " generate docs: changes are lost. -->\n"

// Docs writes a page about each function of a folder, and one that lists them.
// Examples take their input from the recorded tests.
func Docs(dir string, functions []bundle.Function) ([]Page, error) {
	var list strings.Builder
	list.WriteString(pageMark + "\n# Functions\n")
	pages := []Page{{File: listFile}}
	integration := ""
	for _, f := range functions {
		page, err := docOf(dir, f)
		if err != nil {
			return nil, err
		}
		if f.Integration != integration {
			integration = f.Integration
			fmt.Fprintf(&list, "\n## %s\n\n| Function | Kind | Runs | What it does |\n| --- | --- | --- | --- |\n", plain(integration))
		}
		fmt.Fprintf(&list, "| [%s](<%s>) | %s | %s | %s |\n", plain(f.Name), page.File, kindWord(f), runs(f), cell(plain(f.Definition.Description)))
		pages = append(pages, page)
	}
	if len(functions) == 0 {
		list.WriteString("\nindex.ts imports none.\n")
	}
	pages[0].Text = list.String()
	return pages, nil
}

// docOf writes the page of one function.
func docOf(dir string, f bundle.Function) (Page, error) {
	definitions, err := definitionsOf(f)
	if err != nil {
		return Page{}, err
	}
	d := doc{function: f, definitions: definitions}
	d.line(pageMark)
	d.line("# %s\n", plain(f.Name))
	if f.Definition.Description != "" {
		d.line("%s\n", plain(f.Definition.Description))
	}
	d.facts()
	switch f.Kind {
	case linkspan.FunctionSync:
		d.sync()
	case linkspan.FunctionAction:
		d.action(recordedInput(dir, f))
	case linkspan.FunctionOnEvent:
	}
	file := strings.TrimSuffix(f.File, path.Ext(f.File)) + ".md"
	return Page{File: file, Text: strings.TrimRight(d.text.String(), "\n") + "\n"}, nil
}

// doc is a page that is being written.
type doc struct {
	function    bundle.Function
	definitions members
	text        strings.Builder
}

func (d *doc) line(format string, args ...any) { fmt.Fprintf(&d.text, format+"\n", args...) }

// facts writes what is short to say.
func (d *doc) facts() {
	f, def := d.function, d.function.Definition
	d.line("| | |\n| --- | --- |")
	d.line("| Integration | `%s` |", f.Integration)
	d.line("| Kind | %s |", kindWord(f))
	d.line("| Runs | %s |", runs(f))
	if f.Version != "" {
		d.line("| Version | %s |", cell(f.Version))
	}
	if len(def.Scopes) > 0 {
		d.line("| Scopes | %s |", cell("`"+strings.Join(def.Scopes, "`, `")+"`"))
	}
	if len(def.WebhookSubscriptions) > 0 {
		d.line("| Webhooks | %s |", cell("`"+strings.Join(def.WebhookSubscriptions, "`, `")+"`"))
	}
	if slices.Contains(def.Features, "checkpoints") {
		d.line("| Checkpoints | yes: a run goes on where the last one ended |")
	}
	d.line("| Source | `%s` |\n", f.File)
}

// sync writes what a sync keeps, and how it is read.
func (d *doc) sync() {
	f, def := d.function, d.function.Definition
	if s := d.definitions.find(metadataOf(f)); s != nil && !s.isNull() {
		d.line("## Metadata\n\nWhat the connection's metadata must hold.\n")
		d.table(s)
	}
	for _, model := range def.Models {
		d.line("## Model %s\n", plain(model))
		d.table(d.definitions.find(model))
		d.line("```sh\ncurl --get \"$LINKSPAN_HOST/records\" --data-urlencode %s \\\n  -H \"Authorization: Bearer $LINKSPAN_SECRET_KEY_DEV\" \\\n  -H %s -H \"Connection-Id: <CONNECTION>\"\n```\n",
			shellQuoted("model="+model), shellQuoted("Provider-Config-Key: "+f.Integration))
		d.line("```ts\n%sconst { records, next_cursor } = await client.listRecords({ providerConfigKey: %s, connectionId: \"<CONNECTION>\", model: %s });\n```\n",
			nodeClient, quoted(f.Integration), quoted(model))
	}
}

// nodeClient makes the client that examples use.
const nodeClient = `import { Nango } from "@nangohq/node";

const client = new Nango({ host: process.env.LINKSPAN_HOST, secretKey: process.env.LINKSPAN_SECRET_KEY_DEV });
`

// action writes what an action takes and returns, and how it is called.
func (d *doc) action(recorded json.RawMessage) {
	f, def := d.function, d.function.Definition
	input := d.definitions.find(def.Input)
	d.line("## Input\n")
	d.table(input)
	d.line("## Output\n")
	output := ""
	if len(def.Models) > 0 {
		output = def.Models[0]
	}
	d.table(d.definitions.find(output))

	takes := input != nil && !input.isNull()
	value := recorded
	if takes && value == nil {
		value, _ = json.Marshal(sample(d.definitions, input, 0)) // made of JSON: can't fail
	}
	body := `{"action_name":` + quoted(f.Name)
	call := fmt.Sprintf("await client.triggerAction(%s, \"<CONNECTION>\", %s", quoted(f.Integration), quoted(f.Name))
	if takes {
		body += `,"input":` + string(value)
		call += ", " + indented(value, "")
	}
	d.line("## Example\n")
	d.line("```sh\ncurl -X POST \"$LINKSPAN_HOST/action/trigger\" \\\n  -H \"Authorization: Bearer $LINKSPAN_SECRET_KEY_DEV\" -H \"Content-Type: application/json\" \\\n  -H %s -H \"Connection-Id: <CONNECTION>\" \\\n  -d %s\n```\n",
		shellQuoted("Provider-Config-Key: "+f.Integration), shellQuoted(indented(json.RawMessage(body+"}"), "  ")))
	d.line("```ts\n%sconst output = %s);\n```\n", nodeClient, call)
}

// table writes the members of a schema.
func (d *doc) table(s *schema) {
	for n := 0; s != nil && s.Ref != "" && n < 8; n++ {
		s = d.definitions.find(refName(s.Ref))
	}
	switch {
	case s == nil:
		d.line("Not known.\n")
		return
	case s.isNull():
		d.line("None.\n")
		return
	case !s.object() || len(s.Properties) == 0:
		d.line("`%s`\n", d.typeOf(s))
		if s.Description != "" {
			d.line("%s\n", plain(s.Description))
		}
		return
	}
	d.line("| Member | Type | Required | |\n| --- | --- | --- | --- |")
	d.rows(s, "", 0)
	d.line("")
}

// rows writes a row for each member, and for those of the objects among them.
func (d *doc) rows(s *schema, prefix string, depth int) {
	for i := range s.Properties {
		p := &s.Properties[i]
		of, path := &p.schema, prefix+p.name
		if len(of.Type) == 1 && of.Type[0] == "array" && of.Items.all != nil && of.Items.all.object() && len(of.Items.all.Properties) > 0 {
			of, path = of.Items.all, path+"[]"
		}
		kind, nested := d.typeOf(of), of.object() && len(of.Properties) > 0 && depth < 4
		if nested {
			kind = "object"
		}
		required := "no"
		if slices.Contains(s.Required, p.name) {
			required = "yes"
		}
		about := p.Description
		if p.Format != "" {
			about = strings.TrimSpace(about + " (" + p.Format + ")")
		}
		d.line("| `%s` | `%s` | %s | %s |", cell(path), cell(kind), required, cell(about))
		if nested {
			d.rows(of, path+".", depth+1)
		}
	}
}

// typeOf is a schema's type in one line.
func (d *doc) typeOf(s *schema) string {
	text := typeText{named: func(definition string) string { return definition }}.of(s, 0)
	return strings.Join(strings.Fields(text), " ")
}

// recordedInput returns the input of a function's recorded test, or nil.
func recordedInput(dir string, f bundle.Function) json.RawMessage {
	name := Function{Integration: f.Integration, Name: f.Name}.Fixture()
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return nil
	}
	var fixture struct {
		Input json.RawMessage `json:"input"`
	}
	if json.Unmarshal(text, &fixture) != nil || string(fixture.Input) == "null" {
		return nil // linkspan test says what is wrong with it
	}
	return fixture.Input
}

// kindWord names the kind of a function.
func kindWord(f bundle.Function) string {
	switch f.Kind {
	case linkspan.FunctionSync:
		return "sync"
	case linkspan.FunctionAction:
		return "action"
	case linkspan.FunctionOnEvent:
		return "function at an event"
	}
	return string(f.Kind)
}

// runs says when a function runs.
func runs(f bundle.Function) string {
	def := f.Definition
	switch {
	case f.Kind == linkspan.FunctionOnEvent:
		events := make([]string, 0, 1)
		for _, e := range eventsOf(f) {
			events = append(events, "`"+string(e)+"`")
		}
		return "at " + strings.Join(events, ", ")
	case f.Kind == linkspan.FunctionAction:
		return "when it is called"
	case def.AutoStart:
		return cell(def.Frequency)
	default:
		return cell(def.Frequency) + ", once it is started"
	}
}

// plain keeps text from being taken for Markdown or HTML.
func plain(text string) string {
	return strings.NewReplacer("<", "&lt;", "[", "\\[", "*", "\\*", "_", "\\_", "`", "\\`").Replace(strings.TrimSpace(text))
}

// cell is a text as it can stand in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}

// indented is JSON over several lines, or in one where it is short.
func indented(value json.RawMessage, prefix string) string {
	var short, long bytes.Buffer
	if json.Compact(&short, value) != nil || json.Indent(&long, value, prefix, "  ") != nil {
		return string(value)
	}
	if short.Len() <= 60 {
		return short.String()
	}
	return long.String()
}

// shellQuoted is a text as one word of a POSIX shell's.
func shellQuoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// WriteDocs writes pages below a folder, after it has removed those of functions that
// are gone: what the list of functions that was there links to, and was derived. It
// writes over no file, and removes none, that it has not written.
func WriteDocs(dir string, pages []Page) (changed, removed int, err error) {
	if err := checkPages(dir, pages); err != nil {
		return 0, 0, err
	}
	// Before the list is written: whoever is stopped in between removes the rest the
	// next time. And before the pages are: where a file system does not tell cases
	// apart, a new one may be what an old one was.
	if removed, err = removePages(dir, pages); err != nil {
		return 0, removed, fmt.Errorf("removing the pages of functions that are gone: %w", err)
	}
	changed, err = writePages(dir, pages)
	return changed, removed, err
}

// removePages removes the pages that the list links to and that are not among pages.
func removePages(dir string, pages []Page) (int, error) {
	docs, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer docs.Close()
	list, err := docs.ReadFile(listFile)
	if err != nil || !isDerived(list) {
		return 0, nil // what can't be read fails when it is written
	}
	removed := 0
	for _, m := range regexp.MustCompile(`\]\(<(.+?\.md)>\)`).FindAllSubmatch(list, -1) {
		file := string(m[1])
		if slices.ContainsFunc(pages, func(p Page) bool { return p.File == file }) || !isPage(docs, file) {
			continue
		}
		if err := docs.Remove(file); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return removed, err
		}
		removed++
		removeEmpty(docs, path.Dir(file))
	}
	return removed, nil
}

// removeEmpty removes a folder and those above it, as far as there is nothing in them.
// A link to one is somebody's.
func removeEmpty(docs *os.Root, folder string) {
	for ; folder != "."; folder = path.Dir(folder) {
		if info, err := docs.Lstat(folder); err != nil || !info.IsDir() || docs.Remove(folder) != nil {
			return
		}
	}
}

// isPage reports whether a file was derived. What is not there, a link or can't be
// read is not.
func isPage(docs *os.Root, file string) bool {
	info, err := docs.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	text, err := docs.ReadFile(file)
	return err == nil && isDerived(text)
}

// isDerived reports whether a text begins as pages do, at whatever ends of lines.
func isDerived(text []byte) bool {
	return bytes.HasPrefix(text, []byte(strings.TrimSuffix(pageMark, "\n")))
}

// checkPages refuses to write over what somebody else wrote.
func checkPages(dir string, pages []Page) error {
	for _, p := range pages {
		if err := checkGenerated(filepath.Join(dir, filepath.FromSlash(p.File))); err != nil {
			return err
		}
	}
	return nil
}

// writePages writes pages below a folder and returns how many changed.
func writePages(dir string, pages []Page) (int, error) {
	changed := 0
	for _, p := range pages {
		name := filepath.Join(dir, filepath.FromSlash(p.File))
		if old, err := os.ReadFile(name); err == nil && string(old) == p.Text {
			continue
		}
		if err := put(name, []byte(p.Text)); err != nil {
			return changed, fmt.Errorf("writing %s: %w", name, err)
		}
		changed++
	}
	return changed, nil
}

// WriteGenerated writes a text derived from functions into a file, unless that
// is there and somebody else's. It reports whether the file changed.
func WriteGenerated(name, text string) (bool, error) {
	if err := checkGenerated(name); err != nil {
		return false, err
	}
	changed, err := writePages(filepath.Dir(name), []Page{{File: filepath.Base(name), Text: text}})
	return changed > 0, err
}

// checkGenerated refuses to write over what somebody else wrote.
func checkGenerated(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil //nolint:nilerr // what can't be read is not there, or fails when it is written
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.Contains(first, []byte(GeneratedMark)) {
		return nil
	}
	return linkspan.E("project.Write", linkspan.KindConflict, "file_exists", nil, "%s is there already, and was not written by this command.", name).
		WithHint("Remove it, or say with --out where to write.")
}
