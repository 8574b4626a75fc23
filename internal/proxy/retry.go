package proxy

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/catalog"
)

const (
	firstPause = 3 * time.Second
	maxPause   = 10 * time.Minute
	// firstMillis is the first number that is taken for milliseconds since 1970
	// rather than seconds: the beginning of 1972 in milliseconds.
	firstMillis = 63_072_000_000
)

// backoff is the wait after an attempt, counted from 0, when nobody says how
// long it should be.
func backoff(attempt int) time.Duration {
	if attempt > 16 {
		return maxPause
	}
	return min(firstPause<<attempt, maxPause)
}

// hinted returns the wait that the upstream asks for, by the provider's hints
// and else by the standard header. peek reads the body of the answer.
func hinted(hints catalog.Retry, res *http.Response, now time.Time, peek func(*http.Response) []byte) (time.Duration, bool) {
	var pause time.Duration
	found := false
	take := func(names []string, read func(string, time.Time) (time.Duration, bool)) {
		for _, name := range names {
			if d, ok := read(res.Header.Get(name), now); ok {
				pause, found = max(pause, d), true
			}
		}
	}
	if len(hints.At) > 0 {
		take(hints.At, untilMoment)
	} else {
		take(hints.After, forSeconds)
	}
	if !found && hints.Body != nil {
		pause, found = inBody(hints.Body, peek(res), now)
	}
	if !found {
		value := res.Header.Get("Retry-After")
		if pause, found = forSeconds(value, now); !found && strings.Contains(value, " ") {
			pause, found = untilMoment(value, now)
		}
	}
	return pause, found
}

// forSeconds reads a number of seconds.
func forSeconds(text string, _ time.Time) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(n) || n < 0 {
		return 0, false
	}
	return seconds(n), true
}

// seconds converts without overflowing.
func seconds(n float64) time.Duration {
	return time.Duration(min(n, maxPause.Seconds()) * float64(time.Second))
}

// untilMoment reads a moment: seconds or milliseconds since 1970, or a date. A
// moment that is not in the future says nothing.
func untilMoment(text string, now time.Time) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(n) || n >= firstMillis {
			n /= 1000
		}
		left := n - float64(now.UnixNano())/1e9
		return seconds(left), left > 0
	}
	for _, layout := range []string{
		http.TimeFormat, time.RFC1123Z, time.RFC1123, time.RFC3339Nano, time.RFC850, time.ANSIC,
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05",
	} {
		if at, err := time.Parse(layout, text); err == nil {
			left := at.Sub(now)
			return left, left > 0
		}
	}
	return 0, false
}

// inBody finds the wait in a JSON body by the provider's rule.
func inBody(rule *catalog.RetryBody, body []byte, now time.Time) (time.Duration, bool) {
	var parsed any
	if len(body) == 0 || json.Unmarshal(body, &parsed) != nil {
		return 0, false
	}
	for name := range strings.SplitSeq(rule.Path, ".") {
		switch v := parsed.(type) {
		case map[string]any:
			parsed = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return 0, false
			}
			parsed = v[i]
		default:
			return 0, false
		}
	}
	var value string
	switch v := parsed.(type) {
	case string:
		value = v
	case float64:
		value = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return 0, false
	}
	if rule.Pattern != nil {
		found, ok, err := rule.Pattern.Find(value)
		if err != nil || !ok {
			return 0, false
		}
		value = found
	}
	if rule.Kind == "after" {
		return forSeconds(value, now)
	}
	return untilMoment(value, now)
}
