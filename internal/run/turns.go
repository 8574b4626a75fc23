package run

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

// caps bound how many runs of a lane are under way: all and share in this process,
// in which they take memory, of all environments together and of each. The others
// hold for all replicas together, because they spare what is outside. Zero: they are
// not bounded by this.
type caps struct {
	lane                                        linkspan.RunLane
	all, share                                  int
	environment, function, connection, provider int
}

// shared reports whether there are caps that hold for all replicas together.
func (c *caps) shared() bool { return c.environment+c.function+c.connection+c.provider > 0 }

// usage is what runs under way take of the caps: all and here those of this process,
// the others those of all replicas once beside has counted them in.
type usage struct {
	caps caps

	all          int
	here         map[linkspan.EnvironmentID]int
	environments map[linkspan.EnvironmentID]int
	functions    map[linkspan.FunctionID]int
	connections  map[linkspan.ConnectionID]int
	providers    map[string]int
	shares       map[linkspan.ProviderShare]int
	pairs        map[linkspan.RunPair]int
	// serial are functions of which a connection has one run at a time, as far as it
	// is known, and taken until when such a pair is left alone because another process
	// runs it.
	serial map[linkspan.FunctionID]bool
	taken  map[linkspan.RunPair]time.Time
}

func newUsage(c caps) *usage {
	return &usage{
		caps: c, here: make(map[linkspan.EnvironmentID]int), environments: make(map[linkspan.EnvironmentID]int), functions: make(map[linkspan.FunctionID]int),
		connections: make(map[linkspan.ConnectionID]int), providers: make(map[string]int), shares: make(map[linkspan.ProviderShare]int),
		pairs: make(map[linkspan.RunPair]int), serial: make(map[linkspan.FunctionID]bool), taken: make(map[linkspan.RunPair]time.Time),
	}
}

// beside is a copy that counts in what other processes have under way.
func (u *usage) beside(others []linkspan.Run) *usage {
	out := *u
	out.here, out.environments, out.functions = maps.Clone(u.here), maps.Clone(u.environments), maps.Clone(u.functions)
	out.connections, out.providers, out.shares, out.pairs = maps.Clone(u.connections), maps.Clone(u.providers), maps.Clone(u.shares), maps.Clone(u.pairs)
	for i := range others {
		out.addShared(&others[i], 1)
	}
	return &out
}

func shareOf(r *linkspan.Run) linkspan.ProviderShare {
	return linkspan.ProviderShare{EnvironmentID: r.EnvironmentID, Provider: r.Provider}
}

// add counts a run of this process in, and out with -1.
func (u *usage) add(r *linkspan.Run, n int) {
	u.all += n
	count(u.here, r.EnvironmentID, n)
	u.addShared(r, n)
}

// addShared counts a run in where it does not matter which process has it.
func (u *usage) addShared(r *linkspan.Run, n int) {
	count(u.environments, r.EnvironmentID, n)
	count(u.functions, r.FunctionID, n)
	count(u.connections, r.ConnectionID, n)
	count(u.providers, r.Provider, n)
	count(u.shares, shareOf(r), n)
	count(u.pairs, pairOf(r), n)
}

func pairOf(r *linkspan.Run) linkspan.RunPair {
	return linkspan.RunPair{FunctionID: r.FunctionID, ConnectionID: r.ConnectionID}
}

// note takes down what the end of a run says of others of its function.
func (u *usage) note(o *outcome, now time.Time) {
	r := &o.run
	for pair, until := range u.taken {
		if !now.Before(until) {
			delete(u.taken, pair)
		}
	}
	switch {
	case o.queued:
		u.serial[r.FunctionID] = true
		u.taken[pairOf(r)] = now.Add(turnPause)
	case o.job != nil && o.job.fn.Version.Definition.Serial():
		u.serial[r.FunctionID] = true
	case o.job != nil:
		delete(u.serial, r.FunctionID)
	}
	if len(u.serial) > remembered {
		clear(u.serial)
	}
}

// fullPairs returns those of which no other run may be under way now.
func (u *usage) fullPairs(now time.Time) []linkspan.RunPair {
	var full []linkspan.RunPair
	for pair := range u.pairs {
		if u.serial[pair.FunctionID] || u.crowdedFunction(pair.FunctionID) && u.functions[pair.FunctionID] < u.caps.function {
			full = append(full, pair)
		}
	}
	for pair, until := range u.taken {
		if now.Before(until) && u.pairs[pair] == 0 {
			full = append(full, pair)
		}
	}
	return full
}

// count forgets what is zero.
func count[K comparable](in map[K]int, key K, n int) {
	if in[key] += n; in[key] == 0 {
		delete(in, key)
	}
}

