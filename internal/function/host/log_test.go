package host_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

func TestLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.run(t, `
		await nango.log("debug", { level: "debug" });
		await nango.log("plain");
		await nango.log("payload", { a: [1] }, { level: "warn" });
		await nango.log("object with a level", { level: "high", b: 1 });
		await nango.log("two", 1, "x");
		await nango.log({ level: "error" });
		await nango.log(new Error("an error"));
		const cycle = { n: 1n }; cycle.self = cycle; await nango.log("cycle", cycle);
		await nango.log("x".repeat(20000));
		console.warn("console");
		nango.setLogger({ level: "error" });
		await nango.log("not any more");
		await nango.log("error", { level: "error" });
		nango.setLogger({ level: "off" });
		await nango.log("off", { level: "error" });
		nango.setLogger({ level: "debug" });
		await nango.log("still off", { level: "error" });
		try { nango.setLogger({ level: "loud" }) } catch (e) { return e.name }`, func(r *trial) { r.info.LogLevel = "info" })
	if got := r.text(t); got != `"TypeError"` {
		t.Errorf("an unknown level: %s", got)
	}
	var got []string
	for _, m := range w.messages(t, r) {
		if m.Type != "log" || m.Source != "user" {
			t.Errorf("message = %+v", m)
		}
		if len(m.Text) > 100 {
			if len(m.Text) > 10_010 {
				t.Errorf("a message of %d bytes is kept", len(m.Text))
			}
			m.Text = m.Text[:3]
		}
		got = append(got, strings.TrimSpace(m.Level+" "+m.Text+" "+string(m.Meta)))
	}
	if diff := cmp.Diff([]string{
		"info plain", `warn payload {"a":[1]}`, `info object with a level {"level":"high","b":1}`, `info two [1,"x"]`, `info {"level":"error"}`, "info Error: an error",
		`info cycle {"n":"1n","self":"[Circular]"}`, "info xxx", "warn console", "error error",
	}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	const body = `for (const level of ["debug", "info", "warn", "error"]) await nango.log(level, { level })`
	texts := func(r *trial) string {
		var out []string
		for _, m := range w.messages(t, r) {
			out = append(out, m.Text)
		}
		return strings.Join(out, " ")
	}
	if got := texts(w.run(t, body)); got != "warn error" {
		t.Errorf("by default: %q", got)
	}
	other := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: w.env.AccountID, Name: "other", PublicKey: linkspan.NewUUID(), WebhookSigningKey: linkspan.NewSecret("k")}
	must(t, w.store.InsertEnvironment(t.Context(), nil, &other))
	must(t, w.store.ReplaceVariables(t.Context(), nil, other.ID, other.UUID, []linkspan.SecretPair{{Name: "NANGO_LOGGER_LEVEL", Value: linkspan.NewSecret("http")}}))
	if got := texts(w.run(t, body, func(r *trial) { r.info.Environment = other })); got != "info warn error" {
		t.Errorf("by the variable: %q", got)
	}
}

// TestSecrets gives a function every secret there is and lets it talk.
func TestSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.run(t, `
		const c = await nango.getConnection(undefined, undefined, { refreshToken: true });
		const o = await nango.getConnection("acme", "c2");
		const i = await nango.getIntegration({ include: ["credentials"] });
		const v = await nango.getEnvironmentVariables();
		for (const say of [(...a) => nango.log(...a), console.log]) {
			await say("connection " + JSON.stringify(c), { c, o, i, v, nested: [{ ["key " + c.credentials.access_token]: "Bearer " + o.credentials.access_token }] });
			await say(JSON.stringify([o, i, v]), btoaOf(c.credentials.access_token));
		}
		await nango.get({ endpoint: "/x", params: { access_token: c.credentials.access_token, q: v[0].value }, headers: { "X-Custom": o.credentials.access_token } });
		await nango.uncontrolledFetch({ url: `+shown(w.saas.URL)+` + "/y?q=" + v[0].value, headers: { "X-Custom": c.credentials.access_token } });
		await nango.log("stage " + v[1].value);
		function btoaOf(text) { return text.split("").join("\u200b") }`, func(r *trial) { r.info.LogLevel = "debug" })
	r.value(t)
	messages := w.messages(t, r)
	if len(messages) != 7 {
		t.Errorf("%d messages", len(messages))
	}
	for _, m := range messages {
		// Meta is JSON text: a secret with an escape in it would still be one.
		leaks(t, "a message", shown(m)+m.Text+string(m.Meta))
	}
	if last := messages[len(messages)-1].Text; last != "stage production" {
		t.Errorf("an ordinary word is hidden: %q", last)
	}
}

