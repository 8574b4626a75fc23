package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/config"
)

func sharedApps(t *testing.T, text string) (map[string]config.SharedApp, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "apps.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.LoadSharedApps(file)
}

func TestSharedApps(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"github:\n  client_id: abc\n  client_secret: hush\n  scopes: [repo, user]\n",
		`{"github":{"client_id":"abc","client_secret":"hush","scopes":"repo,user"}}`,
	} {
		apps, err := sharedApps(t, text)
		if err != nil {
			t.Fatal(err)
		}
		a := apps["github"]
		if len(apps) != 1 || a.ClientID != "abc" || a.ClientSecret.Reveal() != "hush" || a.Scopes == nil || *a.Scopes != "repo,user" {
			t.Errorf("read as %+v", a)
		}
	}
	if apps, err := sharedApps(t, "# none yet\n"); err != nil || len(apps) > 0 {
		t.Errorf("an empty file: %v, %v", apps, err)
	}
}

// What is wrong in the file is named without what is secret in it.
func TestSharedAppsThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- hush":                                         "is not a mapping of providers",
		"github: hush":                                   "apps.yaml:1: the app of github is not a mapping",
		"github:\n  hush: x\n":                           "apps.yaml:2: the app of github has an unknown field",
		"github:\n  client_secret: {a: hush}\n":          "apps.yaml:2: client_secret of github",
		"github:\n  client_secret: \"hush\n":             "neither YAML nor JSON",
		"github: {client_id: a}\ngithub: {client_id: b}": "twice",
		"a: {}\n---\nb: {}\n":                            "more than one document",
	} {
		_, err := sharedApps(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := config.LoadSharedApps(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a file that is not there is read")
	}
}
