package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// The fixed keys of the measured program. It lives for minutes, on loopback.
const (
	devKey        = "8d0c3b7a-5f4e-4d2c-9b1a-0f9e8d7c6b5a"
	encryptionKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)

// starts is how often each kind of start is timed; the median counts.
const starts = 5

// settle is how long the program may calm down before its idle memory counts.
const settle = 5 * time.Second

// bench is one run of the benchmark.
type bench struct {
	options
	dir, self string
	out       io.Writer
	progress  io.Writer
	prepared  bool // the programs of firstRun have their data
}

func (b *bench) run(ctx context.Context) (err error) {
	upstream, err := startPart(ctx, b.self, "-child=upstream")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, upstream.stop()) }()
	plain, err := startPart(ctx, b.self, "-child=reverseproxy", "-target=http://"+upstream.address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plain.stop()) }()
	pooled, err := startPart(ctx, b.self, "-child=reverseproxy", "-pooled", "-target=http://"+upstream.address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pooled.stop()) }()
	authority, err := startPart(ctx, b.self, "-child=authority")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, authority.stop()) }()
	if err := b.writeProviders(upstream.address, authority.address); err != nil {
		return err
	}
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', 0)
	defer func() { err = errors.Join(err, t.Flush()) }() // what was measured is shown even if something fails
	database := "SQLite"
	if b.database != "" {
		database = "PostgreSQL"
	}
	_, _ = fmt.Fprintf(b.out, "%s, %s, %d processors, %s a load, median of %d\n",
		database, runtime.Version(), runtime.NumCPU(), b.duration, b.rounds) // Flush reports what is wrong with out
	program, err := b.startUp(ctx, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, program.stop()) }()
	if err := prepare(ctx, program.address); err != nil {
		return err
	}
	if err := b.idle(ctx, t, program); err != nil {
		return err
	}
	if b.wanted("proxy") {
		if err := b.proxy(ctx, t, program, plain, pooled); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context, io.Writer, *process) error
	}{{"connection", b.connection}, {"browsers", b.browsers}, {"webhooks", b.webhooks}, {"syncs", b.syncs}, {"functions", b.functions}, {"fairness", b.fairness}, {"tests", b.tests}} {
		if !b.wanted(part.name) {
			continue
		}
		if err := part.measure(ctx, t, program); err != nil {
			return err
		}
	}
	now, peak, err := program.memory()
	if err != nil {
		return err
	}
	row(t, "memory after all load", megabytes(now), "peak "+megabytes(peak))
	counts, err := program.metrics(ctx, "linkspan_operations_written_total", "linkspan_operations_dropped_total")
	if err != nil {
		return err
	}
	row(t, "log of operations", counts[0]+" written", counts[1]+" dropped")
	for _, part := range []struct {
		name    string
		measure func(context.Context, io.Writer) error
	}{{"records", b.records}, {"schedules", b.schedules}, {"engine", b.engine}} {
		if !b.wanted(part.name) {
			continue
		}
		if err := part.measure(ctx, t); err != nil {
			return err
		}
	}
	_, _ = io.WriteString(b.progress, "\n") // progress is a courtesy
	return nil
}

// wanted says whether a part is to be measured.
func (b *bench) wanted(part string) bool {
	return b.only == "" || slices.Contains(strings.Split(b.only, ","), part)
}

func (b *bench) args(data string) []string {
	args := []string{"--allow-private-network", "--providers=" + filepath.Join(b.dir, "providers")}
	if b.database != "" {
		return append(args, "--database="+b.database)
	}
	return append(args, "--data="+data)
}

func environment() []string {
	return []string{"LINKSPAN_SECRET_KEY_DEV=" + devKey, "LINKSPAN_SECRET_KEY_PROD=" + prodKey, "LINKSPAN_ENCRYPTION_KEY=" + encryptionKey}
}