// TestVariables keeps what can only be a secret out of the log, whatever its name.
func TestVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for value, secret := range map[string]bool{
		"x9f2kq71mz40vbn8aa":                             true,
		"sk_live_51Habc9Q2xYz":                           true,
		"550e8400-e29b-41d4-a716-446655440000":           true,
		"postgres://app:hunter2@db/prod":                 true,
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE":          true,
		"production":                                     false,
		"https://api.example.com/v1/accounts2024/list99": false,
		"eu-central-1":                                   false,
		"support team of the north":                      false,
		"customer.success.dashboards":                    false,
		"12":                                             false,
	} {
		must(t, w.store.ReplaceVariables(t.Context(), nil, w.env.ID, w.env.UUID, []linkspan.SecretPair{{Name: "STAGE", Value: linkspan.NewSecret(value)}}))
		r := w.run(t, `const [v] = await nango.getEnvironmentVariables(); await nango.log("it is " + v.value, { level: "error" })`)
		r.value(t)
		messages := w.messages(t, r)
		if hidden := !strings.Contains(messages[0].Text, value); hidden != secret {
			t.Errorf("%q: %q", value, messages[0].Text)
		}
	}
}

// TestSecretsOfBefore keeps those out of the log that were renewed since.
func TestSecretsOfBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := &trial{info: w.info("acme", "c1"), bundle: action(`
		const one = (await nango.getConnection()).credentials.access_token;
		for (let i = 0; i < 50; i++) await nango.setMetadata({ i });
		const two = (await nango.getConnection()).credentials.access_token;
		if (one === two) throw new Error("not renewed");
		await nango.log(one + " " + two, { level: "error" });`)}
	calls := 0
	target := r.info.Target
	r.info.Target = func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
		if calls++; calls == 2 {
			w.connection(t, "acme", "c1", "at-very-secret-renewed")
		}
		return target(ctx, o)
	}
	w.execute(t, r)
	r.value(t)
	for _, m := range w.messages(t, r) {
		leaks(t, "a message", m.Text)
		if strings.Contains(m.Text, "renewed") {
			t.Error(m.Text)
		}
	}
}

// TestOtherEnvironment names what is under another environment.
func TestOtherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	home := w.env
	other := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: home.AccountID, Name: "other", PublicKey: linkspan.NewUUID(), WebhookSigningKey: linkspan.NewSecret("k")}
	must(t, w.store.InsertEnvironment(t.Context(), nil, &other))
	must(t, w.store.InsertIntegration(t.Context(), nil, &linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: other.ID, Key: "theirs", Provider: "acme"}))
	w.env = other
	w.connection(t, "theirs", "theirs", "at-of-theirs")
	w.env = home
	got := w.run(t, `
		const code = (p) => p.then((v) => v.data ?? v, (e) => e.code);
		return [await code(nango.getConnection("theirs", "theirs")), await code(nango.getConnection("acme", "theirs")),
			await code(nango.get({endpoint: "/a", providerConfigKey: "theirs", connectionId: "theirs"}))]`).text(t)
	if want := `["unknown_provider_config","unknown_connection","unknown_provider_config"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHostileCalls makes calls that no prelude makes.
func TestHostileCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	x := w.host.Open(w.info("acme", "c1"))
	for _, name := range []string{
		"http", "fetch", "connection", "integration", "pagination", "variables", "metadata", "action", "checkpoint_get", "checkpoint_save", "lock_acquire", "lock_release", "no such call", "",
	} {
		for _, params := range []string{
			`[]`, `5`, `"x"`, `{"method":5}`, `{"headers":{"a":1}}`, `{"metadata":[]}`, `{"integration":5}`, `{} {}`, `{"key":"` + strings.Repeat("k", 300) + `"}`, `{`,
			`{"method":"get /x HTTP/1.1","endpoint":"/"}`, `{"method":"GET","endpoint":"/","headers":[["a","b\r\nc: d"]]}`, `{"method":"GET","url":"gopher://x"}`,
			`{"method":"GET","endpoint":"/","baseUrlOverride":"file:///etc"}`, `{"connection":"` + strings.Repeat("c", 300) + `"}`, `{"key":"k","ttlMs":1e300}`,
		} {
			reply, err := x.Call(t.Context(), sandbox.Call{Name: name, JSON: []byte(params)})
			if err == nil && strings.Contains(params, "cccc") && name != "variables" && name != "integration" && !strings.HasPrefix(name, "checkpoint_get") {
				t.Errorf("%s %s: %s", name, params, reply.JSON)
			}
			if err != nil {
				leaks(t, "an error", err.Error())
			}
		}
	}
	for _, note := range []string{`[]`, `{"level":5}`, `{`, ``, `{"level":"loud","text":"x"}`} {
		x.Note(sandbox.Call{Name: "log", JSON: []byte(note)})
		x.Note(sandbox.Call{Name: "other", JSON: []byte(note)})
	}
	x.Note(sandbox.Call{Name: sandbox.NotesDropped})
	x.Close(t.Context())
}
