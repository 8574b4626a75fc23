package function

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/vault"
)

func sqlite(tb testing.TB) store.Config { tb.Helper(); return store.Config{DataDir: tb.TempDir()} }

func ring() *vault.Ring { return vault.NewRing(vault.NewMasterKey()) }

func TestAmbiguousNames(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	ctx := t.Context()
	w.deploy(syncing("github", "both", "1", "M"), action("github", "both", "2"), action("github", "one", "3"))
	_, err := w.service.Function(ctx, w.env, Name{IntegrationKey: "github", Name: "both"})
	e := wantCode(t, err, linkspan.KindConflict, "ambiguous_function")
	want := map[string]any{"matches": []Match{{linkspan.FunctionSync, "both"}, {linkspan.FunctionAction, "both"}}}
	if diff := cmp.Diff(want, e.Payload); diff != "" {
		t.Error(diff)
	}
	f, source, err := w.service.Source(ctx, w.env, Name{"github", linkspan.FunctionAction, "both"})
	if err != nil || f.Kind != linkspan.FunctionAction || source != "ts 2" {
		t.Errorf("the source is %q (%v)", source, err)
	}
	_, _, err = w.service.Source(ctx, w.env, Name{IntegrationKey: "github", Name: "none"})
	if e := wantCode(t, err, linkspan.KindNotFound, "not_found"); e.Msg != "Function 'none' not found for integration 'github'" {
		t.Error(e.Msg)
	}
	w.deploy(Deployable{
		IntegrationKey: "github", Kind: linkspan.FunctionAction, Name: "bare", Code: linkspan.FunctionCode{Bundle: "x"},
	})
	_, _, err = w.service.Source(ctx, w.env, Name{IntegrationKey: "github", Name: "bare"})
	if e := wantCode(t, err, linkspan.KindNotFound, "not_found"); e.Msg != "Source file for 'bare' not found" {
		t.Error(e.Msg)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		ctx, name := t.Context(), Name{IntegrationKey: "github", Name: "a"}
		for _, code := range []string{"1", "2", "3"} {
			w.deploy(action("github", "a", code))
		}
		_, err := w.service.Rollback(ctx, w.env, name, 4)
		wantCode(t, err, linkspan.KindNotFound, "not_found")
		f, err := w.service.Rollback(ctx, w.env, name, 1)
		must(t, err)
		code, err := w.service.VersionCode(ctx, w.env, f.Version)
		must(t, err)
		if f.Version.Number != 1 || code.Bundle != "exports.js = 1" || code.Source != "ts 1" {
			t.Errorf("rolled back to %+v with %q", f.Version, code)
		}
		f, list, total, err := w.service.Versions(ctx, w.env, name, 2, 0)
		must(t, err)
		if total != 3 || len(list) != 2 || list[0].Number != 3 || f.Version.Number != 1 {
			t.Errorf("versions are %+v of %d", list, total)
		}
		// What was deployed last is a change again; its number is a new one.
		if f := w.deploy(action("github", "a", "3")).Functions[0]; f.Version.Number != 4 || f.Version.Label != "4" {
			t.Errorf("deployed again: %+v", f.Version)
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	ctx, name := t.Context(), Name{"github", linkspan.FunctionAction, "a"}
	_, err := w.service.Deploy(ctx, w.env, &Deployment{Mode: ModeSingle, Source: linkspan.SourceStandalone, Functions: []Deployable{action("github", "a", "1")}})
	must(t, err)
	must(t, w.service.Delete(ctx, w.env, name))
	wantCode(t, w.service.Delete(ctx, w.env, name), linkspan.KindNotFound, "not_found")
	_, err = w.service.SetEnabled(ctx, w.env, name, false)
	wantCode(t, err, linkspan.KindNotFound, "not_found")
}

// The code of a deploy that failed is removed a day later, and no other.
func TestPurge(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	ctx := t.Context()
	d := w.deploy(action("github", "a", "1"))
	must(t, w.StoreFunctionCode(ctx, w.env, map[string]string{"garbage": "x"}))
	later := w.replica(w.Store)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{codeGrace - time.Hour, 0}, {codeGrace + time.Hour, 1}, {codeGrace + time.Hour, 0}} {
		later.now = func() time.Time { return time.Now().Add(c.after) }
		if n, err := later.Purge(ctx, 10); err != nil || n != c.want {
			t.Errorf("purged %d after %s, want %d (%v)", n, c.after, c.want, err)
		}
	}
	if _, err := later.VersionCode(ctx, w.env, d.Functions[0].Version); err != nil {
		t.Error(err)
	}
	if _, err := later.Purge(ctx, 0); err == nil {
		t.Error("purging nothing at all is a mistake")
	}
}

// Of many versions the newest are left and the one that runs; removed functions go
// for good after a time.
func TestPurgeOfVersions(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	ctx, name := t.Context(), Name{IntegrationKey: "github", Name: "a"}
	const more = 5
	for i := range keepVersions + more {
		w.deploy(action("github", "a", strconv.Itoa(i)))
	}
	_, err := w.service.Rollback(ctx, w.env, name, 2)
	must(t, err)
	_, err = w.service.Purge(ctx, 10)
	must(t, err)
	_, versions, total, err := w.service.Versions(ctx, w.env, name, 200, 0)
	must(t, err)
	if last := versions[len(versions)-2:]; total != keepVersions+1 || last[0].Number != more+1 || last[1].Number != 2 {
		t.Errorf("%d versions are left, the last %v", total, last)
	}
	if _, err := w.service.Rollback(ctx, w.env, name, 1); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("a rollback to a version that is gone: %v", err)
	}
	if d := w.deploy(action("github", "a", "new")); d.Functions[0].Version.Number != keepVersions+more+1 {
		t.Errorf("the next version is number %d", d.Functions[0].Version.Number)
	}

	w.deploy() // removes it
	later := w.replica(w.Store)
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{keepRemoved - time.Hour, 1}, {keepRemoved + time.Hour, 0}} {
		later.now = func() time.Time { return time.Now().Add(c.after) }
		_, err := later.Purge(ctx, 10)
		must(t, err)
		if removed, err := w.RemovedFunctions(ctx, nil, w.env); err != nil || len(removed) != c.left {
			t.Errorf("%d removed functions are left after %s (%v)", len(removed), c.after, err)
		}
	}
	if d := w.deploy(action("github", "a", "new")); d.Functions[0].Version.Number != 1 {
		t.Errorf("after all was purged the first version is number %d", d.Functions[0].Version.Number)
	}
}

