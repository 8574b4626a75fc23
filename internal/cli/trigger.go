package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

const triggerLong = `Runs a deployed function of a running server for a connection.

An action is waited for, and what it returns is printed; with --async it runs in
the background, and its id is printed. Of a sync a run is asked for; --wait waits
until it has ended and says what changed. --reset drops its checkpoint first, so
that everything is read again, --empty-cache its records as well.

FUNCTION is NAME or INTEGRATION/NAME. --input takes JSON, plain text, @FILE or -
for the standard input.

` + remoteHelp + ` The key needs the scopes environment:actions:execute for
actions and environment:syncs:execute for syncs.

Exit codes: 0 it is done; 12 the function failed, or there is no such connection
or function; 2 a mistake in the command line; 1 anything else.`

// triggerOptions are the flags of the command.
type triggerOptions struct {
	accountOptions

	kind, input, variant string
	reset, empty         bool
	async, wait, asJSON  bool
	timeout              time.Duration
}

// triggerTimeout bounds how long a run is waited for unless --timeout does.
const triggerTimeout = 15 * time.Minute

func newTrigger(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trigger FUNCTION CONNECTION",
		Short: "Run a deployed function for a connection",
		Long:  triggerLong,
		Example: `  linkspan trigger create-issue my-connection --input '{"title":"It broke"}'
  linkspan trigger github/issues my-connection --wait
  linkspan trigger github/issues my-connection --reset --env prod`,
		Args: usage(cobra.ExactArgs(2)),
	}
	var o triggerOptions
	o.add(cmd, sys)
	cmd.ValidArgsFunction = completeArgs(sys, &o.serverOptions, functionNames(linkspan.FunctionAction, linkspan.FunctionSync), connectionsOf)
	flags := cmd.Flags()
	flags.StringVar(&o.kind, "type", "", "action or sync, where functions of both types have the name")
	flags.StringVarP(&o.input, "input", "i", "", "what an action is given")
	flags.BoolVar(&o.async, "async", false, "run an action in the background")
	flags.BoolVar(&o.wait, "wait", false, "wait until the run of a sync has ended")
	flags.BoolVar(&o.reset, "reset", false, "have a sync begin from the start")
	flags.BoolVar(&o.empty, "empty-cache", false, "with --reset: delete the records of a sync first")
	flags.StringVar(&o.variant, "variant", "", "variant of a sync")
	flags.DurationVar(&o.timeout, "timeout", triggerTimeout, "how long to wait")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return trigger(cmd.Context(), sys, args, &o) }
	return cmd
}

