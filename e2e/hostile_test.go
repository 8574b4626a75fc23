//go:build linux

package e2e

import (
	"crypto/rand"
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// besieged is a server, in a process of its own, with functions that mean harm in
// the environment dev and good ones in dev and prod.
type besieged struct {
	*apptest.Process
	world *apptest.World
	mark  string // of this test's secrets

	mu      sync.Mutex
	secrets map[string]string // of each run: its environment
	retried atomic.Int64
}

func besiege(t *testing.T, flags map[string]string) *besieged {
	t.Helper()
	world := apptest.NewWorld(t)
	b := &besieged{
		world: world, mark: "mark" + strings.ToLower(rand.Text()[:6]), secrets: map[string]string{},
		Process: apptest.StartProcess(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir, Flags: flags}),
	}
	dir := t.TempDir()
	writeFiles(t, dir, hostileFolder())
	for environment, c := range map[string]apptest.Client{"dev": b.Dev(t), "prod": b.Prod(t)} {
		world.Integrate(t, c, apptest.ProviderNone, "crm")
		apptest.Import(t, c, "crm", "c-"+environment, map[string]any{"type": "NONE"})
		mustLinkspan(t, &b.Instance, "deploy", environment, "--dir", dir, "--auto-confirm")
	}
	return b
}

// secret makes what one run knows and no other may.
func (b *besieged) secret(environment string) string {
	s := b.mark + strings.ToLower(rand.Text())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets[s] = environment
	return s
}

// assault is a run to be made.
type assault struct {
	hostile     *hostile // nil: a healthy run
	environment string
}

// storm makes the runs, several at a time.
func (b *besieged) storm(t *testing.T, runs []assault) {
	t.Helper()
	const atOnce = 16
	clients := map[string]apptest.Client{"dev": b.Dev(t), "prod": b.Prod(t)}
	next := make(chan assault)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for a := range next {
				if a.hostile == nil {
					b.healthy(t, clients[a.environment], a.environment)
				} else {
					b.attack(t, clients[a.environment], a.environment, a.hostile)
				}
			}
		})
	}
	for _, a := range runs {
		next <- a
	}
	close(next)
	wg.Wait()
}

func (b *besieged) trigger(t *testing.T, c apptest.Client, environment, action, secret string) (apptest.Reply, bool) {
	t.Helper()
	r, err := c.Try(t, http.MethodPost, "/action/trigger", `{"action_name":"`+action+`","input":{"secret":"`+secret+`"}}`,
		"Provider-Config-Key", "crm", "Connection-Id", "c-"+environment)
	if err != nil {
		t.Errorf("%s got no answer: %v", action, err)
		return r, false
	}
	for _, other := range b.marks(string(r.Body)) {
		if other != secret {
			t.Errorf("the answer to %s holds what belongs to another run: %.300s", action, r.Body)
		}
	}
	return r, true
}

// marks returns the secrets in a text.
func (b *besieged) marks(text string) (found []string) {
	length := len(b.mark) + len(rand.Text())
	for {
		_, rest, ok := strings.Cut(text, b.mark)
		if !ok {
			return found
		}
		text = text[len(text)-len(rest)-len(b.mark):]
		s := text[:min(length, len(text))]
		found, text = append(found, s), text[len(s):]
	}
}

// attack runs a hostile function and looks at how it ended.
func (b *besieged) attack(t *testing.T, c apptest.Client, environment string, h *hostile) {
	t.Helper()
	r, ok := b.trigger(t, c, environment, h.name, b.secret(environment))
	if ok && r.Status != http.StatusOK && b.lost(t, &r) {
		r, ok = b.trigger(t, c, environment, h.name, b.secret(environment))
	}
	if !ok {
		return
	}
	status := http.StatusInternalServerError
	switch r.Code() {
	case endFine:
		status = http.StatusOK
	case endOutput:
		status = http.StatusBadRequest
	}
	if r.Status != status || !slices.Contains(h.ends, r.Code()) {
		t.Errorf("%s ended with status %d and %q, not one of %q: %.300s", h.name, r.Status, r.Code(), h.ends, r.Body)
	}
	if h.output != "" && string(r.Body) != h.output {
		t.Errorf("%s returned %.300s, not %s", h.name, r.Body, h.output)
	}
}

