package demo_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/demo"
)

type ticketPage struct {
	Data       []demo.Ticket `json:"data"`
	NextCursor *string       `json:"next_cursor"`
}

// list walks over all pages of a list of tickets. between is called after each
// page.
func (f *fixture) list(t *testing.T, query string, between func(page int)) []demo.Ticket {
	t.Helper()
	var all []demo.Ticket
	cursor := ""
	for n := 1; ; n++ {
		page := decode[ticketPage](t, f.api(t, http.MethodGet, "/tickets?"+query+"&cursor="+cursor, "").want(t, http.StatusOK))
		all = append(all, page.Data...)
		if between != nil {
			between(n)
		}
		if page.NextCursor == nil {
			return all
		}
		cursor = *page.NextCursor
	}
}

func ids(tickets []demo.Ticket) []int {
	var all []int
	for _, t := range tickets {
		all = append(all, t.ID)
	}
	return all
}

func TestCursorPagination(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	got := ids(f.list(t, "limit=10", nil))
	want := make([]int, 42)
	for i := range want {
		want[i] = i + 1
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// What changes while a caller is under way is seen again, at its new place,
	// and nothing else is missed.
	got = ids(f.list(t, "limit=10", func(page int) {
		if page == 1 {
			f.api(t, http.MethodPatch, "/tickets/3", `{"status":"solved"}`).want(t, http.StatusOK)
			f.api(t, http.MethodDelete, "/tickets/20", "").want(t, http.StatusNoContent)
			f.api(t, http.MethodDelete, "/tickets/10", "").want(t, http.StatusNoContent) // the cursor's own
		}
	}))
	want = append(slices.DeleteFunc(want, func(id int) bool { return id == 20 }), 3)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	f.api(t, http.MethodGet, "/tickets?cursor=x", "").want(t, http.StatusBadRequest, "bad_cursor")
	f.api(t, http.MethodGet, "/tickets?limit=0", "").want(t, http.StatusBadRequest)
}

func TestUpdatedSince(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.clock.advance(time.Hour)
	since := url.QueryEscape(f.clock.Now().Format(time.RFC3339))
	if got := f.list(t, "updated_since="+since, nil); len(got) != 0 {
		t.Errorf("%d tickets have changed since now", len(got))
	}
	f.api(t, http.MethodPatch, "/tickets/7", `{"priority":"urgent"}`).want(t, http.StatusOK)
	f.api(t, http.MethodPost, "/tickets/9/comments", `{"body":"hello"}`).want(t, http.StatusCreated, `"author_id":1`)
	created := decode[demo.Ticket](t, f.api(t, http.MethodPost, "/tickets", `{"subject":"New","tags":["a"]}`).want(t, http.StatusCreated))
	got := f.list(t, "limit=1&updated_since="+since, nil)
	if d := cmp.Diff([]int{7, 9, created.ID}, ids(got)); d != "" {
		t.Error(d)
	}
	if !got[2].UpdatedAt.After(got[1].UpdatedAt) {
		t.Errorf("two changes have the times %v and %v", got[1].UpdatedAt, got[2].UpdatedAt)
	}
	f.api(t, http.MethodGet, "/tickets?updated_since=yesterday", "").want(t, http.StatusBadRequest)
	open := f.list(t, "status=open", nil)
	if len(open) == 0 || slices.ContainsFunc(open, func(t demo.Ticket) bool { return t.Status != "open" }) {
		t.Errorf("the filter for open tickets finds %v", ids(open))
	}
}

// Who asks for them gets deleted tickets, too, in the order of changes; nobody
// else does.
func TestIncludeDeleted(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.clock.advance(time.Hour)
	since := "updated_since=" + url.QueryEscape(f.clock.Now().Format(time.RFC3339))
	f.api(t, http.MethodPatch, "/tickets/7", `{"priority":"urgent"}`).want(t, http.StatusOK)
	f.api(t, http.MethodDelete, "/tickets/9", "").want(t, http.StatusNoContent)
	f.api(t, http.MethodPatch, "/tickets/8", `{"priority":"urgent"}`).want(t, http.StatusOK)

	if d := cmp.Diff([]int{7, 8}, ids(f.list(t, since, nil))); d != "" {
		t.Error(d)
	}
	got := f.list(t, "limit=1&include_deleted=true&"+since, nil)
	if d := cmp.Diff([]int{7, 9, 8}, ids(got)); d != "" {
		t.Fatal(d)
	}
	if gone := got[1]; gone.DeletedAt == nil || !gone.DeletedAt.Equal(gone.UpdatedAt) || !gone.UpdatedAt.After(got[0].UpdatedAt) {
		t.Errorf("it was deleted at %v and changed at %v", gone.DeletedAt, gone.UpdatedAt)
	}
	if got[0].DeletedAt != nil {
		t.Error("a ticket that is there is shown as deleted")
	}
	f.api(t, http.MethodGet, "/tickets/9", "").want(t, http.StatusNotFound)
	f.do(t, http.MethodGet, "/", "").want(t, http.StatusOK, "41 tickets")
	f.api(t, http.MethodGet, "/tickets?include_deleted=maybe", "").want(t, http.StatusBadRequest, "bad_query")
}

// Of very many deleted tickets the oldest are forgotten.
func TestManyDeleted(t *testing.T) {
	t.Parallel()
	const tickets = 10_005
	f := start(t, func(c *demo.Config) { c.Tickets = tickets })
	for id := range tickets {
		f.api(t, http.MethodDelete, "/tickets/"+strconv.Itoa(id+1), "").want(t, http.StatusNoContent)
	}
	got := f.list(t, "limit=100&include_deleted=true", nil)
	if len(got) != 10_000 || got[0].ID != 6 {
		t.Errorf("%d deleted tickets are remembered, from %d on", len(got), got[0].ID)
	}
}

func TestTickets(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	made := decode[demo.Ticket](t, f.api(t, http.MethodPost, "/tickets", `{"subject":"New","priority":"high","assignee_id":2}`).want(t, http.StatusCreated))
	changed := decode[demo.Ticket](t, f.api(t, http.MethodPatch, "/tickets/"+strconv.Itoa(made.ID), `{"status":"solved"}`).want(t, http.StatusOK))
	want := made
	want.Status, want.UpdatedAt = "solved", changed.UpdatedAt
	if d := cmp.Diff(want, changed); d != "" {
		t.Error(d)
	}
	path := "/tickets/" + strconv.Itoa(made.ID)
	f.api(t, http.MethodDelete, path, "").want(t, http.StatusNoContent)
	f.api(t, http.MethodGet, path, "").want(t, http.StatusNotFound)
	f.api(t, http.MethodPatch, path, "{}").want(t, http.StatusNotFound)
	for body, status := range map[string]int{
		`{"subject":" "}`:                  http.StatusUnprocessableEntity,
		`{"subject":"x","status":"done"}`:  http.StatusUnprocessableEntity,
		`{"subject":"x","assignee_id":99}`: http.StatusUnprocessableEntity,
		`{"subject":"x","colour":"red"}`:   http.StatusBadRequest,
		`{`:                                http.StatusBadRequest,
		`{"description":"` + strings.Repeat("x", 70_000) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		f.api(t, http.MethodPost, "/tickets", body).want(t, status)
	}
	f.api(t, http.MethodPost, "/tickets/1/comments", `{"body":"`+strings.Repeat("x", 10_001)+`"}`).want(t, http.StatusUnprocessableEntity)
	f.api(t, http.MethodGet, "/tickets?limit=0", "").want(t, http.StatusBadRequest, "at least 1")
	f.api(t, http.MethodPut, "/tickets/1", "{}").want(t, http.StatusNotFound)
}

func TestOffsetPagination(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for range 5 {
		f.api(t, http.MethodPost, "/tickets/5/comments", `{"body":"more"}`).want(t, http.StatusCreated)
	}
	type page struct {
		Comments []demo.Comment `json:"comments"`
		Total    int            `json:"total"`
	}
	var all []demo.Comment
	for {
		p := decode[page](t, f.api(t, http.MethodGet, fmt.Sprintf("/comments?limit=7&offset=%d", len(all)), "").want(t, http.StatusOK))
		all = append(all, p.Comments...)
		if len(p.Comments) == 0 {
			if len(all) != p.Total || p.Total < 6 {
				t.Errorf("%d comments on the pages, %d in all", len(all), p.Total)
			}
			break
		}
	}
	if !slices.IsSortedFunc(all, func(a, b demo.Comment) int { return a.ID - b.ID }) {
		t.Error("the pages overlap")
	}
	p := decode[page](t, f.api(t, http.MethodGet, "/comments?ticket_id=5&limit=100", "").want(t, http.StatusOK))
	if p.Total < 5 || slices.ContainsFunc(p.Comments, func(c demo.Comment) bool { return c.TicketID != 5 }) {
		t.Errorf("ticket 5 has %d comments: %v", p.Total, p.Comments)
	}
	f.api(t, http.MethodDelete, "/tickets/5", "").want(t, http.StatusNoContent)
	f.api(t, http.MethodGet, "/comments?ticket_id=5", "").want(t, http.StatusOK, `"comments":[]`, `"total":0`)
	f.api(t, http.MethodGet, "/comments?offset=-1", "").want(t, http.StatusBadRequest)
}

func TestLinkPagination(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	next := "/api/keyed/users"
	var names []string
	for next != "" {
		r := f.do(t, http.MethodGet, next, "", "X-Api-Key", apiKey).want(t, http.StatusOK)
		for _, u := range decode[[]demo.User](t, r) {
			names = append(names, u.Name)
		}
		next = ""
		for link := range strings.SplitSeq(r.header.Get("Link"), ", ") {
			if target, ok := strings.CutSuffix(link, `>; rel="next"`); ok {
				next = strings.TrimPrefix(target, "<"+f.url)
			}
		}
	}
	if len(names) != 25 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != 25 {
		t.Errorf("the pages hold %d people: %v", len(names), names)
	}
	f.api(t, http.MethodGet, "/users/3", "").want(t, http.StatusOK, "Aiko Tanaka")
	f.api(t, http.MethodGet, "/users/77", "").want(t, http.StatusNotFound)
	f.api(t, http.MethodGet, "/users?page=77", "").want(t, http.StatusOK, "[]")
}

func TestKeysAndLogins(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	login := func(text string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
	}
	f.do(t, http.MethodGet, "/api/keyed/me", "", "X-Api-Key", apiKey).want(t, http.StatusOK, "Mira Novak")
	f.do(t, http.MethodGet, "/api/keyed/me", "", "X-Api-Key", "tk_other").want(t, http.StatusUnauthorized)
	f.do(t, http.MethodGet, "/api/basic/me", "", login("mira:pass")...).want(t, http.StatusOK, "Mira Novak")
	f.do(t, http.MethodGet, "/api/basic/me", "", login("mira:other")...).want(t, http.StatusUnauthorized)
	f.do(t, http.MethodGet, "/api/basic/me", "", login("other:pass")...).want(t, http.StatusUnauthorized)
	for path, scheme := range map[string]string{"/api/me": "Bearer", "/api/keyed/me": "ApiKey", "/api/basic/me": "Basic"} {
		r := f.do(t, http.MethodGet, path, "").want(t, http.StatusUnauthorized)
		if got, _, _ := strings.Cut(r.header.Get("WWW-Authenticate"), " "); got != scheme {
			t.Errorf("%s asks for %q, not %q", path, got, scheme)
		}
	}
	closed := start(t, func(c *demo.Config) { c.APIKey, c.Username, c.Password = "", "", "" })
	closed.do(t, http.MethodGet, "/api/keyed/me", "", "X-Api-Key", "").want(t, http.StatusUnauthorized)
	closed.do(t, http.MethodGet, "/api/basic/me", "", login(":")...).want(t, http.StatusUnauthorized)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *demo.Config) { c.RequestsPerMinute = 2 })
	f.api(t, http.MethodGet, "/me", "").want(t, http.StatusOK)
	if r := f.api(t, http.MethodGet, "/me", "").want(t, http.StatusOK); r.header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("the caller is told that %q remain", r.header.Get("X-RateLimit-Remaining"))
	}
	r := f.api(t, http.MethodGet, "/me", "").want(t, http.StatusTooManyRequests, "rate_limited")
	if r.header.Get("Retry-After") != "55" { // the clock stands at 5 seconds past the minute
		t.Errorf("the caller is told to wait %q s", r.header.Get("Retry-After"))
	}
	f.me(t, f.Issue().Access).want(t, http.StatusOK) // others are not concerned
	f.clock.advance(55 * time.Second)
	f.api(t, http.MethodGet, "/me", "").want(t, http.StatusOK)
}

