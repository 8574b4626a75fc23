package host_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/schedule"
)

// TestPropertyOfBatches compares random calls with a simple model, in the cache of
// these tests and in the real one.
func TestPropertyOfBatches(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"memory", "database"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, echo)
			if name == "database" {
				w.config.Records = record.New(w.store)
				w.host = host.New(w.config)
				t.Cleanup(w.host.Close)
			}
			w.randomBatches(t)
		})
	}
}

func (w *world) randomBatches(t *testing.T) {
	t.Helper()
	const interpret = say + `
		const row = (r) => [r.id, r.v ?? null, r.o ? [r.o.x ?? null, r.o.y ?? null] : null];
		const reads = [];
		for (const [call, wait, list] of input) {
			const p = call === "read" ? nango.getRecordsByIds(list.map((r) => r.id), "Issue") : nango[call](list, "Issue");
			if (call === "read") reads.push(p);
			if (wait) await p;
		}
		for (const m of await Promise.all(reads)) say([...m.values()].map(row).sort());
		const all = {};
		for await (const { _nango_metadata: m, ...r } of nango.listRecords("Issue")) m.deleted_at === null ? (all[r.id] = r) : delete all[r.id];
		say(Object.keys(all).sort().map((id) => row(all[id])));`
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	model := map[string]map[string]any{}
	for round := range 10 {
		var steps []any
		var want []string
		for range 30 {
			call := []string{"batchSave", "batchUpdate", "batchDelete", "batchSend", "read"}[random.IntN(5)]
			list := randomRecords(random)
			steps = append(steps, []any{call, random.IntN(2) == 0, list})
			if line := applied(model, call, list); call == "read" {
				want = append(want, line)
			}
		}
		var everything []any
		for _, id := range slices.Sorted(maps.Keys(model)) {
			everything = append(everything, map[string]any{"id": id})
		}
		want = append(want, applied(model, "read", everything))
		r := w.sync(t, strings.Replace(interpret, "of input", "of "+shown(steps), 1), func(r *trial) { r.info.Sync.Run = linkspan.RunFence{} })
		if diff := cmp.Diff(strings.Join(want, "\n"), w.result(t, r)); diff != "" {
			t.Fatalf("seed %d, round %d: reads (-want +got):\n%s", seed, round, diff)
		}
	}
}

func randomRecords(random *rand.Rand) []any {
	list := []any{}
	for range random.IntN(8) {
		r := map[string]any{"id": fmt.Sprint(random.IntN(12))}
		if random.IntN(3) > 0 {
			r["v"] = float64(random.IntN(3))
		}
		if random.IntN(3) == 0 {
			r["o"] = map[string]any{[]string{"x", "y"}[random.IntN(2)]: float64(random.IntN(3))}
		}
		list = append(list, r)
	}
	return list
}

// applied does a call to the model, and returns what a read finds.
func applied(model map[string]map[string]any, call string, list []any) string {
	found := []any{}
	read := map[string]bool{}
	for _, one := range list {
		r := one.(map[string]any)
		id := r["id"].(string)
		switch call {
		case "batchSave", "batchSend":
			model[id] = r
		case "batchUpdate":
			if model[id] != nil {
				model[id] = deep(model[id], r)
			}
		case "batchDelete":
			delete(model, id)
		case "read":
			if m := model[id]; m != nil && !read[id] {
				var inner any
				if o, ok := m["o"].(map[string]any); ok {
					inner = []any{o["x"], o["y"]}
				}
				found = append(found, []any{id, m["v"], inner})
			}
			read[id] = true
		}
	}
	slices.SortFunc(found, func(a, b any) int { return strings.Compare(a.([]any)[0].(string), b.([]any)[0].(string)) })
	return shown(found)
}

// recordedSyncs notes which syncs were asked for.
type recordedSyncs struct{ asked []string }

func (s *recordedSyncs) Trigger(_ context.Context, sel schedule.Selection, o schedule.TriggerOptions) error {
	s.asked = append(s.asked, fmt.Sprintf("trigger %s/%s %v %+v", sel.IntegrationKey, sel.ConnectionName, sel.Syncs, o))
	return nil
}

func (s *recordedSyncs) Start(_ context.Context, sel schedule.Selection) error {
	if sel.IntegrationKey == "none" {
		return linkspan.E("test", linkspan.KindNotFound, "unknown_provider_config", nil, "There is no such integration.")
	}
	s.asked = append(s.asked, fmt.Sprintf("start %s/%s %v", sel.IntegrationKey, sel.ConnectionName, sel.Syncs))
	return nil
}

// TestOtherSyncs starts and triggers syncs, from an action.
func TestOtherSyncs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	syncs := &recordedSyncs{}
	with := func(r *trial) { r.info.Syncs = syncs }
	r := w.run(t, `return [
		await nango.triggerSync("acme", "c1", "issues"), await nango.triggerSync("acme", undefined, "issues::eu", { reset: true, emptyCache: true }),
		await nango.triggerSync("acme", "c1", { name: "issues", variant: "us" }, "full_refresh"), await nango.triggerSync("acme", "c1", "issues", true), await nango.triggerSync("acme", "c1", "issues", "incremental"),
		await nango.startSync("acme", ["a", { name: "b" }], "c1"), await nango.startSync("acme", [])].every((r) => r.success)`, with)
	if got := r.text(t); got != "true" || !r.session.Effects() {
		t.Errorf("got %s", got)
	}
	want := []string{
		"trigger acme/c1 [issues] {Reset:false Empty:false}", "trigger acme/ [issues::eu] {Reset:true Empty:true}", "trigger acme/c1 [issues::us] {Reset:true Empty:false}",
		"trigger acme/c1 [issues] {Reset:true Empty:false}", "trigger acme/c1 [issues] {Reset:false Empty:false}", "start acme/c1 [a b]", "start acme/ []",
	}
	if diff := cmp.Diff(want, syncs.asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	got := w.run(t, `const code = (p) => p.then(() => "ok", (e) => e.code); return [await code(nango.triggerSync()), await code(nango.triggerSync("acme", 5, "a")), await code(nango.triggerSync("acme", "c1")), await code(nango.triggerSync("acme", "c1", "a", "all")), await code(nango.startSync("acme", "a")), await code(nango.startSync("none", ["a"])),
		await code(nango.triggerSync("acme", "c1", "x".repeat(256))), await code(nango.triggerSync("acme", "c1", "a::" + "x".repeat(256))), await code(nango.triggerSync("x".repeat(256), "c1", "a")), await code(nango.startSync("acme", ["a"], "x".repeat(256))), await code(nango.startSync("acme", Array(101).fill("a")))]`, with).text(t)
	if got != `["invalid_body","invalid_body","invalid_body","invalid_body","invalid_body","unknown_provider_config","invalid_body","invalid_body","invalid_body","invalid_body","invalid_body"]` {
		t.Errorf("mistakes: %s", got)
	}
}
