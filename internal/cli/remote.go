package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
)

const (
	defaultHost = "http://localhost:3003"
	dotenvFile  = ".env"
	// remoteHelp says in help texts how commands find the server.
	remoteHelp = `The server is the one that LINKSPAN_HOST names (default ` + defaultHost + `),
the API key is taken from LINKSPAN_SECRET_KEY_<ENVIRONMENT>: for "dev" that is
LINKSPAN_SECRET_KEY_DEV. Both are looked for in the environment, then in the file
.env of this folder. NANGO_HOSTPORT and NANGO_SECRET_KEY_<ENVIRONMENT> are
accepted in their place.`
)

// remote is an environment of a running server, as one of its keys sees it.
type remote struct {
	client *client.Client
	name   string
	host   string
	keyVar string
}

// dial finds the server and the key of an environment. It does not call yet.
func dial(sys System, environment string) (*remote, error) {
	return dialFrom(sys, environment, dotenvFile)
}

// dialFrom is dial with another file in the place of .env, and a client with
// options.
func dialFrom(sys System, environment, dotenv string, options ...client.Option) (*remote, error) {
	if !isEnvironmentName(environment) {
		return nil, &usageError{fmt.Errorf("%q is not the name of an environment: those are made of a-z, 0-9, _ and -", environment)}
	}
	lookup, err := withDotenv(sys.Environ, dotenv)
	if err != nil {
		return nil, err
	}
	suffix := "SECRET_KEY_" + strings.ToUpper(strings.ReplaceAll(environment, "-", "_"))
	key, keyVar := first(lookup, "LINKSPAN_"+suffix, "NANGO_"+suffix)
	if key == "" {
		return nil, &usageError{fmt.Errorf("there is no key for the environment %q: set LINKSPAN_%s to one of its API keys, in the environment or in %s", environment, suffix, dotenv)}
	}
	host, hostVar := first(lookup, "LINKSPAN_HOST", "NANGO_HOSTPORT")
	host = cmp.Or(host, defaultHost)
	c, err := client.New(host, api.Secret(key), append(options, client.WithUserAgent("linkspan-cli"))...)
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", hostVar, err)}
	}
	return &remote{client: c, name: environment, host: host, keyVar: keyVar}, nil
}

// first returns the first variable that is set, and its name.
func first(lookup func(string) string, names ...string) (value, name string) {
	for _, name := range names {
		if value := lookup(name); value != "" {
			return value, name
		}
	}
	return "", ""
}

func isEnvironmentName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// check makes sure that the key belongs to the environment that was named, as far
// as the key may know.
func (r *remote) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, functionsTimeout)
	defer cancel()
	settings, err := r.client.EnvironmentSettings(ctx, api.CurrentEnvironment)
	if refused, ok := client.AsError(err); ok && refused.Status == http.StatusForbidden {
		return nil // it may deploy without the right to read settings
	}
	if err != nil {
		return r.explain(err)
	}
	return r.checkName(settings.Name)
}

func (r *remote) checkName(name string) error {
	if name == r.name {
		return nil
	}
	return fmt.Errorf("the key in %s is one of the environment %q, not of %q", r.keyVar, name, r.name)
}

// settings reads the settings of the environment, and makes sure that the key
// belongs to the one that was named.
func (r *remote) settings(ctx context.Context) (api.EnvironmentSettings, error) {
	settings, err := r.client.EnvironmentSettings(ctx, api.CurrentEnvironment)
	if err != nil {
		return settings, r.explain(err)
	}
	return settings, r.checkName(settings.Name)
}

// change changes settings and returns all as they are then.
func (r *remote) change(ctx context.Context, in api.UpdateEnvironmentSettings) (api.EnvironmentSettings, error) {
	settings, err := r.settings(ctx)
	if err != nil {
		return settings, err
	}
	settings, err = r.client.UpdateEnvironmentSettings(ctx, settings.UUID, in)
	if err != nil {
		return settings, r.explain(err)
	}
	return settings, nil
}

// explain says in an operator's terms why a call failed.
func (r *remote) explain(err error) error {
	const op = "cli.remote"
	refused, ok := client.AsError(err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("the server at %s has not answered in time", r.host)
		}
		if _, ok := errors.AsType[*url.Error](err); !ok {
			return fmt.Errorf("talking to %s: %w", r.host, err)
		}
		return linkspan.E(op, linkspan.KindUnavailable, "", err, "The server at %s can't be reached.", r.host).
			WithHint("Start it with linkspan serve, or say with LINKSPAN_HOST where it is.")
	}
	if refused.Status == http.StatusUnauthorized {
		return linkspan.E(op, linkspan.KindUnauthenticated, refused.Code, nil, "The server at %s does not accept the key in %s: %s", r.host, r.keyVar, refused.Message).
			WithHint("It must be an API key of the environment %q on that server.", r.name)
	}
	if len(refused.Issues) == 0 {
		return linkspan.E(op, linkspan.KindInvalid, refused.Code, nil, "%s", refused.Error())
	}
	lines := make([]string, len(refused.Issues))
	for i, issue := range refused.Issues {
		lines[i] = issue.Message
		if path := dotted(issue.Path); path != "" {
			lines[i] = path + ": " + issue.Message
		}
	}
	return linkspan.E(op, linkspan.KindInvalid, refused.Code, nil, "%s", strings.Join(lines, "\n  "))
}

func dotted(path []any) string {
	steps := make([]string, len(path))
	for i, step := range path {
		steps[i] = fmt.Sprint(step)
	}
	return strings.Join(steps, ".")
}

// withDotenv returns a lookup of variables in the environment, then in a file
// that may be absent.
func withDotenv(environ func(string) string, file string) (func(string) string, error) {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	inFile := parseDotenv(string(data))
	return func(name string) string { return cmp.Or(environ(name), inFile[name]) }, nil
}

// parseDotenv reads NAME=value lines, with or without export before them and
// quotes around the value. Other lines are for other programs.
func parseDotenv(text string) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(strings.TrimPrefix(text, "\uFEFF")) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "export "); ok {
			line = strings.TrimSpace(rest)
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t#\"'") {
			continue
		}
		values[name] = unquote(strings.TrimSpace(value))
	}
	return values
}

// unquote takes a value out of its quotes, or cuts the comment after it.
func unquote(value string) string {
	if value == "" {
		return ""
	}
	if quote := value[0]; quote == '"' || quote == '\'' {
		if end := strings.IndexByte(value[1:], quote); end >= 0 {
			return value[1 : 1+end]
		}
		return value
	}
	if value[0] == '#' {
		return ""
	}
	if i := strings.Index(value, " #"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	return value
}
