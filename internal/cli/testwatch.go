package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxChanged is how many changed files are named.
const maxChanged = 3

// follow tests, and tests again what changes until ctx ends: functions whose code
// became another one, through a file that they import, too, and those whose recording
// did.
func (t *testRun) follow(ctx context.Context) error {
	changes, err := watchFolder(ctx, t.dir)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		if err := t.round(ctx, first); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // this is how watching ends
		}
		t.status.println("Waiting for changes in ", printable(t.dir), " …")
		changed, ok := <-changes
		if !ok {
			return nil
		}
		t.status.println(t.status.paint(styleDim, "Changed: "+printable(changedText(changed))))
	}
}

// round tests once. What is wrong with the folder is told and may be corrected; in the
// first round a mistake in the command line may not: later it is that what was asked
// for is gone for now.
func (t *testRun) round(ctx context.Context, first bool) error {
	start := time.Now()
	round, err := t.once(ctx)
	t.status.wipe()
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was interrupted
	}
	if _, wrong := errors.AsType[*usageError](err); wrong && first {
		return err
	}
	if err != nil {
		writeError(t.sys.Stderr, err)
		return nil
	}
	if err := t.report(round, time.Since(start)); err != nil {
		if _, failed := errors.AsType[*codedError](err); !failed {
			return err
		}
	}
	return nil
}

// changedText names changed files.
func changedText(files []string) string {
	if len(files) > maxChanged {
		return strings.Join(files[:maxChanged], ", ") + fmt.Sprintf(" and %d more", len(files)-maxChanged)
	}
	return strings.Join(files, ", ")
}
