package platform

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// numberData is how a language writes numbers. In patterns # stands for the
// digits, ¤ for the currency.
type numberData struct {
	Digits   string                `json:"digits"` // zero to nine; empty: 0123456789
	System   string                `json:"system"`
	Decimal  string                `json:"decimal"`
	Group    string                `json:"group"`
	Minimum  int                   `json:"minimum"` // digits before the first separator to have one
	Indian   bool                  `json:"indian"`
	Minus    string                `json:"minus"`
	Percent  string                `json:"percent"`
	Percents []string              `json:"percents"`
	Money    []string              `json:"money"` // positive, negative, accounting
	Code     []string              `json:"code"`
	Symbols  map[string][]string   `json:"symbols"` // symbol, narrow symbol
	Compact  map[string][][]string `json:"compact"` // by power of ten from 3: one, other
	Exponent string                `json:"exponent"`
}

// numberPlan is all that is needed to format numbers in one way. JavaScript
// keeps it.
type numberPlan struct {
	Locale   string     `json:"locale"`
	Digits   string     `json:"digits,omitempty"`
	System   string     `json:"system"`
	Decimal  string     `json:"decimal"`
	Group    string     `json:"group"`
	Minimum  int        `json:"minimum"`
	Indian   bool       `json:"indian,omitempty"`
	Minus    string     `json:"minus"`
	Percent  string     `json:"percent"`
	Exponent string     `json:"exponent"`
	Patterns []string   `json:"patterns"` // positive and negative
	Currency []string   `json:"currency,omitempty"`
	Shapes   []string   `json:"shapes,omitempty"` // of a unit: one, other
	Compact  [][]string `json:"compact,omitempty"`
	// CurrencyDigits are those after the point that the currency has.
	CurrencyDigits int `json:"currencyDigits"`
}

type numberStyle struct {
	Locale          string `json:"locale"`
	Data            string `json:"data"`
	Style           string `json:"style"`
	Currency        string `json:"currency"`
	CurrencyDisplay string `json:"currencyDisplay"`
	CurrencySign    string `json:"currencySign"`
	Unit            string `json:"unit"`
	UnitDisplay     string `json:"unitDisplay"`
	Notation        string `json:"notation"`
	CompactDisplay  string `json:"compactDisplay"`
	System          string `json:"numberingSystem"`
}

func intlNumberPlan(r request) (answer, error) {
	s, err := params[numberStyle](r)
	if err != nil {
		return nil, err
	}
	l, err := readLocale(s.Data)
	if err != nil {
		return nil, err
	}
	n := l.Numbers
	p := numberPlan{
		Locale: s.Locale, Digits: n.Digits, System: n.System, Decimal: n.Decimal, Group: n.Group, Minimum: n.Minimum,
		Indian: n.Indian, Minus: n.Minus, Percent: n.Percent, Exponent: n.Exponent, Patterns: []string{"#", "-#"}, CurrencyDigits: 2,
	}
	if s.System == "latn" {
		p.Digits, p.System = "", "latn"
	}
	switch s.Style {
	case "percent":
		p.Patterns = n.Percents
	case "currency":
		err = p.setCurrency(s, n)
	case "unit":
		err = p.setUnit(s)
	}
	if err != nil {
		return nil, err
	}
	if s.Notation == "compact" {
		p.Compact = n.Compact[s.CompactDisplay]
	}
	return p, nil
}

func (p *numberPlan) setCurrency(s numberStyle, n numberData) error {
	if s.Currency == "" {
		return typeFault("", "Currency code is required with currency style.")
	}
	words, err := english()
	if err != nil {
		return err
	}
	info, known := words.Currencies[s.Currency]
	if known {
		p.CurrencyDigits = info.Digits
	}
	patterns := n.Money
	symbol := s.Currency
	switch s.CurrencyDisplay {
	case "name":
		p.Patterns = []string{"# ¤", "-# ¤"}
		p.Currency = info.Names
		if !known {
			p.Currency = []string{s.Currency}
		}
		return nil
	case "code":
		patterns = n.Code
	default:
		if symbols := n.Symbols[s.Currency]; len(symbols) > 0 {
			symbol = symbols[0]
			if s.CurrencyDisplay == "narrowSymbol" {
				symbol = symbols[len(symbols)-1]
			}
		}
		// A space keeps letters from digits.
		if isAlpha(symbol[len(symbol)-1]) {
			patterns = n.Code
		}
	}
	p.Currency = []string{symbol}
	p.Patterns = []string{patterns[0], patterns[1]}
	if s.CurrencySign == "accounting" {
		p.Patterns[1] = patterns[2]
	}
	return nil
}