func trigger(ctx context.Context, sys System, args []string, o *triggerOptions) error {
	input, err := o.check(sys)
	if err != nil {
		return err
	}
	integration, name, qualified := strings.Cut(args[0], "/")
	if !qualified {
		integration, name = "", args[0]
	}
	if o.integration != "" && qualified && o.integration != integration {
		return &usageError{fmt.Errorf("--integration %s is not that of %s", o.integration, args[0])}
	}
	r, err := o.dial(ctx, sys)
	if err != nil {
		return err
	}
	if o.integration != "" {
		integration = o.integration
	}
	a, err := r.account(ctx, args[1], integration)
	if err != nil {
		return err
	}
	f, err := a.function(ctx, name, o.kind)
	if err != nil {
		return err
	}
	if err := o.fits(f, input != nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if f.Type == string(linkspan.FunctionAction) {
		return o.action(ctx, sys, a, name, input)
	}
	return o.sync(ctx, sys, a, name)
}

// check reads what the flags say, before anybody is called.
func (o *triggerOptions) check(sys System) (input json.RawMessage, err error) {
	if o.empty && !o.reset {
		return nil, &usageError{errors.New("--empty-cache needs --reset: a sync that goes on from its checkpoint would not bring the records back")}
	}
	if o.timeout <= 0 {
		return nil, &usageError{errors.New("--timeout: it must be more than nothing, such as 30s")}
	}
	if o.kind == string(linkspan.FunctionOnEvent) {
		return nil, &usageError{errors.New("--type: functions at events can't be triggered; linkspan dryrun tries them")}
	}
	if err := checkType(o.kind); err != nil {
		return nil, err
	}
	if o.input == "" {
		return nil, nil
	}
	r := inputReader{sys: sys, dir: o.dir}
	if input, err = r.read(o.input, true); err != nil {
		return nil, &usageError{fmt.Errorf("--input: %w", err)}
	}
	return input, nil
}

// function finds the deployed function.
func (a *account) function(ctx context.Context, name, kind string) (listedFunction, error) {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	all, err := a.functions(ctx, a.integration, kind)
	if err != nil {
		return listedFunction{}, err
	}
	named := slices.DeleteFunc(slices.Clone(all), func(f listedFunction) bool {
		return f.Name != name || f.Type == string(linkspan.FunctionOnEvent)
	})
	switch len(named) {
	case 0:
		hint := "linkspan deploy deploys the functions of a folder; linkspan functions list shows those that there are."
		return listedFunction{}, &codedError{exitDryRun, linkspan.E("cli.trigger", linkspan.KindNotFound, "not_found", nil,
			"The integration %q has no action or sync %q in the environment %q at %s.", a.integration, name, a.name, a.host).WithHint("%s", hint)}
	case 1:
		return named[0], nil
	default:
		return listedFunction{}, &usageError{fmt.Errorf("%s has an action and a sync %q: say with --type which one is meant", a.integration, name)}
	}
}

// fits refuses flags that are for functions of another kind.
func (o *triggerOptions) fits(f listedFunction, input bool) error {
	isAction := f.Type == string(linkspan.FunctionAction)
	for _, flag := range []struct {
		name        string
		set, action bool
	}{
		{"--input", input, true}, {"--async", o.async, true}, {"--wait", o.wait, false}, {"--reset", o.reset, false}, {"--variant", o.variant != "", false},
	} {
		if flag.set && flag.action != isAction {
			return &usageError{fmt.Errorf("%s is not for functions of the type %s, and %s is one", flag.name, f.Type, functionName(f.Integration, f.Name))}
		}
	}
	return nil
}

func (o *triggerOptions) action(ctx context.Context, sys System, a *account, name string, input json.RawMessage) error {
	action := client.Action{ProviderConfigKey: a.integration, ConnectionID: a.connection, Name: name}
	if input != nil {
		action.Input = input
	}
	if o.async {
		started, err := a.client.TriggerActionAsync(ctx, action, 0)
		if err != nil {
			return a.explain(err)
		}
		if o.asJSON {
			return printJSON(sys.Stdout, started)
		}
		_, err = fmt.Fprintln(sys.Stdout, started.ID)
		return err
	}
	var output json.RawMessage
	if err := a.client.TriggerAction(ctx, action, &output); err != nil {
		if ctx.Err() != nil {
			return o.givenUp(ctx, name)
		}
		return a.failed(err)
	}
	if len(bytes.TrimSpace(output)) == 0 {
		output = json.RawMessage("null")
	}
	return printJSON(sys.Stdout, output)
}

// failed says what a function failed with. What keeps it from being run at all is
// no failure of it.
func (a *account) failed(err error) error {
	explained := a.explain(err)
	refused, ok := client.AsError(err)
	if !ok || refused.Code == "" {
		return explained
	}
	switch refused.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return explained
	}
	return &codedError{exitDryRun, explained}
}

// givenUp says why a run was not waited for any longer.
func (o *triggerOptions) givenUp(ctx context.Context, what string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s has not ended within %s; it goes on: linkspan logs --follow", what, o.timeout)
	}
	return errors.New("interrupted: the run goes on")
}

