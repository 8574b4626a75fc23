package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/project"
)

const listLong = `Lists the functions of the folder beside those that are deployed to an environment,
and how they differ: deployed as they are here, changed, only here, or only there.
Where there is no folder of functions, it lists those that are deployed; with
--local those of the folder, without a server.

` + remoteHelp + ` Comparing needs the scope environment:deploy, although nothing is
changed.

Exit codes: 0 also where they differ; 10 the folder does not compile; 2 a mistake in
the command line; 1 anything else.`

// How a function of the folder and of the environment compare. The values are those
// of --json.
const (
	listSame      = "deployed"
	listChanged   = "changed"
	listOnlyHere  = "only here"
	listOnlyThere = "only there"
	listUnknown   = "unknown" // the key may not compare
)

// compared is a function as --json prints it: in the folder, deployed, or both.
type compared struct {
	Integration string `json:"integration"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	// State is deployed, changed, only here, only there or unknown; absent where
	// there is nothing to compare with.
	State string `json:"state,omitempty"`
	// Version and Frequency are those that are deployed, or else those of the folder.
	Version     string          `json:"version,omitempty"`
	Frequency   string          `json:"frequency,omitempty"`
	Description string          `json:"description,omitempty"`
	Deployed    *listedFunction `json:"deployed"`
}

// functionList is a run of the command.
type functionList struct {
	serverOptions

	integration, kind string
	local, asJSON     bool
	sys               System
	server            Server
	status            *terminal
}

func newList(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List functions, those of the folder beside those deployed",
		Long:    listLong,
		Example: "  linkspan list\n  linkspan list --env prod --integration github\n  linkspan list --local --json",
		Args:    usage(cobra.NoArgs),
	}
	l := functionList{sys: sys, server: server}
	l.add(cmd, sys)
	flags := cmd.Flags()
	flags.StringVar(&l.integration, "integration", "", "only functions of this integration")
	kind := addType(cmd)
	flags.Lookup("type").Usage = "only functions of this type: " + joined(kindNames())
	flags.BoolVar(&l.local, "local", false, "only what is in the folder; asks no server")
	flags.BoolVar(&l.asJSON, "json", false, "print JSON")
	completeFlag(cmd, sys, &l.serverOptions, "integration", integrationNames)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l.kind = *kind
		return l.run(cmd.Context())
	}
	return cmd
}

func (l *functionList) run(ctx context.Context) error {
	if err := checkType(l.kind); err != nil {
		return err
	}
	if err := checkFolder(l.dir); err != nil {
		return err
	}
	l.status = newTerminal(l.sys, l.sys.Stderr)
	all, err := l.compare(ctx)
	l.status.wipe()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f compared) bool {
		return l.integration != "" && f.Integration != l.integration || l.kind != "" && f.Type != l.kind
	})
	slices.SortFunc(all, func(a, b compared) int {
		return cmp.Or(cmp.Compare(a.Integration, b.Integration),
			cmp.Compare(kindOrder(linkspan.FunctionKind(a.Type)), kindOrder(linkspan.FunctionKind(b.Type))), cmp.Compare(a.Name, b.Name))
	})
	if l.asJSON {
		return printJSON(l.sys.Stdout, append([]compared{}, all...))
	}
	return printCompared(newTerminal(l.sys, l.sys.Stdout), all)
}

// compare lists what is here and there.
func (l *functionList) compare(ctx context.Context) ([]compared, error) {
	_, folder := project.IndexOf(l.dir)
	if l.local && !folder {
		return nil, &usageError{fmt.Errorf("--local: %s has no index.ts, so it is no folder of functions", l.dir)}
	}
	var r *remote
	if !l.local {
		var err error
		if r, err = l.dial(ctx, l.sys); err != nil {
			return nil, err
		}
	}
	var here []bundle.Function
	if folder {
		var err error
		if here, err = l.compile(ctx); err != nil {
			return nil, err
		}
	}
	if l.local {
		all := make([]compared, len(here))
		for i, f := range here {
			all[i] = comparedOf(f)
		}
		return all, nil
	}
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	l.status.update("Asking " + printable(r.host) + " …")
	there, err := r.functions(ctx, "", "")
	if err != nil {
		return nil, err
	}
	if !folder {
		all := make([]compared, len(there))
		for i := range there {
			all[i].take(there[i])
		}
		return all, nil
	}
	states, err := r.states(ctx, here)
	if err != nil {
		return nil, err
	}
	return merged(here, there, states), nil
}

// compile reads the functions of the folder.
func (l *functionList) compile(ctx context.Context) ([]bundle.Function, error) {
	reader, err := l.server.reader(ctx, l.sys)
	if err != nil {
		return nil, err
	}
	defer endTrials(ctx, reader)
	built, err := buildFolder(ctx, l.status, reader, bundle.Options{Dir: l.dir})
	if err != nil {
		return nil, err
	}
	for _, p := range built.Problems {
		printProblem(l.status, styleRed, "✗", p)
	}
	if n := len(built.Problems); n > 0 {
		l.status.println()
		return nil, &codedError{exitCompile, errors.New(counted(n, "problem") + ", so nothing can be compared")}
	}
	return built.Functions, nil
}

// states asks what a deploy of functions would change. Functions of integrations
// that the environment does not have are new. Nil: the key may not ask.
func (r *remote) states(ctx context.Context, here []bundle.Function) (map[functionID]string, error) {
	missing := r.withoutIntegration(ctx, here)
	known := slices.DeleteFunc(slices.Clone(here), func(f bundle.Function) bool { return slices.Contains(missing, f.Integration) })
	body, err := payload(known, api.DeployAll)
	if err != nil {
		return nil, err
	}
	answer, err := r.client.ConfirmDeploy(ctx, body)
	if refused, ok := client.AsError(err); ok && refused.Status == http.StatusForbidden {
		return nil, nil //nolint:nilnil // nothing is known, which is no failure
	}
	if err != nil {
		return nil, r.explain(err)
	}
	states := make(map[functionID]string)
	for _, f := range planOf(known, answer).Functions {
		states[functionID{f.Integration, f.Type, f.Name}] = map[string]string{
			changeAdd: listOnlyHere, changeUpdate: listChanged, changeRemove: listOnlyThere, changeNone: listSame,
		}[f.Change]
	}
	return states, nil
}

// merged lays what is here and what is there side by side.
func merged(here []bundle.Function, there []listedFunction, states map[functionID]string) []compared {
	byID := make(map[functionID]*compared, len(here))
	for _, f := range here {
		c := comparedOf(f)
		c.State = listOnlyHere
		byID[functionID{f.Integration, f.Kind, f.Name}] = &c
	}
	for _, f := range there {
		id := functionID{f.Integration, linkspan.FunctionKind(f.Type), f.Name}
		c := byID[id]
		if c == nil {
			c = &compared{State: listOnlyThere}
			byID[id] = c
		} else if c.State = states[id]; c.State == "" {
			c.State = listUnknown
		}
		c.take(f)
	}
	all := make([]compared, 0, len(byID))
	for _, c := range byID {
		all = append(all, *c)
	}
	return all
}

// comparedOf is a function of the folder.
func comparedOf(f bundle.Function) compared {
	return compared{
		Integration: f.Integration, Type: string(f.Kind), Name: f.Name, Version: f.Version,
		Frequency: f.Definition.Frequency, Description: f.Definition.Description,
	}
}

// take adds what is deployed.
func (c *compared) take(f listedFunction) {
	c.Integration, c.Type, c.Name, c.Version, c.Frequency, c.Deployed = f.Integration, f.Type, f.Name, f.Version, f.Frequency, &f
	if c.Description == "" {
		c.Description = f.Description
	}
}

func printCompared(t *terminal, all []compared) error {
	if len(all) == 0 {
		t.println("There are no functions.")
		return t.err
	}
	rows := [][]string{{"FUNCTION", "TYPE", "STATE", "VERSION", "RUNS", "DEPLOYED"}}
	for _, c := range all {
		runs, deployed, state := c.Frequency, "", c.State
		if c.Deployed != nil {
			runs, deployed = whenItRuns(*c.Deployed), stamp(c.Deployed.LastDeployed)
			if !c.Deployed.Enabled {
				if state != "" {
					state += ", "
				}
				state += "off"
			}
		}
		rows = append(rows, []string{functionName(c.Integration, c.Name), c.Type, state, c.Version, runs, deployed})
	}
	printTable(t, rows)
	return t.err
}
