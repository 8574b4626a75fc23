package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/config"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/obs"
)

// dryrunCall bounds one question to the server before the function runs.
const dryrunCall = time.Minute

// The codes of --json for what is missing on the server.
const (
	codeConnectionMissing  = "connection_not_found"
	codeIntegrationMissing = "integration_not_found"
)

// maxListed is how many names a message lists.
const maxListed = 20

// dryrunEntry is a function of the folder before it is compiled.
type dryrunEntry struct {
	integration string
	kind        linkspan.FunctionKind
	name        string
}

func (e dryrunEntry) String() string { return functionName(e.integration, e.name) }

// found says which function runs for which connection.
type found struct {
	entry                   dryrunEntry
	integration, connection string
}

// entries lists the functions of the folder.
func (d *dryrun) entries(ctx context.Context, describer bundle.Describer) ([]dryrunEntry, error) {
	var all []dryrunEntry
	_, err := bundle.Build(ctx, bundle.Options{Dir: d.dir, Describer: describer, Only: func(integration string, kind linkspan.FunctionKind, name string) bool {
		all = append(all, dryrunEntry{integration, kind, name})
		return false
	}})
	d.status.wipe()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &codedError{exitCompile, fmt.Errorf("compiling %s: %w", d.dir, err)}
	}
	slices.SortFunc(all, func(a, b dryrunEntry) int {
		return strings.Compare(a.String()+" "+string(a.kind), b.String()+" "+string(b.kind))
	})
	return all, nil
}

// find settles which function runs, and for which connection.
func (d *dryrun) find(ctx context.Context, entries []dryrunEntry) error {
	candidates, err := d.named(ctx, entries)
	if err != nil {
		return err
	}
	if err := d.remote.check(ctx); err != nil {
		return err
	}
	if d.found.connection == "" {
		if err := d.chooseConnection(ctx, candidates); err != nil {
			return err
		}
	}
	d.report.Connection = d.found.connection
	if d.found.integration = d.integration; d.integration == "" {
		if candidates, err = d.infer(ctx, candidates); err != nil {
			return err
		}
	}
	if d.found.entry, err = d.one(ctx, candidates); err != nil {
		return err
	}
	if d.found.integration == "" {
		d.found.integration = d.found.entry.integration
	}
	d.report.Function, d.report.Integration = d.found.entry.String(), d.found.integration
	return nil
}

// named returns the functions that are meant.
func (d *dryrun) named(ctx context.Context, entries []dryrunEntry) ([]dryrunEntry, error) {
	if len(entries) == 0 {
		return nil, &usageError{fmt.Errorf("index.ts of %s imports no functions", d.dir)}
	}
	if d.wanted == "" {
		return d.chooseFunction(ctx, entries)
	}
	integration, name, qualified := strings.Cut(d.wanted, "/")
	if !qualified {
		integration, name = "", d.wanted
	}
	candidates := slices.DeleteFunc(slices.Clone(entries), func(e dryrunEntry) bool {
		return e.name != name || qualified && e.integration != integration || d.kind != "" && e.kind.Valid() && string(e.kind) != d.kind
	})
	if len(candidates) == 0 {
		return nil, d.unknown(entries)
	}
	if qualified || d.integration == "" {
		return candidates, nil
	}
	there := slices.DeleteFunc(slices.Clone(candidates), func(e dryrunEntry) bool { return e.integration != d.integration })
	if len(there) == 0 {
		return nil, &usageError{fmt.Errorf("there is no function %q in the folder of %s; there is:\n  %s\nGive it as INTEGRATION/NAME to run it for another integration",
			name, d.integration, listedEntries(candidates))}
	}
	return there, nil
}

// unknown is the error for a function that the folder does not have.
func (d *dryrun) unknown(entries []dryrunEntry) error {
	var names, whole []string
	for _, e := range entries {
		names, whole = append(names, e.name), append(whole, e.String())
	}
	known := names
	if strings.Contains(d.wanted, "/") {
		known = whole
	}
	what := fmt.Sprintf("there is no function %q", d.wanted)
	if d.kind != "" {
		what += " of type " + d.kind
	}
	if meant := config.Nearest(d.wanted, known); meant != "" && meant != d.wanted {
		return &usageError{fmt.Errorf("%s. Did you mean %q?", what, meant)}
	}
	return &usageError{fmt.Errorf("%s; index.ts imports:\n  %s", what, listedEntries(entries))}
}

