package server_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/server"
)

// specification is as much of an OpenAPI document as the checks need.
type specification struct {
	Paths      map[string]map[string]specOperation
	Components struct {
		Schemas, Responses, SecuritySchemes map[string]json.RawMessage
	}
}

type specOperation struct {
	OperationID string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   json.RawMessage
	}
	Security  []map[string][]string
	Responses map[string]json.RawMessage
}

func describe(t *testing.T) (specification, string) {
	t.Helper()
	text, err := server.OpenAPI(newRig(t, rigOptions{}).server.Routes())
	check(t, err)
	var doc specification
	check(t, json.Unmarshal(text, &doc))
	return doc, string(text)
}

// What a generator of clients stumbles over: references to nothing, schemas that
// nothing uses, names that are not unique, path parameters that are not there.
func TestOpenAPIHoldsTogether(t *testing.T) {
	t.Parallel()
	doc, text := describe(t)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"\$ref": "([^"]*)"`).FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
	}
	there := map[string]bool{}
	for section, entries := range map[string]map[string]json.RawMessage{"schemas": doc.Components.Schemas, "responses": doc.Components.Responses} {
		for name := range entries {
			there["#/components/"+section+"/"+name] = true
		}
	}
	if len(used) < 20 || !maps.Equal(used, there) {
		t.Errorf("references: %v\ncomponents: %v", slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(there)))
	}
	names := map[string]string{}
	for path, operations := range doc.Paths {
		for method, o := range operations {
			where := method + " " + path
			if twin := names[o.OperationID]; twin != "" || o.OperationID == "" {
				t.Errorf("%s and %s are both called %q", where, twin, o.OperationID)
			}
			names[o.OperationID] = where
			var params []string
			for _, p := range o.Parameters {
				if len(p.Schema) == 0 || (p.In == "path") != strings.Contains(path, "{"+p.Name+"}") || p.In == "path" && !p.Required {
					t.Errorf("%s: the parameter %q in the %s", where, p.Name, p.In)
				}
				params = append(params, p.In+p.Name)
			}
			if n := strings.Count(path, "{"); n > strings.Count(strings.Join(params, "\n"), "path") {
				t.Errorf("%s: %d path parameters, described are %v", where, n, params)
			}
		}
	}
}

// A server that is not ready says so in the form of one that is.
func TestOpenAPIOfReadiness(t *testing.T) {
	t.Parallel()
	doc, _ := describe(t)
	ready := doc.Paths["/ready"]["get"].Responses
	var yes, no struct{ Content json.RawMessage }
	check(t, json.Unmarshal(ready["200"], &yes))
	check(t, json.Unmarshal(ready["503"], &no))
	if len(no.Content) == 0 || string(no.Content) != string(yes.Content) {
		t.Errorf("ready: %s, not ready: %s", yes.Content, no.Content)
	}
}

// Every operation says which key it wants and what a refusal looks like.
func TestOpenAPITellsOfRefusals(t *testing.T) {
	t.Parallel()
	doc, _ := describe(t)
	open := []string{"/health", "/ready", "/openapi.json", "/providers.json", "/connect/telemetry"}
	for path, operations := range doc.Paths {
		for method, o := range operations {
			where := method + " " + path
			if len(o.Responses["default"]) == 0 {
				t.Errorf("%s: no default response", where)
			}
			if slices.Contains(open, path) != (len(o.Security) == 0) {
				t.Errorf("%s: security is %v", where, o.Security)
			}
			for _, alternative := range o.Security {
				for scheme := range alternative {
					if len(doc.Components.SecuritySchemes[scheme]) == 0 {
						t.Errorf("%s: the scheme %q is not described", where, scheme)
					}
				}
			}
			if len(o.Security) == 0 || strings.HasPrefix(path, "/proxy/") || strings.HasPrefix(path, "/oauth/") {
				continue // a proxied answer comes from the provider, and a window is answered with pages
			}
			want := []string{"400", "401", "403", "429"}
			if strings.Contains(path, "{") {
				want = append(want, "404")
			}
			for _, status := range want {
				if len(o.Responses[status]) == 0 {
					t.Errorf("%s: no response %s", where, status)
				}
			}
		}
	}
}