// Two services hold the same.
func TestSeedIsTheSame(t *testing.T) {
	t.Parallel()
	a, b := start(t, nil), start(t, nil)
	if d := cmp.Diff(a.list(t, "limit=100", nil), b.list(t, "limit=100", nil)); d != "" {
		t.Error(d)
	}
	none := start(t, func(c *demo.Config) { c.Tickets = -100 })
	if got := none.list(t, "limit=100", nil); len(got) != 0 {
		t.Errorf("an empty desk has %d tickets", len(got))
	}
	made := decode[demo.Ticket](t, none.api(t, http.MethodPost, "/tickets", `{"subject":"First"}`).want(t, http.StatusCreated))
	if !made.CreatedAt.Equal(none.clock.Now()) {
		t.Errorf("the first ticket is from %v, not from now", made.CreatedAt)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.api(t, http.MethodPost, "/tickets", `{"subject":"<script>alert(1)</script>"}`).want(t, http.StatusCreated)
	f.do(t, http.MethodGet, "/", "").want(t, http.StatusOK, "Lumen Books", "43 tickets", "&lt;script&gt;alert", "just now")
	f.do(t, http.MethodGet, "/settings", "").want(t, http.StatusOK, apiKey, "mira", "pass")
	if r := f.do(t, http.MethodGet, "/style.css", "").want(t, http.StatusOK); !strings.HasPrefix(r.header.Get("Content-Type"), "text/css") {
		t.Errorf("the style sheet is %q", r.header.Get("Content-Type"))
	}
	none := start(t, func(c *demo.Config) { c.Tickets = -1 })
	none.do(t, http.MethodGet, "/", "").want(t, http.StatusOK, "No tickets")
}
