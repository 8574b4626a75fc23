package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/integrations"
	"github.com/linkspan/linkspan/internal/project"
)

// library gets functions of the library of this program.
func (p *pull) library() (*project.Pulled, error) {
	of := func(all []integrations.Template, name string) []integrations.Template {
		return slices.DeleteFunc(slices.Clone(all), func(t integrations.Template) bool {
			return p.integration != "" && t.Provider != p.integration || name != "" && t.Name != name || p.kind != "" && string(t.Kind) != p.kind
		})
	}
	ofProvider := of(integrations.Templates(), "")
	wanted := of(ofProvider, p.name)
	switch {
	case len(wanted) == 0 && len(ofProvider) > 0:
		return nil, &usageError{fmt.Errorf("--catalog: there is no %q; of %s there are:\n  %s", p.name, p.integration, strings.Join(templateNames(ofProvider, false), "\n  "))}
	case len(wanted) == 0:
		return nil, &usageError{fmt.Errorf("--catalog: there is nothing of %q; there are functions of: %s", p.integration, joined(templateProviders()))}
	case len(wanted) > 1 && p.name != "":
		return nil, &usageError{fmt.Errorf("--catalog: %s has a sync and an action %q: say with --type which one is meant", p.integration, p.name)}
	}
	pulled := &project.Pulled{Files: make(map[string]string), Shared: make(map[string]string)}
	for _, t := range wanted {
		if err := p.template(pulled, t); err != nil {
			return nil, err
		}
	}
	return pulled, nil
}

// template adds a function of the library, its test, and what it imports.
func (p *pull) template(pulled *project.Pulled, t integrations.Template) error {
	pulled.Functions = append(pulled.Functions, t.Path())
	pulled.Files[t.Path()] = project.Source(p.dir, t.Source)
	for name, text := range t.Files {
		if path.Ext(name) == ".ts" {
			text = project.Source(p.dir, text)
		}
		pulled.Shared[name] = text
	}
	recorded := project.Function{Integration: t.Provider, Name: t.Name}.Fixture()
	text, err := fs.ReadFile(integrations.FS(), recorded)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("reading the test of %s: %w", functionName(t.Provider, t.Name), err)
	}
	pulled.Files[recorded] = string(text)
	return nil
}

// completion offers integrations, then the functions of the one chosen.
func (p *pull) completion(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if p.catalog {
		return completeLibrary(args)
	}
	functions := func(ctx context.Context, r *remote, args []string) ([]string, error) {
		all, err := r.functions(ctx, args[0], "")
		names := make([]string, len(all))
		for i, f := range all {
			names[i] = f.Name + "\t" + f.Type
		}
		return names, err
	}
	return completeArgs(p.sys, &p.serverOptions, integrationNames, functions)(cmd, args, begun)
}

// completeLibrary offers providers that there are functions of, then those.
func completeLibrary(args []string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return templateProviders(), cobra.ShellCompDirectiveNoFileComp
	case 1:
		var names []string
		for _, t := range integrations.Templates() {
			if t.Provider == args[0] {
				names = append(names, t.Name+"\t"+string(t.Kind)+": "+t.Definition.Description)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
