package platform

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dateData is how a language writes dates. Patterns are made of the letters of
// CLDR; texts are in single quotes.
type dateData struct {
	Names      map[string][]string `json:"names"`
	Patterns   []string            `json:"patterns"`
	Date       []int               `json:"date"` // by weekday, year, month, day
	Time       []int               `json:"time"` // by clock, hour, minute, second
	DateStyles []string            `json:"dateStyles"`
	TimeStyles [][]string          `json:"timeStyles"`
	Joins      []string            `json:"joins"`
	Range      string              `json:"range"`
	Cycle      string              `json:"cycle"`
	UTC        []string            `json:"utc"` // what UTC is called: short, long
}

// dateStyle is what a DateTimeFormat was asked for; members that were not are empty.
type dateStyle struct {
	Data         string `json:"data"`
	Weekday      string `json:"weekday"`
	Era          string `json:"era"`
	Year         string `json:"year"`
	Month        string `json:"month"`
	Day          string `json:"day"`
	DayPeriod    string `json:"dayPeriod"`
	Hour         string `json:"hour"`
	Minute       string `json:"minute"`
	Second       string `json:"second"`
	Fraction     int    `json:"fractionalSecondDigits"`
	TimeZoneName string `json:"timeZoneName"`
	Hour12       *bool  `json:"hour12"`
	HourCycle    string `json:"hourCycle"`
	DateStyle    string `json:"dateStyle"`
	TimeStyle    string `json:"timeStyle"`
	TimeZone     string `json:"timeZone"`
	System       string `json:"numberingSystem"`
}

// datePlan is all that is needed to format dates in one way. JavaScript keeps it.
type datePlan struct {
	Pattern   string              `json:"pattern"`
	Names     map[string][]string `json:"names"`
	TimeZone  string              `json:"timeZone"`
	ZoneNames []string            `json:"zoneNames,omitempty"`
	ZoneKind  string              `json:"zoneKind,omitempty"`
	Period    string              `json:"period,omitempty"`
	Fraction  int                 `json:"fraction,omitempty"`
	Digits    string              `json:"digits,omitempty"`
	Decimal   string              `json:"decimal"`
	// For resolvedOptions and formatRange.
	Cycle  string `json:"cycle,omitempty"`
	System string `json:"system"`
	Range  string `json:"range"`

	// tokens and location are what pattern and time zone mean.
	tokens   []token
	location *time.Location
}

func intlDatePlan(r request) (answer, error) {
	s, err := params[dateStyle](r)
	if err != nil {
		return nil, err
	}
	l, err := readLocale(s.Data)
	if err != nil {
		return nil, err
	}
	canonical, names, err := zone(s.TimeZone)
	if err != nil {
		return nil, err
	}
	d := l.Dates
	p := datePlan{
		TimeZone: canonical, ZoneKind: s.TimeZoneName, Period: s.DayPeriod, Fraction: s.Fraction,
		Digits: l.Numbers.Digits, System: l.Numbers.System, Decimal: l.Numbers.Decimal, Range: d.Range,
	}
	if s.System == "latn" {
		p.Digits, p.System = "", "latn"
	}
	cycle := s.cycle(d.Cycle)
	if s.Hour != "" || s.TimeStyle != "" {
		p.Cycle = cycle
	}
	date := s.datePattern(d)
	clock := s.timePattern(d, cycle)
	switch s.TimeStyle {
	case "full":
		p.ZoneKind = "long"
	case "long":
		p.ZoneKind = "short"
	}
	switch {
	case date == "":
		p.Pattern = clock
	case clock == "":
		p.Pattern = date
	case s.Weekday != "" && s.Year+s.Month+s.Day == "" && strings.HasPrefix(s.Data, "en"):
		p.Pattern = date + " " + clock
	default:
		p.Pattern = strings.NewReplacer("{1}", date, "{0}", clock).Replace(d.Joins[s.join()])
	}
	switch {
	case p.ZoneKind == "":
	case strings.HasPrefix(s.Data, "en"):
		p.ZoneNames = names
	case canonical == "UTC" && len(d.UTC) == 2:
		p.ZoneNames = []string{d.UTC[0], d.UTC[0], d.UTC[1], d.UTC[1], "", ""}
	}
	p.Names = namesOf(p.Pattern, d.Names)
	return p, nil
}

// cycle is the hour cycle: that which was asked for, else the language's.
func (s dateStyle) cycle(usual string) string {
	switch {
	case s.Hour12 != nil && *s.Hour12:
		if usual == "h11" {
			return "h11"
		}
		return "h12"
	case s.Hour12 != nil:
		// In Node 20 midnight is 24:00 then, where people count to 12.
		if usual == "h12" {
			return "h24"
		}
		return "h23"
	case s.HourCycle != "":
		return s.HourCycle
	default:
		return usual
	}
}

