package host_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// sync runs the body of a sync's exec for c1 of acme.
func (w *world) sync(t *testing.T, body string, change ...func(*trial)) *trial {
	t.Helper()
	return w.run(t, "", append([]func(*trial){func(r *trial) {
		r.info.Kind, r.info.Function = linkspan.FunctionSync, "issues"
		r.info.Sync = &host.Sync{UUID: "sync-uuid", Run: linkspan.RunFence{Run: 7, Attempt: 1}, Models: []string{"Issue", "User"}}
		r.bundle = strings.Replace(action(body), `"action"`, `"sync"`, 1)
	}}, change...)...)
}

// result is what a sync gave to its action-like test: syncs return nothing, so the
// body reports through the log.
func (w *world) result(t *testing.T, r *trial) string {
	t.Helper()
	r.value(t)
	var out []string
	for _, m := range w.messages(t, r) {
		if m.Source == "user" {
			out = append(out, m.Text)
		}
	}
	return strings.Join(out, "\n")
}

// say is the beginning of bodies that have something to tell.
const say = `const say = (v) => nango.log(JSON.stringify(v), { level: "error" }); const code = (p) => p.then((v) => v, (e) => [e.code, e.message]);` + "\n"

func (w *world) stream(t *testing.T, model, variant string) linkspan.RecordStream {
	t.Helper()
	c, err := w.store.Connection(t.Context(), nil, w.env.ID, "acme", "c1")
	must(t, err)
	return linkspan.RecordStream{EnvironmentID: w.env.ID, ConnectionID: c.ID, Model: model, Variant: variant}
}

