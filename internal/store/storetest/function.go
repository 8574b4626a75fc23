package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

// newFunction returns a function that is not stored yet, with a version.
func newFunction(i linkspan.Integration, kind linkspan.FunctionKind, name string) linkspan.Function {
	return linkspan.Function{
		UUID: linkspan.NewUUID(), EnvironmentID: i.EnvironmentID, IntegrationID: i.ID, IntegrationKey: i.Key, Provider: i.Provider,
		Kind: kind, Name: name, Enabled: true, Source: linkspan.SourceRepo, Version: newFunctionVersion(1),
	}
}

func newFunctionVersion(number int64) linkspan.FunctionVersion {
	return linkspan.FunctionVersion{
		UUID: linkspan.NewUUID(), Number: number, Label: fmt.Sprintf("1.0.%d", number), CodeHash: strings.Repeat("a", 64), SourceHash: strings.Repeat("b", 64),
		Definition: linkspan.FunctionDefinition{
			Description: "Does it.", Scopes: []string{"repo"}, Input: "In", Models: []string{"Out"}, Schema: json.RawMessage(`{"definitions":{"In":{},"Out":{}}}`),
			Endpoints: []linkspan.FunctionEndpoint{{Method: "GET", Path: "/x", Group: "X"}}, Frequency: "every hour", SyncType: "full", AutoStart: true,
			Attributes: map[string]any{"a": 1.5}, SDKVersion: "1.2.3-zero", Event: linkspan.EventPostConnectionCreation,
		},
	}
}

func (w *world) save(t *testing.T, env linkspan.EnvironmentID, list ...linkspan.Function) []linkspan.Function {
	t.Helper()
	must(t, w.SaveFunctions(t.Context(), nil, env, list))
	return list
}

func testFunctions(t *testing.T, w *world) {
	ctx := t.Context()
	github, slack := w.newIntegration(t, w.env, "github"), w.newIntegration(t, w.env, "slack")
	w.newConnection(t, github, "one", nil)
	saved := w.save(t, w.env.ID,
		newFunction(github, linkspan.FunctionSync, "both"), newFunction(github, linkspan.FunctionAction, "both"),
		newFunction(slack, linkspan.FunctionAction, "post_It"), newFunction(slack, linkspan.FunctionOnEvent, "hello"))
	got, err := w.Functions(ctx, nil, w.env.ID)
	must(t, err)
	wantEqual(t, "functions", got, saved)
	named, err := w.FunctionsNamed(ctx, nil, w.env.ID, "github", "both")
	must(t, err)
	wantEqual(t, "functions of a name", named, saved[:2])
	events, err := w.FunctionsOfKind(ctx, nil, w.env.ID, "slack", linkspan.FunctionOnEvent)
	must(t, err)
	wantEqual(t, "functions of a kind", events, saved[3:])
	counts, err := w.FunctionConnections(ctx, nil, w.env.ID)
	must(t, err)
	wantEqual(t, "connections", counts, map[linkspan.IntegrationID]int{github.ID: 1})
	integrations, err := w.FunctionIntegrations(ctx, nil, w.env.ID)
	must(t, err)
	wantEqual(t, "integrations", integrations, []linkspan.Integration{
		{ID: github.ID, EnvironmentID: w.env.ID, Key: "github", Provider: "github"}, {ID: slack.ID, EnvironmentID: w.env.ID, Key: "slack", Provider: "github"},
	})

	// The same name of the same kind is taken.
	wantKind(t, w.SaveFunctions(ctx, nil, w.env.ID, []linkspan.Function{newFunction(github, linkspan.FunctionSync, "both")}), linkspan.KindConflict)
	bad := newFunction(github, linkspan.FunctionSync, "other")
	bad.Version.Label = "a\x00b"
	wantKind(t, w.SaveFunctions(ctx, nil, w.env.ID, []linkspan.Function{bad}), linkspan.KindInvalid)

	testFunctionPages(t, w, slack, saved[2], saved[3])
	testFunctionLife(t, w, saved[0])
}

