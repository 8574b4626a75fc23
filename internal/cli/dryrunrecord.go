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
)

// maxReplayDifferences is how many differences of a replay are shown.
const maxReplayDifferences = 5

// record writes the run as a fixture, and makes sure that it replays.
func (d *dryrun) record(ctx context.Context, executor trial.Executor, f bundle.Function, recorder *fixture.Recorder, result *trial.Result) error {
	if f.Kind == linkspan.FunctionOnEvent {
		d.status.println(d.status.paint(styleYellow, "!"), " Functions at events have no recordings: nothing was saved.")
		return nil
	}
	recording, err := recorder.Recording(trial.Of(f), d.input.input, result)
	if err != nil {
		return err
	}
	file := filepath.Join(d.dir, filepath.FromSlash(testKey{integration: f.Integration, name: f.Name}.fixtureFile()))
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
	if len(d.account.Credentials) == 0 {
		recording.Notes = append(recording.Notes, "The key may not read credentials, so that they were not looked for in the answers: give it the scope connections:read_credentials, or look for them yourself.")
	}
	for _, note := range recording.Notes {
		d.status.println("  ", d.status.paint(styleYellow, "!"), " ", printable(note))
	}
	return d.replay(ctx, executor, f, parsed)
}

// replay tells whether the recording replays now.
func (d *dryrun) replay(ctx context.Context, executor trial.Executor, f bundle.Function, file *fixture.File) error {
	all, err := catalog.Open(catalog.Options{})
	if err != nil {
		return fmt.Errorf("opening the catalogue: %w", err)
	}
	provider, err := all.Provider(f.Integration)
	if err != nil {
		provider = nil // the integration is not named after one
	}
	o := fixture.NewReplay(file, provider).Options(trial.Of(f))
	o.Limits = d.limits()
	result, err := trial.Run(ctx, executor, o)
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

// writeFixture puts a recording in the place of a file at once: whoever reads, and
// whatever ends this process, there is the old one or the new one. One that its owner
// made read-only stays.
func writeFixture(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a folder of sources
		return fmt.Errorf("making the folder of recordings: %w", err)
	}
	mode := fs.FileMode(0o644)
	if to, err := filepath.EvalSymlinks(file); err == nil {
		file = to
	}
	switch info, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("looking for a recording: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("writing a recording: %s is not a file", file)
	case info.Mode().Perm()&0o200 == 0:
		return fmt.Errorf("the recording %s is read-only, so it was left as it is: make it writable, or remove it", file)
	default:
		mode = info.Mode().Perm()
	}
	if err := replaceFile(file, text, mode); err != nil {
		return fmt.Errorf("writing a recording: %w", err)
	}
	return nil
}

func replaceFile(file string, text []byte, mode fs.FileMode) error {
	next, err := os.CreateTemp(filepath.Dir(file), ".*.test.json.next")
	if err != nil {
		return err
	}
	_, err = next.Write(text)
	err = errors.Join(err, next.Chmod(mode), next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}
