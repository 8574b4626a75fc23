package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/record"
)

// recordRig is a rig whose connection "c1" of "seeded" has three issues: one that
// was added, one updated and one deleted, in this order.
func recordRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	r.saveIssues("base")
	return r
}

func (r *rig) saveIssues(variant string) {
	r.t.Helper()
	c, err := r.store.Connection(r.t.Context(), nil, r.dev.ID, "seeded", "c1")
	check(r.t, err)
	w := record.Write{Stream: linkspan.RecordStream{EnvironmentID: r.dev.ID, ConnectionID: c.ID, Model: "Issue", Variant: variant}}
	save := func(f func(record.Write) error, records string) {
		w.Records = []byte(records)
		check(r.t, f(w))
	}
	saved := func(w record.Write) error { _, err := r.records.Save(r.t.Context(), w); return err }
	save(saved, `[{"id":1,"title":"<one>","big":12345678901234567890},{"id":"2","title":"two"},{"id":"3","title":"three"}]`)
	save(saved, `[{"id":"2","title":"two again"}]`)
	save(func(w record.Write) error { _, err := r.records.Delete(r.t.Context(), w); return err }, `[{"id":"3"}]`)
}

type listed struct {
	Records []struct {
		ID       string `json:"id"`
		Title    string `json:"title"`
		Metadata struct {
			First   string  `json:"first_seen_at"`
			Last    string  `json:"last_modified_at"`
			Action  string  `json:"last_action"`
			Deleted *string `json:"deleted_at"`
			Pruned  *string `json:"pruned_at"`
			Cursor  string  `json:"cursor"`
		} `json:"_nango_metadata"`
	} `json:"records"`
	Next *string `json:"next_cursor"`
}

func (l *listed) String() string {
	var b strings.Builder
	for _, r := range l.Records {
		fmt.Fprintf(&b, "%s:%s:%s ", r.ID, r.Title, r.Metadata.Action)
	}
	return strings.TrimSpace(b.String())
}

func (r *rig) list(query string) (out listed) {
	r.t.Helper()
	got := r.call(devKey, "GET", "/records/?"+query, "", "Connection-Id", "c1", "Provider-Config-Key", "seeded")
	if got.status != 200 || json.Unmarshal([]byte(got.body), &out) != nil {
		r.t.Fatalf("%s: %d %s", query, got.status, got.body)
	}
	return out
}

func TestListRecords(t *testing.T) {
	t.Parallel()
	r := recordRig(t)
	all := r.list("model=Issue")
	at := func(i int) string { return url.QueryEscape(all.Records[i].Metadata.Last) }
	for query, want := range map[string]string{
		"model=Issue":                                 "1:<one>:ADDED 2:two again:UPDATED 3:three:DELETED",
		"model=Issue&variant=base":                    "1:<one>:ADDED 2:two again:UPDATED 3:three:DELETED",
		"model=Issue::base":                           "1:<one>:ADDED 2:two again:UPDATED 3:three:DELETED",
		"model=Issue&variant=other":                   "",
		"model=Nothing":                               "",
		"model=Issue&limit=2":                         "1:<one>:ADDED 2:two again:UPDATED",
		"model=Issue&filter=added,DELETED":            "1:<one>:ADDED 3:three:DELETED",
		"model=Issue&filter=Updated":                  "2:two again:UPDATED",
		"model=Issue&ids=1&ids=3&ids=9":               "1:<one>:ADDED 3:three:DELETED",
		"model=Issue&ids=1":                           "1:<one>:ADDED",
		"model=Issue&ids=1&filter=deleted":            "",
		"model=Issue&modified_after=" + at(1):         "3:three:DELETED",
		"model=Issue&delta=" + at(0):                  "2:two again:UPDATED 3:three:DELETED",
		"model=Issue&cursor=" + all.cursor(0):         "2:two again:UPDATED 3:three:DELETED",
		"model=Issue&cursor=" + all.cursor(2):         "",
		"model=Issue&limit=1&cursor=" + all.cursor(0): "2:two again:UPDATED",
	} {
		got := r.list(query)
		if got.String() != want {
			t.Errorf("%s: %s, want %s", query, got.String(), want)
		}
	}
	if all.Next != nil || all.Records[2].Metadata.Deleted == nil || all.Records[0].Metadata.Deleted != nil {
		t.Errorf("%+v", all)
	}
	first := r.list("model=Issue&limit=2")
	if first.Next == nil || *first.Next != all.cursor(1) {
		t.Errorf("next %v, want the cursor of the last record", first.Next)
	}
}

func (l *listed) cursor(i int) string { return l.Records[i].Metadata.Cursor }

