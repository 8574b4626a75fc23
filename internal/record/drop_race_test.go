package record_test

import (
	"context"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/record"
)

// TestDropBehindAWriter empties a stream while a run saves to it: what was saved
// before is gone, what comes later is in the new stream, behind it.
func TestDropBehindAWriter(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.save(linkspan.RunFence{}, false, "old")
		before, err := w.Position(ctx, w.stream)
		must(t, err)
		f := w.begin()
		saved := make(chan error, 1)
		var ids []string
		for i := range 20 {
			ids = append(ids, string(rune('a'+i)))
		}
		go func() {
			for _, id := range ids {
				if _, err := w.Save(ctx, record.Write{Stream: w.stream, Fence: f, Records: withIDs([]string{id}), Window: true}); err != nil {
					saved <- err
					return
				}
			}
			saved <- nil
		}()
		must(t, w.store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			return w.Drop(ctx, tx, w.stream.EnvironmentID, []linkspan.RecordStream{w.stream})
		}))
		must(t, <-saved)
		w.save(f, false, "last")
		page, err := w.List(ctx, record.Query{Stream: w.stream, After: before, Limit: 100})
		must(t, err)
		// Those that were saved after the drop, in their order, and nothing between them
		// is missing.
		all := append(ids, "last") //nolint:gocritic // ids is not used any more
		rest := all[len(all)-len(page.Records):]
		for i := range page.Records {
			if page.Records[i].ID != rest[i] {
				t.Errorf("record %d is %s, want %s", i, page.Records[i].ID, rest[i])
			}
		}
		live, err := w.Live(ctx, nil, w.stream.EnvironmentID, []linkspan.ConnectionID{w.stream.ConnectionID})
		must(t, err)
		if live[w.stream] != int64(len(page.Records)) || w.alive() == "" {
			t.Errorf("%d are counted, %d listed", live[w.stream], len(page.Records))
		}
		// Once its fence is gone the run saves nothing any more.
		f.Attempt--
		if _, err := w.Save(ctx, record.Write{Stream: w.stream, Fence: f, Records: withIDs([]string{"late"})}); linkspan.CodeOf(err) != "run_lost" {
			t.Errorf("a run that was cancelled saved: %v", err)
		}
	})
}