// listedEntries lists functions for a message, one a line.
func listedEntries(entries []dryrunEntry) string {
	var lines []string
	for _, e := range entries[:min(len(entries), maxListed)] {
		lines = append(lines, e.String())
	}
	if n := len(entries) - maxListed; n > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(slices.Compact(lines), "\n  ")
}

func (d *dryrun) chooseFunction(ctx context.Context, entries []dryrunEntry) ([]dryrunEntry, error) {
	if !d.asker.can() {
		return nil, &usageError{fmt.Errorf("which function? Give FUNCTION and CONNECTION; index.ts imports:\n  %s", listedEntries(entries))}
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e dryrunEntry) bool {
		return d.integration != "" && e.integration != d.integration || d.kind != "" && e.kind.Valid() && string(e.kind) != d.kind
	})
	if len(entries) == 0 {
		return nil, &usageError{errors.New("the folder has no such functions")}
	}
	i, err := d.asker.choose(ctx, "Which function?", distinct(entries))
	if err != nil {
		return nil, err
	}
	return entries[i : i+1], nil
}

// distinct names functions so that each is told from the others.
func distinct(entries []dryrunEntry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.String()
		same := func(o dryrunEntry) bool { return o.String() == e.String() && o != e }
		if slices.ContainsFunc(entries, same) {
			names[i] += " (" + string(e.kind) + ")"
		}
	}
	return names
}

// one returns the only function, or asks.
func (d *dryrun) one(ctx context.Context, candidates []dryrunEntry) (dryrunEntry, error) {
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	if d.asker.can() {
		i, err := d.asker.choose(ctx, "Several functions have the name. Which one?", distinct(candidates))
		if err != nil {
			return dryrunEntry{}, err
		}
		return candidates[i], nil
	}
	hint := "give INTEGRATION/NAME"
	if slices.IndexFunc(candidates, func(e dryrunEntry) bool { return e.integration != candidates[0].integration }) < 0 {
		hint = "give --type"
	}
	return dryrunEntry{}, &usageError{fmt.Errorf("several functions have the name %q, so %s:\n  %s", d.wanted, hint, strings.Join(distinct(candidates), "\n  "))}
}

// chooseConnection asks for which connection the function runs.
func (d *dryrun) chooseConnection(ctx context.Context, candidates []dryrunEntry) error {
	if !d.asker.can() {
		return &usageError{errors.New("for which connection? Give CONNECTION after FUNCTION")}
	}
	asked, cancel := context.WithTimeout(ctx, dryrunCall)
	list, err := d.remote.client.Connections(asked, api.ConnectionsQuery{IntegrationID: d.integrations(candidates), Limit: new(1000)})
	cancel()
	if err != nil {
		return d.remote.explain(err)
	}
	if len(list) == 0 {
		return dryrunRefused(codeConnectionMissing, "Make one in the Connect UI, or import one with POST /connections.",
			"There is no connection for %s in the environment %q.", strings.Join(d.integrations(candidates), " or "), d.environment)
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.ConnectionID
	}
	i, err := d.asker.choose(ctx, "For which connection?", names)
	if err != nil {
		return err
	}
	d.found.connection = names[i]
	if d.integration == "" {
		d.integration = list[i].ProviderConfigKey
	}
	return nil
}

