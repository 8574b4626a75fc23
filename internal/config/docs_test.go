package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/config"
)

// TestSettingsAreExplained looks every setting up where operators do, with the
// default that is in force.
func TestSettingsAreExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 6 {
			rows[strings.TrimSpace(cells[1])] = cells[2:5]
		}
	}
	for _, s := range config.Settings() {
		if s.NoFlag {
			// Those of prod follow their twins of dev.
			said := strings.Contains(string(text), "`"+s.Env()+"`")
			if twin, prod := strings.CutSuffix(s.Env(), "_PROD"); prod && !said {
				said = strings.Contains(string(text), "`"+twin+"_DEV`, `…_PROD`")
			}
			if !said {
				t.Errorf("docs/operations.md does not say what %s is for", s.Env())
			}
			continue
		}
		row, ok := rows["`--"+s.Name+"`"]
		if !ok {
			t.Errorf("docs/operations.md does not say what --%s is for", s.Name)
			continue
		}
		if got := strings.TrimSpace(row[0]); got != "`"+s.Env()+"`" {
			t.Errorf("docs/operations.md calls the variable of --%s %s", s.Name, got)
		}
		// "false" and "0" have words of their own.
		if s.Default != "" && s.Default != "false" && s.Default != "0" && !strings.Contains(row[1], s.Default) {
			t.Errorf("docs/operations.md says that --%s is %s, not %s", s.Name, strings.TrimSpace(row[1]), s.Default)
		}
	}
}
