package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func (w *world) newOperation(at time.Time, change func(*linkspan.Operation)) linkspan.Operation {
	o := linkspan.Operation{
		ID: linkspan.NewOperationID(at), AccountID: w.account.ID, EnvironmentID: w.env.ID, Type: linkspan.OperationProxy,
		Action: linkspan.ActionCall, State: linkspan.StateRunning, CreatedAt: at, StartedAt: at,
	}
	if change != nil {
		change(&o)
	}
	return o
}

func ended(o *linkspan.Operation) {
	o.State, o.Message, o.EndedAt = linkspan.StateFailed, "It failed.", o.CreatedAt.Add(time.Second)
	o.IntegrationKey, o.Provider, o.ConnectionName, o.ConnectionUUID = "github", "github", "one", "uuid"
	o.Error = &linkspan.OperationError{Code: "c", Message: "m", Payload: json.RawMessage(`{"a":1}`)}
	o.Request = &linkspan.HTTPRequestSummary{Method: "GET", URL: "https://example.com/", Headers: map[string]string{"a": "b"}}
	o.Response = &linkspan.HTTPResponseSummary{Code: 500, Headers: map[string]string{"c": "d"}}
	o.Meta = json.RawMessage(`{"x":[1,2]}`)
}

func testOperations(t *testing.T, w *world) {
	ctx := t.Context()
	check := func(want linkspan.Operation) {
		t.Helper()
		got, err := w.Operation(ctx, nil, w.env.ID, want.ID)
		must(t, err)
		wantEqual(t, "operation", got, want)
	}
	running := w.newOperation(past(), func(o *linkspan.Operation) { o.ExpiresAt = past().Add(time.Hour) })
	complete := w.newOperation(past(), ended)
	msgs := []linkspan.Message{
		{
			OperationID: complete.ID, EnvironmentID: w.env.ID, Type: "http", Source: "internal", Level: "error", Text: "call",
			Request: complete.Request, Response: complete.Response, Error: complete.Error,
			Retry: &linkspan.RetryInfo{Attempt: 1, Max: 3, WaitedMS: 250}, Meta: json.RawMessage(`{"a":1}`), CreatedAt: past(), EndedAt: past().Add(time.Second),
		},
		{OperationID: complete.ID, EnvironmentID: w.env.ID, Type: "log", Source: "user", Level: "info", Text: "bare", CreatedAt: past()},
	}
	must(t, w.SaveOperations(ctx, nil, []linkspan.Operation{running, complete}, msgs))
	check(running)
	check(complete)
	got, err := w.Messages(ctx, nil, w.env.ID, complete.ID, 0, 10)
	must(t, err)
	for n := range got {
		if got[n].ID == 0 {
			t.Error("a message has no id")
		}
		msgs[n].ID = got[n].ID
	}
	wantEqual(t, "messages", got, msgs)
	page, err := w.Messages(ctx, nil, w.env.ID, complete.ID, 0, 1)
	must(t, err)
	wantEqual(t, "first page", page, msgs[:1])
	page, err = w.Messages(ctx, nil, w.env.ID, complete.ID, msgs[0].ID, 1)
	must(t, err)
	wantEqual(t, "second page", page, msgs[1:])

	done := running
	ended(&done)
	between := running
	between.Message = "in between"
	must(t, w.SaveOperations(ctx, nil, []linkspan.Operation{between, done}, nil)) // the last counts
	check(done)
	must(t, w.SaveOperations(ctx, nil, []linkspan.Operation{running}, nil)) // final states stay
	check(done)
	must(t, w.SaveOperations(ctx, nil, nil, nil))

	anonymous := w.newOperation(past(), func(o *linkspan.Operation) { o.AccountID = 0 })
	nobodys := w.newOperation(past(), func(o *linkspan.Operation) { o.AccountID, o.EnvironmentID = 0, w.env.ID+1000 })
	must(t, w.SaveOperations(ctx, nil, []linkspan.Operation{anonymous, complete, nobodys}, nil))
	anonymous.AccountID = w.account.ID // the environment says whose it is
	check(anonymous)
	stray, err := w.Operation(ctx, nil, nobodys.EnvironmentID, nobodys.ID)
	must(t, err)
	wantEqual(t, "operation of no environment", stray, nobodys)

	other := w.newEnvironment(t, "other")
	_, err = w.Operation(ctx, nil, other.ID, done.ID)
	wantKind(t, err, linkspan.KindNotFound)
	if got, err := w.Messages(ctx, nil, other.ID, complete.ID, 0, 10); err != nil || len(got) != 0 {
		t.Fatalf("messages of another environment: %v, %v", got, err)
	}

	odd := w.newOperation(past(), func(o *linkspan.Operation) {
		ended(o)
		o.Message, o.Request.URL, o.Meta = "nul \x00, bad \xff", "https://example.com/\x00", json.RawMessage("not JSON")
	})
	must(t, w.SaveOperations(ctx, nil, []linkspan.Operation{odd}, []linkspan.Message{{OperationID: odd.ID, Text: "\x00", CreatedAt: past()}}))
	odd.Message, odd.Meta = "nul \uFFFD, bad \uFFFD", json.RawMessage(`"not JSON"`)
	check(odd)
}

