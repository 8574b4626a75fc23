package cli

import (
	"cmp"
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/project"
)

const initLong = `Lays out a folder of functions that works at once: an example of each kind for
the demo provider, each with a recorded test, typings for editors, tsconfig.json,
.env for keys, and AGENTS.md with a skill that teach a coding agent to write
functions here. Nothing is downloaded, and nothing has to be installed.

DIR is the folder, new or not; without it that is the one you are in. Files that
are there stay as they are; a folder of functions is refused.`

// madeFiles is what --json prints of commands that write files.
type madeFiles struct {
	Dir     string   `json:"dir"`
	Written []string `json:"written"`
	// Kept were there and are as they were.
	Kept []string `json:"kept"`
}

func newInit(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "init [DIR]",
		Short:             "Lay out a folder of functions",
		Long:              initLong,
		Example:           "  linkspan init integrations",
		Args:              usage(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeFolder,
	}
	asJSON := cmd.Flags().Bool("json", false, "print what was written as JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir := "."
		if len(args) == 1 {
			dir = args[0]
		}
		if dir == "" {
			return &usageError{errors.New("DIR is empty: name a folder, or leave it out for the one you are in")}
		}
		made, err := project.Init(dir)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(sys.Stdout, madeFiles{dir, orEmpty(made.Files), orEmpty(made.Kept)})
		}
		return printInit(newTerminal(sys, sys.Stdout), made)
	}
	return cmd
}

// completeFolder offers folders for the only argument.
func completeFolder(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// printInit says what was written, and what to do next.
func printInit(t *terminal, made *project.Made) error {
	t.println(t.paint(styleGreen, "✓"), " ", t.paint(styleBold, printable(made.Dir)), " is a folder of functions now")
	printMade(t, made)
	t.println()
	t.println("Next:")
	step := func(command, what string) {
		t.println("  ", t.paint(styleCyan, column(command, 32)), " ", t.paint(styleDim, what))
	}
	if filepath.Clean(made.Dir) != "." {
		step("cd "+shellWord(made.Dir), "")
	}
	step("linkspan test", "replay the recorded tests")
	step("linkspan dev", "compile and test whatever you save")
	step("linkspan create", "write a function of your own")
	step("linkspan demo", "start a server with an account to try them on; put its key for dev into .env")
	step("linkspan deploy dev", "deploy to it")
	return t.err
}

// shellWord writes a path as one word of a shell's.
func shellWord(name string) string {
	if !strings.ContainsAny(name, " \t'\"$&|;<>()*?[]{}!#`\\") && !strings.HasPrefix(name, "~") && !strings.HasPrefix(name, "-") {
		return name
	}
	if filepath.Separator == '\\' {
		return `"` + name + `"` // no name has quotes there
	}
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// printMade lists the files that were written, and those that were left.
func printMade(t *terminal, made *project.Made) {
	for _, name := range made.Files {
		t.println("  ", t.paint(styleGreen, "+"), " ", printable(name))
	}
	for _, name := range made.Kept {
		t.println("  ", t.paint(styleDim, "="), " ", printable(name), t.paint(styleDim, "  was there, and stays as it is"))
	}
}

// orEmpty is a list that is [] in JSON when it is empty.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// checkFolder makes sure that a flag names a folder.
func checkFolder(dir string) error {
	if !isFolder(dir) {
		return &usageError{errors.New("--dir: " + cmp.Or(dir, `""`) + " is not a folder")}
	}
	return nil
}
