package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
)

// functionsTimeout bounds a command that asks the server about functions.
const functionsTimeout = time.Minute

func newFunctions(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "functions",
		Aliases: []string{"function"},
		Short:   "Look at deployed functions, switch them on and off",
		Long: `Looks at the functions deployed to an environment of a running server, and
switches them on and off. Deploy them with: linkspan deploy

` + remoteHelp,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newFunctionsList(sys),
		newFunctionsSwitch(sys, true),
		newFunctionsSwitch(sys, false),
		newFunctionsVersions(sys),
	)
	return cmd
}

// listedFunction is a function as --json prints it.
type listedFunction struct {
	Integration  string   `json:"integration"`
	Type         string   `json:"type"`
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Enabled      bool     `json:"enabled"`
	Source       string   `json:"source"`
	LastDeployed api.Time `json:"last_deployed"`
	Description  string   `json:"description,omitempty"`
	Frequency    string   `json:"frequency,omitempty"`
	Event        string   `json:"event,omitempty"`
	Trigger      string   `json:"trigger,omitempty"`
	Events       []string `json:"events,omitempty"`
}

func newFunctionsList(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "list ENVIRONMENT",
		Aliases:           []string{"ls"},
		Short:             "List the functions of an environment",
		Long:              "Lists the functions of an environment.\n\n" + remoteHelp,
		Example:           "  linkspan functions list dev\n  linkspan functions list prod --integration github --type action",
		Args:              usage(cobra.ExactArgs(1)),
		ValidArgsFunction: completeEnvironment,
	}
	integration := cmd.Flags().String("integration", "", "only those of this integration")
	kind := addType(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkType(*kind); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		r, err := dial(sys, args[0])
		if err != nil {
			return err
		}
		all, err := r.functions(ctx, *integration, *kind)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(sys.Stdout, all)
		}
		return printFunctions(newTerminal(sys, sys.Stdout), all)
	}
	return cmd
}

// functions returns the functions of the environment; an empty integration or
// kind is any.
func (r *remote) functions(ctx context.Context, integration, kind string) ([]listedFunction, error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	configs, err := r.client.ScriptsConfig(ctx)
	if err != nil {
		return nil, r.explain(err)
	}
	all := []listedFunction{} // JSON: [], not null
	for _, c := range configs {
		if integration != "" && c.ProviderConfigKey != integration {
			continue
		}
		for of, scripts := range map[linkspan.FunctionKind][]api.Script{
			linkspan.FunctionSync: c.Syncs, linkspan.FunctionAction: c.Actions, linkspan.FunctionOnEvent: c.OnEvents,
		} {
			if kind != "" && kind != string(of) {
				continue
			}
			for _, s := range scripts {
				all = append(all, listed(c.ProviderConfigKey, of, s))
			}
		}
	}
	slices.SortFunc(all, func(a, b listedFunction) int {
		return cmp.Or(cmp.Compare(a.Integration, b.Integration),
			cmp.Compare(kindOrder(linkspan.FunctionKind(a.Type)), kindOrder(linkspan.FunctionKind(b.Type))), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

func listed(integration string, kind linkspan.FunctionKind, s api.Script) listedFunction {
	frequency := ""
	if s.Runs.Value != nil {
		frequency = *s.Runs.Value
	}
	return listedFunction{
		Integration: integration, Type: string(kind), Name: s.Name, Version: s.Version, Enabled: s.Enabled, Source: s.Source,
		LastDeployed: s.LastDeployed, Description: s.Description, Frequency: frequency, Event: s.Event,
		Trigger: s.Trigger, Events: s.Events,
	}
}

func printFunctions(t *terminal, all []listedFunction) error {
	if len(all) == 0 {
		t.println("There are no functions.")
		return t.err
	}
	rows := [][]string{{"FUNCTION", "TYPE", "VERSION", "STATE", "RUNS", "DEPLOYED"}}
	for _, f := range all {
		state := "on"
		if !f.Enabled {
			state = "off"
		}
		rows = append(rows, []string{functionName(f.Integration, f.Name), f.Type, f.Version, state, whenItRuns(f), stamp(f.LastDeployed)})
	}
	printTable(t, rows)
	return t.err
}

// whenItRuns says what makes a deployed function run.
func whenItRuns(f listedFunction) string {
	if f.Trigger == string(linkspan.TriggerHTTP) {
		return "at webhooks, when triggered"
	}
	return cmp.Or(f.Frequency, strings.Join(f.Events, ", "), f.Event, "when triggered")
}

// stamp is a time as lists show it.
func stamp(t api.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// printTable writes rows in columns; the first row is the heading.
func printTable(t *terminal, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], widest(printable(cell)))
		}
	}
	for n, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = printable(cell); i < len(row)-1 {
				cells[i] = column(cells[i], widths[i])
			}
		}
		line := strings.Join(cells, "  ")
		if n == 0 {
			line = t.paint(styleDim, strings.TrimRight(line, " "))
		}
		t.println(line)
	}
}

