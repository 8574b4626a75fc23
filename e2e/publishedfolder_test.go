package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/apptest"
)

// fakeGitHub answers what the sample functions of the published CLI ask: two
// repositories on two pages, and issues of one of them, one of which is a pull
// request.
func fakeGitHub(t *testing.T) *httptest.Server {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("X-Api-Key") != "key-of-octo" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var answer string
		switch {
		case r.URL.Path == "/user/repos" && r.URL.Query().Get("page") == "":
			w.Header().Set("Link", fmt.Sprintf(`<%s/user/repos?per_page=100&page=2>; rel="next"`, server.URL))
			answer = `[{"name":"site","owner":{"login":"acme"}}]`
		case r.URL.Path == "/user/repos":
			answer = `[{"name":"empty","owner":{"login":"acme"}}]`
		case r.URL.Path == "/repos/acme/site/issues":
			answer = `[` + fakeIssue(1) + `,` + fakeIssue(2) + `,{"id":"9","number":9,"pull_request":{}}]`
		case r.URL.Path == "/repos/acme/empty/issues":
			answer = `[]`
		case r.URL.Path == "/repos/NangoHQ/interactive-demo/issues":
			answer = `{"number":7}`
		default:
			w.WriteHeader(http.StatusNotFound)
			answer = `{"message":"Not Found"}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server
}

func fakeIssue(n int) string {
	return fmt.Sprintf(`{"id":"%d","number":%[1]d,"title":"Issue %[1]d","state":"open","user":{"login":"octo","id":5},"body":"Text",`+
		`"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-02T00:00:00Z"}`, n)
}

// publishedWorld is an instance with a fake GitHub behind the integration github, and a
// folder that the published CLI laid out and nobody changed.
type publishedWorld struct {
	*apptest.Instance
	published publishedCLI
	dir       string
}

func newPublishedWorld(t *testing.T) publishedWorld {
	t.Helper()
	published := newPublishedCLI(t)
	providers := t.TempDir() // in the place of the real one: the published CLI knows providers by their names
	apptest.WriteProvider(t, providers, "github", `name: github
display_name: Fake GitHub
categories: [other]
auth:
  mode: API_KEY
api:
  base_url:
    - `+fakeGitHub(t).URL+`
  headers:
    - name: x-api-key
      value: ${apiKey}
  paginate:
    kind: link
    limit_param: per_page
    link_rel: next
inputs:
  credentials:
    - name: apiKey
      title: API key
      help: The key.
      required: true
      secret: true
`)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: providers})
	for _, c := range []apptest.Client{i.Dev(t), i.Prod(t)} {
		c.Do(t, http.MethodPost, "/integrations", map[string]any{"provider": "github", "unique_key": "github"}).Want(t, http.StatusOK)
		apptest.Import(t, c, "github", "octo", map[string]any{"type": "API_KEY", "apiKey": "key-of-octo"})
	}
	return publishedWorld{Instance: i, published: published, dir: published.project(t, i)}
}

// issueInput is an input of the sample action.
const issueInput = `{"id":"1","owner":"a","repo":"b","issue_number":1,"title":"Broken","state":"open","author":"o","author_id":1,"body":"x","date_created":"d","date_last_modified":"d"}`

// sources are the sample functions, in the order of their names.
func sources() []string {
	return []string{"github/actions/createIssue.ts", "github/on-events/pre-connection-deletion.ts", "github/syncs/fetchIssues.ts"}
}

// A folder that the published CLI laid out compiles, dry-runs, tests, deploys and
// comes back with linkspan, with nothing changed in it.
func TestPublishedFolder(t *testing.T) {
	t.Parallel()
	w := newPublishedWorld(t)
	before := contentsOf(t, w.dir)

	mustLinkspan(t, w.Instance, "compile", "--dir", w.dir)
	var definitions []map[string]any
	if err := json.Unmarshal([]byte(readFile(t, w.dir, ".nango/nango.json")), &definitions); err != nil {
		t.Errorf("reading .nango/nango.json: %v", err)
	}
	mustLinkspan(t, w.Instance, "dryrun", "createIssue", "octo", "--dir", w.dir, "--input", issueInput, "--validate", "--save")
	out := mustLinkspan(t, w.Instance, "dryrun", "fetchIssues", "octo", "--dir", w.dir, "--validate", "--save")
	if !strings.Contains(out, "Issue 2") {
		t.Errorf("the dry run does not show what is saved:\n%s", out)
	}
	wantPassed(t, w, 2)

	mustLinkspan(t, w.Instance, "deploy", "dev", "--dir", w.dir, "--auto-confirm")
	wantDeployed(t, w.Dev(t), issueFunction, "on-event pre-connection-deletion@1", issuesFunction)
	if states := listed(t, w); !slices.Equal(states, []string{"deployed", "deployed", "deployed"}) {
		t.Errorf("linkspan list says %v", states)
	}
	if diff := cmp.Diff(before, contentsOf(t, w.dir)); diff != "" {
		t.Errorf("files of the folder changed (-before +after)\n%s", diff)
	}

	other := t.TempDir()
	mustLinkspan(t, w.Instance, "pull", "--dir", other)
	for _, name := range sources() {
		if diff := cmp.Diff(readFile(t, w.dir, name), readFile(t, other, name)); diff != "" {
			t.Errorf("%s (-folder +pulled)\n%s", name, diff)
		}
	}
	mustLinkspan(t, w.Instance, "compile", "--no-types", "--dir", other)
}

// The published CLI compiles, dry-runs, deploys and pulls against our server, and
// what it records replays in linkspan test.
func TestPublishedCLIHere(t *testing.T) {
	t.Parallel()
	w := newPublishedWorld(t)
	addCount(t, w.dir)
	w.published.must(t, w.dir, w.Instance, "compile")
	out := w.published.must(t, w.dir, w.Instance, "dryrun", "createIssue", "octo", "-e", "dev", "--input", issueInput)
	out += w.published.must(t, w.dir, w.Instance, "dryrun", "countIssues", "octo", "-e", "dev", "--input", `{"repo":"site"}`, "--validate", "--save")
	out += w.published.must(t, w.dir, w.Instance, "dryrun", "fetchIssues", "octo", "-e", "dev", "--validate", "--save")
	for _, want := range []string{"Sent 2 issues from acme/site", "Issue 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("the dry runs do not say %q:\n%s", want, out)
		}
	}
	wantPassed(t, w, 2)

	ours := sameRecordings(t, w)
	w.published.must(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm")
	wantDeployed(t, w.Dev(t), "action countIssues@1", issueFunction, "on-event pre-connection-deletion@1", issuesFunction)
	trigger, stderr, code := tryLinkspan(t, w.Instance, "trigger", "fetchIssues", "octo", "--wait", "--dir", ours)
	if code != 0 || !strings.Contains(trigger, "2 in all") {
		t.Errorf("the sync ended with %d: %s%s", code, trigger, stderr)
	}
	if got := mustLinkspan(t, w.Instance, "records", "octo", "GithubIssue", "--dir", ours); !strings.Contains(got, `"title":"Issue 1"`) || strings.Count(got, "\n") != 2 {
		t.Errorf("the records are\n%s", got)
	}
	apptest.Poll(t, "the log of the sync was written", func() bool {
		return strings.Contains(mustLinkspan(t, w.Instance, "logs", "--function", "github/fetchIssues", "--dir", ours), "batchSave of GithubIssue: 2 added")
	})

	dir := w.published.project(t, w.Instance)
	for name, flag := range map[string]string{sources()[0]: "--action", sources()[1]: "--on-event", sources()[2]: "--sync"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		w.published.must(t, dir, w.Instance, "pull", "github", strings.TrimSuffix(filepath.Base(name), ".ts"), flag, "-e", "dev", "--force")
		if diff := cmp.Diff(readFile(t, w.dir, name), readFile(t, dir, name)); diff != "" {
			t.Errorf("%s (-folder +pulled)\n%s", name, diff)
		}
	}
}

// addCount adds an action that returns something: the published CLI records only
// what passes its checks, and an output of z.void() does not.
func addCount(t *testing.T, dir string) {
	t.Helper()
	writeFiles(t, dir, map[string]string{
		"github/actions/countIssues.ts": `import { createAction } from 'nango';
import * as z from 'zod';

export default createAction({
    description: 'Counts the issues of a repository',
    input: z.object({ repo: z.string() }),
    output: z.object({ count: z.number() }),
    exec: async (nango, input) => {
        const { data } = await nango.get<unknown[]>({ endpoint: '/repos/acme/' + input.repo + '/issues', params: { state: 'open' } });
        return { count: data.length };
    }
});
`,
		"index.ts": readFile(t, dir, "index.ts") + "import './github/actions/countIssues.js';\n",
	})
}

// sameRecordings records the functions with our command line, too, in a folder of
// its own: both recordings are of the same calls and results.
func sameRecordings(t *testing.T, w publishedWorld) string {
	t.Helper()
	dir := w.published.project(t, w.Instance)
	addCount(t, dir)
	mustLinkspan(t, w.Instance, "dryrun", "countIssues", "octo", "--dir", dir, "--input", `{"repo":"site"}`, "--save")
	mustLinkspan(t, w.Instance, "dryrun", "fetchIssues", "octo", "--dir", dir, "--save")
	for _, name := range []string{"github/tests/countIssues.test.json", "github/tests/fetchIssues.test.json"} {
		theirs, ours := recordingOf(t, w.dir, name), recordingOf(t, dir, name)
		for _, part := range []string{"input", "output", "nango"} {
			if diff := cmp.Diff(theirs[part], ours[part]); diff != "" {
				t.Errorf("%s: %s differs (-published +linkspan)\n%s", name, part, diff)
			}
		}
	}
	return dir
}

func recordingOf(t *testing.T, dir, name string) map[string]any {
	t.Helper()
	var recording map[string]any
	if err := json.Unmarshal([]byte(readFile(t, dir, name)), &recording); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	// The published CLI notes of each model that nothing was deleted.
	if nango, ok := recording["nango"].(map[string]any); ok {
		deleted, _ := nango["batchDelete"].(map[string]any)
		maps.DeleteFunc(deleted, func(_ string, list any) bool { return cmp.Equal(list, []any{}) })
		if len(deleted) == 0 {
			delete(nango, "batchDelete")
		}
	}
	return recording
}

// wantPassed tests the folder with linkspan.
func wantPassed(t *testing.T, w publishedWorld, want int) {
	t.Helper()
	stdout, stderr, code := tryLinkspan(t, w.Instance, "test", w.dir, "--json")
	var report struct{ Summary struct{ Total, Passed int } }
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 0 || report.Summary.Passed != want {
		t.Errorf("linkspan test ended with %d (%v):\n%s%s", code, err, stdout, stderr)
	}
}

// listed returns how the functions of the folder compare with those deployed.
func listed(t *testing.T, w publishedWorld) []string {
	t.Helper()
	var all []struct{ State string }
	text := mustLinkspan(t, w.Instance, "list", "--dir", w.dir, "--json")
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("reading the list: %v\n%s", err, text)
	}
	states := make([]string, len(all))
	for i, f := range all {
		states[i] = f.State
	}
	return states
}

// contentsOf reads the files that an author of a folder has, by their names.
func contentsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	made := regexp.MustCompile(`^(node_modules|build|\.nango|[^/]+/tests)(/|$)`)
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		switch rel = filepath.ToSlash(rel); {
		case err != nil:
			return err
		case made.MatchString(rel) && d.IsDir():
			return filepath.SkipDir
		case made.MatchString(rel) || d.IsDir():
			return nil
		}
		text, err := os.ReadFile(name)
		files[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
