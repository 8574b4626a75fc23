package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestSyncsInSlices gives syncs less time than they need: the one that goes on from
// its checkpoint comes to its end without leaving anything out or doing anything
// twice, those that get nowhere are reported as failing.
func TestSyncsInSlices(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := apptest.NewDesk(t)
			i := apptest.Start(t, apptest.Options{Database: open(t), ProvidersDir: desk.ProvidersDir, Flags: map[string]string{"sync-slice": "8s"}})
			desk.Open(t, i)
			w := functionDesk{Instance: i, desk: desk, sink: apptest.NewSink(t)}
			w.deploySyncs(t, slicedSyncs())
			i.SendTo(t, w.sink.URL)
			dev := w.Dev(t)
			w.importKeyed(t, "c1", nil)
			dev.Do(t, http.MethodPost, "/sync/trigger", object{"provider_config_key": "desk-key", "connection_id": "c1", "syncs": []string{"steps", "deaf", "stuck"}}).
				Want(t, http.StatusOK)

			// Forty pages take 16 seconds at least, which are two slices.
			apptest.Poll(t, "the sync has read all pages", func() bool {
				s := settledSync(t, dev, "desk-key", "c1", "steps")
				return s.Last == "ERROR" || s.RecordCount["Steps"] == 40 && s.LatestResult["Steps"]["added"] < 40
			})
			s := settledSync(t, dev, "desk-key", "c1", "steps")
			if s.Last != "SUCCESS" || s.RecordCount["Steps"] != 40 {
				t.Errorf("in slices: %+v", s)
			}
			told, runs := 0, 0
			apptest.Poll(t, "all records are told of", func() bool {
				told, runs = 0, 0
				for _, h := range hooksAbout(t, w.sink, "steps") {
					if !h.Success || h.Results["updated"] != 0 || h.Results["deleted"] != 0 {
						t.Fatalf("told of %+v", h)
					}
					told, runs = told+h.Results["added"], runs+1
				}
				return told >= 40
			})
			if told != 40 || runs < 2 {
				t.Errorf("told of %d records after %d runs", told, runs)
			}

			// "deaf" saves checkpoints that it never reads. Its first run can't know that
			// it will not.
			for _, name := range []string{"deaf", "stuck"} {
				var told []syncHook
				apptest.Poll(t, "the sync "+name+" has failed", func() bool {
					told = hooksAbout(t, w.sink, name)
					return len(told) > 0
				})
				if len(told) != 1 || told[0].Success || told[0].Error == nil || told[0].Error.Type != "execution_timeout" {
					t.Errorf("%s: told of %+v", name, told)
				}
				if s := settledSync(t, dev, "desk-key", "c1", name); s.Last != "ERROR" {
					t.Errorf("%s: %+v", name, s)
				}
			}
		})
	}
}

// slicedSyncs are syncs of "desk-key" that take long.
func slicedSyncs() map[string]string {
	sync := func(model, checkpoint, exec string) string {
		return `import { createSync } from "linkspan";
import * as z from "zod";
const moment = () => new Promise((resolve) => setTimeout(resolve, 400));
export default createSync({
	description: "Takes its time",
	frequency: "every hour",
	autoStart: false,
	models: { ` + model + `: z.object({ id: z.string() }) },
	` + checkpoint + `exec: async (nango) => {
` + exec + `
	},
});
`
	}
	const keeps = "checkpoint: z.object({ page: z.number() }),\n\t"
	files := map[string]string{
		"steps": sync("Steps", keeps, `		for (let page = (await nango.getCheckpoint())?.page ?? 0; page < 40; page++) {
			await moment();
			await nango.batchSave([{ id: "p" + page }], "Steps");
			await nango.saveCheckpoint({ page: page + 1 });
		}`),
		"deaf": sync("Deaf", keeps, `		for (let page = 0; page < 1000; page++) {
			await moment();
			await nango.saveCheckpoint({ page: page + 1 + Date.now() });
		}`),
		"stuck": sync("Stuck", keeps, `		await nango.getCheckpoint();
		for (;;) {
			await moment();
		}`),
	}
	more := map[string]string{}
	var index strings.Builder
	for name, text := range files {
		more["desk-key/syncs/"+name+".ts"] = text
		index.WriteString("import \"./desk-key/syncs/" + name + "\";\n")
	}
	more["index.ts"] = index.String()
	return more
}
