package schedule_test

import (
	"context"
	"testing"

	"github.com/linkspan/linkspan/internal/schedule"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// BenchmarkAll measures what is asked for all of the 20,000 connections of an
// integration at once.
func BenchmarkAll(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			const all = 20_000
			w := newWorld(b, storetest.Databases()[name](b))
			w.fill(all)
			ctx, sel := b.Context(), w.selection("")
			for _, step := range []struct {
				name   string
				before string
				do     func(ctx context.Context) error
			}{
				{"trigger", "delete from runs", func(ctx context.Context) error {
					return w.syncs.Trigger(ctx, sel, schedule.TriggerOptions{})
				}},
				{"trigger again", "update runs set state = 'running'", func(ctx context.Context) error {
					return w.syncs.Trigger(ctx, sel, schedule.TriggerOptions{})
				}},
				{"reset", "delete from runs", func(ctx context.Context) error {
					return w.syncs.Trigger(ctx, sel, schedule.TriggerOptions{Reset: true})
				}},
				{"reset and empty", "delete from runs", func(ctx context.Context) error {
					return w.syncs.Trigger(ctx, sel, schedule.TriggerOptions{Reset: true, Empty: true})
				}},
				{"cancel", "update runs set state = 'waiting', ended_at = null", func(ctx context.Context) error { return w.syncs.Cancel(ctx, sel) }},
				{"pause", "update syncs set state = 'started', next_at = anchor", func(ctx context.Context) error { return w.syncs.Pause(ctx, sel) }},
				{"start", "update syncs set state = 'paused', next_at = null", func(ctx context.Context) error { return w.syncs.Start(ctx, sel) }},
				{"tick", "update syncs set next_at = 2", w.syncs.Tick},
				{"status", "analyze", func(ctx context.Context) error {
					_, err := w.syncs.Status(ctx, sel)
					return err
				}},
			} {
				b.Run(step.name, func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						w.exec("%s", step.before)
						b.StartTimer()
						must(b, step.do(ctx))
					}
				})
			}
		})
	}
}
