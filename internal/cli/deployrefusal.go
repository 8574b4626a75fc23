package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// checkIntegrations makes sure that the environment has the integrations of the
// functions, and those that are emptied. Keys that may not list them leave that to
// the server.
func (d *deployment) checkIntegrations(ctx context.Context, functions []bundle.Function, emptied []string) error {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	there, err := d.remote.client.Integrations(ctx)
	if err != nil {
		if refused, ok := client.AsError(err); ok && refused.Status == http.StatusForbidden {
			return nil
		}
		return d.remote.explain(err)
	}
	known := make(map[string]bool, len(there))
	for _, i := range there {
		known[i.UniqueKey] = true
	}
	for _, key := range emptied {
		if !known[key] {
			return &usageError{fmt.Errorf("--integration: neither the folder nor %s has an integration %q", d.remote.name, key)}
		}
	}
	var missing []string
	for _, f := range functions {
		if !known[f.Integration] {
			missing = append(missing, f.Integration)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return d.missing(ctx, slices.Compact(missing))
}

// missing says which integrations there are not, and how to make them.
func (d *deployment) missing(ctx context.Context, keys []string) error {
	what, them := "There is no integration ", "it"
	if len(keys) > 1 {
		what, them = "There are no integrations ", "them"
	}
	lines := make([]string, len(keys))
	for i, key := range keys {
		provider := "<provider>"
		if _, err := d.remote.client.Provider(ctx, key); err == nil {
			provider = key
		}
		lines[i] = fmt.Sprintf("  linkspan integrations create %s --key %s --env %s", provider, shellWord(key), shellWord(d.remote.name))
	}
	err := linkspan.E("cli.deploy", linkspan.KindInvalid, codeNoIntegration, nil, "%s%s in %s, so nothing was deployed.", what, enumerated(keys), d.remote.name).
		WithHint("Make %s first:\n%s", them, strings.Join(lines, "\n"))
	return refusal(err)
}

// codeNoIntegration is the code of the contract for functions of an integration
// that the environment does not have.
const codeNoIntegration = "unknown_provider_config"

// enumerated writes names in quotes.
func enumerated(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(all, ", ")
}

// refused explains why the server did not take the deploy.
func (d *deployment) refused(err error, body api.Deploy) error {
	answer, ok := client.AsError(err)
	if ok {
		for i, issue := range answer.Issues {
			answer.Issues[i].Path = namedPath(issue.Path, body)
		}
	}
	explained := d.remote.explain(err)
	if !ok || answer.Status == http.StatusUnauthorized {
		return explained
	}
	if e, ok := errors.AsType[*linkspan.Error](explained); ok && answer.Code == "concurrent_deployment" {
		explained = e.WithHint("Another deploy to %s is going on. Try again when it has ended.", d.remote.name)
	}
	return refusal(explained)
}

// namedPath puts the name of a function in the place of its number in a deploy.
func namedPath(path []any, body api.Deploy) []any {
	if len(path) < 2 || path[0] != "flowConfigs" {
		return path
	}
	number, ok := path[1].(float64)
	if !ok || number < 0 || int(number) >= len(body.FlowConfigs) {
		return path
	}
	f := body.FlowConfigs[int(number)]
	return append([]any{functionName(f.ProviderConfigKey, f.SyncName)}, path[2:]...)
}

// described returns the code and the text of an error, for --json.
func described(err error) (code, message string) {
	if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Msg != "" {
		return e.Code, e.Msg
	}
	return "", err.Error()
}
