package cli

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// deployed compares the folder with what the environment has.
func (d *doctor) deployed(ctx context.Context, r *remote, functions []bundle.Function) {
	if len(functions) == 0 {
		return
	}
	d.status.update("Comparing with " + printable(d.environment) + " …")
	body, err := payload(functions, api.DeployAll)
	if err != nil {
		d.note("deployed", healthFailed, err.Error(), "")
		return
	}
	if missing := r.withoutIntegration(ctx, functions); len(missing) > 0 {
		d.note("deployed", healthWarning, "the environment has no integration "+strings.Join(missing, ", "), "linkspan deploy "+d.environment+" says how to make it.")
		return
	}
	answer, err := r.client.ConfirmDeploy(ctx, body)
	if refused, ok := client.AsError(err); ok && refused.Status == http.StatusForbidden {
		d.note("deployed", healthWarning, "the key may not deploy", "Use one with the scope environment:deploy.")
		return
	}
	if err != nil {
		_, message := described(r.explain(err))
		d.note("deployed", healthWarning, message, "")
		return
	}
	plan := planOf(functions, answer)
	if !plan.changes() {
		d.note("deployed", healthOK, counted(len(functions), "function")+", as in the folder", "")
		return
	}
	changed := 0
	for _, f := range plan.Functions {
		if f.Change != changeNone {
			changed++
		}
	}
	d.note("deployed", healthWarning, counted(changed, "function")+" of the folder or the environment differ", "linkspan deploy "+d.environment+" --dry-run shows how.")
}

// withoutIntegration returns the integrations of functions that the environment
// does not have, as far as the key may know.
func (r *remote) withoutIntegration(ctx context.Context, functions []bundle.Function) []string {
	there, err := r.client.Integrations(ctx)
	if err != nil {
		return nil
	}
	var missing []string
	for _, f := range functions {
		if !slices.ContainsFunc(there, func(i api.Integration) bool { return i.UniqueKey == f.Integration }) {
			missing = append(missing, f.Integration)
		}
	}
	return sorted(missing)
}

// sorted is a list in order, without repetitions.
func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// windows reports whether permissions are no bits here.
func (d *doctor) windows() bool { return filepath.Separator == '\\' }