func (o *triggerOptions) sync(ctx context.Context, sys System, a *account, name string) error {
	ref := api.SyncRef{Name: name, Variant: o.variant}
	before, _, err := a.status(ctx, ref)
	if err != nil {
		return err
	}
	in := api.TriggerSync{Syncs: []api.SyncRef{ref}, ProviderConfigKey: &a.integration, ConnectionID: &a.connection}
	if o.reset {
		in.Opts = &api.TriggerSyncOpts{Reset: true, EmptyCache: o.empty}
	}
	if err := a.client.TriggerSync(ctx, in); err != nil {
		return a.explain(err)
	}
	if !o.wait {
		if o.asJSON {
			return printJSON(sys.Stdout, api.Success{Success: true})
		}
		_, err := fmt.Fprintf(sys.Stdout, "Asked for a run of %s for %s. Follow it with: linkspan logs --follow\n", functionName(a.integration, ref.String()), a.connection)
		return err
	}
	after, err := o.ended(ctx, sys, a, ref, before)
	if err != nil {
		return err
	}
	if o.asJSON {
		err = printJSON(sys.Stdout, after)
	} else {
		err = printRun(newTerminal(sys, sys.Stdout), after)
	}
	if err == nil && after.LatestExecutionStatus != "SUCCESS" {
		return &codedError{exitDryRun, linkspan.E("cli.trigger", linkspan.KindInvalid, "sync_failed", nil,
			"The run of %s did not succeed (%s).", functionName(a.integration, ref.String()), after.LatestExecutionStatus).
			WithHint("linkspan logs --connection %s says why.", a.connection)}
	}
	return err
}

// status is where the sync stands, if it was ever started for the connection.
func (a *account) status(ctx context.Context, ref api.SyncRef) (s api.SyncStatus, started bool, err error) {
	list, err := a.client.SyncStatus(ctx, a.integration, a.connection, ref)
	if err != nil {
		return s, false, a.explain(err)
	}
	if len(list) == 0 {
		return s, false, nil
	}
	return list[0], true, nil
}

// pollRun is how often a run that is waited for is looked at.
const pollRun = 250 * time.Millisecond

// ended waits until a run has ended that had not when before was read.
func (o *triggerOptions) ended(ctx context.Context, sys System, a *account, ref api.SyncRef, before api.SyncStatus) (api.SyncStatus, error) {
	t := newTerminal(sys, sys.Stderr)
	defer t.wipe()
	tick := time.NewTicker(pollRun)
	defer tick.Stop()
	began := time.Now()
	for {
		now, there, err := a.status(ctx, ref)
		if err == nil && !there {
			err = fmt.Errorf("%s is not there any more: it was deleted while its run was waited for", ref)
		}
		if err != nil && ctx.Err() == nil {
			return now, err
		}
		if err == nil && now.Status != "RUNNING" && later(now.FinishedAt, before.FinishedAt) {
			return now, nil
		}
		t.update(fmt.Sprintf("Running %s … %s", printable(ref.String()), time.Since(began).Round(time.Second)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return now, o.givenUp(ctx, ref.String())
		}
	}
}

func later(now, before *api.Time) bool {
	return now != nil && (before == nil || now.After(before.Time))
}

// printRun says what a run changed.
func printRun(t *terminal, s api.SyncStatus) error {
	mark, style := "✓", styleGreen
	if s.LatestExecutionStatus != "SUCCESS" {
		mark, style = "✗", styleRed
	}
	for _, model := range slices.Sorted(maps.Keys(s.LatestResult)) {
		c := s.LatestResult[model]
		t.println(t.paint(style, mark), fmt.Sprintf(" %s: %d added, %d updated, %d deleted; %d in all", printable(model), c.Added, c.Updated, c.Deleted, s.RecordCount[model]))
	}
	if len(s.LatestResult) == 0 {
		t.println(t.paint(style, mark), " ", printable(s.Name), ": nothing changed")
	}
	return t.err
}
