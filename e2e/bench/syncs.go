package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// syncedRows is how many records the large sync reads, syncedPage how many at a
	// time.
	syncedRows = 100_000
	syncedPage = 1000
	// smallRows is how many the small sync reads, smallPage how many at a time.
	smallRows = 10_000
	smallPage = 100
	// changedEvery says of how many records one is changed.
	changedEvery = 10
	// feed is the integration that has the syncs.
	feed = "feed"
)

// syncText is a sync that pages, maps and saves.
func syncText(model string, total, page int) string {
	return `import { createSync } from "linkspan";
import * as z from "zod";

const Row = z.object({
	id: z.string(), name: z.string(), email: z.string(), amount: z.number(), version: z.number(), day: z.string(), tags: z.array(z.string()), padding: z.string(),
});
export default createSync({
	description: "Pages, maps and saves",
	frequency: "every day",
	autoStart: false,
	models: { ` + model + `: Row },
	exec: async (nango) => {
		const { version } = await nango.getMetadata<{ version: number }>();
		for await (const page of nango.paginate<any>({
			endpoint: "/rows",
			params: { version: String(version), total: "` + strconv.Itoa(total) + `", limit: "` + strconv.Itoa(page) + `" },
			paginate: { type: "cursor", cursor_path_in_response: "next", cursor_name_in_request: "after", response_path: "items" },
		}))
			await nango.batchSave(
				page.map((row) => ({
					id: row.id, name: row.name.trim(), email: row.email.toLowerCase(), amount: row.amount / 100, version: row.version,
					day: row.created.slice(0, 10), tags: row.labels.map((l: { name: string }) => l.name), padding: row.padding,
				})),
				"` + model + `",
			);
	},
});
`
}

// writeSyncs writes a folder with the syncs.
func writeSyncs(dir string) error {
	syncs := filepath.Join(dir, feed, "syncs")
	if err := os.MkdirAll(syncs, 0o700); err != nil {
		return fmt.Errorf("writing the syncs: %w", err)
	}
	for name, text := range map[string]string{
		filepath.Join(dir, "index.ts"):   "import \"./feed/syncs/large\";\nimport \"./feed/syncs/small\";\n",
		filepath.Join(syncs, "large.ts"): syncText("Large", syncedRows, syncedPage),
		filepath.Join(syncs, "small.ts"): syncText("Small", smallRows, smallPage),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing the syncs: %w", err)
		}
	}
	return nil
}

// rows answers with a page of what the syncs read. A tenth of the rows has the
// version that is asked for, the others the first.
func rows(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number := func(name string) int { n, _ := strconv.Atoi(q.Get(name)); return n } // none: 0
	from, version := number("after"), number("version")
	to := min(from+number("limit"), number("total"))
	text := make([]byte, 0, 600*(to-from)+64)
	text = append(text, `{"items":[`...)
	for i := from; i < to; i++ {
		if i > from {
			text = append(text, ',')
		}
		text = appendRow(text, i, version)
	}
	text = append(text, `],"next":`...)
	if to < number("total") {
		text = append(strconv.AppendInt(append(text, '"'), int64(to), 10), '"')
	} else {
		text = append(text, "null"...)
	}
	give(w, append(text, '}'))
}

// appendRow writes a row. What the syncs make of it is about 500 bytes long.
func appendRow(dst []byte, i, version int) []byte {
	if i%changedEvery != 0 {
		version = 1
	}
	id := strconv.Itoa(100_000_000 + i)
	dst = append(dst, `{"id":"row-`...)
	dst = append(dst, id...)
	dst = append(dst, `","name":"  Ada Lovelace `...)
	dst = append(dst, id...)
	dst = append(dst, `","email":"Ada.`...)
	dst = append(dst, id...)
	dst = append(dst, `@Example.com","amount":`...)
	dst = strconv.AppendInt(dst, int64(i*7), 10)
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, int64(version), 10)
	dst = append(dst, `,"created":"2026-03-04T05:06:07Z","labels":[{"name":"alpha"},{"name":"beta"}],"padding":"`...)
	for range 17 {
		dst = append(dst, "lorem ipsum dolor "...)
	}
	return append(dst, `"}`...)
}