// TestRecordsAsTheyWere holds what is sent to what was saved, byte for byte.
func TestRecordsAsTheyWere(t *testing.T) {
	t.Parallel()
	r := recordRig(t)
	got := r.call(devKey, "GET", "/records?model=Issue&limit=1", "", "Connection-Id", "c1", "Provider-Config-Key", "seeded")
	const begin = `{"records":[{"big":12345678901234567890,"id":"1","title":"<one>","_nango_metadata":{"first_seen_at":"20`
	if other := `{"records":[{"id":"1","title":"<one>","big":12345678901234567890,"_nango_metadata":{"first_seen_at":"20`; !strings.HasPrefix(got.body, begin) && !strings.HasPrefix(got.body, other) {
		t.Errorf("body %s", got.body)
	}
	if ct := got.header.Get("Content-Type"); ct != "application/json; charset=utf-8" {
		t.Errorf("content type %q", ct)
	}
}

func TestRefusedRecords(t *testing.T) {
	t.Parallel()
	r := recordRig(t)
	long := url.QueryEscape(strings.Repeat("x", 257))
	old := url.QueryEscape(time.Now().AddDate(-1, 0, -2).UTC().Format(time.RFC3339))
	headers := []string{"Connection-Id", "c1", "Provider-Config-Key", "seeded"}
	for _, test := range []struct {
		query, code string
		headers     []string
	}{
		{"", "invalid_query_params", headers},
		{"model=", "invalid_query_params", headers},
		{"model=Issue&variant=", "invalid_query_params", headers},
		{"model=Issue&variant=a%20b", "invalid_query_params", headers},
		{"model=Issue&limit=0", "invalid_query_params", headers},
		{"model=Issue&limit=10001", "invalid_query_params", headers},
		{"model=Issue&limit=x", "invalid_query_params", headers},
		{"model=Issue&more=1", "invalid_query_params", headers},
		{"model=Issue&filter=new", "invalid_query_params", headers},
		{"model=Issue&modified_after=yesterday", "invalid_query_params", headers},
		{"model=Issue&modified_after=" + old, "invalid_query_params", headers},
		{"model=Issue&delta=" + old, "invalid_query_params", headers},
		{"model=Issue&ids=" + long, "invalid_query_params", headers},
		{"model=Issue" + strings.Repeat("&ids=1", 101), "invalid_query_params", headers},
		{"model=Issue&cursor=" + strings.Repeat("x", 1001), "invalid_query_params", headers},
		{"model=Issue&cursor=bm90IG9uZQ", "invalid_cursor_value", headers},
		{"model=Issue", "invalid_headers", nil},
		{"model=Issue", "invalid_headers", headers[:2]},
		{"model=Issue", "unknown_connection", []string{"Connection-Id", "c9", "Provider-Config-Key", "seeded"}},
		{"model=Issue", "unknown_connection", []string{"Connection-Id", "c1", "Provider-Config-Key", "nothing"}},
	} {
		r.expect(r.call(devKey, "GET", "/records?"+test.query, "", test.headers...), 400, test.code)
	}
	r.expect(r.call(prodKey, "GET", "/records?model=Issue", "", headers...), 400, "unknown_connection")
	r.expect(r.call(r.key("environment:records:write"), "GET", "/records?model=Issue", "", headers...), 403, "forbidden")
	r.expect(r.call(r.key("environment:records:read"), "PATCH", "/records/prune", `{}`, headers...), 403, "forbidden")
	for body, code := range map[string]string{
		`{"model":"Issue"}`:                                    "invalid_body",
		`{"model":"Issue","until_cursor":"?"}`:                 "invalid_cursor_value",
		`{"model":"Issue","until_cursor":"x","more":1}`:        "invalid_body",
		`{"model":"Issue","until_cursor":"x","variant":"a/b"}`: "invalid_body",
		`{"model":"Issue","until_cursor":"x","limit":0}`:       "invalid_body",
		`{"model":"Issue","until_cursor":"x","limit":10001}`:   "invalid_body",
	} {
		r.expect(r.call(devKey, "PATCH", "/records/prune", body, headers...), 400, code)
	}
}

func TestPruneRecords(t *testing.T) {
	t.Parallel()
	r := recordRig(t)
	headers := []string{"Connection-Id", "c1", "Provider-Config-Key", "seeded"}
	before := r.list("model=Issue")
	until := before.cursor(1)
	prune := func(more string) string {
		return r.call(devKey, "PATCH", "/records/prune", `{"model":"Issue","until_cursor":"`+until+`"`+more+`}`, headers...).body
	}
	if got := prune(`,"limit":1`); got != `{"count":1,"has_more":true}` {
		t.Errorf("first %s", got)
	}
	if got := prune(``); got != `{"count":1,"has_more":false}` {
		t.Errorf("second %s", got)
	}
	if got := prune(`,"variant":"base"`); got != `{"count":0,"has_more":false}` {
		t.Errorf("third %s", got)
	}
	after := r.list("model=Issue")
	if got := after.String(); got != "1::ADDED 2::UPDATED 3:three:DELETED" {
		t.Errorf("left %s", got)
	}
	for i := range after.Records {
		if pruned := after.Records[i].Metadata.Pruned != nil; pruned != (i < 2) || after.cursor(i) != before.cursor(i) {
			t.Errorf("%+v", after.Records[i])
		}
	}
}