func (p *numberPlan) setUnit(s numberStyle) error {
	words, err := english()
	if err != nil {
		return err
	}
	if shapes, ok := words.Special[s.Unit]; ok {
		p.Shapes = shapes[s.UnitDisplay]
		return nil
	}
	unit, per, compound := strings.Cut(s.Unit, "-per-")
	shapes, ok := words.Units[unit]
	suffix, known := words.Per[per]
	if !ok || compound && !known {
		return rangeFault("", "Invalid unit argument for Intl.NumberFormat() '%s'", s.Unit)
	}
	p.Shapes = slices.Clone(shapes[s.UnitDisplay])
	if compound {
		for i := range p.Shapes {
			p.Shapes[i] += suffix[s.UnitDisplay]
		}
	}
	return nil
}

// part is a piece of formatted text and its type, as formatToParts has them.
type part [2]string

// numberFormat is what formatting one number needs.
type numberFormat struct {
	Plan             numberPlan `json:"plan"`
	Style            string     `json:"style"`
	Notation         string     `json:"notation"`
	SignDisplay      string     `json:"signDisplay"`
	Grouping         string     `json:"useGrouping"` // auto, always, min2, false
	MinInt           int        `json:"minimumIntegerDigits"`
	MinFraction      int        `json:"minimumFractionDigits"`
	MaxFraction      int        `json:"maximumFractionDigits"`
	MinSignificant   int        `json:"minimumSignificantDigits"`
	MaxSignificant   int        `json:"maximumSignificantDigits"`
	RoundingMode     string     `json:"roundingMode"`
	RoundingType     string     `json:"roundingType"` // fraction, significant, more, less
	TrailingZeros    string     `json:"trailingZeroDisplay"`
	RoundingMultiple int        `json:"roundingIncrement"`
}

// intlNumber formats the decimal number in its parameter; the body is the format's
// JSON.
func intlNumber(r request) ([]part, error) {
	value, err := params[string](r)
	if err != nil {
		return nil, err
	}
	format, err := numberFormats.get(r.body, parseNumberFormat)
	if err != nil {
		return nil, err
	}
	f := &format
	switch value {
	case "NaN":
		return f.dress(decimal{}, []part{{"nan", "NaN"}}, "NaN"), nil
	case "Infinity", "-Infinity":
		return f.dress(decimal{negative: value[0] == '-', digits: "1"}, []part{{"infinity", "∞"}}, "2"), nil
	}
	d, ok := parseDecimal(value)
	if !ok {
		return nil, rangeFault("", "The number can't be formatted.")
	}
	if f.Style == "percent" && !d.zero() {
		d.point += 2
	}
	switch f.Notation {
	case "compact":
		return f.compact(d), nil
	case "scientific", "engineering":
		return f.scientific(d), nil
	default:
		d = f.rounded(d)
		parts, text := f.number(d)
		return f.dress(d, parts, text), nil
	}
}

// parseNumberFormat reads a format and checks what could make it costly.
func parseNumberFormat(text string) (numberFormat, error) {
	malformed := typeFault("ERR_INVALID_ARG_TYPE", "The number format is malformed.")
	var f numberFormat
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, malformed
	}
	for _, n := range []int{f.MinInt, f.MinFraction, f.MaxFraction, f.MinSignificant, f.MaxSignificant} {
		if n < 0 || n > 100 {
			return f, rangeFault("", "digits are out of range")
		}
	}
	if len(f.Plan.Patterns) != 2 || len(f.Plan.Digits) > 64 || len(f.Plan.Group) > 16 || len(f.Plan.Decimal) > 16 {
		return f, malformed
	}
	return f, nil
}