// syncs measures syncs from their trigger to their end, or to their webhook, and
// what reads their records.
func (b *bench) syncs(ctx context.Context, t io.Writer, program *process) (err error) {
	dir := filepath.Join(b.dir, "syncs")
	if err := writeSyncs(dir); err != nil {
		return err
	}
	if _, err := b.deploy(ctx, program.address, dir, "--integration="+feed); err != nil {
		return err
	}
	r, err := newReceivers(ctx, 1)
	if err != nil {
		return err
	}
	defer r.stop()
	close(r.gate)
	s := &syncer{browser: newBrowser(program.address), program: program, hooks: r}
	defer s.transport.CloseIdleConnections()
	if err := s.connect(ctx, "warm"); err != nil { // a runner has to start, once
		return err
	}
	if _, err := s.sync(ctx, "warm", "small", 1, true); err != nil {
		return err
	}
	if err := b.smallSyncs(ctx, t, s); err != nil {
		return err
	}
	if err := b.largeSyncs(ctx, t, s); err != nil {
		return err
	}
	return b.readRecords(ctx, t, s)
}

// smallSyncs measures many small pages, to the arrival of the webhook.
func (b *bench) smallSyncs(ctx context.Context, t io.Writer, s *syncer) error {
	row(t, fmt.Sprintf("a sync of %d pages of %d, to its webhook", smallRows/smallPage, smallPage), "median", "slowest", "processor time")
	var all []spent
	for n := range max(3, b.rounds) {
		name := "small" + strconv.Itoa(n)
		if err := s.connect(ctx, name); err != nil {
			return err
		}
		took, err := s.sync(ctx, name, "small", 1, true)
		if err != nil {
			return err
		}
		all = append(all, took)
		b.tick()
	}
	spentRow(t, "  all of them new", all)
	return nil
}

// largeSyncs measures the same sync on records that are new, the same, and in part
// changed.
func (b *bench) largeSyncs(ctx context.Context, t io.Writer, s *syncer) error {
	steps := []struct {
		title   string
		version int
		told    bool
	}{{"  all of them new", 1, true}, {"  nothing changed", 1, false}, {"  a tenth changed", 2, true}}
	all := make([][]spent, len(steps))
	for n := range b.rounds {
		name := "large" + strconv.Itoa(n)
		if err := s.connect(ctx, name); err != nil {
			return err
		}
		for i, step := range steps {
			took, err := s.sync(ctx, name, "large", step.version, step.told)
			if err != nil {
				return err
			}
			all[i] = append(all[i], took)
			b.tick()
		}
	}
	row(t, fmt.Sprintf("a sync of %d records, %d a page", syncedRows, syncedPage), "median", "slowest", "processor time")
	for i, step := range steps {
		spentRow(t, step.title, all[i])
	}
	return nil
}

// readRecords measures pages of records from the middle of a stream.
func (b *bench) readRecords(ctx context.Context, t io.Writer, s *syncer) error {
	headers := []string{"Authorization", "Bearer " + devKey, "Provider-Config-Key", feed, "Connection-Id", "large0"}
	_, text, err := s.call(ctx, http.MethodGet, "http://"+s.address+"/records?model=Large&limit=10000", "", http.StatusOK, headers...)
	if err != nil {
		return err
	}
	var page struct {
		Records []json.RawMessage `json:"records"`
		Next    string            `json:"next_cursor"`
	}
	if err := json.Unmarshal(text, &page); err != nil || page.Next == "" {
		return fmt.Errorf("GET /records: %d records and the cursor %q: %w", len(page.Records), page.Next, err)
	}
	request := []byte("GET /records?model=Large&limit=100&cursor=" + url.QueryEscape(page.Next) + " HTTP/1.1\r\nHost: " + s.address +
		"\r\nAuthorization: Bearer " + devKey + "\r\nProvider-Config-Key: " + feed + "\r\nConnection-Id: large0\r\n\r\n")
	row(t, "GET /records, a page of 100", "a second", "p50", "p99", "")
	for _, connections := range []int{1, 16} {
		var all []result
		for range b.rounds {
			r, err := load{s.program.address, request, connections, b.duration}.run(ctx)
			if err != nil {
				return fmt.Errorf("reading records: %w", err)
			}
			all = append(all, r)
			b.tick()
		}
		results(t, "  "+atOnce(connections), median(all), "")
	}
	return nil
}

