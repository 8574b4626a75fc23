package record_test

import (
	"context"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/store"
)

// before has something happen before the nth transaction.
type before struct {
	*store.Store

	nth    int
	happen func()
}

func (b *before) InTx(ctx context.Context, f func(ctx context.Context, tx linkspan.Tx) error) error {
	if b.nth--; b.nth == 0 {
		b.happen()
	}
	return b.Store.InTx(ctx, f)
}

// TestSweepOfAnotherWindow ends a window, and begins the next one, between two
// batches of a deletion: of what the new one has not seen yet nothing is deleted.
func TestSweepOfAnotherWindow(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, w *world) {
		ctx, none := t.Context(), linkspan.RunFence{}
		w.save(none, false, "a", "b", "c")
		w.pass()
		must(t, w.TrackStart(ctx, w.stream, none))
		slow := record.New(&before{Store: w.store, nth: 2, happen: func() {
			if ids, err := w.TrackEnd(ctx, w.stream, none); err != nil || len(ids) != 2 {
				t.Errorf("the others: %q, %v", ids, err)
			}
			w.save(none, false, "b", "c")
			w.pass()
			must(t, w.TrackStart(ctx, w.stream, none))
		}})
		slow.SetDeleteBatch(1)
		if ids, err := slow.TrackEnd(ctx, w.stream, none); linkspan.KindOf(err) != linkspan.KindNotFound {
			t.Errorf("deleted %q, %v", ids, err)
		}
		if got := w.alive(); got != "b c" {
			t.Errorf("left: %s", got)
		}
	})
}
