package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestKilledWhileSyncing lets a sync see what a provider has changed while the
// server is killed again and again: what comes of it is what comes of a run that
// nobody disturbs.
func TestKilledWhileSyncing(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := sized(100_000, 20_000, 5_000)
			kills := sized(20, 5, 4)
			calm := newKilling(t, open(t), items, 1)
			calm.firstVersion(t)
			want := calm.secondVersion(t, 0)
			calm.checkCounts(t, want)

			for replicas := 1; replicas <= 2 && (replicas == 1 || name == "postgres"); replicas++ {
				t.Run(fmt.Sprintf("replicas=%d", replicas), func(t *testing.T) {
					t.Parallel()
					w := newKilling(t, open(t), items, replicas)
					w.firstVersion(t)
					if diff := cmp.Diff(want, w.secondVersion(t, kills)); diff != "" {
						t.Errorf("a disturbed sync came to something else (-undisturbed +disturbed):\n%.4000s", diff)
					}
				})
			}
		})
	}
}

// killing is a world in which servers are killed.
type killing struct {
	options apptest.Options
	shelf   *shelf
	sink    *apptest.Sink
	random  *rand.Rand

	servers []*apptest.Process
	// alive is a server that may be asked; it may be killed at any time.
	alive atomic.Pointer[living]
}

// living is a server, and a client of its environment dev.
type living struct {
	*apptest.Process
	client apptest.Client
}

func newKilling(t *testing.T, db apptest.Database, items, replicas int) *killing {
	t.Helper()
	w := &killing{shelf: newShelf(t, items, sized(250, 200, 50)), sink: apptest.NewSink(t)}
	if *full {
		w.shelf.pause, w.shelf.everyTenth = 50*time.Millisecond, 700*time.Millisecond
	}
	w.options = apptest.Options{Database: db, ProvidersDir: w.shelf.provider(t)}
	w.seed(t)
	for range replicas {
		w.servers = append(w.servers, apptest.StartProcess(t, w.options))
	}
	w.ask(t, w.servers[0])
	w.dev().Do(t, http.MethodPost, "/integrations", object{"provider": "shelf", "unique_key": "shelf"}).Want(t, http.StatusOK)
	w.servers[0].SendTo(t, w.sink.URL)
	settings(t, &w.servers[0].Instance, object{"webhooks": object{"on_auth_creation": false}})
	return w
}

// seed makes the instants of kills random, and says how.
func (w *killing) seed(t *testing.T) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w.random = rand.New(rand.NewPCG(seed, seed))
}

// ask has a server be asked from now on.
func (w *killing) ask(t *testing.T, p *apptest.Process) {
	t.Helper()
	w.alive.Store(&living{p, p.Dev(t)})
}

func (w *killing) dev() apptest.Client { return w.alive.Load().client }

// deploy deploys a sync of the shelf.
func (w *killing) deploy(t *testing.T, name, source string) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"index.ts": "import \"./shelf/syncs/" + name + "\";\n", "shelf/syncs/" + name + ".ts": source})
	mustLinkspan(t, &w.alive.Load().Instance, "deploy", "dev", "--dir", dir, "--auto-confirm")
}

// kill ends a server at once and starts another one in its place. Sometimes that
// one dies as it starts.
func (w *killing) kill(t *testing.T) {
	t.Helper()
	n := w.random.IntN(len(w.servers))
	w.servers[n].Kill()
	w.ask(t, w.servers[(n+1)%len(w.servers)])
	if w.random.IntN(4) == 0 {
		p := apptest.SpawnProcess(t, w.options)
		w.wait(t, 400*time.Millisecond)
		p.Kill()
	}
	w.servers[n] = apptest.StartProcess(t, w.options)
	w.ask(t, w.servers[n])
}

// wait waits for a random time.
func (w *killing) wait(t *testing.T, most time.Duration) {
	t.Helper()
	select {
	case <-time.After(time.Duration(w.random.Int64N(int64(most)))):
	case <-t.Context().Done():
		t.Fatal("the test ended")
	}
}

