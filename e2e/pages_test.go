package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/apptest"
)

// shelf is a provider with many items, given page by page, in two versions. Of
// twenty places one holds an item in the first version only, one in the second
// only, and two hold items that change.
type shelf struct {
	url                   string
	places, perPage       int
	pause, everyTenth     time.Duration
	mu                    sync.Mutex
	version, served, last int // last is the page that was asked for farthest
	waiting               []waiter
}

// waiter waits until a page is asked for.
type waiter struct {
	page    int
	reached chan struct{}
}

// The fates of a place.
const (
	placesPerRow = 20
	goes, comes  = 0, 1
	changes      = 2
	changesToo   = 3
)

// newShelf has so many items in each version.
func newShelf(t *testing.T, items, perPage int) *shelf {
	t.Helper()
	s := &shelf{
		places: (items + placesPerRow - 2) / (placesPerRow - 1) * placesPerRow, perPage: perPage, version: 1, last: -1,
		pause: 5 * time.Millisecond, everyTenth: 150 * time.Millisecond,
	}
	site := httptest.NewServer(s)
	t.Cleanup(site.Close)
	s.url = site.URL
	return s
}

func (s *shelf) pages() int { return (s.places + s.perPage - 1) / s.perPage }

// rows is how often each fate occurs.
func (s *shelf) rows() int { return s.places / placesPerRow }

// change replaces the first version by the second.
func (s *shelf) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.last = 2, -1
}

// until is closed when a page is asked for, in this version.
func (s *shelf) until(page int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := waiter{page, make(chan struct{})}
	if s.last >= page {
		close(w.reached)
	} else {
		s.waiting = append(s.waiting, w)
	}
	return w.reached
}

// asked returns how many pages were asked for so far.
func (s *shelf) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served
}

// note counts a page and returns the version to answer with.
func (s *shelf) note(page int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served++
	s.last = max(s.last, page)
	left := s.waiting[:0]
	for _, w := range s.waiting {
		if s.last >= w.page {
			close(w.reached)
		} else {
			left = append(left, w)
		}
	}
	s.waiting = left
	return s.version
}

// ServeHTTP implements http.Handler.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 0 || page >= s.pages() {
		http.NotFound(w, r)
		return
	}
	version := s.note(page)
	pause := time.NewTimer(s.pauseBefore(page))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-r.Context().Done():
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"version":%d,"items":[`, version)
	n := 0
	for place := page * s.perPage; place < min((page+1)*s.perPage, s.places); place++ {
		if text := itemAt(place, version); text != "" {
			if n > 0 {
				b.WriteByte(',')
			}
			b.WriteString(text)
			n++
		}
	}
	next := "null"
	if page+1 < s.pages() {
		next = strconv.Itoa(page + 1)
	}
	b.WriteString(`],"next":` + next + `}`)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(b.String())) // a caller that died can't be told
}

func (s *shelf) pauseBefore(page int) time.Duration {
	if page%10 == 9 {
		return s.everyTenth
	}
	return s.pause
}

// itemAt is the item at a place; empty when there is none in this version.
func itemAt(place, version int) string {
	revision := 1
	switch place % placesPerRow {
	case goes:
		if version == 2 {
			return ""
		}
	case comes:
		if version == 1 {
			return ""
		}
	case changes, changesToo:
		revision = version
	}
	return fmt.Sprintf(`{"id":"item-%06d","name":"Item %d, größer","amount":%d.25,"revision":%d,"tags":["a","b%d"],"nested":{"place":%d,"more":[null,true,{}]},"text":%q}`,
		place, place, place*7, revision, place%11, place, strings.Repeat("lorem ipsum ", 15))
}

// provider writes the shelf's provider file, for Options.ProvidersDir.
func (s *shelf) provider(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	apptest.WriteProvider(t, dir, "shelf", `name: shelf
display_name: Shelf
categories: [other]
auth:
  mode: NONE
api:
  base_url:
    - `+s.url+"\n")
	return dir
}

// shelfSync reads the shelf, and notes each page in a model of its own.
const shelfSync = `import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "All items, page by page",
	frequency: "every 30 days",
	autoStart: false,
	models: { Item: z.object({ id: z.string() }), Page: z.object({ id: z.string() }) },
	checkpoint: z.object({ page: z.number() }),
	exec: async (nango) => {
		await nango.trackDeletesStart("Item");
		let page: number | null = (await nango.getCheckpoint())?.page ?? 0;
		while (page !== null) {
			const { data }: any = await nango.get({ endpoint: "/items", params: { page: String(page) }, retries: 3 });
			await nango.batchSave(data.items, "Item");
			const id = "page-" + page;
			if (data.version === 1) await nango.batchSave([{ id, seen: { first: data.items.length } }], "Page");
			else if (page % 5 === 0) await nango.batchDelete([{ id }], "Page");
			else await nango.batchUpdate([{ id, seen: { second: data.items.length } }], "Page");
			page = data.next;
			if (page !== null) await nango.saveCheckpoint({ page });
		}
		await nango.clearCheckpoint();
		const { deletedKeys } = await nango.trackDeletesEnd("Item");
		await nango.log(deletedKeys.length + " items are gone");
	},
});
`
