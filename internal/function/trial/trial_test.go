package trial_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/sdk/functions"
)

// world serves what the tests ask for.
type world struct{ records bool }

// Note implements sandbox.Host.
func (world) Note(sandbox.Call) {}

// Call implements sandbox.Host.
func (w world) Call(_ context.Context, c sandbox.Call) (sandbox.Reply, error) {
	switch c.Name {
	case "connection":
		return call.Answer(map[string]any{"connection_id": "c", "metadata": map[string]any{"of": "world"}})
	case "http":
		reply, err := call.Answer(call.Head{Status: 404, StatusText: "Not Found", Headers: [][2]string{}})
		reply.Body, reply.Text = []byte(`{"payload":{"why":"gone"}}`), true
		return reply, err
	case "records_by_ids":
		if w.records {
			return sandbox.Reply{Body: []byte(`[{"id":"9","of":"world"}]`), Text: true}, nil
		}
	case "records_list":
		if w.records {
			reply, err := call.Answer(call.RecordsPage{Late: 1})
			reply.Body, reply.Text = []byte(`[{"id":"9","of":"world"}]`), true
			return reply, err
		}
	}
	return sandbox.Reply{}, trial.ErrUnserved
}

// rig runs functions.
type rig struct{ engine *sandbox.Engine }

func action(do string) trial.Function {
	return trial.Function{
		Integration: "acme", Kind: linkspan.FunctionAction, Name: "act",
		Bundle: `module.exports = { default: { type: "action", exec: async (nango, input) => { ` + do + ` } } };`,
	}
}

func sync1(do string) trial.Function {
	return trial.Function{
		Integration: "acme", Kind: linkspan.FunctionSync, Name: "pull", Definition: linkspan.FunctionDefinition{
			Models: []string{"A"},
			Schema: json.RawMessage(`{"definitions":{"A":{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"number"}},"required":["id"]}}}`),
		},
		Bundle: `module.exports = { default: { type: "sync", exec: async (nango) => { ` + do + ` }, onWebhook: async (nango, payload) => { ` + do + ` } } };`,
	}
}

