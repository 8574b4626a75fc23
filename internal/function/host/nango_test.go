package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

// TestMembers calls each member of the nango object.
func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for name, tt := range map[string]struct{ body, want string }{
		"properties": {
			`return [nango.connectionId, nango.providerConfigKey, nango.provider, nango.environmentName, nango.accountId, nango.isCLI, nango.variant, nango.scriptType, typeof nango.environmentId, nango.activityLogId.length > 10, nango.nangoConnectionId === (await nango.getConnection()).id]`,
			`["c1","acme","acme","dev","account-uuid",false,"base","action","number",true,true]`,
		},
		"getConnection": {
			`const c = await nango.getConnection(); return [c.connection_id, c.provider_config_key, c.provider, c.credentials.type, c.credentials.access_token, c.credentials.refresh_token ?? null, c.metadata, Object.keys(c.connection_config), c.errors, c.tags, c.end_user, c.webhook_url_override, /\+00:00$/.test(c.created_at), Object.keys(c).length]`,
			`["c1","acme","acme","OAUTH2","` + token + `",null,{"a":1},["url"],[],{},null,null,true,14]`,
		},
		"getConnection of another":  {`const c = await nango.getConnection("acme", "c2"); return [c.connection_id, c.credentials.access_token]`, `["c2","at-other-secret-2"]`},
		"getConnection of nobody":   {`try { await nango.getConnection("acme", "c9") } catch (e) { return [e.code, e.name, e.status, e.response.data.error.code] }`, `["unknown_connection","NangoError",404,"unknown_connection"]`},
		"getConnection is kept":     {`return (await nango.getConnection()) === (await nango.getConnection())`, `true`},
		"getConnection with option": {`return (await nango.getConnection()) === (await nango.getConnection(undefined, undefined, {refreshToken: true}))`, `false`},
		"refresh token":             {`return (await nango.getConnection(undefined, undefined, {refreshToken: true})).credentials.refresh_token`, `"rt-very-secret"`},
		"getToken":                  {`return nango.getToken()`, `"` + token + `"`},
		"getIntegration": {
			`const i = await nango.getIntegration(); return [i.unique_key, i.provider, i.display_name, i.logo, i.forward_webhooks, "credentials" in i, "webhook_url" in i]`,
			`["acme","acme","Acme","https://link.example/images/template-logos/acme.svg",false,false,false]`,
		},
		"getIntegration with all": {
			`const i = await nango.getIntegration({include: ["webhook", "credentials"]}); return [i.credentials, i.webhook_url]`,
			`[{"client_id":"client","client_secret":"` + clientSecret + `","scopes":"a,b","type":"OAUTH2","webhook_secret":null},null]`,
		},
		"getWebhookURL":           {`return nango.getWebhookURL()`, `null`},
		"getEnvironmentVariables": {`return nango.getEnvironmentVariables()`, `[{"name":"API_KEY","value":"` + variable + `"},{"name":"STAGE","value":"production"}]`},
		"getFlowAttributes":       {`return nango.getFlowAttributes()`, `{"x":1}`},
		"getVariant":              {`return nango.getVariant()`, `"base"`},
		"input":                   {`return [input, nango.input]`, `[{"n":1},{"n":1}]`},
		"checkpoint before any":   {`return nango.getCheckpoint()`, `null`},
		"unknown members":         {`return [nango.secretKey, nango.host, nango.attributes, nango.nango, nango.memo].map(x => typeof x)`, `["undefined","undefined","undefined","undefined","undefined"]`},
		"records":                 {`try { await nango.batchSave([], "X") } catch (e) { return [e.code, e.message] }`, `["not_available","nango.batchSave belongs to syncs; this function is an action."]`},
		"triggerSync":             {`try { await nango.triggerSync("a", "b", "c") } catch (e) { return e.code }`, `"not_available"`},
		"errors as exports":       {`const m = require("nango"), l = require("linkspan"); return [m.ActionError === nango.ActionError, m === l, m.createAction({a: 1}).type, m.createSync({}).type, m.createOnEvent({}).type, m.createFunction({}).type, m.default.createAction === m.createAction]`, `[true,true,"action","sync","onEvent","function",true]`},
		"zod, valid":              {`const z = require("zod"); const r = await nango.zodValidateInput({zodSchema: z.object({n: z.number()}), input}); return [r.success, r.data]`, `[true,{"n":1}]`},
		"zod, invalid": {
			`const z = require("zod"); try { await nango.zodValidateInput({zodSchema: z.object({n: z.string()}), input}) } catch (e) { return [e instanceof nango.ActionError, e.payload.code, e.payload.errors[0].path] }`,
			`[true,"invalid_action_input",["n"]]`,
		},
		"metadata that is none": {`try { await nango.setMetadata([1]) } catch (e) { return e.code }`, `"invalid_metadata"`},
		"no endpoint":           {`try { await nango.get({}) } catch (e) { return e.name }`, `"TypeError"`},
		"bad header":            {`try { await nango.get({endpoint: "/a", headers: {"a b": "c"}}) } catch (e) { return e.code }`, `"invalid_headers"`},
		"bad method":            {`try { await nango.proxy({endpoint: "/a", method: "CONNECT"}) } catch (e) { return e.code }`, `"invalid_method"`},
		"undefined":             {`return undefined`, `null`},
		"date":                  {`return {at: new Date(0)}`, `{"at":"1970-01-01T00:00:00.000Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := w.run(t, tt.body, func(r *trial) {
				r.info.Input, r.info.Attributes = json.RawMessage(`{"n":1}`), map[string]any{"x": 1}
			})
			if diff := cmp.Diff(tt.want, r.text(t)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if r.session.Effects() {
				t.Error("the run counts as one that changed something")
			}
		})
	}
}

// TestShapes holds connection and integration to the types of the public API.
func TestShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	stored, err := w.store.Connection(t.Context(), nil, w.env.ID, "acme", "c1")
	must(t, err)
	stored.EndUser = &linkspan.EndUser{ID: "u", Email: "u@example.com", Organization: &linkspan.Organization{ID: "o"}}
	stored.Tags, stored.WebhookURLOverride = map[string]string{"a": "b"}, "https://hook.example"
	must(t, w.store.UpdateConnection(t.Context(), nil, &stored))
	must(t, w.conns.SetMetadata(t.Context(), w.env.ID, "acme", []string{"c1"}, map[string]any{"m": 1})) // drops what is cached
	var connection api.FullConnection
	same(t, w.run(t, `return nango.getConnection()`).output, &connection)
	if connection.EndUser == nil || connection.EndUser.Organization == nil || connection.WebhookURLOverride == nil || connection.LastFetchedAt == nil {
		t.Errorf("connection = %+v", connection)
	}
	for _, include := range []string{`[]`, `["webhook"]`, `["credentials"]`} {
		var integration api.Integration
		same(t, w.run(t, `return nango.getIntegration({include: `+include+`})`).output, &integration)
	}
}

// same decodes JSON into a type of the public API and wants it to come out again.
func same(t *testing.T, text []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	must(t, d.Decode(into))
	again, err := json.Marshal(into)
	must(t, err)
	var before, after any
	// Both spellings of times are read alike; written is the other one.
	must(t, json.Unmarshal(bytes.ReplaceAll(text, []byte("+00:00\""), []byte("Z\"")), &before))
	must(t, json.Unmarshal(again, &after))
	if diff := cmp.Diff(after, before); diff != "" {
		t.Errorf("the public API has another shape (-public +function):\n%s", diff)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.run(t, `
		const before = await nango.getMetadata();
		await nango.updateMetadata({ b: { c: [2] } });
		const merged = await nango.getMetadata();
		await nango.setFieldMapping({ x: "y" });
		const mapping = await nango.getFieldMapping();
		await nango.setMetadata({ d: 9007199254740993n.toString() });
		return [before, merged, mapping, await nango.getMetadata(), await nango.getFieldMapping()];`)
	if got, want := r.text(t), `[{"a":1},{"a":1,"b":{"c":[2]}},{"x":"y"},{"d":"9007199254740993"},{}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !r.session.Effects() {
		t.Error("writing metadata does not count as a change")
	}
	if _, kept := r.session.Metadata(); kept {
		t.Error("the metadata of a stored connection is kept in the session")
	}
	c, err := w.store.Connection(t.Context(), nil, w.env.ID, "acme", "c1")
	must(t, err)
	if diff := cmp.Diff(map[string]any{"d": "9007199254740993"}, c.Metadata); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestPending runs a function for a connection that is not stored.
func TestMetadataLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	body := `
		const code = (p) => p.then(() => "ok", (e) => e.code);
		const half = "x".repeat(600000);
		return [await code(nango.setMetadata({ half })), await code(nango.updateMetadata({ other: half })), await code(nango.setMetadata({ a: half, b: half })), Object.keys(await nango.getMetadata())];`
	want := `["ok","metadata_too_large","metadata_too_large",["half"]]`
	for _, pending := range []bool{false, true} {
		if got := w.run(t, body, func(r *trial) { r.info.Pending = pending }).text(t); got != want {
			t.Errorf("pending %v: %s", pending, got)
		}
	}
}

// Only OAuth's tokens are handed out by themselves.
func TestToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	if got := w.run(t, `return nango.getToken()`).text(t); got != shown(token) {
		t.Errorf("of OAuth 2: %s", got)
	}
	keyed := func(r *trial) {
		target := r.info.Target
		r.info.Target = func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
			found, err := target(ctx, o)
			if err != nil {
				return nil, err
			}
			return &upstream.Target{Provider: found.Provider, Integration: found.Integration, Connection: found.Connection, Credentials: credential.NewAPIKey("key")}, nil
		}
	}
	if got := w.run(t, `return nango.getToken()`, keyed).text(t); got != `{"apiKey":"key","type":"API_KEY"}` {
		t.Errorf("of a key: %s", got)
	}
}

