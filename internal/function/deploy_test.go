package function

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oplog"
)

func TestDeploy(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		ctx := t.Context()
		w.connection("github", "c1")
		w.connection("github", "c2")
		first := all(syncing("github", "issues", "1", "Issue", "User"), action("github", "create", "1"),
			onEvent("slack", "hello", linkspan.EventPostConnectionCreation))
		plan, err := w.service.Plan(ctx, w.env, first)
		must(t, err)
		if diff := cmp.Diff([]string{"github/action/create@1", "github/sync/issues@1", "slack/on-event/hello@1"}, names(plan.Created)); diff != "" {
			t.Error(diff)
		}
		if s := plan.Created[1]; s.Connections != 2 || !s.AutoStart {
			t.Errorf("the sync is planned as %+v", s)
		}
		done, err := w.service.Deploy(ctx, w.env, first)
		must(t, err)
		if diff := cmp.Diff(plan, done.Plan); diff != "" {
			t.Errorf("planned and done differ: %s", diff)
		}
		if f := done.Functions[0]; f.Name != "issues" || !f.Enabled || f.Version.Label != "1" || f.Version.Definition.SDKVersion != "1.2.3-zero" || f.Provider != "github" {
			t.Errorf("deployed %+v", f)
		}

		// Nothing changed, except the order of keys in a schema and the tool.
		again := all(syncing("github", "issues", "1", "Issue", "User"), action("github", "create", "1"),
			onEvent("slack", "hello", linkspan.EventPostConnectionCreation))
		again.Functions[0].Definition.Schema = []byte(`{"definitions": {"User":{"type":"object"}, "Issue":{"type":"object"}}}`)
		again.SDKVersion = "9.9.9-zero"
		before, err := w.LatestChange(ctx)
		must(t, err)
		same, err := w.service.Deploy(ctx, w.env, again)
		must(t, err)
		if diff := cmp.Diff(done.Functions, same.Functions); diff != "" || len(same.Plan.Unchanged) != 3 {
			t.Errorf("deployed again: %+v %s", same.Plan, diff)
		}
		if after, err := w.LatestChange(ctx); err != nil || after != before {
			t.Errorf("deploying the same moved the changes from %d to %d (%v)", before, after, err)
		}

		// A changed code, a removed function, a lost model, a label of one's own.
		next := all(syncing("github", "issues", "2", "Issue"), onEvent("slack", "hello", linkspan.EventValidateConnection))
		next.Functions[1].Version = "2.0.9"
		changed, err := w.service.Deploy(ctx, w.env, next)
		must(t, err)
		if diff := cmp.Diff(map[string][]string{
			"updated": {"github/sync/issues@2", "slack/on-event/hello@2.0.9"}, "deleted": {"github/action/create@"}, "models": {"User"},
		}, map[string][]string{"updated": names(changed.Plan.Updated), "deleted": names(changed.Plan.Deleted), "models": changed.Plan.DeletedModels}); diff != "" {
			t.Error(diff)
		}
		if _, err := w.service.Function(ctx, w.env, Name{IntegrationKey: "github", Name: "create"}); linkspan.KindOf(err) != linkspan.KindNotFound {
			t.Errorf("the removed function is there: %v", err)
		}
		// Brought back with the same code it is the same version; with another one
		// the number goes on.
		next.Functions = append(next.Functions, action("github", "create", "1"))
		next.Functions[1].Version = ""
		back, err := w.service.Deploy(ctx, w.env, next)
		must(t, err)
		if f := back.Functions[2]; f.ID != done.Functions[1].ID || f.Version.Number != 1 || len(back.Plan.Created) != 1 {
			t.Errorf("brought back: %+v", f)
		}
		next.Functions[2] = action("github", "create", "2")
		next.Functions[1].Code.Source = "other"
		back, err = w.service.Deploy(ctx, w.env, next)
		must(t, err)
		if f := back.Functions[2]; f.Version.Number != 2 || f.Version.Label != "2" || back.Functions[1].Version.Label != "2.0.10" {
			t.Errorf("deployed with other code: %+v", back.Functions)
		}
	})
}

