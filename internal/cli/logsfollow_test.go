package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/api"
)

// logServer keeps operations, and lists them in pages of two.
type logServer struct {
	mu       sync.Mutex
	ops      []api.Operation // newest first
	messages map[string][]api.OperationMessage
	number   int64
	lists    []string // the query of each list
	refusal  int      // the status of all answers, if it is not 0; below 0: they break off
}

func (s *logServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if s.refusal < 0 {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"data":[`))
		return
	}
	if s.refusal != 0 {
		w.WriteHeader(s.refusal)
		_, _ = w.Write([]byte(`{"error":{"code":"some_code","message":"Not now."}}`))
		return
	}
	q := r.URL.Query()
	if id, ok := strings.CutPrefix(r.URL.Path, "/logs/operations/"); ok {
		at := slices.IndexFunc(s.ops, func(op api.Operation) bool { return op.ID == id })
		after, _ := strconv.ParseInt(q.Get("after"), 10, 64) // nothing is 0
		messages := slices.DeleteFunc(slices.Clone(s.messages[id]), func(m api.OperationMessage) bool { return m.ID <= after })
		_ = json.NewEncoder(w).Encode(api.OperationReply{Data: api.OperationDetail{Operation: s.ops[at], Messages: messages}})
		return
	}
	s.lists = append(s.lists, r.URL.RawQuery)
	from, _ := time.Parse(time.RFC3339Nano, q.Get("from")) // nothing is long ago
	var page api.Operations
	for _, op := range s.ops {
		if op.CreatedAt.Before(from) || q.Get("before") != "" && op.ID >= q.Get("before") {
			continue
		}
		if len(page.Data) == 2 || q.Get("limit") == strconv.Itoa(len(page.Data)) {
			page.NextCursor = &page.Data[len(page.Data)-1].ID
			break
		}
		page.Data = append(page.Data, op)
	}
	_ = json.NewEncoder(w).Encode(page)
}

// put stores an operation that began, and maybe ended, so many seconds after the
// beginning of the test, as operations are stored late or again.
func (s *logServer) put(id string, began, ended int, messages ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	op := api.Operation{ID: fmt.Sprintf("%05d-%s", began+5000, id), Type: "sync", Action: "run", Status: "running", Message: id, CreatedAt: api.At(start.Add(time.Duration(began) * time.Second))}
	if ended != 0 {
		op.Status, op.EndedAt = "success", new(api.At(start.Add(time.Duration(ended)*time.Second)))
	}
	s.ops = slices.DeleteFunc(s.ops, func(o api.Operation) bool { return o.ID == op.ID })
	s.ops = append(s.ops, op)
	slices.SortFunc(s.ops, func(a, b api.Operation) int { return strings.Compare(b.ID, a.ID) })
	for _, text := range messages {
		s.number++
		s.messages[op.ID] = append(s.messages[op.ID], api.OperationMessage{ID: s.number, Level: "info", Message: text, CreatedAt: op.CreatedAt})
	}
}

// followedLogs returns a server with nothing in its log, the command that reads that, and
// what it prints.
func followedLogs(t *testing.T, o logsOptions) (*logServer, *logs, *bytes.Buffer) {
	t.Helper()
	handler := &logServer{messages: make(map[string][]api.OperationMessage)}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	out := &bytes.Buffer{}
	sys := System{Environ: func(name string) string {
		return map[string]string{"LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_DEV": "key"}[name]
	}, Stdout: out, Stderr: out}
	r, err := dial(sys, "dev")
	if err != nil {
		t.Fatal(err)
	}
	return handler, &logs{logsOptions: o, sys: sys, remote: r, out: newTerminal(sys, out), status: newTerminal(sys, out)}, out
}

// What happens is shown once and whole, in whatever order it is stored.
func TestFollow(t *testing.T) {
	t.Parallel()
	handler, l, out := followedLogs(t, logsOptions{limit: 2, follow: true, asJSON: true})
	f := newFollower(l)

	handler.put("too-old", -600, -590)
	handler.put("shown-1", -500, -499, "a")
	handler.put("shown-2", -10, -1, "b")
	found, err := l.newest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(found)
	if err := f.begin(t.Context(), found); err != nil {
		t.Fatal(err)
	}
	look := func(times int) {
		t.Helper()
		for range times {
			if _, err := f.once(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	look(1)
	handler.put("short", 1, 2, "c")
	handler.put("goes-on", 1, 0, "d")
	look(1)
	handler.put("goes-on", 1, 0, "e")
	look(1)
	for i := range 7 {
		handler.put(fmt.Sprintf("burst-%d", i), 3, 3)
	}
	handler.put("goes-on", 1, 5, "f")
	look(1)
	handler.put("goes-on", 1, 5, "stored after the end")
	look(4)
	handler.put("later", 400, 400)
	look(1)
	handler.put("took long", 2, 390, "g") // it was not stored when it began
	look(128)

	got := make(map[string][]string)
	for line := range strings.Lines(out.String()) {
		var op api.OperationDetail
		if err := json.Unmarshal([]byte(line), &op); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		text := op.Status
		for _, m := range op.Messages {
			text += " " + m.Message
		}
		got[op.Message] = append(got[op.Message], text)
	}
	want := map[string][]string{
		"shown-1": {"success a"}, "shown-2": {"success b"}, "short": {"success c"},
		"goes-on": {"running d", "running e", "success f", "success stored after the end"},
		"later":   {"success"}, "took long": {"success g"},
	}
	for i := range 7 {
		want[fmt.Sprintf("burst-%d", i)] = []string{"success"}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was shown (-want +got)\n%s", diff)
	}
	// Nothing is asked for without a bound once something is known.
	for _, q := range handler.lists[4:] {
		if !strings.Contains(q, "from=") && !strings.Contains(q, "limit=1") {
			t.Errorf("a look without a bound: %s", q)
		}
	}
}

// A person sees each operation's head once, and again when it has ended.
func TestFollowForPeople(t *testing.T) {
	t.Parallel()
	handler, l, out := followedLogs(t, logsOptions{limit: 5, follow: true})
	f := newFollower(l)
	if err := f.begin(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func(){
		func() { handler.put("one", 1, 0, "a"); handler.put("two", 2, 0) },
		func() { handler.put("one", 1, 0, "b") },
		func() { handler.put("two", 2, 3, "c") },
		func() { handler.put("one", 1, 4, "d") },
	} {
		step()
		if _, err := f.once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := `2026-01-02 03:00:01Z  running    sync run  one  05001-one
    03:00:01.000  info   a
2026-01-02 03:00:02Z  running    sync run  two  05002-two
… sync run  05001-one
    03:00:01.000  info   b
… sync run  05002-two
    03:00:02.000  info   c
2026-01-02 03:00:02Z  success    sync run  two  05002-two
… sync run  05001-one
    03:00:01.000  info   d
2026-01-02 03:00:01Z  success    sync run  one  05001-one
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("what was shown (-want +got)\n%s", diff)
	}
}

// A server that is away for a while is waited for, and what happened meanwhile shown.
func TestFollowWithoutServer(t *testing.T) {
	t.Parallel()
	handler, l, out := followedLogs(t, logsOptions{limit: 5, follow: true, brief: true, asJSON: true})
	f := newFollower(l)
	handler.put("before", 1, 2)
	if err := f.begin(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	refuse := func(status int) {
		handler.mu.Lock()
		defer handler.mu.Unlock()
		handler.refusal = status
	}
	host := l.remote
	gone, err := dial(System{Environ: func(name string) string {
		return map[string]string{"LINKSPAN_HOST": "http://127.0.0.1:1", "LINKSPAN_SECRET_KEY_DEV": "key"}[name]
	}}, "dev")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		remote *remote
		status int
		want   string
	}{
		{gone, 0, "No answer, trying again: "},
		{gone, 0, ""},
		{host, http.StatusBadGateway, ""},
		{host, 0, "The server answers again.\n"},
		{host, 0, ""},
		{host, http.StatusServiceUnavailable, "No answer, trying again: "},
		{host, http.StatusTooManyRequests, ""},
		{host, -1, ""},
	} {
		l.remote = step.remote
		refuse(step.status)
		handler.put("meanwhile", 3, 4)
		out.Reset()
		if done, err := f.try(t.Context(), f.once); done || err != nil {
			t.Fatalf("%d: %t, %v", step.status, done, err)
		}
		said := strings.Join(slices.DeleteFunc(slices.Collect(strings.Lines(out.String())), func(line string) bool { return line[0] == '{' }), "")
		if step.want == "" && said != "" || !strings.HasPrefix(said, step.want) {
			t.Errorf("%d: says %q, want %q", step.status, said, step.want)
		}
	}
	if f.known["05003-meanwhile"] == nil {
		t.Error("what happened while the server was away is not shown")
	}
	refuse(http.StatusUnauthorized)
	if _, err := f.try(t.Context(), f.once); err == nil {
		t.Error("goes on with a key that is not accepted")
	}
}

// What happened while the server was away, or this machine slept, is shown however
// long that was, once.
func TestFollowAfterLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		types []string
		fail  int // how many looks fail
	}{{"everything, away", nil, 2}, {"one type, away", []string{"sync"}, 2}, {"everything, asleep", nil, 0}, {"one type, asleep", []string{"sync"}, 0}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			handler, l, out := followedLogs(t, logsOptions{limit: 5, follow: true, brief: true, asJSON: true})
			l.query.Type = c.types
			f := newFollower(l)
			handler.put("goes-on", 1, 0)
			if err := f.begin(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			look := func(times, refusal int) {
				t.Helper()
				handler.mu.Lock()
				handler.refusal = refusal
				handler.mu.Unlock()
				for range times {
					if done, err := f.try(t.Context(), f.once); done || err != nil {
						t.Fatal(done, err)
					}
				}
			}
			look(1, 0)
			look(c.fail, http.StatusBadGateway)
			handler.put("goes-on", 1, 7000)
			want := map[string]int{"goes-on": 1} // that it ended
			if c.fail > 0 {
				want["took long"] = 1 // it was not stored when it began
				handler.put("took long", -300, 5)
			}
			for i := range 4 {
				id := fmt.Sprintf("meanwhile-%d", i)
				want[id] = 1
				handler.put(id, 100+2000*i, 101+2000*i)
			}
			out.Reset()
			look(70, 0)
			got := make(map[string]int)
			for line := range strings.Lines(out.String()) {
				var op api.OperationDetail
				if json.Unmarshal([]byte(line), &op) == nil {
					got[op.Message]++
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what was shown (-want +got)\n%s", diff)
			}
		})
	}
}