// room is how many runs of one environment this process may have under way. The
// second half of its slots is for those that have none here: a run may take hours,
// and a few environments must not hold them all.
func (u *usage) room() int {
	if u.all < (u.caps.all+1)/2 {
		return u.caps.share
	}
	return 1
}

// full reports whether an environment has all that it may.
func (u *usage) full(env linkspan.EnvironmentID) bool {
	return u.here[env] >= u.room() || u.caps.environment > 0 && u.environments[env] >= u.caps.environment
}

// crowded reports whether the second half of a provider's room has begun, which is
// for environments that have no run there.
func (u *usage) crowded(provider string) bool {
	return u.caps.provider > 0 && u.providers[provider] >= (u.caps.provider+1)/2
}

// crowdedFunction reports whether the second half of a function's room has begun,
// which is for connections that have no run of it: of its variants one may have a
// hundred.
func (u *usage) crowdedFunction(fn linkspan.FunctionID) bool {
	return u.caps.function > 0 && u.functions[fn] >= (u.caps.function+1)/2
}

// allows reports whether there is room for a run.
func (u *usage) allows(r *linkspan.Run) bool {
	c := &u.caps
	switch {
	case u.all >= c.all, u.full(r.EnvironmentID):
		return false
	case (u.serial[r.FunctionID] || u.crowdedFunction(r.FunctionID)) && u.pairs[pairOf(r)] > 0:
		return false
	case c.function > 0 && u.functions[r.FunctionID] >= c.function, c.connection > 0 && u.connections[r.ConnectionID] >= c.connection:
		return false
	case c.provider > 0 && u.providers[r.Provider] >= c.provider:
		return false
	}
	return !u.crowded(r.Provider) || u.shares[shareOf(r)] == 0
}

// query asks for what there is room for.
func (u *usage) query() linkspan.RunQuery {
	q := linkspan.RunQuery{Lane: u.caps.lane, Limit: perLook}
	for env := range u.environments {
		if u.full(env) {
			q.FullEnvironments = append(q.FullEnvironments, env)
		}
	}
	for fn, n := range u.functions {
		if u.caps.function > 0 && n >= u.caps.function {
			q.FullFunctions = append(q.FullFunctions, fn)
		}
	}
	for connection, n := range u.connections {
		if u.caps.connection > 0 && n >= u.caps.connection {
			q.FullConnections = append(q.FullConnections, connection)
		}
	}
	for provider, n := range u.providers {
		if u.caps.provider > 0 && n >= u.caps.provider {
			q.FullProviders = append(q.FullProviders, provider)
		}
	}
	for share := range u.shares {
		if u.crowded(share.Provider) {
			q.FullShares = append(q.FullShares, share)
		}
	}
	// One more than can be run shows that there is more.
	q.PerGroup = min(u.room(), u.caps.all-u.all) + 1
	if u.caps.function > 0 {
		q.PerGroup = min(q.PerGroup, u.caps.function+1)
	}
	q.PerEnvironment = groupsPerLook * q.PerGroup
	return q
}

// passesOver reports whether a query leaves out what is due.
func passesOver(q *linkspan.RunQuery) bool {
	return len(q.FullEnvironments)+len(q.FullFunctions)+len(q.FullConnections)+len(q.FullPairs)+len(q.FullProviders)+len(q.FullShares) > 0
}

// turns says where to look, and whose turn it is.
type turns struct {
	// from is the environment at which the next look begins, and behind the function
	// behind which it does so in environments with more groups than one look sees.
	from   linkspan.EnvironmentID
	behind map[linkspan.EnvironmentID]linkspan.FunctionID

	// served says in which turn a group was last served, and an environment (its
	// function is 0): those that waited longest come first.
	served map[linkspan.RunGroup]int64
	turn   int64
}

func newTurns() turns {
	return turns{behind: make(map[linkspan.EnvironmentID]linkspan.FunctionID), served: make(map[linkspan.RunGroup]int64)}
}

// advance notes what a look has seen and where it was cut off, and reports whether
// it has seen everything from the very beginning.
func (t *turns) advance(q *linkspan.RunQuery, found []linkspan.Run, cut linkspan.RunGroup) (everything bool) {
	everything = q.From == 0 && cut.EnvironmentID == 0
	counts, last := make(map[linkspan.EnvironmentID]int), make(map[linkspan.EnvironmentID]linkspan.FunctionID)
	for i := range found {
		if r := &found[i]; r.LeaseUntil.IsZero() {
			counts[r.EnvironmentID]++
			last[r.EnvironmentID] = r.FunctionID
		}
	}
	for env := range t.behind {
		seen := env >= q.From && (cut.EnvironmentID == 0 || env < cut.EnvironmentID) && !slices.Contains(q.FullEnvironments, env)
		if seen && counts[env] < q.PerEnvironment {
			delete(t.behind, env) // to its end; next comes what was before
			everything = false
		}
	}
	if len(t.behind) > rememberedBehind {
		clear(t.behind)
	}
	for env, n := range counts {
		if n >= q.PerEnvironment {
			t.behind[env], everything = last[env], false
		}
	}
	if t.from = cut.EnvironmentID; t.from != 0 {
		t.behind[t.from] = cut.FunctionID
	}
	return everything
}