// startUp times starts and leaves the last one running.
func (b *bench) startUp(ctx context.Context, t *tabwriter.Writer) (*process, error) {
	row(t, "start to /health", "median", "slowest")
	var onEmpty, onExisting []time.Duration
	data := func(n int) string { return filepath.Join(b.dir, fmt.Sprint("data", n)) }
	last := starts - 1
	for n := range starts {
		if b.database != "" && n > 0 {
			break // there is only one empty database
		}
		took, err := b.timeStart(ctx, data(n))
		if err != nil {
			return nil, err
		}
		onEmpty = append(onEmpty, took)
		last = n
	}
	for range starts {
		took, err := b.timeStart(ctx, data(last))
		if err != nil {
			return nil, err
		}
		onExisting = append(onExisting, took)
	}
	durations(t, "  empty database", onEmpty)
	durations(t, "  existing database", onExisting)
	program, _, err := startProgram(ctx, b.binary, filepath.Join(b.dir, "log"), environment(), b.args(data(last))...)
	return program, err
}

func (b *bench) timeStart(ctx context.Context, data string) (time.Duration, error) {
	p, took, err := startProgram(ctx, b.binary, filepath.Join(b.dir, "log"), environment(), b.args(data)...)
	if err != nil {
		return 0, err
	}
	return took, p.stop()
}

func durations(t io.Writer, name string, all []time.Duration) {
	middle, slowest := extremes(all)
	row(t, name, milliseconds(middle), milliseconds(slowest))
}

// extremes returns the median and the longest.
func extremes(all []time.Duration) (middle, slowest time.Duration) {
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

// idle reports the memory of the program at rest.
func (b *bench) idle(ctx context.Context, t io.Writer, program *process) error {
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	now, peak, err := program.memory()
	if err != nil {
		return err
	}
	row(t, "memory when idle", megabytes(now), "peak "+megabytes(peak))
	return nil
}

// proxy compares proxied calls with the standard library's proxy, in turns, so
// that a busy moment of the machine hits all.
func (b *bench) proxy(ctx context.Context, t io.Writer, program, plain, pooled *process) error {
	const headers = "\r\nAuthorization: Bearer " + devKey + "\r\nAccept: application/json\r\n"
	contenders := []struct {
		name, address, path, headers string
	}{
		{"ReverseProxy", plain.address, "", ""},
		{"ReverseProxy, pooled buffers", pooled.address, "", ""},
		{"linkspan", program.address, "/proxy", "Provider-Config-Key: bench\r\nConnection-Id: bench\r\nBase-Url-Override: \r\nNango-Activity-Log-Id: \r\n"},
	}
	for _, c := range contenders {
		if err := check(ctx, "http://"+c.address+c.path+"/users/1"); err != nil {
			return err
		}
	}
	row(t, "proxied calls", "a second", "p50", "p99", "of ReverseProxy")
	for _, connections := range []int{1, 16, 64} {
		all := make([][]result, len(contenders))
		for range b.rounds {
			for i, c := range contenders {
				request := "GET " + c.path + "/users/1?expand=tags HTTP/1.1\r\nHost: " + c.address + headers + c.headers + "\r\n"
				r, err := load{c.address, []byte(request), connections, b.duration}.run(ctx)
				if err != nil {
					return fmt.Errorf("loading %s: %w", c.name, err)
				}
				all[i] = append(all[i], r)
				b.tick()
			}
		}
		first := median(all[0]).perSecond
		for i, c := range contenders {
			r := median(all[i])
			results(t, fmt.Sprintf("  %s, %s", atOnce(connections), c.name), r, fmt.Sprintf("%.0f %%", 100*r.perSecond/first))
		}
	}
	return nil
}

// connection measures reads of a connection with its credentials.
func (b *bench) connection(ctx context.Context, t io.Writer, program *process) error {
	request := []byte("GET /connections/bench?provider_config_key=bench&force_refresh=false&refresh_token=false HTTP/1.1\r\nHost: " + program.address +
		"\r\nAuthorization: Bearer " + devKey + "\r\nContent-Type: application/json\r\n\r\n")
	row(t, "GET /connections/{id}", "a second", "p50", "p99", "")
	for _, connections := range []int{1, 16} {
		var all []result
		for range b.rounds {
			r, err := load{program.address, request, connections, b.duration}.run(ctx)
			if err != nil {
				return fmt.Errorf("reading a connection: %w", err)
			}
			all = append(all, r)
			b.tick()
		}
		results(t, "  "+atOnce(connections), median(all), "")
	}
	return nil
}

func (b *bench) tick() { _, _ = io.WriteString(b.progress, ".") } // progress is a courtesy

// median returns the result with the median rate.
func median(all []result) result {
	slices.SortFunc(all, func(a, b result) int { return int(a.perSecond - b.perSecond) })
	return all[len(all)/2]
}

func results(t io.Writer, name string, r result, note string) {
	row(t, name, fmt.Sprintf("%.0f", r.perSecond), milliseconds(r.p50), milliseconds(r.p99), note)
}

// atOnce says how many connections a load has.
func atOnce(connections int) string {
	if connections == 1 {
		return "1 connection"
	}
	return fmt.Sprint(connections, " connections")
}

func row(t io.Writer, cells ...string) {
	for _, cell := range cells {
		_, _ = io.WriteString(t, cell+"\t") // reported by Flush
	}
	_, _ = io.WriteString(t, "\n")
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// writeProviders writes the provider files that point at the upstream and at the
// authority.
func (b *bench) writeProviders(upstream, authority string) error {
	dir := filepath.Join(b.dir, "providers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing the providers: %w", err)
	}
	for name, text := range map[string]string{"bench": `name: bench
display_name: Bench
categories: [other]
auth:
  mode: API_KEY
api:
  base_url:
    - http://` + upstream + `
  headers:
    - name: x-api-key
      value: ${apiKey}
inputs:
  credentials:
    - name: apiKey
      title: API key
      help: Any text.
      required: true
      secret: true
`, "bench-oauth": `name: bench-oauth
display_name: Bench OAuth
categories: [other]
auth:
  mode: OAUTH2
  authorize:
    url:
      - http://` + authority + `/authorize
    issuer: http://` + authority + `
  token:
    url:
      - http://` + authority + `/token
api:
  base_url:
    - http://` + authority + `
  verify:
    paths:
      - /me
`} {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing the providers: %w", err)
		}
	}
	return nil
}

