package app

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/api/client"
)

// judging is a demo without a server that has received webhooks.
func judging(once bool, arrivals ...arrival) *demonstration {
	d := newDemonstration(DemoOptions{Once: once, Out: io.Discard})
	d.world = &demoWorld{receiver: newReceiver("key"), failed: make(chan error, 1)}
	for _, a := range arrivals {
		d.world.receiver.arrivals <- a
	}
	return d
}

func syncArrival(c changes) arrival {
	return arrival{Type: "sync", ConnectionID: "c", SyncName: demoSync, Model: demoModel, Results: c}
}

// Webhooks may tell of changes in parts, and must not tell of more than there are.
func TestAwaitChanges(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	failed := syncArrival(changes{})
	failed.Success, failed.Error = new(false), &arrivalError{Description: "The roof leaks."}
	other := syncArrival(changes{Added: 7})
	other.ConnectionID = "another"
	foreign := syncArrival(changes{Updated: 1})
	foreign.Model = "Person"
	for name, tt := range map[string]struct {
		arrivals []arrival
		want     string // of the error
	}{
		"all at once":       {arrivals: []arrival{syncArrival(changes{2, 1, 0})}},
		"in parts":          {arrivals: []arrival{syncArrival(changes{1, 0, 0}), other, syncArrival(changes{1, 1, 0})}},
		"more than wanted":  {[]arrival{syncArrival(changes{2, 1, 1})}, "told of 2 added, 1 updated, 1 deleted in all, not of 2 added, 1 updated, 0 deleted"},
		"more in the end":   {[]arrival{syncArrival(changes{1, 1, 0}), syncArrival(changes{2, 0, 0})}, "told of 3 added"},
		"a failure":         {[]arrival{failed}, "The roof leaks."},
		"of another model":  {[]arrival{foreign}, `"Person"`},
		"the wrong account": {[]arrival{other}, "waited for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := judging(true, tt.arrivals...)
			ctx := t.Context()
			if tt.want == "waited for" {
				d.dev, ctx = must(client.New("http://127.0.0.1:1", "key")), ended
			}
			err := d.awaitChanges(ctx, &walk{connection: "c", want: changes{2, 1, 0}})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, not %q", err, tt.want)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What is about something else is for people, not for whoever reads only whether
// all went well.
func TestAwaitTellsPeopleOfOthers(t *testing.T) {
	t.Parallel()
	for once, want := range map[bool]int{true: 1, false: 2} {
		w := &walk{connection: "c", want: changes{Added: 1}}
		other := syncArrival(changes{Added: 7})
		other.ConnectionID = "another"
		if err := judging(once, other, syncArrival(changes{Added: 1})).awaitChanges(t.Context(), w); err != nil || len(w.came) != want {
			t.Errorf("once %v: told of %d, error %v", once, len(w.came), err)
		}
	}
}

// The records that changed are those that are wanted, all of them.
func TestReadChanges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ids  []string
		want string
	}{
		"all":      {[]string{"5", "7"}, ""},
		"too few":  {[]string{"5"}, "1 record has changed, not 2"},
		"too many": {[]string{"5", "7", "9"}, "the record 9 has not changed"},
		"wrong":    {[]string{"7", "bad"}, "not what it should be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := make([]savedTicket, len(tt.ids))
			for i, id := range tt.ids {
				records[i] = saved(id, "UPDATED", "open", "low")
			}
			d := judgingRecords(t, records...)
			right := func(savedTicket) bool { return true }
			want := map[string]func(savedTicket) bool{"5": right, "7": right}
			if name == "wrong" {
				want["bad"] = func(savedTicket) bool { return false }
			}
			_, err := d.readChanges(t.Context(), new(walk), want)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, not %q", err, tt.want)
			}
		})
	}
}

// judgingRecords is a demo whose server has records.
func judgingRecords(t *testing.T, records ...savedTicket) *demonstration {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"records": records, "next_cursor": nil})
	}))
	t.Cleanup(server.Close)
	d := judging(true)
	d.dev = must(client.New(server.URL, "key"))
	return d
}

func saved(id, action, status, priority string) savedTicket {
	t := savedTicket{ID: id, Status: status, Priority: priority}
	t.Metadata.LastAction, t.Metadata.Cursor = action, "c"
	if action == "DELETED" {
		t.Metadata.DeletedAt = new("2026-01-31T12:00:00Z")
	}
	return t
}

