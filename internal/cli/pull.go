package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/project"
)

const pullLong = `Writes the sources of functions into the folder, and imports them in index.ts:
those that are deployed to an environment or, with --catalog, those of the library
of this program, with what they import and their tests. Without NAME all functions
of the integration are meant, without INTEGRATION all there are.

Files that functions import come along as far as the server knows them, but not
those that the folder itself is made of, such as package.json. The command names
those that are missing. Files that are there with another text are written over with
--force only: without it imported files stay as they are, and when a function is
there with another text nothing is written at all.

` + remoteHelp + ` The key needs the scopes environment:functions:read and
environment:integrations:list_functions. With --catalog no server is asked.`

// pull is a run of the command.
type pull struct {
	serverOptions

	integration, name, kind string
	catalog, force, asJSON  bool
	sys                     System
	status                  *terminal
}

func newPull(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pull [INTEGRATION [NAME]]",
		Short: "Write sources of functions into the folder",
		Long:  pullLong,
		Example: `  linkspan pull github issues
  linkspan pull github --env prod --force
  linkspan pull hubspot contacts --catalog`,
		Args: usage(cobra.MaximumNArgs(2)),
	}
	p := pull{sys: sys}
	p.add(cmd, sys)
	flags := cmd.Flags()
	kind := addType(cmd)
	flags.BoolVar(&p.catalog, "catalog", false, "from the library of this program, where INTEGRATION is a provider")
	flags.BoolVar(&p.force, "force", false, "write over files that are there with another text")
	flags.BoolVar(&p.asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = p.completion
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.kind = *kind
		if err := p.take(args); err != nil {
			return err
		}
		return p.run(cmd.Context())
	}
	return cmd
}

// take reads the arguments. INTEGRATION/NAME is taken for both.
func (p *pull) take(args []string) error {
	if err := checkType(p.kind); err != nil {
		return err
	}
	if err := checkFolder(p.dir); err != nil {
		return err
	}
	if len(args) > 0 {
		p.integration = args[0]
	}
	if len(args) == 2 {
		p.name = args[1]
	} else if integration, name := splitFunction(p.integration); integration != "" {
		p.integration, p.name = integration, name
	}
	return nil
}

func (p *pull) run(ctx context.Context) error {
	p.status = newTerminal(p.sys, p.sys.Stderr)
	pulled, err := p.sources(ctx)
	p.status.wipe()
	if err != nil {
		return err
	}
	pulled.Replace = p.force
	placed, err := project.Put(p.dir, *pulled)
	if err != nil {
		return err
	}
	missing := p.missing(pulled)
	if p.asJSON {
		return printJSON(p.sys.Stdout, struct {
			Dir string `json:"dir"`
			*project.Placed
			Missing []string `json:"missing"`
		}{p.dir, placed, missing})
	}
	return p.show(placed, missing)
}

func (p *pull) show(placed *project.Placed, missing []string) error {
	t := newTerminal(p.sys, p.sys.Stdout)
	for _, of := range []struct {
		names             []string
		style, mark, what string
	}{
		{placed.Written, styleGreen, "+", ""},
		{placed.Replaced, styleYellow, "~", ""},
		{placed.Unchanged, styleDim, "=", "  is the same"},
		{placed.Kept, styleDim, "=", "  was there, and stays as it is"},
	} {
		for _, name := range of.names {
			t.println(t.paint(of.style, of.mark), " ", printable(name), t.paint(styleDim, of.what))
		}
	}
	for _, name := range missing {
		p.status.println(p.status.paint(styleYellow, "!"), " ", printable(name), " is imported, and neither in the folder nor known to the server.")
	}
	return errors.Join(t.err, p.status.err)
}

// sources gets what is asked for.
func (p *pull) sources(ctx context.Context) (*project.Pulled, error) {
	if p.catalog {
		return p.library()
	}
	r, err := p.dial(ctx, p.sys)
	if err != nil {
		return nil, err
	}
	wanted, err := p.wanted(ctx, r)
	if err != nil {
		return nil, err
	}
	return p.download(ctx, r, wanted)
}

// wanted returns the deployed functions that are meant.
func (p *pull) wanted(ctx context.Context, r *remote) ([]listedFunction, error) {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	all, err := r.functions(ctx, p.integration, p.kind)
	if err != nil || p.name == "" && len(all) > 0 {
		return all, err
	}
	named := slices.DeleteFunc(slices.Clone(all), func(f listedFunction) bool { return f.Name != p.name })
	switch {
	case len(named) == 1:
		return named, nil
	case len(named) > 1:
		var kinds []string
		for _, f := range named {
			kinds = append(kinds, "--type "+f.Type)
		}
		return nil, &usageError{fmt.Errorf("%s has %d functions %q: say which one is meant, %s", p.integration, len(named), p.name, strings.Join(kinds, " or "))}
	default:
		return nil, p.nothing(r, all)
	}
}