// syncer runs syncs as a customer's backend does.
type syncer struct {
	*browser

	program *process
	hooks   *receivers
}

// connect makes a connection of the integration.
func (s *syncer) connect(ctx context.Context, name string) error {
	_, _, err := s.call(ctx, http.MethodPost, "http://"+s.address+"/connections",
		`{"provider_config_key":"`+feed+`","connection_id":"`+name+`","credentials":{"type":"API_KEY","apiKey":"secret"},"webhook_url_override":"`+s.hooks.urls[0]+`"}`,
		http.StatusCreated, jsonHeaders()...)
	return err
}

func jsonHeaders() []string {
	return []string{"Authorization", "Bearer " + devKey, "Content-Type", "application/json"}
}

// spent is what something took: time, and time of processors in the program and
// its runners.
type spent struct{ elapsed, processors time.Duration }

// sync runs a sync on a version of what it reads, and returns what it took until it
// had ended and, if it is to be told of, its webhook had arrived.
func (s *syncer) sync(ctx context.Context, connection, name string, version int, told bool) (spent, error) {
	if _, _, err := s.call(ctx, http.MethodPost, "http://"+s.address+"/connections/metadata", `{"provider_config_key":"`+feed+
		`","connection_id":"`+connection+`","metadata":{"version":`+strconv.Itoa(version)+`}}`, http.StatusCreated, jsonHeaders()...); err != nil {
		return spent{}, err
	}
	before, err := s.status(ctx, connection, name)
	if err != nil {
		return spent{}, err
	}
	busy, err := s.program.processors()
	if err != nil {
		return spent{}, err
	}
	start := time.Now()
	if _, _, err := s.call(ctx, http.MethodPost, "http://"+s.address+"/sync/trigger", `{"provider_config_key":"`+feed+
		`","connection_id":"`+connection+`","syncs":["`+name+`"]}`, http.StatusOK, jsonHeaders()...); err != nil {
		return spent{}, err
	}
	if told {
		if err := s.hooks.wait(ctx, 1); err != nil {
			return spent{}, err
		}
	}
	if err := s.awaitEnd(ctx, connection, name, before.FinishedAt); err != nil {
		return spent{}, err
	}
	elapsed := time.Since(start)
	after, err := s.program.processors()
	return spent{elapsed, after - busy}, err
}

// state is what the API tells of a sync.
type state struct {
	Status     string `json:"status"`
	FinishedAt string `json:"finishedAt"`
	Last       string `json:"latestExecutionStatus"`
}

func (s *syncer) status(ctx context.Context, connection, name string) (state, error) {
	_, text, err := s.call(ctx, http.MethodGet, "http://"+s.address+"/sync/status?provider_config_key="+feed+"&connection_id="+connection+"&syncs="+name,
		"", http.StatusOK, jsonHeaders()...)
	if err != nil {
		return state{}, err
	}
	var reply struct {
		Syncs []state `json:"syncs"`
	}
	if err := json.Unmarshal(text, &reply); err != nil || len(reply.Syncs) != 1 {
		return state{}, fmt.Errorf("GET /sync/status: %s: %w", text, err)
	}
	return reply.Syncs[0], nil
}

// awaitEnd waits until another run of a sync has ended well.
func (s *syncer) awaitEnd(ctx context.Context, connection, name, before string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		now, err := s.status(ctx, connection, name)
		switch {
		case err != nil:
			return err
		case now.Status == "RUNNING" || now.FinishedAt == before:
		case now.Last != "SUCCESS":
			return errors.New("the sync " + name + " ended with " + now.Last)
		default:
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the sync %s did not end: %w", name, ctx.Err())
		}
	}
}

func spentRow(t io.Writer, name string, all []spent) {
	elapsed, processors := make([]time.Duration, len(all)), make([]time.Duration, len(all))
	for i, s := range all {
		elapsed[i], processors[i] = s.elapsed, s.processors
	}
	middle, slowest := extremes(elapsed)
	busy, _ := extremes(processors)
	row(t, name, milliseconds(middle), milliseconds(slowest), milliseconds(busy))
}