func index(of string, values ...string) int {
	for i, v := range values {
		if v == of {
			return i
		}
	}
	return 0
}

func (s dateStyle) datePattern(d dateData) string {
	if s.DateStyle != "" {
		return d.DateStyles[index(s.DateStyle, "full", "long", "medium", "short")]
	}
	weekday := min(index(s.Weekday, "", "long", "short", "narrow"), 2)
	year := min(index(s.Year, "", "numeric", "2-digit"), 1)
	month := [...]int{0, 1, 1, 2, 3, 3}[index(s.Month, "", "numeric", "2-digit", "long", "short", "narrow")]
	day := min(index(s.Day, "", "numeric", "2-digit"), 1)
	at := d.Date[((weekday*2+year)*4+month)*2+day]
	if at < 0 {
		return ""
	}
	pattern := d.Patterns[at]
	if s.Year == "2-digit" {
		pattern = widen(pattern, "y", "yy")
	}
	if s.Month == "2-digit" {
		pattern = widen(widen(pattern, "M", "MM"), "L", "LL")
	}
	if s.Day == "2-digit" {
		pattern = widen(pattern, "d", "dd")
	}
	if s.Month == "narrow" {
		pattern = widen(widen(pattern, "MMM", "MMMMM"), "LLL", "MMMMM")
	}
	if s.Weekday == "narrow" {
		pattern = widen(widen(pattern, "EEE", "EEEEE"), "ccc", "EEEEE")
	}
	switch {
	case s.Era == "long":
		pattern += " GGGG"
	case s.Era != "":
		pattern += " G"
	}
	return pattern
}

func (s dateStyle) timePattern(d dateData, cycle string) string {
	clock := 1
	if cycle == "h12" || cycle == "h11" {
		clock = 0
	}
	var pattern string
	if s.TimeStyle != "" {
		pattern = d.TimeStyles[clock][index(s.TimeStyle, "full", "long", "medium", "short")]
	} else {
		hour := index(s.Hour, "", "numeric", "2-digit")
		minute, second := min(len(s.Minute), 1), min(len(s.Second), 1)
		if at := d.Time[((clock*3+hour)*2+minute)*2+second]; at >= 0 {
			pattern = d.Patterns[at]
		}
		// As asked for, where clocks have two digits unless told otherwise.
		if s.Hour == "numeric" && s.Minute == "2-digit" && s.Second != "numeric" && s.Hour12 == nil && s.HourCycle == "" {
			pattern = widen(pattern, "HH", "H")
		}
		if s.Fraction > 0 {
			if s.Second != "" {
				pattern = strings.Replace(widen(pattern, "s", "ss"), "ss", "ssS", 1)
				if s.Minute == "" && s.Hour == "" && s.Second == "numeric" {
					pattern = strings.Replace(pattern, "ss", "s", 1)
				}
			} else {
				pattern = strings.TrimSpace(pattern + " S")
			}
		}
		if s.TimeZoneName != "" {
			pattern = strings.TrimSpace(pattern + " z")
		}
	}
	switch cycle {
	case "h11":
		pattern = strings.ReplaceAll(pattern, "h", "K")
	case "h24":
		pattern = strings.ReplaceAll(pattern, "H", "k")
	}
	return pattern
}

// join tells which way of joining date and time fits.
func (s dateStyle) join() int {
	if s.DateStyle != "" {
		return index(s.DateStyle, "full", "long", "medium", "short")
	}
	switch s.Month {
	case "long":
		if s.Weekday != "" {
			return 4
		}
		return 5
	case "short", "narrow":
		return 6
	default:
		return 7
	}
}

// widen replaces a field of exactly that width.
func widen(pattern, field, by string) string {
	var b strings.Builder
	for _, t := range tokens(pattern) {
		if t.letters == field {
			b.WriteString(by)
		} else {
			b.WriteString(t.source)
		}
	}
	return b.String()
}

// token is a field of a pattern, or the text between fields.
type token struct {
	letters string // of a field
	text    string
	source  string
}

func tokens(pattern string) []token {
	var out []token
	for i := 0; i < len(pattern); {
		c := pattern[i]
		j := i + 1
		switch {
		case isAlpha(c):
			for j < len(pattern) && pattern[j] == c {
				j++
			}
			out = append(out, token{letters: pattern[i:j], source: pattern[i:j]})
		case c == '\'':
			var text strings.Builder
			for j < len(pattern) && pattern[j] != '\'' {
				text.WriteByte(pattern[j])
				j++
			}
			j = min(j+1, len(pattern))
			if text.Len() == 0 {
				text.WriteByte('\'')
			}
			out = append(out, token{text: text.String(), source: pattern[i:j]})
		default:
			for j < len(pattern) && !isAlpha(pattern[j]) && pattern[j] != '\'' {
				j++
			}
			out = append(out, token{text: pattern[i:j], source: pattern[i:j]})
		}
		i = j
	}
	return out
}

