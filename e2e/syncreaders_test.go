package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/apptest"
)

// writer is a sync that saves and deletes what it likes, in several batches, and
// fails now and then, unless it is to be calm.
func writer() map[string]string {
	return map[string]string{
		"index.ts": "import \"./desk-key/syncs/writer\";\n",
		"desk-key/syncs/writer.ts": `import { createSync } from "linkspan";
import * as z from "zod";

const any = (n: number) => Math.floor(Math.random() * n);

export default createSync({
	description: "Writes by chance",
	frequency: "every hour",
	autoStart: false,
	models: { Some: z.object({ id: z.string() }), Last: z.object({ id: z.string() }) },
	exec: async (nango: any) => {
		const calm = (await nango.getMetadata())?.calm;
		for (let batch = any(4); batch >= 0; batch--) {
			const ids = Array.from({ length: 1 + any(20) }, () => String(any(40)));
			if (any(4) === 0) await nango.batchDelete(ids.map((id) => ({ id })), "Some");
			else await nango.batchSave(ids.map((id) => ({ id, n: any(3) })), "Some");
			await nango.batchSave([{ id: "last", n: Math.random() }], "Last");
			if (!calm && any(6) === 0) throw new nango.ActionError({ batch });
			if (any(3) === 0) await nango.get({ endpoint: "/me" });
		}
	},
});
`,
	}
}

// written is a record of the writer as it is listed.
type written struct {
	ID       string
	N        float64
	Metadata struct {
		First  string `json:"first_seen_at"`
		Last   string `json:"last_modified_at"`
		Action string `json:"last_action"`
		Cursor string
	} `json:"_nango_metadata"`
}

// stream is what a backend keeps a copy of.
type stream struct{ model, variant string }

// list returns the records of a stream that were modified after a moment, page by
// page; "": all.
func (s stream) list(t *testing.T, c apptest.Client, modifiedAfter string, limit int) (found []written) {
	t.Helper()
	q := url.Values{"model": {s.model}, "variant": {s.variant}, "limit": {strconv.Itoa(limit)}}
	if modifiedAfter != "" {
		q.Set("modified_after", modifiedAfter)
	}
	for {
		var page struct {
			Records []written
			Next    *string `json:"next_cursor"`
		}
		c.Do(t, http.MethodGet, "/records?"+q.Encode(), nil, "Provider-Config-Key", "desk-key", "Connection-Id", "c1").Want(t, http.StatusOK).Into(t, &page)
		found = append(found, page.Records...)
		if page.Next == nil {
			return found
		}
		q.Set("cursor", *page.Next)
	}
}

// copies are what a backend makes of the webhooks that it gets: for each it fetches
// what was modified after its modifiedAfter.
type copies struct {
	sink    *apptest.Sink
	seen    int
	records map[stream]map[string]written
	counts  map[stream]map[string]int
}

// follow takes the webhooks that have arrived since the last call.
func (c *copies) follow(t *testing.T, dev apptest.Client) {
	t.Helper()
	hooks := c.sink.Hooks()
	for _, h := range hooks[c.seen:] {
		var hook syncHook
		if err := json.Unmarshal(h.Body, &hook); err != nil {
			t.Fatalf("decoding a webhook: %v\n%s", err, h.Body)
		}
		if !hook.Success {
			continue
		}
		after, err := time.Parse(time.RFC3339, hook.ModifiedAfter)
		if err != nil {
			t.Fatalf("modifiedAfter: %v", err)
		}
		s := stream{hook.Model, hook.SyncVariant}
		records := s.list(t, dev, hook.ModifiedAfter, 7)
		if len(records) == 0 {
			t.Errorf("nothing was modified after what %s says", h.Body)
		}
		if c.records[s] == nil {
			c.records[s] = make(map[string]written)
		}
		for _, r := range records {
			if at, err := time.Parse(time.RFC3339, r.Metadata.Last); err != nil || !at.After(after) {
				t.Errorf("%s was modified at %s (%v), not after %s", r.ID, r.Metadata.Last, err, hook.ModifiedAfter)
			}
			c.records[s][r.ID] = r // webhooks are followed one after the other: it is newer than what was there
		}
		add(c.counts, s, hook.Results)
	}
	c.seen = len(hooks)
}