// Whoever follows logs and interrupts that has seen what there was: it ends at once, as
// meant, also while the server owes an answer.
func TestFollowInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var lists atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/logs/operations":
			w.WriteHeader(http.StatusForbidden) // settings: not with this key
		case lists.Add(1) < 4:
			_, _ = w.Write([]byte(`{"data":[],"next_cursor":null}`))
		default:
			cancel()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	env := map[string]string{"LINKSPAN_HOST": server.URL, "LINKSPAN_SECRET_KEY_DEV": "key"}
	var stdout, stderr bytes.Buffer
	code := Run(ctx, System{
		Args: []string{"logs", "--follow", "--dir", t.TempDir()}, Environ: func(name string) string { return env[name] }, Stdout: &stdout, Stderr: &stderr,
	}, Server{})
	if code != 0 || stdout.Len()+stderr.Len() > 0 {
		t.Errorf("it ended with %d: %s%s", code, &stdout, &stderr)
	}
}

// Names that somebody gave don't reach the terminal as they are, also not in what is
// added to an operation.
func TestFollowedNamesArePrintable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := newFollower(&logs{out: &terminal{w: &out}})
	at := api.Time{Time: time.Unix(0, 0)}
	op := api.Operation{ID: "op\x1b[2J", Type: "sync", Status: "running\x1b[2J", Integration: new("github"), Connection: new("octo\x1b]0;x\a\nforged"), CreatedAt: at}
	f.showMore(api.OperationDetail{Operation: op, Messages: []api.OperationMessage{{ID: 1, Level: "info\x1b[2J", Message: "m\u009b2J", CreatedAt: at}}}, true)
	if got := out.String(); strings.ContainsAny(got, "\x1b\a\u009b") || strings.Count(got, "\n") != 3 || !strings.Contains(got, "forged") {
		t.Errorf("it writes %q", got)
	}
}
