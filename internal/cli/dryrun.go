package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/fixture"
	world "github.com/linkspan/linkspan/internal/function/remote"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/sandbox"
)

const (
	// exitDryRun is the exit code when the function failed, or could not begin.
	exitDryRun = 12
	// dryrunTimeout bounds a dry run unless --timeout does.
	dryrunTimeout = 15 * time.Minute
	// dryrunCPU bounds the computing between two waits, dryrunMemory the sandbox, as
	// servers do.
	dryrunCPU    = time.Minute
	dryrunMemory = 128 << 20
	// dryrunOutput and dryrunNotes bound what a function returns and says, in bytes.
	dryrunOutput, dryrunNotes = 64 << 20, 16 << 20
)

const dryrunLong = `Runs a function of a folder on this machine, for a connection of a running
server. Calls to the provider, other actions and changes of metadata are real.
What the function saves is shown and not stored.

FUNCTION is NAME or INTEGRATION/NAME. The integration is that of the connection,
unless --integration-id names another one; where several remain, a terminal is
asked.

--input, --metadata, --checkpoint and --webhook take JSON, @FILE or - for the
standard input; --input also takes plain text.

` + remoteHelp + ` The file .env is that of --dir. The key needs the scopes
connections:read, integrations:read and proxy; without
connections:read_credentials the function sees no tokens.

The log goes to standard error, the result to standard output.

Exit codes: 0 the function came to its end; 10 it does not compile; 12 it failed,
or there is no such connection; 2 a mistake in the command line; 1 anything else,
such as an interruption, or a server that can't be reached.`

// dryrunOptions are the flags of a dry run.
type dryrunOptions struct {
	serverOptions

	integration, kind                   string
	input, metadata, checkpoint         string
	lastSync, variant, webhook          string
	save, validate, diagnostics, asJSON bool
	timeout                             time.Duration
}

func newDryrun(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dryrun [FUNCTION] [CONNECTION]",
		Short: "Run a function for a real connection, and store nothing",
		Long:  dryrunLong,
		Example: `  linkspan dryrun github/create-issue my-connection -i '{"title":"It broke"}'
  linkspan dryrun issues my-connection --save
  linkspan dryrun issues my-connection -l 2026-01-31 -c '{"page":3}' --json
  linkspan dryrun issues my-connection --webhook @payload.json`,
		Args: usage(cobra.MaximumNArgs(2)),
	}
	var o dryrunOptions
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.environment, "env", "e", "dev", "environment of the connection")
	flags.StringVar(&o.integration, "integration-id", "", "integration of the connection and of the function")
	flags.StringVar(&o.kind, "type", "", "action, sync or on-event, where functions of several types have the name")
	flags.StringVarP(&o.input, "input", "i", "", "what an action is given")
	flags.StringVarP(&o.metadata, "metadata", "m", "", "what the function reads as the connection's metadata")
	flags.StringVarP(&o.checkpoint, "checkpoint", "c", "", "checkpoint to go on from")
	flags.StringVarP(&o.lastSync, "last-sync-date", "l", "", "when a sync ran last: a date or a moment (RFC 3339)")
	flags.StringVar(&o.variant, "variant", "", "variant of a sync")
	flags.StringVar(&o.webhook, "webhook", "", "payload of a webhook: runs a sync's onWebhook")
	flags.BoolVar(&o.validate, "validate", false, "check input, output and records against the models")
	flags.BoolVar(&o.save, "save", false, "with --validate: record the run as <integration>/tests/<name>.test.json for linkspan test")
	flags.BoolVar(&o.diagnostics, "diagnostics", false, "show what the run took")
	flags.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	flags.DurationVar(&o.timeout, "timeout", dryrunTimeout, "how long the function may take")
	flags.StringVar(&o.dir, "dir", ".", "folder with index.ts")
	flags.StringVar(&o.environment, "environment", "dev", "")
	flags.StringVar(&o.lastSync, "lastSyncDate", "", "")
	flags.BoolVar(&o.validate, "validation", false, "")
	flags.BoolVar(&o.save, "save-responses", false, "")
	for _, older := range []string{"environment", "lastSyncDate", "validation", "save-responses"} {
		_ = flags.MarkHidden(older) // fails for flags that do not exist
	}
	_ = cmd.MarkFlagDirname("dir") // fails for flags that do not exist
	_ = cmd.RegisterFlagCompletionFunc("env", completeEnvironments(sys, &o.serverOptions))
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, sys, &o.serverOptions, "integration-id", integrationNames)
	cmd.ValidArgsFunction = completeDryrun(sys, &o)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := newDryrunOf(cmd.Context(), sys, server, args, o)
		if err != nil {
			return err
		}
		return d.run(cmd.Context())
	}
	return cmd
}

