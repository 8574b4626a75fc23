package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// isoFormat is what ${now} without a format prints: ISO 8601 with milliseconds
// in UTC.
const isoFormat = "YYYY-MM-DDTHH:mm:ss.SSS[Z]"

// maxNowOffset bounds the number in ${now+N:unit}: so many hours still fit a
// time.Duration.
const maxNowOffset = 1_000_000

// nowSpec is a parsed ${now...} placeholder.
type nowSpec struct {
	amount int
	unit   string
	layout string
}

// parseNow parses the body of a placeholder that starts with "now".
func parseNow(body string) (nowSpec, error) {
	rest := strings.TrimPrefix(body, "now")
	spec := nowSpec{layout: isoFormat}
	if rest == "" {
		return spec, nil
	}
	if rest[0] != ':' {
		amount, tail, ok := strings.Cut(rest, ":")
		if !ok {
			return nowSpec{}, fmt.Errorf("%q lacks a unit: write it like now+7:days:YYYY-MM-DD", body)
		}
		n, err := strconv.Atoi(amount)
		if err != nil || n > maxNowOffset || n < -maxNowOffset {
			return nowSpec{}, fmt.Errorf("%q is not an offset: write it like now+7:days:YYYY-MM-DD", amount)
		}
		unit, layout, ok := strings.Cut(tail, ":")
		if spec.unit = timeUnit(unit); spec.unit == "" {
			return nowSpec{}, fmt.Errorf("%q is not a unit of time: use milliseconds, seconds, minutes, hours, days, weeks, months or years", unit)
		}
		spec.amount = n
		if !ok {
			return spec, nil
		}
		rest = ":" + layout
	}
	if spec.layout = rest[1:]; spec.layout == "" {
		return nowSpec{}, fmt.Errorf("%q has an empty format: leave the colon out for ISO 8601", body)
	}
	return spec, nil
}

// timeUnit returns the singular name of a unit, or "" for an unknown one. M is
// months and m is minutes, as in dayjs.
func timeUnit(name string) string {
	switch name {
	case "ms":
		return "millisecond"
	case "s":
		return "second"
	case "m":
		return "minute"
	case "h":
		return "hour"
	case "d":
		return "day"
	case "w":
		return "week"
	case "M":
		return "month"
	case "y":
		return "year"
	}
	switch singular := strings.TrimSuffix(strings.ToLower(name), "s"); singular {
	case "millisecond", "second", "minute", "hour", "day", "week", "month", "year":
		return singular
	}
	return ""
}

// format prints the moment the placeholder means, in UTC.
func (s nowSpec) format(now time.Time) string {
	return formatTime(s.shift(now.UTC()), s.layout)
}

func (s nowSpec) shift(t time.Time) time.Time {
	switch s.unit {
	case "millisecond":
		return t.Add(time.Duration(s.amount) * time.Millisecond)
	case "second":
		return t.Add(time.Duration(s.amount) * time.Second)
	case "minute":
		return t.Add(time.Duration(s.amount) * time.Minute)
	case "hour":
		return t.Add(time.Duration(s.amount) * time.Hour)
	case "day":
		return t.AddDate(0, 0, s.amount)
	case "week":
		return t.AddDate(0, 0, 7*s.amount)
	case "month":
		return addMonths(t, s.amount)
	case "year":
		return addMonths(t, 12*s.amount)
	}
	return t
}

// addMonths keeps the day of the month where it exists and takes the last day of
// the month where it does not: one month after January 31 is in February.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	lastDay := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), lastDay)-1)
}

// formatTime prints t in the format language of dayjs: the tokens of
// [timeTokens], text in brackets as it stands, everything else as it stands.
func formatTime(t time.Time, layout string) string {
	var b strings.Builder
	for i := 0; i < len(layout); {
		if layout[i] == '[' {
			if end := strings.IndexByte(layout[i:], ']'); end > 0 {
				b.WriteString(layout[i+1 : i+end])
				i += end + 1
				continue
			}
		}
		token := longestTimeToken(layout[i:])
		if token == "" {
			b.WriteByte(layout[i])
			i++
			continue
		}
		b.WriteString(timeTokenText(t, token))
		i += len(token)
	}
	return b.String()
}

// timeTokens lists the format tokens, longer ones before their prefixes.
func timeTokens() []string {
	return []string{
		"YYYY", "YY", "MMMM", "MMM", "MM", "M", "DD", "D", "dddd", "ddd", "dd", "d",
		"HH", "H", "hh", "h", "mm", "m", "SSS", "ss", "s", "ZZ", "Z", "A", "a", "X", "x",
	}
}

func longestTimeToken(layout string) string {
	for _, token := range timeTokens() {
		if strings.HasPrefix(layout, token) {
			return token
		}
	}
	return ""
}

func timeTokenText(t time.Time, token string) string {
	switch token {
	case "d":
		return strconv.Itoa(int(t.Weekday()))
	case "dd":
		return t.Weekday().String()[:2]
	case "H":
		return strconv.Itoa(t.Hour())
	case "SSS":
		return fmt.Sprintf("%03d", t.Nanosecond()/int(time.Millisecond))
	case "X":
		return strconv.FormatInt(t.Unix(), 10)
	case "x":
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return t.Format(goTimeLayout(token))
}

// goTimeLayout maps the tokens that the standard library can print itself.
func goTimeLayout(token string) string {
	switch token {
	case "YYYY":
		return "2006"
	case "YY":
		return "06"
	case "MMMM":
		return "January"
	case "MMM":
		return "Jan"
	case "MM":
		return "01"
	case "M":
		return "1"
	case "DD":
		return "02"
	case "D":
		return "2"
	case "dddd":
		return "Monday"
	case "ddd":
		return "Mon"
	case "HH":
		return "15"
	case "hh":
		return "03"
	case "h":
		return "3"
	case "mm":
		return "04"
	case "m":
		return "4"
	case "ss":
		return "05"
	case "s":
		return "5"
	case "ZZ":
		return "-0700"
	case "Z":
		return "-07:00"
	case "A":
		return "PM"
	case "a":
		return "pm"
	}
	return token
}
