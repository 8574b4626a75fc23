package bundle

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/linkspan/linkspan"
)

// TextFile is how the text of a function that has no folder is called in problems
// and stacks.
const TextFile = "function.ts"

// Text is what esbuild made of the text of one function that has no folder.
type Text struct {
	// Bundle is CommonJS with a source map.
	Bundle string
	// Problems are what has to be corrected; then there is no bundle.
	Problems []Problem
	// OwnCheckpoints says that the text calls a method for checkpoints of the nango
	// object, AnyCheckpoints that it calls one of any object.
	OwnCheckpoints, AnyCheckpoints bool
}

// CompileText compiles the text of one function by itself. No file is read: what it
// imports is the sandbox's to provide. Bundling would read files: those of patterns
// such as require("./" + name), and of source maps, whatever plugins say.
//
// A hostile text of some hundred kilobytes can make this take gigabytes, minutes or
// the whole process: what comes from customers belongs into a process of its own.
func CompileText(source string) Text {
	r := api.Transform(source, api.TransformOptions{
		Sourcefile:     TextFile,
		Loader:         api.LoaderTS,
		Format:         api.FormatCommonJS,
		Target:         api.ES2023,
		Charset:        api.CharsetASCII,
		LogLevel:       api.LogLevelSilent,
		Platform:       api.PlatformBrowser,
		Define:         map[string]string{"process.env.NODE_ENV": `"production"`, "global": "globalThis", "self": "globalThis"},
		Supported:      map[string]bool{"dynamic-import": false},
		TsconfigRaw:    "{}",
		Sourcemap:      api.SourceMapInline,
		SourcesContent: api.SourcesContentInclude,
		LegalComments:  api.LegalCommentsEndOfFile,
	})
	if len(r.Errors) > 0 {
		return Text{Problems: textProblems(r.Errors)}
	}
	bundle := withoutCopies(string(r.Code))
	return Text{
		Bundle:         bundle,
		OwnCheckpoints: callsCheckpoints(source, api.LoaderTS, ofNango),
		AnyCheckpoints: callsCheckpoints(withoutMap(bundle), api.LoaderJS, func(string) bool { return true }),
	}
}

// ofNango reports whether what is before a method is an object named nango.
func ofNango(object string) bool {
	before, named := strings.CutSuffix(object, "nango")
	return named && !endsInName(before)
}

func textProblems(messages []api.Message) []Problem {
	problems := make([]Problem, len(messages))
	for i, m := range messages {
		problems[i] = problemOf(m)
		if problems[i].File == "" {
			problems[i].File = TextFile
		}
		if strings.HasPrefix(m.Text, "Top-level await") {
			problems[i].Message = "Nothing can be awaited outside of functions: move it into exec, or into a function that exec calls."
		}
	}
	return sortProblems(problems)
}

// TextOptions say what a text is.
type TextOptions struct {
	Integration string
	// Kind is empty when the text itself says what it is.
	Kind linkspan.FunctionKind
	Name string
	// Source is what Text was made of.
	Source string
	Text   Text
	// Version is that of the server, such as "1.2.3".
	Version string
	// Describer reads the definition.
	Describer Describer
}

// DescribeText reads what a compiled text says of itself, by evaluating it in the
// sandbox. The problems are the author's; the error says that the sandbox failed.
func DescribeText(ctx context.Context, o TextOptions) (*Function, []Problem, error) {
	b := &builder{options: Options{Describer: o.Describer}}
	e := entry{file: TextFile, integration: o.Integration, kind: o.Kind, name: o.Name}
	if e.kind == "" {
		e.kind = linkspan.FunctionAction
	}
	out := output{bundle: o.Text.Bundle, mapped: o.Text.Bundle}
	d, problems, err := b.describe(ctx, e, out)
	if err != nil || len(problems) > 0 {
		return nil, explainImports(problems), err
	}
	kind, ok := kindOfType(string(d.Type))
	if ok && kind != e.kind && (o.Kind == "" || kind == KindUnified) {
		e.kind = kind
		if d, problems, err = b.describe(ctx, e, out); err != nil || len(problems) > 0 {
			return nil, explainImports(problems), err
		}
	}
	if ok && kind != e.kind {
		return nil, e.claim([]Problem{{Message: fmt.Sprintf("This is made by %s, but is to be a function of the type %s: correct one of them.", creatorOf(kind), o.Kind)}}), nil
	}
	f := &Function{Integration: e.integration, Kind: e.kind, Name: e.name, File: e.file}
	f.Code = linkspan.FunctionCode{Bundle: o.Text.Bundle, Source: o.Source}
	problems = d.fill(f, o.Version)
	if kind == KindUnified && o.Kind != "" && f.Kind != o.Kind && len(problems) == 0 {
		problems = append(problems, Problem{Message: fmt.Sprintf("The trigger of the function makes a function of the type %s of it, not of the type %s: correct the trigger or the type.", f.Kind, o.Kind)})
	}
	if f.Definition.Unified != nil {
		return f, e.claim(problems), nil
	}
	declared := len(d.Checkpoint) > 0 && string(d.Checkpoint) != "null"
	if o.Text.OwnCheckpoints || declared && o.Text.AnyCheckpoints {
		f.Definition.Features = []string{"checkpoints"}
	}
	return f, e.claim(problems), nil
}

// kindOfType returns the kind of a definition's type, as JSON.
func kindOfType(text string) (linkspan.FunctionKind, bool) {
	kind, ok := map[string]linkspan.FunctionKind{
		`"sync"`: linkspan.FunctionSync, `"action"`: linkspan.FunctionAction, `"onEvent"`: linkspan.FunctionOnEvent, `"function"`: KindUnified,
	}[text]
	return kind, ok
}

// explainImports says what to do about imports that the sandbox does not have.
func explainImports(problems []Problem) []Problem {
	missing := regexp.MustCompile(`The module "(.*)" is not available in functions`)
	for i := range problems {
		found := missing.FindStringSubmatch(problems[i].Message)
		if found == nil {
			continue
		}
		name := found[1]
		node := strings.TrimPrefix(name, "node:")
		switch {
		case relative(name):
			problems[i].Message = fmt.Sprintf("There is no file %s: the function is compiled from this text alone. Put what it imports into it, or deploy a folder with linkspan deploy.", name)
		case nodeModules()[node] || node != name:
			problems[i].Message = fmt.Sprintf("Functions don't have Node's module %q: remove the import.", node)
		default:
			problems[i].Message = fmt.Sprintf("The package %s is not here: the function is compiled from this text alone, and imports linkspan, zod and what functions have of Node. Deploy a folder with linkspan deploy to bring packages.", packageName(name))
		}
	}
	return problems
}