// completeDryrun offers the functions of the folder, then the connections that the
// chosen one can run for.
func completeDryrun(sys System, o *dryrunOptions) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return completeFolderFunction(cmd, args, begun)
		case 1:
			if o.integration != "" {
				args = []string{o.integration + "/"}
			}
			return complete(sys, &o.serverOptions, connectionsOf)(cmd, args, begun)
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// errInterrupted says that a person, or whoever started the process, ended it.
var errInterrupted = errors.New("interrupted: nothing was stored")

// waited calls f and waits for it until ctx ends. Nothing interrupts the reading of a
// terminal: it ends with the process.
func waited[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		value, err := f()
		ended <- outcome{value, err}
	}()
	select {
	case o := <-ended:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// dryrun is one on its way.
type dryrun struct {
	dryrunOptions
	sys    System
	server Server
	remote *remote
	asker  *asker
	story  *terminal // the result
	status *terminal // progress, problems, questions and the log

	wanted  string // FUNCTION
	input   dryrunInput
	found   found
	account api.FullConnection
	report  dryrunReport
	logs    sync.Mutex
}

func newDryrunOf(ctx context.Context, sys System, server Server, args []string, o dryrunOptions) (*dryrun, error) {
	info, err := os.Stat(o.dir)
	if err != nil || !info.IsDir() {
		return nil, &usageError{fmt.Errorf("--dir: %q is not a folder", o.dir)}
	}
	if o.kind != "" {
		if err := checkType(o.kind); err != nil {
			return nil, err
		}
	}
	if o.timeout <= 0 {
		return nil, &usageError{errors.New("--timeout: it must be more than nothing, such as 30s")}
	}
	d := &dryrun{dryrunOptions: o, sys: sys, server: server, status: newTerminal(sys, sys.Stderr), story: newTerminal(sys, sys.Stdout)}
	d.validate = d.validate || d.save
	if d.input, err = waited(ctx, func() (dryrunInput, error) { return readDryrunInput(sys, &d.dryrunOptions) }); ctx.Err() != nil {
		return nil, errInterrupted
	} else if err != nil {
		return nil, err
	}
	if d.remote, err = dialFrom(sys, o.environment, filepath.Join(o.dir, dotenvFile)); err != nil {
		return nil, err
	}
	if len(args) > 0 {
		d.wanted = args[0]
	}
	if len(args) > 1 {
		d.found.connection = args[1]
	}
	d.asker = newAsker(sys, d.status)
	d.report = dryrunReport{Function: d.wanted, Environment: o.environment, Host: d.remote.host, Models: map[string]dryrunModel{}, Logs: []dryrunLog{}, Problems: []reportedProblem{}}
	return d, nil
}

// run runs the function, and reports with --json however it ends.
func (d *dryrun) run(ctx context.Context) error {
	err := d.steps(ctx)
	d.status.wipe()
	if ctx.Err() != nil && err != nil {
		err = errInterrupted
	}
	if !d.asJSON {
		return errors.Join(err, d.story.err)
	}
	if err != nil && d.report.Error == nil {
		d.report.Error = &dryrunError{}
		d.report.Error.Code, d.report.Error.Message = described(err)
	}
	d.logs.Lock()
	defer d.logs.Unlock()
	return errors.Join(err, printJSON(d.sys.Stdout, d.report))
}

func (d *dryrun) steps(ctx context.Context) error {
	if d.status.update("Compiling …"); !d.status.live {
		d.status.println("Compiling ", printable(d.dir))
	}
	executor, err := d.server.startTrials(ctx, d.sys, TrialOptions{Parallel: 1, Memory: dryrunMemory, Once: true})
	if err != nil {
		return err
	}
	defer endTrials(ctx, executor)
	entries, err := d.entries(ctx, executor)
	if err != nil {
		return err
	}
	if err := d.find(ctx, entries); err != nil {
		return err
	}
	f, err := d.build(ctx, executor)
	if err != nil {
		return err
	}
	if err := d.fits(f); err != nil {
		return err
	}
	if err := d.connect(ctx); err != nil {
		return err
	}
	return d.try(ctx, executor, f)
}

// try runs the function and shows what came of it.
func (d *dryrun) try(ctx context.Context, executor trial.Executor, f bundle.Function) error {
	r, err := dialFrom(d.sys, d.environment, filepath.Join(d.dir, dotenvFile), world.Headers(f.Kind)...)
	if err != nil {
		return err
	}
	w := world.New(r.client, world.Options{
		Integration: d.found.integration, Connection: d.found.connection, Variant: d.variant, Metadata: d.input.metadata,
		Guard: egress.New(egress.Policy{AllowPrivateNetwork: true}, nil),
		Say:   func(text string) { d.say("warn", text, nil) }, Seen: d.seen,
	})
	defer w.Close()
	w.Know(d.account)
	var recorder *fixture.Recorder
	var host sandbox.Host = w
	if d.save {
		recorder = fixture.NewRecorder(w, fixture.RecorderOptions{
			Secrets: w.Secrets, Checkpoint: d.input.checkpoint, Webhook: d.input.webhook, LastSync: d.input.lastSync, Variant: d.variant,
		})
		host = recorder
	}
	o := d.options(f, host, w)
	d.status.wipe()
	d.status.println("Running ", d.status.paint(styleBold, printable(functionName(f.Integration, f.Name))), " for ", printable(d.found.connection), " in ", d.environment)
	result, err := trial.Run(ctx, executor, o)
	if err != nil {
		return &codedError{exitDryRun, err}
	}
	d.measure(result, w.Traffic())
	if result.Failure != nil {
		return d.failed(result, w.Redact)
	}
	if err := d.show(f, result); err != nil {
		return err
	}
	if recorder == nil {
		return nil
	}
	return d.record(ctx, executor, f, recorder, result)
}

// options is what the trial is made with.
func (d *dryrun) options(f bundle.Function, host sandbox.Host, w *world.World) trial.Options {
	of := trial.Of(f)
	of.Integration = d.found.integration
	return trial.Options{
		Function: of, Provider: d.account.Provider, Connection: d.found.connection, ConnectionID: linkspan.ConnectionID(d.account.ID), Environment: d.environment,
		Input: d.input.input, Event: f.Definition.Event, Webhook: d.input.webhook, Variant: d.variant, LastSync: d.input.lastSync,
		Checkpoint: d.input.checkpoint, Validate: d.validate, World: host,
		Log:    func(m trial.Message) { d.say(m.Level, w.Redact(m.Text), redactedJSON(w.Redact, m.Payload)) },
		Limits: d.limits(),
	}
}

func (d *dryrun) limits() sandbox.Limits {
	return sandbox.Limits{Memory: dryrunMemory, CPU: min(dryrunCPU, d.timeout), Wall: d.timeout, Output: dryrunOutput, Notes: dryrunNotes}
}

// redactedJSON takes secrets out of JSON. What is no JSON any more then is a text.
func redactedJSON(redact func(string) string, text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return nil
	}
	clean := redact(string(text))
	if json.Valid([]byte(clean)) {
		return json.RawMessage(clean)
	}
	quoted, err := json.Marshal(clean)
	if err != nil {
		return nil
	}
	return quoted
}

