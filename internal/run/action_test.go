package run

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/oplog"
)

// definition is one whose input and output are checked.
func definition() linkspan.FunctionDefinition {
	return linkspan.FunctionDefinition{
		Input: "In", Models: []string{"Out"},
		Schema: json.RawMessage(`{"definitions":{
			"In":{"type":"object","properties":{"n":{"type":"integer","minimum":1},"list":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string","pattern":"^[a-z]+$"}}}}},"required":["n"],"additionalProperties":false},
			"Out":{"anyOf":[{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]},{"$ref":"#/definitions/None"}]},
			"None":{"type":"null"}}}`),
	}
}

func answer(text string) func(context.Context, *Execution) (Done, error) {
	return func(context.Context, *Execution) (Done, error) {
		if text == "" {
			return Done{}, nil
		}
		return Done{Output: json.RawMessage(text)}, nil
	}
}

func fail(e *linkspan.RunError) func(context.Context, *Execution) (Done, error) {
	return func(context.Context, *Execution) (Done, error) { return Done{}, e }
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	thrown := &linkspan.RunError{Code: "script_http_error", Upstream: &linkspan.UpstreamAnswer{Status: 503}}
	for name, test := range map[string]struct {
		key, connection, action, input string
		execute                        func(context.Context, *Execution) (Done, error)
		output                         string
		code                           string
		status                         int // of a linkspan.Error; 0: its kind's
		runs                           int
	}{
		"output":               {output: `{"ok":true}`, runs: 1},
		"nothing":              {execute: answer(""), runs: 1},
		"no connection":        {connection: "nope", code: "unknown_connection", status: http.StatusBadRequest},
		"no integration":       {key: "nope", code: "unknown_connection", status: http.StatusBadRequest},
		"no provider":          {key: "no-provider", code: "unknown_provider", status: http.StatusBadRequest},
		"no action":            {action: "nope", code: "not_found"},
		"another kind":         {action: "event", code: "not_found"},
		"disabled":             {action: "off", code: "disabled_resource"},
		"a failure":            {execute: fail(thrown), code: "script_http_error", runs: 1},
		"good input":           {action: "checked", input: `{"n":1}`, output: `{"ok":true}`, runs: 1},
		"bad input":            {action: "checked", input: `{"n":0}`, code: "invalid_action_input"},
		"no input":             {action: "checked", code: "invalid_action_input"},
		"bad output":           {action: "checked", input: `{"n":1}`, execute: answer(`{"ok":1}`), code: "invalid_action_output", runs: 1},
		"undefined is null":    {action: "checked", input: `{"n":1}`, execute: answer(""), runs: 1},
		"nothing unlike it":    {action: "checked", input: `{"n":1}`, execute: answer(`"x"`), code: "invalid_action_output", runs: 1},
		"a long output":        {execute: answer(`"` + strings.Repeat("x", 2<<20-2) + `"`), output: `"` + strings.Repeat("x", 2<<20-2) + `"`, runs: 1},
		"an output too long":   {execute: answer(`"` + strings.Repeat("x", 2<<20-1) + `"`), code: "script_output_too_large", runs: 1},
		"lost":                 {execute: lost(false, 1), output: `"again"`, runs: 2},
		"lost twice":           {execute: lost(false, 2), code: "function_runtime_other", runs: 2},
		"lost after an effect": {execute: lost(true, 1), code: "function_runtime_other", runs: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.add(linkspan.Function{Kind: linkspan.FunctionAction, Name: "off"})
			w.add(linkspan.Function{Kind: linkspan.FunctionOnEvent, Name: "event", Enabled: true})
			w.add(linkspan.Function{Kind: linkspan.FunctionAction, Name: "checked", Enabled: true, Version: linkspan.FunctionVersion{Definition: definition()}})
			if test.execute != nil {
				w.execute = test.execute
			}
			in := w.trigger(1, test.input)
			for _, set := range []struct {
				to   *string
				text string
			}{{&in.IntegrationKey, test.key}, {&in.ConnectionName, test.connection}, {&in.Action, test.action}} {
				if set.text != "" {
					*set.to = set.text
				}
			}
			output, err := w.service("me").Trigger(t.Context(), in)
			if string(output) != test.output || codeOf(err) != test.code || len(w.began) != test.runs {
				t.Fatalf("got %.100s, %v, after %d executions", output, err, len(w.began))
			}
			if e, ok := errors.AsType[*linkspan.Error](err); ok && e.Status != test.status {
				t.Errorf("the status is %d", e.Status)
			}
			if len(w.runs) > 0 {
				t.Error("it left a row behind")
			}
		})
	}
}

