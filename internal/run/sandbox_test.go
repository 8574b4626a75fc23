package run

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/runner"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/upstream"
)

// executor is a runner without sandboxes.
type executor func(ctx context.Context, r runner.Request) (sandbox.Result, error)

func (e executor) Run(ctx context.Context, r runner.Request) (sandbox.Result, error) {
	return e(ctx, r)
}

// variables are those of an environment that has none.
type variables struct{}

func (variables) Variables(context.Context, linkspan.EnvironmentID) ([]linkspan.SecretPair, error) {
	return nil, nil
}

func newSandbox(e executor) *Sandbox {
	asked := false
	return NewSandbox(SandboxConfig{
		Host: host.New(host.Config{Variables: variables{}, Guard: egress.New(egress.Policy{}, nil)}), Executor: e, Log: slog.New(slog.DiscardHandler),
		Accounts: func(context.Context) ([]linkspan.Account, error) {
			if asked {
				return nil, errDown
			}
			asked = true
			return []linkspan.Account{{ID: 1, UUID: "account-uuid"}}, nil
		},
	})
}

func execution() *Execution {
	return &Execution{
		Environment: linkspan.Environment{ID: 4, AccountID: 1, Name: "dev"},
		Function: linkspan.Function{
			Kind: linkspan.FunctionAction, Name: "act", IntegrationKey: "github-prod", Provider: "github", Version: linkspan.FunctionVersion{UUID: "version"},
		},
		Code: linkspan.FunctionCode{Bundle: "the bundle"}, ConnectionName: "c1", ConnectionID: 7, Input: json.RawMessage(`{"a":1}`), Owner: "owner", Nested: true,
		Target: func(context.Context, connect.FreshOptions) (*upstream.Target, error) { return target("c1"), nil },
		Limits: Bounds{Memory: 1, CPU: 2, Wall: 3, Calls: 4, Output: 5, Notes: 6},
	}
}