// Each step that reads records knows what they have to be.
func TestStepsJudgeRecords(t *testing.T) {
	t.Parallel()
	all, closed, changed := (*demonstration).stepAllRecords, (*demonstration).stepRecordClosed, (*demonstration).stepRecordsChanged
	undated := saved("9", "DELETED", "open", "low")
	undated.Metadata.DeletedAt = nil
	for name, tt := range map[string]struct {
		step    func(*demonstration, context.Context, *walk) (string, error)
		records []savedTicket
		want    string // of the error
	}{
		"all":                  {all, []savedTicket{saved("1", "ADDED", "open", "low"), saved("2", "ADDED", "open", demoPriority)}, ""},
		"not all":              {all, []savedTicket{saved("1", "ADDED", "open", "low")}, "there are 1 records, not 2"},
		"all, one not new":     {all, []savedTicket{saved("1", "ADDED", "open", "low"), saved("2", "UPDATED", "open", "low")}, "the record 2 is UPDATED, not ADDED"},
		"closed":               {closed, []savedTicket{saved("5", "UPDATED", "solved", "low")}, ""},
		"closed, still open":   {closed, []savedTicket{saved("5", "UPDATED", "open", "low")}, "not what it should be"},
		"closed, as if new":    {closed, []savedTicket{saved("5", "ADDED", "solved", "low")}, "not what it should be"},
		"changed":              {changed, []savedTicket{saved("7", "UPDATED", "open", demoPriority), saved("9", "DELETED", "open", "low")}, ""},
		"changed, not so":      {changed, []savedTicket{saved("7", "UPDATED", "open", "low"), saved("9", "DELETED", "open", "low")}, "not what it should be"},
		"deleted, still there": {changed, []savedTicket{saved("7", "UPDATED", "open", demoPriority), saved("9", "UPDATED", "open", "low")}, "not what it should be"},
		"deleted, not when":    {changed, []savedTicket{saved("7", "UPDATED", "open", demoPriority), undated}, "not what it should be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &walk{tickets: 2, closed: "5", changed: "7", deleted: "9"}
			_, err := tt.step(judgingRecords(t, tt.records...), t.Context(), w)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, not %q", err, tt.want)
			}
			if name == "all" && !slices.Equal(w.open, []string{"1"}) {
				t.Errorf("tickets %q are open and not %s", w.open, demoPriority)
			}
		})
	}
}

// An action has to say what it did, and a new token has to be new.
func TestStepsJudgeAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		step   func(*demonstration, context.Context, *walk) (string, error)
		answer string
		want   string // of the error
	}{
		"closed":        {(*demonstration).stepClose, `{"id":"5","status":"solved"}`, ""},
		"still open":    {(*demonstration).stepClose, `{"id":"5","status":"open"}`, `ticket "5", "open"`},
		"another":       {(*demonstration).stepClose, `{"id":"6","status":"solved"}`, `ticket "6", "solved"`},
		"the old token": {(*demonstration).stepRenew, `{"credentials":{"access_token":"a"}}`, "the token is still the same"},
		"no token":      {(*demonstration).stepRenew, `{"credentials":{}}`, "the token is still the same"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, tt.answer)
			}))
			defer server.Close()
			d := judging(true)
			d.dev = must(client.New(server.URL, "key"))
			_, err := tt.step(d, t.Context(), &walk{open: []string{"5"}})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, not %q", err, tt.want)
			}
		})
	}
}

// Where nobody looks on, no port is one that somebody may want.
func TestListenDemo(t *testing.T) {
	t.Parallel()
	first, err := listenDemo(t.Context(), "0", true)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// Taken: another one.
	second, err := listenDemo(t.Context(), port, false)
	if err != nil || second.Addr().String() == first.Addr().String() {
		t.Fatalf("%v, error %v", second, err)
	}
	_ = second.Close()
	_ = first.Close()
	// Taken on this machine's other address, where "localhost" may lead.
	if other, err := new(net.ListenConfig).Listen(t.Context(), "tcp6", "[::1]:"+port); err == nil {
		third, err := listenDemo(t.Context(), port, false)
		if err != nil || third.Addr().String() == first.Addr().String() {
			t.Errorf("beside %v: %v, error %v", other.Addr(), third, err)
		}
		_ = third.Close()
		_ = other.Close()
	}
	same := 0
	for range 5 {
		l, err := listenDemo(t.Context(), port, true)
		if err != nil {
			t.Fatal(err)
		}
		if l.Addr().String() == first.Addr().String() {
			same++
		}
		_ = l.Close()
	}
	if same == 5 {
		t.Error("it takes the port that the demo likes")
	}
}
