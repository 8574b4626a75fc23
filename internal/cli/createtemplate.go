package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/integrations"
	"github.com/linkspan/linkspan/internal/project"
)

// fromTemplate writes a function of the library into the folder. What is not said
// is as in the library.
func (o *createOptions) fromTemplate() (project.Function, *project.Made, error) {
	t, err := o.findTemplate()
	if err != nil {
		return project.Function{}, nil, err
	}
	f := project.Function{Integration: cmp.Or(o.integration, t.Provider), Folder: string(t.Kind) + "s", Name: cmp.Or(o.name, t.Name)}
	if err := f.Check(); err != nil {
		return f, nil, &usageError{err}
	}
	others := make(map[string]string, len(t.Files)+1)
	for name, text := range t.Files {
		// What is beside the function in the library is beside it here.
		if rest, ok := strings.CutPrefix(name, t.Provider+"/"); ok {
			name = f.Integration + "/" + rest
		}
		others[name] = text
	}
	recorded := project.Function{Integration: t.Provider, Name: t.Name}.Fixture()
	switch text, err := fs.ReadFile(integrations.FS(), recorded); {
	case err == nil:
		others[f.Fixture()] = string(text)
	case !errors.Is(err, fs.ErrNotExist):
		return f, nil, fmt.Errorf("reading the test of the template: %w", err)
	}
	made, err := project.CreateFrom(o.dir, f, t.Source, others)
	return f, made, err
}

// findTemplate returns the function of the library that --template names, as
// PROVIDER/NAME or as NAME of the integration's provider.
func (o *createOptions) findTemplate() (integrations.Template, error) {
	provider, name, ok := strings.Cut(o.template, "/")
	if !ok {
		provider, name = o.integration, o.template
	}
	var found, ofProvider []integrations.Template
	for _, t := range integrations.Templates() {
		if t.Provider != provider {
			continue
		}
		ofProvider = append(ofProvider, t)
		if t.Name == name && (o.folder() == "" || o.folder() == string(t.Kind)+"s") {
			found = append(found, t)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return integrations.Template{}, &usageError{fmt.Errorf("--template: %q is a sync and an action: say --sync or --action", o.template)}
	case len(ofProvider) > 0:
		return integrations.Template{}, &usageError{fmt.Errorf("--template: there is no %q; of %s there are:\n  %s", o.template, provider, strings.Join(templateNames(ofProvider, false), "\n  "))}
	default:
		return integrations.Template{}, &usageError{fmt.Errorf("--template: there is no %q; templates are named PROVIDER/NAME, and there are some of: %s", o.template, strings.Join(templateProviders(), ", "))}
	}
}

func templateProviders() []string {
	var names []string
	for _, t := range integrations.Templates() {
		names = append(names, t.Provider)
	}
	return sorted(names)
}

// templateNames lists templates; for completion with what they do.
func templateNames(all []integrations.Template, described bool) []string {
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = functionName(t.Provider, t.Name)
		if described {
			names[i] += "\t" + string(t.Kind) + ": " + t.Definition.Description
		} else if slices.ContainsFunc(all, func(other integrations.Template) bool { return other.Name == t.Name && other.Kind != t.Kind }) {
			names[i] += " (" + string(t.Kind) + ")"
		}
	}
	return names
}

// completeTemplate offers the functions of the library.
func completeTemplate(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	all := integrations.Templates()
	for flag, kind := range map[string]linkspan.FunctionKind{"sync": linkspan.FunctionSync, "action": linkspan.FunctionAction, "on-event": linkspan.FunctionOnEvent} {
		if cmd.Flags().Changed(flag) {
			all = slices.DeleteFunc(all, func(t integrations.Template) bool { return t.Kind != kind })
		}
	}
	if len(args) > 0 && slices.Contains(templateProviders(), args[0]) {
		all = slices.DeleteFunc(all, func(t integrations.Template) bool { return t.Provider != args[0] })
	}
	return templateNames(all, true), cobra.ShellCompDirectiveNoFileComp
}
