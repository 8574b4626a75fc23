package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// manyFunctions is how many functions the large deploy has, fresh how many of
	// them are then run for their first time.
	manyFunctions = 2000
	fresh         = 200
	// queued is how many asynchronous actions are started, waiters how many actions
	// wait for the upstream at the same time.
	queued  = 2000
	waiters = 1000
	// echoed is how many bytes go in and out of an action.
	echoed = 1_900_000
)

// functions measures users' functions: how they get there, how they start, how
// fast they are and what they take.
func (b *bench) functions(ctx context.Context, t io.Writer, program *process) error {
	project := filepath.Join(b.dir, "functions")
	if err := writeActions(project, 0); err != nil {
		return err
	}
	if _, err := b.deploy(ctx, program.address, project); err != nil {
		return err
	}
	for _, measure := range []func() error{
		func() error { return b.firstRuns(ctx, t, program, project) },
		func() error { return b.runnerMemory(ctx, t, program) },
		func() error { return b.actions(ctx, t, program) },
		func() error { return b.asynchronous(ctx, t, program) },
		func() error { return b.bulk(ctx, t, program) },
		func() error { return b.waiting(ctx, t, program) },
		func() error { return b.deploys(ctx, t, program, project) },
	} {
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

// deploy deploys the folder as its author would.
func (b *bench) deploy(ctx context.Context, address, project string, flags ...string) (time.Duration, error) {
	//nolint:gosec // the user names the program to measure
	cmd := exec.CommandContext(ctx, b.binary, append([]string{"deploy", "dev", "--dir=" + project, "--auto-confirm"}, flags...)...)
	cmd.Env = append(cmd.Environ(), "LINKSPAN_HOST=http://"+address, "LINKSPAN_SECRET_KEY_DEV="+devKey)
	start := time.Now()
	if said, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("deploying functions: %w\n%s", err, said)
	}
	return time.Since(start), nil
}

// action is a call of an action.
type action struct {
	name  string
	input string // JSON
	want  string // what its output must contain
	async bool
}

func (a action) body() string { return `{"action_name":"` + a.name + `","input":` + a.input + `}` }

// request returns the whole request as it goes over the wire.
func (a action) request(address string) []byte {
	extra := ""
	if a.async {
		extra = "X-Async: true\r\n"
	}
	body := a.body()
	return []byte("POST /action/trigger HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + devKey +
		"\r\nContent-Type: application/json\r\nProvider-Config-Key: bench\r\nConnection-Id: bench\r\n" + extra +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// call runs the action once and returns how long that took.
func (a action) call(ctx context.Context, c *browser) (time.Duration, error) {
	start := time.Now()
	_, text, err := c.call(ctx, http.MethodPost, "http://"+c.address+"/action/trigger", a.body(), http.StatusOK,
		"Authorization", "Bearer "+devKey, "Content-Type", "application/json", "Provider-Config-Key", "bench", "Connection-Id", "bench")
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("the action %s: %w", a.name, err)
	}
	if !strings.Contains(string(text), a.want) {
		return 0, fmt.Errorf("the action %s returned %.200s", a.name, text)
	}
	return took, nil
}

// firstRuns measures the first run there is, with the start of the process that
// executes it: in programs of their own, without and with what earlier ones left
// in the cache folder.
func (b *bench) firstRuns(ctx context.Context, t io.Writer, _ *process, project string) error {
	row(t, "first run of an action, with the start of its runner", "median", "slowest")
	for _, cached := range []bool{false, true} {
		var all []time.Duration
		for n := range b.rounds {
			cache := filepath.Join(b.dir, "cache0") // which the first of all filled
			if !cached {
				cache = filepath.Join(b.dir, "cache"+strconv.Itoa(n))
			}
			took, err := b.firstRun(ctx, cache, project)
			if err != nil {
				return err
			}
			all = append(all, took)
			b.tick()
		}
		name := "  with nothing in the cache"
		if cached {
			name = "  from the cache"
		}
		durations(t, name, all)
	}
	return nil
}

func (b *bench) firstRun(ctx context.Context, cache, project string) (took time.Duration, err error) {
	args := append(b.args(filepath.Join(b.dir, "first")), "--cache="+cache)
	program, _, err := startProgram(ctx, b.binary, filepath.Join(b.dir, "log-first"), environment(), args...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, program.stop()) }()
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	if b.database == "" && !b.prepared {
		if err := prepare(ctx, program.address); err != nil {
			return 0, err
		}
		if _, err := b.deploy(ctx, program.address, project); err != nil {
			return 0, err
		}
		b.prepared = true
	}
	return action{"checked", small, `"sum":3`, false}.call(ctx, c)
}

// The inputs of the actions that do little.
const (
	small = `{"id":"a","a":1,"b":2,"tags":["x","y"]}`
	pair  = `{"a":1,"b":2}`
	user  = `{"id":"1"}`
)

// runnerMemory says what a runner takes that has run something and is at rest.
func (b *bench) runnerMemory(ctx context.Context, t io.Writer, program *process) error {
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	if _, err := (action{"checked", small, `"sum":3`, false}).call(ctx, c); err != nil {
		return err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // says it all
	}
	row(t, "memory of a runner after its first run", "its share", "its own")
	runners, err := program.runners()
	if err != nil {
		return err
	}
	for i, pid := range runners {
		share, own, err := footprint(pid)
		if err != nil {
			return err
		}
		row(t, fmt.Sprintf("  runner %d", i+1), megabytes(share), megabytes(own))
	}
	return nil
}

// actions measures synchronous actions over HTTP.
func (b *bench) actions(ctx context.Context, t io.Writer, program *process) error {
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	row(t, "synchronous actions", "a second", "p50", "p99", "")
	for _, what := range []struct {
		title string
		action
	}{
		{"trivial", action{"trivial", pair, `"sum":3`, false}},
		{"input and output parsed with zod", action{"checked", small, `"sum":3`, false}},
		{"one proxied call", action{"proxied", user, `"Ada"`, false}},
	} {
		if _, err := what.call(ctx, c); err != nil {
			return err
		}
		for _, connections := range []int{1, 16, 64} {
			var all []result
			for range b.rounds {
				r, err := load{program.address, what.request(program.address), connections, b.duration}.run(ctx)
				if err != nil {
					return fmt.Errorf("running the action %s: %w", what.name, err)
				}
				all = append(all, r)
				b.tick()
			}
			results(t, fmt.Sprintf("  %s, %s", atOnce(connections), what.title), median(all), "")
		}
	}
	return nil
}

// asynchronous measures how fast asynchronous actions are accepted, and how fast
// they are executed, which begins meanwhile.
func (b *bench) asynchronous(ctx context.Context, t io.Writer, program *process) error {
	a := action{"trivial", pair, "", true}
	request := a.request(program.address)
	var accepted, executed []result
	var processors []time.Duration
	for range b.rounds {
		before, err := program.succeeded(ctx)
		if err != nil {
			return err
		}
		busy, err := program.processors()
		if err != nil {
			return err
		}
		start := time.Now()
		errs := make([]error, makers)
		var workers sync.WaitGroup
		for w := range makers {
			workers.Go(func() { errs[w] = load{address: program.address, request: request}.times(ctx, queued/makers) })
		}
		workers.Wait()
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("starting asynchronous actions: %w", err)
		}
		accepted = append(accepted, result{perSecond: queued / time.Since(start).Seconds()})
		if err := program.await(ctx, before+queued); err != nil {
			return err
		}
		executed = append(executed, result{perSecond: queued / time.Since(start).Seconds()})
		after, err := program.processors()
		if err != nil {
			return err
		}
		processors = append(processors, (after-busy)/queued)
		b.tick()
	}
	each, _ := extremes(processors)
	row(t, "asynchronous actions", "a second", "processor time", "", "")
	row(t, "  accepted, 16 connections", fmt.Sprintf("%.0f", median(accepted).perSecond), "", "", "")
	row(t, "  executed, from the first request on", fmt.Sprintf("%.0f", median(executed).perSecond), milliseconds(each), "", "")
	return nil
}