// rounded rounds as the options say.
func (f *numberFormat) rounded(d decimal) decimal {
	fraction := -f.MaxFraction
	significant := d.magnitude() + 1 - f.MaxSignificant
	power := fraction
	switch f.RoundingType {
	case "significant":
		power = significant
	case "more":
		power = min(fraction, significant)
	case "less":
		power = max(fraction, significant)
	}
	return d.round(power, f.RoundingMode)
}

// number writes a rounded number without sign.
func (f *numberFormat) number(d decimal) (parts []part, text string) {
	minFraction := f.MinFraction
	if f.RoundingType == "significant" || f.RoundingType == "more" && f.MinSignificant > 0 {
		minFraction = max(0, f.MinSignificant-1-d.magnitude())
		if f.RoundingType == "more" {
			minFraction = max(minFraction, f.MinFraction)
		}
	}
	whole, fraction := d.text(max(f.MinInt, 1), minFraction)
	if f.TrailingZeros == "stripIfInteger" && strings.Trim(fraction, "0") == "" {
		fraction = ""
	}
	for i, g := range f.groups(whole) {
		if i > 0 {
			parts = append(parts, part{"group", f.Plan.Group})
		}
		parts = append(parts, part{"integer", f.localized(g)})
	}
	text = whole
	if fraction != "" {
		parts = append(parts, part{"decimal", f.Plan.Decimal}, part{"fraction", f.localized(fraction)})
		text += "." + fraction
	}
	return parts, text
}

// groups cuts the digits before the point.
func (f *numberFormat) groups(whole string) []string {
	minimum := f.Plan.Minimum
	switch f.Grouping {
	case "false":
		return []string{whole}
	case "always":
		minimum = 1
	case "min2":
		minimum = 2
	}
	if len(whole) < 3+minimum {
		return []string{whole}
	}
	size := 3
	var out []string
	for len(whole) > size {
		out = append(out, whole[len(whole)-size:])
		whole = whole[:len(whole)-size]
		if f.Plan.Indian {
			size = 2
		}
	}
	out = append(out, whole)
	slices.Reverse(out)
	return out
}

// localized writes digits as the numbering system has them.
func (f *numberFormat) localized(s string) string {
	digits := []rune(f.Plan.Digits)
	if len(digits) != 10 {
		return s
	}
	return strings.Map(func(c rune) rune {
		if isDigit(c) {
			return digits[c-'0']
		}
		return c
	}, s)
}

func (f *numberFormat) compact(d decimal) []part {
	for power := d.magnitude(); ; power++ {
		row, zeros := f.compactRow(power)
		scaled := d
		shift := 0
		if zeros > 0 {
			shift = min(power, len(f.Plan.Compact)+2) - zeros + 1
			scaled.point -= shift
		}
		if d.zero() {
			scaled = d
		}
		rounded := f.rounded(scaled)
		// Rounding may reach the next power: 999,999 is 1M, not 1000K.
		if !rounded.zero() && rounded.magnitude()+shift > power && power < 15 {
			continue
		}
		parts, text := f.number(rounded)
		if zeros == 0 {
			return f.dress(rounded, parts, text)
		}
		pattern := row[0]
		if len(row) > 1 && pluralOf(f.Plan.Locale, text, false) != "one" {
			pattern = row[1]
		}
		before, after, _ := strings.Cut(pattern, strings.Repeat("0", zeros))
		return f.dress(rounded, slices.Concat(compactParts(before), parts, compactParts(after)), several)
	}
}

// compactRow returns the patterns of a power of ten, and how many digits they
// have before the point; none when such numbers are written in full.
func (f *numberFormat) compactRow(power int) (row []string, zeros int) {
	if power < 3 || len(f.Plan.Compact) == 0 {
		return nil, 0
	}
	row = f.Plan.Compact[min(power-3, len(f.Plan.Compact)-1)]
	if len(row) == 0 {
		return nil, 0
	}
	zeros = strings.Count(row[0], "0")
	if strings.Trim(row[0], "0") == "" {
		return nil, 0
	}
	return row, zeros
}

