package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/project"
)

func newGenerate(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write documents and types that follow from the functions of a folder",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGenerateDocs(sys, server), newGenerateTypes(sys, server))
	return cmd
}

func newGenerateDocs(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "docs",
		Short: "Write a page of Markdown about each function",
		Long: `Writes a page of Markdown about each function that index.ts imports, and one that
lists them: what it does, when it runs, its models, input and output, and how it
is called. Examples take their input from the recorded tests.

Pages of functions that are gone are removed. Files that this command did not
write are never written over.`,
		Example: "  linkspan generate docs\n  linkspan generate docs --out ../docs/functions",
		Args:    usage(cobra.NoArgs),
	}
	var dir string
	addFolder(cmd, &dir)
	out := cmd.Flags().String("out", "", `folder to write to (default "docs" in --dir)`)
	asJSON := cmd.Flags().Bool("json", false, "print what was written as JSON")
	_ = cmd.MarkFlagDirname("out") // fails for flags that do not exist
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		functions, err := compiled(cmd.Context(), sys, server, dir)
		if err != nil {
			return err
		}
		pages, err := project.Docs(dir, functions)
		if err != nil {
			return err
		}
		to := *out
		if to == "" {
			to = filepath.Join(dir, "docs")
		}
		changed, removed, err := project.WriteDocs(to, pages)
		if err != nil {
			return err
		}
		if *asJSON {
			files := make([]string, len(pages))
			for i, p := range pages {
				files[i] = p.File
			}
			return printJSON(sys.Stdout, generated{to, files, changed, removed})
		}
		gone := ""
		if removed > 0 {
			gone = ", " + strconv.Itoa(removed) + " removed"
		}
		t := newTerminal(sys, sys.Stdout)
		t.println(t.paint(styleGreen, "✓"), " ", counted(len(pages), "page"), " in ", printable(to), ", ", strconv.Itoa(changed), " changed", gone)
		return t.err
	}
	return cmd
}

// generated is what --json prints of files that were derived.
type generated struct {
	Out     string   `json:"out"`
	Files   []string `json:"files"`
	Changed int      `json:"changed"`
	Removed int      `json:"removed,omitempty"`
}

func newGenerateTypes(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "types",
		Short: "Write TypeScript types for the application that uses the functions",
		Long: `Writes TypeScript for the application that uses the functions which index.ts
imports: models, inputs and outputs, and maps from the names of integrations,
actions and syncs to them. A file that this command did not write is never written
over.`,
		Example: "  linkspan generate types --out ../app/src/linkspan.d.ts\n  linkspan generate types --out - | less",
		Args:    usage(cobra.NoArgs),
	}
	var dir string
	addFolder(cmd, &dir)
	out := cmd.Flags().String("out", "linkspan.d.ts", "file to write, - for standard output")
	asJSON := cmd.Flags().Bool("json", false, "print what was written as JSON")
	_ = cmd.MarkFlagFilename("out", "ts") // fails for flags that do not exist
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *asJSON && *out == "-" {
			return &usageError{errors.New("--json and --out - both want standard output: leave one out")}
		}
		functions, err := compiled(cmd.Context(), sys, server, dir)
		if err != nil {
			return err
		}
		text, err := project.AppTypes(functions)
		if err != nil {
			return err
		}
		if *out == "-" {
			_, err := fmt.Fprint(sys.Stdout, text)
			return err
		}
		changed, err := project.WriteGenerated(*out, text)
		if err != nil {
			return err
		}
		count, what := 0, " is up to date"
		if changed {
			count, what = 1, " has the types of "+counted(len(functions), "function")
		}
		if *asJSON {
			return printJSON(sys.Stdout, generated{filepath.Dir(*out), []string{filepath.Base(*out)}, count, 0})
		}
		t := newTerminal(sys, sys.Stdout)
		t.println(t.paint(styleGreen, "✓"), " ", printable(*out), what)
		return t.err
	}
	return cmd
}

// compiled returns the functions of a folder, all of which must compile. Problems
// are shown.
func compiled(ctx context.Context, sys System, server Server, dir string) ([]bundle.Function, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	reader, err := server.reader(ctx, sys)
	if err != nil {
		return nil, err
	}
	defer endTrials(ctx, reader)
	status := newTerminal(sys, sys.Stderr)
	folder, err := buildFolder(ctx, status, reader, bundle.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	if n := len(folder.Problems); n > 0 {
		for _, p := range folder.Problems {
			printProblem(status, styleRed, "✗", p)
		}
		status.println()
		return nil, &codedError{exitCompile, fmt.Errorf("%s, so nothing was written", counted(n, "problem"))}
	}
	return folder.Functions, nil
}