// TestEmptyPages looks for what is rare as clients do, from cursor to cursor until there
// is none, while records change: each that stays as it is comes once.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.seed(devKey)
	c, err := r.store.Connection(t.Context(), nil, r.dev.ID, "seeded", "c1")
	check(t, err)
	w := record.Write{Stream: linkspan.RecordStream{EnvironmentID: r.dev.ID, ConnectionID: c.ID, Model: "Issue", Variant: "base"}}
	save := func(ids ...int) {
		list := make([]string, len(ids))
		for i, id := range ids {
			list[i] = fmt.Sprintf(`{"id":%d,"title":"%d"}`, id, len(ids))
		}
		w.Records = []byte("[" + strings.Join(list, ",") + "]")
		_, err := r.records.Save(t.Context(), w)
		check(t, err)
	}
	for from := 0; from < 60_000; from += 5000 {
		ids := make([]int, 5000)
		for i := range ids {
			ids[i] = from + i
		}
		save(ids...)
	}
	save(40_000, 40_001) // they are behind all others now
	var found []string
	empty := 0
	for query := "model=Issue&filter=updated&limit=2"; ; {
		page := r.list(query)
		if len(page.Records) == 0 {
			empty++
		}
		for i := range page.Records {
			found = append(found, page.Records[i].ID)
		}
		if page.Next == nil {
			break
		}
		if empty == 1 {
			save(40_002) // while somebody looks
		}
		query = "model=Issue&filter=updated&limit=2&cursor=" + url.QueryEscape(*page.Next)
	}
	if got := strings.Join(found, " "); got != "40000 40001 40002" || empty != 2 {
		t.Errorf("found %s with %d empty pages, want 40000 40001 40002 with 2", got, empty)
	}
}

// TestPagesStayApart has many read at once what belongs to two environments, in pages
// of all sizes: memory is used again from one answer to the next, which none may tell.
func TestPagesStayApart(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	want := map[[2]string]string{} // by key and query
	var asked [][2]string
	for key, env := range map[string]linkspan.Environment{devKey: r.dev, prodKey: r.prod} {
		r.seed(key)
		c, err := r.store.Connection(t.Context(), nil, env.ID, "seeded", "c1")
		check(t, err)
		var records []string
		for i := range 60 {
			records = append(records, fmt.Sprintf(`{"id":"%s-%d","text":%q}`, env.Name, i, strings.Repeat(env.Name+" ", i*i)))
		}
		_, err = r.records.Save(t.Context(), record.Write{
			Stream:  linkspan.RecordStream{EnvironmentID: env.ID, ConnectionID: c.ID, Model: "Issue", Variant: "base"},
			Records: []byte("[" + strings.Join(records, ",") + "]"),
		})
		check(t, err)
		for _, query := range []string{"", "&limit=1", "&limit=30", "&filter=deleted", "&filter=added&limit=45", "&ids=" + env.Name + "-59&ids=" + env.Name + "-3", "&ids=dev-8&ids=prod-8"} {
			of := [2]string{key, query}
			asked = append(asked, of)
			want[of] = r.call(key, "GET", "/records?model=Issue"+query, "", "Connection-Id", "c1", "Provider-Config-Key", "seeded").body
		}
	}
	for of, body := range want {
		other := map[string]string{devKey: "prod-", prodKey: "dev-"}[of[0]]
		if !strings.HasPrefix(body, `{"records":[`) || strings.Contains(body, other) {
			t.Fatalf("%s: %.200s", of[1], body)
		}
	}
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			for n := range 5 * len(asked) {
				of := asked[(n*(2*i+1)+i)%len(asked)]
				if got := r.call(of[0], "GET", "/records?model=Issue"+of[1], "", "Connection-Id", "c1", "Provider-Config-Key", "seeded"); got.body != want[of] {
					t.Errorf("%s: %d %.200s", of[1], got.status, got.body)
					return
				}
			}
		})
	}
	readers.Wait()
}

// useRecords calls what the client has for records.
func useRecords(t *testing.T, r *rig, c *client.Client) {
	t.Helper()
	r.saveIssues("v2")
	ctx := t.Context()
	of := client.Records{ProviderConfigKey: "seeded", ConnectionID: "c1", Model: "Issue", Variant: "v2"}
	first, err := c.ListRecords(ctx, of, client.RecordFilter{
		Limit: 1, IDs: []string{"1", "2"}, Actions: []string{"added", "updated"}, ModifiedAfter: time.Now().Add(-time.Hour),
	})
	if err != nil || len(first.Records) != 1 || first.Records[0]["id"] != "1" || first.NextCursor == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := c.ListRecords(ctx, of, client.RecordFilter{Cursor: *first.NextCursor})
	if err != nil || len(rest.Records) != 2 || rest.NextCursor != nil {
		t.Errorf("%+v, %v", rest, err)
	}
	if pruned, err := c.PruneRecords(ctx, of, *first.NextCursor, 10); err != nil || pruned.Count != 1 || pruned.HasMore {
		t.Errorf("%+v, %v", pruned, err)
	}
}
