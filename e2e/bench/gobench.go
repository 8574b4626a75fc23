package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// measurement is a line of a Go benchmark.
type measurement struct {
	name   string             // without "Benchmark" and the number of processors
	values map[string]float64 // by unit
}

// goBenchmarks runs the Go benchmarks of a package of this module, each in the
// named database if it needs one. They need the sources: false when those are not
// at hand.
func (b *bench) goBenchmarks(ctx context.Context, pkg, pattern, benchtime string) ([]measurement, bool, error) {
	switch _, err := os.Stat(pkg); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("looking for the sources: %w", err)
	}
	//nolint:gosec // all of it is ours
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench="+pattern, "-benchtime="+benchtime, "-timeout=30m", "./"+pkg)
	if b.database != "" {
		cmd.Env = append(cmd.Environ(), "LINKSPAN_TEST_POSTGRES="+b.database)
	}
	said, err := cmd.CombinedOutput()
	if err != nil {
		return nil, false, fmt.Errorf("running the benchmarks of %s: %w\n%s", pkg, err, said)
	}
	var all []measurement
	for line := range strings.Lines(string(said)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		m := measurement{name: name, values: make(map[string]float64)}
		for pair := range slices.Chunk(fields[2:], 2) {
			if len(pair) < 2 {
				continue
			}
			if n, err := strconv.ParseFloat(pair[0], 64); err == nil {
				m.values[pair[1]] = n
			}
		}
		all = append(all, m)
	}
	return all, true, nil
}

// kind is the database that is measured, as the Go benchmarks call it.
func (b *bench) kind() string {
	if b.database != "" {
		return "postgres"
	}
	return "sqlite"
}

// records measures the records cache without functions and HTTP.
func (b *bench) records(ctx context.Context, t io.Writer) error {
	all, here, err := b.goBenchmarks(ctx, "internal/record", "^BenchmarkSave$/^"+b.kind()+"$", strconv.Itoa(b.rounds)+"x")
	if err != nil || !here {
		return missing(t, "records cache", err)
	}
	pages, _, err := b.goBenchmarks(ctx, "internal/record", "^BenchmarkList$/^"+b.kind()+"$", "1s")
	if err != nil {
		return err
	}
	row(t, "records cache, in a process of its own: 100,000 records, 1,000 at a time", "each")
	for _, m := range append(all, pages...) {
		for _, what := range []struct{ unit, title string }{
			{"first-s", "all of them new"}, {"unchanged-s", "nothing changed"}, {"tenth-s", "a tenth changed"}, {"seen-s", "nothing changed, and it is noted which were seen"},
		} {
			if seconds, ok := m.values[what.unit]; ok {
				row(t, "  "+what.title, fmt.Sprintf("%.2f s", seconds))
			}
		}
		if strings.HasPrefix(m.name, "List/") {
			row(t, "  a page of 100", fmt.Sprintf("%.3f ms", m.values["ns/op"]/1e6))
		}
	}
	return nil
}

// schedules measures a look for due syncs among very many.
func (b *bench) schedules(ctx context.Context, t io.Writer) error {
	all, here, err := b.goBenchmarks(ctx, "internal/schedule", "^BenchmarkTick$/^"+b.kind()+"$", "10x")
	if err != nil || !here {
		return missing(t, "schedules", err)
	}
	row(t, "1,000,000 schedules, in a process of its own", "each")
	names := map[string]string{"0_due": "  a look when none is due", "100_due": "  100 due ones get their runs", "20000_due": "  20,000 due ones get their runs"}
	for _, m := range all {
		if title := names[m.name[strings.LastIndexByte(m.name, '/')+1:]]; title != "" {
			row(t, title, fmt.Sprintf("%.2f ms", m.values["ns/op"]/1e6))
		}
	}
	return nil
}

// engine measures the sandbox.
func (b *bench) engine(ctx context.Context, t io.Writer) error {
	all, here, err := b.goBenchmarks(ctx, "internal/sandbox", "^(BenchmarkSpawn|BenchmarkRun|BenchmarkHostCall)$", "1s")
	if err != nil || !here {
		return missing(t, "sandbox", err)
	}
	names := map[string]string{
		"Spawn": "  new from the snapshot", "Run/cold": "  with program and zod, a run",
		"Run/hot": "  the same from a hot image", "HostCall": "  a run with 1,000 calls of the host",
	}
	row(t, "sandbox, in a process of its own", "each")
	for _, m := range all {
		if title := names[m.name]; title != "" {
			row(t, title, fmt.Sprintf("%.3f ms", m.values["ns/op"]/1e6))
		}
	}
	return nil
}

// missing says what can't be measured without the sources.
func missing(t io.Writer, what string, err error) error {
	if err == nil {
		row(t, what, "not measured: the sources are not here")
	}
	return err
}