// fits refuses options that the function has no use for.
func (d *dryrun) fits(f bundle.Function) error {
	name := functionName(f.Integration, f.Name)
	refuse := func(flag, what string) error {
		return &usageError{fmt.Errorf("%s: %s %s", flag, name, what)}
	}
	d.report.Function, d.report.Type = name, string(f.Kind)
	sync := f.Kind == linkspan.FunctionSync
	hook := f.Definition.Unified != nil && f.Definition.Unified.Trigger == linkspan.TriggerHTTP
	switch {
	case d.kind != "" && string(f.Kind) != d.kind:
		return refuse("--type", "is of type "+string(f.Kind))
	case d.input.input != nil && f.Kind != linkspan.FunctionAction:
		return refuse("--input", "is no action, so it takes no input")
	case d.input.webhook != nil && !sync && !hook:
		return refuse("--webhook", "is neither a sync nor made with trigger: { kind: \"http\" }: only those take webhooks")
	case d.input.webhook != nil && sync && !f.OnWebhook:
		return refuse("--webhook", "has no onWebhook")
	case d.variant != "" && !sync:
		return refuse("--variant", "is no sync: only those have variants")
	case !d.input.lastSync.IsZero() && !sync:
		return refuse("--last-sync-date", "is no sync")
	}
	return nil
}
