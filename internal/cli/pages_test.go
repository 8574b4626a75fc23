package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command that a page shows exists, and so do its flags.
func TestCommandsOfPages(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../integrations/*.md", "../project/scaffold/*.md", "../project/scaffold/*/*/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	// In a block of code, or as code in a sentence; not as a part of a longer word.
	shown := regexp.MustCompile("(?:^|`|&& |\\$ |run: |bin/|=\\S+ )linkspan ([a-z][^`|>#\n]*)")
	checked := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, m := range shown.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
				checked++
				command, _, _ := strings.Cut(m[1], " && ")
				if why := wrongCommand(strings.Fields(command)); why != "" {
					t.Errorf("%s: linkspan %s: %s", page, strings.TrimSpace(command), why)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d commands found", checked)
	}
}

// wrongCommand says what is wrong with a command; empty: nothing.
func wrongCommand(words []string) string {
	root := newRoot(System{Environ: func(string) string { return "" }}, Server{})
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if cmd.HasAvailableSubCommands() && len(rest) > 0 && regexp.MustCompile(`^[a-z]+$`).MatchString(rest[0]) {
		return misuse(cmd, rest)
	}
	for _, word := range rest {
		name, _, _ := strings.Cut(strings.TrimRight(word, ",;:.)"), "=")
		if !strings.HasPrefix(name, "-") || name == "-" || name == "--" || hasFlag(cmd, name) {
			continue
		}
		return "there is no flag " + name
	}
	return ""
}

func hasFlag(cmd *cobra.Command, name string) bool {
	cmd.InitDefaultHelpFlag()
	if long, ok := strings.CutPrefix(name, "--"); ok {
		return cmd.Flags().Lookup(long) != nil || cmd.InheritedFlags().Lookup(long) != nil
	}
	return len(name) == 2 && (cmd.Flags().ShorthandLookup(name[1:]) != nil || cmd.InheritedFlags().ShorthandLookup(name[1:]) != nil)
}
