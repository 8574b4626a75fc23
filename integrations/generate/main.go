// Command generate bundles the functions of the folder above, reads their
// definitions in the sandbox, and writes templates.json and the list of functions
// in README.md. It is run by "go generate" there.
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/integrations"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err) //nolint:forbidigo // this is a command
		os.Exit(1)                                //nolint:forbidigo // this is a command
	}
}

func run(ctx context.Context) error {
	engine, err := sandbox.New(ctx, sandbox.Options{Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure})
	if err != nil {
		return fmt.Errorf("starting the sandbox: %w", err)
	}
	defer engine.Close() //nolint:contextcheck // it takes none
	project, err := bundle.Build(ctx, bundle.Options{Dir: ".", SourceMap: true, Describer: engine})
	if err != nil {
		return fmt.Errorf("building the functions: %w", err)
	}
	if len(project.Problems) > 0 {
		return errors.Join(problems(project.Problems)...)
	}
	list := make([]integrations.Generated, 0, len(project.Functions))
	for _, f := range project.Functions {
		files, err := imports(f.File)
		if err != nil {
			return err
		}
		code, sourceMap, err := split(f.Code.Bundle)
		if err != nil {
			return fmt.Errorf("taking the source map out of %s: %w", f.File, err)
		}
		// It is that of the program which deploys the function, and not of this one.
		f.Definition.SDKVersion = ""
		list = append(list, integrations.Generated{
			Provider: f.Integration, Kind: f.Kind, Name: f.Name, Version: f.Version, Definition: f.Definition,
			Files: files, Code: code, Map: sourceMap,
		})
	}
	if err := write(list); err != nil {
		return err
	}
	return writeReadme(list)
}

func problems(list []bundle.Problem) []error {
	errs := make([]error, len(list))
	for i, p := range list {
		errs[i] = p
	}
	return errs
}

// split takes the source map out of a bundle, and the sources out of the map: they
// are in the folder.
func split(bundle string) (string, integrations.SourceMap, error) {
	code, encoded, ok := strings.Cut(bundle, integrations.MapComment)
	if !ok {
		return "", integrations.SourceMap{}, errors.New("there is none")
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", integrations.SourceMap{}, fmt.Errorf("decoding it: %w", err)
	}
	var m integrations.SourceMap
	if err := json.Unmarshal(text, &m); err != nil {
		return "", integrations.SourceMap{}, fmt.Errorf("reading it: %w", err)
	}
	m.Contents = nil
	return code, m, nil
}

// write writes templates.json, a line for each function.
func write(list []integrations.Generated) error {
	var out bytes.Buffer
	for i, g := range list {
		sep := "[\n"
		if i > 0 {
			sep = ",\n"
		}
		out.WriteString(sep)
		text, err := json.Marshal(g)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", integrations.Path(g.Provider, g.Kind, g.Name), err)
		}
		out.Write(text)
	}
	out.WriteString("\n]\n")
	if err := os.WriteFile("templates.json", out.Bytes(), 0o644); err != nil { //nolint:gosec // a file of the repository
		return fmt.Errorf("writing templates.json: %w", err)
	}
	return nil
}

// imported finds what a source imports of the folder.
var imported = regexp.MustCompile(`(?m)^(?:import|export)\s[^"';]*?\bfrom\s+"(\.[^"]+)"`)

// imports returns the sources that a source imports, directly or through others,
// in order.
func imports(file string) ([]string, error) {
	var found []string
	todo := []string{file}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		text, err := os.ReadFile(filepath.FromSlash(name)) //nolint:gosec // a file of the repository
		if err != nil {
			return nil, fmt.Errorf("reading a source: %w", err)
		}
		for _, m := range imported.FindAllSubmatch(text, -1) {
			next := path.Join(path.Dir(name), string(m[1])) + ".ts"
			if next != file && !slices.Contains(found, next) {
				found = append(found, next)
				todo = append(todo, next)
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// The list of functions stands between these lines.
const (
	begin = "<!-- functions: written by go generate -->\n"
	end   = "<!-- end of functions -->\n"
)

// writeReadme writes the list of functions into README.md.
func writeReadme(list []integrations.Generated) error {
	text, err := os.ReadFile("README.md")
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return errors.New("README.md has no place for the list of functions")
	}
	if err := os.WriteFile("README.md", []byte(before+begin+table(list)+end+after), 0o644); err != nil { //nolint:gosec // a file of the repository
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// table returns a table for each provider.
func table(list []integrations.Generated) string {
	var out strings.Builder
	provider := ""
	for _, g := range list {
		if g.Provider != provider {
			provider = g.Provider
			fmt.Fprintf(&out, "\n### %s\n\n| function | kind | what it does |\n|---|---|---|\n", provider)
		}
		what := strings.ReplaceAll(g.Definition.Description, "|", "\\|")
		if g.Kind == linkspan.FunctionSync {
			what = fmt.Sprintf("`%s`, %s. %s", strings.Join(g.Definition.Models, "`, `"), g.Definition.Frequency, what)
		}
		fmt.Fprintf(&out, "| [%s](%s) | %s | %s |\n", g.Name, integrations.Path(g.Provider, g.Kind, g.Name), g.Kind, what)
	}
	out.WriteString("\n")
	return out.String()
}
