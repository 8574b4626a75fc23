package app

import (
	"context"
	"io"

	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/environment"
)

// bootstrap makes the account of a new database and shows the keys that were
// generated, once: only their hashes are kept.
func bootstrap(ctx context.Context, environments *environment.Service, c config.Bootstrap, publicURL string, out io.Writer) error {
	made, err := environments.Bootstrap(ctx, environment.BootstrapInput{
		AccountKey: c.AccountKey,
		Environments: map[string]environment.GivenKeys{
			"dev":  environment.GivenKeys(c.Dev),
			"prod": environment.GivenKeys(c.Prod),
		},
	})
	if err != nil || made == nil {
		return err
	}
	return printKeys(out, made, publicURL)
}

func printKeys(out io.Writer, made *environment.Bootstrapped, publicURL string) error {
	var example string
	var lines [][2]string
	for _, e := range made.Environments {
		if !e.SecretKey.Generated {
			continue
		}
		key := e.SecretKey.Secret.Reveal()
		lines = append(lines, [2]string{"API key of " + e.Environment.Name, key})
		if !e.Environment.IsProduction {
			example = key
		}
	}
	if made.AccountKey.Generated {
		lines = append(lines, [2]string{"account key", made.AccountKey.Secret.Reveal()})
	}
	if len(lines) == 0 {
		return nil
	}
	p := printer{w: out}
	p.line("\nWelcome to Linkspan. These keys are shown only this once:\n")
	for _, l := range lines {
		p.line("  %-16s  %s", l[0], l[1])
	}
	if example != "" {
		p.line("\nTry it:\n\n  curl -H 'Authorization: Bearer %s' %s/integrations", example, publicURL)
	}
	p.line("")
	return p.err
}
