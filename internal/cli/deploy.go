package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// deployTimeout bounds one exchange of a deploy with the server. A big folder is
// tens of megabytes.
const deployTimeout = 10 * time.Minute

const deployLong = `Compiles the functions that index.ts of the folder imports, shows what would
change in an environment of a running server, asks, and deploys them: all of
them or, when one is refused, none.

Functions that are gone from the folder are removed, unless --function or
--integration limits the deploy. Unchanged functions keep their version. Removing
something, or deleting the records of a model, asks even with --auto-confirm;
where nobody can answer it takes --auto-confirm with --allow-destructive.

Types are checked as linkspan compile does it, where the folder has a tsconfig.json
and there is a TypeScript compiler.

` + remoteHelp + ` The file .env is that of --dir.

Exit codes: 0 all is deployed; 10 the folder does not compile; 11 the deploy was
refused, by the server or for want of a confirmation; 2 a mistake in the command
line; 1 anything else, such as a server that can't be reached.`

// deployOptions are the flags of a deploy.
type deployOptions struct {
	dir, version             string
	functions, integrations  []string
	autoConfirm, destructive bool
	dryRun, noTypes, asJSON  bool
}

func newDeploy(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deploy [ENVIRONMENT]",
		Short: "Compile the functions of a folder and deploy them",
		Long:  deployLong,
		Example: `  linkspan deploy dev
  linkspan deploy prod --auto-confirm
  linkspan deploy dev --function github/create-issue
  linkspan deploy prod --dry-run --json`,
		Args:              usage(cobra.MaximumNArgs(1)),
		ValidArgsFunction: completeEnvironment,
	}
	var o deployOptions
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.dir, "dir", ".", "folder with index.ts")
	flags.StringArrayVar(&o.functions, "function", nil, "deploy only this one: NAME or INTEGRATION/NAME; may be repeated")
	flags.StringArrayVar(&o.integrations, "integration", nil, "deploy only the functions of this integration; may be repeated")
	flags.StringVar(&o.version, "version", "", "label of the new versions, in place of what the functions say")
	flags.BoolVar(&o.autoConfirm, "auto-confirm", false, "do not ask, unless something is removed")
	flags.BoolVar(&o.destructive, "allow-destructive", false, "with --auto-confirm: do not ask either when something is removed")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what would change, and deploy nothing")
	flags.BoolVar(&o.noTypes, "no-types", false, "do not check types")
	flags.BoolVar(&o.asJSON, "json", false, "print plan and result as JSON; what people read goes to standard error")
	_ = cmd.MarkFlagDirname("dir") // fails for flags that do not exist
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		environment := "dev"
		if len(args) == 1 {
			environment = args[0]
		}
		d, err := newDeployment(sys, server, environment, o)
		if err != nil {
			return err
		}
		return d.run(cmd.Context())
	}
	return cmd
}

// deployment is one deploy on its way.
type deployment struct {
	deployOptions
	sys    System
	remote *remote
	server Server
	story  *terminal // plan and result
	status *terminal // progress, problems and questions
	report deployReport
	sent   bool // the server was told to deploy
}

// deployReport is what --json prints.
type deployReport struct {
	Environment string `json:"environment"`
	Host        string `json:"host"`
	DryRun      bool   `json:"dry_run"`
	// Deployed says that what is in Plan was done.
	Deployed bool `json:"deployed"`
	// Problems are why the folder does not compile.
	Problems []reportedProblem `json:"problems"`
	// Warnings are what is well to know of the folder.
	Warnings []reportedProblem `json:"warnings"`
	// Plan is null unless the server was asked.
	Plan *deployPlan `json:"plan"`
	// Functions are all that were deployed, changed or not, with their versions.
	Functions []deployedFunction `json:"functions"`
	// Error is null unless the deploy failed.
	Error *reportedError `json:"error"`
}