// nothing says that there is no such function.
func (p *pull) nothing(r *remote, all []listedFunction) error {
	what := "function"
	if p.kind != "" {
		what += " of the type " + p.kind
	}
	where := fmt.Sprintf(" in the environment %q at %s", r.name, r.host)
	if p.integration != "" {
		where = " of " + p.integration + where
	}
	hint := "linkspan list shows those that there are; --catalog takes those of the library."
	if p.name != "" {
		what = fmt.Sprintf("function %q", p.name)
		if p.kind != "" {
			what = p.kind + strings.TrimPrefix(what, "function")
		}
		names := make([]string, len(all))
		for i, f := range all {
			names[i] = f.Name
		}
		if meant := config.Nearest(p.name, names); meant != "" {
			hint = fmt.Sprintf("Did you mean %q? ", meant) + hint
		}
	}
	return linkspan.E("cli.pull", linkspan.KindNotFound, "not_found", nil, "There is no %s%s.", what, where).WithHint("%s", hint)
}

// download gets the sources of functions.
func (p *pull) download(ctx context.Context, r *remote, wanted []listedFunction) (*project.Pulled, error) {
	codes := make([]api.FunctionCode, len(wanted))
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAtOnce)
	shown := bar{t: p.status, what: "Pulling"}
	for i, f := range wanted {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
			defer cancel()
			code, err := r.client.FunctionCode(ctx, f.Integration, f.Name, api.FunctionQuery{Type: &f.Type})
			if err != nil {
				return fmt.Errorf("pulling %s: %w", functionName(f.Integration, f.Name), r.explain(err))
			}
			mu.Lock()
			defer mu.Unlock()
			codes[i] = code
			done++
			shown.progress(done, len(wanted))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	pulled := &project.Pulled{Files: make(map[string]string, len(wanted)), Shared: make(map[string]string)}
	for i, f := range wanted {
		file := project.Function{Integration: f.Integration, Folder: folderOf(f), Name: f.Name}
		if err := file.Check(); err != nil {
			return nil, err
		}
		pulled.Functions = append(pulled.Functions, file.File())
		pulled.Files[file.File()] = codes[i].Code
	}
	share(pulled, wanted, codes)
	return pulled, nil
}

// share adds what functions import. Of files that differ, because functions were
// deployed one by one, it takes those that came last.
func share(pulled *project.Pulled, wanted []listedFunction, codes []api.FunctionCode) {
	order := make([]int, len(wanted))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return wanted[a].LastDeployed.Compare(wanted[b].LastDeployed.Time) })
	for _, i := range order {
		for name, text := range codes[i].Files {
			if isImported(name) {
				pulled.Shared[name] = text
			}
		}
	}
	maps.DeleteFunc(pulled.Shared, func(name, _ string) bool {
		_, own := pulled.Files[name]
		return own
	})
}

// isImported reports whether a file is one that functions import, and that may
// therefore come with them. Whoever deployed a function named its files: what tools
// run of themselves is not to come from there, nor packages by another spelling.
func isImported(name string) bool {
	parts := strings.Split(name, "/")
	if !bundle.IsSource(name) || slices.ContainsFunc(parts, func(part string) bool {
		return strings.EqualFold(part, "node_modules") || strings.TrimRight(part, ". ") != part
	}) {
		return false
	}
	if len(parts) > 1 {
		return true
	}
	stem := strings.ToLower(strings.TrimSuffix(name, path.Ext(name)))
	return !slices.Contains([]string{"index", "package", "package-lock", "npm-shrinkwrap", "tsconfig", "jsconfig"}, stem) && !strings.HasSuffix(stem, ".config")
}

// folderOf is the folder that a deployed function belongs into.
func folderOf(f listedFunction) string {
	if f.Trigger != "" {
		return project.FolderFunctions
	}
	return map[linkspan.FunctionKind]string{
		linkspan.FunctionSync: project.FolderSyncs, linkspan.FunctionAction: project.FolderActions, linkspan.FunctionOnEvent: project.FolderOnEvents,
	}[linkspan.FunctionKind(f.Type)]
}

// missing lists files that pulled functions import and the folder does not have.
func (p *pull) missing(pulled *project.Pulled) []string {
	imported := regexp.MustCompile(`(?m)^\s*(?:import|export)\b[^'"` + "`" + `;]*?(?:\bfrom\s*)?['"](\.[^'"]*)['"]`)
	missing := []string{}
	for _, name := range pulled.Functions {
		for _, m := range imported.FindAllStringSubmatch(pulled.Files[name], -1) {
			target := path.Join(path.Dir(name), m[1])
			if !p.resolves(target) {
				missing = append(missing, target)
			}
		}
	}
	return sorted(missing)
}

// resolves reports whether an import finds a file.
func (p *pull) resolves(target string) bool {
	base := target
	for _, extension := range []string{".js", ".mjs", ".cjs"} {
		base = strings.TrimSuffix(base, extension)
	}
	for _, name := range []string{target, base + ".ts", base + ".tsx", base + ".js", base + ".mts", base + ".json", base + "/index.ts", base + "/index.js"} {
		if isFile(filepath.Join(p.dir, filepath.FromSlash(name))) {
			return true
		}
	}
	return false
}
