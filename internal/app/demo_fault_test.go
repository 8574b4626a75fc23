package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/demo"
)

// A step that fails ends the demo, which says what failed and why.
func TestDemoFails(t *testing.T) {
	t.Parallel()
	// edit has a person break the sync of an earlier demo in the same folder.
	edit := func(from, to string) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) { r.edit(t, from, to) }
	}
	for name, tt := range map[string]struct {
		after string // what has to be told before something breaks; empty: it is broken before the start
		fault func(*testing.T, *rig)
		want  []string
	}{
		"compiling":   {"", edit("createSync({", "createSync({{"), []string{"TypeScript functions deployed", "does not compile", "demo-tickets/syncs/tickets.ts:"}},
		"token":       {"TypeScript functions deployed", refuse(http.MethodPost, "/oauth/token", 500), []string{"Signed in, access approved", "the way back ended at"}},
		"first run":   {"", edit("const checkpoint =", "throw new Error('The roof leaks.');\nconst checkpoint ="), []string{"First run of the sync", "the sync failed", "The roof leaks."}},
		"renewal":     {"A call through it", refuse(http.MethodPost, "/oauth/token", 400), []string{"Access token renewed", "invalid_credentials"}},
		"no webhooks": {"Action close-ticket", muteWebhooks, []string{"Sync, triggered", "no end after 2s", "it was to tell of 0 added, 1 updated, 0 deleted, but none came, and the sync "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if tt.after == "" {
				tt.fault(t, r)
			} else {
				r.out.when(tt.after, 1, func() { tt.fault(t, r) })
			}
			err := r.demo.tell(t.Context())
			if err == nil || strings.Contains(r.out.String(), "All is well") {
				t.Fatalf("all went well\n%s", r.out)
			}
			r.failed(t, err, tt.want)
		})
	}
}

// Each step says what Ticketry refuses, and does its work when tried again.
func TestDemoSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	faults := map[string]struct {
		fault func(*testing.T, *rig)
		want  []string
	}{
		"Signed in, access approved":      {refuse(http.MethodGet, "/oauth/authorize", 503), []string{"no consent page", "503"}},
		"A call through it":               {refuse(http.MethodGet, "/api/tickets", 404), []string{"404", "This failure was asked for."}},
		"Action close-ticket":             {refuse(http.MethodPost, "/api/tickets", 422), []string{"script_http_error"}},
		"Sync, triggered":                 {refuse(http.MethodGet, "/api/tickets", 404), []string{"the sync failed", "404"}},
		"One ticket changed, one deleted": {refuse(http.MethodPatch, "/api/keyed/tickets", 403), []string{"403"}},
		"Connected by a form":             {refuse(http.MethodGet, "/api/keyed/me", 401), []string{"400"}},
		"Ticket created through it":       {refuse(http.MethodPost, "/api/keyed/tickets", 507), []string{"507"}},
	}
	err := r.demo.run(t.Context(), func(ctx context.Context) error {
		w := new(walk)
		for i, parts := range [][]part{r.demo.connectParts(), r.demo.parts(), r.demo.otherParts()} {
			if i == 2 {
				w = new(walk)
			}
			for _, s := range stepsOf(parts) {
				if f, ok := faults[s.what]; ok {
					f.fault(t, r)
					r.failed(t, r.demo.each(ctx, w, []step{s}), append([]string{s.what}, f.want...))
					r.control(t, http.MethodDelete, nil)
					delete(faults, s.what)
				}
				if err := r.demo.each(ctx, w, []step{s}); err != nil {
					return fmt.Errorf("tried again: %w", err)
				}
			}
		}
		return nil
	})
	if err != nil || len(faults) > 0 {
		t.Errorf("%v, and %d faults were not tried\n%s", err, len(faults), r.out)
	}
}

func stepsOf(parts []part) (steps []step) {
	for _, p := range parts {
		steps = append(steps, p.steps...)
	}
	return steps
}

// refuse has Ticketry refuse requests from now on.
func refuse(method, path string, status int) func(*testing.T, *rig) {
	return func(t *testing.T, r *rig) {
		t.Helper()
		r.control(t, http.MethodPost, map[string]any{"method": method, "path": path, "status": status, "times": 100})
	}
}

// rig breaks a demo from outside, by what it prints and what is in its folder.
type rig struct {
	dir  string
	out  *story
	demo *demonstration
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{dir: filepath.Join(t.TempDir(), "demo"), out: new(story)}
	o := options(t, r.out)
	o.DataDir, o.Once = r.dir, true
	r.demo = newDemonstration(o)
	return r
}

// failed checks how a step failed: the first one of what is wanted.
func (r *rig) failed(t *testing.T, err error, want []string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s did not fail", want[0])
		return
	}
	if n := strings.Count(r.out.String(), "✗ "+want[0]); n != 1 {
		t.Errorf("%s failed, and the story tells of it %d times\n%s", want[0], n, r.out)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
}

// edit changes the demo's sync before the start.
func (r *rig) edit(t *testing.T, from, to string) {
	t.Helper()
	dir := filepath.Join(r.dir, "functions")
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeDemoFunctions(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, demo.ProviderOAuth, "syncs", demoSync+".ts")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), from); n != 1 {
		t.Fatalf("%q is %d times in %s", from, n, file)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// address finds an address that the demo has told. The story is locked.
func (r *rig) address(t *testing.T, of string) string {
	t.Helper()
	found := regexp.MustCompile(regexp.QuoteMeta(of) + ` +(http://[^\s/]+)`).FindStringSubmatch(r.out.text.String())
	if found == nil {
		t.Fatalf("no address of %s in\n%s", of, r.out.text.String())
	}
	return found[1]
}

func (r *rig) secrets(t *testing.T) demoSecrets {
	t.Helper()
	s, err := readDemoSecrets(filepath.Join(r.dir, demoSecretsFile))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// control has Ticketry fail, or stop failing.
func (r *rig) control(t *testing.T, method string, fault map[string]any) {
	t.Helper()
	body, err := json.Marshal(fault)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), method, r.address(t, "Ticketry, to connect to")+"/control/faults", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.secrets(t).ControlKey.Reveal())
	res, err := new(http.Client).Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("%s of faults: %d %s", method, res.StatusCode, text)
	}
}

// muteWebhooks sends the webhooks elsewhere, and has the demo wait for them less
// long.
func muteWebhooks(t *testing.T, r *rig) {
	t.Helper()
	r.demo.patience = 2 * time.Second
	account, err := client.New(r.address(t, "Linkspan"), r.secrets(t).AccountKey)
	if err != nil {
		t.Fatal(err)
	}
	environments, err := account.Environments(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	var change api.UpdateEnvironmentSettings
	change.Webhooks = &api.WebhookOptions{PrimaryURL: new(r.address(t, "Ticketry, to connect to") + "/nowhere")}
	if _, err := account.UpdateEnvironmentSettings(t.Context(), environments[0].UUID, change); err != nil {
		t.Fatal(err)
	}
}