type deployedFunction struct {
	Integration string `json:"integration"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	Version     string `json:"version"`
}

type reportedError struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

func newDeployment(sys System, server Server, environment string, o deployOptions) (*deployment, error) {
	info, err := os.Stat(o.dir)
	if err != nil || !info.IsDir() {
		return nil, &usageError{fmt.Errorf("--dir: %q is not a folder", o.dir)}
	}
	r, err := dialFrom(sys, environment, filepath.Join(o.dir, dotenvFile))
	if err != nil {
		return nil, err
	}
	d := &deployment{deployOptions: o, sys: sys, remote: r, server: server, status: newTerminal(sys, sys.Stderr)}
	if d.story = newTerminal(sys, sys.Stdout); o.asJSON {
		d.story = d.status
	}
	d.report = deployReport{
		Environment: environment, Host: r.host, DryRun: o.dryRun,
		Problems: []reportedProblem{}, Warnings: []reportedProblem{}, Functions: []deployedFunction{},
	}
	return d, nil
}

// run deploys, and reports with --json however it ends.
func (d *deployment) run(ctx context.Context) error {
	err := d.steps(ctx)
	d.status.wipe()
	if ctx.Err() != nil && err != nil {
		err = d.interrupted()
	}
	if !d.asJSON {
		return errors.Join(err, d.story.err)
	}
	if err != nil {
		d.report.Error = &reportedError{Message: err.Error()}
		d.report.Error.Code, d.report.Error.Message = described(err)
	}
	return errors.Join(err, printJSON(d.sys.Stdout, d.report))
}

// interrupted says what is known when a person ended the command.
func (d *deployment) interrupted() error {
	if d.sent {
		return errors.New("interrupted while the server was deploying: linkspan functions list shows what there is now")
	}
	return errors.New("interrupted: nothing was deployed")
}

func (d *deployment) steps(ctx context.Context) error {
	if err := d.remote.check(ctx); err != nil {
		return err
	}
	functions, err := d.compile(ctx)
	if err != nil {
		return err
	}
	body, err := payload(functions, d.mode())
	if err != nil {
		return err
	}
	emptied := d.emptied(functions)
	if len(emptied) > 0 {
		body.Integrations = d.integrations
	}
	if err := d.checkIntegrations(ctx, functions, emptied); err != nil {
		return err
	}
	plan, err := d.plan(ctx, functions, body)
	if err != nil {
		return err
	}
	if d.dryRun || !plan.changes() {
		d.nothingDone(plan)
		return nil
	}
	if err := d.confirm(ctx, plan); err != nil {
		return err
	}
	return d.deploy(ctx, plan, body)
}

// mode is how far the deploy reaches: what it may remove.
func (d *deployment) mode() string {
	switch {
	case len(d.functions) > 0:
		return api.DeploySingle
	case len(d.integrations) > 0:
		return api.DeployIntegration
	default:
		return api.DeployAll
	}
}

// emptied returns the integrations whose functions all go, because the folder has
// none of them any more.
func (d *deployment) emptied(functions []bundle.Function) []string {
	if d.mode() != api.DeployIntegration {
		return nil
	}
	var keys []string
	for _, key := range d.integrations {
		if !slices.ContainsFunc(functions, func(f bundle.Function) bool { return f.Integration == key }) {
			keys = append(keys, key)
		}
	}
	return keys
}

// plan asks the server what would change, and shows it.
func (d *deployment) plan(ctx context.Context, functions []bundle.Function, body api.Deploy) (deployPlan, error) {
	ctx, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	d.status.update("Asking " + printable(d.remote.host) + " …")
	confirmation, err := d.remote.client.ConfirmDeploy(ctx, body)
	d.status.wipe()
	if err != nil {
		return deployPlan{}, d.refused(err, body)
	}
	plan := planOf(functions, confirmation)
	d.report.Plan = &plan
	if plan.changes() {
		d.story.println(fmt.Sprintf("Plan for %s at %s", d.story.paint(styleBold, d.remote.name), printable(d.remote.host)))
		printPlan(d.story, plan)
	}
	return plan, nil
}

// nothingDone says why the server was only asked.
func (d *deployment) nothingDone(plan deployPlan) {
	if !plan.changes() {
		d.story.println(d.story.paint(styleGreen, "✓"), " ", d.story.paint(styleBold, d.remote.name), " is up to date: ", counted(plan.Unchanged, "function"), " unchanged.")
		return
	}
	d.story.println("Nothing was deployed: this was a dry run.")
}

// confirm makes sure that the changes are wanted.
func (d *deployment) confirm(ctx context.Context, plan deployPlan) error {
	needed := plan.destructive()
	person := d.sys.Stdin != nil && d.sys.terminal(d.sys.Stdin) && d.sys.terminal(d.status.w)
	switch {
	case d.autoConfirm && (!needed || d.destructive):
		return nil
	case person:
		return d.askPerson(ctx, plan)
	case !needed:
		return nil
	case d.autoConfirm:
		return refusal(errors.New("the deploy removes something, and nobody can be asked here: give --allow-destructive, too"))
	default:
		return refusal(errors.New("the deploy removes something, and nobody can be asked here: give --auto-confirm and --allow-destructive"))
	}
}

func (d *deployment) askPerson(ctx context.Context, plan deployPlan) error {
	question := "Deploy this to " + d.remote.name + "?"
	if plan.destructive() {
		question = "Deploy this to " + d.remote.name + ", and " + d.status.paint(styleRed, "remove what is marked") + "?"
	}
	yes, err := d.status.ask(ctx, d.sys.Stdin, question)
	if err != nil {
		return fmt.Errorf("asking for a confirmation: %w", err)
	}
	if !yes {
		return refusal(errors.New("nothing was deployed: it was not confirmed"))
	}
	return nil
}

// deploy does what the plan says, and shows the versions.
func (d *deployment) deploy(ctx context.Context, plan deployPlan, body api.Deploy) error {
	ctx, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	d.status.update("Deploying to " + d.remote.name + " …")
	body.Reconcile = body.DeployMode != api.DeploySingle
	body.NangoYAMLBody = new("")
	d.sent = true
	deployed, err := d.remote.client.Deploy(ctx, body)
	d.status.wipe()
	if err != nil {
		return d.refused(err, body)
	}
	d.report.Deployed = true
	for _, f := range deployed {
		d.report.Functions = append(d.report.Functions, deployedFunction{f.ProviderConfigKey, f.Type, f.Name, f.Version})
	}
	d.printResult(plan)
	return nil
}

// printResult writes what is deployed now.
func (d *deployment) printResult(plan deployPlan) {
	t := d.story
	versions := make(map[string]string, len(d.report.Functions))
	for _, f := range d.report.Functions {
		versions[f.Type+" "+functionName(f.Integration, f.Name)] = f.Version
	}
	changed := slices.DeleteFunc(slices.Clone(plan.Functions), func(f planned) bool { return f.Change == changeNone })
	shown := changed[:min(len(changed), maxShown)]
	width := 0
	for _, f := range shown {
		width = max(width, widest(functionName(f.Integration, f.Name)))
	}
	t.println(t.paint(styleGreen, "✓"), " Deployed to ", t.paint(styleBold, d.remote.name))
	for _, f := range shown {
		name := functionName(f.Integration, f.Name)
		what := t.paint(styleDim, "removed")
		if f.Change != changeRemove {
			what = t.paint(styleCyan, "version "+printable(versions[string(f.Type)+" "+name]))
		}
		t.println("  ", column(string(f.Type), 8), "  ", column(printable(name), width), "  ", what)
	}
	if n := len(changed) - len(shown); n > 0 {
		t.println("  ", t.paint(styleDim, fmt.Sprintf("and %d more; linkspan functions list %s lists all", n, d.remote.name)))
	}
}