func TestSandboxRequest(t *testing.T) {
	t.Parallel()
	var got runner.Request
	s := newSandbox(func(_ context.Context, r runner.Request) (sandbox.Result, error) {
		got = r
		return sandbox.Result{JSON: []byte(`{"b":2}`)}, nil
	})
	for range 2 { // the account is looked up once
		done, err := s.Execute(t.Context(), execution())
		if err != nil || string(done.Output) != `{"b":2}` || done.Effects || done.Lost || done.Metadata != nil {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	want := sandbox.Limits{Memory: 1, CPU: 2, Wall: 3, Calls: 4, Output: 5, Notes: 6}
	if diff := cmp.Diff(want, got.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if got.Environment != 4 || got.Function != "version" || !got.Nested || got.Program != (sandbox.Program{Name: "github-prod/actions/act.js", Source: "the bundle"}) {
		t.Errorf("the request is %+v", got)
	}
	for _, part := range []string{`"mode":"run"`, `"input":{"a":1}`, `"connectionId":"c1"`, `"nangoConnectionId":7`, `"providerConfigKey":"github-prod"`, `"accountId":"account-uuid"`, `"environmentName":"dev"`} {
		if !strings.Contains(string(got.Start), part) {
			t.Errorf("%s is not in the start %s", part, got.Start)
		}
	}
}

// TestSandboxTriggers looks at what functions are told of what they run at.
func TestSandboxTriggers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(x *Execution)
		want   []string
	}{
		"a webhook": {func(x *Execution) { x.Webhook = json.RawMessage(`{"w":1}`) }, []string{`"webhook":{"w":1}`, `"scriptType":"webhook"`}},
		"a request": {func(x *Execution) {
			x.Request, x.Subscriptions = json.RawMessage(`{"path":"/a"}`), []string{"issue"}
		}, []string{`"request":{"path":"/a"}`, `"subscriptions":["issue"]`}},
		"the second of its events": {func(x *Execution) {
			x.Function.Kind, x.Event = linkspan.FunctionOnEvent, linkspan.EventValidateConnection
			x.Function.Version.Definition.Event = linkspan.EventPostConnectionCreation
		}, []string{`"event":"validate-connection"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got runner.Request
			s := newSandbox(func(_ context.Context, r runner.Request) (sandbox.Result, error) {
				got = r
				return sandbox.Result{}, nil
			})
			x := execution()
			x.Function.Version.Definition.Unified = &linkspan.UnifiedFunction{}
			test.change(x)
			_, err := s.Execute(t.Context(), x)
			must(t, err)
			for _, part := range test.want {
				if !strings.Contains(string(got.Start), part) {
					t.Errorf("%s is not in the start %s", part, got.Start)
				}
			}
			if got.Program.Name != "github-prod/functions/act.js" {
				t.Errorf("it is called %s", got.Program.Name)
			}
		})
	}
}

func TestSandboxErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		code string
		kind linkspan.Kind
		lost bool
		// retryable is of RunErrors.
		retryable bool
		says      string
	}{
		"busy":            {err: runner.ErrBusy, kind: linkspan.KindUnavailable},
		"closed":          {err: runner.ErrClosed, kind: linkspan.KindUnavailable},
		"lost":            {err: &runner.LostError{}, code: "function_runtime_other", lost: true, retryable: true},
		"lost and begun":  {err: &runner.LostError{Started: true}, code: "function_runtime_other", lost: true, retryable: true},
		"sacrificed":      {err: &runner.LostError{Started: true, Memory: true}, code: "function_runtime_other", lost: true, retryable: true, says: "--functions-memory"},
		"out of memory":   {err: &sandbox.LimitError{Limit: sandbox.LimitMemory}, code: "function_runtime_out_of_memory"},
		"out of time":     {err: &sandbox.LimitError{Limit: sandbox.LimitWall}, code: "execution_timeout"},
		"too much output": {err: &sandbox.LimitError{Limit: sandbox.LimitOutput}, code: "script_output_too_large"},
		"thrown":          {err: &sandbox.Failure{JSON: []byte(`{"kind":"action","payload":{"message":"no"}}`)}, code: "action_script_runtime_error"},
		"cancelled":       {err: context.Canceled, code: "script_aborted"},
		"our own":         {err: errDown, code: "function_runtime_other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done, err := newSandbox(func(context.Context, runner.Request) (sandbox.Result, error) {
				return sandbox.Result{JSON: []byte("1")}, test.err
			}).Execute(t.Context(), execution())
			if e, ok := errors.AsType[*linkspan.RunError](err); ok != (test.code != "") || ok && (e.Code != test.code || e.Retryable != test.retryable || !strings.Contains(e.Message, test.says)) {
				t.Errorf("the error is %#v", err)
			}
			if test.kind != "" && linkspan.KindOf(err) != test.kind || done.Lost != test.lost || done.Output != nil {
				t.Errorf("%+v, %v", done, err)
			}
		})
	}
}

// TestSandboxMetadata looks at what a function sets for a connection that is not
// stored.
func TestSandboxMetadata(t *testing.T) {
	t.Parallel()
	s := newSandbox(func(ctx context.Context, r runner.Request) (sandbox.Result, error) {
		_, err := r.Host.Call(ctx, sandbox.Call{Name: "metadata", JSON: []byte(`{"metadata":{"a":1}}`)})
		return sandbox.Result{}, err
	})
	x := execution()
	x.Pending = true
	done, err := s.Execute(t.Context(), x)
	if err != nil || len(done.Metadata) != 1 {
		t.Errorf("metadata %v, %v", done.Metadata, err)
	}
}

// BenchmarkTrigger is an action without its execution.
func BenchmarkTrigger(b *testing.B) {
	w := newWorld()
	w.add(linkspan.Function{Kind: linkspan.FunctionAction, Name: "act", Enabled: true, Version: linkspan.FunctionVersion{Definition: definition()}})
	s := w.service("me")
	w.execute = func(context.Context, *Execution) (Done, error) {
		w.began = nil
		return Done{Output: json.RawMessage(`{"ok":true}`)}, nil
	}
	in := w.trigger(1, `{"n":1,"list":[{"id":"a"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Trigger(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
