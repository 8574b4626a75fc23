package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/config"
)

// settings is the part of a command that reads the server's settings.
type settings struct {
	cmd    *cobra.Command
	sys    System
	file   string
	values map[string]*flagValue
}

// addSettings gives a command the flags of all settings.
func addSettings(cmd *cobra.Command, sys System) *settings {
	s := &settings{cmd: cmd, sys: sys, values: make(map[string]*flagValue)}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.file, "config", "", "YAML file with settings [LINKSPAN_CONFIG]")
	for _, setting := range config.Settings() {
		if setting.NoFlag {
			continue
		}
		v := &flagValue{text: setting.Default, kind: setting.Placeholder}
		if setting.Bool {
			v.kind = "bool"
		}
		s.values[setting.Name] = v
		flag := flags.VarPF(v, setting.Name, "", fmt.Sprintf("%s [%s]", setting.Usage, setting.Env()))
		if setting.Bool {
			flag.NoOptDefVal = "true"
		}
	}
	return s
}

// run makes the body of a command that works with the settings and a logger.
func (s *settings) run(f func(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		c, err := s.load()
		if err != nil {
			return err
		}
		log, err := logger(s.sys, c)
		if err != nil {
			return err
		}
		return f(cmd.Context(), c, log, cmd.OutOrStdout())
	}
}

// load reads the settings. Its errors are usage errors.
func (s *settings) load() (config.Config, error) {
	given := make(map[string]string)
	for name, v := range s.values {
		if s.cmd.Flags().Changed(name) {
			given[name] = v.text
		}
	}
	file := s.file
	if file == "" {
		file = s.sys.Environ("LINKSPAN_CONFIG")
	}
	c, err := config.Load(given, s.sys.Environ, file)
	if err != nil {
		return config.Config{}, &usageError{err}
	}
	return c, nil
}

// flagValue keeps a flag's text; package config checks it together with the
// other sources.
type flagValue struct{ text, kind string }

// String implements pflag.Value.
func (v *flagValue) String() string { return v.text }

// Set implements pflag.Value.
func (v *flagValue) Set(text string) error {
	v.text = text
	return nil
}

// Type implements pflag.Value: the placeholder in help texts.
func (v *flagValue) Type() string { return v.kind }