func add(sums map[stream]map[string]int, s stream, counts map[string]int) {
	if sums[s] == nil {
		sums[s] = make(map[string]int)
	}
	for what, n := range counts {
		sums[s][what] += n
	}
}

// TestReadersByWebhook has the variants of a sync write at the same time, some of
// their runs fail, and a backend fetch for each webhook what was modified after its
// modifiedAfter, while others write on: its copy is exact, and so are the counts.
func TestReadersByWebhook(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSyncDesk(t, open(t), writer())
			dev := w.Dev(t)
			w.importKeyed(t, "c1", nil)
			settledSync(t, dev, "desk-key", "c1", "tickets")
			c := copies{sink: apptest.NewSink(t), records: make(map[stream]map[string]written), counts: make(map[stream]map[string]int)}
			w.SendTo(t, c.sink.URL)
			for _, variant := range []string{"eu", "us"} {
				dev.Do(t, http.MethodPost, "/sync/writer/variant/"+variant, object{"connection_id": "c1", "provider_config_key": "desk-key"}).Want(t, http.StatusOK)
			}
			did, failed := make(map[stream]map[string]int), 0
			for range 12 {
				failed += w.write(t, &c, did)
			}
			// What failed runs have changed is told with the next success.
			dev.Do(t, http.MethodPost, "/connections/metadata", object{"connection_id": "c1", "provider_config_key": "desk-key", "metadata": object{"calm": true}}).
				Want(t, http.StatusCreated)
			if w.write(t, &c, did) > 0 {
				t.Error("a run failed that was to be calm")
			}
			apptest.Poll(t, "all webhooks have arrived", func() bool {
				var list struct{ Data []struct{ ID string } }
				dev.Do(t, http.MethodGet, "/webhooks/deliveries?state=pending", nil).Want(t, http.StatusOK).Into(t, &list)
				return len(list.Data) == 0
			})
			c.follow(t, dev)
			t.Logf("%d webhooks, %d failed runs", c.seen, failed)
			want := make(map[stream]map[string]written)
			for s := range did {
				want[s] = make(map[string]written)
				for _, r := range s.list(t, dev, "", 1000) {
					want[s][r.ID] = r
				}
			}
			if diff := cmp.Diff(want, c.records); diff != "" {
				t.Errorf("the copy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(did, c.counts); diff != "" {
				t.Errorf("changes (-did +told):\n%s", diff)
			}
		})
	}
}

// write has the variants of the writer run once, at the same time, and the copies
// follow meanwhile. It adds what was changed to did, and returns how many runs failed.
func (w functionDesk) write(t *testing.T, c *copies, did map[stream]map[string]int) (failed int) {
	t.Helper()
	dev := w.Dev(t)
	const all = "writer,writer::eu,writer::us"
	ended := make(map[string]string)
	for _, s := range states(t, dev, "desk-key", all) {
		if s.FinishedAt != nil {
			ended[s.Variant] = *s.FinishedAt
		}
	}
	dev.Do(t, http.MethodPost, "/sync/trigger", object{"provider_config_key": "desk-key", "connection_id": "c1", "syncs": strings.Split(all, ",")}).Want(t, http.StatusOK)
	var now []syncState
	apptest.Poll(t, "all have run", func() bool {
		c.follow(t, dev)
		now = states(t, dev, "desk-key", all)
		return !slices.ContainsFunc(now, func(s syncState) bool {
			return s.FinishedAt == nil || s.Status == "RUNNING" || *s.FinishedAt == ended[s.Variant]
		})
	})
	for _, s := range now {
		if s.Last != "SUCCESS" {
			failed++
		}
		for model, counts := range s.LatestResult {
			add(did, stream{model, s.Variant}, counts)
		}
	}
	return failed
}
