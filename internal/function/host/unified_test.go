package host_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
)

// unified is a function made by createFunction with members in its definition.
func unified(members, body string) string {
	return "\"use strict\";\nconst { createFunction } = require(\"linkspan/experimental\");\nexports.default = createFunction({ " + members +
		" exec: async (nango, trigger) => {\n" + body + "\n} });"
}

// TestTriggers gives functions made by createFunction what they run at.
func TestTriggers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	const request = `{"method":"PUT","path":"/hooks/a","headers":{"x-event":"issue"},"query":{"a":["1","2"]},"body":{"n":5}}`
	for name, tt := range map[string]struct {
		change func(i *host.Info)
		want   string
	}{
		"invoked": {
			func(i *host.Info) { i.Input = json.RawMessage(`{"n":1}`) },
			`{"connection":{"connectionId":"c1","integrationId":"acme"},"input":{"n":1},"kind":"invoke"}`,
		},
		"invoked with nothing": {func(*host.Info) {}, `{"connection":{"connectionId":"c1","integrationId":"acme"},"kind":"invoke"}`},
		"at a request": {
			func(i *host.Info) { i.Request, i.Subscriptions = json.RawMessage(request), []string{"issue", "*"} },
			`{"connection":{"connectionId":"c1","integrationId":"acme"},"input":{"n":5},"kind":"http","request":{"body":{"n":5},"headers":{"x-event":"issue"},"method":"PUT","path":"/hooks/a","query":{"a":["1","2"]}},"subscriptions":["issue","*"]}`,
		},
		"at a webhook of which the payload is known": {
			func(i *host.Info) { i.Webhook = json.RawMessage(`{"n":5}`) },
			`{"connection":{"connectionId":"c1","integrationId":"acme"},"input":{"n":5},"kind":"http","request":{"body":{"n":5},"headers":{},"method":"POST","path":"/","query":{}}}`,
		},
		"by a schedule": {
			func(i *host.Info) { i.Kind = linkspan.FunctionSync },
			`{"connection":{"connectionId":"c1","integrationId":"acme"},"input":null,"kind":"schedule"}`,
		},
		"at an event": {
			func(i *host.Info) {
				i.Kind, i.Event = linkspan.FunctionOnEvent, linkspan.EventPreConnectionDeletion
			},
			`{"connection":{"connectionId":"c1","integrationId":"acme"},"input":{"event":"pre-connection-deletion"},"kind":"event"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Only of functions that are invoked, or take requests, is there an output.
			r := w.run(t, "", func(r *trial) {
				r.bundle = unified("", `throw new nango.ActionError(trigger)`)
				tt.change(&r.info)
			})
			if r.failed == nil {
				t.Fatal("it did not fail")
			}
			var got any
			must(t, json.Unmarshal(r.failed.Payload, &got))
			if d := cmp.Diff(tt.want, shown(got)); d != "" {
				t.Error(d)
			}
		})
	}
	if got := w.run(t, "", func(r *trial) { r.bundle = unified("", `return { is: trigger.kind }`) }).text(t); got != `{"is":"invoke"}` {
		t.Errorf("returned %s", got)
	}
}

// TestDeclaredMembers has functions made by createFunction use what they declare, and
// be told of what they don't.
func TestDeclaredMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	refused := func(call string) string { return `try { await ` + call + ` } catch (e) { return [e.code, e.message] }` }
	loop := func(call string) string {
		return `try { for await (const page of ` + call + `) return page } catch (e) { return [e.code, e.message] }`
	}
	for name, tt := range map[string]struct{ members, body, want string }{
		"always": {
			"", `await nango.log("x"); nango.setLogger({ level: "info" }); const c = await nango.getConnection(), i = await nango.getIntegration();
			return [c.connection_id, i.unique_key, typeof (await nango.getToken()), nango.getVariant(), (await nango.getEnvironmentVariables()).length, nango.connectionId, nango.input === undefined]`,
			`["c1","acme","string","base",2,"c1",true]`,
		},
		"requests":                {"", `return (await nango.get({ endpoint: "/a" })).status`, `200`},
		"no requests":             {"requires: { outbound: false },", refused(`nango.post({ endpoint: "/a" })`), `["not_available","nango.post makes a request, but requires.outbound is false."]`},
		"no fetch":                {"requires: { outbound: false },", refused(`nango.uncontrolledFetch({ url: new URL("https://a.example") })`), `["not_available","nango.uncontrolledFetch makes a request, but requires.outbound is false."]`},
		"no pages":                {"requires: { outbound: false },", loop(`nango.paginate({ endpoint: "/a" })`), `["not_available","nango.paginate makes a request, but requires.outbound is false."]`},
		"metadata":                {"data: { metadata: {} },", `await nango.updateMetadata({ b: 2 }); return nango.getMetadata()`, `{"a":1,"b":2}`},
		"no metadata":             {"", refused(`nango.getMetadata()`), `["not_available","nango.getMetadata needs metadata: declare them in data.metadata."]`},
		"checkpoint":              {"data: { checkpoint: {} },", `await nango.saveCheckpoint({ at: "x" }); const c = await nango.getCheckpoint(); await nango.clearCheckpoint(); return c`, `{"at":"x"}`},
		"no checkpoint":           {"", refused(`nango.saveCheckpoint({})`), `["not_available","nango.saveCheckpoint needs a checkpoint: declare it in data.checkpoint."]`},
		"no records":              {"", refused(`nango.batchSave([], "Item")`), `["not_available","nango.batchSave belongs to functions with records: declare them in data.models."]`},
		"no records to read":      {"", loop(`nango.listRecords("Item")`), `["not_available","nango.listRecords belongs to functions with records: declare them in data.models."]`},
		"no invoke":               {"", refused(`nango.invoke("other")`), `["not_available","nango.invoke runs another function: declare requires: { invoke: true }."]`},
		"of others":               {"requires: { invoke: true },", refused(`nango.triggerAction("a", "b", "c")`), `["not_available","Functions made by createFunction have no nango.triggerAction: use nango.invoke, and declare requires: { invoke: true }."]`},
		"locks":                   {"", refused(`nango.tryAcquireLock({ key: "a", ttlMs: 1 })`), `["not_available","Functions made by createFunction have no nango.tryAcquireLock: declare limits: { concurrency: { perConnection: 1 } }."]`},
		"invoke":                  {"requires: { invoke: true },", `return nango.invoke("other", { input: { a: 1 } })`, `["acme","c1","other",{"a":1}]`},
		"invoke elsewhere":        {"requires: { invoke: true },", `return nango.invoke("other", { connection: { connectionId: "c2", integrationId: "beta" } })`, `["beta","c2","other",null]`},
		"invoke what is imported": {"requires: { invoke: true },", `return nango.invoke({ [Symbol.for("linkspan.function")]: { name: "other", integrationId: "beta" } }, { connection: { connectionId: "c2" } })`, `["beta","c2","other",null]`},
		"invoke what":             {"requires: { invoke: true },", refused(`nango.invoke({ exec() {} })`), `["invalid_body","nango.invoke takes the name of a function, such as nango.invoke(\"create-issue\", { input }), or what its file in functions exports."]`},
		"invoke for whom":         {"requires: { invoke: true },", refused(`nango.invoke("other", { connection: { connectionId: 5 } })`), `["invalid_body","The connection of nango.invoke is an object of connectionId and integrationId."]`},
		"invoke with options":     {"requires: { invoke: true },", refused(`nango.invoke("other", "c2")`), `["invalid_body","The options of nango.invoke are an object of input and connection."]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := w
			if name == "metadata" {
				in = newWorld(t, echo) // it changes the connection
			}
			got := in.run(t, "", func(r *trial) {
				r.bundle = unified(tt.members, tt.body)
				r.info.Trigger = func(_ context.Context, key, connection, action string, input json.RawMessage) (json.RawMessage, error) {
					return json.Marshal([]any{key, connection, action, input})
				}
			}).text(t)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestScheduledRecords has functions with a schedule keep records, and do without.
func TestScheduledRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.sync(t, "", func(r *trial) {
		r.bundle = unified("data: { models: { Issue: {} } },", say+`
			await nango.trackDeletesStart("Issue"); await nango.batchSave([{ id: "a", n: 1 }, { id: "b" }], "Issue");
			await nango.batchUpdate([{ id: "a", n: 2 }], "Issue"); await nango.batchDelete([{ id: "b" }], "Issue"); await nango.trackDeletesEnd("Issue");
			say([trigger.kind, (await nango.getRecordsByIds(["a", "b"], "Issue")).get("a").n, await code(nango.batchSend([], "Issue"))])`)
	})
	const gone = `["not_available","Functions made by createFunction have no nango.batchSend: use nango.batchSave."]`
	if got := w.result(t, r); got != `["schedule",2,`+gone+`]` {
		t.Error(got)
	}
	r = w.sync(t, "", func(r *trial) {
		r.bundle, r.info.Sync.Models = unified("", say+`say(await code(nango.batchSave([{ id: "a" }], "Issue")))`), nil
	})
	if got := w.result(t, r); got != `["not_available","nango.batchSave belongs to functions with records: declare them in data.models."]` {
		t.Error(got)
	}
}

// TestExperimental imports createFunction by each of its names.
func TestExperimental(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	got := w.run(t, `return ["nango", "nango/experimental", "linkspan", "linkspan/experimental"].map((name) => require(name).createFunction({}).type)`).text(t)
	if got != `["function","function","function","function"]` {
		t.Error(got)
	}
}