// outcome is what a sync came to, as the API tells.
type outcome struct {
	Items, Pages map[string]shown
	// News are the ids that a reader got who had read the first version.
	News     map[string]int
	Status   shelfStatus
	Webhooks map[string]map[string]int
}

// shown is a record without its times.
type shown struct {
	Payload, Action string
	Old             bool // it was there in the first version
	Touched         bool // it was changed by the second
	Deleted         bool
}

// shelfStatus is the part of the status of a sync that is the same in each run.
type shelfStatus struct {
	Status, Last string
	LatestResult map[string]map[string]int
	RecordCount  map[string]int
	Checkpoint   any
}

// firstVersion syncs the first version.
func (w *killing) firstVersion(t *testing.T) {
	t.Helper()
	w.deploy(t, "all", shelfSync)
	w.dev().Do(t, http.MethodPost, "/connections", object{
		"provider_config_key": "shelf", "connection_id": "c1", "credentials": object{"type": "NONE"},
	}).Want(t, http.StatusCreated)
	w.trigger(t)
	w.ended(t, 2)
	if n := len(w.walk(t, "Item", "")); n != w.shelf.rows()*(placesPerRow-1) {
		t.Fatalf("the first version has %d items", n)
	}
}

func (w *killing) trigger(t *testing.T) {
	t.Helper()
	w.dev().Do(t, http.MethodPost, "/sync/trigger", object{"provider_config_key": "shelf", "connection_id": "c1", "syncs": []string{"all"}}).
		Want(t, http.StatusOK)
}

// ended waits until the sync is over, and told of with n webhooks since the test
// began.
func (w *killing) ended(t *testing.T, n int) shelfStatus {
	t.Helper()
	var reply struct {
		Syncs []struct {
			Status, LatestExecutionStatus string
			LatestResult                  map[string]map[string]int
			RecordCount                   map[string]int
			Checkpoint                    any
		}
	}
	apptest.PollWithin(t, 6000, "the sync ends", func() bool {
		w.dev().Do(t, http.MethodGet, "/sync/status?provider_config_key=shelf&connection_id=c1&syncs=all", nil).Want(t, http.StatusOK).Into(t, &reply)
		return len(reply.Syncs) == 1 && reply.Syncs[0].Status != "RUNNING" &&
			(reply.Syncs[0].LatestExecutionStatus == "ERROR" || len(w.hooks(t)) >= n)
	})
	s := reply.Syncs[0]
	return shelfStatus{s.Status, s.LatestExecutionStatus, s.LatestResult, s.RecordCount, s.Checkpoint}
}

// hooks are the webhooks that arrived, by their ids.
func (w *killing) hooks(t *testing.T) map[string]syncHook {
	t.Helper()
	found := make(map[string]syncHook)
	for _, h := range w.sink.Hooks() {
		var p syncHook
		if err := json.Unmarshal(h.Body, &p); err != nil {
			t.Fatalf("decoding a webhook: %v\n%s", err, h.Body)
		}
		found[h.ID()] = p
	}
	return found
}

// record is a record as the API gives it.
type record struct {
	payload string
	ID      string
	Meta    struct {
		First   time.Time `json:"first_seen_at"`
		Last    time.Time `json:"last_modified_at"`
		Action  string    `json:"last_action"`
		Deleted *string   `json:"deleted_at"`
		Cursor  string
	} `json:"_nango_metadata"`
}

// recordPage reads a page of records.
func recordPage(t *testing.T, c apptest.Client, model, cursor string) (page []record, next string, err error) {
	t.Helper()
	query := url.Values{"limit": {"1000"}, "model": {model}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	r, err := c.Try(t, http.MethodGet, "/records?"+query.Encode(), nil,
		"Provider-Config-Key", "shelf", "Connection-Id", "c1")
	if err != nil {
		return nil, "", err
	}
	if r.Status != http.StatusOK {
		return nil, "", fmt.Errorf("status %d: %s", r.Status, r.Body)
	}
	var reply struct {
		Records []json.RawMessage
		Next    *string `json:"next_cursor"`
	}
	if err := json.Unmarshal(r.Body, &reply); err != nil {
		return nil, "", fmt.Errorf("decoding a page: %w", err)
	}
	for _, text := range reply.Records {
		var one record
		var members map[string]any
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, "", fmt.Errorf("decoding a record: %w", err)
		}
		if err := json.Unmarshal(text, &members); err != nil {
			return nil, "", fmt.Errorf("decoding a record: %w", err)
		}
		delete(members, "_nango_metadata")
		payload, _ := json.Marshal(members) // it was decoded from JSON
		one.payload = string(payload)
		page = append(page, one)
	}
	if reply.Next != nil {
		next = *reply.Next
	}
	return page, next, nil
}