// integrations are those that the function may run for.
func (d *dryrun) integrations(candidates []dryrunEntry) []string {
	if d.integration != "" {
		return []string{d.integration}
	}
	var keys []string
	for _, e := range candidates {
		keys = append(keys, e.integration)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// infer keeps the functions of the integrations that have the connection.
func (d *dryrun) infer(ctx context.Context, candidates []dryrunEntry) ([]dryrunEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, dryrunCall)
	defer cancel()
	list, err := d.remote.client.Connections(ctx, api.ConnectionsQuery{ConnectionID: &d.found.connection})
	if refused, ok := client.AsError(err); ok && refused.Status == http.StatusForbidden {
		return candidates, nil // a key that may not list; the connection itself tells
	}
	if err != nil {
		return nil, d.remote.explain(err)
	}
	if len(list) == 0 {
		return nil, d.noConnection()
	}
	var keys []string
	for _, c := range list {
		keys = append(keys, c.ProviderConfigKey)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	there := slices.DeleteFunc(slices.Clone(candidates), func(e dryrunEntry) bool { return !slices.Contains(keys, e.integration) })
	if len(there) > 0 {
		return there, nil
	}
	return nil, dryrunRefused(codeConnectionMissing, fmt.Sprintf("Give INTEGRATION/NAME and --integration-id %s to run it all the same.", keys[0]),
		"The connection %q is one of %s; the function is one of %s.", d.found.connection, strings.Join(keys, ", "), strings.Join(d.integrations(candidates), ", "))
}

// noConnection is the error for a connection that is not there.
func (d *dryrun) noConnection() error {
	return dryrunRefused(codeConnectionMissing, "linkspan connections lists those that there are; --env names another environment.",
		"There is no connection %q in the environment %q at %s.", d.found.connection, d.environment, d.remote.host)
}

// connect makes sure that the integration and the connection are there and can be
// used.
func (d *dryrun) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dryrunCall)
	defer cancel()
	if _, err := d.remote.client.Integration(ctx, d.found.integration); err != nil {
		if refused, ok := client.AsError(err); ok && refused.Status == http.StatusNotFound {
			return dryrunRefused(codeIntegrationMissing, "Create it with POST /integrations, or give --integration-id.",
				"There is no integration %q in the environment %q at %s.", d.found.integration, d.environment, d.remote.host)
		}
		return d.remote.explain(err)
	}
	account, err := d.remote.client.Connection(ctx, d.found.connection, api.ConnectionQuery{ProviderConfigKey: d.found.integration})
	if refused, ok := client.AsError(err); ok {
		switch {
		case refused.Status == http.StatusNotFound, refused.Code == "unknown_connection":
			return d.noConnection()
		case refused.Status != http.StatusUnauthorized && refused.Status != http.StatusForbidden:
			return dryrunRefused(refused.Code, "", "The connection %q can't be used: %s", d.found.connection, refused.Message)
		}
	}
	if err != nil {
		return d.remote.explain(err)
	}
	d.account = account
	return nil
}

// build compiles the function.
func (d *dryrun) build(ctx context.Context, describer bundle.Describer) (bundle.Function, error) {
	d.status.update("Compiling " + printable(d.found.entry.String()) + " …")
	project, err := bundle.Build(ctx, bundle.Options{
		Dir: d.dir, SourceMap: true, Describer: describer, Version: obs.ReadBuild().Version,
		Only: func(integration string, kind linkspan.FunctionKind, name string) bool {
			return dryrunEntry{integration, kind, name} == d.found.entry
		},
	})
	d.status.wipe()
	if err != nil {
		return bundle.Function{}, fmt.Errorf("compiling %s: %w", d.found.entry, err)
	}
	for _, p := range project.Warnings {
		printProblem(d.status, styleYellow, "!", p)
	}
	for _, p := range project.Problems {
		d.report.Problems = append(d.report.Problems, reported(p))
		printProblem(d.status, styleRed, "✗", p)
	}
	if len(project.Functions) == 0 {
		d.status.println()
		return bundle.Function{}, &codedError{exitCompile, fmt.Errorf("%s does not compile, so it was not run", d.found.entry)}
	}
	return project.Functions[0], nil
}

// dryrunRefused says why a function could not begin, and what to do.
func dryrunRefused(code, hint, format string, args ...any) error {
	return &codedError{exitDryRun, linkspan.E("cli.dryrun", linkspan.KindInvalid, code, nil, format, args...).WithHint("%s", hint)}
}
