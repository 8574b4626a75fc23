package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/function/bundle"
	"github.com/linkspan/linkspan/internal/function/fixture"
	"github.com/linkspan/linkspan/internal/function/trial"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// maxReplayDifferences is how many differences of a replay are shown.
const maxReplayDifferences = 5

// record writes the run as a fixture, and makes sure that it replays.
func (d *dryrun) record(ctx context.Context, engine *sandbox.Engine, f bundle.Function, recorder *fixture.Recorder, result *trial.Result) error {
	if f.Kind == linkspan.FunctionOnEvent {
		d.status.println(d.status.paint(styleYellow, "!"), " Functions at events have no recordings: nothing was saved.")
		return nil
	}
	recording, err := recorder.Recording(trial.Of(f), d.input.input, result)
	if err != nil {
		return err
	}
	file := filepath.Join(d.dir, f.Integration, "tests", f.Name+".test.json")
	parsed, err := fixture.Parse(filepath.ToSlash(file), recording.Text)
	if err != nil {
		return fmt.Errorf("reading the recording again: %w", err)
	}
	what := "Saved"
	if _, err := os.Stat(file); err == nil {
		what = "Updated"
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for %s: %w", file, err)
	}
	if err := writeFixture(file, recording.Text); err != nil {
		return err
	}
	d.report.Saved = file
	d.status.println(d.status.paint(styleGreen, "✓"), " ", what, " ", printable(file), " with ", counted(recording.Calls, "call"), ". Secrets are left out; read it before you share it.")
	if !d.input.lastSync.IsZero() {
		recording.Notes = append(recording.Notes, "Recordings do not hold --last-sync-date: in a replay nango.lastSyncDate is null.")
	}
	for _, note := range recording.Notes {
		d.status.println("  ", d.status.paint(styleYellow, "!"), " ", printable(note))
	}
	return d.replay(ctx, engine, f, parsed)
}

// replay tells whether the recording replays now.
func (d *dryrun) replay(ctx context.Context, engine *sandbox.Engine, f bundle.Function, file *fixture.File) error {
	all, err := catalog.Open(catalog.Options{})
	if err != nil {
		return fmt.Errorf("opening the catalogue: %w", err)
	}
	provider, err := all.Provider(f.Integration)
	if err != nil {
		provider = nil // the integration is not named after one
	}
	o := fixture.NewReplay(file, provider).Options(trial.Of(f))
	o.Limits = sandbox.Limits{CPU: min(dryrunCPU, d.timeout), Wall: d.timeout, Output: dryrunOutput, Notes: dryrunNotes}
	result, err := trial.Run(ctx, engine, o)
	if err != nil {
		return fmt.Errorf("replaying the recording: %w", err)
	}
	differences := fixture.Judge(file, f.Kind, result)
	if len(differences) == 0 {
		return nil
	}
	d.status.println("  ", d.status.paint(styleYellow, "!"), " A replay of the recording comes out differently, so linkspan test will fail:")
	for _, x := range differences[:min(len(differences), maxReplayDifferences)] {
		line := x.Message
		if x.Path != "" {
			line = x.Path + ": " + line
		}
		d.status.println("    ", printable(shortened(line, maxSampleWidth)))
	}
	d.status.println("    Dates, random values and answers that are errors differ: change the function or the file.")
	return nil
}

// writeFixture replaces a file at once: a reader sees the old one or the new one.
func writeFixture(file string, text []byte) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a folder of sources
		return fmt.Errorf("making the folder of recordings: %w", err)
	}
	next, err := os.CreateTemp(dir, ".*.test.json.next")
	if err != nil {
		return fmt.Errorf("writing a recording: %w", err)
	}
	_, err = next.Write(text)
	err = errors.Join(err, next.Chmod(0o644), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("writing a recording: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return nil
}