// TestSyncMembers calls each member that only syncs have.
func TestSyncMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for name, tt := range map[string]struct{ body, want string }{
		"properties": {
			`say([nango.syncId, nango.syncJobId, nango.variant, nango.getVariant(), nango.track_deletes, nango.lastSyncDate instanceof Date, nango.lastSyncDate.toISOString(), nango.scriptType])`,
			`["sync-uuid",7,"base","base",false,true,"2026-01-02T03:04:05.678Z","sync"]`,
		},
		"batchSave": {
			`say([await nango.batchSave([{id: "a", n: 1}, {id: 2, n: 2}], "Issue"), [...(await nango.getRecordsByIds(["a", 2, "x"], "Issue")).entries()].map(([k, v]) => [k, v.id, v.n, v._nango_metadata.last_action])])`,
			`[true,[["a","a",1,"ADDED"],[2,"2",2,"ADDED"]]]`,
		},
		"batchSend":              {`say([await nango.batchSend([{id: "a"}], "Issue"), (await nango.getRecordsById(["a"], "Issue")).size])`, `[true,1]`},
		"nothing":                {`say([await nango.batchSave([], "Issue"), await nango.batchUpdate([], "Issue"), await nango.batchDelete([], "Issue")])`, `[true,true,true]`},
		"what was read is saved": {`await nango.batchSave([{id: "a", n: 1}], "Issue"); const r = await nango.getRecordsByIds(["a"], "Issue"); await nango.batchSave([...r.values()], "Issue"); say((await nango.getRecordsByIds(["a"], "Issue")).get("a")._nango_metadata.last_action)`, `"ADDED"`},
		"batchUpdate": {
			`await nango.batchSave([{id: "a", n: 1, o: {x: 1, l: [1, 2]}}], "Issue"); say([await nango.batchUpdate([{id: "a", o: {y: 2, l: [3]}}, {id: "b", n: 1}], "Issue"), (await nango.getRecordsByIds(["a"], "Issue")).get("a").o, (await nango.getRecordsByIds(["b"], "Issue")).size])`,
			`[true,{"l":[3],"x":1,"y":2},0]`,
		},
		"batchDelete": {
			`await nango.batchSave([{id: "a", n: 1}, {id: "b"}], "Issue"); await nango.batchDelete([{id: "a", big: 1n}, {id: "zz"}], "Issue"); const all = []; for await (const r of nango.listRecords("Issue")) all.push([r.id, r._nango_metadata.last_action]); say([all, (await nango.getRecordsByIds(["a", "b"], "Issue")).size])`,
			`[[["b","ADDED"],["a","DELETED"]],1]`,
		},
		"listRecords": {
			`await nango.batchSave(Array.from({length: 2500}, (_, i) => ({id: i})), "Issue"); let n = 0, at; for await (const r of nango.listRecords("Issue")) if (n++ === 1999) at = r._nango_metadata.cursor; let m = 0; for await (const r of nango.listRecords("Issue", {cursor: at})) m++; say([n, m])`,
			`[2500,500]`,
		},
		"listRecords, all of them changed": {
			`await nango.batchSave(Array.from({length: 1010}, (_, i) => ({id: i, n: 0})), "Issue"); let n = 0; for await (const r of nango.listRecords("Issue")) { n++; await nango.batchUpdate([{id: r.id, n: r.n + 1}], "Issue"); } say(n)`,
			`2020`,
		},
		"listRecords of nothing": {`let n = 0; for await (const r of nango.listRecords("Issue")) n++; say(n)`, `0`},
		"listRecords, mistakes": {
			`const first = (g) => code(g.next()); say([await first(nango.listRecords("Nope")), await first(nango.listRecords("Issue", {cursor: "?"})), await first(nango.listRecords("Issue", {cursor: 5}))].map((e) => e[0]))`,
			`["invalid_model","invalid_cursor_value","invalid_cursor"]`,
		},
		"models do not mix": {`await nango.batchSave([{id: "a"}], "User"); say((await nango.getRecordsByIds(["a"], "Issue")).size)`, `0`},
		"undeclared model": {
			`say(await code(nango.batchSave([{id: "a"}], "Nope")))`,
			`["invalid_model","The sync \"issues\" does not declare the model \"Nope\"; it declares \"Issue\", \"User\". Add the model to models in the definition, or correct its name."]`,
		},
		"no model":       {`say(await code(nango.batchSave([{id: "a"}])))`, `["invalid_model","nango.batchSave needs the name of a model, such as \"Issue\", not undefined."]`},
		"no records":     {`say(await code(nango.batchSave(undefined, "Issue")))`, `["invalid_records","nango.batchSave needs an array of records, not undefined."]`},
		"no array":       {`say(await code(nango.batchUpdate({id: 1}, "Issue")))`, `["invalid_records","nango.batchUpdate needs an array of records, not an object."]`},
		"no id":          {`say(await code(nango.batchSave([{id: 1}, {n: 1}], "Issue")))`, `["invalid_record","The record at index 1 for the model \"Issue\" needs an id, a text that is not empty or a number; it has none."]`},
		"empty id":       {`say(await code(nango.batchDelete([{id: ""}], "Issue")))`, `["invalid_record","The record at index 0 for the model \"Issue\" needs an id, a text that is not empty or a number; it has an empty one."]`},
		"odd id":         {`say(await code(nango.batchSave([{id: {}}], "Issue")))`, `["invalid_record","The record at index 0 for the model \"Issue\" needs an id, a text that is not empty or a number; it has an object."]`},
		"NaN as id":      {`say((await code(nango.batchSave([{id: NaN}], "Issue")))[0])`, `"invalid_record"`},
		"long id":        {`say(await code(nango.batchSave([{id: "x".repeat(256)}], "Issue")))`, `["invalid_record","The record at index 0 for the model \"Issue\" has an id of 256 characters; at most 255 are allowed."]`},
		"NUL in an id":   {`say([await code(nango.batchSave([...Array.from({length: 1200}, (_, i) => ({id: i})), {id: "a\u0000b"}], "Issue")), (await nango.getRecordsByIds([1], "Issue")).size])`, `[["invalid_record","The record at index 1200 for the model \"Issue\" has an id that is not valid Unicode, or has a NUL character."],0]`},
		"half a pair":    {`say((await code(nango.batchDelete([{id: "\ud83d"}], "Issue")))[1])`, `"The record at index 0 for the model \"Issue\" has an id that is not valid Unicode, or has a NUL character."`},
		"null":           {`say(await code(nango.batchSave([{id: 1}, null], "Issue")))`, `["invalid_record","The record at index 1 for the model \"Issue\" must be an object, not null."]`},
		"a list in it":   {`say((await code(nango.batchSave([[1]], "Issue")))[1])`, `"The record at index 0 for the model \"Issue\" must be an object, not an array."`},
		"circular":       {`const r = {id: 1}; r.r = r; say((await code(nango.batchSave([{id: 0}, r], "Issue")))[1].startsWith('The record at index 1 for the model "Issue" can\'t be written as JSON: '))`, `true`},
		"BigInt":         {`say((await code(nango.batchSave([{id: 1, n: 1n}], "Issue")))[0])`, `"invalid_record"`},
		"no object":      {`say((await code(nango.batchSave([{id: 1, toJSON: () => "x"}], "Issue")))[1])`, `"The record at index 0 for the model \"Issue\" must be an object; its toJSON returns none."`},
		"dates":          {`await nango.batchSave([{id: 1, at: new Date(0), no: undefined}], "Issue"); const r = (await nango.getRecordsByIds([1], "Issue")).get(1); say([r.at, "no" in r])`, `["1970-01-01T00:00:00.000Z",false]`},
		"large record":   {`say(await code(nango.batchSave([{id: 1, text: "x".repeat(4 << 20)}], "Issue")))`, `["invalid_record","The record at index 0 for the model \"Issue\" is larger than 4 MB. Keep records small: leave out what nobody reads, and files."]`},
		"large in bytes": {`say((await code(nango.batchSave([{id: 1, text: "€".repeat(1400000)}], "Issue")))[0])`, `"invalid_record"`},
		"just fits":      {`say(await code(nango.batchSave([{id: 1, text: "€".repeat(1398090)}, {id: 2, text: "😀".repeat(1048570)}], "Issue")))`, `true`},
		"ids, mistakes":  {`say([await code(nango.getRecordsByIds("a", "Issue")), await code(nango.getRecordsByIds(["a", ""], "Issue"))].map((e) => e[1]))`, `["nango.getRecordsByIds needs an array of ids, not \"a\".","The id at index 1 must be a text of 1 to 255 characters or a number, not \"\"."]`},
		"many ids": {
			`await nango.batchSave(Array.from({length: 250}, (_, i) => ({id: i})), "Issue"); const m = await nango.getRecordsByIds(Array.from({length: 250}, (_, i) => String(249 - i)), "Issue"); say([m.size, m.keys().next().value])`,
			`[250,"249"]`,
		},
		"tracked deletes": {
			`await nango.batchSave([{id: "a"}, {id: "b"}, {id: "c"}], "Issue"); await nango.trackDeletesStart("Issue"); await nango.trackDeletesStart("Issue"); await nango.batchSave([{id: "b"}], "Issue"); say(await nango.trackDeletesEnd("Issue"))`,
			`{"deletedKeys":["a","c"]}`,
		},
		"tracked deletes, none":   {`await nango.trackDeletesStart("Issue"); say(await nango.trackDeletesEnd("Issue"))`, `{"deletedKeys":[]}`},
		"end without start":       {`say(await code(nango.trackDeletesEnd("Issue")))`, `["track_deletes_not_started","No track deletes starting point found for model 'Issue'. Call nango.trackDeletesStart before the first record is saved."]`},
		"outdated without window": {`say((await code(nango.deleteRecordsFromPreviousExecutions("Issue")))[0])`, `"not_available"`},
		"strategy, mistakes":      {`say([await code(nango.setMergingStrategy({strategy: "mine"}, "Issue")), await code(nango.setMergingStrategy(undefined, "Issue"))].map((e) => e[1]))`, `["The merging strategy must be \"override\" or \"ignore_if_modified_after\", not \"mine\".","The merging strategy must be \"override\" or \"ignore_if_modified_after\", not undefined."]`},
		"strategy, twice":         {`await nango.setMergingStrategy({strategy: "override"}, "Issue"); await nango.setMergingStrategy({strategy: "ignore_if_modified_after"}, "Issue")`, `The merging strategy of the model "Issue" was set before in this run: the second one is ignored.`},
		"other syncs":             {`say((await code(nango.triggerSync("acme", "c1", "x")))[0])`, `"not_available"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := w.sync(t, say+tt.body, func(r *trial) {
				r.info.Sync.LastSync = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
				if name != "properties" {
					r.info.Variant = name // records of its own
				}
			})
			if diff := cmp.Diff(tt.want, w.result(t, r)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if r.session.Effects() {
				t.Error("the run counts as one that must not be tried again")
			}
		})
	}
}

// TestBatches looks at what arrives of many records.
func TestBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.sync(t, `
		await nango.batchSave(Array.from({ length: 2001 }, (_, i) => ({ id: i })), "Issue");
		await nango.batchSave(Array.from({ length: 3 }, (_, i) => ({ id: i, text: "x".repeat(1 << 20) })), "User");
		await nango.batchDelete([{ id: 1 }], "Issue");`, func(r *trial) { r.info.Variant = "eu" })
	r.value(t)
	want := []string{"save Issue/eu 1000 0", "save Issue/eu 1000 0", "save Issue/eu 1 0", "save User/eu 1 0", "save User/eu 1 0", "save User/eu 1 0", "delete Issue/eu 1 0"}
	if diff := cmp.Diff(want, w.records.writes); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	messages := w.messages(t, r)
	if first, last := messages[0], messages[len(messages)-1]; first.Text != "batchSave of Issue: 1000 added" || last.Text != "batchDelete of Issue: 1 deleted" ||
		string(last.Meta) != `{"model":"Issue","variant":"eu","added":0,"updated":0,"deleted":1}` {
		t.Errorf("messages: %q %q %s", first.Text, last.Text, last.Meta)
	}
}

// Only so many batches are told of.
func TestManyBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.sync(t, `for (let i = 0; i < 400; i++) await nango.batchSave([{ id: i }], "Issue")`)
	r.value(t)
	if messages := w.messages(t, r); len(messages) != 251 || !strings.HasPrefix(messages[250].Text, "There were 250 batches") {
		t.Errorf("%d messages", len(messages))
	}
}

// TestOrder does not wait for calls: they happen in their order, with the records
// as they were, and all before the run ends.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	w.sync(t, `
		const list = Array.from({ length: 1500 }, (_, i) => ({ id: i, v: 1 }));
		nango.batchSave(list, "Issue");
		list.forEach((r) => { r.v = 2 });
		list.length = 10;
		nango.batchSave(list, "Issue");
		nango.batchDelete([{ id: 3 }], "Issue");
		nango.batchSave([{ id: "u" }], "User");
		nango.batchUpdate([{ id: 4, v: 3 }], "Issue");`).value(t)
	want := []string{"save Issue/base 1000 0", "save Issue/base 500 0", "save Issue/base 10 0", "delete Issue/base 1 0", "save User/base 1 0", "update Issue/base 1 0"}
	if diff := cmp.Diff(want, w.records.writes); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	got := w.records.shownRecords(w.stream(t, "Issue", "base"))
	if len(got) != 1499 || shown(got["0"]["v"]) != "2" || shown(got["4"]["v"]) != "3" || shown(got["10"]["v"]) != "1" || got["3"] != nil {
		t.Errorf("%d records: %v %v %v %v", len(got), got["0"], got["4"], got["10"], got["3"])
	}
}

// TestForgottenFailure fails a write that nobody waits for: the run must not look
// like one that saved everything.
func TestForgottenFailure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		fine bool
	}{
		"checkpoint":       {`nango.batchSave([{ id: 1 }], "Issue"); await nango.saveCheckpoint({ a: 1 })`, false},
		"end of the run":   {`nango.batchSave([{ id: 1 }], "Issue")`, false},
		"bad record":       {`nango.batchSave([{}], "User"); await nango.saveCheckpoint({ a: 1 })`, false},
		"tracked deletes":  {`await nango.trackDeletesStart("Issue"); nango.batchSave([{ id: 1 }], "Issue"); await nango.trackDeletesEnd("Issue")`, false},
		"waited for":       {`await nango.batchSave([{ id: 1 }], "Issue")`, false},
		"caught":           {`await nango.batchSave([{ id: 1 }], "Issue").catch(() => {}); await nango.saveCheckpoint({ a: 1 })`, true},
		"caught elsewhere": {`const p = nango.batchSave([{ id: 1 }], "Issue"); const q = p.catch(() => {}); await nango.saveCheckpoint({ a: 1 }); await q`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, echo)
			w.records.fail = func(_ string, w record.Write) error {
				if w.Stream.Model == "Issue" {
					return linkspan.E("test", linkspan.KindUnavailable, "database_busy", nil, "The database is busy.")
				}
				return nil
			}
			r := w.sync(t, tt.body)
			if (r.err == nil) != tt.fine {
				t.Errorf("error = %v", r.err)
			}
			if !tt.fine && name != "bad record" && r.failed.Code != "database_busy" {
				t.Errorf("error = %+v", r.failed)
			}
			if tt.fine {
				return
			}
			if got := w.result(t, w.sync(t, say+`say(await nango.getCheckpoint())`)); got != "null" {
				t.Errorf("a checkpoint was saved: %s", got)
			}
			if slices.Contains(w.records.writes, "sweep Issue") {
				t.Error("records were deleted")
			}
		})
	}
}

// TestMergingStrategy leaves alone what others changed meanwhile.
func TestMergingStrategy(t *testing.T) {
	t.Parallel()
	var w *world
	w = newWorld(t, func(http.ResponseWriter, *http.Request) {
		// While the run waits for the provider, a webhook comes in.
		_, err := w.records.Save(context.Background(), record.Write{
			Stream: w.stream(t, "Issue", "base"), Fence: linkspan.RunFence{Run: 8}, Records: []byte(`[{"id":"a","by":"hook"}]`),
		})
		if err != nil {
			t.Error(err)
		}
	})
	st := w.stream(t, "Issue", "base")
	r := w.sync(t, `
		await nango.setMergingStrategy({ strategy: "ignore_if_modified_after" }, "Issue");
		await nango.get({ endpoint: "/wait" });
		await nango.batchSave([{ id: "a", by: "run" }, { id: "b", by: "run" }], "Issue");
		await nango.batchSave([{ id: "b", by: "run again" }], "Issue");
		await nango.batchDelete([{ id: "a" }], "Issue");`)
	r.value(t)
	want := map[string]map[string]any{"a": {"id": "a", "by": "hook"}, "b": {"id": "b", "by": "run again"}}
	if diff := cmp.Diff(want, w.records.shownRecords(st)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestAutomaticDeletes are those of the definition's trackDeletes.
func TestAutomaticDeletes(t *testing.T) {
	t.Parallel()
	tracked := func(r *trial) { r.info.Sync.TrackDeletes, r.info.Sync.Window = true, true }
	for name, tt := range map[string]struct {
		body string
		want string
		code string
	}{
		"some are gone":         {body: `await nango.batchSave([{ id: "b" }], "Issue"); await nango.batchSave([{ id: "u" }], "User")`, want: "b/u"},
		"all of a model":        {body: `await nango.batchSave([{ id: "a" }, { id: "b" }], "Issue")`, want: "a,b/"},
		"no checkpoint yet":     {body: `if ((await nango.getCheckpoint()) === null) await nango.batchSave([{ id: "b" }], "Issue")`, want: "b/"},
		"it fails":              {body: `await nango.batchSave([{ id: "b" }], "Issue"); throw new Error("no")`, want: "a,b/u", code: "script_internal_error"},
		"a checkpoint":          {body: `await nango.saveCheckpoint({ page: 1 }); await nango.batchSave([{ id: "b" }], "Issue"); await nango.clearCheckpoint()`, want: "a,b/u"},
		"by itself":             {body: `await nango.batchSave([{ id: "b" }], "Issue"); nango.batchSave([{ id: "u" }], "User"); await nango.deleteRecordsFromPreviousExecutions("Issue")`, want: "b/u"},
		"by itself, twice":      {body: `await nango.batchSave([{ id: "b" }], "Issue"); await nango.batchSave([{ id: "u" }], "User"); await nango.deleteRecordsFromPreviousExecutions("Issue"); await nango.deleteRecordsFromPreviousExecutions("Issue")`, want: "b/u"},
		"by itself, checkpoint": {body: `await nango.saveCheckpoint({ page: 1 }); await nango.deleteRecordsFromPreviousExecutions("Issue")`, want: "a,b/u", code: "checkpoint_in_use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, echo)
			w.sync(t, `await nango.batchSave([{ id: "a" }, { id: "b" }], "Issue"); await nango.batchSave([{ id: "u" }], "User")`).value(t)
			r := w.sync(t, tt.body, tracked)
			if r.failed != nil && r.failed.Code != tt.code || r.failed == nil && tt.code != "" {
				t.Errorf("error = %+v", r.failed)
			}
			ids := func(model string) string {
				var out []string
				for id := range w.records.shownRecords(w.stream(t, model, "base")) {
					out = append(out, id)
				}
				slices.Sort(out)
				return strings.Join(out, ",")
			}
			if got := ids("Issue") + "/" + ids("User"); got != tt.want {
				t.Errorf("left: %s, want %s", got, tt.want)
			}
		})
	}
	t.Run("goes on from a checkpoint", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, echo)
		w.sync(t, `await nango.batchSave([{ id: "a" }], "Issue"); await nango.saveCheckpoint({ page: 1 })`).value(t)
		r := w.sync(t, `await nango.getCheckpoint(); await nango.batchSave([{ id: "b" }], "Issue")`, tracked)
		r.value(t)
		if got := w.records.shownRecords(w.stream(t, "Issue", "base")); len(got) != 2 {
			t.Errorf("left: %v", got)
		}
		if messages := w.messages(t, r); messages[len(messages)-1].Level != "warn" {
			t.Errorf("nobody is told: %+v", messages)
		}
	})
	t.Run("beside a checkpoint of an earlier version", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, echo)
		w.sync(t, `await nango.batchSave([{ id: "a" }], "Issue"); await nango.saveCheckpoint({ page: 1 })`).value(t)
		w.sync(t, `await nango.batchSave([{ id: "b" }], "Issue")`, tracked).value(t)
		if got := w.records.shownRecords(w.stream(t, "Issue", "base")); len(got) != 1 || got["b"] == nil {
			t.Errorf("left: %v", got)
		}
	})
	t.Run("emptied meanwhile", func(t *testing.T) {
		t.Parallel()
		var w *world
		w = newWorld(t, func(http.ResponseWriter, *http.Request) { w.records.forgetWindows(w.stream(t, "Issue", "base")) })
		w.sync(t, `await nango.batchSave([{ id: "a" }], "Issue")`).value(t)
		r := w.sync(t, `await nango.get({ endpoint: "/wait" })`, tracked)
		if r.failed == nil || r.failed.Code != "records_removed" || !strings.Contains(r.failed.Message, "its records were removed while this run was under way") {
			t.Errorf("error = %+v", r.failed)
		}
		if got := w.records.shownRecords(w.stream(t, "Issue", "base")); len(got) != 1 {
			t.Errorf("left: %v", got)
		}
	})
}

// TestRecordsInWebhooks does everything in onWebhook, in the base variant.
func TestRecordsInWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.sync(t, "", func(r *trial) {
		r.info.Webhook, r.info.Variant = []byte(`{"id":"a"}`), "eu"
		r.info.Sync.Window, r.info.Sync.TrackDeletes = true, true // as the bundle has it
		r.bundle = `exports.default = { type: "sync", exec() {}, onWebhook: async (nango, payload) => {` + say + `
			await nango.setMergingStrategy({ strategy: "override" }, "Issue");
			await nango.batchSave([payload, { id: "b" }], "Issue");
			await nango.batchUpdate([{ id: "a", n: 1 }], "Issue");
			await nango.batchDelete([{ id: "b" }], "Issue");
			await nango.saveCheckpoint({ hook: 1 });
			say([nango.variant, nango.scriptType, (await nango.getRecordsByIds(["a", "b"], "Issue")).size, (await code(nango.deleteRecordsFromPreviousExecutions("Issue")))[0]]);
		} };`
	})
	if got := w.result(t, r); got != `["base","webhook",1,"not_available"]` {
		t.Errorf("result: %s", got)
	}
	if got := w.records.shownRecords(w.stream(t, "Issue", "base")); len(got) != 1 {
		t.Errorf("records: %v", got)
	}
	if got := w.result(t, w.sync(t, say+`say(await nango.getCheckpoint())`)); got != `{"hook":1}` {
		t.Errorf("checkpoint: %s", got)
	}
}

// In runs without records the members say so.
func TestNoRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	r := w.sync(t, say+`say([await code(nango.batchSave([], "Issue")), typeof nango.syncId])`, func(r *trial) { r.info.Sync = nil })
	if got := w.result(t, r); got != `[["not_available","nango.batchSave belongs to syncs; this run has no records."],"undefined"]` {
		t.Errorf("result: %s", got)
	}
}

// TestLostRun takes the run away: nothing is stored, and it ends.
func TestLostRun(t *testing.T) {
	t.Parallel()
	lost := linkspan.E("test", linkspan.KindConflict, "run_lost", nil, "The run was taken over.")
	for name, body := range map[string]string{
		"records":    `await nango.batchSave([{ id: 1 }], "Issue").catch(() => {}); await nango.batchSave([{ id: 2 }], "User").catch(() => {})`,
		"checkpoint": `await nango.saveCheckpoint({ a: 1 }).catch(() => {}); await nango.batchSave([{ id: 2 }], "User")`,
		"clearing":   `await nango.clearCheckpoint().catch(() => {}); await nango.batchSave([{ id: 2 }], "User")`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, echo)
			if name == "clearing" {
				w.hold = func(context.Context, linkspan.Tx, linkspan.RunFence) error { return nil }
				w.sync(t, `await nango.saveCheckpoint({ a: 1 })`).value(t)
			}
			w.records.fail = func(_ string, w record.Write) error {
				if w.Stream.Model == "Issue" {
					return fmt.Errorf("saving: %w", lost)
				}
				return nil
			}
			w.hold = func(_ context.Context, _ linkspan.Tx, f linkspan.RunFence) error {
				if f != (linkspan.RunFence{Run: 7, Attempt: 1}) {
					t.Errorf("fence = %+v", f)
				}
				return lost
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("lost")
			r := syncTrial(w, body)
			r.info.Sync.Lost = func() { cancel(cause) }
			w.executeIn(ctx, t, r)
			if r.failed == nil || r.failed.Code != "script_aborted" || !errors.Is(context.Cause(ctx), cause) {
				t.Errorf("error = %+v, cause %v", r.failed, context.Cause(ctx))
			}
			if len(w.records.writes) != 0 {
				t.Errorf("it went on: %q", w.records.writes)
			}
		})
	}
	// Whoever does not say how to end it has the function told.
	w := newWorld(t, echo)
	w.records.fail = func(string, record.Write) error { return lost }
	r := w.sync(t, `await nango.batchSave([{ id: 1 }], "Issue")`)
	if r.failed == nil || r.failed.Code != "run_lost" {
		t.Errorf("error = %+v", r.failed)
	}
}

func syncTrial(w *world, body string) *trial {
	r := &trial{info: w.info("acme", "c1"), bundle: strings.Replace(action(body), `"action"`, `"sync"`, 1)}
	r.info.Kind, r.info.Function = linkspan.FunctionSync, "issues"
	r.info.Sync = &host.Sync{Run: linkspan.RunFence{Run: 7, Attempt: 1}, Models: []string{"Issue", "User"}}
	return r
}

// TestInterrupt ends a run at a checkpoint that is another one than it began with.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	w.hold = func(_ context.Context, tx linkspan.Tx, _ linkspan.RunFence) error {
		if tx == nil {
			t.Error("a checkpoint is saved without a transaction")
		}
		return nil
	}
	run := func(body string) (*trial, bool) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, ended := syncTrial(w, body), false
		r.info.Sync.InterruptDue = func() bool { return true }
		r.info.Sync.Interrupt = func() { ended = true; cancel() }
		w.executeIn(ctx, t, r)
		return r, ended
	}
	const body = `
		await nango.batchSave([{ id: 1 }], "Issue");
		await nango.saveCheckpoint({ page: 1 });
		await nango.batchSave([{ id: 2 }], "Issue");
		await nango.saveCheckpoint({ page: 2 });
		await nango.batchSave([{ id: 3 }], "Issue");`
	for i, want := range []int{1, 2} {
		w.records.writes = nil
		if _, ended := run(body); !ended || len(w.records.writes) != want {
			t.Errorf("run %d: ended %v after %d writes, want %d", i+1, ended, len(w.records.writes), want)
		}
	}
	reads := func(body string) (read bool) {
		r := syncTrial(w, body)
		r.info.Sync.Read = func() { read = true }
		w.executeIn(t.Context(), t, r)
		r.value(t)
		return read
	}
	if reads(`await nango.batchSave([{ id: 4 }], "Issue");`) || !reads(`await nango.getCheckpoint();`) {
		t.Error("it is not told that a run reads its checkpoint, and only then")
	}
	r, ended := run(`await nango.saveCheckpoint({ page: 2 }); await nango.clearCheckpoint();`)
	if r.value(t); ended {
		t.Error("a run ends at a checkpoint that did not move")
	}
}

// TestRecordRefusals are about what only a sandbox gone wrong asks for.
func TestRecordRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	x := w.host.Open(syncTrial(w, "").info)
	defer x.Close(t.Context())
	tricky := `{"id":"a,\\\"[{","l":[1,[2,3]],"o":{"x":",]}"}}`
	array := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(tricky+", ", n), ", ") + "]" }
	for _, tt := range []struct{ call, params, body, want string }{
		{"records_save", `{"model":"Issue"}`, array(1000), ""},
		{"records_save", `{"model":"Issue"}`, array(1001), "records_too_large"},
		{"records_save", `{"model":"Issue"}`, " \n" + array(1001), "records_too_large"},
		{"records_save", `{"model":"Issue"}`, `["` + strings.Repeat("x", 4<<20) + `"]`, "records_too_large"},
		{"records_delete", `{"model":"Nope"}`, `[]`, "invalid_model"},
		{"records_by_ids", `{"model":"Issue","ids":["` + strings.Repeat(`a","`, 100) + `b"]}`, "", "invalid_ids"},
		{"records_list", `{"model":"Issue","cursor":"x"}`, "", "invalid_cursor_value"},
		{"records_list", `{"model":"Issue","limit":-5}`, "", ""},
		{"records_strategy", `{"model":"Issue","strategy":"x"}`, "", "invalid_merging_strategy"},
		{"track_start", `{"model":5}`, "", "invalid_parameters"},
		{"delete_unseen", `{"model":"Issue","automatic":true}`, "", "not_available"},
		{"sync_start", `{"integration":"acme"}`, "", "not_available"},
	} {
		_, err := x.Call(t.Context(), sandbox.Call{Name: tt.call, JSON: []byte(tt.params), Body: []byte(tt.body)})
		if tt.want == "" {
			must(t, err)
			continue
		}
		refused, ok := errors.AsType[*sandbox.CallError](err)
		if !ok || !strings.Contains(string(refused.JSON), `"`+tt.want+`"`) {
			t.Errorf("%s %.80s: %v", tt.call, tt.params, err)
		}
	}
	// An action has no records at all.
	y := w.host.Open(w.info("acme", "c1"))
	defer y.Close(t.Context())
	if _, err := y.Call(t.Context(), sandbox.Call{Name: "records_save", JSON: []byte(`{"model":"Issue"}`), Body: []byte("[]")}); err == nil || !strings.Contains(err.Error(), "unknown_call") {
		t.Errorf("an action saves records: %v", err)
	}
}
