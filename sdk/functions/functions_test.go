package functions_test

import (
	"regexp"
	"testing"

	"github.com/linkspan/linkspan/sdk/functions"
)

// The names of modules are relative, so that everybody makes the same prelude.
func TestPreludeIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`(?m)^\s*// (\S+\.[jt]s)$`).FindAllStringSubmatch(functions.Prelude(), -1)
	if len(names) < 50 {
		t.Fatalf("only %d modules are named", len(names))
	}
	for _, m := range names {
		if !regexp.MustCompile(`^(src|node_modules)/`).MatchString(m[1]) {
			t.Errorf("the prelude names %s", m[1])
		}
	}
}
