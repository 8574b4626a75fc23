package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/obs"
	"github.com/linkspan/linkspan/internal/project"
)

const doctorLong = `Looks at everything that functions need, from this program to the server, and says
what to do about what is not right. It changes nothing.

` + remoteHelp + ` The file .env is that of --dir.

Exit codes: 0 nothing is broken; 1 something is; 2 a mistake in the command line.`

// The states of what the doctor looks at.
const (
	healthOK      = "ok"
	healthWarning = "warning"
	healthFailed  = "failed"
)

// finding is one line of the doctor's.
type finding struct {
	Check string `json:"check"`
	// State is "ok", "warning" or "failed".
	State  string `json:"state"`
	Detail string `json:"detail"`
	// Advice says what to do. Empty: nothing.
	Advice string `json:"advice,omitempty"`
}

// doctorReport is what --json prints.
type doctorReport struct {
	Healthy  bool      `json:"healthy"`
	Findings []finding `json:"findings"`
}

func newDoctor(sys System, server Server) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Look for what keeps functions from working, and say what to do",
		Long:    doctorLong,
		Example: "  linkspan doctor\n  linkspan doctor --env prod --json",
		Args:    usage(cobra.NoArgs),
	}
	d := doctor{sys: sys, server: server}
	addFolder(cmd, &d.dir)
	cmd.Flags().StringVarP(&d.environment, "env", "e", "dev", "environment of the server to look at")
	cmd.Flags().BoolVar(&d.asJSON, "json", false, "print JSON")
	_ = cmd.RegisterFlagCompletionFunc("env", completeEnvironment) // fails for flags that do not exist
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) }
	return cmd
}

// doctor looks at one folder and one server.
type doctor struct {
	sys              System
	server           Server
	dir, environment string
	asJSON           bool
	story, status    *terminal
	found            []finding
}

func (d *doctor) run(ctx context.Context) error {
	if err := checkFolder(d.dir); err != nil {
		return err
	}
	if !isEnvironmentName(d.environment) {
		return &usageError{fmt.Errorf("--env: %q is not the name of an environment", d.environment)}
	}
	d.story, d.status = newTerminal(d.sys, d.sys.Stdout), newTerminal(d.sys, d.sys.Stderr)
	d.program()
	starts := d.sandbox(ctx)
	d.folder()
	var functions []bundle.Function
	if starts {
		functions = d.compile(ctx)
	}
	d.types(ctx)
	d.remote(ctx, functions)
	d.status.wipe()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return d.conclude()
}

// conclude prints the end, and fails when something is broken.
func (d *doctor) conclude() error {
	broken := 0
	for _, f := range d.found {
		if f.State == healthFailed {
			broken++
		}
	}
	var err error
	if d.asJSON {
		err = printJSON(d.sys.Stdout, doctorReport{Healthy: broken == 0, Findings: d.found})
	} else {
		err = d.story.err
	}
	if broken > 0 {
		return errors.Join(err, fmt.Errorf("%s failed", counted(broken, "check")))
	}
	return err
}

// note adds a finding, and shows it.
func (d *doctor) note(check, state, detail, advice string) {
	d.found = append(d.found, finding{check, state, detail, advice})
	if d.asJSON {
		return
	}
	mark := map[string]string{
		healthOK: d.story.paint(styleGreen, "✓"), healthWarning: d.story.paint(styleYellow, "!"), healthFailed: d.story.paint(styleRed, "✗"),
	}[state]
	d.status.wipe()
	d.story.println(mark, " ", d.story.paint(styleBold, column(check, 11)), " ", printable(detail))
	if advice != "" {
		d.story.println(strings.Repeat(" ", 14), d.story.paint(styleDim, "→ "+printable(advice)))
	}
}

// program looks at this program and its cache.
func (d *doctor) program() {
	build := obs.ReadBuild()
	d.note("linkspan", healthOK, fmt.Sprintf("%s (%s, %s)", build.Version, build.Go, build.Platform), "")
	dir := cacheFolder(d.sys)
	if dir == "" {
		d.note("cache", healthWarning, "there is no folder to keep compiled code in: commands start more slowly", "Name one that can be written in LINKSPAN_CACHE.")
		return
	}
	f, err := os.CreateTemp(dir, "doctor-*")
	if err != nil {
		d.note("cache", healthWarning, "the folder "+dir+" can't be written: commands start more slowly", "Give yourself the right to write there, or name another folder in LINKSPAN_CACHE.")
		return
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		d.note("cache", healthWarning, err.Error(), "")
		return
	}
	d.note("cache", healthOK, dir, "")
}

