package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

const accountHelp = `The server is found as by other commands; the key is the account's, taken from
LINKSPAN_ACCOUNT_KEY in the environment or in the file .env of --dir.`

// accountKeyVar names the variable with the account's key.
const accountKeyVar = "LINKSPAN_ACCOUNT_KEY"

// dialAccount finds the server and the key of the account. It does not call yet.
func dialAccount(sys System, dir string) (*remote, error) {
	dotenv := filepath.Join(dir, dotenvFile)
	lookup, err := withDotenv(sys.Environ, dotenv)
	if err != nil {
		return nil, err
	}
	key := lookup(accountKeyVar)
	if key == "" {
		return nil, &usageError{fmt.Errorf("there is no account key: set %s, in the environment or in %s", accountKeyVar, dotenv)}
	}
	host, hostVar := first(lookup, "LINKSPAN_HOST", "NANGO_HOSTPORT")
	host = cmp.Or(host, defaultHost)
	c, err := client.New(host, api.Secret(key), client.WithUserAgent("linkspan-cli"))
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", hostVar, err)}
	}
	return &remote{client: c, host: host, keyVar: accountKeyVar}, nil
}

// accountCommand makes a command that is about the environments of an account.
func accountCommand(sys System, cmd *cobra.Command, run func(ctx context.Context, r *remote, args []string, asJSON bool) error) *cobra.Command {
	cmd.Long += "\n\n" + accountHelp
	var dir string
	cmd.Flags().StringVar(&dir, "dir", ".", "folder with the file .env")
	_ = cmd.MarkFlagDirname("dir") // fails for flags that do not exist
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := dialAccount(sys, dir)
		if err != nil {
			return err
		}
		return run(cmd.Context(), r, args, *asJSON)
	}
	return cmd
}

// explainAccount says why a call with the account's key failed.
func (r *remote) explainAccount(err error) error {
	explained := r.explain(err)
	if e, ok := errors.AsType[*linkspan.Error](explained); ok && e.Kind == linkspan.KindUnauthenticated {
		return e.WithHint("It must be an account key of that server: its first start prints one.")
	}
	return explained
}

func newEnvList(sys System) *cobra.Command {
	return accountCommand(sys, &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the environments of the account",
		Long: "Lists the environments of the account.", Args: usage(cobra.NoArgs),
	}, func(ctx context.Context, r *remote, _ []string, asJSON bool) error {
		ctx, cancel := context.WithTimeout(ctx, envTimeout)
		defer cancel()
		all, err := r.client.Environments(ctx, "")
		if err != nil {
			return r.explainAccount(err)
		}
		if asJSON {
			return printJSON(sys.Stdout, append([]api.Environment{}, all...))
		}
		rows := [][]string{{"ENVIRONMENT", "PRODUCTION", "UUID"}}
		for _, e := range all {
			production := ""
			if e.IsProduction {
				production = "yes"
			}
			rows = append(rows, []string{e.Name, production, e.UUID})
		}
		t := newTerminal(sys, sys.Stdout)
		printTable(t, rows)
		return t.err
	})
}

// createdEnvironment is an environment as --json prints it.
type createdEnvironment struct {
	api.CreatedEnvironment

	// Key is shown only now.
	Key string `json:"secret_key"`
	// Variable is where commands look for the key.
	Variable string `json:"variable"`
}

func newEnvCreate(sys System) *cobra.Command {
	var production bool
	cmd := accountCommand(sys, &cobra.Command{
		Use: "create ENVIRONMENT", Short: "Create an environment, with an API key",
		Long: `Creates an environment with an API key that may do everything in it, and prints the
key, which nobody sees again, as a line for the file .env.`,
		Example: "  linkspan env create staging >> .env", Args: usage(cobra.ExactArgs(1)),
	}, func(ctx context.Context, r *remote, args []string, asJSON bool) error {
		if !isEnvironmentName(args[0]) {
			return &usageError{fmt.Errorf("%q can't be the name of an environment: those are made of a-z, 0-9, _ and -", args[0])}
		}
		ctx, cancel := context.WithTimeout(ctx, envTimeout)
		defer cancel()
		in := api.CreateEnvironment{Name: args[0]}
		if production {
			in.IsProduction = &production
		}
		made, err := r.client.CreateEnvironment(ctx, in)
		if err != nil {
			return r.explainAccount(err)
		}
		key, err := r.client.CreateAPIKey(ctx, made.UUID, api.CreateAPIKey{DisplayName: "linkspan-cli"})
		if err != nil {
			return fmt.Errorf("the environment %s is there, but it has no key yet: %w", made.Name, r.explainAccount(err))
		}
		out := createdEnvironment{
			made, key.Secret.Reveal(), "LINKSPAN_SECRET_KEY_" + strings.ToUpper(strings.ReplaceAll(made.Name, "-", "_")),
		}
		if asJSON {
			return printJSON(sys.Stdout, out)
		}
		status := newTerminal(sys, sys.Stderr)
		status.println(status.paint(styleGreen, "✓"), " The environment ", status.paint(styleBold, printable(made.Name)), " is there. Its key, which is not shown again:")
		_, err = fmt.Fprintf(sys.Stdout, "%s=%s\n", out.Variable, out.Key)
		return errors.Join(err, status.err)
	})
	cmd.Flags().BoolVar(&production, "production", false, "mark it as one of production")
	return cmd
}

func newEnvDelete(sys System) *cobra.Command {
	var yes bool
	cmd := accountCommand(sys, &cobra.Command{
		Use: "delete ENVIRONMENT", Short: "Delete an environment with everything in it",
		Long: `Deletes an environment with everything in it: integrations, connections, functions,
records and keys. It asks before, unless --yes says so.`,
		Args: usage(cobra.ExactArgs(1)),
	}, func(ctx context.Context, r *remote, args []string, asJSON bool) error {
		found, err := r.environment(ctx, args[0])
		if err != nil {
			return err
		}
		question := fmt.Sprintf("Delete the environment %s at %s, with everything in it?", printable(found.Name), printable(r.host))
		if err := sure(ctx, sys, yes, question); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, envTimeout)
		defer cancel()
		if err := r.client.DeleteEnvironment(ctx, found.UUID); err != nil {
			return r.explainAccount(err)
		}
		return deleted(sys, asJSON, "the environment "+found.Name)
	})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// environment finds an environment of the account by its name.
func (r *remote) environment(ctx context.Context, name string) (api.Environment, error) {
	ctx, cancel := context.WithTimeout(ctx, envTimeout)
	defer cancel()
	all, err := r.client.Environments(ctx, name)
	if err != nil {
		return api.Environment{}, r.explainAccount(err)
	}
	for _, e := range all {
		if e.Name == name {
			return e, nil
		}
	}
	return api.Environment{}, linkspan.E("cli.env", linkspan.KindNotFound, "not_found", nil, "There is no environment %q at %s.", name, r.host).
		WithHint("linkspan env list shows those that there are.")
}
