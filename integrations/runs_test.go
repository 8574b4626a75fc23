package integrations_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/integrations"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/function/fixture"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/sandbox"
)

var updateRuns = flag.Bool("update-runs", false, "write what comes out into testdata/runs")

// scenario is a run of a function that recordings can't describe: one that goes on
// from a checkpoint, takes a webhook, or is refused something.
type scenario struct {
	// Function is such as "slack/syncs/messages".
	Function string `json:"function"`
	// About says what the scenario shows.
	About      string          `json:"about"`
	Config     json.RawMessage `json:"connection_config,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"`
	Input      json.RawMessage `json:"input,omitempty"`
	Webhook    json.RawMessage `json:"webhook,omitempty"`
	// Calls are all that the function must make, in order.
	Calls []exchange `json:"calls"`
	Want  outcome    `json:"want"`
}

// exchange is a call and its answer.
type exchange struct {
	// Call is the method and the endpoint, decoded; {n} stands for a number.
	Call     string          `json:"call"`
	Data     json.RawMessage `json:"data,omitempty"`
	Status   int             `json:"status,omitempty"`
	Response json.RawMessage `json:"response"`
}

// outcome is what comes of a run.
type outcome struct {
	Output     any              `json:"output,omitempty"`
	Saved      map[string][]any `json:"saved,omitempty"`
	Deleted    map[string][]any `json:"deleted,omitempty"`
	Unseen     map[string][]any `json:"unseen,omitempty"`
	Checkpoint any              `json:"checkpoint,omitempty"`
	// Failure is the code and the payload, Logs what the function said.
	Failure string   `json:"failure,omitempty"`
	Logs    []string `json:"logs,omitempty"`
}

func TestRuns(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	files, err := filepath.Glob("testdata/runs/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			s := readScenario(t, file)
			got := s.run(t, c)
			if *updateRuns {
				s.Want = got
				writeScenario(t, file, s)
				return
			}
			if diff := cmp.Diff(s.Want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", s.About, diff)
			}
		})
	}
}

