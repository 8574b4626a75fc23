package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/apptest"
)

// Functions made by createFunction, as both command lines deploy them.
const (
	greetFunction = `import { createFunction } from 'nango/experimental';
import * as z from 'zod';

export default createFunction({
    description: 'Says what the API was told',
    input: z.object({ name: z.string() }),
    output: z.object({ method: z.string(), by: z.string(), runs: z.number() }),
    data: { metadata: z.object({ tone: z.string() }), checkpoint: z.object({ runs: z.number() }) },
    limits: { concurrency: { perConnection: 1 } },
    exec: async (nango, trigger) => {
        const runs = ((await nango.getCheckpoint())?.runs ?? 0) + 1;
        const { data } = await nango.post<{ data: { method: string } }>({ endpoint: '/echo', data: trigger.input });
        await nango.saveCheckpoint({ runs });
        return { method: data.method, by: trigger.kind, runs };
    }
});
`
	hookFunction = `import { createFunction } from 'nango/experimental';
import * as z from 'zod';

export default createFunction({
    description: 'Takes requests',
    trigger: { kind: 'http', subscriptions: ['issue'] },
    output: z.string(),
    requires: { outbound: false },
    exec: async (nango, trigger) => {
        await nango.log('called');
        return trigger.kind;
    }
});
`
	timedFunction = `import { createFunction } from 'linkspan/experimental';
import * as z from 'zod';

export default createFunction({
	description: 'Keeps what it is told',
	trigger: { kind: 'schedule', frequency: 'every hour' },
	data: { models: { Note: z.object({ id: z.string(), by: z.string() }) } },
	exec: async (nango, trigger) => {
		await nango.batchSave([{ id: 'a', by: trigger.kind }], 'Note');
	},
});
`
	tickFunction = `import { createFunction } from 'linkspan/experimental';
import * as z from 'zod';
import greet from './greet';

export default createFunction({
	description: 'Keeps nothing',
	trigger: { kind: 'schedule', frequency: 'every hour' },
	requires: { invoke: true },
	data: { metadata: z.object({}) },
	exec: async (nango) => {
		const greeting = await nango.invoke(greet, { input: { name: 'tick' } });
		await nango.updateMetadata({ ticked: greeting });
	},
});
`
	toldFunction = `import { createFunction } from 'linkspan/experimental';
import * as z from 'zod';

export default createFunction({
	description: 'Is told of connections',
	trigger: { kind: 'event', events: ['post-connection-creation', 'validate-connection'] },
	data: { metadata: z.object({}) },
	exec: async (nango, trigger) => {
		await nango.updateMetadata({ [trigger.input.event]: trigger.connection.integrationId });
	},
});
`
)