// walk reads all records behind a cursor. Nothing may change meanwhile: each must
// come once, in the order of the changes.
func (w *killing) walk(t *testing.T, model, cursor string) []record {
	t.Helper()
	var all []record
	seen := make(map[string]bool)
	for {
		page, next, err := recordPage(t, w.dev(), model, cursor)
		if err != nil {
			t.Fatalf("reading records: %v", err)
		}
		for i := range page {
			r := &page[i]
			if seen[r.ID] {
				t.Errorf("%s %s comes twice", model, r.ID)
			}
			seen[r.ID] = true
			if n := len(all); n > 0 && !r.Meta.Last.After(all[n-1].Meta.Last) {
				t.Errorf("%s %s of %v comes behind one of %v", model, r.ID, r.Meta.Last, all[n-1].Meta.Last)
			}
			if first, last := r.Meta.First, r.Meta.Last; first.After(last) || first.Equal(last) != (r.Meta.Action == "ADDED") {
				t.Errorf("%s %s was first seen at %v, and %s at %v", model, r.ID, first, r.Meta.Action, last)
			}
			all = append(all, *r)
		}
		if next == "" {
			return all
		}
		cursor = next
	}
}

// newest is the last record of the first version, and its cursor.
func newest(all []record) (time.Time, string) {
	last := all[len(all)-1].Meta
	return last.Last, last.Cursor
}

// secondVersion syncs the second version while servers are killed, and while a
// reader follows what changes.
func (w *killing) secondVersion(t *testing.T, kills int) outcome {
	t.Helper()
	before := w.walk(t, "Item", "")
	told := w.hooks(t)
	marker, cursor := newest(before)
	w.shelf.change()
	asked, began := w.shelf.asked(), time.Now()

	var reading sync.WaitGroup
	news, stop := make(map[string]int), make(chan struct{})
	reading.Go(func() { w.follow(t, cursor, news, stop) })
	w.trigger(t)
	w.killTimes(t, kills)
	out := outcome{News: news, Status: w.ended(t, len(told)+2), Webhooks: make(map[string]map[string]int)}
	close(stop)
	reading.Wait()

	t.Logf("%d items, %d kills: the sync took %v and asked for %d pages, of which there are %d",
		w.shelf.rows()*(placesPerRow-1), kills, time.Since(began).Round(time.Millisecond), w.shelf.asked()-asked, w.shelf.pages())
	out.Items, out.Pages = w.show(t, "Item", marker), w.show(t, "Page", marker)
	w.checkUnchanged(t, before, marker)
	for id, h := range w.hooks(t) {
		if _, old := told[id]; old {
			continue
		}
		if _, twice := out.Webhooks[h.Model]; twice || !h.Success {
			t.Errorf("a webhook too many: %+v", h)
		}
		out.Webhooks[h.Model] = h.Results
	}
	return out
}

// show brings the records of a model into a form that is the same in each run.
func (w *killing) show(t *testing.T, model string, marker time.Time) map[string]shown {
	t.Helper()
	out := make(map[string]shown)
	for _, r := range w.walk(t, model, "") {
		out[r.ID] = shown{
			Payload: r.payload, Action: r.Meta.Action, Deleted: r.Meta.Deleted != nil,
			Old: !r.Meta.First.After(marker), Touched: r.Meta.Last.After(marker),
		}
	}
	return out
}