// lost says that a run ended with its process: the fault of another one, after
// which callers try again.
func (b *besieged) lost(t *testing.T, r *apptest.Reply) bool {
	t.Helper()
	var failure struct {
		Error struct{ Code, Message string }
	}
	r.Into(t, &failure)
	if failure.Error.Code != endStalled || !strings.Contains(failure.Error.Message, "process") {
		return false
	}
	b.retried.Add(1)
	return true
}

// healthy runs the good function and looks at all it says.
func (b *besieged) healthy(t *testing.T, c apptest.Client, environment string) {
	t.Helper()
	secret := b.secret(environment)
	r, ok := b.trigger(t, c, environment, "good", secret)
	if ok && r.Status != http.StatusOK && b.lost(t, &r) {
		r, ok = b.trigger(t, c, environment, "good", secret)
	}
	if !ok {
		return
	}
	want := fmt.Sprintf(`{"n":1,"traces":[],"secret":%[1]q,"many":[1,2,3],"echo":"/echo?secret=%[1]s","environment":%[2]q,"connection":"c-%[2]s",`+
		`"hash":"2d711642","when":"1970-01-01T00:00:00.000Z"}`, secret, environment)
	if r.Status != http.StatusOK || string(r.Body) != want {
		t.Errorf("a healthy run in %s returned %d %.500s", environment, r.Status, r.Body)
	}
}

// assaults are n runs of the hostile functions in turn, each beside a healthy one
// of the same environment or of another. Those that only wait come once.
func assaults(n int) (runs []assault) {
	all := hostileFunctions()
	for i := 0; len(runs) < 2*n; i++ {
		if h := &all[i%len(all)]; i < len(all) || !h.slow {
			runs = append(runs, assault{hostile: h, environment: "dev"}, assault{environment: []string{"dev", "prod"}[i%2]})
		}
	}
	return runs
}

// harmless are n rounds of the functions that end by themselves. After them the
// processes that execute functions have what they keep.
func harmless(n int) (runs []assault) {
	all := hostileFunctions()
	for range n {
		for i := range all {
			if len(all[i].ends) == 1 && all[i].ends[0] == endFine {
				runs = append(runs, assault{hostile: &all[i], environment: "dev"}, assault{environment: "prod"})
			}
		}
	}
	return runs
}

// Whatever functions do, the server lives on, others get their results, nothing
// of a run reaches another one, and memory comes back.
//
//nolint:paralleltest // it takes the whole machine, and measures memory
func TestHostileFunctions(t *testing.T) {
	if apptest.UnderRace {
		t.Skip("how functions end and what memory they leave is judged without the race detector: scripts/test.sh does")
	}
	const growth = 1.2
	b := besiege(t, map[string]string{"function-cpu": "100ms", "function-memory": "32MB", "action-timeout": "8s"})
	each, rest := assaults(len(hostileFunctions())), harmless(4)
	b.storm(t, each)
	b.storm(t, rest)
	// The runners of functions that had to be stopped by force end when they have
	// nothing to do; those that stay are as many as "--runners" says.
	const runners = 2
	before := b.settled(t, func(u usage) bool { return len(u.children) <= runners })

	b.storm(t, assaults(hostileRuns()-len(each)/2-len(rest)/2))
	after := b.settled(t, func(u usage) bool {
		return len(u.children) <= runners && u.zombies == 0 && float64(u.memory) <= growth*float64(before.memory) &&
			u.files <= before.files+filesOfChild*max(0, len(u.children)-len(before.children))
	})
	t.Logf("before: %v; after: %v; %d runs were lost with their process and made again", before, after, b.retried.Load())
	b.Dev(t).Do(t, http.MethodGet, "/health", nil).Want(t, http.StatusOK)
	b.wantSeparateLogs(t)
}

// hostileRuns is how many hostile runs there are all in all.
func hostileRuns() int {
	if n, err := strconv.Atoi(os.Getenv("LINKSPAN_TEST_HOSTILE_RUNS")); err == nil {
		return n
	}
	return 300
}