func testFunctionPages(t *testing.T, w *world, slack linkspan.Integration, action, event linkspan.Function) {
	t.Helper()
	for _, c := range []struct {
		kind          linkspan.FunctionKind
		search        string
		limit, offset int
		want          []linkspan.Function
		total         int
	}{
		{"", "", 10, 0, []linkspan.Function{event, action}, 2},
		{"", "", 1, 1, []linkspan.Function{action}, 2},
		{"", "", 10, 2, nil, 2},
		{linkspan.FunctionAction, "", 10, 0, []linkspan.Function{action}, 1},
		{linkspan.FunctionSync, "", 10, 0, nil, 0},
		{"", "T_i", 10, 0, []linkspan.Function{action}, 1},
		{"", "t%i", 10, 0, nil, 0},
	} {
		list, total, err := w.FunctionPage(t.Context(), nil, w.env.ID, slack.ID, c.kind, c.search, c.limit, c.offset)
		must(t, err)
		if total != c.total {
			t.Fatalf("%+v: there are %d, want %d", c, total, c.total)
		}
		wantEqual(t, "page", list, c.want)
	}
}

// testFunctionLife changes a function, removes it and brings it back.
func testFunctionLife(t *testing.T, w *world, f linkspan.Function) {
	t.Helper()
	ctx := t.Context()
	first := f.Version
	f.Version = newFunctionVersion(2)
	f.Source, f.Enabled = linkspan.SourceStandalone, false // enabled is not written
	f = w.save(t, w.env.ID, f)[0]
	versions, total, err := w.FunctionVersions(ctx, nil, w.env.ID, f.ID, 10, 0)
	must(t, err)
	wantEqual(t, "versions", versions, []linkspan.FunctionVersion{f.Version, first})
	page, _, err := w.FunctionVersions(ctx, nil, w.env.ID, f.ID, 1, 1)
	must(t, err)
	wantEqual(t, "page of versions", page, []linkspan.FunctionVersion{first})
	if total != 2 {
		t.Fatalf("there are %d versions, want 2", total)
	}
	must(t, w.SetFunctionVersion(ctx, nil, &f, &first))
	must(t, w.SetFunctionEnabled(ctx, nil, &f, false))
	last, err := w.LastFunctionVersions(ctx, nil, w.env.ID)
	must(t, err)
	if at := slices.IndexFunc(last, func(v linkspan.FunctionVersion) bool { return v.FunctionID == f.ID }); last[at].Number != 2 || last[at].Label != "1.0.2" {
		t.Fatalf("the newest version is %+v, want the second", last[at])
	}
	now, err := w.FunctionsNamed(ctx, nil, w.env.ID, "github", "both")
	must(t, err)
	wantEqual(t, "function", now[0], f)
	stranger := first
	stranger.FunctionID++
	wantKind(t, w.SetFunctionVersion(ctx, nil, &f, &stranger), linkspan.KindNotFound)
	_, err = w.FunctionVersion(ctx, nil, w.env.ID, f.ID, 3)
	wantKind(t, err, linkspan.KindNotFound)

	must(t, w.RemoveFunctions(ctx, nil, w.env.ID, []linkspan.FunctionID{f.ID}))
	wantKind(t, w.RemoveFunctions(ctx, nil, w.env.ID, []linkspan.FunctionID{f.ID}), linkspan.KindNotFound)
	wantKind(t, w.SetFunctionEnabled(ctx, nil, &f, true), linkspan.KindNotFound)
	live, err := w.FunctionsNamed(ctx, nil, w.env.ID, "github", "both")
	must(t, err)
	if len(live) != 1 || live[0].Kind != linkspan.FunctionAction {
		t.Fatalf("after the removal there are %+v", live)
	}
	removed, err := w.RemovedFunctions(ctx, nil, w.env.ID)
	must(t, err)
	if len(removed) != 1 || removed[0].ID != f.ID {
		t.Fatalf("removed are %+v", removed)
	}
	back := w.save(t, w.env.ID, removed[0])[0]
	live, err = w.FunctionsNamed(ctx, nil, w.env.ID, "github", "both")
	must(t, err)
	wantEqual(t, "function that is back", live[0], back)
}