// prepare creates the integrations and the connection that the load uses.
func prepare(ctx context.Context, address string) error {
	if err := post(ctx, address, "/integrations", map[string]any{"provider": "bench", "unique_key": "bench"}); err != nil {
		return err
	}
	if err := post(ctx, address, "/integrations", map[string]any{"provider": "bench", "unique_key": feed}); err != nil {
		return err
	}
	if err := post(ctx, address, "/integrations", map[string]any{
		"provider": "bench-oauth", "unique_key": "bench-oauth",
		"credentials": map[string]any{"type": "OAUTH2", "client_id": "bench", "client_secret": "secret"},
	}); err != nil {
		return err
	}
	return post(ctx, address, "/connections", map[string]any{
		"provider_config_key": "bench", "connection_id": "bench",
		"credentials": map[string]any{"type": "API_KEY", "apiKey": "secret"},
		"metadata":    map[string]any{"plan": "pro"},
	})
}

func post(ctx context.Context, address, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding a body: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	request.Header.Set("Authorization", "Bearer "+devKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		said, _ := io.ReadAll(response.Body)
		return fmt.Errorf("POST %s: status %d: %s", path, response.StatusCode, said)
	}
	return nil
}

// check makes one call and fails unless it brings the upstream's answer: what
// is measured must be the work that is meant.
func check(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	request.Header.Set("Authorization", "Bearer "+devKey)
	request.Header.Set("Provider-Config-Key", "bench")
	request.Header.Set("Connection-Id", "bench")
	response, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	if !bytes.Equal(body, answer()) {
		return fmt.Errorf("GET %s: the answer is not the upstream's: status %d: %s", url, response.StatusCode, body)
	}
	return nil
}
