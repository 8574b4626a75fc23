package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/project"
)

const createLong = `Writes a function to start from, with a recorded test that passes, and imports it
in index.ts. What is not said is asked on a terminal. With --template the function
and its test are copied from the library of this program, with what they import.

INTEGRATION is the unique key of an integration, and the name of the folder that
the function goes into. Nothing is ever written over.`

// createOptions are the flags of create.
type createOptions struct {
	dir, integration, name, event, template string
	sync, action, onEvent, function, asJSON bool
}

func newCreate(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create [INTEGRATION] [NAME]",
		Short: "Write a new function with its test",
		Long:  createLong,
		Example: `  linkspan create github open-issues --sync
  linkspan create github create-issue --action
  linkspan create github welcome --on-event --event post-connection-creation
  linkspan create --template github/tickets`,
		Args:              usage(cobra.MaximumNArgs(2)),
		ValidArgsFunction: completeIntegrationFolder,
	}
	var o createOptions
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&o.sync, "sync", false, "a sync: keeps records of a provider up to date")
	flags.BoolVar(&o.action, "action", false, "an action: does one thing when it is called")
	flags.BoolVar(&o.onEvent, "on-event", false, "a function that runs at an event of a connection")
	flags.BoolVar(&o.function, "function", false, "one made with createFunction, which a trigger makes any of these")
	flags.StringVar(&o.event, "event", "", "with --on-event: "+strings.Join(eventNames(), ", "))
	flags.StringVar(&o.integration, "integration", "", "the integration, in place of the argument")
	flags.StringVar(&o.name, "name", "", "the function's name, in place of the argument")
	flags.StringVar(&o.template, "template", "", "copy this function of the library: PROVIDER/NAME")
	addFolder(cmd, &o.dir)
	flags.BoolVar(&o.asJSON, "json", false, "print what was written as JSON, and ask nothing")
	_ = cmd.RegisterFlagCompletionFunc("template", completeTemplate) // fails for flags that do not exist
	_ = cmd.RegisterFlagCompletionFunc("event", cobra.FixedCompletions(eventNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.take(args); err != nil {
			return err
		}
		return o.run(cmd.Context(), sys)
	}
	return cmd
}

// eventNames are the values of --event.
func eventNames() []string {
	return []string{string(linkspan.EventPostConnectionCreation), string(linkspan.EventPreConnectionDeletion), string(linkspan.EventValidateConnection)}
}

// take puts arguments into the places of flags.
func (o *createOptions) take(args []string) error {
	for i, place := range []*string{&o.integration, &o.name} {
		if i >= len(args) {
			break
		}
		if *place != "" && *place != args[i] {
			return &usageError{fmt.Errorf("%q and %q are given for the same thing: leave one out", *place, args[i])}
		}
		*place = args[i]
	}
	if o.event != "" && !linkspan.FunctionEvent(o.event).Valid() {
		return &usageError{fmt.Errorf("--event: %q is not one of %s", o.event, strings.Join(eventNames(), ", "))}
	}
	kinds := 0
	for _, set := range []bool{o.sync, o.action, o.onEvent, o.function} {
		if set {
			kinds++
		}
	}
	if kinds > 1 {
		return &usageError{errors.New("say one of --sync, --action, --on-event and --function")}
	}
	if o.event != "" && !o.sync && !o.action && !o.function {
		o.onEvent = true
	}
	return nil
}

// folder returns the folder that the flags name, or "".
func (o *createOptions) folder() string {
	switch {
	case o.sync:
		return project.FolderSyncs
	case o.action:
		return project.FolderActions
	case o.onEvent:
		return project.FolderOnEvents
	case o.function:
		return project.FolderFunctions
	}
	return ""
}

func (o *createOptions) run(ctx context.Context, sys System) error {
	if err := checkFolder(o.dir); err != nil {
		return err
	}
	if _, ok := project.IndexOf(o.dir); !ok {
		return &usageError{fmt.Errorf("%s has no index.ts, so it is no folder of functions: make it one with linkspan init, or name another with --dir", o.dir)}
	}
	f, made, err := o.create(ctx, sys)
	if err != nil {
		return err
	}
	if o.asJSON {
		return printJSON(sys.Stdout, madeFiles{o.dir, orEmpty(made.Files), orEmpty(made.Kept)})
	}
	t := newTerminal(sys, sys.Stdout)
	t.println(t.paint(styleGreen, "✓"), " ", t.paint(styleBold, printable(functionName(f.Integration, f.Name))), " is there to start from")
	printMade(t, made)
	t.println()
	t.println("Next: write what it does, then try it with ", t.paint(styleCyan, "linkspan test "+functionName(f.Integration, f.Name)))
	return t.err
}

