package app

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/testfile"
)

// A file that never ends loading, in a loop of the engine's own that looks at no
// interrupt, ends with the process that loaded it: the command names the file and
// goes on.
func TestFileThatNeverEndsLoading(t *testing.T) {
	t.Parallel()
	dir := testfile.Unpack(t, `-- index.ts --
import './github/actions/fine';
import './github/actions/hostile';
-- github/actions/fine.ts --
export default async function run() { return 1; }
-- github/actions/hostile.ts --
export default async function run() { return 1; }
Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
`)
	// The server's key may not read settings, which is no reason not to deploy.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("it asked the server to %s %s", r.Method, r.URL)
		}
		http.Error(w, `{"error":{"code":"forbidden","message":"no"}}`, http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"compile"}, `"functions": 1`},
		{[]string{"dev", "--once", "--no-tests"}, `"functions":1`},
		{[]string{"deploy", "prod"}, `"file": "github/actions/hostile.ts"`},
	} {
		t.Run(c.args[0], func(t *testing.T) {
			t.Parallel()
			var out, logs bytes.Buffer
			environ := map[string]string{"LINKSPAN_CACHE": t.TempDir(), "LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_PROD": "key"}
			code := program(t.Context(), &out, &logs, false, environ, append(c.args, "--no-types", "--json", "--dir", dir)...)
			told := logs.String()
			if code != 10 || !strings.Contains(told, "github/actions/hostile.ts\n  Loading the file does not end") || strings.Contains(told, "fine.ts") {
				t.Errorf("ended with %d and said\n%s", code, told)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("it does not say %s:\n%s", c.says, &out)
			}
		})
	}
}
