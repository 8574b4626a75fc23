package config

import (
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Print writes the settings in the form of a configuration file, each with
// where it came from. Secrets are not shown.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	for _, s := range Settings() {
		src := c.sources[s.Name]
		text := src.text
		if s.Secret && text != "" {
			text = s.show(c)
		}
		if text == "" {
			fmt.Fprintf(&b, "# %s:  # not set\n", s.Key())
			continue
		}
		value, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Value: text})
		if err != nil {
			return fmt.Errorf("writing the setting %s: %w", s.Key(), err)
		}
		fmt.Fprintf(&b, "%s: %s  # %s\n", s.Key(), strings.TrimSpace(string(value)), src.origin)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the settings: %w", err)
	}
	return nil
}
