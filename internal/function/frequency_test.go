package function

import (
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func TestParseFrequency(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"every hour": "1h", "hour": "1h", "every 1 hour": "1h", "1h": "1h", "2hrs": "2h", "every 90 minutes": "90m", "every 60m": "1h",
		"every 30s": "30s", "45 secs": "45s", "every half day": "12h", "half hour": "30m", "quarter hour": "15m", "every day": "1d", "every week": "1w", "1w": "1w", "7 days": "1w",
		"every 3 week": "21d", "every month": "30d", "31d": "31d", "Every 5 Minutes": "5m", "  every   5   minutes ": "5m", "every 24h": "1d",
		"every 29s": "too short", "every second": "too short", "0 hours": "too short", "every 32 days": "too long", "every 99999999999999999999 d": "no frequency",
		"every 2147483647 days": "too long", "every 300000 weeks": "too long",
		"": "no frequency", "every": "no frequency", "hourly": "no frequency", "every -5m": "no frequency", "1.5h": "no frequency", "every 2 half days": "no frequency",
		"5": "no frequency", "every year": "no frequency",
	} {
		f, err := ParseFrequency(text)
		switch {
		case strings.Contains(want, " "):
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is %v, %v; want %q", text, f, err, want)
			}
		case err != nil || f.String() != want:
			t.Errorf("%q is %v, %v; want %s", text, f, err, want)
		}
	}
}

func TestParseCron(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	for text, want := range map[string]Cron{
		"cron 0 9 * * 1-5":                      {Minute: 1, Hour: 1 << 9, Day: 1<<32 - 2, Month: 1<<13 - 2, Weekday: 0b0111110, AnyDay: true, Location: time.UTC},
		"cron TZ=Europe/Berlin 0 9 * * mon-FRI": {Minute: 1, Hour: 1 << 9, Day: 1<<32 - 2, Month: 1<<13 - 2, Weekday: 0b0111110, AnyDay: true, Location: berlin},
		"CRON CRON_TZ=UTC 5,*/20 0-4/2 1 jan 7": {Minute: 1<<5 | 1 | 1<<20 | 1<<40, Hour: 0b10101, Day: 2, Month: 2, Weekday: 1, Location: time.UTC},
		"cron 58/1 23 29 2 *":                   {Minute: 1<<58 | 1<<59, Hour: 1 << 23, Day: 1 << 29, Month: 4, Weekday: 0x7f, AnyWeekday: true, Location: time.UTC},
		"cron  0   0   31  2,3  *":              {Minute: 1, Hour: 1, Day: 1 << 31, Month: 0b1100, Weekday: 0x7f, AnyWeekday: true, Location: time.UTC},
		"cron 0 0 30 2 sun":                     {Minute: 1, Hour: 1, Day: 1 << 30, Month: 4, Weekday: 1, Location: time.UTC},
	} {
		f, err := ParseFrequency(text)
		if err != nil || f.Cron == nil || f.Every != 0 || f.String() != "" {
			t.Errorf("%q is %+v, %v", text, f, err)
			continue
		}
		got := *f.Cron
		if got.Location.String() != want.Location.String() {
			t.Errorf("%q is at %s", text, got.Location)
		}
		got.Location = want.Location
		if got != want {
			t.Errorf("%q is\n%+v, want\n%+v", text, got, want)
		}
	}
	for _, text := range []string{
		"cron", "cron * * * *", "cron * * * * * *", "cron 60 * * * *", "cron * 24 * * *", "cron * * 0 * *", "cron * * 32 * *", "cron * * * 13 *",
		"cron * * * * 8", "cron 5-1 * * * *", "cron */0 * * * *", "cron */x * * * *", "cron a * * * *", "cron , * * * *", "cron * * 30 2 *",
		"cron TZ=Mars/Base * * * * *", "cron TZ= * * * * *", "cron TZ=Local * * * * *", "cron -5 * * * *", "cron TZ=../../etc/passwd * * * * *",
	} {
		if f, err := ParseFrequency(text); err == nil {
			t.Errorf("%q is %+v, want an error", text, f)
		}
	}
}

func FuzzParseFrequency(f *testing.F) {
	for _, seed := range []string{"every hour", "every 30s", "cron */5 1-3,7 * jan-mar mon", "cron TZ=UTC 0 0 31 * *", "half day", "9999999999d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseFrequency(text)
		if err != nil {
			return
		}
		if (got.Cron == nil) == (got.Every == 0) || got.Cron == nil && (got.Every < MinFrequency || got.Every > MaxFrequency) {
			t.Fatalf("%q is %+v", text, got)
		}
		if got.Cron == nil {
			if again, err := ParseFrequency(got.String()); err != nil || again.Every != got.Every {
				t.Fatalf("%q in its normal form %s is %+v, %v", text, got, again, err)
			}
		}
	})
}

func TestNextLabel(t *testing.T) {
	t.Parallel()
	for last, want := range map[string]string{
		"": "1", "1": "2", "9": "10", "1.0.0": "1.0.1", "0.0.1": "0.0.2", "v2": "v3", "1.0.09": "1.0.10", "beta": "8", "1.0.0-rc": "8",
		"99999999999999999999": "8",
	} {
		if got := nextLabel(linkspan.FunctionVersion{Number: 7, Label: last}); got != want {
			t.Errorf("after %q comes %q, want %q", last, got, want)
		}
	}
}
