package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// turnstile is an API that counts the calls of each connection of a crowd, and
// holds them until it is opened.
type turnstile struct {
	url string

	mu      sync.Mutex
	open    chan struct{}
	crowd   map[string]int
	singles int
}

func newTurnstile(t *testing.T) *turnstile {
	t.Helper()
	s := &turnstile{crowd: make(map[string]int)}
	site := httptest.NewServer(s)
	t.Cleanup(site.Close)
	s.url = site.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *turnstile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/single" {
		s.mu.Lock()
		s.singles++
		s.mu.Unlock()
		return
	}
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	select {
	case <-open:
	case <-r.Context().Done():
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crowd[r.URL.Query().Get("connection")]++
	w.WriteHeader(http.StatusOK)
}

// hold holds the calls of the crowd until they are released.
func (s *turnstile) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = make(chan struct{})
}

func (s *turnstile) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.open)
}

// through returns how many of the crowd had so many runs.
func (s *turnstile) through(runs int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, had := range s.crowd {
		if had >= runs {
			n++
		}
	}
	return n
}

// alone returns how many single runs there were.
func (s *turnstile) alone() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.singles
}

// crowdSync is a sync that calls the API once.
func crowdSync(endpoint string) string {
	return strings.ReplaceAll(`import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "Calls the API once",
	frequency: "every 30 days",
	autoStart: false,
	models: { Nothing: z.object({ id: z.string() }) },
	exec: async (nango) => {
		await nango.get({ endpoint: "/ENDPOINT", params: { connection: nango.connectionId } });
	},
});
`, "ENDPOINT", endpoint)
}

// deployCrowd integrates the API in an environment, connects it so often, and
// deploys a sync.
func (s *turnstile) deployCrowd(t *testing.T, i *apptest.Instance, environment string, dev apptest.Client, name string, connections int) {
	t.Helper()
	dev.Do(t, http.MethodPost, "/integrations", object{"provider": "turnstile", "unique_key": "gate"}).Want(t, http.StatusOK)
	for n := range connections {
		dev.Do(t, http.MethodPost, "/connections", object{
			"provider_config_key": "gate", "connection_id": fmt.Sprint("c", n), "credentials": object{"type": "NONE"},
		}).Want(t, http.StatusCreated)
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"index.ts": "import \"./gate/syncs/" + name + "\";\n", "gate/syncs/" + name + ".ts": crowdSync(name)})
	mustLinkspan(t, i, "deploy", environment, "--dir", dir, "--auto-confirm")
}

// TestACrowdHoldsUpNobody has one environment ask for many runs, whose calls are
// not answered: the runs of another one come and go meanwhile. So they do when the
// crowd moves on.
func TestACrowdHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const singles = 3
			many := sized(20_000, 600, 200)
			gate := newTurnstile(t)
			dir := t.TempDir()
			apptest.WriteProvider(t, dir, "turnstile", "name: turnstile\ndisplay_name: Turnstile\ncategories: [other]\nauth:\n  mode: NONE\napi:\n  base_url:\n    - "+gate.url+"\n")
			i := apptest.Start(t, apptest.Options{Database: open(t), ProvidersDir: dir, Flags: map[string]string{"rate-limit": "1000000"}})
			gate.deployCrowd(t, i, "dev", i.Dev(t), "crowd", many)
			gate.deployCrowd(t, i, "prod", i.Prod(t), "single", 1)

			for n, how := range []string{"trigger", "start"} {
				gate.hold()
				i.Dev(t).Do(t, http.MethodPost, "/sync/"+how, object{"provider_config_key": "gate", "syncs": []string{"crowd"}}).Want(t, http.StatusOK)
				gate.single(t, i, how, singles)
				if through := gate.through(n + 1); through > 0 {
					t.Errorf("%s: %d of the crowd are through", how, through)
				}
				gate.release()
				gate.single(t, i, how, singles)
				if gate.through(n+1) == many {
					t.Errorf("%s: the crowd was through before %d single runs", how, singles)
				}
				apptest.PollWithin(t, 12_000, "the crowd is through", func() bool { return gate.through(n+1) == many })
				// A sync that is started while it runs does not run again at once.
				apptest.Poll(t, "their runs are over", func() bool { return !anyRuns(t, i.Dev(t), "crowd") })
			}
			if gate.through(3) > 0 {
				t.Error("some of the crowd had more runs than were asked for")
			}
		})
	}
}

// single has the single sync run n times, one after the other.
func (s *turnstile) single(t *testing.T, i *apptest.Instance, how string, n int) {
	t.Helper()
	prod := i.Prod(t)
	do := func(what string) {
		t.Helper()
		prod.Do(t, http.MethodPost, "/sync/"+what, object{"provider_config_key": "gate", "syncs": []string{"single"}}).Want(t, http.StatusOK)
	}
	for range n {
		before := s.alone()
		do(how)
		apptest.Poll(t, "a single run has ended", func() bool {
			return s.alone() > before && !anyRuns(t, prod, "single")
		})
		if how == "start" {
			do("pause")
		}
	}
}

// anyRuns reports whether a sync is under way at any connection.
func anyRuns(t *testing.T, c apptest.Client, name string) bool {
	t.Helper()
	var reply struct{ Syncs []syncState }
	c.Do(t, http.MethodGet, "/sync/status?provider_config_key=gate&syncs="+name, nil).Want(t, http.StatusOK).Into(t, &reply)
	return len(reply.Syncs) == 0 || slices.ContainsFunc(reply.Syncs, func(s syncState) bool { return s.Status == "RUNNING" })
}