// counting counts what reaches the database.
type counting struct {
	Store

	named, kinds, code atomic.Int64
}

// FunctionsNamed implements Store.
func (c *counting) FunctionsNamed(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key, name string) ([]linkspan.Function, error) {
	c.named.Add(1)
	return c.Store.FunctionsNamed(ctx, tx, env, key, name)
}

// FunctionsOfKind implements Store.
func (c *counting) FunctionsOfKind(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, key string, kind linkspan.FunctionKind) ([]linkspan.Function, error) {
	c.kinds.Add(1)
	return c.Store.FunctionsOfKind(ctx, tx, env, key, kind)
}

// FunctionCode implements Store.
func (c *counting) FunctionCode(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, hash string) (string, error) {
	c.code.Add(1)
	return c.Store.FunctionCode(ctx, tx, env, hash)
}

// Whoever runs functions asks the database once, and learns of every change.
func TestFindFollowsChanges(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	ctx := t.Context()
	db := &counting{Store: w.Store}
	s := w.replica(db)
	w.deploy(action("github", "a", "1"), onEvent("github", "e1", linkspan.EventValidateConnection),
		onEvent("github", "e2", linkspan.EventValidateConnection), onEvent("github", "e3", linkspan.EventPreConnectionDeletion))
	find := func() (linkspan.Function, error) { return s.Find(ctx, w.env, "github", linkspan.FunctionAction, "a") }
	events := func() []string {
		list, err := s.ByEvent(ctx, w.env, "github", linkspan.EventValidateConnection)
		must(t, err)
		var names []string
		for i := range list {
			names = append(names, list[i].Name)
		}
		return names
	}
	for range 10 {
		f, err := find()
		must(t, err)
		code, err := s.VersionCode(ctx, w.env, f.Version)
		if err != nil || code.Bundle != "exports.js = 1" {
			t.Errorf("the code is %+v (%v)", code, err)
		}
		if diff := cmp.Diff([]string{"e1", "e2"}, events()); diff != "" {
			t.Error(diff)
		}
	}
	// Twice, when the news of the deploy overtakes the first answer: that one is not kept.
	if n, k, c := db.named.Load(), db.kinds.Load(), db.code.Load(); n > 2 || k > 2 || c != 2 {
		t.Errorf("the database was asked %d, %d and %d times", n, k, c)
	}
	if list, err := s.ByEvent(ctx, w.env, "slack", linkspan.EventValidateConnection); err != nil || len(list) != 0 {
		t.Errorf("slack has %+v (%v)", list, err)
	}

	_, err := w.service.SetEnabled(ctx, w.env, Name{IntegrationKey: "github", Name: "e1"}, false)
	must(t, err)
	if diff := cmp.Diff([]string{"e2"}, events()); diff != "" {
		t.Error(diff)
	}
	w.deploy(action("github", "a", "2"))
	if f, err := find(); err != nil || f.Version.Number != 2 || events() != nil {
		t.Errorf("after a deploy: %+v (%v)", f, err)
	}
	_, err = w.service.Rollback(ctx, w.env, Name{IntegrationKey: "github", Name: "a"}, 1)
	must(t, err)
	if f, err := find(); err != nil || f.Version.Number != 1 {
		t.Errorf("after a rollback: %+v (%v)", f, err)
	}
	// Keys of integrations are part of the question.
	github := w.integrations["github"]
	github.Key = "hub"
	must(t, w.UpdateIntegration(ctx, nil, &github))
	if _, err := find(); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("under the old key: %v", err)
	}
	if f, err := s.Find(ctx, w.env, "hub", linkspan.FunctionAction, "a"); err != nil || f.IntegrationKey != "hub" {
		t.Errorf("under the new key: %+v (%v)", f, err)
	}
	must(t, w.DeleteIntegration(ctx, nil, &github))
	if _, err := s.Find(ctx, w.env, "hub", linkspan.FunctionAction, "a"); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("of a deleted integration: %v", err)
	}
	if _, err := s.Find(ctx, w.environment("other"), "hub", linkspan.FunctionAction, "a"); linkspan.KindOf(err) != linkspan.KindNotFound {
		t.Errorf("from another environment: %v", err)
	}
}

