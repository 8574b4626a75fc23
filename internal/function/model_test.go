package function

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

// modelled is a function as the model knows it: the codes of its versions, in
// order, and which one runs.
type modelled struct {
	codes   []string
	active  int
	enabled bool
	removed bool
	source  linkspan.FunctionSource
}

// TestModel deploys, rolls back, switches and deletes at random, on the service
// and on a model of it in a map, and compares what a plan says, what a deploy does
// and what is there after each step.
func TestModel(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		t.Helper()
		seed := rand.Uint64()
		m := &model{world: w, t: t, random: rand.New(rand.NewPCG(seed, 0)), functions: make(map[identity]*modelled)}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the seed was %d", seed)
			}
		})
		for range 120 {
			switch m.random.IntN(8) {
			case 0:
				m.rollback()
			case 1:
				m.switchOne()
			case 2:
				m.deleteOne()
			default:
				m.deploy()
			}
			m.compare()
		}
	})
}

type model struct {
	*world

	t         *testing.T
	random    *rand.Rand
	functions map[identity]*modelled
}

func (m *model) deploy() {
	d := &Deployment{Reconcile: m.random.IntN(5) > 0, KeepOnEvents: m.random.IntN(4) == 0, Source: linkspan.SourceRepo}
	d.Mode = []Mode{ModeAll, ModeAll, ModeIntegration, ModeSingle}[m.random.IntN(4)]
	if m.random.IntN(5) == 0 {
		d.Source = linkspan.SourceStandalone
	}
	named := make(map[identity]string)
	keys := make(map[string]bool)
	for range m.random.IntN(6) {
		kind := []linkspan.FunctionKind{linkspan.FunctionAction, linkspan.FunctionSync, linkspan.FunctionOnEvent}[m.random.IntN(3)]
		f := onEvent([]string{"github", "slack"}[m.random.IntN(2)], fmt.Sprintf("f%d", m.random.IntN(3)), linkspan.EventValidateConnection)
		f.Kind, f.Code.Bundle = kind, fmt.Sprintf("code %d", m.random.IntN(3))
		if named[f.identity()] == "" {
			d.Functions = append(d.Functions, f)
			named[f.identity()], keys[f.IntegrationKey] = f.Code.Bundle, true
		}
	}
	want := map[string][]string{"created": {}, "updated": {}, "unchanged": {}, "deleted": {}}
	note := func(what string, id identity) {
		want[what] = append(want[what], fmt.Sprintf("%s/%s/%s", id.integration, id.kind, id.name))
	}
	for id, f := range m.functions {
		inScope := d.Mode == ModeAll || d.Mode == ModeIntegration && keys[id.integration]
		if named[id] == "" && !f.removed && d.Reconcile && inScope && f.source == d.Source && (!d.KeepOnEvents || id.kind != linkspan.FunctionOnEvent) {
			f.removed = true
			note("deleted", id)
		}
	}
	for id, code := range named {
		m.deployOne(id, code, d.Source, note)
	}
	plan, err := m.service.Plan(m.t.Context(), m.env, d)
	must(m.t, err)
	done, err := m.service.Deploy(m.t.Context(), m.env, d)
	must(m.t, err)
	for what, p := range map[string]Plan{"plan": plan, "deploy": done.Plan} {
		got := map[string][]string{"created": short(p.Created), "updated": short(p.Updated), "unchanged": short(p.Unchanged), "deleted": short(p.Deleted)}
		for _, list := range want {
			slices.Sort(list)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			m.t.Fatalf("the %s of %+v: %s", what, d, diff)
		}
	}
}

func short(list []Planned) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s/%s/%s", p.IntegrationKey, p.Kind, p.Name))
	}
	slices.Sort(out)
	return out
}

func (m *model) deployOne(id identity, code string, source linkspan.FunctionSource, note func(string, identity)) {
	f := m.functions[id]
	what := "updated"
	if f == nil || f.removed {
		what = "created"
	}
	if f == nil {
		f = &modelled{enabled: true}
		m.functions[id] = f
	}
	f.removed, f.source = false, source
	if len(f.codes) > 0 && f.codes[f.active] == code {
		if what == "updated" {
			what = "unchanged"
		}
	} else {
		f.codes = append(f.codes, code)
		f.active = len(f.codes) - 1
	}
	note(what, id)
}

// pick returns a function that is there, or nil.
func (m *model) pick() (Name, *modelled) {
	for id, f := range m.functions {
		if !f.removed {
			return Name{id.integration, id.kind, id.name}, f
		}
	}
	return Name{}, nil
}

func (m *model) rollback() {
	name, f := m.pick()
	if f == nil {
		return
	}
	f.active = m.random.IntN(len(f.codes))
	_, err := m.service.Rollback(m.t.Context(), m.env, name, int64(f.active)+1)
	must(m.t, err)
}

func (m *model) switchOne() {
	name, f := m.pick()
	if f == nil {
		return
	}
	f.enabled = m.random.IntN(2) == 0
	_, err := m.service.SetEnabled(m.t.Context(), m.env, name, f.enabled)
	must(m.t, err)
}

func (m *model) deleteOne() {
	name, f := m.pick()
	if f == nil {
		return
	}
	err := m.service.Delete(m.t.Context(), m.env, name)
	if f.source == linkspan.SourceRepo {
		wantCode(m.t, err, linkspan.KindInvalid, "function_managed_by_deploy")
		return
	}
	must(m.t, err)
	f.removed = true
}

// compare asks in all the ways that there are.
func (m *model) compare() {
	type shown struct {
		Number  int64
		Code    string
		Enabled bool
		Source  linkspan.FunctionSource
	}
	want, got, found := map[identity]shown{}, map[identity]shown{}, map[identity]shown{}
	show := func(f linkspan.Function) shown {
		code, err := m.service.VersionCode(m.t.Context(), m.env, f.Version)
		must(m.t, err)
		return shown{f.Version.Number, code.Bundle, f.Enabled, f.Source}
	}
	list, err := m.service.All(m.t.Context(), m.env)
	must(m.t, err)
	for i := range list {
		got[identityOf(&list[i])] = show(list[i])
	}
	for id, f := range m.functions {
		one, err := m.service.Find(m.t.Context(), m.env, id.integration, id.kind, id.name)
		if (err != nil) != f.removed {
			m.t.Fatalf("%v is found: %v, removed is %t", id, err, f.removed)
		}
		if !f.removed {
			want[id] = shown{int64(f.active) + 1, f.codes[f.active], f.enabled, f.source}
			found[id] = show(one)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Fatal("listed:", diff)
	}
	if diff := cmp.Diff(want, found); diff != "" {
		m.t.Fatal("found:", diff)
	}
}