func compactParts(s string) []part {
	word := strings.Trim(s, " \u00a0\u202f")
	if word == "" {
		return nil
	}
	at := strings.Index(s, word)
	var out []part
	if at > 0 {
		out = append(out, part{"literal", s[:at]})
	}
	out = append(out, part{"compact", word})
	if rest := s[at+len(word):]; rest != "" {
		out = append(out, part{"literal", rest})
	}
	return out
}

func (f *numberFormat) scientific(d decimal) []part {
	exponent := func(d decimal) int {
		e := d.magnitude()
		if f.Notation == "engineering" {
			e -= ((e % 3) + 3) % 3
		}
		return e
	}
	e := exponent(d)
	scaled := d
	if !d.zero() {
		scaled.point -= e
	}
	rounded := f.rounded(scaled)
	if !rounded.zero() {
		back := rounded
		back.point += e
		if again := exponent(back); again != e {
			rounded.point += e - again
			e = again
		}
	}
	parts, text := f.number(rounded)
	parts = append(parts, part{"exponentSeparator", f.Plan.Exponent})
	if e < 0 {
		parts = append(parts, part{"exponentMinusSign", f.Plan.Minus})
		e = -e
	}
	parts = append(parts, part{"exponentInteger", f.localized(strconv.Itoa(e))})
	if e != 0 {
		text = several
	}
	return f.dress(rounded, parts, text)
}

// several is a number of which there is more than one: "1K" and "1E3" are no one.
const several = "2"

// sign returns "-", "+" or "" for the number.
func (f *numberFormat) sign(d decimal, nan bool) string {
	switch f.SignDisplay {
	case "never":
		return ""
	case "always":
		if d.negative {
			return "-"
		}
		return "+"
	case "exceptZero":
		if nan || d.zero() {
			return ""
		}
		if d.negative {
			return "-"
		}
		return "+"
	case "negative":
		if d.negative && !d.zero() {
			return "-"
		}
		return ""
	default:
		if d.negative {
			return "-"
		}
		return ""
	}
}

// dress puts sign, currency, percent or unit around the number. The text is the
// number as plural rules see it.
func (f *numberFormat) dress(d decimal, number []part, text string) []part {
	sign := f.sign(d, text == "NaN")
	pattern := f.Plan.Patterns[0]
	if sign != "" {
		pattern = f.Plan.Patterns[1]
		if sign == "+" && !strings.Contains(pattern, "-") { // accounting
			pattern = "-" + f.Plan.Patterns[0]
		}
	}
	if len(f.Plan.Shapes) > 0 {
		number = f.withUnit(number, text)
	}
	var out []part
	literal := ""
	flush := func() {
		if literal != "" {
			out = append(out, part{"literal", literal})
			literal = ""
		}
	}
	for _, c := range pattern {
		switch c {
		case '#':
			flush()
			out = append(out, number...)
		case '¤':
			flush()
			out = append(out, part{"currency", f.currency(text)})
		case '%':
			flush()
			out = append(out, part{"percentSign", f.Plan.Percent})
		case '-':
			flush()
			if sign == "+" {
				out = append(out, part{"plusSign", "+"})
			} else {
				out = append(out, part{"minusSign", f.Plan.Minus})
			}
		default:
			literal += string(c)
		}
	}
	flush()
	return out
}

func (f *numberFormat) currency(text string) string {
	switch {
	case len(f.Plan.Currency) == 0:
		return ""
	case len(f.Plan.Currency) > 1 && pluralOf("en", text, false) != "one":
		return f.Plan.Currency[1]
	default:
		return f.Plan.Currency[0]
	}
}

func (f *numberFormat) withUnit(number []part, text string) []part {
	shape := f.Plan.Shapes[0]
	if len(f.Plan.Shapes) > 1 && pluralOf("en", text, false) != "one" {
		shape = f.Plan.Shapes[1]
	}
	before, after, _ := strings.Cut(shape, "#")
	around := func(s string) []part {
		word := strings.Trim(s, " ")
		if word == "" {
			return nil
		}
		out := []part{{"unit", word}}
		if strings.HasPrefix(s, " ") {
			out = slices.Insert(out, 0, part{"literal", " "})
		}
		if strings.HasSuffix(s, " ") {
			out = append(out, part{"literal", " "})
		}
		return out
	}
	return slices.Concat(around(before), number, around(after))
}