// checkUnchanged looks whether what did not change at the provider was left alone.
func (w *killing) checkUnchanged(t *testing.T, before []record, marker time.Time) {
	t.Helper()
	now := make(map[string]record)
	for _, r := range w.walk(t, "Item", "") {
		now[r.ID] = r
	}
	for i := range before {
		was, is := &before[i], now[before[i].ID]
		if !is.Meta.First.Equal(was.Meta.First) {
			t.Errorf("%s was first seen at %v, and now it says %v", was.ID, was.Meta.First, is.Meta.First)
		}
		if !is.Meta.Last.After(marker) && (is.Meta.Cursor != was.Meta.Cursor || is.payload != was.payload) {
			t.Errorf("%s was changed in silence", was.ID)
		}
	}
}

// follow collects the ids that come behind a cursor, until it is stopped and has
// seen everything.
func (w *killing) follow(t *testing.T, cursor string, news map[string]int, stop <-chan struct{}) {
	t.Helper()
	for {
		var stopped bool
		select {
		case <-stop:
			stopped = true
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			return
		}
		for {
			page, next, err := recordPage(t, w.dev(), "Item", cursor)
			if err != nil {
				if stopped {
					t.Errorf("reading records at the end: %v", err)
				}
				break // it was killed: the same cursor goes on at another one
			}
			for i := range page {
				news[page[i].ID]++
				cursor = page[i].Meta.Cursor
			}
			if next == "" {
				break
			}
		}
		if stopped {
			return
		}
	}
}

// killTimes kills servers while the sync runs: at random instants spread over the
// pages, and around the end.
func (w *killing) killTimes(t *testing.T, kills int) {
	t.Helper()
	pages := w.shelf.pages()
	for n := range kills {
		page := min(n*pages/kills+w.random.IntN(max(1, pages/kills)), pages-1)
		if n == kills-1 {
			page = pages - 1 // what follows it: deleting, and the end
		}
		if n%2 == 1 && n < kills-1 && w.options.Database.URL != "" && !*full {
			page = 0 // while what the last one has left lapses, which takes its time
		}
		select {
		case <-w.shelf.until(page):
		case <-time.After(5 * time.Minute):
			t.Fatalf("page %d of %d was not asked for; %d were in all", page, pages, w.shelf.asked())
		}
		w.wait(t, 200*time.Millisecond)
		w.kill(t)
	}
}

// checkCounts looks whether the undisturbed run is what the shelf holds.
func (w *killing) checkCounts(t *testing.T, got outcome) {
	t.Helper()
	rows, pages := w.shelf.rows(), w.shelf.pages()
	gone := (pages + 4) / 5
	result := func(added, updated, deleted int) map[string]int {
		return map[string]int{"added": added, "updated": updated, "deleted": deleted}
	}
	results := map[string]map[string]int{"Item": result(rows, 2*rows, rows), "Page": result(0, pages-gone, gone)}
	want := outcome{
		Items: got.Items, Pages: got.Pages, News: make(map[string]int), Webhooks: results,
		Status: shelfStatus{
			Status: "PAUSED", Last: "SUCCESS", LatestResult: results,
			RecordCount: map[string]int{"Item": rows * (placesPerRow - 1), "Page": pages - gone},
		},
	}
	for id, r := range got.Items {
		if r.Touched {
			want.News[id] = 1
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an undisturbed sync (-want +got):\n%.4000s", diff)
	}
	for place := range w.shelf.places {
		w.checkPlace(t, got, place)
	}
}

// checkPlace looks at one place of the shelf.
func (w *killing) checkPlace(t *testing.T, got outcome, place int) {
	t.Helper()
	want := shown{Action: "ADDED", Old: true}
	version := 2
	switch place % placesPerRow {
	case goes:
		version, want.Action, want.Touched, want.Deleted = 1, "DELETED", true, true
	case comes:
		want.Old, want.Touched = false, true
	case changes, changesToo:
		want.Action, want.Touched = "UPDATED", true
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(itemAt(place, version)), &members); err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(members) // it was decoded from JSON
	want.Payload = string(payload)
	if diff := cmp.Diff(want, got.Items[fmt.Sprintf("item-%06d", place)]); diff != "" {
		t.Errorf("place %d (-want +got):\n%s", place, diff)
	}
}
