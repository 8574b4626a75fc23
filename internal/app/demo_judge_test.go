package app

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				records := make([]map[string]any, len(tt.ids))
				for i, id := range tt.ids {
					records[i] = map[string]any{"id": id, "_nango_metadata": map[string]any{"last_action": "UPDATED", "cursor": "c"}}
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"records": records, "next_cursor": nil})
			}))
			defer server.Close()
			d := judging(true)
			d.dev = must(client.New(server.URL, "key"))
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
