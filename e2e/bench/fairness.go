package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// prodKey is the key of the environment that has single runs.
	prodKey = "5b6a7c8d-9e0f-4a1b-8c2d-3e4f5a6b7c8d"
	// crowd is how many runs one environment asks for, alone how many another one has
	// meanwhile, one after the other.
	crowd = 20_000
	alone = 100
	// seatPause is how long a run of the crowd holds its place.
	seatPause = 100 * time.Millisecond
	// tellers is the provider and the integration of both.
	tellers = "bench-tellers"
)

// crowdSyncs are the two syncs: one that many connections have, and one that tells
// when it begins.
const crowdSyncs = `import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "Calls the API once",
	frequency: "every 30 days",
	autoStart: false,
	models: { Nothing: z.object({ id: z.string() }) },
	exec: async (nango) => {
		await nango.get({ endpoint: "/ENDPOINT" });
	},
});
`

// teller is the API of both: it notes when single runs begin, and holds those of
// the crowd.
type teller struct {
	address string
	began   chan time.Time
	crowd   atomic.Int64
	stop    func()
}

func newTeller(ctx context.Context) (*teller, error) {
	r := &teller{began: make(chan time.Time, alone)}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	r.address = listener.Addr().String()
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: r}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends with Close; whatever is missing, the measurement notices
	r.stop = func() { _ = server.Close(); serving.Wait() }
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *teller) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/single" {
		r.began <- time.Now()
		give(w, answer())
		return
	}
	r.crowd.Add(1)
	pause := time.NewTimer(seatPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		give(w, answer())
	case <-q.Context().Done():
	}
}

// fairness measures how long the runs of one environment wait while another one
// has asked for thousands.
func (b *bench) fairness(ctx context.Context, t io.Writer, program *process) error {
	r, err := newTeller(ctx)
	if err != nil {
		return err
	}
	defer r.stop()
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	if err := b.prepareCrowd(ctx, c, r); err != nil {
		return err
	}
	if _, err := c.single(ctx, r, "trigger"); err != nil { // starts a runner
		return err
	}
	row(t, fmt.Sprintf("single runs beside %d of another environment", crowd), "p50", "p99", "slowest", "done of the crowd")
	for _, way := range []struct{ name, crowd, single string }{
		{"  triggered, beside triggered ones", "trigger", "trigger"},
		{"  started, beside started ones", "start", "start"},
	} {
		if err := b.fairnessOf(ctx, t, c, r, way.name, way.crowd, way.single); err != nil {
			return err
		}
	}
	return nil
}

// fairnessOf measures one way in which runs come to be.
func (b *bench) fairnessOf(ctx context.Context, t io.Writer, c *browser, r *teller, name, many, single string) error {
	if err := c.sync(ctx, prodKey, "pause"); err != nil {
		return err
	}
	r.crowd.Store(0)
	asked := make(chan error, 1)
	began := time.Now()
	var took time.Duration
	go func() {
		err := c.sync(ctx, devKey, many)
		took = time.Since(began)
		asked <- err
	}()
	waits := make([]time.Duration, alone)
	for n := range waits {
		var err error
		if waits[n], err = c.single(ctx, r, single); err != nil {
			return errors.Join(err, <-asked)
		}
	}
	done := r.crowd.Load()
	if err := <-asked; err != nil {
		return err
	}
	b.tick()
	if done >= crowd {
		return fmt.Errorf("the crowd was gone after %v, before the single runs were", time.Since(began))
	}
	slices.Sort(waits)
	row(t, name, milliseconds(waits[alone/2]), milliseconds(waits[alone*99/100-1]), milliseconds(waits[alone-1]), strconv.FormatInt(done, 10))
	row(t, fmt.Sprintf("    POST /sync/%s for %d connections", many, crowd), milliseconds(took))
	for _, end := range []string{"pause", "cancel"} {
		if err := c.sync(ctx, devKey, end); err != nil {
			return err
		}
	}
	return nil
}

// single has one run begin and returns how long that took.
func (c *browser) single(ctx context.Context, r *teller, how string) (time.Duration, error) {
	asked := time.Now()
	if err := c.sync(ctx, prodKey, how); err != nil {
		return 0, err
	}
	var took time.Duration
	select {
	case began := <-r.began:
		took = began.Sub(asked)
	case <-time.After(patience):
		return 0, fmt.Errorf("a run has not begun after %v", patience)
	case <-ctx.Done():
		return 0, ctx.Err() //nolint:wrapcheck // says it all
	}
	// The next one must not follow a run that is under way.
	for {
		running, err := c.running(ctx)
		if err != nil {
			return 0, err
		}
		if !running {
			break
		}
	}
	if how == "start" {
		return took, c.sync(ctx, prodKey, "pause")
	}
	return took, nil
}