// lost is an engine whose processes die a number of times.
func lost(effects bool, times int) func(context.Context, *Execution) (Done, error) {
	return func(context.Context, *Execution) (Done, error) {
		if times--; times >= 0 {
			return Done{Lost: true, Effects: effects}, &linkspan.RunError{Code: codeRuntime, Retryable: !effects}
		}
		return Done{Output: json.RawMessage(`"again"`)}, nil
	}
}

func codeOf(err error) string {
	if code := linkspan.CodeOf(err); code != "" {
		return code
	}
	if e, ok := errors.AsType[*linkspan.RunError](err); ok {
		return e.Code
	}
	return ""
}

func TestViolations(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.add(linkspan.Function{Kind: linkspan.FunctionAction, Name: "act", Enabled: true, Version: linkspan.FunctionVersion{Definition: definition()}})
	_, err := w.service("me").Trigger(t.Context(), w.trigger(1, `{"list":[{"id":"a"},{"id":"SECRET"}],"other":1}`))
	e, _ := errors.AsType[*linkspan.RunError](err)
	if e == nil {
		t.Fatal(err)
	}
	var got function.Violations
	must(t, json.Unmarshal(e.Payload, &got))
	codes := make(map[string]string)
	for _, v := range got.Validation {
		path, _ := json.Marshal(v.Path)
		codes[v.Code] = string(path)
	}
	if got.Model != "In" || codes["required"] != "[]" || codes["additionalProperties"] != "[]" || codes["pattern"] != `["list",1,"id"]` || strings.Contains(string(e.Payload), "SECRET") {
		t.Errorf("the payload is %s", e.Payload)
	}
}

