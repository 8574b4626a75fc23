package webhook

import (
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAttempts is how often a delivery is tried: once, and after each of the
	// pauses.
	maxAttempts = 10
	// maxRetryAfter bounds what a receiver may ask for.
	maxRetryAfter = 24 * time.Hour
)

// pause returns how long to wait after a failed attempt, counted from 1: 5 s,
// 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h (features §33 row 26). It is
// moved by up to a tenth either way, so that the deliveries which failed with a
// receiver do not all come back at once, and by the same amount whoever asks.
func pause(uuid string, attempt int) time.Duration {
	pauses := [maxAttempts - 1]time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	p := pauses[min(max(attempt, 1), len(pauses))-1]
	h := fnv.New32a()
	_, _ = h.Write([]byte(uuid + "/" + strconv.Itoa(attempt)))
	const steps = 2001
	return p + p/10*time.Duration(int64(h.Sum32()%steps)-steps/2)/(steps/2)
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110
// §10.2.3). What makes no sense is zero.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