// settled waits until the server uses as little as it should, or fails. It gives
// it no other reason to than that nothing happens.
func (b *besieged) settled(t *testing.T, fine func(usage) bool) (u usage) {
	t.Helper()
	const (
		quiet    = 140  // looks; longer than a runner waits until it tidies up
		patience = 3600 // Go looks for garbage every two minutes in a process where nothing happens
	)
	for n := range patience {
		u = b.usage(t)
		if n >= quiet && fine(u) {
			return u
		}
		apptest.Pause(t)
	}
	t.Errorf("the server does not come to rest: %v", u)
	return u
}

// wantSeparateLogs looks through what the server has recorded of runs, and said
// itself: a run's secret is in the record of that run only.
func (b *besieged) wantSeparateLogs(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(b.Logs()) {
		if strings.Contains(line, b.mark) {
			t.Errorf("the log of the server holds what a function was given: %.1000s", line)
		}
	}
	seen := 0
	for environment, c := range map[string]apptest.Client{"dev": b.Dev(t), "prod": b.Prod(t)} {
		for id := range operationsOf(t, c) {
			r := c.Do(t, http.MethodGet, "/logs/operations/"+id+"?limit=100", nil).Want(t, http.StatusOK)
			marks := b.marks(string(r.Body))
			for _, m := range marks {
				if m != marks[0] || b.secrets[m] != environment {
					t.Fatalf("the record of a run in %s holds what belongs to another one: %s and %s", environment, marks[0], m)
				}
			}
			seen += min(len(marks), 1)
		}
	}
	if seen < hostileRuns() {
		t.Errorf("only %d records of runs hold what those said", seen)
	}
}

// operationsOf goes through the ids of all operations.
func operationsOf(t *testing.T, c apptest.Client) iter.Seq[string] {
	return func(yield func(string) bool) {
		for cursor := ""; ; {
			var page struct {
				Data       []struct{ ID string }
				NextCursor string `json:"next_cursor"`
			}
			c.Do(t, http.MethodGet, "/logs/operations?limit=100"+cursor, nil).Want(t, http.StatusOK).Into(t, &page)
			for _, op := range page.Data {
				if !yield(op.ID) {
					return
				}
			}
			if page.NextCursor == "" {
				return
			}
			cursor = "&before=" + page.NextCursor
		}
	}
}

// Somebody kills the processes that execute functions: runs that have changed
// nothing are made again, the callers of others are told, and new ones run.
func TestRunnersKilled(t *testing.T) {
	t.Parallel()
	b := besiege(t, nil)
	dev := b.Dev(t)
	const each = 8
	replies := map[string][]apptest.Reply{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range each {
		for _, action := range []string{"wait-for-answer", "wait-after-effect"} {
			wg.Go(func() {
				r, _ := b.trigger(t, dev, "dev", action, b.secret("dev"))
				mu.Lock()
				defer mu.Unlock()
				replies[action] = append(replies[action], r)
			})
		}
	}
	for range 2 * each {
		<-b.world.SaaS.StreamOpened()
	}
	killed := b.usage(t).children
	if len(killed) == 0 {
		t.Fatal("nothing executes functions")
	}
	// All at once: the server must not be quick enough to make a run again in a
	// process whose turn has not come.
	killAll(t, syscall.SIGSTOP, b.PID())
	killAll(t, syscall.SIGKILL, killed...)
	killAll(t, syscall.SIGCONT, b.PID())
	for range each { // those that are made again
		<-b.world.SaaS.StreamOpened()
	}
	b.world.SaaS.ReleaseStreams()
	wg.Wait()
	for _, r := range replies["wait-for-answer"] {
		if r.Status != http.StatusOK || string(r.Body) != `"done"` {
			t.Errorf("a run that had changed nothing ended with %d %s", r.Status, r.Body)
		}
	}
	for _, r := range replies["wait-after-effect"] {
		if r.Status != http.StatusInternalServerError || !b.lost(t, &r) {
			t.Errorf("a run that had changed something ended with %d %s", r.Status, r.Body)
		}
	}
	b.healthy(t, dev, "dev")
	now := b.usage(t)
	if now.zombies > 0 || slices.ContainsFunc(killed, func(pid int) bool { return slices.Contains(now.children, pid) }) {
		t.Errorf("%v were killed; now there are %v", killed, now)
	}
}

// killAll sends a signal to processes.
func killAll(t *testing.T, s syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	}
}
