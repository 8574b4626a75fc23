package cli_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/cli"
)

func TestProviders(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"providers --search github",
		"providers list --search github --auth app --json",
		"providers list --templates",
		"providers list --auth PASSWORD",
		"providers list --search nothing-at-all",
		"providers show github",
		"providers show zendesk",
		"providers show shopify --json",
		"providers show githbu",
		"__complete providers show zende",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := cli.Run(t.Context(), cli.System{
				Args: strings.Fields(args), Environ: func(string) string { return "" }, Stdout: &stdout, Stderr: &stderr,
			}, cli.Server{})
			got := fmt.Sprintf("$ linkspan %s\n[%d]\n-- stdout --\n%s-- stderr --\n%s", args, code, &stdout, &stderr)
			// What the functions of the library say of themselves changes.
			got = regexp.MustCompile(`(?m)^(  (?:sync|action) +[a-z-]+) .*$|("description": ")[A-Z].*(")`).ReplaceAllString(got, "$1$2…$3")
			golden(t, filepath.Join("testdata", "providers", strings.ReplaceAll(args, " ", "-")+".golden"), got)
		})
	}
}
