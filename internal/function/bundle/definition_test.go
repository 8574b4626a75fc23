package bundle_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// TestDefinitions reads everything that a function can say of itself.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	const nothing = `{"definitions":{"ActionInput_a_b_xy":{"type":"null"},"ActionOutput_a_b_xy":{"type":"null"}}}`
	for _, tc := range []struct {
		name, file, text string
		want             bundle.Function
	}{
		{"least action", "a-b/actions/x-y.ts", action(""), bundle.Function{Definition: linkspan.FunctionDefinition{
			Description: "x", Input: "ActionInput_a_b_xy", Models: []string{"ActionOutput_a_b_xy"}, Schema: json.RawMessage(nothing),
		}}},
		{"action", "a-b/actions/x-y.ts", action("version: '1.2.0', scopes: ['s'], endpoint: { method: 'POST', path: '/x', group: 'G' }, metadata: z.object({ a: z.string() }), checkpoint: z.object({ a: z.enum(['x']), b: z.literal(1), c: z.boolean().optional() })"), bundle.Function{
			Version: "1.2.0", Definition: linkspan.FunctionDefinition{
				Description: "x", Input: "ActionInput_a_b_xy", Models: []string{"ActionOutput_a_b_xy"}, Schema: json.RawMessage(nothing),
				Scopes: []string{"s"}, Endpoints: []linkspan.FunctionEndpoint{{Method: "POST", Path: "/x", Group: "G"}},
			},
		}},
		{"least sync", "a-b/syncs/x-y.ts", syncFile(""), bundle.Function{Definition: linkspan.FunctionDefinition{
			Description: "x", Models: []string{"Item"}, Frequency: "every hour", SyncType: "full",
			Schema: json.RawMessage(`{"definitions":{"Item":{"type":"object","properties":{"id":{"type":"string"}},"required":["id"],"additionalProperties":false}}}`),
		}}},
		{"sync", "a-b/syncs/x-y.ts", syncFile("version: '0.0.2', models: { Item: z.object({ id: z.number().optional() }), Any: z.any() as any }, frequency: '30s', autoStart: true, syncType: 'incremental', scopes: [], metadata: z.void(), webhookSubscriptions: ['*'], endpoints: [{ method: 'GET', path: '/i' }, { method: 'GET', path: '/a' }], onWebhook: async (nango) => { await nango.saveCheckpoint({}); }"), bundle.Function{
			Version: "0.0.2", OnWebhook: true, Definition: linkspan.FunctionDefinition{
				Description: "x", Models: []string{"Item", "Any"}, Frequency: "30s", SyncType: "incremental", AutoStart: true, Scopes: []string{}, Features: []string{"checkpoints"},
				Input: "SyncMetadata_a_b_xy", WebhookSubscriptions: []string{"*"}, Endpoints: []linkspan.FunctionEndpoint{{Method: "GET", Path: "/i"}, {Method: "GET", Path: "/a"}},
				Schema: json.RawMessage(`{"definitions":{"Item":{"type":"object","properties":{"id":{"type":"number"}},"additionalProperties":false},"Any":{},"SyncMetadata_a_b_xy":{"type":"null"}}}`),
			},
		}},
		{"event", "a-b/on-events/x-y.ts", onEvent("version: '1', event: 'validate-connection'"), bundle.Function{
			Version: "1", Definition: linkspan.FunctionDefinition{Description: "x", Event: linkspan.EventValidateConnection},
		}},
		{"least function", "a-b/functions/x-y.ts", unifiedFile(""), bundle.Function{Kind: linkspan.FunctionAction, Definition: linkspan.FunctionDefinition{
			Description: "x", Unified: &linkspan.UnifiedFunction{Trigger: linkspan.TriggerNone, Outbound: true},
		}}},
		{"function at requests", "a-b/functions/x-y.ts", unifiedFile("trigger: { kind: 'http', subscriptions: ['issue', '*'] }, requires: { connection: true, outbound: false, invoke: true }, limits: { concurrency: { perConnection: 1 } }, input: z.void(), output: z.string(), data: { metadata: z.object({}), checkpoint: z.object({ a: z.string() }) }"), bundle.Function{
			Kind: linkspan.FunctionAction, Definition: linkspan.FunctionDefinition{
				Description: "x", Input: "FunctionInput_a_b_xy", Metadata: "FunctionMetadata_a_b_xy", Models: []string{"FunctionOutput_a_b_xy"}, Features: []string{"checkpoints"}, WebhookSubscriptions: []string{"issue", "*"},
				Schema: json.RawMessage(`{"definitions":{"FunctionInput_a_b_xy":{"type":"null"},"FunctionOutput_a_b_xy":{"type":"string"},"FunctionMetadata_a_b_xy":{"type":"object","properties":{},"additionalProperties":false},"FunctionCheckpoint_a_b_xy":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}}`),
				Unified: &linkspan.UnifiedFunction{
					Trigger: linkspan.TriggerHTTP, Output: "FunctionOutput_a_b_xy", Checkpoint: "FunctionCheckpoint_a_b_xy", Invoke: true, PerConnection: 1,
				},
			},
		}},
		{"function by schedule", "a-b/functions/x-y.ts", unifiedFile("trigger: { kind: 'schedule', frequency: '10m' }, data: { models: { Item: z.object({ id: z.string() }) } }"), bundle.Function{
			Kind: linkspan.FunctionSync, Definition: linkspan.FunctionDefinition{
				Description: "x", Models: []string{"Item"}, Frequency: "10m", SyncType: "full", AutoStart: true,
				Schema:  json.RawMessage(`{"definitions":{"Item":{"type":"object","properties":{"id":{"type":"string"}},"required":["id"],"additionalProperties":false}}}`),
				Unified: &linkspan.UnifiedFunction{Trigger: linkspan.TriggerSchedule, Outbound: true},
			},
		}},
		{"function without models", "a-b/functions/x-y.ts", unifiedFile("trigger: { kind: 'schedule', frequency: '10m', autoStart: false }, limits: { concurrency: { perConnection: 'max' } }"), bundle.Function{
			Kind: linkspan.FunctionSync, Definition: linkspan.FunctionDefinition{
				Description: "x", Models: []string{}, Frequency: "10m", SyncType: "full", Unified: &linkspan.UnifiedFunction{Trigger: linkspan.TriggerSchedule, Outbound: true},
			},
		}},
		{"function at events", "a-b/functions/x-y.ts", unifiedFile("trigger: { kind: 'event', events: ['pre-connection-deletion', 'post-connection-creation'] }"), bundle.Function{
			Kind: linkspan.FunctionOnEvent, Definition: linkspan.FunctionDefinition{
				Description: "x", Event: linkspan.EventPreConnectionDeletion, Unified: &linkspan.UnifiedFunction{
					Trigger: linkspan.TriggerEvent, Outbound: true, Events: []linkspan.FunctionEvent{linkspan.EventPreConnectionDeletion, linkspan.EventPostConnectionCreation},
				},
			},
		}},
		{"plain action", "a-b/actions/x-y.ts", plain, bundle.Function{Plain: true}},
		{"plain sync", "a-b/syncs/x-y.ts", plain, bundle.Function{Plain: true}},
		{"not a call for checkpoints", "a-b/actions/x-y.ts", "// nango.saveCheckpoint()\nconst s = { mango: { getCheckpoint() {} }, nango: { nango: { getCheckpoint() {} } } };\ns.mango.getCheckpoint(); s.nango.nango.getCheckpoint();\n" + plain, bundle.Function{Plain: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := clean(t, build(t, folder(t, map[string]string{tc.file: tc.text, "index.ts": "import './" + tc.file + "'"}))).Functions[0]
			parts := strings.Split(strings.TrimSuffix(tc.file, ".ts"), "/")
			want := tc.want
			want.Integration, want.Name, want.File = parts[0], parts[2], tc.file
			if want.Kind == "" {
				want.Kind = linkspan.FunctionKind(strings.TrimSuffix(parts[1], "s"))
			}
			want.Definition.SDKVersion = "1.2.3-zero"
			want.Code = got.Code
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestCheckpointsElsewhere covers functions whose own file has no call for
// checkpoints.
func TestCheckpointsElsewhere(t *testing.T) {
	t.Parallel()
	const declared = "checkpoint: z.object({ at: z.string() }), "
	work := "export async function work(run: any) { await run.saveCheckpoint({ at: 'x' }); }\n"
	calls := "import { work } from '../../work';\n"
	for name, tc := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"exported again": {map[string]string{
			"a/syncs/x.ts": "export { default } from '../../b/syncs/x';", "b/syncs/x.ts": syncFile(declared + "onWebhook: async (nango) => { await nango.saveCheckpoint({ at: 'x' }); }"),
		}, []string{"checkpoints"}},
		"in a helper": {map[string]string{
			"a/syncs/x.ts": calls + syncFile(declared+"onWebhook: work"), "work.ts": work,
		}, []string{"checkpoints"}},
		"in a helper, not declared": {map[string]string{
			"a/syncs/x.ts": calls + syncFile("onWebhook: work"), "work.ts": work,
		}, nil},
		"only declared": {map[string]string{"a/syncs/x.ts": syncFile(declared)}, nil},
		"in a comment":  {map[string]string{"a/syncs/x.ts": syncFile(declared) + "// nango.saveCheckpoint({})"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.files["index.ts"] = "import './a/syncs/x';"
			got := clean(t, build(t, folder(t, tc.files))).Functions[0].Definition.Features
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestReferences follows every reference in schemas that refer to others.
func TestReferences(t *testing.T) {
	t.Parallel()
	p := clean(t, single(t, `import { createAction } from 'linkspan';
import * as z from 'zod';
const Tree = z.object({ get children() { return z.array(Tree); } });
const List = z.object({ get next() { return List.optional(); }, tree: Tree });
const Shared = z.object({ a: z.string() }).meta({ id: 'Shared' });
const Other = z.object({ b: Shared, tree: Tree }).meta({ id: 'Other' });
export default createAction({ description: 'x', input: List, output: z.object({ shared: Shared, others: z.array(Other), tree: Tree }), exec: async () => null as any });
`, nil))
	var schema struct {
		Definitions map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(p.Functions[0].Definition.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	count := 0
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				follow(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				count++
				if _, found := schema.Definitions[strings.TrimPrefix(ref, "#/definitions/")]; !found {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			if _, nested := v["definitions"]; nested {
				t.Error("there are definitions in definitions")
			}
			for _, e := range v {
				follow(e)
			}
		}
	}
	for _, d := range schema.Definitions {
		follow(d)
	}
	if count < 7 {
		t.Errorf("only %d references: %s", count, p.Functions[0].Definition.Schema)
	}
}

func TestSDKVersion(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"index.ts": "import './a/actions/x'", "a/actions/x.ts": plain})
	for version, want := range map[string]string{"1.2.3": "1.2.3-zero", "v0.4.10-rc.1+abc": "0.4.10-zero", "dev": "0.0.0-zero", "": "0.0.0-zero"} {
		p, err := bundle.Build(t.Context(), bundle.Options{Dir: dir, Describer: engine(t), Version: version})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Functions[0].Definition.SDKVersion; got != want {
			t.Errorf("%q becomes %q, want %q", version, got, want)
		}
	}
}