// run runs the function of the template, as it would be deployed.
func (s *scenario) run(t *testing.T, c *catalog.Catalog) outcome {
	t.Helper()
	integration, rest, _ := strings.Cut(s.Function, "/")
	folder, name, _ := strings.Cut(rest, "/")
	template, ok := integrations.Find(integration, linkspan.FunctionKind(strings.TrimSuffix(folder, "s")), name)
	if !ok {
		t.Fatalf("there is no function %s", s.Function)
	}
	w := &world{t: t, s: s, provider: provider(t, c, integration)}
	var out outcome
	res, err := trial.Run(t.Context(), engine(t), trial.Options{
		Function: trial.Function{
			Integration: integration, Kind: template.Kind, Name: name, Definition: template.Definition, Bundle: template.Bundle, OnWebhook: s.Webhook != nil,
		},
		Input: s.Input, Webhook: s.Webhook, Metadata: s.Metadata, Checkpoint: s.Checkpoint, Validate: true, World: w,
		Log: func(m trial.Message) {
			if m.Source == "user" {
				out.Logs = append(out.Logs, m.Level+": "+m.Text)
			}
		},
		Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.made < len(s.Calls) {
		t.Errorf("%d of %d calls were made; not made: %s", w.made, len(s.Calls), s.Calls[w.made].Call)
	}
	out.Output, out.Checkpoint = value(t, res.Output), value(t, res.Checkpoint)
	out.Saved, out.Deleted, out.Unseen = make(map[string][]any), make(map[string][]any), make(map[string][]any)
	for model, c := range res.Models {
		out.Saved[model], out.Deleted[model] = values(t, c.Saved), values(t, c.Deleted)
		for _, id := range c.Unseen {
			out.Unseen[model] = append(out.Unseen[model], id)
		}
	}
	for _, m := range []map[string][]any{out.Saved, out.Deleted, out.Unseen} {
		maps.DeleteFunc(m, func(_ string, list []any) bool { return len(list) == 0 })
	}
	if f := res.Failure; f != nil {
		out.Failure = strings.TrimSuffix(f.Code+" "+string(f.Payload), " ")
	}
	return out.normal(t)
}

// normal is the outcome as it is read from a file.
func (o outcome) normal(t *testing.T) outcome {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var out outcome
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// world is the provider of a scenario.
type world struct {
	t        *testing.T
	s        *scenario
	provider *catalog.Provider
	made     int
}

// Note implements sandbox.Host.
func (*world) Note(sandbox.Call) {}

// Call implements sandbox.Host.
func (w *world) Call(_ context.Context, c sandbox.Call) (sandbox.Reply, error) {
	switch c.Name {
	case "http":
		return w.exchange(c)
	case "connection":
		config := w.s.Config
		if config == nil {
			config = json.RawMessage("{}")
		}
		return call.Answer(map[string]any{"connection_id": "test", "connection_config": config, "metadata": map[string]any{}})
	case "pagination":
		return call.Answer(call.Pagination(w.provider))
	}
	return sandbox.Reply{}, trial.ErrUnserved
}

// exchange answers the next call, which must be the expected one.
func (w *world) exchange(c sandbox.Call) (sandbox.Reply, error) {
	var p call.HTTP
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	endpoint, err := url.QueryUnescape(p.Endpoint)
	if err != nil {
		return sandbox.Reply{}, fmt.Errorf("reading an endpoint: %w", err)
	}
	got := p.Method + " " + endpoint
	if w.made == len(w.s.Calls) {
		w.t.Errorf("a call too many: %s %s", got, c.Body)
		return sandbox.Reply{}, errors.New("a call too many")
	}
	want := w.s.Calls[w.made]
	w.made++
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(want.Call), `\{n\}`, `\d+`) + "$"
	if !regexp.MustCompile(pattern).MatchString(got) {
		w.t.Errorf("call %d: got %s, want %s", w.made, got, want.Call)
	}
	if want.Data != nil {
		if diff := cmp.Diff(value(w.t, want.Data), value(w.t, c.Body)); diff != "" {
			w.t.Errorf("call %d: other data (-want +got)\n%s", w.made, diff)
		}
	}
	head := call.Head{Status: want.Status, Headers: [][2]string{}}
	if head.Status == 0 {
		head.Status = 200
	}
	reply, err := call.Answer(head)
	reply.Body, reply.Text = want.Response, true
	return reply, err
}

func readScenario(t *testing.T, file string) *scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var s scenario
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return &s
}

func writeScenario(t *testing.T, file string, s *scenario) {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// value is JSON for comparing; nothing and null are the same.
func value(t *testing.T, text []byte) (v any) {
	t.Helper()
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("no JSON: %s", text)
	}
	return v
}

func values(t *testing.T, list []json.RawMessage) []any {
	t.Helper()
	out := make([]any, len(list))
	for i, text := range list {
		out[i] = value(t, text)
	}
	return out
}

// Should a run end right after it deleted what it did not see, the next one must
// begin anew: one that went on after the last object would see none, and delete all.
func TestNoPlaceToGoOnFromAfterDeleting(t *testing.T) {
	t.Parallel()
	c := openCatalog(t)
	for _, name := range []string{"customers", "invoices", "subscriptions"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := built(t, library)
			at := slices.IndexFunc(all, func(f bundle.Function) bool { return f.Integration == "stripe" && f.Name == name })
			file := readFixture(t, filepath.Join("stripe", "tests", name+".test.json"))
			o := fixture.NewReplay(file, provider(t, c, "stripe")).Options(trial.Of(all[at]))
			var saved, deleting string
			o.Log = func(m trial.Message) {
				switch {
				case strings.HasPrefix(m.Text, "saveCheckpoint: "):
					saved = m.Text
				case strings.HasPrefix(m.Text, "trackDeletesEnd "):
					deleting = saved
				}
			}
			if res, err := trial.Run(t.Context(), engine(t), o); err != nil || res.Failure != nil {
				t.Fatalf("%v %+v", err, res)
			}
			if !strings.Contains(deleting, `"after":""`) {
				t.Errorf("at the deletion the checkpoint is %q", deleting)
			}
		})
	}
}
