package function

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Bounds of how often a sync may run (features SYNC-02).
const (
	MinFrequency = 30 * time.Second
	MaxFrequency = 31 * 24 * time.Hour
)

// ErrTooShort is in the error of ParseFrequency for what is below MinFrequency.
var ErrTooShort = errors.New("too short")

// Frequency says when a sync runs: every so often, or by a cron expression.
type Frequency struct {
	// Every is zero for a cron expression.
	Every time.Duration
	// Cron is nil unless it is one.
	Cron *Cron
}

// Cron is a cron expression: the minutes at which something happens, in a place's
// own time. Each field has a bit for every value that it allows.
type Cron struct {
	Minute, Hour, Day, Month, Weekday uint64
	// AnyDay and AnyWeekday tell that the field is a star. When neither is, a day
	// fits that fits one of the two.
	AnyDay, AnyWeekday bool
	Location           *time.Location
}

// ParseFrequency reads a frequency: "every 2 hours", "every 30s", "every hour",
// "every half day" and the like, the word "every" being optional; or "cron" and
// five fields of a cron expression, with a time zone in front of them or UTC:
// "cron 0 9 * * 1-5", "cron TZ=Europe/Berlin 0 9 * * mon-fri". The error is for
// the author of the function to read.
func ParseFrequency(text string) (Frequency, error) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) > 0 && words[0] == "cron" {
		c, err := parseCron(strings.Fields(text)[1:])
		if err != nil {
			return Frequency{}, fmt.Errorf("the cron expression %q is not valid: %w", text, err)
		}
		return Frequency{Cron: c}, nil
	}
	if len(words) > 0 && words[0] == "every" {
		words = words[1:]
	}
	every, ok := parseEvery(strings.Join(words, " "))
	switch {
	case !ok:
		return Frequency{}, fmt.Errorf("%q is no frequency: write one like \"every hour\", \"every 30 seconds\", or \"cron 0 9 * * 1-5\"", text)
	case every < MinFrequency:
		return Frequency{}, fmt.Errorf("the frequency %q is %w: %s is the least", text, ErrTooShort, MinFrequency)
	case every > MaxFrequency:
		return Frequency{}, fmt.Errorf("the frequency %q is too long: 31 days is the most", text)
	}
	return Frequency{Every: every}, nil
}

// String returns the frequency in its normal form: "90s", "15m", "1h", "2d", and "1w"
// for a week (wire contract §3). It is empty for a cron expression, whose text is its
// own.
func (f Frequency) String() string {
	if f.Every == 7*24*time.Hour {
		return "1w"
	}
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if f.Every >= unit.length && f.Every%unit.length == 0 {
			return strconv.FormatInt(int64(f.Every/unit.length), 10) + unit.name
		}
	}
	if f.Every == 0 {
		return ""
	}
	return strconv.FormatInt(int64(f.Every/time.Second), 10) + "s"
}

// parseEvery reads what follows "every".
func parseEvery(text string) (time.Duration, bool) {
	const day = 24 * time.Hour
	switch text {
	case "month":
		return 30 * day, true
	case "week":
		return 7 * day, true
	case "half day":
		return 12 * time.Hour, true
	case "half hour":
		return 30 * time.Minute, true
	case "quarter hour":
		return 15 * time.Minute, true
	}
	digits := 0
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	n := int64(1)
	if digits > 0 {
		var err error
		if n, err = strconv.ParseInt(text[:digits], 10, 32); err != nil {
			return 0, false
		}
	}
	unit, ok := unitOf(strings.TrimPrefix(text[digits:], " "))
	if ok && n > int64(MaxFrequency/unit) {
		return MaxFrequency + 1, true // the product might not fit
	}
	return time.Duration(n) * unit, ok
}

func unitOf(name string) (time.Duration, bool) {
	switch name {
	case "s", "sec", "secs", "second", "seconds":
		return time.Second, true
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute, true
	case "h", "hr", "hrs", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return 24 * time.Hour, true
	case "w", "week", "weeks":
		return 7 * 24 * time.Hour, true
	default:
		return 0, false
	}
}

// parseCron reads the fields of a cron expression, with the zone in front.
func parseCron(fields []string) (*Cron, error) {
	c := &Cron{Location: time.UTC}
	if len(fields) > 0 {
		name, ok := strings.CutPrefix(fields[0], "TZ=")
		if !ok {
			name, ok = strings.CutPrefix(fields[0], "CRON_TZ=")
		}
		if ok {
			var err error
			if c.Location, err = time.LoadLocation(name); err != nil || name == "" || name == "Local" {
				return nil, fmt.Errorf("there is no time zone %q", name)
			}
			fields = fields[1:]
		}
	}
	if len(fields) != 5 {
		return nil, errors.New("it needs five fields: minute, hour, day of the month, month, day of the week")
	}
	for i, field := range []struct {
		into     *uint64
		what     string
		from, to int
		names    []string
	}{
		{&c.Minute, "minute", 0, 59, nil},
		{&c.Hour, "hour", 0, 23, nil},
		{&c.Day, "day of the month", 1, 31, nil},
		{&c.Month, "month", 1, 12, months()},
		{&c.Weekday, "day of the week", 0, 7, weekdays()},
	} {
		set, err := parseCronField(strings.ToLower(fields[i]), field.from, field.to, field.names)
		if err != nil {
			return nil, fmt.Errorf("the %s %q: %w", field.what, fields[i], err)
		}
		*field.into = set
	}
	if c.Weekday&(1<<7) != 0 { // both 0 and 7 are Sunday
		c.Weekday = c.Weekday&^(1<<7) | 1
	}
	c.AnyDay, c.AnyWeekday = fields[2] == "*", fields[4] == "*"
	if !c.happens() {
		return nil, errors.New("no date fits it")
	}
	return c, nil
}

func months() []string {
	return []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
}

func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// happens reports whether any date fits at all: the 30th of February does not.
func (c *Cron) happens() bool {
	if c.AnyDay || !c.AnyWeekday {
		return true
	}
	longest := [13]int{1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
	first := bits.TrailingZeros64(c.Day)
	for month, days := range longest {
		if c.Month&(1<<month) != 0 && first <= days {
			return true
		}
	}
	return false
}

// parseCronField reads a list of values, ranges and steps.
func parseCronField(text string, from, to int, names []string) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(text, ",") {
		values, step, stepped := strings.Cut(part, "/")
		every := 1
		if stepped {
			var err error
			if every, err = strconv.Atoi(step); err != nil || every < 1 || every > to {
				return 0, fmt.Errorf("the step %q is no number from 1 to %d", step, to)
			}
		}
		low, high, ranged := strings.Cut(values, "-")
		first, last := from, to
		if values != "*" {
			var err error
			if first, err = cronValue(low, from, to, names); err != nil {
				return 0, err
			}
			if last = first; stepped {
				last = to
			}
			if ranged {
				if last, err = cronValue(high, from, to, names); err != nil {
					return 0, err
				}
			}
		}
		if last < first {
			return 0, fmt.Errorf("the range %q ends before it begins", values)
		}
		for v := first; v <= last; v += every {
			set |= 1 << v
		}
	}
	return set, nil
}

func cronValue(text string, from, to int, names []string) (int, error) {
	for i, name := range names {
		if name != "" && text == name {
			return i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < from || n > to {
		return 0, fmt.Errorf("%q is no number from %d to %d", text, from, to)
	}
	return n, nil
}