func TestWhatADeployRemoves(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	base := []Deployable{action("github", "a", "1"), action("github", "b", "1"), action("slack", "c", "1"), onEvent("github", "e", linkspan.EventValidateConnection)}
	w.deploy(base...)
	_, err := w.service.Deploy(t.Context(), w.env, &Deployment{Mode: ModeSingle, Source: linkspan.SourceStandalone, Functions: []Deployable{action("github", "alone", "1")}})
	must(t, err)
	for name, c := range map[string]struct {
		change func(*Deployment)
		want   []string
	}{
		"all":                      {func(*Deployment) {}, []string{"github/action/b@", "github/on-event/e@", "slack/action/c@"}},
		"without events":           {func(d *Deployment) { d.KeepOnEvents = true }, []string{"github/action/b@", "slack/action/c@"}},
		"integration":              {func(d *Deployment) { d.Mode = ModeIntegration }, []string{"github/action/b@", "github/on-event/e@"}},
		"another integration":      {func(d *Deployment) { d.Mode, d.Integrations = ModeIntegration, []string{"slack"} }, []string{"slack/action/c@"}},
		"integration of nothing":   {func(d *Deployment) { d.Mode, d.Functions = ModeIntegration, nil }, []string{}},
		"single":                   {func(d *Deployment) { d.Mode = ModeSingle }, []string{}},
		"not reconciled":           {func(d *Deployment) { d.Reconcile = false }, []string{}},
		"standalone":               {func(d *Deployment) { d.Source = linkspan.SourceStandalone }, []string{"github/action/alone@"}},
		"everything of the folder": {func(d *Deployment) { d.Functions = nil }, []string{"github/action/a@", "github/action/b@", "github/on-event/e@", "slack/action/c@"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := all(action("github", "a", "1"))
			c.change(d)
			plan, err := w.service.Plan(t.Context(), w.env, d)
			must(t, err)
			if diff := cmp.Diff(c.want, names(plan.Deleted)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestModelsOfOthers has syncs that no folder compares fill the same model.
func TestModelsOfOthers(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	w.deploy(syncing("github", "issues", "1", "Issue"), syncing("github", "all", "1", "Issue", "User"))
	alone := func(f Deployable) *Deployment {
		return &Deployment{Mode: ModeSingle, Source: linkspan.SourceStandalone, Functions: []Deployable{f}}
	}
	_, err := w.service.Deploy(t.Context(), w.env, alone(syncing("github", "mine", "1", "Own")))
	must(t, err)
	for name, c := range map[string]struct {
		d    *Deployment
		want string // empty: it may be
	}{
		"a folder's":              {alone(syncing("github", "other", "1", "User")), `The sync "all" of the integration "github" fills the model "User" already`},
		"a standalone one's":      {alone(syncing("github", "other", "1", "Own")), `The sync "mine"`},
		"a template":              {&Deployment{Mode: ModeSingle, Source: linkspan.SourceCatalog, Functions: []Deployable{syncing("github", "other", "1", "Own")}}, `The sync "mine"`},
		"from a folder":           {all(syncing("github", "other", "1", "Own")), `The sync "mine"`},
		"into a folder":           {all(syncing("github", "mine", "1", "Own")), ""},
		"among those of a folder": {&Deployment{Mode: ModeSingle, Functions: []Deployable{syncing("github", "third", "1", "Issue")}}, ""},
		"its own":                 {alone(syncing("github", "mine", "2", "Own", "More")), ""},
		"another integration's":   {alone(syncing("slack", "other", "1", "Issue")), ""},
		"no sync":                 {alone(action("github", "issues", "1")), ""},
	} {
		_, err := w.service.Plan(t.Context(), w.env, c.d)
		if c.want == "" {
			must(t, err)
			continue
		}
		e := wantCode(t, err, linkspan.KindInvalid, "invalid_body")
		if len(e.Issues) != 1 || !strings.Contains(e.Issues[0].Message, c.want) {
			t.Errorf("%s: %+v", name, e.Issues)
		}
	}
}

// unified is a function made by createFunction with a trigger.
func unified(key, name string, trigger linkspan.FunctionTrigger) Deployable {
	d := action(key, name, name+string(trigger))
	d.Kind = trigger.Kind()
	d.Definition = linkspan.FunctionDefinition{Unified: &linkspan.UnifiedFunction{Trigger: trigger}}
	switch trigger {
	case linkspan.TriggerSchedule:
		d.Definition.Frequency, d.Definition.AutoStart = "every hour", true
	case linkspan.TriggerEvent:
		d.Definition.Event = linkspan.EventValidateConnection
	case linkspan.TriggerNone, linkspan.TriggerHTTP:
	}
	return d
}

// TestEachWayRemovesItsOwn deploys functions of both ways of deploying: what one of
// them does not name is none of the other's business.
func TestEachWayRemovesItsOwn(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	w.deploy(action("github", "a", "1"), action("github", "b", "1"), onEvent("github", "e", linkspan.EventValidateConnection),
		unified("github", "f", linkspan.TriggerNone), unified("github", "g", linkspan.TriggerEvent), unified("slack", "h", linkspan.TriggerSchedule))
	old := action("github", "a", "1")
	for name, c := range map[string]struct {
		change func(*Deployment)
		want   []string
	}{
		"others":               {func(d *Deployment) { d.KeepUnified = true }, []string{"github/action/b@", "github/on-event/e@"}},
		"none of the others":   {func(d *Deployment) { d.KeepUnified, d.Functions = true, nil }, []string{"github/action/a@", "github/action/b@", "github/on-event/e@"}},
		"others but at events": {func(d *Deployment) { d.KeepUnified, d.KeepOnEvents = true, true }, []string{"github/action/b@"}},
		"unified": {func(d *Deployment) {
			d.KeepOthers, d.Functions = true, []Deployable{unified("github", "f", linkspan.TriggerHTTP)}
		}, []string{"github/on-event/g@", "slack/sync/h@"}},
		"unified of one": {func(d *Deployment) {
			d.KeepOthers, d.Mode, d.Functions = true, ModeIntegration, []Deployable{unified("github", "f", linkspan.TriggerNone)}
		}, []string{"github/on-event/g@"}},
		"both without events": {func(d *Deployment) { d.KeepOnEvents = true }, []string{"github/action/b@", "github/action/f@", "github/on-event/g@", "slack/sync/h@"}},
		"another trigger": {func(d *Deployment) {
			d.KeepOthers, d.Mode, d.Functions = true, ModeSingle, []Deployable{unified("slack", "h", linkspan.TriggerNone)}
		}, []string{"slack/sync/h@"}},
		"the name of an other": {func(d *Deployment) {
			d.KeepOthers, d.Mode, d.Functions = true, ModeSingle, []Deployable{unified("github", "b", linkspan.TriggerSchedule)}
		}, []string{}},
		"an other of the name": {func(d *Deployment) {
			d.Mode, d.Functions = ModeSingle, []Deployable{syncing("github", "f", "1", "Item")}
		}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := all(old)
			c.change(d)
			plan, err := w.service.Plan(t.Context(), w.env, d)
			must(t, err)
			if diff := cmp.Diff(c.want, names(plan.Deleted)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnotherTrigger makes another kind of a function: there is one of it at a time,
// switched off stays off, and whoever may not replace it does not.
func TestAnotherTrigger(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		ctx := t.Context()
		single := func(d Deployable) Deployed {
			done, err := w.service.Deploy(ctx, w.env, &Deployment{Mode: ModeSingle, Functions: []Deployable{d}})
			must(t, err)
			return done
		}
		live := func() (out []string) {
			list, err := w.service.All(ctx, w.env)
			must(t, err)
			for _, f := range list {
				out = append(out, fmt.Sprint(f.Kind, " ", f.Name, " ", f.Enabled))
			}
			return out
		}
		single(unified("github", "f", linkspan.TriggerNone))
		single(unified("github", "f", linkspan.TriggerSchedule))
		if d := cmp.Diff([]string{"sync f true"}, live()); d != "" {
			t.Error(d)
		}
		_, err := w.service.SetEnabled(ctx, w.env, Name{IntegrationKey: "github", Name: "f"}, false)
		must(t, err)
		for _, trigger := range []linkspan.FunctionTrigger{linkspan.TriggerEvent, linkspan.TriggerHTTP} { // one is new, the other was there
			done := single(unified("github", "f", trigger))
			if d := cmp.Diff([]string{fmt.Sprint(trigger.Kind(), " f false")}, live()); d != "" || done.Functions[0].Enabled {
				t.Errorf("%+v\n%s", done.Functions[0], d)
			}
		}
		_, err = w.service.Deploy(ctx, w.env, &Deployment{
			Mode: ModeSingle, Functions: []Deployable{unified("github", "f", linkspan.TriggerEvent)},
			Refuse: func(now *linkspan.Function) error {
				return linkspan.E("test", linkspan.KindConflict, "kept", nil, "%s %s", now.Kind, now.Name)
			},
		})
		wantCode(t, err, linkspan.KindConflict, "kept")
		if d := cmp.Diff([]string{"action f false"}, live()); d != "" {
			t.Error(d)
		}
	})
}

// A label alone is a change; none is not.
func TestLabels(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	f := action("github", "a", "1")
	for _, c := range []struct {
		version, label string
		number         int64
	}{{"", "1", 1}, {"1", "1", 1}, {"1.5.0", "1.5.0", 2}, {"", "1.5.0", 2}, {"1", "1", 3}} {
		f.Version = c.version
		if v := w.deploy(f).Functions[0].Version; v.Label != c.label || v.Number != c.number {
			t.Errorf("deployed as %q it is version %d with the label %q, want %d with %q", c.version, v.Number, v.Label, c.number, c.label)
		}
	}
}

// A model's records are lost only when no sync of the integration has it any
// more, deployed now or before.
func TestDeletedModels(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	w.deploy(syncing("github", "stays", "1", "Shared"), syncing("github", "changes", "1", "Shared", "Own"), syncing("slack", "other", "1", "Own"))
	for name, c := range map[string]struct {
		mode Mode
		list []Deployable
		want []string
	}{
		"another sync stays as it is":   {ModeSingle, []Deployable{syncing("github", "changes", "2", "New")}, []string{"Own"}},
		"another sync is deployed":      {ModeAll, []Deployable{syncing("github", "stays", "1", "Shared", "Own"), syncing("slack", "other", "1", "Own")}, []string{}},
		"another integration has it":    {ModeIntegration, []Deployable{syncing("github", "stays", "1", "Shared")}, []string{"Own"}},
		"nothing is left":               {ModeAll, nil, []string{"Own", "Shared"}},
		"an action is named like it":    {ModeIntegration, []Deployable{syncing("github", "stays", "1", "Shared"), action("github", "Own", "1")}, []string{"Own"}},
		"everything is as it was":       {ModeSingle, []Deployable{syncing("github", "changes", "1", "Shared", "Own")}, []string{}},
		"the models change their place": {ModeAll, []Deployable{syncing("github", "new", "1", "Shared", "Own"), syncing("slack", "other", "1", "Own")}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := w.service.Plan(t.Context(), w.env, &Deployment{Functions: c.list, Mode: c.mode, Reconcile: true})
			must(t, err)
			if diff := cmp.Diff(c.want, plan.DeletedModels); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func newSQLite(t *testing.T) *world {
	t.Helper()
	return newWorld(t, sqlite(t), ring())
}

// A function that was switched off stays so, and a deploy takes functions over
// from other sources.
func TestDeployKeepsWhatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	ctx, name := t.Context(), Name{IntegrationKey: "github", Name: "a"}
	_, err := w.service.Deploy(ctx, w.env, &Deployment{Mode: ModeSingle, Source: linkspan.SourceStandalone, Functions: []Deployable{action("github", "a", "1")}})
	must(t, err)
	_, err = w.service.SetEnabled(ctx, w.env, name, false)
	must(t, err)
	done := w.deploy(action("github", "a", "1"))
	if f := done.Functions[0]; f.Enabled || f.Source != linkspan.SourceRepo || len(done.Plan.Unchanged) != 1 {
		t.Errorf("taken over: %+v", f)
	}
	wantCode(t, w.service.Delete(ctx, w.env, name), linkspan.KindInvalid, "function_managed_by_deploy")
	w.deploy()
	if f := w.deploy(action("github", "a", "2")).Functions[0]; f.Enabled || f.Version.Number != 2 {
		t.Errorf("brought back: %+v", f)
	}
}

func TestInvalidDeployments(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	for name, c := range map[string]struct {
		change func(*Deployment)
		code   string
		want   string
	}{
		"integration": {func(d *Deployment) { d.Functions[0].IntegrationKey = "nope" }, "unknown_provider_config", "Integration(s) not found: nope"},
		"scope":       {func(d *Deployment) { d.Integrations = []string{"nope"} }, "unknown_provider_config", "nope"},
		"mode":        {func(d *Deployment) { d.Mode = "some" }, "invalid_body", "all, integration or single"},
		"twice":       {func(d *Deployment) { d.Functions = append(d.Functions, d.Functions[0]) }, "invalid_body", "is there twice"},
		"too many":    {func(d *Deployment) { d.Functions = make([]Deployable, MaxFunctions+1) }, "invalid_body", "10000 is the limit"},
		"name":        {func(d *Deployment) { d.Functions[0].Name = "a/b" }, "invalid_body", "must match pattern"},
		"kind":        {func(d *Deployment) { d.Functions[0].Kind = "x" }, "invalid_body", "Invalid option"},
		"no code":     {func(d *Deployment) { d.Functions[0].Code.Bundle = " \n" }, "invalid_body", `The code of "issues" is empty`},
		"much code":   {func(d *Deployment) { d.Functions[0].Code.Bundle = strings.Repeat("x", MaxCode+1) }, "invalid_body", "20971520 is the limit"},
		"frequency":   {func(d *Deployment) { d.Functions[0].Definition.Frequency = "every 5s" }, "invalid_body", "too short"},
		"deletes": {func(d *Deployment) {
			d.Functions[0].Definition.SyncType, d.Functions[0].Definition.TrackDeletes = "incremental", true
		}, "invalid_body", "Track deletes is not supported"},
		"event":               {func(d *Deployment) { d.Functions[0] = onEvent("github", "e", "birthday") }, "invalid_body", "post-connection-creation"},
		"no JSON":             {schemaOf(`{"`), "invalid_body", "no JSON"},
		"no object":           {schemaOf(`[]`), "invalid_body", "no object"},
		"no definition":       {schemaOf(`{"definitions":{}}`), "invalid_body", "missing definitions for some models or input"},
		"no schema":           {schemaOf(`{"definitions":{"Issue":{"type":"wood"}}}`), "invalid_body", "is not valid"},
		"reference to others": {schemaOf(`{"definitions":{"Issue":{"$ref":"https://evil.example/x.json"}}}`), "invalid_body", "is not valid"},
		"reference to files":  {schemaOf(`{"definitions":{"Issue":{"$ref":"file:///etc/passwd"}}}`), "invalid_body", "is not valid"},
		"dangling reference":  {schemaOf(`{"definitions":{"Issue":{"$ref":"#/definitions/Nope"}}}`), "invalid_body", "is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := all(syncing("github", "issues", "1", "Issue"))
			c.change(d)
			for what, f := range map[string]func() error{
				"plan": func() error { _, err := w.service.Plan(t.Context(), w.env, d); return err },
				"deploy": func() error {
					_, err := w.replica(w.Store).deploy(t.Context(), w.environment(strings.ReplaceAll(name, " ", "-")), d)
					return err
				},
			} {
				err := f()
				if what == "deploy" && c.code == "invalid_body" && linkspan.CodeOf(err) == "unknown_provider_config" {
					continue // what needs the database comes second; that environment has nothing
				}
				e := wantCode(t, err, linkspan.KindInvalid, c.code)
				text := e.Msg
				for _, i := range e.Issues {
					text += "\n" + i.Message
				}
				if !strings.Contains(text, c.want) || len(e.Issues) > maxIssues {
					t.Errorf("%s says %q, want %q", what, text, c.want)
				}
			}
		})
	}
}

func schemaOf(text string) func(*Deployment) {
	return func(d *Deployment) { d.Functions[0].Definition.Schema = []byte(text) }
}

// What zod writes for emoji and the like is no reason to refuse a function.
func TestPatternsOfSchemas(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	d := syncing("github", "issues", "1", "Issue")
	d.Definition.Schema = []byte(`{"definitions":{"Issue":{"type":"object","properties":{
		"a":{"type":"string","pattern":"^(\\p{Extended_Pictographic}|\\p{Emoji_Component})+$"},
		"b":{"type":"string","pattern":"^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@x$","format":"email"},
		"c":{"$ref":"#/definitions/My~1odd~0name%20x"}}},"My/odd~name x":{"type":"null"}}}`)
	w.deploy(d)
}

// Somebody who deploys meanwhile is refused, on another replica too.
func TestTwoDeploysAtOnce(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		ctx := t.Context()
		var concurrent error
		other := w.replica(w.Store)
		slow := w.replica(hooked{w.Store, func() {
			_, concurrent = other.Deploy(ctx, w.env, all(action("github", "b", "1")))
			if _, err := other.Deploy(ctx, w.environment("other"), all()); err != nil {
				t.Errorf("a deploy to another environment: %v", err)
			}
		}})
		_, err := slow.Deploy(ctx, w.env, all(action("github", "a", "1")))
		must(t, err)
		wantCode(t, concurrent, linkspan.KindConflict, "concurrent_deployment")
		_, err = other.Deploy(ctx, w.env, all(action("github", "b", "1")))
		must(t, err)
	})
}

// hooked is a store that does something before it stores code, which is while
// the right to deploy is held and outside of a transaction.
type hooked struct {
	Store

	before func()
}

// StoreFunctionCode implements Store.
func (h hooked) StoreFunctionCode(ctx context.Context, env linkspan.EnvironmentID, texts map[string]string) error {
	h.before()
	return h.Store.StoreFunctionCode(ctx, env, texts)
}

// recording is a store that notes which code is stored.
type recording struct {
	Store

	hashes *[]string
}

// StoreFunctionCode implements Store.
func (r recording) StoreFunctionCode(ctx context.Context, env linkspan.EnvironmentID, texts map[string]string) error {
	*r.hashes = slices.AppendSeq(*r.hashes, maps.Keys(texts))
	return r.Store.StoreFunctionCode(ctx, env, texts)
}

// An environment holds so many functions, however they get there.
func TestTooManyFunctions(t *testing.T) {
	t.Parallel()
	live := make([]linkspan.Function, MaxFunctions-1)
	for i := range live {
		live[i] = linkspan.Function{ID: linkspan.FunctionID(i + 1), IntegrationKey: "github", Kind: linkspan.FunctionAction, Name: strconv.Itoa(i), Source: linkspan.SourceRepo}
	}
	st := &state{integrations: map[string]linkspan.Integration{"github": {ID: 1, Key: "github"}}, live: live}
	plan := func(mode Mode, list ...Deployable) error {
		d := &Deployment{Functions: list, Mode: mode, Reconcile: true}
		prepared, err := prepare(d)
		must(t, err)
		_, err = compare(d, prepared, st)
		return err
	}
	a, b := action("github", "a", "1"), action("github", "b", "1")
	must(t, plan(ModeSingle, a))
	wantCode(t, plan(ModeSingle, a, b), linkspan.KindInvalid, "resource_capped")
	must(t, plan(ModeAll, a, b))
}

// What happens between the comparison and the transaction is not overlooked.
func TestDeployOvertaken(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		ctx, name := t.Context(), Name{IntegrationKey: "github", Name: "a"}
		w.deploy(action("github", "a", "1"))
		w.deploy(action("github", "a", "2"))
		var stored []string
		overtaken := w.replica(hooked{recording{w.Store, &stored}, func() {
			_, err := w.service.Rollback(ctx, w.env, name, 1)
			must(t, err)
		}})
		// Unchanged when it is compared first, changed in the transaction: "b" makes
		// the deploy store code.
		done, err := overtaken.Deploy(ctx, w.env, all(action("github", "a", "2"), action("github", "b", "1")))
		must(t, err)
		f := done.Functions[0]
		code, err := w.service.VersionCode(ctx, w.env, f.Version)
		must(t, err)
		if f.Version.Number != 3 || code.Source != "ts 2" {
			t.Errorf("deployed version %d with %q, want a third with the new code", f.Version.Number, code.Source)
		}
		if !slices.Contains(stored, hashText("ts 2")) {
			t.Error("the code of the third version was not stored: what it relies on may be purged meanwhile")
		}
		// The integration goes away meanwhile: nothing of the deploy happens.
		doomed := w.replica(hooked{w.Store, func() {
			slack := w.integrations["slack"]
			must(t, w.DeleteIntegration(ctx, nil, &slack))
		}})
		_, err = doomed.Deploy(ctx, w.env, all(action("github", "a", "3"), action("slack", "c", "1")))
		wantCode(t, err, linkspan.KindInvalid, "unknown_provider_config")
		if f, err := w.service.Function(ctx, w.env, name); err != nil || f.Version.Number != 3 {
			t.Errorf("half of a deploy happened: %+v %v", f, err)
		}
	})
}

// broken is a store that fails in the middle of the transaction.
type broken struct{ Store }

var errBroken = errors.New("broken")

// RemoveFunctions implements Store.
func (broken) RemoveFunctions(context.Context, linkspan.Tx, linkspan.EnvironmentID, []linkspan.FunctionID) error {
	return errBroken
}

func TestDeployIsAtomic(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		w.deploy(action("github", "a", "1"), action("github", "b", "1"))
		before, err := w.service.All(t.Context(), w.env)
		must(t, err)
		_, err = w.replica(broken{w.Store}).Deploy(t.Context(), w.env, all(action("github", "a", "2"), action("slack", "c", "1")))
		if !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		after, err := w.service.All(t.Context(), w.env)
		must(t, err)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Error(diff)
		}
		w.deploy(action("github", "a", "2")) // the right was given back
	})
}

// Somebody took the right over: nothing is written, and the caller may try again.
func TestDeployThatLosesItsRight(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		s := New(Config{
			Store: hooked{w.Store, func() {
				l := linkspan.Lease{Kind: leaseKind, Key: strconv.FormatInt(int64(w.env), 10), Holder: "slow", Attempt: 1}
				if ok, err := w.RenewLease(t.Context(), nil, l, -time.Second); err != nil || !ok {
					t.Errorf("the right is not the slow one's (%v)", err)
				}
				w.deploy(action("github", "quick", "1"))
			}},
			Tx: w.Store, Feed: w.feed, Leases: lease.NewKeeper(w.Store, "slow", discard()), Log: discard(),
		})
		_, err := s.Deploy(t.Context(), w.env, all(action("github", "slow", "1")))
		wantCode(t, err, linkspan.KindUnavailable, "")
		if list, err := w.service.All(t.Context(), w.env); err != nil || len(list) != 1 || list[0].Name != "quick" {
			t.Errorf("there are %+v (%v)", list, err)
		}
	})
}