// remember notes whose turn it was.
func (t *turns) remember(chosen []linkspan.Run) {
	if len(t.served) > remembered {
		clear(t.served)
	}
	t.turn++
	for i := range chosen {
		r := &chosen[i]
		t.served[linkspan.RunGroup{EnvironmentID: r.EnvironmentID}] = t.turn
		t.served[linkspan.RunGroup{EnvironmentID: r.EnvironmentID, FunctionID: r.FunctionID}] = t.turn
	}
}

// queue is the runs of a function, or of several that take turns.
type queue struct {
	served int64
	// runs are those of one function, groups those that take turns.
	runs   []*linkspan.Run
	groups []*queue
	next   int
}

// take returns the next run that is allowed; nil: none is. What is not allowed now
// is not allowed later in the same choice.
func (q *queue) take(allowed func(*linkspan.Run) bool) *linkspan.Run {
	for len(q.runs) > 0 {
		r := q.runs[0]
		q.runs = q.runs[1:]
		if allowed(r) {
			return r
		}
	}
	for len(q.groups) > 0 {
		q.next %= len(q.groups)
		if r := q.groups[q.next].take(allowed); r != nil {
			q.next++
			return r
		}
		q.groups = slices.Delete(q.groups, q.next, q.next+1)
	}
	return nil
}

func byServed(a, b *queue) int { return cmp.Compare(a.served, b.served) }

// queues orders what was found: environments, in them functions, and in these the
// runs in the order in which they were found.
func (t *turns) queues(found []linkspan.Run) *queue {
	all, environments, groups := &queue{}, make(map[linkspan.EnvironmentID]*queue), make(map[linkspan.RunGroup]*queue)
	for i := range found {
		r := &found[i]
		env := environments[r.EnvironmentID]
		if env == nil {
			env = &queue{served: t.served[linkspan.RunGroup{EnvironmentID: r.EnvironmentID}]}
			environments[r.EnvironmentID], all.groups = env, append(all.groups, env)
		}
		key := linkspan.RunGroup{EnvironmentID: r.EnvironmentID, FunctionID: r.FunctionID}
		group := groups[key]
		if group == nil {
			group = &queue{served: t.served[key]}
			groups[key], env.groups = group, append(env.groups, group)
		}
		group.runs = append(group.runs, r)
	}
	slices.SortStableFunc(all.groups, byServed)
	for _, env := range all.groups {
		slices.SortStableFunc(env.groups, byServed)
	}
	return all
}

// choose picks whom to serve beside what is under way while there is room: first one
// run of each environment, those first that were served longest ago, then the second
// of each. So do the functions of each environment.
func (d *dispatcher) choose(found, others []linkspan.Run) []linkspan.Run {
	var chosen []linkspan.Run
	u, all := d.usage.beside(others), d.queues(found)
	for u.all < u.caps.all {
		r := all.take(func(r *linkspan.Run) bool { return !d.holds(r.ID) && u.allows(r) })
		if r == nil {
			break
		}
		u.add(r, 1)
		chosen = append(chosen, *r)
	}
	return chosen
}

// elsewhere returns the runs that other processes have under way, if they count. In
// a transaction nobody else claims any before it ends.
func (d *dispatcher) elsewhere(ctx context.Context, tx linkspan.Tx) ([]linkspan.Run, error) {
	if !d.usage.caps.shared() {
		return nil, nil
	}
	others, err := d.store.RunsOfOthers(ctx, tx, d.usage.caps.lane, d.holder)
	if err != nil {
		return nil, fmt.Errorf("reading what other processes run: %w", err)
	}
	return others, nil
}

// look reads what is due, from where the last look ended, beside what others run.
func (d *dispatcher) look(ctx context.Context, others []linkspan.Run) (linkspan.RunQuery, []linkspan.Run, linkspan.RunGroup, error) {
	u := d.usage.beside(others)
	q := u.query()
	q.From, q.Behind, q.FullPairs = d.from, d.behind, u.fullPairs(d.now())
	d.more = d.more || passesOver(&q)
	found, cut, err := d.store.DueRuns(ctx, nil, q)
	if err != nil {
		return q, nil, cut, fmt.Errorf("looking for due runs: %w", err)
	}
	return q, found, cut, nil
}
