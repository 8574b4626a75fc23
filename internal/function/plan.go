package function

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
)

// Planned is one function that a deploy creates, changes, keeps or removes.
type Planned struct {
	IntegrationKey string
	Kind           linkspan.FunctionKind
	Name           string
	Event          linkspan.FunctionEvent
	AutoStart      bool
	// Connections counts those of the integration.
	Connections int
	// Version is the label that it gets, or has; Before the one it had.
	Version, Before string
}

// Plan is what a deploy would do, each list by integration, kind and name.
type Plan struct {
	Created, Updated, Unchanged, Deleted []Planned
	// DeletedModels are models whose records no sync of their integration fills
	// any more, sorted.
	DeletedModels []string
}

// state is what an environment holds when a deploy is planned.
type state struct {
	integrations map[string]linkspan.Integration // by key
	connections  map[linkspan.IntegrationID]int
	live         []linkspan.Function
	removed      map[identity]*linkspan.Function
	last         map[linkspan.FunctionID]linkspan.FunctionVersion
}

// changes is a plan with all that carries it out.
type changes struct {
	plan Plan
	// all are the functions as they will be, in the order of the deployment; save
	// are the places in it of those to write.
	all  []linkspan.Function
	save []int
	// off are the places of those of save that replace one which is switched off.
	off    []int
	remove []linkspan.FunctionID
	// before are the functions that were there, and removed those of remove.
	before, removed []linkspan.Function
	// fresh are the functions that get a new version.
	fresh []*prepared
}

// compare works out what a deployment changes. It is pure, but for the UUIDs of
// what is new.
func compare(d *Deployment, list []prepared, st *state) (changes, error) {
	if err := unknownIntegrations(d, list, st); err != nil {
		return changes{}, err
	}
	live := make(map[identity]*linkspan.Function, len(st.live))
	for i := range st.live {
		live[identityOf(&st.live[i])] = &st.live[i]
	}
	c := changes{all: make([]linkspan.Function, len(list)), before: st.live}
	named := make(map[identity]bool, len(list))
	for i := range list {
		named[list[i].identity()] = true
	}
	replaced := make(map[linkspan.FunctionID]bool)
	for i := range list {
		p := &list[i]
		now := live[p.identity()]
		others := p.others(live, named)
		for _, f := range others {
			replaced[f.ID] = true
		}
		if err := d.refused(now, others); err != nil {
			return changes{}, err
		}
		if err := c.deploy(i, p, d.source(), now, others, st); err != nil {
			return changes{}, err
		}
	}
	if err := sharedModels(d.source(), list, named, st.live); err != nil {
		return changes{}, err
	}
	scope := d.scope(list)
	for i := range st.live {
		f := &st.live[i]
		if replaced[f.ID] || !named[identityOf(f)] && d.removes(f, scope) {
			c.remove = append(c.remove, f.ID)
			c.removed = append(c.removed, *f)
			c.plan.Deleted = append(c.plan.Deleted, planned(f, st, "", f.Version.Label))
		}
	}
	if n := len(st.live) + len(c.plan.Created) - len(c.remove); n > MaxFunctions && len(c.plan.Created) > 0 {
		return changes{}, linkspan.E("function.Deploy", linkspan.KindInvalid, "resource_capped", nil,
			"The environment would have %d functions; %d is the limit.", n, MaxFunctions).WithHint("Remove functions that are not used any more.")
	}
	c.plan.DeletedModels = deletedModels(st.live, c.all, c.remove)
	c.plan.sort()
	return c, nil
}

// others returns what a function made by createFunction was until now, if its trigger
// made another kind of it: the name is one for all kinds, so that is replaced, even
// where nothing else is removed.
func (p *prepared) others(live map[identity]*linkspan.Function, named map[identity]bool) []*linkspan.Function {
	if p.Definition.Unified == nil {
		return nil
	}
	var list []*linkspan.Function
	for _, kind := range []linkspan.FunctionKind{linkspan.FunctionSync, linkspan.FunctionAction, linkspan.FunctionOnEvent} {
		id := identity{p.IntegrationKey, kind, p.Name}
		if f := live[id]; f != nil && !named[id] && f.Version.Definition.Unified != nil {
			list = append(list, f)
		}
	}
	return list
}

