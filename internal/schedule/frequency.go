package schedule

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
)

// maxJitter bounds by how much the schedules of syncs that were started together
// are spread.
const maxJitter = 5 * time.Minute

// jitter is by how much a sync's schedule is moved: the same for the same sync,
// below its frequency and five minutes.
func jitter(uuid string, every time.Duration) time.Duration {
	spread := maxJitter
	if every > 0 {
		spread = min(spread, every)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(uuid))
	// The hash's last byte has seen only the last character's; its top bits have
	// seen all of them.
	return time.Duration(h.Sum64()>>32%uint64(spread/time.Microsecond)) * time.Microsecond
}

// setFrequency makes text the frequency that counts for a sync; empty: it has no
// schedule.
func setFrequency(sy *linkspan.Sync, text string) error {
	sy.Every, sy.Cron = 0, ""
	if text == "" {
		return nil
	}
	f, err := function.ParseFrequency(text)
	if err != nil {
		return err
	}
	if sy.Every = f.Every; f.Cron != nil {
		sy.Cron = text
	}
	return nil
}

// frequencyOf reads the frequency that counts for a sync.
func frequencyOf(sy *linkspan.Sync) (function.Frequency, error) {
	if sy.Cron == "" {
		return function.Frequency{Every: sy.Every}, nil
	}
	return function.ParseFrequency(sy.Cron)
}

// normal is the normal form of the frequency that counts.
func normal(sy *linkspan.Sync) string {
	if sy.Cron != "" {
		return sy.Cron
	}
	return function.Frequency{Every: sy.Every}.String()
}

// starting reports whether the next run of a sync is the first one after it was
// started: that comes at once, and so not after the anchor, from which its schedule
// is counted off.
func starting(sy *linkspan.Sync) bool {
	return !sy.NextAt.IsZero() && !sy.NextAt.After(sy.Anchor)
}

// nextAfter returns when a sync runs next by its schedule after now; zero: it has
// none.
func nextAfter(sy *linkspan.Sync, now time.Time) (time.Time, error) {
	f, err := frequencyOf(sy)
	if err != nil {
		return time.Time{}, err
	}
	// The step after the first run is a whole one. An anchor that is further away is
	// that of a frequency which was lower.
	if ahead := sy.Anchor.Sub(now); f.Cron == nil && ahead > 0 && ahead < f.Every {
		now = sy.Anchor
	}
	return f.Next(now, sy.Anchor), nil
}

// SetFrequency gives one sync a frequency of its own, or for nil that of its
// function again, and returns the one that counts then in its normal form. It
// survives deploys. Codes: unknown_provider_config, unknown_connection,
// unknown_sync, invalid_body, sync_interval_too_short.
func (s *Service) SetFrequency(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref Ref, frequency *string) (string, error) {
	if frequency != nil {
		if err := checkFrequency(*frequency); err != nil {
			return "", err
		}
	}
	o, err := s.one(ctx, env, integrationKey, connectionName, ref)
	if err != nil {
		return "", err
	}
	var changed linkspan.Sync
	err = s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		functions, err := s.store.SyncFunctions(ctx, tx, env, o.integration.ID)
		if err != nil {
			return err
		}
		fn := named(functions, ref.Name)
		if fn == nil {
			return unknownSync("schedule.SetFrequency", ref)
		}
		list, err := s.store.Syncs(ctx, tx, env, []linkspan.SyncID{o.id})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return unknownSync("schedule.SetFrequency", ref)
		}
		changed = list[0]
		return s.changeFrequency(ctx, tx, &changed, fn.Version.Definition.Frequency, frequency)
	})
	if err != nil {
		return "", fmt.Errorf("changing the frequency of sync %q: %w", ref, err)
	}
	s.wake()
	return normal(&changed), nil
}

func (s *Service) changeFrequency(ctx context.Context, tx linkspan.Tx, sy *linkspan.Sync, usual string, own *string) error {
	sy.Frequency = ""
	if own != nil {
		sy.Frequency, usual = *own, *own
	}
	if err := setFrequency(sy, usual); err != nil {
		return err
	}
	now, err := s.store.Clock(ctx, tx)
	if err != nil {
		return err
	}
	runs := sy.Enabled && sy.State == linkspan.SyncStarted
	if due := !sy.NextAt.IsZero() && !sy.NextAt.After(now); runs && !due && !starting(sy) {
		if sy.NextAt, err = nextAfter(sy, now); err != nil {
			return err
		}
	}
	return s.store.SaveSync(ctx, tx, sy)
}

// checkFrequency refuses what is no frequency, in the words of wire contract §4.7.
func checkFrequency(text string) error {
	const op = "schedule.SetFrequency"
	_, err := function.ParseFrequency(text)
	switch {
	case errors.Is(err, function.ErrTooShort):
		return linkspan.E(op, linkspan.KindInvalid, "sync_interval_too_short", err, "Sync interval is too short: %s is the least", function.MinFrequency)
	case err != nil:
		return linkspan.E(op, linkspan.KindInvalid, "invalid_body", err, "Sync interval is invalid").WithHint("%s", err)
	default:
		return nil
	}
}
