package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeKeeper notes what is asked of it. It has something to do so many times.
type fakeKeeper struct {
	calls []string
	times int
	err   error
	slow  bool // dropping what is idle takes all the time there is
}

func (k *fakeKeeper) did(what string, limit int) (int, error) {
	k.calls = append(k.calls, what)
	if k.err != nil {
		return 0, k.err
	}
	if k.times--; k.times >= 0 {
		return limit, nil
	}
	return limit - 1, nil
}

// PurgeDropped implements recordKeeper.
func (k *fakeKeeper) PurgeDropped(ctx context.Context, limit int) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return k.did("purge", limit)
}

// DropIdle implements recordKeeper.
func (k *fakeKeeper) DropIdle(ctx context.Context, idleFor time.Duration, limit int) (int, error) {
	if k.slow {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return k.did(fmt.Sprintf("drop %v", idleFor), limit)
}

// PruneOld implements recordKeeper.
func (k *fakeKeeper) PruneOld(ctx context.Context, olderThan time.Duration, limit int) (int, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return k.did(fmt.Sprintf("prune %v", olderThan), limit)
}

// Nothing that can be reached goes unless the operator says so, and nothing keeps
// the rest from being done.
func TestTidyRecords(t *testing.T) {
	t.Parallel()
	broken := errors.New("it broke")
	for name, tt := range map[string]struct {
		keeper          fakeKeeper
		deleted, pruned time.Duration
		want            []string
		fails           int
	}{
		"off":         {want: []string{"purge"}},
		"deleting":    {deleted: time.Hour, want: []string{"drop 1h0m0s", "purge"}},
		"pruning":     {pruned: time.Minute, want: []string{"prune 1m0s", "purge"}},
		"much to do":  {keeper: fakeKeeper{times: 2}, deleted: time.Hour, pruned: time.Minute, want: []string{"drop 1h0m0s", "drop 1h0m0s", "drop 1h0m0s", "prune 1m0s", "purge"}},
		"failing":     {keeper: fakeKeeper{err: broken}, deleted: time.Hour, pruned: time.Minute, want: []string{"drop 1h0m0s", "prune 1m0s", "purge"}, fails: 3},
		"without end": {keeper: fakeKeeper{slow: true}, deleted: time.Hour, pruned: time.Minute, want: []string{"prune 1m0s", "purge"}, fails: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), purgeTimeout)
				defer cancel()
				k := tt.keeper
				err := tidyRecords(ctx, &k, tt.deleted, tt.pruned)
				if d := cmp.Diff(tt.want, k.calls); d != "" {
					t.Error(d)
				}
				fails := 0
				if err != nil {
					fails = 1 + strings.Count(err.Error(), "\n")
				}
				if fails != tt.fails {
					t.Errorf("%d failures, not %d: %v", fails, tt.fails, err)
				}
			})
		})
	}
}