func namesOf(pattern string, all map[string][]string) map[string][]string {
	used := map[string][]string{}
	for _, t := range tokens(pattern) {
		if names, ok := all[t.letters]; ok {
			used[t.letters] = names
		}
	}
	return used
}

// intlDate formats the milliseconds in its parameter; the body is the plan's JSON.
func intlDate(r request) ([]part, error) {
	ms, err := params[float64](r)
	if err != nil {
		return nil, err
	}
	if ms > 8.64e15 || ms < -8.64e15 || ms != ms {
		return nil, rangeFault("", "Invalid time value")
	}
	plan, err := datePlans.get(r.body, parseDatePlan)
	if err != nil {
		return nil, err
	}
	return plan.format(time.UnixMilli(int64(ms)).In(plan.location)), nil
}

// parseDatePlan reads what intlDatePlan made.
func parseDatePlan(text string) (datePlan, error) {
	var p datePlan
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p.Pattern) > 1024 {
		return p, typeFault("ERR_INVALID_ARG_TYPE", "The date format is malformed.")
	}
	l, err := location(p.TimeZone)
	p.location, p.tokens = l, tokens(p.Pattern)
	return p, err
}

func (p *datePlan) format(t time.Time) []part {
	var out []part
	for _, token := range p.tokens {
		kind, text := "literal", token.text
		if token.letters != "" {
			kind, text = p.field(token.letters, t)
		}
		if last := len(out) - 1; kind == "literal" && last >= 0 && out[last][0] == "literal" {
			out[last][1] += text
			continue
		}
		if kind == "fractionalSecond" && len(out) > 0 && out[len(out)-1][0] == "second" {
			out = append(out, part{"literal", p.Decimal})
		}
		out = append(out, part{kind, text})
	}
	return out
}

// field renders one field of a pattern.
func (p *datePlan) field(letters string, t time.Time) (kind, text string) {
	width := len(letters)
	number := func(n int) string {
		if width >= 2 {
			return p.localized(fmt.Sprintf("%02d", n))
		}
		return p.localized(strconv.Itoa(n))
	}
	name := func(i int) string {
		if names := p.Names[letters]; i < len(names) {
			return names[i]
		}
		return ""
	}
	year, bc := t.Year(), 1
	if year <= 0 {
		year, bc = 1-year, 0
	}
	switch letters[0] {
	case 'y':
		if width == 2 {
			return "year", number(year % 100)
		}
		return "year", p.localized(strconv.Itoa(year))
	case 'M', 'L':
		if width >= 3 {
			return "month", name(int(t.Month()) - 1)
		}
		return "month", number(int(t.Month()))
	case 'E', 'c':
		return "weekday", name(int(t.Weekday()))
	case 'd':
		return "day", number(t.Day())
	case 'h':
		return "hour", number((t.Hour()+11)%12 + 1)
	case 'K':
		return "hour", number(t.Hour() % 12)
	case 'H':
		return "hour", number(t.Hour())
	case 'k':
		return "hour", number((t.Hour()+23)%24 + 1)
	case 'm':
		return "minute", number(t.Minute())
	case 's':
		return "second", number(t.Second())
	case 'S':
		digits := fmt.Sprintf("%09d", t.Nanosecond())
		return "fractionalSecond", p.localized(digits[:min(max(p.Fraction, 1), 9)])
	case 'a':
		if p.Period != "" {
			return "dayPeriod", dayPeriod(t.Hour(), p.Period)
		}
		return "dayPeriod", name(t.Hour() / 12)
	case 'G':
		return "era", name(bc)
	case 'z':
		return "timeZoneName", zoneName(p.ZoneKind, p.ZoneNames, t)
	default:
		return "literal", letters
	}
}

// dayPeriod is what English calls the hours of a day.
func dayPeriod(hour int, width string) string {
	switch {
	case hour == 12 && width == "narrow":
		return "n"
	case hour == 12:
		return "noon"
	case hour < 6 || hour >= 21:
		return "at night"
	case hour < 12:
		return "in the morning"
	case hour < 18:
		return "in the afternoon"
	default:
		return "in the evening"
	}
}

func (p *datePlan) localized(s string) string {
	f := numberFormat{Plan: numberPlan{Digits: p.Digits}}
	return f.localized(s)
}
