package credential

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// DefaultMargin is how long before they expire credentials are refreshed, unless
// the provider says otherwise.
const DefaultMargin = 15 * time.Minute

// farFuture bounds what is believed of a provider: later moments can't be
// encoded as RFC 3339 and mean "never" anyway.
func farFuture() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// ParseExpiry reads a moment of expiry the way providers write it
// (provider semantics §1.6): a number is Unix milliseconds when it reads as a
// date after 1971 that way, and otherwise Unix seconds; a string is a date, a
// number, or a duration D:HH:MM from now. It reports false for anything else.
func ParseExpiry(v any, now time.Time) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return inRange(v)
	case json.Number:
		f, err := v.Float64()
		return epoch(f, err == nil)
	case float64:
		return epoch(v, true)
	case int64:
		return epoch(float64(v), true)
	case int:
		return epoch(float64(v), true)
	case string:
		return parseExpiryText(strings.TrimSpace(v), now)
	default:
		return time.Time{}, false
	}
}

func parseExpiryText(s string, now time.Time) (time.Time, bool) {
	if s == "" || len(s) > 64 {
		return time.Time{}, false
	}
	if t, ok := parseDate(s); ok {
		return inRange(t)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return epoch(f, true)
	}
	if d, ok := parseDayDuration(s); ok {
		return inRange(now.Add(d))
	}
	return time.Time{}, false
}

// dateLayouts are the forms of dates seen in token responses: ISO 8601 and what
// JavaScript's Date reads besides.
func dateLayouts() []string {
	return []string{
		time.RFC3339Nano,
		"2006-01-02T15:04:05.999999999Z0700",
		"2006-01-02T15:04:05.999999999",
		"2006-01-02T15:04Z07:00",
		"2006-01-02T15:04",
		"2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999 -0700",
		"2006-01-02 15:04:05.999999999 MST",
		"2006-01-02 15:04:05.999999999",
		"2006-01-02",
		time.RFC1123,
		time.RFC1123Z,
		time.RFC850,
		time.ANSIC,
		time.UnixDate,
		"01/02/2006 15:04:05",
		"1/2/2006 3:04:05 PM",
		"01/02/2006",
	}
}

func parseDate(s string) (time.Time, bool) {
	for _, layout := range dateLayouts() {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// epoch reads a number as a moment. Zero and negative numbers are no expiry.
func epoch(f float64, ok bool) (time.Time, bool) {
	if !ok || !(f > 0) || f > 1e15 {
		return time.Time{}, false
	}
	if t := time.UnixMilli(int64(f)).UTC(); t.Year() > 1971 {
		return inRange(t)
	}
	whole, part := math.Modf(f)
	return inRange(time.Unix(int64(whole), int64(part*1e9)))
}

func inRange(t time.Time) (time.Time, bool) {
	t = t.UTC().Truncate(time.Millisecond)
	if t.Year() < 1 || t.IsZero() {
		return time.Time{}, false
	}
	if limit := farFuture(); t.After(limit) {
		return limit, true
	}
	return t, true
}

// parseDayDuration reads D:HH:MM.
func parseDayDuration(s string) (time.Duration, bool) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0, false
	}
	var n [3]int64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return 0, false
		}
		n[i] = int64(v)
	}
	return time.Duration(n[0])*24*time.Hour + time.Duration(n[1])*time.Hour + time.Duration(n[2])*time.Minute, true
}

// ParseLifetime reads an expires_in: a number of units, as a number or as text.
// It reports false for anything else and for what is not above zero.
func ParseLifetime(v any, unit time.Duration) (time.Duration, bool) {
	var f float64
	switch v := v.(type) {
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			return 0, false
		}
		f = n
	case float64:
		f = v
	case int:
		f = float64(v)
	case int64:
		f = float64(v)
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return 0, false
		}
		f = n
	default:
		return 0, false
	}
	d := f * float64(unit)
	if !(d > 0) || math.IsInf(d, 0) {
		return 0, false
	}
	// A century is for ever, and fits a time.Duration.
	const century = 100 * 365 * 24 * time.Hour
	if d > float64(century) {
		return century, true
	}
	return time.Duration(d), true
}