// sandbox makes sure that functions can be executed.
func (d *doctor) sandbox(ctx context.Context) bool {
	d.status.update("Starting the sandbox …")
	engine, err := d.server.Sandbox(ctx, cacheFolder(d.sys))
	if err == nil {
		err = engine.Close()
	}
	if err != nil {
		d.note("sandbox", healthFailed, err.Error(), "Functions can't be compiled or tested here. The machine needs 64-bit memory mappings and about 100 MB of free memory.")
		return false
	}
	d.note("sandbox", healthOK, "starts", "")
	return true
}

// folder looks at the files of the folder.
func (d *doctor) folder() {
	index, ok := project.IndexOf(d.dir)
	if !ok {
		d.note("folder", healthFailed, d.dir+" has no index.ts, which says what functions there are", "Lay out a folder with linkspan init, or name one with --dir.")
		return
	}
	layout := index
	if project.Published(d.dir) {
		layout += ", laid out by the published CLI"
	}
	d.note("folder", healthOK, layout, "")
	if _, err := os.Stat(filepath.Join(d.dir, "tsconfig.json")); err != nil {
		d.note("typings", healthWarning, "there is no tsconfig.json: editors and linkspan compile can't check types", "Copy the one that linkspan init writes.")
		return
	}
	switch state, err := project.Typings(d.dir); {
	case err != nil:
		d.note("typings", healthFailed, err.Error(), "")
	case state == project.TypingsMissing:
		d.note("typings", healthWarning, "are not there", "linkspan compile writes them.")
	case state == project.TypingsOld:
		d.note("typings", healthWarning, "are those of another version of linkspan", "linkspan compile writes those of this one.")
	case state == project.TypingsForeign:
		d.note("typings", healthOK, "come from packages", "")
	case state == project.TypingsCurrent:
		d.note("typings", healthOK, "are current", "")
	}
}

// compile makes the functions, as far as that is possible.
func (d *doctor) compile(ctx context.Context) []bundle.Function {
	if _, ok := project.IndexOf(d.dir); !ok {
		return nil
	}
	reader, err := d.server.reader(ctx, d.sys)
	if err != nil {
		d.note("functions", healthFailed, err.Error(), "")
		return nil
	}
	defer endTrials(ctx, reader)
	built, err := buildFolder(ctx, d.status, reader, bundle.Options{Dir: d.dir})
	if err != nil {
		d.note("functions", healthFailed, err.Error(), "")
		return nil
	}
	if n := len(built.Problems); n > 0 {
		d.note("functions", healthFailed, counted(n, "problem")+", the first in "+built.Problems[0].File, "linkspan compile shows them.")
		return nil
	}
	untested := 0
	for _, f := range built.Functions {
		fixture := project.Function{Integration: f.Integration, Name: f.Name}.Fixture()
		if _, err := os.Stat(filepath.Join(d.dir, filepath.FromSlash(fixture))); err != nil {
			untested++
		}
	}
	detail := counted(len(built.Functions), "function") + ", all compile"
	if untested == 0 {
		d.note("functions", healthOK, detail, "")
	} else {
		d.note("functions", healthWarning, fmt.Sprintf("%s; %d without a recorded test", detail, untested), "Record them with linkspan dryrun FUNCTION CONNECTION --save.")
	}
	return built.Functions
}

// types looks for the compiler, and lets it work.
func (d *doctor) types(ctx context.Context) {
	if state, err := project.Typings(d.dir); err == nil && (state == project.TypingsMissing || state == project.TypingsOld) {
		d.note("types", healthWarning, "are not checked without the right typings", "linkspan compile checks them.")
		return
	}
	d.status.update("Checking types …")
	switch checked := checkTypes(ctx, d.sys, d.dir); {
	case checked.err != nil:
		d.note("types", healthFailed, checked.err.Error(), "")
	case checked.state == typesSkipped:
	case checked.state == typesNoCompiler:
		d.note("types", healthWarning, "there is no TypeScript compiler, so they are not checked", "npm install typescript in the folder.")
	case len(checked.Problems) > 0:
		d.note("types", healthFailed, counted(len(checked.Problems), "error")+", the first in "+checked.Problems[0].File, "linkspan compile shows them.")
	case len(checked.Aside) > 0:
		d.note("types", healthWarning, counted(len(checked.Aside), "error")+" in files that index.ts does not import, the first in "+checked.Aside[0].File, "linkspan compile shows them.")
	default:
		d.note("types", healthOK, "are right", "")
	}
}