func TestCodeCacheKeepsToItsBytes(t *testing.T) {
	t.Parallel()
	c := newCodeCache(10)
	loads := 0
	load := func(hash, text string) {
		t.Helper()
		got, err := c.load(t.Context(), codeKey{1, hash}, func(context.Context) (string, error) { loads++; return text, nil })
		if err != nil || got != text {
			t.Fatal(got, err)
		}
	}
	load("a", "aaaa")
	load("b", "bbbb")
	load("a", "aaaa") // used again
	load("c", "cccc") // b makes room
	load("a", "aaaa")
	if loads != 3 || c.size != 8 {
		t.Errorf("loaded %d times, holds %d bytes", loads, c.size)
	}
	load("b", "bbbb")
	load("huge", "hhhhhhhhhhh")
	load("huge", "hhhhhhhhhhh")
	if loads != 6 || c.size != 8 || len(c.entries) != 2 || c.used.Len() != 2 {
		t.Errorf("loaded %d times, holds %d bytes in %d", loads, c.size, len(c.entries))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.load(ctx, codeKey{1, "slow"}, func(ctx context.Context) (string, error) {
		<-t.Context().Done()
		return "", ctx.Err()
	}); err == nil {
		t.Error("a caller that gave up waited on")
	}
}

// A replica that does not hear of changes answers nothing rather than what is
// outdated.
func TestFindWithoutAFeed(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	w.deploy(action("github", "a", "1"))
	deaf := New(Config{Store: w.Store, Tx: w.Store, Feed: change.NewFeed(w.Store, discard()), Log: discard()})
	_, err := deaf.Find(t.Context(), w.env, "github", linkspan.FunctionAction, "a")
	wantCode(t, err, linkspan.KindUnavailable, "unavailable")
	_, err = deaf.ByEvent(t.Context(), w.env, "github", linkspan.EventValidateConnection)
	wantCode(t, err, linkspan.KindUnavailable, "unavailable")
}
