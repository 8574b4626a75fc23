package schedule_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/schedule"
)

// ahead has a clock that is put back after the first look at it.
type ahead struct {
	schedule.Store

	by     time.Duration
	looked atomic.Bool
}

func (s *ahead) Clock(ctx context.Context, tx linkspan.Tx) (time.Time, error) {
	now, err := s.Store.Clock(ctx, tx)
	if !s.looked.Swap(true) {
		now = now.Add(s.by)
	}
	return now, err
}

// TestClockPutBack has syncs scheduled by a clock that was three days ahead: they do
// not wait until then.
func TestClockPutBack(t *testing.T) {
	t.Parallel()
	for name, restarted := range map[string]bool{"watched": false, "restarted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyDatabase(t, func(t *testing.T, w *world) { testClockPutBack(t, w, restarted) })
		})
	}
}

func testClockPutBack(t *testing.T, w *world, restarted bool) {
	t.Helper()
	w.deploy(syncFunction("off", "every hour", true, "Off"), syncFunction("often", "every 5 minutes", true, "Often"), syncFunction("cron", "cron 30 * * * *", true, "Cron"),
		syncFunction("first", "every hour", true, "First"), syncFunction("late", "every 20 minutes", true, "Late"), syncFunction("paused", "every hour", false, "Paused"))
	w.connect("c1")
	w.tick()
	_, err := w.functions.SetEnabled(t.Context(), w.env, function.Name{IntegrationKey: "github", Name: "off"}, false)
	must(t, err)
	const by = 72 * time.Hour
	w.exec("update syncs set next_at = next_at + %d, anchor = anchor + %d where state = 'started'", by.Microseconds(), by.Microseconds())
	w.exec("update syncs set next_at = anchor where function_id = (select id from functions where name = 'first')")
	w.exec("update syncs set anchor = anchor - %d where function_id = (select id from functions where name = 'late')", by.Microseconds())
	clock := &ahead{Store: w.Store, by: by}
	w.exec("update runs set next_at = next_at + %d", by.Microseconds())
	if restarted { // nobody looked when it was put back
		clock.looked.Store(true)
	}
	syncs := schedule.New(schedule.Config{
		Store: clock, Tx: w.Store, Records: w.records, Webhooks: w.told, Log: quiet(),
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- syncs.Run(ctx) }()
	within := map[string]time.Duration{"often": 5 * time.Minute, "cron": time.Hour + function.CronSpread, "first": time.Hour, "late": 25 * time.Minute}
	for name, most := range within {
		for time.Until(w.status("c1", name).NextAt) > most {
			if t.Context().Err() != nil {
				t.Fatalf("%s runs at %s", name, w.status("c1", name).NextAt)
			}
			<-time.After(5 * time.Millisecond)
		}
		if st := w.status("c1", name); !st.NextAt.After(time.Now().Add(-time.Minute)) {
			t.Errorf("%s runs at %s", name, st.NextAt)
		}
	}
	for _, name := range []string{"paused", "off"} {
		if st := w.status("c1", name); !st.Sync.NextAt.IsZero() {
			t.Errorf("what is %s runs at %s", name, st.Sync.NextAt)
		}
	}
	if n := w.number("select count(*) from runs where state = 'waiting' and next_at <= %d", time.Now().Add(time.Minute).UnixMicro()); n != 4 {
		t.Errorf("%d runs of 4 wait no longer than before", n)
	}
	stop()
	must(t, <-ended)
}

// TestRescheduled has the database and the loop agree on when a sync runs next,
// wherever its anchor is.
func TestRescheduled(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
		w.connect("c1")
		sy := w.status("c1", "issues").Sync
		now := time.Now().UTC().Truncate(time.Microsecond)
		for _, off := range []time.Duration{
			-72*time.Hour - 7, -time.Hour, -time.Microsecond, 0, time.Microsecond, 4 * time.Minute, time.Hour - time.Microsecond, time.Hour,
			time.Hour + time.Microsecond, 2 * time.Hour, 72*time.Hour + 11*time.Minute,
		} {
			anchor := now.Add(off).Truncate(time.Microsecond)
			w.exec("update syncs set anchor = %d, next_at = %d", anchor.UnixMicro(), now.AddDate(1, 0, 0).UnixMicro())
			want := function.Frequency{Every: time.Hour}.Next(now, anchor)
			if off > 0 && off < time.Hour {
				want = anchor.Add(time.Hour) // the step after the first run is a whole one
			}
			for _, replica := range []string{"one", "another"} {
				must(t, w.RescheduleSyncs(t.Context(), nil, sy.FunctionID, now, nil, function.CronSpread, false))
				if got := w.status("c1", "issues").NextAt; !got.Equal(want) {
					t.Errorf("anchor %s away, by %s replica: in %s, want %s", off, replica, got.Sub(now), want.Sub(now))
				}
			}
		}
		for _, off := range []time.Duration{time.Second, 2 * time.Minute, 72 * time.Hour} {
			w.exec("update syncs set anchor = %d, next_at = %[1]d", now.Add(off).UnixMicro())
			must(t, w.RescheduleSyncs(t.Context(), nil, sy.FunctionID, now, nil, function.CronSpread, false))
			if got := w.status("c1", "issues").NextAt; !got.Equal(now) {
				t.Errorf("anchor %s away: the first run is in %s", off, got.Sub(now))
			}
			w.tick() // it begins; another replica does the same once more
			second := w.status("c1", "issues").NextAt
			must(t, w.RescheduleSyncs(t.Context(), nil, sy.FunctionID, now.Add(time.Minute), nil, function.CronSpread, false))
			if got := w.status("c1", "issues").NextAt; !got.Equal(second) || got.Before(now.Add(time.Hour)) {
				t.Errorf("anchor %s away: the second run is in %s, then in %s", off, second.Sub(now), got.Sub(now))
			}
		}
		w.deploy(syncFunction("issues", "cron 30 * * * *", true, "Issue"))
		w.exec("update syncs set anchor = %d, next_at = %d", now.Add(72*time.Hour+7*time.Second).UnixMicro(), now.AddDate(1, 0, 0).UnixMicro())
		tick := now.Add(10 * time.Minute)
		for _, replica := range []string{"one", "another"} {
			must(t, w.RescheduleSyncs(t.Context(), nil, sy.FunctionID, now, map[string]time.Time{"cron 30 * * * *": tick}, function.CronSpread, false))
			late := time.Duration(now.Add(72*time.Hour+7*time.Second).UnixMicro()%function.CronSpread.Microseconds()) * time.Microsecond
			if got := w.status("c1", "issues").NextAt; !got.Equal(tick.Add(late)) {
				t.Errorf("cron, by %s replica: in %s, want %s", replica, got.Sub(now), tick.Add(late).Sub(now))
			}
		}
	})
}