func newFunctionsSwitch(sys System, on bool) *cobra.Command {
	name, short := "disable", "Switch a function off"
	long := "Switches a function off: nothing runs it until it is switched on again, and a\ndeploy leaves it off."
	if on {
		name, short, long = "enable", "Switch a function on", "Switches a function on again."
	}
	cmd := &cobra.Command{
		Use:               name + " ENVIRONMENT INTEGRATION/NAME",
		Short:             short,
		Long:              long + "\n\n" + remoteHelp,
		Example:           "  linkspan functions " + name + " prod github/create-issue",
		Args:              usage(cobra.ExactArgs(2)),
		ValidArgsFunction: completeFunction(sys),
	}
	kind, asJSON := addType(cmd), addFunctionJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		f, err := dialFunction(ctx, sys, args, *kind)
		if err != nil {
			return err
		}
		changed, err := f.client.UpdateFunction(ctx, f.integration, f.function, f.query(), api.UpdateFunction{Enabled: on})
		if err != nil {
			return f.explain(err)
		}
		if *asJSON {
			return printJSON(sys.Stdout, changed)
		}
		state := "off"
		if changed.Enabled {
			state = "on"
		}
		_, err = fmt.Fprintf(sys.Stdout, "The %s %s is %s.\n", changed.Type, args[1], state)
		return err
	}
	return cmd
}

func newFunctionsVersions(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "versions ENVIRONMENT INTEGRATION/NAME",
		Short:             "List the versions of a function",
		Long:              "Lists the versions of a function, newest first. The one with an asterisk runs;\nlinkspan rollback makes another one run.\n\n" + remoteHelp,
		Example:           "  linkspan functions versions prod github/create-issue",
		Args:              usage(cobra.ExactArgs(2)),
		ValidArgsFunction: completeFunction(sys),
	}
	kind := addType(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON, as the API has it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), functionsTimeout)
		defer cancel()
		f, err := dialFunction(ctx, sys, args, *kind)
		if err != nil {
			return err
		}
		versions, err := f.versions(ctx)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(sys.Stdout, versions)
		}
		t := newTerminal(sys, sys.Stdout)
		rows := [][]string{{"", "NUMBER", "LABEL", "DEPLOYED", "TOOL"}}
		for _, v := range versions {
			mark := ""
			if v.Active {
				mark = "*"
			}
			rows = append(rows, []string{mark, strconv.FormatInt(v.Version, 10), v.Label, stamp(v.CreatedAt), v.SDKVersion})
		}
		printTable(t, rows)
		return t.err
	}
	return cmd
}

// addFunctionJSON adds the flag of commands that change a function.
func addFunctionJSON(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print the function as JSON, as the API has it")
}

// remoteFunction is one function of a running server.
type remoteFunction struct {
	*remote
	integration, function string
	kind                  string // empty: the server finds out
}

// dialFunction finds the server and the function that arguments name, and makes
// sure that the key is one of the environment.
func dialFunction(ctx context.Context, sys System, args []string, kind string) (*remoteFunction, error) {
	if err := checkType(kind); err != nil {
		return nil, err
	}
	integration, name, ok := strings.Cut(args[1], "/")
	if !ok || integration == "" || name == "" || strings.Contains(name, "/") {
		return nil, &usageError{fmt.Errorf("%q does not name a function: it must look like github/create-issue", args[1])}
	}
	r, err := dial(sys, args[0])
	if err != nil {
		return nil, err
	}
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	return &remoteFunction{remote: r, integration: integration, function: name, kind: kind}, nil
}

// query tells the function from others of its name.
func (f *remoteFunction) query() api.FunctionQuery {
	if f.kind == "" {
		return api.FunctionQuery{}
	}
	return api.FunctionQuery{Type: &f.kind}
}

// versions returns all versions of the function, newest first.
func (f *remoteFunction) versions(ctx context.Context) ([]api.FunctionVersion, error) {
	all := []api.FunctionVersion{} // JSON: [], not null
	for page := 0; ; page++ {
		q := api.FunctionVersionsQuery{Type: f.query().Type, Page: new(page), Limit: new(100)}
		got, err := f.client.FunctionVersions(ctx, f.integration, f.function, q)
		if err != nil {
			return nil, f.explain(err)
		}
		all = append(all, got.Data...)
		if len(got.Data) == 0 || len(all) >= got.Pagination.Total {
			return all, nil
		}
	}
}

// explain says why a call about the function failed.
func (f *remoteFunction) explain(err error) error {
	explained := f.remote.explain(err)
	if e, ok := errors.AsType[*linkspan.Error](explained); ok && e.Code == "ambiguous_function" {
		return e.WithHint("Say with --type which one is meant.")
	}
	return explained
}

// kindNames are the values of --type.
func kindNames() []string {
	return []string{string(linkspan.FunctionSync), string(linkspan.FunctionAction), string(linkspan.FunctionOnEvent)}
}

// addType adds the flag --type.
func addType(cmd *cobra.Command) *string {
	kind := cmd.Flags().String("type", "", strings.Join(kindNames(), ", ")+": which one, when several have the name")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp)) // fails for flags that do not exist
	return kind
}

func checkType(kind string) error {
	if kind == "" || slices.Contains(kindNames(), kind) {
		return nil
	}
	return &usageError{fmt.Errorf("--type: %q is not one of %s", kind, strings.Join(kindNames(), ", "))}
}

// completeEnvironment offers the environments that every account begins with.
func completeEnvironment(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"dev", "prod"}, cobra.ShellCompDirectiveNoFileComp
}

// completeTimeout bounds how long a person who presses tab waits.
const completeTimeout = 2 * time.Second

// completeFunction offers environments, then the functions of the one chosen.
func completeFunction(sys System) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return completeEnvironment(cmd, args, "")
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		r, err := dial(sys, args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := r.functions(ctx, "", "")
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := make([]string, len(all))
		for i, f := range all {
			names[i] = functionName(f.Integration, f.Name) + "\t" + f.Type
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
