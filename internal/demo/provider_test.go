package demo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/demo"
)

// The catalogue takes the three providers as they are, and reads in them what
// they are there to show.
func TestProviders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const base = "http://localhost:3004"
	for name, data := range demo.ProviderFiles(base) {
		if strings.Contains(string(data), "ticketry.example") {
			t.Errorf("%s still holds the address of nobody", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := catalog.Open(catalog.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Errors() {
		t.Error(err)
	}
	for name, mode := range map[string]catalog.AuthMode{
		demo.ProviderOAuth: catalog.ModeOAuth2, demo.ProviderKey: catalog.ModeAPIKey, demo.ProviderBasic: catalog.ModeBasic,
	} {
		p, err := c.Provider(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Auth.Mode != mode {
			t.Errorf("%s has the mode %s, not %s", name, p.Auth.Mode, mode)
		}
		if logo, err := c.Logo(name); err != nil || !strings.Contains(string(logo), "dasharray") {
			t.Errorf("%s has the logo %.60s, error %v", name, logo, err)
		}
	}
}
