package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

const logsLong = `Shows what happened in an environment: operations, such as runs of functions, calls
through the proxy and connections that were made, oldest first, with the messages
of each. With --json each is a line.

--follow goes on with what happens from then on, until it is interrupted, also
when the server does not answer for a while. Each operation is shown when it begins
or, if it is short, when it has ended; its messages come as they are written.

` + remoteHelp + ` The key needs the scope environment:logs:read.`

// logsOptions are the flags of the command.
type logsOptions struct {
	serverOptions

	integration, connection, function string
	status, types                     []string
	since, operation                  string
	limit                             int
	follow, brief, asJSON             bool
}

// How many operations and messages are asked for at a time, at most.
const (
	operationsPage = 100
	messagesPage   = 1000
)

func newLogs(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show what happened in an environment, and what happens",
		Long:  logsLong,
		Example: `  linkspan logs --follow
  linkspan logs --function github/issues --status failed --since 2h
  linkspan logs --operation <id>
  linkspan logs --connection my-connection --json`,
		Args: usage(cobra.NoArgs),
	}
	var o logsOptions
	o.add(cmd, sys)
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on with what happens from now on")
	flags.StringVar(&o.integration, "integration", "", "only what is about this integration")
	flags.StringVar(&o.connection, "connection", "", "only what is about this connection")
	flags.StringVar(&o.function, "function", "", "only runs of this function: NAME or INTEGRATION/NAME")
	flags.StringSliceVar(&o.status, "status", nil, "only operations that stand so: "+joined(operationStates())+"; may be a list")
	flags.StringSliceVar(&o.types, "type", nil, "only operations of this type: "+joined(operationTypes())+"; may be a list")
	flags.StringVar(&o.since, "since", "", "only what began since then: a date, a moment (RFC 3339), or how long ago, such as 2h")
	flags.StringVar(&o.operation, "operation", "", "only the operation with this id")
	flags.IntVar(&o.limit, "limit", 20, "how many operations at most, the newest; those that follow don't count")
	flags.BoolVar(&o.brief, "brief", false, "leave messages out")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON, an operation a line")
	completeFlag(cmd, sys, &o.serverOptions, "integration", integrationNames)
	completeFlag(cmd, sys, &o.serverOptions, "connection", connectionNames)
	completeFlag(cmd, sys, &o.serverOptions, "function", functionNames())
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(operationStates(), cobra.ShellCompDirectiveNoFileComp)) // fails for flags that do not exist
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(operationTypes(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return showLogs(cmd.Context(), sys, o) }
	return cmd
}

func operationStates() []string {
	return []string{
		string(linkspan.StateWaiting), string(linkspan.StateRunning), string(linkspan.StateSuccess), string(linkspan.StateFailed),
		string(linkspan.StateTimeout), string(linkspan.StateCancelled),
	}
}

func operationTypes() []string {
	return append([]string{
		string(linkspan.OperationProxy), string(linkspan.OperationAuth), string(linkspan.OperationWebhook), string(linkspan.OperationDeploy),
	}, runTypes()...)
}

// runTypes are the types of operations that are about functions.
func runTypes() []string {
	return []string{string(linkspan.OperationActionRun), string(linkspan.OperationSync), string(linkspan.OperationEvents)}
}

// logs shows operations.
type logs struct {
	logsOptions
	sys    System
	remote *remote
	out    *terminal
	status *terminal
	query  api.OperationsQuery
	last   string // id of the operation that was shown last
}

func showLogs(ctx context.Context, sys System, o logsOptions) error {
	l := &logs{logsOptions: o, sys: sys, out: newTerminal(sys, sys.Stdout), status: newTerminal(sys, sys.Stderr)}
	if err := l.check(time.Now()); err != nil {
		return err
	}
	var err error
	if l.remote, err = o.dial(ctx, sys); err != nil {
		return err
	}
	if o.operation != "" {
		return l.one(ctx)
	}
	found, err := l.newest(ctx)
	if err != nil {
		return err
	}
	slices.Reverse(found)
	if o.follow {
		err := newFollower(l).run(ctx, found)
		if ctx.Err() != nil {
			return l.out.err
		}
		return errors.Join(err, l.out.err)
	}
	if err := l.showAll(ctx, found); err != nil {
		return err
	}
	if len(found) == 0 && !o.asJSON {
		l.status.println("There are no such operations.")
	}
	return errors.Join(l.out.err, l.status.err)
}

// check reads the flags.
func (l *logs) check(now time.Time) error {
	for _, of := range []struct {
		flag         string
		given, known []string
	}{{"--status", l.logsOptions.status, operationStates()}, {"--type", l.types, operationTypes()}} {
		for _, value := range of.given {
			if !slices.Contains(of.known, value) {
				return &usageError{fmt.Errorf("%s: %q is not one of %s", of.flag, value, joined(of.known))}
			}
		}
	}
	if l.limit < 1 {
		return &usageError{errors.New("--limit: it must be at least 1")}
	}
	if l.function != "" {
		integration, name := splitFunction(l.function)
		if integration != "" && l.integration != "" && l.integration != integration {
			return &usageError{fmt.Errorf("--integration %s is not that of %s", l.integration, l.function)}
		}
		if l.function = name; integration != "" {
			l.integration = integration
		}
		if len(l.types) == 0 {
			l.types = runTypes()
		}
	}
	since, err := ago(l.since, now)
	if err != nil {
		return &usageError{fmt.Errorf("--since: %w", err)}
	}
	l.query = api.OperationsQuery{Type: l.types, Status: l.logsOptions.status}
	for _, of := range []struct {
		given string
		into  **string
	}{{l.integration, &l.query.Integration}, {l.connection, &l.query.Connection}} {
		if of.given != "" {
			*of.into = &of.given
		}
	}
	if !since.IsZero() {
		l.query.From = &since
	}
	return nil
}