// running reports whether the single sync is.
func (c *browser) running(ctx context.Context) (bool, error) {
	_, text, err := c.call(ctx, http.MethodGet, "http://"+c.address+"/sync/status?provider_config_key="+tellers+"&syncs=single", "", http.StatusOK, "Authorization", "Bearer "+prodKey)
	if err != nil {
		return false, err
	}
	var reply struct{ Syncs []struct{ Status string } }
	if err := json.Unmarshal(text, &reply); err != nil || len(reply.Syncs) != 1 {
		return false, fmt.Errorf("reading the status of a sync: %w\n%s", err, text)
	}
	return reply.Syncs[0].Status == "RUNNING", nil
}

// sync does something to the sync of an environment, in all connections.
func (c *browser) sync(ctx context.Context, key, what string) error {
	name := "crowd"
	if key == prodKey {
		name = "single"
	}
	_, _, err := c.call(ctx, http.MethodPost, "http://"+c.address+"/sync/"+what, `{"provider_config_key":"`+tellers+`","syncs":["`+name+`"]}`, http.StatusOK,
		"Authorization", "Bearer "+key, "Content-Type", "application/json")
	return err
}

// prepareCrowd integrates the API in two environments, connects it, and deploys a
// sync to each.
func (b *bench) prepareCrowd(ctx context.Context, c *browser, r *teller) error {
	provider := "name: " + tellers + "\ndisplay_name: Bench tellers\ncategories: [other]\nauth:\n  mode: NONE\napi:\n  base_url:\n    - http://" + r.address + "\n"
	if err := os.WriteFile(filepath.Join(b.dir, "providers", tellers+".yaml"), []byte(provider), 0o600); err != nil {
		return fmt.Errorf("writing a provider: %w", err)
	}
	for _, e := range []struct {
		key, environment, sync string
		connections            int
	}{{devKey, "dev", "crowd", crowd}, {prodKey, "prod", "single", 1}} {
		if err := c.integrateTellers(ctx, e.key); err != nil {
			return err
		}
		if err := c.connectTellers(ctx, e.key, e.connections); err != nil {
			return err
		}
		if err := b.deployCrowd(ctx, c.address, e.environment, e.key, e.sync); err != nil {
			return err
		}
		b.tick()
	}
	return nil
}

// integrateTellers waits until the program knows the provider's file.
func (c *browser) integrateTellers(ctx context.Context, key string) error {
	const body = `{"provider":"` + tellers + `","unique_key":"` + tellers + `"}`
	late := time.Now().Add(patience)
	for {
		_, _, err := c.call(ctx, http.MethodPost, "http://"+c.address+"/integrations", body, http.StatusOK, "Authorization", "Bearer "+key, "Content-Type", "application/json")
		if err == nil || time.Now().After(late) {
			return err
		}
		select {
		case <-time.After(settle / 10):
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // says it all
		}
	}
}

func (c *browser) connectTellers(ctx context.Context, key string, n int) error {
	errs := make([]error, makers)
	var workers sync.WaitGroup
	for w := range makers {
		workers.Go(func() {
			for i := w; i < n && errs[w] == nil; i += makers {
				_, _, errs[w] = c.call(ctx, http.MethodPost, "http://"+c.address+"/connections",
					fmt.Sprintf(`{"provider_config_key":%q,"connection_id":"t%d","credentials":{"type":"NONE"}}`, tellers, i),
					http.StatusCreated, "Authorization", "Bearer "+key, "Content-Type", "application/json")
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}

// deployCrowd deploys a sync, and nothing else, to an environment.
func (b *bench) deployCrowd(ctx context.Context, address, environment, key, name string) error {
	project := filepath.Join(b.dir, name)
	dir := filepath.Join(project, tellers, "syncs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing a sync: %w", err)
	}
	for path, text := range map[string]string{
		filepath.Join(project, "index.ts"): "import \"./" + tellers + "/syncs/" + name + "\";\n",
		filepath.Join(dir, name+".ts"):     strings.Replace(crowdSyncs, "ENDPOINT", name, 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing a sync: %w", err)
		}
	}
	//nolint:gosec // the user names the program to measure
	cmd := exec.CommandContext(ctx, b.binary, "deploy", environment, "--dir="+project, "--auto-confirm", "--allow-destructive")
	cmd.Env = append(cmd.Environ(), "LINKSPAN_HOST=http://"+address, "LINKSPAN_SECRET_KEY_"+strings.ToUpper(environment)+"="+key)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("deploying a sync: %w\n%s", err, said)
	}
	return nil
}