// What the provider said of the token has the refresh token; a token is renewed
// when somebody asks for it.
func TestRawTokenAndRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	forced := 0
	raw := func(r *trial) {
		target := r.info.Target
		r.info.Target = func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
			if o.Force {
				forced++
			}
			found, err := target(ctx, connect.FreshOptions{})
			if err != nil {
				return nil, err
			}
			c := credential.NewOAuth2(token, "rt-very-secret", time.Time{})
			c.Raw = map[string]any{"scope": "a b", "refresh_token": "rt-very-secret"}
			return &upstream.Target{Provider: found.Provider, Integration: found.Integration, Connection: found.Connection, Credentials: c}, nil
		}
	}
	got := w.run(t, `
		const shown = (await nango.getConnection()).credentials.raw;
		await nango.getConnection(undefined, undefined, { forceRefresh: true });
		return [shown, await nango.getRawTokenResponse()]`, raw).text(t)
	if want := `[{"scope":"a b"},{"refresh_token":"rt-very-secret","scope":"a b"}]`; got != want || forced != 1 {
		t.Errorf("got %s, forced %d times; want %s", got, forced, want)
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.run(t, `
		await nango.updateMetadata({ b: 2 });
		await nango.updateMetadata({ c: 3 });
		let code; try { await nango.saveCheckpoint({ a: 1 }) } catch (e) { code = e.code }
		if (code !== "checkpoint_not_available" || (await nango.getMetadata()).c !== 3) throw new Error("not as pending");`,
		func(r *trial) {
			r.info.Pending, r.info.Kind, r.info.Event = true, linkspan.FunctionOnEvent, linkspan.EventValidateConnection
			r.bundle = strings.Replace(r.bundle, `"action"`, `"onEvent"`, 1)
		})
	r.value(t)
	md, ok := r.session.Metadata()
	if got := shown(md); !ok || got != `{"a":1,"b":2,"c":3}` {
		t.Errorf("metadata = %s, %v", got, ok)
	}
	if r.session.Effects() {
		t.Error("metadata that is stored nowhere yet counts as a change outside: the run would not be tried again")
	}
	c, err := w.store.Connection(t.Context(), nil, w.env.ID, "acme", "c1")
	must(t, err)
	if len(c.Metadata) != 1 {
		t.Errorf("the stored metadata was changed: %v", c.Metadata)
	}
}

func TestCheckpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.run(t, `
		await nango.saveCheckpoint({ page: 2, at: new Date(0), done: false });
		const saved = await nango.getCheckpoint();
		await Promise.all([nango.saveCheckpoint({ page: 3 }), nango.saveCheckpoint({ page: 4 })]);
		return saved;`)
	if got, want := r.text(t), `{"at":"1970-01-01T00:00:00.000Z","done":false,"page":2}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// It is there in the next run of the same function with the same connection.
	if got := w.run(t, `return (await nango.getCheckpoint()).page`).text(t); got != "3" && got != "4" {
		t.Errorf("the next run sees page %s", got)
	}
	if got := w.run(t, `return nango.getCheckpoint()`, func(r *trial) { r.info.Function = "g" }).text(t); got != "null" {
		t.Errorf("another function sees %s", got)
	}
	if got := w.run(t, `return nango.getCheckpoint()`, func(r *trial) { r.info = w.info("acme", "c2") }).text(t); got != "null" {
		t.Errorf("another connection sees %s", got)
	}
	// Two runs at the same time: the second to write is refused.
	first := w.host.Open(w.info("acme", "c1"))
	second := w.host.Open(w.info("acme", "c1"))
	for _, x := range []*host.Session{first, second} {
		if _, err := x.Call(t.Context(), sandbox.Call{Name: "checkpoint_get"}); err != nil {
			t.Fatal(err)
		}
	}
	save := sandbox.Call{Name: "checkpoint_save", JSON: []byte(`{"checkpoint":{"a":1}}`)}
	_, err := first.Call(t.Context(), save)
	must(t, err)
	if _, err = second.Call(t.Context(), save); err == nil || !strings.Contains(err.Error(), "checkpoint_conflict") {
		t.Errorf("error = %v, want a conflict", err)
	}
	r = w.run(t, `await nango.clearCheckpoint(); await nango.clearCheckpoint(); return nango.getCheckpoint()`)
	if got := r.text(t); got != "null" {
		t.Errorf("after clearing: %s", got)
	}
	for name, value := range map[string]string{
		"list": `[1]`, "null": `null`, "nested": `{a: {b: 1}}`, "null member": `{a: null}`, "long text": `{a: "x".repeat(4001)}`,
		"long name": `{["x".repeat(256)]: 1}`, "many": `Object.fromEntries(Array.from({length: 17}, (_, i) => ["f" + i, i]))`,
	} {
		got := w.run(t, `try { await nango.saveCheckpoint(`+value+`) } catch (e) { return [e.code, e.message.startsWith("Invalid checkpoint: ")] }`).text(t)
		if got != `["invalid_checkpoint_format",true]` {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := w.run(t, `await nango.saveCheckpoint({a: "é".repeat(4000), b: 1.5}); return (await nango.getCheckpoint()).b`).text(t); got != "1.5" {
		t.Errorf("the largest text is refused: %s", got)
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	other := w.host.Open(w.info("acme", "c2"))
	acquire := func(key string) string {
		t.Helper()
		reply, err := other.Call(t.Context(), sandbox.Call{Name: "lock_acquire", JSON: []byte(`{"key":"` + key + `","ttlMs":60000}`)})
		must(t, err)
		return string(reply.JSON)
	}
	if got := acquire("taken"); got != "true" {
		t.Fatalf("a free lock: %s", got)
	}
	r := w.run(t, `return [
		await nango.tryAcquireLock({ key: "taken", ttlMs: 1000 }),
		await nango.tryAcquireLock({ key: "mine", ttlMs: 60000 }), await nango.tryAcquireLock({ key: "mine", ttlMs: 60000 }),
		await nango.releaseLock({ key: "mine" }), await nango.releaseLock({ key: "mine" }), await nango.releaseLock({ key: "taken" }),
		await nango.tryAcquireLock({ key: "kept", ttlMs: 60000 }), await nango.releaseAllLocks() ?? null,
		await nango.tryAcquireLock({ key: "kept", ttlMs: 60000 }),
		await nango.tryAcquireLock({ key: "", ttlMs: 1 }).catch((e) => e.code), await nango.tryAcquireLock({ key: "x", ttlMs: -1 }).catch((e) => e.code),
		await nango.tryAcquireLock({ key: "x".repeat(255), ttlMs: 1 }), await nango.tryAcquireLock({ key: "x".repeat(256), ttlMs: 1 }).catch((e) => e.code)]`)
	if got, want := r.text(t), `[false,true,true,true,false,false,true,null,true,"invalid_lock","invalid_lock",true,"invalid_lock"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := acquire("kept"); got != "true" {
		t.Errorf("the lock of a run that ended is %s", got)
	}
	other.Close(t.Context())
	if got := w.run(t, `return nango.tryAcquireLock({ key: "taken", ttlMs: 1000 })`).text(t); got != "true" {
		t.Errorf("the lock of a closed session: %s", got)
	}
}

func TestTriggerAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	var asked []string
	trigger := func(_ context.Context, key, connection, name string, input json.RawMessage) (json.RawMessage, error) {
		asked = append(asked, key+" "+connection+" "+name+" "+string(input))
		switch name {
		case "fails":
			return nil, &linkspan.RunError{Code: "action_script_runtime_error", Message: "The action script failed with a runtime error", Payload: json.RawMessage(`{"why":1}`)}
		case "refused":
			return nil, &linkspan.RunError{Code: "script_http_error", Upstream: &linkspan.UpstreamAnswer{Status: 422, Body: json.RawMessage(`{"no":1}`)}}
		case "missing":
			return nil, linkspan.E("test", linkspan.KindNotFound, "not_found", nil, "Action not found")
		case "nothing":
			return nil, nil
		}
		return json.RawMessage(`{"ok":true}`), nil
	}
	r := w.run(t, `
		const code = async (p) => { try { await p } catch (e) { return [e.code, e.payload ?? null, e.response.status, e.response.data.error.code] } };
		return [await nango.triggerAction("acme", "c2", "other", { n: 1 }), await nango.triggerAction("other", [2]), await nango.triggerAction("nothing"),
			await code(nango.triggerAction("fails")), await code(nango.triggerAction("missing")), await nango.triggerAction().catch((e) => e.code)]`,
		func(r *trial) { r.info.Trigger = trigger })
	want := `[{"ok":true},{"ok":true},null,["action_script_runtime_error",{"why":1},500,"action_script_runtime_error"],["not_found",null,404,"not_found"],"invalid_body"]`
	if diff := cmp.Diff(want, r.text(t)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`acme c2 other {"n":1}`, "acme c1 other [2]", "acme c1 nothing ", "acme c1 fails ", "acme c1 missing "}, asked); diff != "" {
		t.Errorf("triggered (-want +got):\n%s", diff)
	}
	// What the provider answered stands where the API's answer has it.
	r = w.run(t, `try { await nango.triggerAction("refused") } catch (e) { return [e.response.status, e.response.data.error.upstream.body, e.upstream.status] }`,
		func(r *trial) { r.info.Trigger = trigger })
	if diff := cmp.Diff(`[424,{"no":1},422]`, r.text(t)); diff != "" {
		t.Errorf("upstream (-want +got):\n%s", diff)
	}
	// A nested failure that nobody handles ends this run in the same words.
	r = w.run(t, `await nango.triggerAction("fails")`, func(r *trial) { r.info.Trigger = trigger })
	if r.failed == nil || r.failed.Code != "action_script_runtime_error" || string(r.failed.Payload) != `{"why":1}` {
		t.Errorf("error = %+v", r.failed)
	}
}