// TestContracts looks at definitions that are none, and at those that say nothing.
func TestContracts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		definition linkspan.FunctionDefinition
		input      string
		wrong      bool
		problem    bool
	}{
		"no schema":              {definition: linkspan.FunctionDefinition{Input: "In"}, input: `1`},
		"no such definition":     {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{}}`)}, input: `1`},
		"no object":              {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`[1]`)}, input: `1`, problem: true},
		"no schema in it":        {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"type":7}}}`)}, input: `1`, problem: true},
		"another document":       {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"$ref":"file:///etc/passwd"}}}`)}, input: `1`, problem: true},
		"void":                   {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"type":"null"}}}`)}},
		"void and null":          {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"type":"null"}}}`)}, input: `null`},
		"void and empty":         {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"type":"null"}}}`)}, input: `{}`},
		"void and something":     {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"type":"null"}}}`)}, input: `{"a":1}`, wrong: true},
		"formats are notes":      {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"type":"string","format":"email"}}}`)}, input: `"x"`},
		"JavaScript's patterns":  {definition: linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"pattern":"^(?=a)[^]+(?!b)$"}}}`)}, input: `"a\n"`},
		"a name with a slash":    {definition: linkspan.FunctionDefinition{Input: "a/b~%c", Schema: json.RawMessage(`{"definitions":{"a/b~%c":{"type":"string"}}}`)}, input: `1`, wrong: true},
		"a name like no other's": {definition: linkspan.FunctionDefinition{Input: "ä ö", Schema: json.RawMessage(`{"definitions":{"ä ö":{"type":"string"}}}`)}, input: `1`, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := function.NewContract(&test.definition)
			if (c.Problem != nil) != test.problem {
				t.Fatalf("the problem is %v", c.Problem)
			}
			got, err := c.Input.Check(json.RawMessage(test.input))
			must(t, err)
			if (got != nil) != test.wrong {
				t.Errorf("violations: %+v", got)
			}
		})
	}
}

// TestPatternsThatTakeForever bounds what a pattern may cost.
func TestPatternsThatTakeForever(t *testing.T) {
	t.Parallel()
	c := function.NewContract(&linkspan.FunctionDefinition{Input: "In", Schema: json.RawMessage(`{"definitions":{"In":{"pattern":"^(a+)+$"}}}`)})
	if _, err := c.Input.Check(json.RawMessage(`"` + strings.Repeat("a", 60) + `b"`)); err != nil {
		t.Fatal(err)
	}
}

func TestSchemasAreKeptAndBounded(t *testing.T) {
	t.Parallel()
	var s schemas
	v := linkspan.FunctionVersion{UUID: "one", Definition: definition()}
	if first := s.of(&v); first != s.of(&v) {
		t.Error("compiled twice")
	}
	for range maxSchemas + 10 {
		s.of(&linkspan.FunctionVersion{UUID: linkspan.NewUUID()})
	}
	if len(s.known) > maxSchemas {
		t.Errorf("%d are kept", len(s.known))
	}
}

// TestLongInputs keeps what is stored and held in memory for long within bounds.
func TestLongInputs(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.serviceWith(Config{Limits: Limits{Input: 10}})
	for input, want := range map[string]linkspan.Kind{`"12345678"`: "", `"123456789"`: linkspan.KindTooLarge} {
		_, err := s.TriggerAsync(t.Context(), w.trigger(1, input), 0)
		if (err == nil) != (want == "") || err != nil && linkspan.KindOf(err) != want {
			t.Errorf("an asynchronous action with %d bytes: %v", len(input), err)
		}
		if _, err := s.Trigger(t.Context(), w.trigger(1, input)); err != nil {
			t.Errorf("a synchronous action with %d bytes: %v", len(input), err)
		}
	}
	if len(w.runs) != 1 {
		t.Errorf("%d rows", len(w.runs))
	}
}

func TestTriggerOfCallerWhoLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.execute = func(ctx context.Context, _ *Execution) (Done, error) {
			<-ctx.Done()
			return Done{}, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(time.Minute, cancel)
		if _, err := w.service("me").Trigger(ctx, w.trigger(1, "")); codeOf(err) != "script_aborted" {
			t.Errorf("left: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.service("me").Trigger(ctx, w.trigger(1, "")); codeOf(err) != "execution_timeout" {
			t.Errorf("out of time: %v", err)
		}
	})
}

// TestLostAfterCallerLeft does not begin again what nobody waits for.
func TestLostAfterCallerLeft(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ctx, leave := context.WithCancel(t.Context())
	w.execute = func(context.Context, *Execution) (Done, error) {
		leave()
		return Done{Lost: true}, &linkspan.RunError{Code: codeRuntime, Retryable: true}
	}
	if _, err := w.service("me").Trigger(ctx, w.trigger(1, "")); err == nil || len(w.began) != 1 {
		t.Errorf("%d executions, %v", len(w.began), err)
	}
}

// TestNesting has an action trigger itself for ever.
func TestNesting(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.service("me")
	w.execute = func(ctx context.Context, x *Execution) (Done, error) {
		output, err := x.Trigger(ctx, "github", "c1", "act", json.RawMessage(`{"deeper":true}`))
		if err != nil {
			return Done{}, err
		}
		return Done{Output: output}, nil
	}
	_, err := s.Trigger(t.Context(), w.trigger(1, ""))
	if codeOf(err) != "action_nesting_too_deep" || len(w.began) != 1+maxDepth {
		t.Fatalf("%d deep: %v", len(w.began), err)
	}
	for i, x := range w.began {
		if x.Nested != (i > 0) || x.Environment.ID != 1 || (i > 0) != (string(x.Input) == `{"deeper":true}`) {
			t.Errorf("execution %d: nested %t in environment %d with %s", i, x.Nested, x.Environment.ID, x.Input)
		}
	}
	// What another action did can't be repeated.
	done, _ := s.once(t.Context(), s.stored(w.envs[1], w.functions["act"], w.connections["c1"]), linkspan.FunctionCode{})
	if !done.Effects {
		t.Error("a triggered action counts as nothing done")
	}
}

// TestOperations looks at what the log shows of a synchronous action.
func TestOperations(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		execute func(context.Context, *Execution) (Done, error)
		state   linkspan.OperationState
		code    string
		text    string
	}{
		"success": {answer("1"), linkspan.StateSuccess, "", "Executed the action act."},
		"failure": {
			fail(&linkspan.RunError{Code: "x", Message: "It said top-secret-key.", Payload: json.RawMessage(`{"t":"top-secret-key"}`)}),
			linkspan.StateFailed, "x", "It said [redacted].",
		},
		"aborted": {fail(&linkspan.RunError{Code: "script_aborted", Message: "Broken off."}), linkspan.StateCancelled, "", "Broken off."},
		"our own": {
			func(context.Context, *Execution) (Done, error) { return Done{}, errDown },
			linkspan.StateFailed, "internal_server_error", "The function could not be executed for an internal reason.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.execute = func(ctx context.Context, x *Execution) (Done, error) {
					<-time.After(publishAfter + time.Millisecond)
					x.Op.Message(linkspan.Message{Text: "hello", Source: "user"})
					return test.execute(ctx, x)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ops := oplog.New(w, w.service("").log, oplog.Options{})
				logged := make(chan struct{})
				go func() {
					defer close(logged)
					_ = ops.Run(ctx)
				}()
				_, _ = w.serviceWith(Config{Ops: ops}).Trigger(t.Context(), w.trigger(1, ""))
				cancel()
				<-logged
				if len(w.ops) != 1 {
					t.Fatalf("%d operations", len(w.ops))
				}
				for _, op := range w.ops {
					if op.Type != "action" || op.Action != "run" || op.State != test.state || op.Message != test.text || op.ConnectionUUID != "uuid-of-c1" ||
						(op.Error == nil) != (test.code == "") || op.Error != nil && op.Error.Code != test.code {
						t.Errorf("the operation is %+v with %+v", op, op.Error)
					}
				}
				if text, _ := json.Marshal(w.msgs); !strings.Contains(string(text), "hello") || strings.Contains(string(text), "top-secret-key") {
					t.Errorf("messages: %s", text)
				}
			})
		})
	}
}

// TestLongRunsAreShown looks at the log while an action runs.
func TestLongRunsAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.execute = func(context.Context, *Execution) (Done, error) {
			<-time.After(time.Minute)
			return Done{}, nil
		}
		ops := oplog.New(w, w.service("").log, oplog.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = ops.Run(ctx) }()
		go func() { _, _ = w.serviceWith(Config{Ops: ops}).Trigger(t.Context(), w.trigger(1, "")) }()
		states := func() (list []linkspan.OperationState) {
			defer w.lock(nil)()
			for _, op := range w.ops {
				list = append(list, op.State)
			}
			return list
		}
		wait(publishAfter / 2)
		if got := states(); len(got) != 0 {
			t.Errorf("shown at once: %v", got)
		}
		wait(publishAfter)
		if got := states(); len(got) != 1 || got[0] != linkspan.StateRunning {
			t.Errorf("after a while: %v", got)
		}
		wait(time.Minute)
		if got := states(); len(got) != 1 || got[0] != linkspan.StateSuccess {
			t.Errorf("in the end: %v", got)
		}
	})
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.add(linkspan.Function{Kind: linkspan.FunctionAction, Name: "old", Enabled: true, Version: linkspan.FunctionVersion{
		Definition: linkspan.FunctionDefinition{Endpoints: []linkspan.FunctionEndpoint{{Method: "POST", Path: "/issues/create"}}},
	}})
	s := w.service("me")
	for _, test := range []struct{ method, path, name, code string }{
		{"POST", "/issues/create", "old", ""},
		{"PUT", "/issues/create", "", "not_found"},
		{"POST", "/issues", "", "not_found"},
	} {
		fn, err := s.Endpoint(t.Context(), 1, "github", "c1", test.method, test.path)
		if fn.Name != test.name || codeOf(err) != test.code {
			t.Errorf("%s %s: %q, %v", test.method, test.path, fn.Name, err)
		}
	}
	if _, err := s.Endpoint(t.Context(), 1, "github", "nope", "POST", "/issues/create"); codeOf(err) != "unknown_connection" {
		t.Errorf("no connection: %v", err)
	}
}
