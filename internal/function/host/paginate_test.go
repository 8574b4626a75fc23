package host_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/proxy"
)

// list is an API that lists the numbers 1 to 7 in every way, and notes what it
// was asked.
type list struct {
	mu    sync.Mutex
	asked []string
}

func (l *list) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	l.asked = append(l.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	l.mu.Unlock()
	q := r.URL.Query()
	var sent map[string]any
	_ = json.Unmarshal(body, &sent)
	from := func(text string) int { n, _ := strconv.Atoi(text); return n }
	pick := func(start, n int) []int {
		items := []int{}
		for i := start; i < min(start+n, 8); i++ {
			items = append(items, i)
		}
		return items
	}
	reply := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	host := "http://" + r.Host
	switch strings.TrimPrefix(r.URL.Path, "/api") {
	case "/cursor":
		start := max(from(q.Get("after")), 1)
		next := any(fmt.Sprint(start + 3))
		if start+3 > 7 {
			next = " "
		}
		reply(map[string]any{"results": pick(start, 3), "paging": map[string]any{"next": next}})
	case "/number":
		start := max(from(q.Get("after")), 1)
		var next any
		if start+4 < 8 {
			next = start + 4
		}
		reply(map[string]any{"results": pick(start, 4), "paging": map[string]any{"next": next}})
	case "/empty":
		reply(map[string]any{"results": []int{}, "paging": map[string]any{"next": "x"}})
	case "/body":
		page, _ := sent["page"].(map[string]any)
		start, _ := page["from"].(float64)
		start = max(start, 1)
		out := map[string]any{"odata.next": nil, "items": pick(int(start), 5)}
		if start+5 < 8 {
			out["odata.next"] = start + 5
		}
		reply(out)
	case "/links":
		start := max(from(q.Get("at")), 1)
		if start+3 < 8 {
			w.Header().Set("Link", fmt.Sprintf(`<%s/api/first>; rel="first", <%s/api/links?at=%d&x=a,b>; rel="last next"; title="a, b"`, host, host, start+3))
		}
		reply(pick(start, 3))
	case "/linkbody":
		start := max(from(q.Get("at")), 1)
		out := map[string]any{"items": pick(start, 4), "@odata.nextLink": ""}
		if start+4 < 8 {
			out["@odata.nextLink"] = fmt.Sprintf("/linkbody?at=%d", start+4)
		}
		reply(out)
	case "/same":
		reply(map[string]any{"items": []int{1}, "next": host + "/api/same?p=2"})
	case "/offset":
		start := from(q.Get("start"))
		size := 3
		if q.Get("max") != "" {
			size = from(q.Get("max"))
		}
		reply(map[string]any{"data": pick(start, size)})
	case "/pages":
		page := from(q.Get("page"))
		reply(pick(1+page*3, 3))
	case "/bodyoffset":
		start, _ := sent["offset"].(float64)
		reply(pick(int(start)+1, 4))
	case "/object":
		reply(map[string]any{"things": map[string]any{"a": 1}})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestPaginate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		integration, config string
		want                string // pages, or the code of the error
		asked               []string
	}{
		"cursor by default": {
			"cursors", `{endpoint: "/cursor", params: {q: "x"}, paginate: {limit: 3}}`, `[[1,2,3],[4,5,6],[7]]`,
			[]string{"GET /api/cursor?q=x&count=3", "GET /api/cursor?q=x&count=3&after=4", "GET /api/cursor?q=x&count=3&after=7"},
		},
		"cursor without a limit, string params": {
			"cursors", `{endpoint: "/cursor", params: "q=x&after=1"}`, `[[1,2,3],[4,5,6],[7]]`,
			[]string{"GET /api/cursor?q=x&after=1", "GET /api/cursor?q=x&after=4", "GET /api/cursor?q=x&after=7"},
		},
		"numeric cursor": {"cursors", `{endpoint: "/number"}`, `[[1,2,3,4],[5,6,7]]`, []string{"GET /api/number", "GET /api/number?after=5"}},
		"empty page":     {"cursors", `{endpoint: "/empty"}`, `[]`, []string{"GET /api/empty"}},
		"cursor in the body": {
			"acme", `{endpoint: "/body", method: "POST", data: {page: {size: 5}, q: 1}, paginate: {type: "cursor", cursor_name_in_request: "page.from", cursor_path_in_response: "odata.next", response_path: "items", limit: 5, limit_name_in_request: "page.size"}}`,
			`[[1,2,3,4,5],[6,7]]`,
			[]string{`POST /api/body {"page":{"size":5},"q":1}`, `POST /api/body {"page":{"size":5,"from":6},"q":1}`},
		},
		"link header": {
			"links", `{endpoint: "/links", params: {q: "x"}, paginate: {limit: 3}}`, `[[1,2,3],[4,5,6],[7]]`,
			[]string{"GET /api/links?q=x&per_page=3", "GET /api/links?at=4&x=a,b", "GET /api/links?at=7&x=a,b"},
		},
		"link in the body": {
			"acme", `{endpoint: "/linkbody", params: {q: "x"}, paginate: {type: "link", link_path_in_response_body: "@odata.nextLink", response_path: "items"}}`,
			`[[1,2,3,4],[5,6,7]]`,
			[]string{"GET /api/linkbody?q=x", "GET /api/linkbody?at=5"},
		},
		"the same link twice": {
			"acme", `{endpoint: "/same", paginate: {type: "link", link_path_in_response_body: "next", response_path: "items"}}`, `[[1],[1]]`,
			[]string{"GET /api/same", "GET /api/same?p=2"},
		},
		"offset by default": {
			"offsets", `{endpoint: "/offset", paginate: {limit: 4}}`, `[[1,2,3,4],[5,6,7]]`, []string{"GET /api/offset?max=4&start=1", "GET /api/offset?max=4&start=5"},
		},
		"offset without a limit": {
			"offsets", `{endpoint: "/offset"}`, `[[1,2,3],[4,5,6],[7]]`,
			[]string{"GET /api/offset?start=1", "GET /api/offset?start=4", "GET /api/offset?start=7", "GET /api/offset?start=8"},
		},
		"pages": {
			"acme", `{endpoint: "/pages", paginate: {type: "offset", offset_name_in_request: "page", offset_calculation_method: "per-page", limit: 3}}`,
			`[[1,2,3],[4,5,6],[7]]`,
			[]string{"GET /api/pages?page=0", "GET /api/pages?page=1", "GET /api/pages?page=2"},
		},
		"offset in the body": {
			"acme", `{endpoint: "/bodyoffset", method: "put", paginate: {type: "offset", offset_name_in_request: "offset", limit: 4, limit_name_in_request: "n"}}`,
			`[[1,2,3,4],[5,6,7]]`,
			[]string{`PUT /api/bodyoffset {"n":4,"offset":0}`, `PUT /api/bodyoffset {"n":4,"offset":4}`},
		},
		"in the body of another verb": {
			"acme", `{endpoint: "/bodyoffset", method: "DELETE", paginate: {type: "offset", in_body: true, offset_name_in_request: "offset", limit: 4}}`,
			`[[1,2,3,4],[5,6,7]]`,
			[]string{`DELETE /api/bodyoffset {"offset":0}`, `DELETE /api/bodyoffset {"offset":4}`},
		},
		"another type than the provider's": {
			"cursors", `{endpoint: "/pages", paginate: {type: "offset", response_path: "", offset_name_in_request: "page", offset_calculation_method: "per-page", limit: 3}}`,
			`[[1,2,3],[4,5,6],[7]]`,
			[]string{"GET /api/pages?count=3&page=0", "GET /api/pages?count=3&page=1", "GET /api/pages?count=3&page=2"},
		},
		"nothing configured":   {"acme", `{endpoint: "/cursor"}`, `"pagination_not_configured"`, nil},
		"no type":              {"acme", `{endpoint: "/cursor", paginate: {limit: 1}}`, `"invalid_pagination"`, nil},
		"cursor without names": {"acme", `{endpoint: "/cursor", paginate: {type: "cursor"}}`, `"invalid_pagination"`, nil},
		"limit without a name": {"acme", `{endpoint: "/cursor", paginate: {type: "cursor", cursor_name_in_request: "a", cursor_path_in_response: "b", limit: 1}}`, `"invalid_pagination"`, nil},
		"an object for a list": {"cursors", `{endpoint: "/object", paginate: {response_path: "things"}}`, `"invalid_pagination"`, []string{"GET /api/object"}},
		"an answer that fails": {"cursors", `{endpoint: "/missing"}`, `"ERR_BAD_REQUEST"`, []string{"GET /api/missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &list{}
			w := newWorld(t, l.serve)
			r := w.run(t, `const out = []; try { for await (const page of nango.paginate(`+tt.config+`)) out.push(page) } catch (e) { return e.code ?? String(e) } return out`,
				func(r *trial) { r.info = w.info(tt.integration, "c1") })
			if diff := cmp.Diff(tt.want, r.text(t)); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.asked, l.asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnPage(t *testing.T) {
	t.Parallel()
	l := &list{}
	w := newWorld(t, l.serve)
	got := w.run(t, `
		const seen = [];
		const on_page = async ({ nextPageParam, response }) => { seen.push(["page", nextPageParam ?? null, response.status]) };
		for await (const page of nango.paginate({ endpoint: "/cursor", paginate: { on_page } })) seen.push(page.length);
		for await (const page of nango.paginate({ endpoint: "/cursor", paginate: { on_page } })) break;
		return seen;`, func(r *trial) { r.info = w.info("cursors", "c1") }).text(t)
	if want := `[3,["page","4",200],3,["page","7",200],1,["page",null,200]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLinksAtHome pages by whole links where overrides of the base URL are off.
func TestLinksAtHome(t *testing.T) {
	t.Parallel()
	l := &list{}
	w := newWorldWith(t, l.serve, proxy.OverrideOff)
	const body = `const out = []; try { for await (const page of nango.paginate({endpoint: "/links"})) out.push(page) } catch (e) { out.push(e.code) } return out`
	links := func(r *trial) { r.info = w.info("links", "c1") }
	if got := w.run(t, body, links).text(t); got != `[[1,2,3],[4,5,6],[7]]` {
		t.Errorf("pages = %s", got)
	}
	if got := w.run(t, `try { await nango.get({endpoint: "/x", baseUrlOverride: "https://elsewhere.example"}) } catch (e) { return e.code }`, links).text(t); got != `"base_url_override_disabled"` {
		t.Errorf("an override: %s", got)
	}
	// Home is at /api: what only begins like it is elsewhere.
	for _, endpoint := range []string{"/apix/y", "/api.evil/y", "/api@evil/y", "/", ""} {
		got := w.run(t, `try { return (await nango.get({endpoint: `+shown(endpoint)+`, baseUrlOverride: `+shown(w.saas.URL)+`})).status } catch (e) { return e.code }`, links).text(t)
		if got != `"base_url_override_disabled"` {
			t.Errorf("an override beside home with %q: %s", endpoint, got)
		}
	}
}
