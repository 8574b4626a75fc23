package function

import "time"

const (
	// CronSpread is how long after its minute what runs by a cron expression begins
	// at the latest, so that not everything does at the full hour's first instant.
	CronSpread = 15 * time.Second
	// cronHorizon bounds in years how far ahead a cron expression is followed: at the
	// turn of most centuries a 29th of February comes eight years after the last.
	cronHorizon = 9
)

// Next returns when something with this frequency happens next after the given
// time, zero for never. Steps of Every are counted off from anchor, in both
// directions; a cron expression is followed by what anchor says of a time within
// CronSpread. The same anchor always gives the same times.
func (f Frequency) Next(after, anchor time.Time) time.Time {
	switch {
	case f.Every > 0:
		next := after.Add(-(after.Sub(anchor) % f.Every)) // a step, at or before it if anchor is
		if !next.After(after) {
			next = next.Add(f.Every)
		}
		return next.UTC()
	case f.Cron != nil:
		late := cronLate(anchor)
		tick := f.Cron.Next(after.Add(-late))
		if tick.IsZero() {
			return time.Time{}
		}
		return tick.Add(late)
	default:
		return time.Time{}
	}
}

// cronLate is the anchor's time within CronSpread.
func cronLate(anchor time.Time) time.Duration {
	spread := CronSpread.Microseconds()
	return time.Duration((anchor.UnixMicro()%spread+spread)%spread) * time.Microsecond
}

// Next returns the first minute after the given time that fits, in UTC; zero when
// there is none for nine years. The hours of an expression are those that clocks
// show: what would fall into the gap where they are put forward happens as soon as
// it is over, once, and what comes twice where they are put back happens the first
// time alone. An expression for every hour follows the time that passes instead:
// it happens as often on those days as on others.
func (c *Cron) Next(after time.Time) time.Time {
	t := after.In(c.Location).Truncate(time.Minute).Add(time.Minute)
	for limit := t.AddDate(cronHorizon, 0, 0); t.Before(limit); {
		if c.fits(t) {
			return t.UTC()
		}
		next := c.skip(t)
		// What clocks skip may fit where they go on.
		if _, end := t.ZoneBounds(); !end.IsZero() && end.Before(next) {
			next = end.Truncate(time.Minute)
		}
		if !next.After(t) { // a midnight that does not exist
			next = t.Add(time.Minute)
		}
		t = next
	}
	return time.Time{}
}

// skip returns the next time that may fit when t does not, if clocks just go on.
func (c *Cron) skip(t time.Time) time.Time {
	switch {
	case c.Month&(1<<t.Month()) == 0:
		return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, c.Location)
	case !c.fitsDay(t):
		return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, c.Location)
	case c.Hour&(1<<t.Hour()) == 0:
		return t.Add(time.Duration(60-t.Minute()) * time.Minute)
	default:
		return t.Add(time.Minute)
	}
}

// fits reports whether something happens at t, a full minute.
func (c *Cron) fits(t time.Time) bool {
	shown := c.shows(t)
	if c.Hour == 1<<24-1 {
		return shown
	}
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return shown
	}
	_, was := start.Add(-time.Second).Zone()
	_, is := t.Zone()
	shift := time.Duration(is-was) * time.Second
	switch {
	case shift < 0 && t.Sub(start) < -shift:
		return false // clocks showed it before
	case shift > 0 && t.Equal(start):
		for skipped := t.Add(-shift).In(time.FixedZone("", is)); skipped.Before(t); skipped = skipped.Add(time.Minute) {
			if c.shows(skipped) {
				return true
			}
		}
	}
	return shown
}

// shows reports whether the date and time fit that clocks show at t.
func (c *Cron) shows(t time.Time) bool {
	return c.Minute&(1<<t.Minute()) != 0 && c.Hour&(1<<t.Hour()) != 0 && c.fitsDay(t)
}

// fitsDay reports whether the date fits.
func (c *Cron) fitsDay(t time.Time) bool {
	if c.Month&(1<<t.Month()) == 0 {
		return false
	}
	inMonth, inWeek := c.Day&(1<<t.Day()) != 0, c.Weekday&(1<<t.Weekday()) != 0
	if !c.AnyDay && !c.AnyWeekday {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}