// ago reads a date, a moment, or a duration before now. Empty is none.
func ago(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d).UTC(), nil
	}
	at, err := moment(text)
	if err != nil {
		return at, fmt.Errorf("%q is neither a date nor a moment nor how long ago, such as 2026-01-31, 2026-01-31T12:00:00Z or 2h", text)
	}
	return at, nil
}

// splitFunction takes INTEGRATION/NAME apart; of NAME the integration is "".
func splitFunction(text string) (integration, name string) {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '/' {
			return text[:i], text[i+1:]
		}
	}
	return "", text
}

// newest returns the operations that are meant, newest first.
func (l *logs) newest(ctx context.Context) ([]api.Operation, error) {
	found := []api.Operation{}
	err := l.each(ctx, l.query, func(op api.Operation) bool {
		found = append(found, op)
		return len(found) < l.limit
	})
	return found, err
}

// each calls visit for operations that a query and the flags select, newest first,
// until it returns false.
func (l *logs) each(ctx context.Context, q api.OperationsQuery, visit func(api.Operation) bool) error {
	size := operationsPage
	if l.function == "" && !l.follow {
		size = min(size, l.limit)
	}
	q.Limit = &size
	for {
		page, err := l.page(ctx, q)
		if err != nil {
			return err
		}
		for _, op := range page.Data {
			if l.wants(op) && !visit(op) {
				return nil
			}
		}
		if page.NextCursor == nil {
			return nil
		}
		q.Before = page.NextCursor
	}
}

func (l *logs) page(ctx context.Context, q api.OperationsQuery) (api.Operations, error) {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	page, err := l.remote.client.Operations(ctx, q)
	if err != nil {
		return page, l.explain(err)
	}
	return page, nil
}

// awayError is of a server that does not answer, or not now.
type awayError struct{ error }

func (e *awayError) Unwrap() error { return e.error }

// explain says why a call failed, as an awayError if a later one need not fail.
func (l *logs) explain(err error) error {
	explained := l.remote.explain(err)
	refused, answered := client.AsError(err)
	if answered && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests {
		return explained
	}
	return &awayError{explained}
}

// wants reports whether an operation is about the function that is meant. The
// server does not select by it.
func (l *logs) wants(op api.Operation) bool {
	if l.function == "" {
		return true
	}
	var of struct {
		Function string `json:"function"`
	}
	return json.Unmarshal(op.Meta, &of) == nil && of.Function == l.function
}

// one shows the operation that --operation names.
func (l *logs) one(ctx context.Context) error {
	op, err := l.detail(ctx, l.operation, 0)
	if err != nil {
		return err
	}
	if l.follow && op.EndedAt == nil {
		l.function = ""
		err := newFollower(l).watch(ctx, op)
		if ctx.Err() != nil {
			return l.out.err
		}
		return errors.Join(err, l.out.err)
	}
	if err := l.show(op); err != nil {
		return err
	}
	return l.out.err
}

// detail reads an operation with its messages after one of them.
func (l *logs) detail(ctx context.Context, id string, after int64) (api.OperationDetail, error) {
	whole := api.OperationDetail{Messages: []api.OperationMessage{}} // JSON: [], not null
	q := api.OperationQuery{Limit: new(messagesPage), After: &after}
	if l.brief {
		q.Limit = new(1)
	}
	for {
		reply, err := l.detailPage(ctx, id, q)
		if err != nil {
			return whole, err
		}
		messages := append(whole.Messages, reply.Data.Messages...)
		whole = reply.Data
		if whole.Messages = messages; l.brief {
			whole.Messages = []api.OperationMessage{}
			return whole, nil
		}
		if reply.NextCursor == nil {
			return whole, nil
		}
		q.After = reply.NextCursor
	}
}

func (l *logs) detailPage(ctx context.Context, id string, q api.OperationQuery) (api.OperationReply, error) {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	reply, err := l.remote.client.Operation(ctx, id, q)
	if err != nil {
		return reply, l.explain(err)
	}
	return reply, nil
}

// maxAtOnce bounds how many operations are read at a time.
const maxAtOnce = 8

// details reads the messages of operations, several at a time.
func (l *logs) details(ctx context.Context, found []api.Operation) ([]api.OperationDetail, error) {
	all := make([]api.OperationDetail, len(found))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAtOnce)
	for i, op := range found {
		if l.brief {
			all[i] = api.OperationDetail{Operation: op, Messages: []api.OperationMessage{}}
			continue
		}
		g.Go(func() error {
			detail, err := l.detail(ctx, op.ID, 0)
			all[i] = detail
			return err
		})
	}
	return all, g.Wait()
}

// showAll shows operations in their order.
func (l *logs) showAll(ctx context.Context, found []api.Operation) error {
	for chunk := range slices.Chunk(found, operationsPage) {
		all, err := l.details(ctx, chunk)
		if err != nil {
			return err
		}
		for _, op := range all {
			if err := l.show(op); err != nil {
				return err
			}
		}
	}
	return nil
}
