package bundle_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/bundle"
)

// published is a function in .nango/nango.json, which the published tool (npm
// nango 0.71.10) writes when it compiles a folder.
type published struct {
	Integration          string
	Type                 linkspan.FunctionKind       `json:"type"`
	Name                 string                      `json:"name"`
	Description          string                      `json:"description"`
	Version              string                      `json:"version"`
	Runs                 string                      `json:"runs"`
	SyncType             string                      `json:"sync_type"`
	AutoStart            bool                        `json:"auto_start"`
	TrackDeletes         bool                        `json:"track_deletes"`
	Input                string                      `json:"input"`
	Output               []string                    `json:"output"`
	Scopes               []string                    `json:"scopes"`
	Features             []string                    `json:"features"`
	WebhookSubscriptions []string                    `json:"webhookSubscriptions"`
	Endpoint             *linkspan.FunctionEndpoint  `json:"endpoint"`
	Endpoints            []linkspan.FunctionEndpoint `json:"endpoints"`
	Schema               map[string]any              `json:"json_schema"`
}

// TestPublishedDefinitions compares with what the published tool made of the same
// folder, testdata/published.json.
func TestPublishedDefinitions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	var document []struct {
		Integration string              `json:"providerConfigKey"`
		Actions     []published         `json:"actions"`
		Syncs       []published         `json:"syncs"`
		Events      map[string][]string `json:"onEventScripts"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	want := map[string]published{}
	for _, i := range document {
		for _, f := range slices.Concat(i.Actions, i.Syncs) {
			f.Integration = i.Integration
			f.Schema = map[string]any{"definitions": hoisted(f.Schema["definitions"])}
			if f.Endpoint != nil {
				f.Endpoints, f.Endpoint = []linkspan.FunctionEndpoint{*f.Endpoint}, nil
			}
			want[bundle.ProgramName(i.Integration, f.Type, f.Name)] = f
		}
		for event, names := range i.Events {
			for _, name := range names {
				id := bundle.ProgramName(i.Integration, linkspan.FunctionOnEvent, name)
				want[id] = published{Integration: i.Integration, Type: linkspan.FunctionOnEvent, Name: name, Runs: event}
			}
		}
	}
	got := map[string]published{}
	for _, f := range clean(t, build(t, "testdata/published")).Functions {
		got[f.Program().Name] = asPublished(t, f)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

// asPublished writes a function as the published tool does.
func asPublished(t *testing.T, f bundle.Function) published {
	t.Helper()
	p := published{Integration: f.Integration, Type: f.Kind, Name: f.Name}
	d := f.Definition
	if f.Kind == linkspan.FunctionOnEvent {
		p.Runs = string(d.Event) // it says nothing else of these
		return p
	}
	if err := json.Unmarshal(d.Schema, &p.Schema); err != nil {
		t.Fatalf("%s: %v", f.File, err)
	}
	p.Description, p.Version, p.Runs, p.SyncType = d.Description, f.Version, d.Frequency, d.SyncType
	p.AutoStart, p.TrackDeletes = d.AutoStart, d.TrackDeletes
	p.Input, p.Output, p.Scopes, p.Features = d.Input, d.Models, d.Scopes, d.Features
	p.WebhookSubscriptions, p.Endpoints = d.WebhookSubscriptions, d.Endpoints
	return p
}

// hoisted moves definitions out of definitions: the published tool leaves them
// there, where references don't lead.
func hoisted(definitions any) map[string]any {
	out := map[string]any{}
	for name, d := range definitions.(map[string]any) {
		schema := maps.Clone(d.(map[string]any))
		inner, _ := schema["definitions"].(map[string]any)
		delete(schema, "definitions")
		text, _ := json.Marshal(schema)
		for key, s := range inner {
			to := name + "_" + strings.TrimLeft(key, "_")
			text = []byte(strings.ReplaceAll(string(text), "#/definitions/"+key, "#/definitions/"+to))
			one, _ := json.Marshal(s)
			one = []byte(strings.ReplaceAll(string(one), "#/definitions/"+key, "#/definitions/"+to))
			out[to] = parsed(one)
		}
		out[name] = parsed(text)
	}
	return out
}

func parsed(text []byte) (v any) {
	if err := json.Unmarshal(text, &v); err != nil {
		panic(err)
	}
	return v
}