func TestLoading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for name, tt := range map[string]struct{ bundle, want string }{
		"plain function":       {`exports.default = async (nango, input) => [nango.input, input]`, `[{"n":1},{"n":1}]`},
		"made by createAction": {`exports.default = require("nango").createAction({exec: (nango, input) => input.n})`, `1`},
		"made by createFunction": {
			`exports.default = require("linkspan").createFunction({exec: (nango, t) => t})`,
			`{"connection":{"connectionId":"c1","integrationId":"acme"},"input":{"n":1},"kind":"invoke"}`,
		},
		"getter":             {`Object.defineProperty(exports, "default", {enumerable: true, get: () => ({type: "action", exec: () => 2})})`, `2`},
		"module.exports":     {`module.exports = {default: {type: "action", exec: () => 3}}`, `3`},
		"webhook":            {`exports.default = {type: "sync", onWebhook: (nango, payload) => { if (payload.p !== 1) throw new Error("no payload") }}`, `true`},
		"webhook, legacy":    {`exports.default = () => {}; exports.onWebhookPayloadReceived = (nango, payload) => { if (payload.p !== 1) throw new Error("no payload") }`, `true`},
		"webhook, none":      {`exports.default = {type: "sync", exec() {}}`, `!Missing onWebhook function`},
		"webhook, an action": {`exports.default = {type: "action", exec() {}}`, `!Incorrect script loaded for webhook`},
		"nothing":            {``, `!Invalid script exports`},
		"a sync":             {`exports.default = {type: "sync", exec() {}}`, `!Incorrect script loaded for action`},
		"no exec":            {`exports.default = {type: "action"}`, `!Missing exec function`},
		"a function as JSON": {`exports.default = {type: "action", exec: () => () => 1}`, `!TypeError: The action returned a function, which JSON can't hold.`},
	} {
		r := &trial{info: w.info("acme", "c1"), bundle: tt.bundle}
		r.info.Input = json.RawMessage(`{"n":1}`)
		if strings.HasPrefix(name, "webhook") {
			r.info.Kind, r.info.Webhook = linkspan.FunctionSync, json.RawMessage(`{"p":1}`)
		}
		w.execute(t, r)
		if message, fails := strings.CutPrefix(tt.want, "!"); fails {
			if r.failed == nil || r.failed.Message != message {
				t.Errorf("%s: %+v, want %q", name, r.failed, message)
			}
			continue
		}
		if got := r.text(t); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}