// succeeded returns how many functions ended well.
func (p *process) succeeded(ctx context.Context) (int, error) {
	values, err := p.metrics(ctx, "linkspan_functions_succeeded_total")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(values[0], 64)
	if err != nil {
		return 0, fmt.Errorf("reading the metrics: %w", err)
	}
	return int(n), nil
}

// await waits until so many functions have ended well.
func (p *process) await(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		have, err := p.succeeded(ctx)
		if err != nil {
			return err
		}
		if have >= n {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%d functions did not end: %w", n-have, ctx.Err())
		}
	}
}

// bulk measures actions that work on much data, one at a time.
func (b *bench) bulk(ctx context.Context, t io.Writer, program *process) error {
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	input, err := json.Marshal(strings.Repeat("x", echoed))
	if err != nil {
		return fmt.Errorf("encoding an input: %w", err)
	}
	objects, err := json.Marshal(map[string]any{"records": itemsText(0, echoed/500)})
	if err != nil {
		return fmt.Errorf("encoding an input: %w", err)
	}
	row(t, "actions with much data, one at a time", "median", "slowest")
	for _, what := range []struct {
		title string
		action
	}{
		{"10,000 records in 100 pages: mapped and validated with zod", action{"pages", `{}`, `"count":10000`, false}},
		{"10,000 records in one answer of 5 MB: the same", action{"whole", `{}`, `"count":10000`, false}},
		{"an answer of 5 MB: parsed, a part returned", action{"part", `{}`, `"last":"item-9999"`, false}},
		{"a text of 1.9 MB in and out", action{"echo", string(input), "xxx", false}},
		{"records of 1.9 MB in and out", action{"echo", string(objects), "item-3799", false}},
	} {
		var all []time.Duration
		for range max(3, b.rounds) {
			took, err := what.call(ctx, c)
			if err != nil {
				return err
			}
			all = append(all, took)
			b.tick()
		}
		durations(t, "  "+what.title, all)
	}
	return nil
}

