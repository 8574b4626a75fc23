package run

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

// refused says in plain words when a run must wait for those that are under way here
// and elsewhere.
func refused(c caps, here, elsewhere []linkspan.Run, r *linkspan.Run) bool {
	count := func(in []linkspan.Run, same func(o *linkspan.Run) bool) (n int) {
		for i := range in {
			if same(&in[i]) {
				n++
			}
		}
		return n
	}
	sameEnv := func(o *linkspan.Run) bool { return o.EnvironmentID == r.EnvironmentID }
	all, env := slices.Concat(here, elsewhere), count(here, sameEnv)
	provider := count(all, func(o *linkspan.Run) bool { return o.Provider == r.Provider })
	share := count(all, func(o *linkspan.Run) bool { return o.Provider == r.Provider && o.EnvironmentID == r.EnvironmentID })
	function := count(all, func(o *linkspan.Run) bool { return o.FunctionID == r.FunctionID })
	pair := count(all, func(o *linkspan.Run) bool { return o.FunctionID == r.FunctionID && o.ConnectionID == r.ConnectionID })
	return env >= c.share || count(all, sameEnv) >= c.environment || 2*len(here) >= c.all && env > 0 ||
		function >= c.function || 2*function >= c.function && pair > 0 ||
		count(all, func(o *linkspan.Run) bool { return o.ConnectionID == r.ConnectionID }) >= c.connection ||
		provider >= c.provider || 2*provider >= c.provider && share > 0
}

// TestCaps chooses among random runs: none of those that are chosen is beyond a cap,
// all that are left are, and what the next look passes over is just those.
func TestCaps(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := caps{
			lane: linkspan.LaneSync, all: 4 + 2*r.IntN(12), share: 1 + r.IntN(6), environment: 1 + r.IntN(6), function: 1 + r.IntN(4),
			connection: 1 + r.IntN(3), provider: 2 + 2*r.IntN(6),
		}
		runs := make([]linkspan.Run, 80+r.IntN(3)*10)
		for i := range runs {
			env := 1 + r.Int64N(8)
			runs[i] = linkspan.Run{
				ID: linkspan.RunID(i + 1), EnvironmentID: linkspan.EnvironmentID(env), FunctionID: linkspan.FunctionID(10*env + r.Int64N(3)),
				ConnectionID: linkspan.ConnectionID(10*env + r.Int64N(4)), Provider: []string{"a", "b", "c"}[r.IntN(3)],
			}
		}
		due, elsewhere := runs[:80], runs[80:]
		d := &dispatcher{usage: newUsage(c), turns: newTurns()}
		chosen := d.choose(due, elsewhere)
		for i := range chosen {
			if i >= c.all || refused(c, chosen[:i], elsewhere, &chosen[i]) {
				t.Fatalf("seed %d, %+v: number %d is beyond a cap: %+v\nbeside %+v", seed, c, i, chosen[i], chosen[:i])
			}
			d.usage.add(&chosen[i], 1)
		}
		beside := d.usage.beside(elsewhere)
		q, pairs := beside.query(), beside.fullPairs(time.Now())
		for i := range due {
			o := &due[i]
			must := refused(c, chosen, elsewhere, o)
			if !must && len(chosen) < c.all && !slices.ContainsFunc(chosen, func(r linkspan.Run) bool { return r.ID == o.ID }) {
				t.Fatalf("seed %d, %+v: there was room for %+v\nbeside %+v", seed, c, o, chosen)
			}
			passed := slices.Contains(q.FullEnvironments, o.EnvironmentID) || slices.Contains(q.FullFunctions, o.FunctionID) ||
				slices.Contains(q.FullConnections, o.ConnectionID) || slices.Contains(q.FullProviders, o.Provider) ||
				slices.Contains(q.FullShares, shareOf(o)) || slices.Contains(pairs, pairOf(o))
			if passed != must {
				t.Fatalf("seed %d, %+v: the next look passes over %+v: %v, want %v\nbeside %+v", seed, c, o, passed, must, chosen)
			}
		}
		// They end, and nothing is left of them.
		for i := range chosen {
			d.usage.add(&chosen[i], -1)
		}
		if len(d.choose(due, elsewhere)) != len(chosen) {
			t.Fatalf("seed %d: what has ended counts", seed)
		}
	}
}

// TestTurns has room for two runs at a time, of which many wait in each of several
// environments, or functions of one: they are served in turns, also by those who come
// first in every look.
func TestTurns(t *testing.T) {
	t.Parallel()
	const groups, each = 5, 4
	for name, test := range map[string]struct {
		caps caps
		of   func(group int) (linkspan.EnvironmentID, linkspan.FunctionID)
	}{
		"environments": {caps{all: 2, share: 2}, func(g int) (linkspan.EnvironmentID, linkspan.FunctionID) { return linkspan.EnvironmentID(g), 1 }},
		"functions":    {caps{all: 8, share: 2}, func(g int) (linkspan.EnvironmentID, linkspan.FunctionID) { return 1, linkspan.FunctionID(g) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var due []linkspan.Run
			group := make(map[linkspan.RunID]int)
			for g := 1; g <= groups; g++ {
				for range each {
					r := linkspan.Run{ID: linkspan.RunID(len(due) + 1), ConnectionID: linkspan.ConnectionID(len(due) + 1)}
					r.EnvironmentID, r.FunctionID = test.of(g)
					due, group[r.ID] = append(due, r), g
				}
			}
			d := &dispatcher{usage: newUsage(test.caps), turns: newTurns()}
			served := make(map[int]int)
			for len(due) > 0 {
				chosen := d.choose(due, nil)
				if len(chosen) != 2 {
					t.Fatalf("%d are chosen of %d", len(chosen), len(due))
				}
				d.remember(chosen) // they end at once
				for i := range chosen {
					served[group[chosen[i].ID]]++
					due = slices.DeleteFunc(due, func(r linkspan.Run) bool { return r.ID == chosen[i].ID })
				}
				least, most := each, 0
				for g := 1; g <= groups; g++ {
					least, most = min(least, served[g]), max(most, served[g])
				}
				if most-least > 2 { // of those that were served together the first ones come first again
					t.Fatalf("one was served %d times, another one %d times", most, least)
				}
			}
		})
	}
}