// create writes the function.
func (o *createOptions) create(ctx context.Context, sys System) (project.Function, *project.Made, error) {
	if o.template != "" {
		return o.fromTemplate()
	}
	f := project.Function{Integration: o.integration, Folder: o.folder(), Name: o.name}
	if err := o.complete(ctx, sys, &f); err != nil {
		return f, nil, err
	}
	if err := f.Check(); err != nil {
		return f, nil, &usageError{err}
	}
	made, err := project.Create(o.dir, f, linkspan.FunctionEvent(o.event))
	return f, made, err
}

// complete asks for what was not said, or reports it where nobody can be asked.
func (o *createOptions) complete(ctx context.Context, sys System, f *project.Function) error {
	q := newAsker(sys, newTerminal(sys, sys.Stderr))
	person := !o.asJSON && q.can()
	var missing []string
	for what, given := range map[string]string{"INTEGRATION": f.Integration, "NAME": f.Name, "--sync, --action, --on-event or --function": f.Folder} {
		if given == "" {
			missing = append(missing, what)
		}
	}
	if len(missing) > 0 && !person {
		slices.Sort(missing)
		return &usageError{fmt.Errorf("say which function: %s missing; see linkspan create --help", joinWords(missing))}
	}
	if err := o.askFor(ctx, q, f); err != nil {
		return err
	}
	if f.Folder != project.FolderOnEvents || o.event != "" {
		return nil
	}
	if o.event = f.Name; linkspan.FunctionEvent(f.Name).Valid() {
		return nil
	}
	o.event = string(linkspan.EventPostConnectionCreation)
	if !person {
		return nil
	}
	at, err := q.choose(ctx, "At which event?", eventNames())
	if err != nil {
		return err
	}
	o.event = eventNames()[at]
	return nil
}

// askFor asks for what is missing of a function.
func (o *createOptions) askFor(ctx context.Context, q *asker, f *project.Function) error {
	if f.Folder == "" {
		at, err := q.choose(ctx, "What shall it be?", []string{"sync", "action", "on-event", "function"})
		if err != nil {
			return err
		}
		f.Folder = []string{project.FolderSyncs, project.FolderActions, project.FolderOnEvents, project.FolderFunctions}[at]
	}
	for _, ask := range []struct {
		place    *string
		question string
	}{{&f.Integration, "Which integration, by its unique key?"}, {&f.Name, "Name of the function?"}} {
		for *ask.place == "" {
			q.t.prompt(ask.question + " ")
			answer, err := q.line(ctx)
			if err != nil {
				return err
			}
			*ask.place = answer
		}
	}
	return nil
}

// joinWords writes a list with commas, and is or are behind it.
func joinWords(words []string) string {
	if len(words) == 1 {
		return words[0] + " is"
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1] + " are"
}

// completeIntegrationFolder offers the folders of integrations of this folder.
func completeIntegrationFolder(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	dir, err := cmd.Flags().GetString("dir")
	if err != nil {
		dir = "."
	}
	return integrationFolders(dir), cobra.ShellCompDirectiveNoFileComp
}

// integrationFolders are the folders that functions are in.
func integrationFolders(dir string) []string {
	var names []string
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, entry := range all {
		for _, folder := range []string{project.FolderSyncs, project.FolderActions, project.FolderOnEvents, project.FolderFunctions} {
			if entry.IsDir() && entry.Name() != "node_modules" && isFolder(filepath.Join(dir, entry.Name(), folder)) {
				names = append(names, entry.Name())
				break
			}
		}
	}
	return names
}

// completeFolderFunction offers the functions that are in the folder.
func completeFolderFunction(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	dir, err := cmd.Flags().GetString("dir")
	if err != nil {
		dir = "."
	}
	var names []string
	for _, integration := range integrationFolders(dir) {
		for _, folder := range []string{project.FolderSyncs, project.FolderActions, project.FolderOnEvents, project.FolderFunctions} {
			files, err := os.ReadDir(filepath.Join(dir, integration, folder))
			if err != nil {
				continue // there are none of that kind
			}
			for _, f := range files {
				if name, ok := strings.CutSuffix(f.Name(), ".ts"); ok && !f.IsDir() {
					names = append(names, functionName(integration, name)+"\t"+strings.TrimSuffix(folder, "s"))
				}
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
