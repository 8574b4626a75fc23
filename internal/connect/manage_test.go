package connect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

// importOpen imports connections without credentials.
func (w *world) importOpen(names ...string) {
	w.t.Helper()
	for _, name := range names {
		_, err := w.replicas[0].Import(w.t.Context(), environment(), connect.ImportInput{
			IntegrationKey: "open", Name: name, Credentials: credential.NewNone(),
			Metadata: map[string]any{"old": "kept"}, Tags: map[string]string{"team": "a"},
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) open(name string) linkspan.Connection {
	w.t.Helper()
	target, err := w.replicas[0].Live(w.t.Context(), envID, "open", name)
	if err != nil {
		w.t.Fatal(err)
	}
	return target.Connection
}

func TestPatch(t *testing.T) {
	t.Parallel()
	user := &linkspan.EndUser{ID: "u", Organization: &linkspan.Organization{ID: "o", DisplayName: "Org"}}
	tests := []struct {
		name    string
		in      connect.PatchInput
		tags    map[string]string
		webhook string
	}{
		{"nothing", connect.PatchInput{}, map[string]string{"team": "a"}, ""},
		{"tags replace all", connect.PatchInput{Tags: map[string]string{"New": "b"}}, map[string]string{"new": "b"}, ""},
		{"no tags", connect.PatchInput{Tags: map[string]string{}}, map[string]string{}, ""},
		{
			"end user alone adds tags",
			connect.PatchInput{EndUser: user},
			map[string]string{"team": "a", "end_user_id": "u", "organization_id": "o", "organization_display_name": "Org"},
			"",
		},
		{"end user and tags", connect.PatchInput{EndUser: &linkspan.EndUser{ID: "u"}, Tags: map[string]string{"x": "y"}}, map[string]string{"x": "y", "end_user_id": "u"}, ""},
		{"webhook", connect.PatchInput{WebhookURLOverride: new("https://hooks.example")}, map[string]string{"team": "a"}, "https://hooks.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, 1, func(t *testing.T, w *world) {
				w.importOpen("c")
				if err := w.replicas[0].Patch(t.Context(), envID, "open", "c", tt.in); err != nil {
					t.Fatal(err)
				}
				c := w.open("c")
				if diff := cmp.Diff(tt.tags, c.Tags); diff != "" {
					t.Errorf("tags (-want +got):\n%s", diff)
				}
				if c.WebhookURLOverride != tt.webhook || !cmp.Equal(c.EndUser, tt.in.EndUser) || c.Metadata["old"] != "kept" {
					t.Errorf("connection %+v", c)
				}
				if ops := w.records.of(linkspan.ActionUpdateConnection); len(ops) != 1 {
					t.Errorf("%d updates recorded, want 1", len(ops))
				}
			})
		})
	}
}

func TestPatchRefuses(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importOpen("c")
		tests := []struct {
			key, name string
			in        connect.PatchInput
			code      string
		}{
			{"absent", "c", connect.PatchInput{}, "unknown_provider_config"},
			{"open", "absent", connect.PatchInput{}, "unknown_connection"},
			{"open", "c", connect.PatchInput{Tags: map[string]string{"": "x"}}, "invalid_body"},
			{"open", "c", connect.PatchInput{WebhookURLOverride: new("not a url")}, "invalid_body"},
		}
		for _, tt := range tests {
			if err := w.replicas[0].Patch(t.Context(), envID, tt.key, tt.name, tt.in); linkspan.CodeOf(err) != tt.code {
				t.Errorf("Patch of %s/%s = %v, want %s", tt.key, tt.name, err, tt.code)
			}
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importOpen("c", "d")
		r := w.replicas[0]
		before := w.open("c")
		// A provider whose file was removed leaves connections behind.
		provider := w.providers["open"]
		delete(w.providers, "open")
		if err := r.Delete(t.Context(), envID, "open", "c"); err != nil {
			t.Fatal(err)
		}
		if err := r.Delete(t.Context(), envID, "open", "c"); linkspan.CodeOf(err) != "unknown_connection" {
			t.Errorf("second Delete = %v, want unknown_connection", err)
		}
		w.providers["open"] = provider
		w.importOpen("c")
		if again := w.open("c"); again.UUID == before.UUID {
			t.Error("a connection made anew is the deleted one")
		}
		if ops := w.records.of(linkspan.ActionDeleteConnection); len(ops) != 1 || ops[0].ConnectionUUID != before.UUID {
			t.Errorf("operations %+v, want one deletion", ops)
		}
		if err := r.PurgeDeleted(t.Context()); err != nil || len(w.db.data.connections) != 3 {
			t.Errorf("PurgeDeleted = %v, %d rows; nothing is old enough", err, len(w.db.data.connections))
		}
		w.db.skip(32 * 24 * 60 * 60 * 1e9)
		if err := r.PurgeDeleted(t.Context()); err != nil || len(w.db.data.connections) != 2 {
			t.Errorf("PurgeDeleted = %v, %d rows left, want 2", err, len(w.db.data.connections))
		}
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importOpen("a", "b")
		r := w.replicas[0]
		md := map[string]any{"n": map[string]any{"x": 1.0}}
		if err := r.MergeMetadata(t.Context(), envID, "open", []string{"b", "a", "b"}, md); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			if diff := cmp.Diff(map[string]any{"old": "kept", "n": map[string]any{"x": 1.0}}, w.open(name).Metadata); diff != "" {
				t.Errorf("merged metadata of %s (-want +got):\n%s", name, diff)
			}
		}
		if err := r.SetMetadata(t.Context(), envID, "open", []string{"a"}, map[string]any{}); err != nil || len(w.open("a").Metadata) != 0 {
			t.Errorf("SetMetadata = %v, %v; want none left", err, w.open("a").Metadata)
		}
		changed := map[string]int{}
		for _, op := range w.records.of(linkspan.ActionUpdateConnection) {
			changed[op.IntegrationKey+" "+op.Provider+" "+op.ConnectionName]++
		}
		if diff := cmp.Diff(map[string]int{"open open a": 2, "open open b": 1}, changed); diff != "" {
			t.Errorf("recorded changes (-want +got):\n%s", diff)
		}
	})
}

func TestMetadataIsAllOrNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.importOpen("a", "b")
		err := w.replicas[0].SetMetadata(t.Context(), envID, "open", []string{"a", "absent", "b"}, map[string]any{"new": true})
		if linkspan.CodeOf(err) != "unknown_connection" || !strings.Contains(fmt.Sprint(err), "No actions were taken on any") {
			t.Errorf("error = %v, want unknown_connection that says that nothing was done", err)
		}
		for _, name := range []string{"a", "b"} {
			if got := w.open(name).Metadata; got["new"] != nil {
				t.Errorf("metadata of %s was written: %v", name, got)
			}
		}
		if ops := w.records.of(linkspan.ActionUpdateConnection); len(ops) != 0 {
			t.Errorf("recorded %+v, and nothing was changed", ops)
		}
		err = w.replicas[0].SetMetadata(t.Context(), envID, "open", []string{"absent"}, map[string]any{})
		if strings.Contains(fmt.Sprint(err), "No actions") {
			t.Errorf("error of a single one = %v", err)
		}
	})
}

func TestTags(t *testing.T) {
	t.Parallel()
	many := make(map[string]string)
	for i := range 11 {
		many[fmt.Sprintf("k%d", i)] = "v"
	}
	tests := []struct {
		name  string
		in    map[string]string
		want  map[string]string
		codes []string
	}{
		{"none", nil, nil, nil},
		{"empty", map[string]string{}, map[string]string{}, nil},
		{"keys are lowered, values not", map[string]string{"Team.A/b-c_d": "ABC"}, map[string]string{"team.a/b-c_d": "ABC"}, nil},
		{"case twins", map[string]string{"A": "1", "a": "2"}, nil, []string{"custom"}},
		{"bad key", map[string]string{"1a": "x"}, nil, []string{"invalid_key"}},
		{"long key", map[string]string{strings.Repeat("k", 65): "x"}, nil, []string{"invalid_key"}},
		{"empty value", map[string]string{"a": ""}, nil, []string{"too_small"}},
		{"long value", map[string]string{"a": strings.Repeat("ä", 256)}, nil, []string{"too_big"}},
		{"value of most length", map[string]string{"a": strings.Repeat("ä", 255)}, map[string]string{"a": strings.Repeat("ä", 255)}, nil},
		{"bad address", map[string]string{"End_User_Email": "nobody"}, nil, []string{"invalid_format"}},
		{"address", map[string]string{"end_user_email": "a@b.example"}, map[string]string{"end_user_email": "a@b.example"}, nil},
		{"too many", many, nil, []string{"custom"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, issues := connect.Tags(tt.in, "tags")
			var codes []string
			for _, i := range issues {
				codes = append(codes, i.Code)
				if i.Path[0] != "tags" {
					t.Errorf("path %v", i.Path)
				}
			}
			if !cmp.Equal(codes, tt.codes) {
				t.Errorf("issues %+v, want %v", issues, tt.codes)
			}
			if tt.codes == nil && !cmp.Equal(got, tt.want) {
				t.Errorf("tags = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMergeTagsDropsDerivedOnesWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	explicit := make(map[string]string)
	for i := range 9 {
		explicit[fmt.Sprintf("k%d", i)] = "v"
	}
	one := connect.MergeTags(explicit, &linkspan.EndUser{ID: "u"})
	if len(one) != 10 || one["end_user_id"] != "u" {
		t.Errorf("ten tags became %v", one)
	}
	two := connect.MergeTags(explicit, &linkspan.EndUser{ID: "u", DisplayName: "U"})
	if !cmp.Equal(two, explicit) {
		t.Errorf("eleven tags became %v, want the explicit ones", two)
	}
}
