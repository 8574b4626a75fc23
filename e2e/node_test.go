package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// needNode returns node's path. Without it or the package the test is skipped; on
// CI it fails.
func needNode(t *testing.T, packageDir string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(packageDir)
	}
	if err == nil {
		return node
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("the npm client cannot run, and on CI it must: %v", err)
	}
	t.Skipf("the npm client is not installed (run npm ci in e2e): %v", err)
	return ""
}

// TestNodeClient drives the server with the published npm client.
func TestNodeClient(t *testing.T) {
	t.Parallel()
	node := needNode(t, filepath.Join("node_modules", "@nangohq", "node"))
	files, err := filepath.Glob(filepath.Join("node", "*.test.mjs"))
	files = slices.DeleteFunc(files, func(f string) bool { return slices.Contains(append(syncFiles(), contractFiles()...), f) })
	if err != nil || len(files) == 0 {
		t.Fatalf("finding the node tests: %d files, %v", len(files), err)
	}
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			world := apptest.NewWorld(t)
			i := apptest.Start(t, apptest.Options{Database: db, ProvidersDir: world.ProvidersDir, Flags: map[string]string{"shared-apps": sharedApp(t, world)}})
			deployForNode(t, i)
			tokens := world.Authority.Issue()
			runNode(t, node, i, files, "E2E_UPSTREAM="+world.SaaS.URL,
				"E2E_CLIENT_ID="+world.Authority.ClientID, "E2E_CLIENT_SECRET="+world.Authority.ClientSecret,
				"E2E_ACCESS_TOKEN="+tokens.Access, "E2E_REFRESH_TOKEN="+tokens.Refresh)
		})
	}
}

// runNode runs files of tests against an instance.
func runNode(t *testing.T, node string, i *apptest.Instance, files []string, environ ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), node, append([]string{"--test", "--test-reporter=tap"}, files...)...)
	cmd.Env = append(os.Environ(), append(environ, "E2E_URL="+i.URL, "E2E_KEY="+i.Keys.Dev, "E2E_ACCOUNT_KEY="+i.Keys.Account)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the npm client found problems: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "# pass ") {
		t.Errorf("node ran no tests:\n%s", out)
	}
}

// syncFiles are the tests of syncs and their records, which need a Ticketry and an
// environment to themselves.
func syncFiles() []string {
	return []string{filepath.Join("node", "syncs.test.mjs"), filepath.Join("node", "records.test.mjs")}
}

// TestNodeSyncs drives syncs and reads their records with the published npm client.
func TestNodeSyncs(t *testing.T) {
	t.Parallel()
	node := needNode(t, filepath.Join("node_modules", "@nangohq", "node"))
	for name, open := range apptest.Databases() {
		for _, file := range syncFiles() {
			t.Run(name+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				newSyncDesk(t, open(t)).runNode(t, node, file)
			})
		}
	}
}

// deployForNode deploys the actions that actions.test.mjs runs.
func deployForNode(t *testing.T, i *apptest.Instance) {
	t.Helper()
	i.Dev(t).Do(t, http.MethodPost, "/integrations", map[string]any{"provider": apptest.ProviderKey, "unique_key": "node-actions"}).Want(t, http.StatusOK)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"index.ts": "import './node-actions/actions/echo';\nimport './node-actions/actions/nothing';\nimport './node-actions/actions/strict';\n" +
			"import './node-actions/actions/fail';\nimport './node-actions/actions/long';\n",
		"node-actions/actions/echo.ts":    "export default async function run(nango: any) { return nango.input; }\n",
		"node-actions/actions/nothing.ts": "export default async function run(nango: any) {}\n",
		"node-actions/actions/long.ts":    "export default async function run(nango: any) { return 'x'.repeat(nango.input); }\n",
		"node-actions/actions/strict.ts": `import { createAction } from "nango";
import * as z from "zod";
export default createAction({
	description: "Doubles a number, except thirteen",
	version: "1.0.0",
	endpoint: { method: "POST", path: "/double" },
	input: z.object({ n: z.number() }),
	output: z.object({ doubled: z.number() }),
	exec: async (nango, input) => ({ doubled: input.n === 13 ? ("unlucky" as any) : 2 * input.n }),
});
`,
		"node-actions/actions/fail.ts": `export default async function run(nango: any) {
	switch (nango.input) {
		case "action":
			throw new nango.ActionError({ why: "because" });
		case "scalar":
			throw new nango.ActionError("just text");
		case "http":
			return nango.get({ endpoint: "/status/422" });
		case "network":
			return nango.get({ endpoint: "/", baseUrlOverride: "http://no-such-host.invalid", retries: 0 });
	}
	throw new TypeError("no such member");
}
`,
	})
	mustLinkspan(t, i, "deploy", "dev", "--dir", dir)
}