// Changes of functions are told, and a transaction that fails leaves nothing.
func testFunctionTransactions(t *testing.T, w *world) {
	ctx := t.Context()
	github := w.newIntegration(t, w.env, "github")
	before, err := w.LatestChange(ctx)
	must(t, err)
	stop := errors.New("stop")
	err = w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		must(t, w.SaveFunctions(ctx, tx, w.env.ID, []linkspan.Function{newFunction(github, linkspan.FunctionSync, "s")}))
		list, err := w.Functions(ctx, tx, w.env.ID)
		must(t, err)
		if len(list) != 1 {
			t.Errorf("the transaction sees %d functions, want its own", len(list))
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	list, err := w.Functions(ctx, nil, w.env.ID)
	must(t, err)
	if len(list) != 0 {
		t.Fatalf("what was given up is there: %+v", list)
	}
	f := w.save(t, w.env.ID, newFunction(github, linkspan.FunctionSync, "s"))[0]
	must(t, w.SetFunctionEnabled(ctx, nil, &f, false))
	must(t, w.SetFunctionVersion(ctx, nil, &f, &f.Version))
	must(t, w.RemoveFunctions(ctx, nil, w.env.ID, []linkspan.FunctionID{f.ID}))
	changes, err := w.ChangesSince(ctx, before, 10)
	must(t, err)
	if len(changes) != 4 {
		t.Fatalf("changes are %+v, want four", changes)
	}
	for _, c := range changes {
		if c.Kind != linkspan.ChangeFunctions || c.Environment != w.env.ID {
			t.Errorf("a change is %+v", c)
		}
	}
	must(t, w.SaveFunctions(ctx, nil, w.env.ID, nil))
	must(t, w.RemoveFunctions(ctx, nil, w.env.ID, nil))
}

func testFunctionIsolation(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.newEnvironment(t, "other")
	mine, theirs := w.newIntegration(t, w.env, "github"), w.newIntegration(t, other, "github")
	f := w.save(t, w.env.ID, newFunction(mine, linkspan.FunctionAction, "a"))[0]
	g := w.save(t, other.ID, newFunction(theirs, linkspan.FunctionAction, "a"))[0]
	list, err := w.Functions(ctx, nil, other.ID)
	must(t, err)
	wantEqual(t, "their functions", list, []linkspan.Function{g})
	wantKind(t, w.RemoveFunctions(ctx, nil, other.ID, []linkspan.FunctionID{f.ID}), linkspan.KindNotFound)
	wantKind(t, w.SaveFunctions(ctx, nil, other.ID, []linkspan.Function{f}), linkspan.KindNotFound)
	stolen := f
	stolen.EnvironmentID = other.ID
	wantKind(t, w.SetFunctionEnabled(ctx, nil, &stolen, false), linkspan.KindNotFound)
	wantKind(t, w.SetFunctionVersion(ctx, nil, &f, &g.Version), linkspan.KindNotFound)
	_, err = w.FunctionVersion(ctx, nil, other.ID, f.ID, 1)
	wantKind(t, err, linkspan.KindNotFound)
	if page, total, err := w.FunctionPage(ctx, nil, other.ID, mine.ID, "", "", 10, 0); err != nil || total != 0 || len(page) != 0 {
		t.Errorf("they see %+v (%v)", page, err)
	}
	must(t, w.StoreFunctionCode(ctx, w.env.ID, map[string]string{f.Version.CodeHash: "mine"}))
	_, err = w.FunctionCode(ctx, nil, other.ID, f.Version.CodeHash)
	wantKind(t, err, linkspan.KindNotFound)

	// What belongs to a deleted integration does not exist, nor do functions of it
	// that were removed.
	must(t, w.DeleteIntegration(ctx, nil, &mine))
	if list, err := w.Functions(ctx, nil, w.env.ID); err != nil || len(list) != 0 {
		t.Errorf("without their integration there are %+v (%v)", list, err)
	}
	again := w.newIntegration(t, w.env, "github")
	fresh := w.save(t, w.env.ID, newFunction(again, linkspan.FunctionAction, "a"))[0]
	if named, err := w.FunctionsNamed(ctx, nil, w.env.ID, "github", "a"); err != nil || len(named) != 1 || named[0].ID != fresh.ID {
		t.Errorf("at the new integration there are %+v (%v)", named, err)
	}
	must(t, w.DeleteEnvironment(ctx, nil, &other))
	if list, err := w.Functions(ctx, nil, other.ID); err != nil || len(list) != 0 {
		t.Errorf("without their environment there are %+v (%v)", list, err)
	}
}

func testFunctionCode(t *testing.T, w *world) {
	ctx := t.Context()
	github := w.newIntegration(t, w.env, "github")
	f := newFunction(github, linkspan.FunctionAction, "a")
	f.Version.CodeHash, f.Version.SourceHash = "code", "source"
	w.save(t, w.env.ID, f)
	texts := map[string]string{"code": strings.Repeat("const a = 1\x00;\n", 10_000), "source": "const a: number = 1", "garbage": "x", "empty": ""}
	must(t, w.StoreFunctionCode(ctx, w.env.ID, texts))
	must(t, w.StoreFunctionCode(ctx, w.env.ID, texts)) // they are there already
	for hash, want := range texts {
		got, err := w.FunctionCode(ctx, nil, w.env.ID, hash)
		must(t, err)
		if got != want {
			t.Errorf("the text of %s has %d bytes, want %d", hash, len(got), len(want))
		}
	}
	if n, err := w.PurgeFunctionCode(ctx, nil, time.Now().Add(-time.Hour), 10); err != nil || n != 0 {
		t.Errorf("purged %d fresh texts (%v)", n, err)
	}
	w.exec(t, "update function_code set created_at = 1")
	must(t, w.StoreFunctionCode(ctx, w.env.ID, map[string]string{"empty": ""})) // about to be deployed
	if n, err := w.PurgeFunctionCode(ctx, nil, time.Now().Add(-time.Hour), 10); err != nil || n != 1 {
		t.Errorf("purged %d texts, want the one that nothing refers to (%v)", n, err)
	}
	_, err := w.FunctionCode(ctx, nil, w.env.ID, "garbage")
	wantKind(t, err, linkspan.KindNotFound)
	for _, hash := range []string{"code", "source", "empty"} {
		_, err := w.FunctionCode(ctx, nil, w.env.ID, hash)
		must(t, err)
	}
	w.exec(t, "update function_code set data = $1 where hash = 'code'", []byte{9, 1, 2})
	if _, err := w.FunctionCode(ctx, nil, w.env.ID, "code"); err == nil {
		t.Error("a text in an unknown form was read")
	}
	// Gone for good with the integration, versions and all.
	must(t, w.DeleteIntegration(ctx, nil, &github))
	_, err = w.PurgeDeleted(ctx, nil, time.Now().Add(time.Hour), 100)
	must(t, err)
	w.exec(t, "update function_code set created_at = 1")
	if n, err := w.PurgeFunctionCode(ctx, nil, time.Now(), 10); err != nil || n != 3 {
		t.Errorf("purged %d texts of what is gone, want 3 (%v)", n, err)
	}
}

// testFunctionPurges looks at what is left of versions and of removed functions.
func testFunctionPurges(t *testing.T, w *world) {
	ctx := t.Context()
	github := w.newIntegration(t, w.env, "github")
	old, few, gone := newFunction(github, linkspan.FunctionAction, "old"), newFunction(github, linkspan.FunctionAction, "few"), newFunction(github, linkspan.FunctionAction, "gone")
	list := w.save(t, w.env.ID, old, few, gone)
	old, few, gone = list[0], list[1], list[2]
	first := old.Version
	for number := int64(2); number <= 7; number++ {
		old.Version = newFunctionVersion(number)
		w.save(t, w.env.ID, old)
		if number <= 4 {
			few.Version = newFunctionVersion(number)
			w.save(t, w.env.ID, few)
		}
	}
	must(t, w.SetFunctionVersion(ctx, nil, &old, &first))
	for _, want := range []int{1, 0} {
		if n, err := w.TrimFunctionVersions(ctx, 3, 10); err != nil || n != want {
			t.Errorf("trimmed %d functions, want %d (%v)", n, want, err)
		}
	}
	for _, c := range []struct {
		function linkspan.FunctionID
		want     []int64
	}{{old.ID, []int64{7, 6, 5, 1}}, {few.ID, []int64{4, 3, 2, 1}}, {gone.ID, []int64{1}}} {
		versions, _, err := w.FunctionVersions(ctx, nil, w.env.ID, c.function, 100, 0)
		must(t, err)
		var numbers []int64
		for _, v := range versions {
			numbers = append(numbers, v.Number)
		}
		wantEqual(t, "versions", numbers, c.want)
	}

	must(t, w.RemoveFunctions(ctx, nil, w.env.ID, []linkspan.FunctionID{few.ID, gone.ID}))
	w.exec(t, "update functions set deleted_at = 1 where id = $1", int64(gone.ID))
	for _, want := range []int{1, 0} {
		if n, err := w.PurgeFunctions(ctx, nil, time.Now().Add(-time.Hour), 10); err != nil || n != want {
			t.Errorf("purged %d functions, want %d (%v)", n, want, err)
		}
	}
	removed, err := w.RemovedFunctions(ctx, nil, w.env.ID)
	must(t, err)
	if len(removed) != 1 || removed[0].ID != few.ID {
		t.Errorf("what is left of the removed functions: %+v", removed)
	}
	if _, total, err := w.FunctionVersions(ctx, nil, w.env.ID, gone.ID, 1, 0); err != nil || total != 0 {
		t.Errorf("%d versions of a purged function are left (%v)", total, err)
	}
}
