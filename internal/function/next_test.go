package function_test

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/function"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNextTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, frequency, after, anchor, want string }{
		{"the first step", "every hour", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"},
		{"before a step", "every hour", "2026-03-01T10:59:59.999999Z", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"},
		{"missed steps are one", "every 30s", "2026-03-09T10:00:31Z", "2026-03-01T10:00:07Z", "2026-03-09T10:00:37Z"},
		{"an anchor ahead", "every hour", "2026-03-01T07:30:00Z", "2026-03-01T10:00:00Z", "2026-03-01T08:00:00Z"},
		{"an anchor ahead, on a step", "every hour", "2026-03-01T08:00:00Z", "2026-03-01T10:00:00Z", "2026-03-01T09:00:00Z"},

		{"each minute", "cron * * * * *", "2026-03-01T10:00:00Z", "1970-01-01T00:00:00Z", "2026-03-01T10:01:00Z"},
		{"an anchor's share of a minute", "cron * * * * *", "2026-03-01T10:00:00Z", "2026-01-01T00:00:07.5Z", "2026-03-01T10:00:07.5Z"},
		{"after the share", "cron * * * * *", "2026-03-01T10:00:07.5Z", "2026-01-01T00:00:07.5Z", "2026-03-01T10:01:07.5Z"},
		{"an anchor before 1970", "cron * * * * *", "2026-03-01T10:00:59Z", "1969-12-31T23:59:59Z", "2026-03-01T10:01:14Z"},
		{"weekdays", "cron 0 9 * * 1-5", "2026-03-06T09:00:00Z", "1970-01-01T00:00:00Z", "2026-03-09T09:00:00Z"},
		{"either day", "cron 0 0 13 * fri", "2026-03-07T00:00:00Z", "1970-01-01T00:00:00Z", "2026-03-13T00:00:00Z"},
		{"either day, the weekday", "cron 0 0 15 * fri", "2026-03-07T00:00:00Z", "1970-01-01T00:00:00Z", "2026-03-13T00:00:00Z"},
		{"the end of a year", "cron 59 23 31 12 *", "2026-12-31T23:59:00Z", "1970-01-01T00:00:00Z", "2027-12-31T23:59:00Z"},
		{"a leap day", "cron 0 12 29 2 *", "2096-02-29T12:00:00Z", "1970-01-01T00:00:00Z", "2104-02-29T12:00:00Z"},
		{"a zone", "cron TZ=Europe/Berlin 0 9 * * *", "2026-01-01T08:30:00Z", "1970-01-01T00:00:00Z", "2026-01-02T08:00:00Z"},
		{"a zone in summer", "cron TZ=Europe/Berlin 0 9 * * *", "2026-07-01T07:30:00Z", "1970-01-01T00:00:00Z", "2026-07-02T07:00:00Z"},
		{"half an hour's zone", "cron TZ=Asia/Kolkata 0 9 * * *", "2026-07-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-07-01T03:30:00Z"},
		{"a Sunday that is one there", "cron TZ=Pacific/Auckland 30 0 * * sun", "2026-07-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-07-04T12:30:00Z"},

		// Berlin, 29 March 2026: 02:00 CET is 03:00 CEST, 01:00 UTC.
		{"in the gap", "cron TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00Z", "1970-01-01T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"after the gap", "cron TZ=Europe/Berlin 30 2 * * *", "2026-03-29T01:00:00Z", "1970-01-01T00:00:00Z", "2026-03-30T00:30:00Z"},
		{"in the gap and behind it", "cron TZ=Europe/Berlin 0 2,3 * * *", "2026-03-29T01:00:00Z", "1970-01-01T00:00:00Z", "2026-03-30T00:00:00Z"},
		{"each hour over the gap", "cron TZ=Europe/Berlin 30 * * * *", "2026-03-29T00:30:00Z", "1970-01-01T00:00:00Z", "2026-03-29T01:30:00Z"},
		// Berlin, 25 October 2026: 03:00 CEST is 02:00 CET, 01:00 UTC.
		{"the first of two", "cron TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z", "1970-01-01T00:00:00Z", "2026-10-25T00:30:00Z"},
		{"not the second", "cron TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00Z", "1970-01-01T00:00:00Z", "2026-10-26T01:30:00Z"},
		{"each hour in both", "cron TZ=Europe/Berlin 30 * * * *", "2026-10-25T00:30:00Z", "1970-01-01T00:00:00Z", "2026-10-25T01:30:00Z"},
		{"the hour behind both", "cron TZ=Europe/Berlin 0 3 * * *", "2026-10-25T00:30:00Z", "1970-01-01T00:00:00Z", "2026-10-25T02:00:00Z"},
		// Beirut, 29 March 2026: there is no midnight.
		{"a midnight that is not", "cron TZ=Asia/Beirut 0 0 * * *", "2026-03-28T12:00:00Z", "1970-01-01T00:00:00Z", "2026-03-28T22:00:00Z"},
		{"one o'clock after it", "cron TZ=Asia/Beirut 0 1 * * *", "2026-03-28T12:00:00Z", "1970-01-01T00:00:00Z", "2026-03-28T22:00:00Z"},
		{"the next midnight", "cron TZ=Asia/Beirut 0 0 * * *", "2026-03-28T22:00:00Z", "1970-01-01T00:00:00Z", "2026-03-29T21:00:00Z"},
		// Lord Howe Island, 5 April 2026: 02:00 is 01:30 again.
		{"half an hour twice", "cron TZ=Australia/Lord_Howe 45 1 * * *", "2026-04-04T14:45:00Z", "1970-01-01T00:00:00Z", "2026-04-05T15:15:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := function.ParseFrequency(tt.frequency)
			if err != nil {
				t.Fatal(err)
			}
			got := f.Next(at(t, tt.after), at(t, tt.anchor))
			if want := at(t, tt.want); !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("%s after %s: %s, want %s", tt.frequency, tt.after, got, want)
			}
		})
	}
	if next := (function.Frequency{}).Next(time.Now(), time.Now()); !next.IsZero() {
		t.Errorf("no frequency, and a next time: %s", next)
	}
}

// FuzzNext checks what must hold for every frequency: the next time is later, none
// lies between, and the same anchor gives the same grid of times.
func FuzzNext(f *testing.F) {
	f.Add("cron TZ=Europe/Berlin 30 2 * * *", int64(1774700000))
	f.Add("cron TZ=Australia/Lord_Howe */7 1-2 * * *", int64(1775300000))
	f.Add("cron TZ=America/Sao_Paulo 0 0 * * *", int64(1540000000))
	f.Add("cron TZ=Pacific/Apia 0 12 30 12 *", int64(1325000000))
	f.Add("every 31 days", int64(-5))
	f.Fuzz(func(t *testing.T, text string, seconds int64) {
		freq, err := function.ParseFrequency(text)
		if err != nil || seconds < -1<<33 || seconds > 1<<34 {
			return
		}
		after, anchor := time.Unix(seconds, 0), time.Unix(seconds/3, 123000)
		next := freq.Next(after, anchor)
		if next.IsZero() && freq.Cron != nil {
			return // no such date for years
		}
		if !next.After(after) {
			t.Fatalf("%s after %s: %s", text, after, next)
		}
		if again := freq.Next(next.Add(-time.Microsecond), anchor); !again.Equal(next) {
			t.Fatalf("%s: %s, and just before it %s", text, next, again)
		}
		if between := freq.Next(after.Add(next.Sub(after)/2), anchor); !between.Equal(next) {
			t.Fatalf("%s after %s: %s, but %s comes between", text, after, next, between)
		}
	})
}