// waiting measures many actions that wait for a slow API at the same time, and
// what memory all of it takes.
func (b *bench) waiting(ctx context.Context, t io.Writer, program *process) error {
	request := action{"waits", user, "", false}.request(program.address)
	var took []time.Duration
	var most int64
	for range b.rounds {
		watching, stop := context.WithCancel(ctx)
		peak := make(chan int64, 1)
		go func() { peak <- program.peak(watching) }()
		start := time.Now()
		// Each connection makes one call.
		_, err := load{program.address, request, waiters, 0}.measure(ctx, 0)
		took = append(took, time.Since(start))
		stop()
		most = max(most, <-peak)
		if err != nil {
			return fmt.Errorf("running actions that wait: %w", err)
		}
		b.tick()
	}
	slices.Sort(took)
	row(t, fmt.Sprintf("%d actions at once that wait 100 ms for an API", waiters), "until all ended", "slowest round", "memory with runners")
	row(t, "", milliseconds(took[len(took)/2]), milliseconds(took[len(took)-1]), "peak "+megabytes(most))
	return nil
}

// deploys measures large deploys and the first runs of what they bring, then what
// an engine needs that knows nothing of HTTP.
func (b *bench) deploys(ctx context.Context, t io.Writer, program *process, project string) error {
	if err := writeActions(project, manyFunctions); err != nil {
		return err
	}
	row(t, fmt.Sprintf("linkspan deploy, %d functions", manyFunctions), "", "")
	for _, name := range []string{"  all of them new", "  nothing changed"} {
		took, err := b.deploy(ctx, program.address, project)
		if err != nil {
			return err
		}
		row(t, name, milliseconds(took), "")
		b.tick()
	}
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	took := make([]time.Duration, fresh)
	var all time.Duration
	for n := range took {
		var err error
		if took[n], err = (action{numbered(n), small, `"sum":` + strconv.Itoa(n+3), false}).call(ctx, c); err != nil {
			return err
		}
		all += took[n]
	}
	slices.Sort(took)
	row(t, "first run of a fresh function, its runner warm", "a second", "p50", "p99", "")
	results(t, "  1 connection, input and output parsed with zod", result{fresh / all.Seconds(), took[fresh/2], took[fresh*99/100]}, "")
	return nil
}