func (r *rig) run(t *testing.T, o trial.Options) *trial.Result {
	t.Helper()
	o.Limits = sandbox.Limits{Wall: time.Minute}
	result, err := trial.Run(t.Context(), r.engine, o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestTrials(t *testing.T) {
	t.Parallel()
	engine, err := sandbox.New(t.Context(), sandbox.Options{
		Prelude: functions.Prelude(), Sync: platform.Serve, Pure: platform.Pure, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	r := &rig{engine}
	for name, test := range map[string]func(*testing.T, *rig){
		"outputs": outputs, "failures": failures, "records": records, "violations": violations, "messages": messages, "changes": changes,
		"earlier records": earlier, "refused options": refused, "resumed": resumed, "lenient": lenient,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, r)
		})
	}
}

// outputs are what actions see and return.
func outputs(t *testing.T, r *rig) {
	for do, want := range map[string]string{
		`return input`: `{"a":1}`,
		`return [nango.provider, nango.connectionId, nango.environmentName, nango.isCLI, nango.providerConfigKey, typeof nango.nangoConnectionId]`: `["github","test","dev",true,"acme","undefined"]`,
		`return [await nango.getMetadata(), await nango.getCheckpoint()]`:                                                                          `[{"m":1,"n":{"a":1}},{"page":3}]`,
		`await nango.updateMetadata({n: 2}); return nango.getMetadata()`:                                                                           `{"m":1,"n":2}`,
		`await nango.setMetadata({n: 2}); return nango.getMetadata()`:                                                                              `{"n":2}`,
		`await nango.clearCheckpoint(); return nango.getCheckpoint()`:                                                                              `null`,
		`return [await nango.tryAcquireLock({key: "a", ttlMs: 10}), await nango.releaseLock({key: "a"}), await nango.releaseLock({key: "a"})]`:     `[true,true,false]`,
		`try { await nango.tryAcquireLock({key: "", ttlMs: 10}) } catch (e) { return e.code }`:                                                     `"invalid_lock"`,
		`try { await nango.tryAcquireLock({key: "a", ttlMs: 0}) } catch (e) { return e.code }`:                                                     `"invalid_lock"`,
		`try { await nango.saveCheckpoint({a: {}}) } catch (e) { return e.code }`:                                                                  `"invalid_checkpoint_format"`,
		`try { await nango.getEnvironmentVariables() } catch (e) { return e.code }`:                                                                `"not_available"`,
		`try { await nango.get({endpoint: "/a"}) } catch (e) { return e.response.status }`:                                                         `404`,
		`return (await nango.getConnection("other", "c")).metadata`:                                                                                `{"of":"world"}`,
	} {
		result := r.run(t, trial.Options{
			Function: action(do), Provider: "github", Input: json.RawMessage(`{"a":1}`), World: world{},
			Metadata: json.RawMessage(`{"m":1,"n":{"a":1}}`), Checkpoint: json.RawMessage(`{"page": 3}`),
		})
		if result.Failure != nil {
			t.Errorf("%s: %v", do, result.Failure)
			continue
		}
		if diff := cmp.Diff(want, string(result.Output)); diff != "" {
			t.Errorf("%s: %s", do, diff)
		}
	}
	if got := r.run(t, trial.Options{Function: action(`return nango.nangoConnectionId`), ConnectionID: 7}); string(got.Output) != "7" {
		t.Errorf("the number of the connection is %s: %v", got.Output, got.Failure)
	}
	lenient := r.run(t, trial.Options{Function: action(`return (await nango.get({endpoint: "/a"})).status`), World: world{}, Lenient: true})
	if string(lenient.Output) != "404" || lenient.Requests != 1 {
		t.Errorf("%s %v", lenient.Output, lenient.Failure)
	}
}

// failures are told in the words of the public API.
func failures(t *testing.T, r *rig) {
	for do, want := range map[string]trial.Failure{
		`throw new nango.ActionError({a: 1})`: {Code: "action_script_runtime_error", Name: "ActionError", Payload: json.RawMessage(`{"a":1}`)},
		`await nango.get({endpoint: "/a"})`:   {Code: "script_http_error", Name: "AxiosError", Payload: json.RawMessage(`{"why":"gone"}`)},
		`null.x`:                              {Code: "script_internal_error", Name: "TypeError"},
		`return "x".repeat(10000)`:            {Code: "script_output_too_large", Limit: sandbox.LimitOutput},
		`await new Promise(() => {})`:         {Code: "function_runtime_other", Limit: sandbox.LimitStalled},
		`for (const all = [];;) all.push("x".repeat(1000) + all.length)`: {Code: "function_runtime_out_of_memory", Limit: sandbox.LimitMemory},
	} {
		result, err := trial.Run(t.Context(), r.engine, trial.Options{
			Function: action(do), World: world{}, Limits: sandbox.Limits{Wall: time.Minute, Output: 5000, Memory: 64 << 20},
		})
		if err != nil {
			t.Fatal(err)
		}
		f := result.Failure
		if f == nil || f.Code != want.Code || f.Name != want.Name || f.Limit != want.Limit || f.Run.Code != want.Code || f.Message == "" {
			t.Errorf("%s: %+v", do, f)
			continue
		}
		if want.Payload != nil && string(f.Payload) != string(want.Payload) {
			t.Errorf("%s: the payload is %s", do, f.Payload)
		}
		if want.Name != "" && (len(f.Stack) == 0 || !strings.Contains(f.Stack[0], "acme/actions/act")) {
			t.Errorf("%s: the stack is %q", do, f.Stack)
		}
	}
	broken := action(``)
	broken.Bundle = "let let"
	if f := r.run(t, trial.Options{Function: broken}).Failure; f == nil || f.Name != "SyntaxError" {
		t.Errorf("%+v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := trial.Run(ctx, r.engine, trial.Options{Function: action(`return 1`)}); err == nil {
		t.Error("a trial that was cancelled has a result")
	}
}

// records are kept as a server would.
func records(t *testing.T, r *rig) {
	const show = `const seen = []; for await (const x of nango.listRecords("A")) seen.push([x.id, x.n, x._nango_metadata.last_action].join());`
	const end = ` throw new nango.ActionError(seen);`
	for do, want := range map[string]string{
		`await nango.batchSave([{id: 1, n: 1}, {id: "2"}, {id: 1, n: 2}], "A");` + show:                                                                                                                                      `["2,,ADDED","1,2,UPDATED"]`,
		`await nango.batchSave([{id: "1", n: 1}], "A"); await nango.batchSave([{n: 1, id: "1"}], "A");` + show:                                                                                                               `["1,1,ADDED"]`,
		`await nango.batchSave([{id: "1", n: 1}], "A"); await nango.batchUpdate([{id: "1", n: 5}, {id: "2"}], "A");` + show:                                                                                                  `["1,5,UPDATED"]`,
		`await nango.batchSave([{id: "1"}], "A"); await nango.batchDelete([{id: "1"}, {id: "2"}], "A");` + show:                                                                                                              `["1,,DELETED"]`,
		`await nango.batchSave([{id: "1"}], "A"); await nango.batchDelete([{id: "1"}], "A"); await nango.batchSave([{id: "1"}], "A");` + show:                                                                                `["1,,ADDED"]`,
		`await nango.batchSave([{id: "1"}, {id: "2"}], "A"); await nango.batchDelete([{id: "1"}], "A"); const seen = [...(await nango.getRecordsByIds(["1", "2", 3], "A")).keys()];`:                                         `["2"]`,
		`await nango.batchSave([{id: "1"}], "A"); await nango.trackDeletesStart("A"); await nango.batchSave([{id: "2"}], "A"); const { deletedKeys } = await nango.trackDeletesEnd("A");` + show + `seen.push(deletedKeys);`: `["2,,ADDED","1,,DELETED",["1"]]`,
		`await nango.batchSave([{id: "1"}], "A"); const seen = (await nango.deleteRecordsFromPreviousExecutions("A")).deletedKeys;`:                                                                                          `[]`,
		`const seen = []; try { await nango.trackDeletesEnd("A") } catch (e) { seen.push(e.code) }`:                                                                                                                          `["track_deletes_not_started"]`,
		`const seen = []; await nango.saveCheckpoint({a: 1}); try { await nango.deleteRecordsFromPreviousExecutions("A") } catch (e) { seen.push(e.code) }`:                                                                  `["checkpoint_in_use"]`,
		`const seen = []; try { await nango.batchSave([{id: "1"}], "B") } catch (e) { seen.push(e.code) }`:                                                                                                                   `["invalid_model"]`,
		`const seen = []; await nango.setMergingStrategy({strategy: "ignore_if_modified_after"}, "A");`:                                                                                                                      `[]`,
	} {
		result := r.run(t, trial.Options{Function: sync1(do + end), World: world{}})
		if result.Failure == nil {
			t.Errorf("%s: nothing was thrown", do)
			continue
		}
		if diff := cmp.Diff(`{"message":`+want+`}`, string(result.Failure.Payload)); diff != "" {
			t.Errorf("%s: %v %s", do, result.Failure, diff)
		}
	}
}

// earlier records are the world's, unless the function changed them.
func earlier(t *testing.T, r *rig) {
	const do = `await nango.batchSave([{id: "1", of: "trial"}], "A");
		const found = await nango.getRecordsByIds(["1", "9"], "A"), seen = [...found.values()].map((x) => x.id + x.of);
		await nango.batchDelete([{id: "9"}], "A");
		for await (const x of nango.listRecords("A")) seen.push(x.id);
		throw new nango.ActionError(seen);`
	result := r.run(t, trial.Options{Function: sync1(do), World: world{records: true}})
	if result.Failure == nil || string(result.Failure.Payload) != `{"message":["1trial","9world","9"]}` {
		t.Errorf("%+v", result.Failure)
	}
}

// changes are handed out in the order of the calls.
func changes(t *testing.T, r *rig) {
	const do = `await nango.batchSave([{id: "1", n: 1}], "A"); await nango.batchSave([{id: "1", n: 2}], "A");
		await nango.batchUpdate([{id: "1", n: 3}], "A"); await nango.batchDelete([{id: "1", why: "x"}], "A"); await nango.saveCheckpoint({a: 1});`
	for name, o := range map[string]trial.Options{"exec": {}, "onWebhook": {Webhook: json.RawMessage(`{"a":1}`)}} {
		o.Function, o.World = sync1(do), world{}
		result := r.run(t, o)
		want := map[string]*trial.Changes{"A": {
			Saved:   []json.RawMessage{json.RawMessage(`{"id":"1","n":1}`), json.RawMessage(`{"id":"1","n":2}`)},
			Updated: []json.RawMessage{json.RawMessage(`{"id":"1","n":3}`)}, Deleted: []json.RawMessage{json.RawMessage(`{"id":"1","why":"x"}`)},
		}}
		if diff := cmp.Diff(want, result.Models); diff != "" || result.Failure != nil {
			t.Errorf("%s: %v %s", name, result.Failure, diff)
		}
		if string(result.Checkpoint) != `{"a":1}` || result.Output != nil {
			t.Errorf("%s: %s %s", name, result.Checkpoint, result.Output)
		}
	}
}

// violations end a trial that validates, whatever the function makes of them.
func violations(t *testing.T, r *rig) {
	schema := json.RawMessage(`{"definitions":{"In":{"type":"object","required":["a"]},"Out":{"type":"number"}}}`)
	checked := func(do string) trial.Function {
		f := action(do)
		f.Definition = linkspan.FunctionDefinition{Input: "In", Models: []string{"Out"}, Schema: schema}
		return f
	}
	for name, test := range map[string]struct {
		f           trial.Function
		input, code string
		payload     string
	}{
		"fine":         {f: checked(`return 1`), input: `{"a":1}`},
		"input":        {f: checked(`return 1`), input: `{}`, code: "invalid_action_input", payload: `"model":"In"`},
		"no input":     {f: checked(`return 1`), code: "invalid_action_input"},
		"output":       {f: checked(`return "x"`), input: `{"a":1}`, code: "invalid_action_output", payload: `"code":"type"`},
		"a record":     {f: sync1(`await nango.batchSave([{id: "1", n: "x"}], "A")`), code: "invalid_sync_record", payload: `"path":["n"]`},
		"caught":       {f: sync1(`try { await nango.batchSave([{id: "1"}, {id: "2", n: "x"}], "A") } catch {}`), code: "invalid_sync_record"},
		"good records": {f: sync1(`await nango.batchSave([{id: "1", n: 1}], "A")`)},
	} {
		o := trial.Options{Function: test.f, World: world{}, Validate: true}
		if test.input != "" {
			o.Input = json.RawMessage(test.input)
		}
		f := r.run(t, o).Failure
		switch {
		case test.code == "" && f != nil:
			t.Errorf("%s: %v", name, f)
		case test.code != "" && (f == nil || f.Code != test.code || f.Run == nil || !strings.Contains(string(f.Payload), test.payload)):
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// messages come as they are said.
func messages(t *testing.T, r *rig) {
	var mu sync.Mutex
	var got []string
	const do = `await nango.log("a", {x: 1}, {level: "warn"}); console.log("b"); await nango.batchSave([{id: "1"}], "A"); await nango.saveCheckpoint({a: 1});`
	r.run(t, trial.Options{Function: sync1(do), World: world{}, Log: func(m trial.Message) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, strings.TrimSpace(m.Source+" "+m.Level+" "+m.Text+" "+string(m.Payload)))
	}})
	want := []string{`user warn a {"x":1}`, `user info b`, `internal info batchSave of A: 1 record`, `internal info saveCheckpoint: {"a":1}`}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// refused are options that can't be.
func refused(t *testing.T, r *rig) {
	for name, o := range map[string]trial.Options{
		"checkpoint": {Checkpoint: json.RawMessage(`[]`)}, "metadata": {Metadata: json.RawMessage(`[]`)},
		"schema": {Validate: true, Function: trial.Function{Kind: linkspan.FunctionAction, Definition: linkspan.FunctionDefinition{Input: "A", Schema: json.RawMessage(`{"definitions":{"A":{"type":5}}}`)}}},
	} {
		if _, err := trial.Run(t.Context(), r.engine, o); linkspan.KindOf(err) != linkspan.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A run that goes on from a checkpoint ends what an earlier one began to track, and
// deletes nothing by itself; without one, ending what nobody began is a mistake.
func resumed(t *testing.T, r *rig) {
	f := sync1(`await nango.getCheckpoint(); await nango.trackDeletesEnd("A");`)
	if result := r.run(t, trial.Options{Function: f, World: world{}}); result.Failure == nil {
		t.Error("what nobody began was ended")
	}
	if result := r.run(t, trial.Options{Function: f, World: world{}, Checkpoint: json.RawMessage(`{"page":2}`)}); result.Failure != nil {
		t.Error(result.Failure)
	}
	f = sync1(`await nango.saveCheckpoint({page: 1});`)
	f.Definition.TrackDeletes = true
	var said []string
	result := r.run(t, trial.Options{Function: f, World: world{}, Log: func(m trial.Message) { said = append(said, m.Level) }})
	if result.Failure != nil || !slices.Contains(said, "warn") {
		t.Errorf("%v, said %v", result.Failure, said)
	}
}

// In replays nango.log says nothing, and models that no definition declares may be saved there.
func lenient(t *testing.T, r *rig) {
	f := sync1(`await nango.log("x"); await nango.batchSave([{id: "1"}], "Other");`)
	f.Definition = linkspan.FunctionDefinition{}
	result := r.run(t, trial.Options{Function: f, World: world{}, Lenient: true, Log: func(m trial.Message) {
		if m.Source == "user" {
			t.Errorf("said %q", m.Text)
		}
	}})
	if result.Failure != nil || len(result.Models["Other"].Saved) != 1 {
		t.Errorf("%v %v", result.Failure, result.Models)
	}
}