// Deploys are shown in the log of operations, those that fail too.
func TestDeploysAreLogged(t *testing.T) {
	t.Parallel()
	w := newSQLite(t)
	log := oplog.New(w, discard(), oplog.Options{})
	w.service.ops = log
	w.deploy(action("github", "a", "1"), action("github", "b", "1"))
	w.deploy(action("github", "a", "2"))
	_, err := w.service.Deploy(t.Context(), w.env, all(action("nope", "a", "1")))
	wantCode(t, err, linkspan.KindInvalid, "unknown_provider_config")
	_, err = w.service.Rollback(t.Context(), w.env, Name{IntegrationKey: "github", Name: "a"}, 1)
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	must(t, log.Run(ctx)) // writes what there is and ends
	ops, err := w.Operations(t.Context(), nil, linkspan.OperationFilter{EnvironmentID: w.env, Limit: 10})
	must(t, err)
	var got []string
	for i := range ops {
		got = append(got, fmt.Sprintf("%s:%s %s %s", ops[i].Type, ops[i].Action, ops[i].State, ops[i].Message))
	}
	slices.Sort(got)
	want := []string{
		"deploy:custom failed Integration(s) not found: nope",
		"deploy:custom success Deployed functions: 0 created, 1 updated, 0 unchanged, 1 removed",
		"deploy:custom success Deployed functions: 2 created, 0 updated, 0 unchanged, 0 removed",
		"deploy:custom success The action a runs version 1 (1) now",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