// refused asks whether what is there may be deployed again, or replaced.
func (d *Deployment) refused(now *linkspan.Function, others []*linkspan.Function) error {
	if d.Refuse == nil {
		return nil
	}
	if now != nil {
		others = append(slices.Clip(others), now)
	}
	for _, f := range others {
		if err := d.Refuse(f); err != nil {
			return err
		}
	}
	return nil
}

// sharedModels refuses syncs with a model that another sync of their integration
// fills, unless a folder keeps both: its syncs are compared when it is compiled. Each
// would take the other's records for its own.
func sharedModels(source linkspan.FunctionSource, list []prepared, named map[identity]bool, live []linkspan.Function) error {
	type model struct{ integration, name string }
	fills := make(map[model]*linkspan.Function)
	for i := range live {
		f := &live[i]
		if f.Kind == linkspan.FunctionSync && !named[identityOf(f)] && (source != linkspan.SourceRepo || f.Source != linkspan.SourceRepo) {
			for _, name := range f.Version.Definition.Models {
				fills[model{f.IntegrationKey, name}] = f
			}
		}
	}
	var problems issues
	for i := range list {
		p := &list[i]
		if p.Kind != linkspan.FunctionSync {
			continue
		}
		for _, name := range p.Definition.Models {
			if other := fills[model{p.IntegrationKey, name}]; other != nil {
				problems.add(p.Deployable, "custom", fmt.Sprintf("The sync %q of the integration %q fills the model %q already, and %q must not as well: rename the model, or delete that sync",
					other.Name, p.IntegrationKey, name, p.Name), p.schemaField())
			}
		}
	}
	return problems.err()
}

func (d *Deployment) source() linkspan.FunctionSource {
	if d.Source == "" {
		return linkspan.SourceRepo
	}
	return d.Source
}