// remote looks at keys and at the server.
func (d *doctor) remote(ctx context.Context, functions []bundle.Function) {
	dotenv := filepath.Join(d.dir, dotenvFile)
	d.keys(dotenv)
	host, err := d.host(dotenv)
	if err != nil {
		d.note("server", healthFailed, err.Error(), "")
		return
	}
	if !d.reach(ctx, host) {
		return
	}
	r, err := dialFrom(d.sys, d.environment, dotenv)
	if err != nil {
		return // the keys were looked at
	}
	if err := r.check(ctx); err != nil {
		_, message := described(err)
		d.note("environment", healthFailed, message, "Set "+r.keyVar+" to an API key of the environment "+d.environment+".")
		return
	}
	d.note("environment", healthOK, fmt.Sprintf("%s takes the key in %s", d.environment, r.keyVar), "")
	d.deployed(ctx, r, functions)
}

// host returns where the server is.
func (d *doctor) host(dotenv string) (string, error) {
	lookup, err := withDotenv(d.sys.Environ, dotenv)
	if err != nil {
		return "", err
	}
	host, _ := first(lookup, "LINKSPAN_HOST", "NANGO_HOSTPORT")
	return strings.TrimRight(cmp.Or(host, defaultHost), "/"), nil
}

// keys says which keys there are, by name.
func (d *doctor) keys(dotenv string) {
	text, err := os.ReadFile(dotenv)
	there := err == nil
	if info, err := os.Stat(dotenv); err == nil && info.Mode().Perm()&0o077 != 0 && !d.windows() {
		d.note(".env", healthWarning, fmt.Sprintf("others on this machine can read it (%v)", info.Mode().Perm()), "chmod 600 "+dotenv)
	}
	var names []string
	for name, value := range parseDotenv(string(text)) {
		if isKeyName(name) && value != "" {
			names = append(names, name)
		}
	}
	suffix := "SECRET_KEY_" + strings.ToUpper(strings.ReplaceAll(d.environment, "-", "_"))
	for _, name := range []string{"LINKSPAN_" + suffix, "NANGO_" + suffix} {
		if d.sys.Environ(name) != "" {
			names = append(names, name)
		}
	}
	names = sorted(names)
	lookup, err := withDotenv(d.sys.Environ, dotenv)
	if err != nil {
		d.note("keys", healthFailed, err.Error(), "")
		return
	}
	if key, _ := first(lookup, "LINKSPAN_"+suffix, "NANGO_"+suffix); key == "" {
		detail := "there is none for " + d.environment
		if len(names) > 0 {
			detail += ", only " + strings.Join(names, ", ")
		}
		advice := "Set LINKSPAN_" + suffix + " in " + dotenv + ": linkspan serve prints the keys at its first start."
		if !there {
			advice += " There is no such file yet."
		}
		d.note("keys", healthWarning, detail, advice)
		return
	}
	d.note("keys", healthOK, strings.Join(names, ", "), "")
}

// isKeyName reports whether a variable holds the key of an environment.
func isKeyName(name string) bool {
	return strings.HasPrefix(name, "LINKSPAN_SECRET_KEY_") || strings.HasPrefix(name, "NANGO_SECRET_KEY_")
}

const (
	// doctorTimeout bounds one look at the server.
	doctorTimeout = 10 * time.Second
	// maxSkew is how far two clocks may be apart. Sessions and signatures allow for
	// more; records of logs get hard to compare.
	maxSkew = 30 * time.Second
	// maxDocument bounds the description of the API that is read, in bytes.
	maxDocument = 16 << 20
)

// reach calls the server without a key, and compares the clocks.
func (d *doctor) reach(ctx context.Context, host string) bool {
	d.status.update("Asking " + printable(host) + " …")
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	web := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer web.CloseIdleConnections()
	header, _, err := look(ctx, web, host+"/health")
	if err != nil {
		d.note("server", healthFailed, fmt.Sprintf("%s can't be reached: %v", host, err), "Start it with linkspan serve, or say with LINKSPAN_HOST where it is.")
		return false
	}
	detail := host
	if _, text, err := look(ctx, web, host+"/openapi.json"); err == nil {
		var doc struct {
			Info struct{ Title, Version string } `json:"info"`
		}
		if json.Unmarshal(text, &doc) == nil && doc.Info.Version != "" {
			detail += ", version " + doc.Info.Version + " of the API"
		}
	}
	d.note("server", healthOK, detail, "")
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return true
	}
	switch skew := time.Since(at).Round(time.Minute / 2); {
	case skew > maxSkew:
		d.note("clock", healthWarning, fmt.Sprintf("the server's is %s behind", skew), "Let both machines keep time, such as with NTP: signatures and sessions depend on it.")
	case skew < -maxSkew:
		d.note("clock", healthWarning, fmt.Sprintf("the server's is %s ahead", -skew), "Let both machines keep time, such as with NTP: signatures and sessions depend on it.")
	default:
		d.note("clock", healthOK, "agrees with the server's", "")
	}
	return true
}

// look reads what is public.
func look(ctx context.Context, web *http.Client, address string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	resp, err := web.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s", resp.Status)
	}
	return resp.Header, text, err
}
