package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// race has claimants claim what is due until nothing is, and checks that each of so
// many goes to exactly one.
func race[ID comparable](t *testing.T, claimants, many int, claim func(ctx context.Context, holder string) (due bool, claimed []ID, err error)) {
	t.Helper()
	var (
		mu  sync.Mutex
		won = make(map[ID]string)
		wg  sync.WaitGroup
	)
	take := func(holder string, ids []ID) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			if other, taken := won[id]; taken {
				t.Errorf("%v went to %s and %s", id, other, holder)
			}
			won[id] = holder
		}
	}
	for n := range claimants {
		wg.Go(func() {
			holder := fmt.Sprint(n)
			for due := true; due; {
				var ids []ID
				var err error
				if due, ids, err = claim(t.Context(), holder); err != nil {
					t.Error(err)
					return
				}
				take(holder, ids)
			}
		})
	}
	wg.Wait()
	if len(won) != many {
		t.Errorf("%d of %d were claimed", len(won), many)
	}
}
