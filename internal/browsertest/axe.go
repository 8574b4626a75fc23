package browsertest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Axe checks pages for accessibility with axe-core.
type Axe struct{ script string }

// NewAxe reads axe-core's script. Without it the test is skipped; on CI it
// fails.
func NewAxe(t testing.TB, path string) *Axe {
	t.Helper()
	script, err := os.ReadFile(path)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("axe-core cannot run, and on CI it must: %v", err)
		}
		t.Skipf("axe-core is not installed (run npm ci in e2e): %v", err)
	}
	return &Axe{script: string(script)}
}

// Check reports each violation of WCAG 2.2 A and AA and of axe-core's best
// practices as an error of the test.
func (a *Axe) Check(t testing.TB, p *Page, what string) {
	t.Helper()
	p.Do(t, a.script)
	var found []struct {
		ID, Impact, Help string
		Nodes            []struct {
			HTML           string `json:"html"`
			FailureSummary string `json:"failureSummary"`
		}
	}
	p.Eval(t, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r => r.violations)`, &found)
	for _, v := range found {
		var where []string
		for _, n := range v.Nodes {
			where = append(where, fmt.Sprintf("%s\n%s", n.HTML, n.FailureSummary))
		}
		t.Errorf("%s: axe-core: %s (%s): %s\n%s", what, v.ID, v.Impact, v.Help, strings.Join(where, "\n"))
	}
}
