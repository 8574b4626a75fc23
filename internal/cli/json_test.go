package cli

import (
	"testing"

	"github.com/spf13/cobra"
)

// Whatever works with functions, or with a running server, can be read by a program.
func TestJSONEverywhere(t *testing.T) {
	t.Parallel()
	seen := 0
	var look func(*cobra.Command)
	look = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			look(below)
		}
		if c.HasSubCommands() {
			return
		}
		if seen++; c.Flag("json") == nil {
			t.Errorf("%s has no --json", c.CommandPath())
		}
	}
	for _, c := range newRoot(System{Environ: func(string) string { return "" }}, Server{}).Commands() {
		if c.GroupID != "server" && c.Name() != "version" && c.Name() != "help" && c.Name() != "completion" && !c.Hidden {
			look(c)
		}
	}
	if seen < 30 {
		t.Errorf("there are only %d commands", seen)
	}
}
