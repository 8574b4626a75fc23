package app

import (
	"bytes"
	"encoding/json"
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

// Each step that fails ends the demo with a code that is not zero, and says what
// failed and why.
func TestDemoFaults(t *testing.T) {
	t.Parallel()
	// refuse has Ticketry refuse requests from now on.
	refuse := func(method, path string, status int) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			r.arm(t, map[string]any{"method": method, "path": path, "status": status, "times": 100})
		}
	}
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
		"consent":     {"TypeScript functions deployed", refuse(http.MethodGet, "/oauth/authorize", 503), []string{"Signed in, access approved", "no consent page", "503"}},
		"token":       {"TypeScript functions deployed", refuse(http.MethodPost, "/oauth/token", 500), []string{"Signed in, access approved", "the way back ended at"}},
		"call":        {"GET /records ", refuse(http.MethodGet, "/api/tickets", 404), []string{"A call through it", "404", "This failure was asked for."}},
		"renewal":     {"A call through it", refuse(http.MethodPost, "/oauth/token", 400), []string{"Access token renewed", "invalid_credentials"}},
		"first run":   {"", edit("const checkpoint =", "throw new Error('The roof leaks.');\nconst checkpoint ="), []string{"First run of the sync", "the sync failed", "The roof leaks."}},
		"action":      {"Access token renewed", refuse(http.MethodPatch, "/api/tickets", 422), []string{"Action close-ticket", "script_http_error"}},
		"later run":   {"Action close-ticket", refuse(http.MethodGet, "/api/tickets", 404), []string{"Sync, triggered", "the sync failed", "404"}},
		"change":      {"GET /records from", refuse(http.MethodDelete, "/api/keyed/tickets", 403), []string{"One ticket changed, one deleted", "403"}},
		"key":         {"Something changes", refuse(http.MethodGet, "/api/keyed/me", 401), []string{"Connected by a form", "400"}},
		"new ticket":  {"Connected by a form", refuse(http.MethodPost, "/api/keyed/tickets", 507), []string{"Ticket created through it", "507"}},
		"no webhooks": {"Action close-ticket", muteWebhooks, []string{"Sync, triggered", "no end after 2s", "it was to tell of 0 added, 1 updated, 0 deleted, but none came, and the sync has the status "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{dir: filepath.Join(t.TempDir(), "demo"), out: new(story)}
			o := options(t, r.out)
			o.DataDir, o.Once = r.dir, true
			d := newDemonstration(o)
			r.demo = d
			if tt.after == "" {
				tt.fault(t, r)
			} else {
				r.out.when(tt.after, 1, func() { tt.fault(t, r) })
			}
			err := d.tell(t.Context())
			if err == nil {
				t.Fatalf("all went well\n%s", r.out.text.String())
			}
			story := r.out.String()
			if failed := strings.Count(story, "✗ "+tt.want[0]); failed != 1 || strings.Contains(story, "All is well") {
				t.Errorf("the story is\n%s", story)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
		})
	}
}

// rig breaks a demo from outside, by what it prints and what is in its folder.
type rig struct {
	dir  string
	out  *story
	demo *demonstration
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

// arm has Ticketry fail.
func (r *rig) arm(t *testing.T, fault map[string]any) {
	t.Helper()
	body, err := json.Marshal(fault)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.address(t, "Ticketry, to connect to")+"/control/faults", bytes.NewReader(body))
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
		t.Fatalf("arming a fault: %d %s", res.StatusCode, text)
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
