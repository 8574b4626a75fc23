package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

const recordsLong = `Shows the records that syncs have saved for a connection, in the order in which
they changed: one a line, or with --json as the API has them.

A page has at most --limit records. Where there are more, the command says with
which --cursor to go on; with --all it goes on by itself. The cursor of the last
record is where to look for what changes next.

` + remoteHelp + ` The key needs the scope environment:records:read.`

// recordsOptions are the flags of the command.
type recordsOptions struct {
	accountOptions

	variant, cursor, since string
	actions, ids           []string
	limit                  int
	all, asJSON            bool
}

func newRecords(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "records CONNECTION MODEL",
		Short: "Show the records of a connection",
		Long:  recordsLong,
		Example: `  linkspan records my-connection Issue
  linkspan records my-connection Issue --filter deleted --since 2026-01-31
  linkspan records my-connection Issue --all --json`,
		Args: usage(cobra.ExactArgs(2)),
	}
	var o recordsOptions
	o.add(cmd, sys)
	cmd.ValidArgsFunction = completeArgs(sys, &o.serverOptions, connectionNames, modelNames)
	flags := cmd.Flags()
	flags.StringVar(&o.variant, "variant", "", "variant of the sync")
	flags.StringVar(&o.cursor, "cursor", "", "where to begin")
	flags.StringVar(&o.since, "since", "", "only what changed since then: a date or a moment (RFC 3339)")
	flags.StringSliceVar(&o.actions, "filter", nil, "only what was last added, updated or deleted; may be a list")
	flags.StringArrayVar(&o.ids, "id", nil, "only the record with this id; may be repeated")
	flags.IntVar(&o.limit, "limit", 100, "how many records at most, 10000 or less")
	flags.BoolVar(&o.all, "all", false, "all there are, page after page")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON; with --all one record a line")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return showRecords(cmd.Context(), sys, args, o) }
	return cmd
}

func showRecords(ctx context.Context, sys System, args []string, o recordsOptions) error {
	filter, err := o.filter()
	if err != nil {
		return err
	}
	r, err := o.dial(ctx, sys)
	if err != nil {
		return err
	}
	a, err := r.account(ctx, args[0], o.integration)
	if err != nil {
		return err
	}
	of := client.Records{ProviderConfigKey: a.integration, ConnectionID: a.connection, Model: args[1], Variant: o.variant}
	shown := 0
	for {
		page, err := a.page(ctx, of, filter)
		if err != nil {
			return err
		}
		if len(page.Records) == 0 && page.NextCursor != nil { // nothing as far as a page looks
			filter.Cursor = *page.NextCursor
			continue
		}
		if err := o.show(sys.Stdout, page); err != nil {
			return err
		}
		shown += len(page.Records)
		if !o.all || page.NextCursor == nil {
			if shown == 0 && !o.asJSON {
				return a.sayNone(ctx, sys, of.Model)
			}
			return o.rest(sys, page)
		}
		filter.Cursor = *page.NextCursor
	}
}

func (a *account) page(ctx context.Context, of client.Records, filter client.RecordFilter) (api.Records, error) {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	page, err := a.client.ListRecords(ctx, of, filter)
	if err != nil {
		return page, a.explain(err)
	}
	return page, nil
}

// filter reads the flags that choose records.
func (o *recordsOptions) filter() (client.RecordFilter, error) {
	since, err := moment(o.since)
	if err != nil {
		return client.RecordFilter{}, &usageError{fmt.Errorf("--since: %w", err)}
	}
	for _, action := range o.actions {
		if !slices.Contains([]string{"added", "updated", "deleted"}, strings.ToLower(action)) {
			return client.RecordFilter{}, &usageError{fmt.Errorf("--filter: %q is not one of added, updated, deleted", action)}
		}
	}
	if o.limit < 1 || o.limit > 10_000 {
		return client.RecordFilter{}, &usageError{errors.New("--limit: it must be from 1 to 10000")}
	}
	return client.RecordFilter{Cursor: o.cursor, ModifiedAfter: since, Actions: o.actions, IDs: o.ids, Limit: o.limit}, nil
}

// show prints a page.
func (o *recordsOptions) show(out io.Writer, page api.Records) error {
	if o.asJSON && !o.all {
		return printJSON(out, page)
	}
	var text bytes.Buffer
	for _, r := range page.Records {
		if o.asJSON {
			if err := printJSONLine(&text, r); err != nil {
				return err
			}
			continue
		}
		if err := writeRecord(&text, r); err != nil {
			return err
		}
	}
	_, err := out.Write(text.Bytes())
	return err
}

// writeRecord writes a record as a line: what became of it last, its id, and its
// fields.
func writeRecord(out *bytes.Buffer, r api.Record) error {
	var known struct {
		Metadata api.RecordMetadata `json:"_nango_metadata"`
	}
	whole, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(whole, &known)
	}
	if err != nil {
		return fmt.Errorf("reading a record: %w", err)
	}
	fields := make(map[string]any, len(r))
	for name, value := range r {
		if name != "_nango_metadata" {
			fields[name] = value
		}
	}
	var line bytes.Buffer
	if err := printJSONLine(&line, fields); err != nil {
		return err
	}
	fmt.Fprintln(out, printable(fmt.Sprintf("%-7s  %s  %s", strings.ToLower(known.Metadata.LastAction), known.Metadata.LastModifiedAt, strings.TrimSpace(line.String()))))
	return nil
}

// rest says how to go on.
func (o *recordsOptions) rest(sys System, page api.Records) error {
	if o.asJSON || page.NextCursor == nil {
		return nil
	}
	t := newTerminal(sys, sys.Stderr)
	t.println("There are more: --cursor ", printable(*page.NextCursor), " goes on, --all shows all.")
	return t.err
}

// sayNone says that there are no such records, and which models there are if the one
// that was asked for is none of them. Keys need not have the right to know.
func (a *account) sayNone(ctx context.Context, sys System, model string) error {
	t := newTerminal(sys, sys.Stderr)
	t.println("There are no such records.")
	models, err := a.models(ctx, func(integration string) bool { return integration == a.integration })
	switch {
	case err != nil || slices.Contains(models, model):
	case len(models) == 0:
		t.println(printable(fmt.Sprintf("No sync of %q is deployed.", a.integration)))
	default:
		t.println(printable(fmt.Sprintf("The syncs of %q have no model %q, but %s.", a.integration, model, joined(models))))
	}
	return t.err
}