// unknownIntegrations refuses a deployment to integrations that do not exist.
func unknownIntegrations(d *Deployment, list []prepared, st *state) error {
	var unknown []string
	note := func(key string) {
		if _, ok := st.integrations[key]; !ok {
			unknown = append(unknown, key)
		}
	}
	for i := range list {
		note(list[i].IntegrationKey)
	}
	for _, key := range d.Integrations {
		note(key)
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	unknown = slices.Compact(unknown)
	shown := unknown[:min(len(unknown), 20)]
	return linkspan.E("function.Deploy", linkspan.KindInvalid, "unknown_provider_config", nil,
		"Integration(s) not found: %s", strings.Join(shown, ", ")).
		WithHint("Create them in this environment first, or correct the folders' names.").
		WithPayload(map[string]any{"integrations": shown})
}

// scope returns the integrations whose functions are removed when they are not
// named, by their keys; nil means all.
func (d *Deployment) scope(list []prepared) map[string]bool {
	if d.Mode != ModeIntegration {
		return nil
	}
	scope := make(map[string]bool)
	for _, key := range d.Integrations {
		scope[key] = true
	}
	if d.Integrations == nil {
		for i := range list {
			scope[list[i].IntegrationKey] = true
		}
	}
	return scope
}

// removes reports whether a function that is not named is removed.
func (d *Deployment) removes(f *linkspan.Function, scope map[string]bool) bool {
	switch {
	case !d.Reconcile, d.Mode == ModeSingle, f.Source != d.source():
		return false
	case f.Version.Definition.Unified != nil && d.KeepUnified, f.Version.Definition.Unified == nil && d.KeepOthers:
		return false
	case f.Version.Definition.Unified == nil && d.KeepOnEvents && f.Kind == linkspan.FunctionOnEvent:
		return false
	default:
		return scope == nil || scope[f.IntegrationKey]
	}
}

// deploy plans one function. now is what is there, or nil, and others are what it
// replaces: where one was switched off, it stays so.
func (c *changes) deploy(at int, p *prepared, source linkspan.FunctionSource, now *linkspan.Function, others []*linkspan.Function, st *state) error {
	created := now == nil
	if created {
		now = st.removed[p.identity()]
	}
	next := linkspan.Function{Enabled: true}
	if now != nil {
		next = *now
	} else {
		i := st.integrations[p.IntegrationKey]
		next.UUID, next.EnvironmentID = linkspan.NewUUID(), i.EnvironmentID
		next.IntegrationID, next.IntegrationKey, next.Provider = i.ID, i.Key, i.Provider
		next.Kind, next.Name = p.Kind, p.Name
	}
	if slices.ContainsFunc(others, func(f *linkspan.Function) bool { return !f.Enabled }) {
		next.Enabled, c.off = false, append(c.off, at)
	}
	before := next.Version.Label
	same, err := p.same(&next.Version)
	if err != nil {
		return err
	}
	if !same {
		next.Version = p.version(&next, st.last[next.ID])
		c.fresh = append(c.fresh, p)
	}
	if created || !same || next.Source != source {
		c.save = append(c.save, at)
	}
	next.Source = source
	c.all[at] = next
	switch what := planned(&next, st, next.Version.Label, before); {
	case created:
		c.plan.Created = append(c.plan.Created, what)
	case same:
		c.plan.Unchanged = append(c.plan.Unchanged, what)
	default:
		c.plan.Updated = append(c.plan.Updated, what)
	}
	return nil
}

// same reports whether a version is what would be deployed. A label that is not
// given is no difference.
func (p *prepared) same(v *linkspan.FunctionVersion) (bool, error) {
	if v.ID == 0 || v.CodeHash != p.codeHash || v.SourceHash != p.sourceHash || p.Version != "" && p.Version != v.Label {
		return false, nil
	}
	text, err := comparableDefinition(v.Definition)
	return text == p.comparable, err
}

// version makes the version that a function gets. last is its newest one.
func (p *prepared) version(f *linkspan.Function, last linkspan.FunctionVersion) linkspan.FunctionVersion {
	v := linkspan.FunctionVersion{
		UUID: linkspan.NewUUID(), FunctionID: f.ID, EnvironmentID: f.EnvironmentID, Number: last.Number + 1, Label: p.Version,
		Definition: p.definition, CodeHash: p.codeHash, SourceHash: p.sourceHash,
	}
	if v.Label == "" {
		v.Label = nextLabel(last)
	}
	return v
}

func planned(f *linkspan.Function, st *state, label, before string) Planned {
	d := &f.Version.Definition
	return Planned{
		IntegrationKey: f.IntegrationKey, Kind: f.Kind, Name: f.Name, Event: d.Event, AutoStart: d.AutoStart,
		Connections: st.connections[f.IntegrationID], Version: label, Before: before,
	}
}

// deletedModels lists models that a sync of an integration filled and none will.
func deletedModels(live, deployed []linkspan.Function, removed []linkspan.FunctionID) []string {
	type model struct {
		integration linkspan.IntegrationID
		name        string
	}
	gone := make(map[model]bool)
	after := make(map[linkspan.FunctionID]bool, len(deployed)+len(removed))
	for _, id := range removed {
		after[id] = true
	}
	for i := range deployed {
		after[deployed[i].ID] = true
	}
	each := func(list []linkspan.Function, visit func(*linkspan.Function, model)) {
		for i := range list {
			if f := &list[i]; f.Kind == linkspan.FunctionSync {
				for _, name := range f.Version.Definition.Models {
					visit(f, model{f.IntegrationID, name})
				}
			}
		}
	}
	each(live, func(_ *linkspan.Function, m model) { gone[m] = true })
	each(live, func(f *linkspan.Function, m model) {
		if !after[f.ID] { // it stays as it is
			delete(gone, m)
		}
	})
	each(deployed, func(_ *linkspan.Function, m model) { delete(gone, m) })
	names := make([]string, 0, len(gone))
	for m := range gone {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *Plan) sort() {
	for _, list := range [][]Planned{p.Created, p.Updated, p.Unchanged, p.Deleted} {
		slices.SortFunc(list, func(a, b Planned) int {
			return cmp.Or(strings.Compare(a.IntegrationKey, b.IntegrationKey), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name))
		})
	}
}
