package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
)

// serverOptions are the flags that say which environment of which server is meant.
type serverOptions struct {
	dir, environment string
}

// add adds the flags.
func (o *serverOptions) add(cmd *cobra.Command, sys System) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.environment, "env", "e", "dev", "environment")
	flags.StringVar(&o.dir, "dir", ".", "folder with the file .env")
	_ = cmd.MarkFlagDirname("dir") // fails for flags that do not exist
	_ = cmd.RegisterFlagCompletionFunc("env", completeEnvironments(sys, o))
}

// dial finds the server, and makes sure that the key is one of the environment.
func (o *serverOptions) dial(ctx context.Context, sys System) (*remote, error) {
	r, err := o.find(sys)
	if err != nil {
		return nil, err
	}
	return r, r.check(ctx)
}

// find finds the server without calling it.
func (o *serverOptions) find(sys System) (*remote, error) {
	return dialFrom(sys, o.environment, filepath.Join(o.dir, dotenvFile))
}