func testOperationLists(t *testing.T, w *world) {
	ctx := t.Context()
	var ops []linkspan.Operation
	for n := range 6 {
		ops = append(ops, w.newOperation(past().Add(time.Duration(n)*time.Minute), func(o *linkspan.Operation) {
			o.Message = fmt.Sprint(n)
			if n%2 == 1 {
				o.Type, o.State, o.ConnectionName = linkspan.OperationAuth, linkspan.StateSuccess, "one"
			}
			if n%3 == 0 {
				o.IntegrationKey = "github"
			}
		}))
	}
	other := w.newEnvironment(t, "other")
	foreign := w.newOperation(past(), func(o *linkspan.Operation) { o.EnvironmentID = other.ID })
	must(t, w.SaveOperations(ctx, nil, append([]linkspan.Operation{foreign}, ops...), nil))
	at := func(n int) time.Time { return ops[n].CreatedAt }
	for name, tt := range map[string]struct {
		filter linkspan.OperationFilter
		want   string
	}{
		"all":         {linkspan.OperationFilter{}, "543210"},
		"page":        {linkspan.OperationFilter{Limit: 2}, "54"},
		"next page":   {linkspan.OperationFilter{Limit: 2, Before: ops[4].ID}, "32"},
		"type":        {linkspan.OperationFilter{Types: []linkspan.OperationType{linkspan.OperationAuth}}, "531"},
		"states":      {linkspan.OperationFilter{States: []linkspan.OperationState{linkspan.StateSuccess, linkspan.StateFailed}}, "531"},
		"integration": {linkspan.OperationFilter{IntegrationKey: "github"}, "30"},
		"connection":  {linkspan.OperationFilter{ConnectionName: "one"}, "531"},
		"from":        {linkspan.OperationFilter{From: at(4)}, "54"},
		"just after":  {linkspan.OperationFilter{From: at(4).Add(time.Microsecond)}, "5"},
		"to":          {linkspan.OperationFilter{To: at(1)}, "0"},
		"to and past": {linkspan.OperationFilter{To: at(1).Add(time.Microsecond)}, "10"},
		"everything": {linkspan.OperationFilter{
			Types: []linkspan.OperationType{linkspan.OperationAuth}, States: []linkspan.OperationState{linkspan.StateSuccess},
			IntegrationKey: "github", ConnectionName: "one", From: at(0), To: at(5), Before: ops[5].ID,
		}, "3"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.filter.EnvironmentID = w.env.ID
			if tt.filter.Limit == 0 {
				tt.filter.Limit = 100
			}
			list, err := w.Operations(ctx, nil, tt.filter)
			must(t, err)
			var got strings.Builder
			for _, o := range list {
				got.WriteString(o.Message)
			}
			wantEqual(t, "operations", got.String(), tt.want)
		})
	}
}

func testOperationsEnd(t *testing.T, w *world) {
	ctx := t.Context()
	expiring := func(o *linkspan.Operation) { o.ExpiresAt = o.CreatedAt.Add(time.Minute) }
	old := w.newOperation(past(), expiring)
	young := w.newOperation(past().Add(time.Hour), expiring)
	endless := w.newOperation(past(), nil)
	complete := w.newOperation(past(), ended)
	must(t, w.SaveOperations(ctx, nil, []linkspan.Operation{old, young, endless, complete}, []linkspan.Message{
		{OperationID: old.ID, EnvironmentID: w.env.ID, CreatedAt: past()}, {OperationID: young.ID, EnvironmentID: w.env.ID, CreatedAt: past()},
	}))
	now := past().Add(30 * time.Minute)
	for _, want := range []int{1, 0} {
		n, err := w.ExpireOperations(ctx, nil, now, 10)
		must(t, err)
		if n != want {
			t.Fatalf("expired %d operations, want %d", n, want)
		}
	}
	got, err := w.Operation(ctx, nil, w.env.ID, old.ID)
	must(t, err)
	old.State, old.EndedAt = linkspan.StateTimeout, now
	wantEqual(t, "expired", got, old)

	total := 0
	for {
		n, err := w.PurgeOperations(ctx, nil, past().Add(time.Minute), 2)
		must(t, err)
		if total += n; n < 2 {
			break
		}
	}
	if total != 4 { // three operations and a message
		t.Fatalf("purged %d rows, want 4", total)
	}
	list, err := w.Operations(ctx, nil, linkspan.OperationFilter{EnvironmentID: w.env.ID, Limit: 10})
	must(t, err)
	wantEqual(t, "left", list, []linkspan.Operation{young})
	msgs, err := w.Messages(ctx, nil, w.env.ID, young.ID, 0, 10)
	must(t, err)
	if len(msgs) != 1 {
		t.Fatalf("%d messages are left", len(msgs))
	}
}