// TestCreateFunctionOfBothCLIs deploys functions made by createFunction with the
// published CLI to one environment and with ours to the other.
func TestCreateFunctionOfBothCLIs(t *testing.T) {
	t.Parallel()
	w := newDeployWorld(t)
	writeFiles(t, w.dir, map[string]string{
		"github/functions/greet.ts": greetFunction, "github/functions/on-issue.ts": hookFunction,
		"index.ts": "import './github/functions/greet.js';\nimport './github/functions/on-issue.js';\n",
	})
	w.published.must(t, w.dir, w.Instance, "compile")
	w.published.must(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm")
	mustLinkspan(t, w.Instance, "deploy", "prod", "--auto-confirm", "--dir", w.dir)
	wantDeployed(t, w.Dev(t), "action greet@1", "action on-issue@1")
	if diff := cmp.Diff(scriptsConfig(t, w.Dev(t)), scriptsConfig(t, w.Prod(t))); diff != "" {
		t.Errorf("the definitions differ (-published +linkspan)\n%s", diff)
	}
	for _, c := range []apptest.Client{w.Dev(t), w.Prod(t)} {
		for _, runs := range []string{"1", "2"} {
			got := triggerOcto(t, c, "greet", `{"name":"x"}`).Want(t, http.StatusOK)
			if want := `{"method":"POST","by":"invoke","runs":` + runs + `}`; string(got.Body) != want {
				t.Errorf("greet returned %s, want %s", got.Body, want)
			}
		}
		triggerOcto(t, c, "greet", `{"name":5}`).WantError(t, http.StatusBadRequest, "invalid_action_input")
		if got := triggerOcto(t, c, "on-issue", "").Want(t, http.StatusOK); string(got.Body) != `"invoke"` {
			t.Errorf("on-issue returned %s", got.Body)
		}
	}
	// Again: nothing changes. Then one goes.
	if out := w.published.must(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm"); strings.Contains(strings.ToLower(out), "error") {
		t.Errorf("a second deploy: %s", out)
	}
	wantDeployed(t, w.Dev(t), "action greet@1", "action on-issue@1")
	writeFiles(t, w.dir, map[string]string{"index.ts": "import './github/functions/greet.js';\n"})
	w.published.must(t, w.dir, w.Instance, "deploy", "dev", "--auto-confirm", "--allow-destructive")
	wantDeployed(t, w.Dev(t), "action greet@1")
}

// triggerOcto runs an action, or a function that can be invoked, of github for octo.
func triggerOcto(t *testing.T, c apptest.Client, name, input string) apptest.Reply {
	t.Helper()
	body := `{"action_name":"` + name + `"`
	if input != "" {
		body += `,"input":` + input
	}
	return c.Do(t, http.MethodPost, "/action/trigger", body+"}", "Provider-Config-Key", "github", "Connection-Id", "octo")
}

// TestCreateFunction has a folder of both kinds of functions work: each at its
// trigger.
func TestCreateFunction(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := apptest.NewWorld(t)
			i := apptest.Start(t, apptest.Options{Database: open(t), ProvidersDir: world.ProvidersDir})
			c, dir := i.Dev(t), t.TempDir()
			world.Integrate(t, c, apptest.ProviderNone, "github")
			writeFiles(t, dir, map[string]string{
				"github/functions/greet.ts": greetFunction, "github/functions/timed.ts": timedFunction, "github/functions/tick.ts": tickFunction,
				"github/functions/told.ts": toldFunction, "github/functions/on-issue.ts": hookFunction,
				"github/actions/plain.ts": "export default async function run(nango) { return 'plain'; }\n",
				"index.ts": "import './github/functions/greet';\nimport './github/functions/timed';\nimport './github/functions/tick';\n" +
					"import './github/functions/told';\nimport './github/functions/on-issue';\nimport './github/actions/plain';\n",
			})
			mustLinkspan(t, i, "deploy", "dev", "--auto-confirm", "--dir", dir)
			wantDeployed(t, c, "action greet@1", "action on-issue@1", "action plain@1", "on-event told@1", "sync tick@1", "sync timed@1")
			var listed []struct{ Name, Type, Trigger string }
			if err := json.Unmarshal([]byte(mustLinkspan(t, i, "functions", "list", "dev", "--json")), &listed); err != nil {
				t.Fatal(err)
			}
			triggers := map[string]string{}
			for _, f := range listed {
				triggers[f.Name] = f.Type + " " + f.Trigger
			}
			if diff := cmp.Diff(map[string]string{
				"greet": "action none", "on-issue": "action http", "plain": "action ", "told": "on-event event", "tick": "sync schedule", "timed": "sync schedule",
			}, triggers); diff != "" {
				t.Errorf("listed (-want +got)\n%s", diff)
			}

			apptest.Import(t, c, "github", "octo", map[string]any{"type": "NONE"})
			want := map[string]any{
				"post-connection-creation": "github", "validate-connection": "github", "ticked": map[string]any{"method": "POST", "by": "invoke", "runs": 1.0},
			}
			var metadata map[string]any
			eventually(t, "what the functions wrote", func() bool {
				var connection struct{ Metadata map[string]any }
				c.Do(t, http.MethodGet, "/connections/octo?provider_config_key=github", nil).Want(t, http.StatusOK).Into(t, &connection)
				metadata = connection.Metadata
				return cmp.Equal(want, metadata)
			}, func() string { return cmp.Diff(want, metadata) })
			var page struct{ Records []map[string]any }
			eventually(t, "the record", func() bool {
				c.Do(t, http.MethodGet, "/records?model=Note", nil, "Provider-Config-Key", "github", "Connection-Id", "octo").Want(t, http.StatusOK).Into(t, &page)
				return len(page.Records) == 1
			}, nil)
			if page.Records[0]["by"] != "schedule" {
				t.Errorf("record %v", page.Records[0])
			}
			// The other way of deploying removes only what came that way.
			stdout := mustLinkspan(t, i, "deploy", "dev", "--dir", dir)
			if !strings.Contains(stdout, "dev is up to date") {
				t.Errorf("a second deploy found changes:\n%s", stdout)
			}
		})
	}
}

// eventually waits for something that comes by itself.
func eventually(t *testing.T, what string, done func() bool, why func() string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(2 * time.Minute)
	defer late.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-late.C:
			if why == nil {
				why = func() string { return "" }
			}
			t.Fatalf("%s did not come: %s", what, why())
		}
	}
}
