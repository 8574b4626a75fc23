package platform

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/collate"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// The data of languages: see locales/README.md.
//
//go:generate node locales/generate.mjs
//go:embed locales/*.json
var locales embed.FS

// intlCall serves what is behind Intl and the methods named toLocale….
func intlCall(r request) (answer, error) {
	switch r.name {
	case "intl.canonical":
		return intlCanonical(r)
	case "intl.match":
		return intlMatch(r)
	case "intl.case":
		return intlCase(r)
	case "intl.key":
		return intlKey(r)
	case "intl.plural":
		return intlPlural(r)
	case "intl.values":
		return intlValues(r)
	case "intl.list":
		return intlList(r)
	case "intl.relative":
		return intlRelative(r)
	case "intl.numberPlan":
		return intlNumberPlan(r)
	case "intl.number":
		return intlNumber(r)
	case "intl.numberText":
		return textOf(intlNumber(r))
	case "intl.datePlan":
		return intlDatePlan(r)
	case "intl.date":
		return intlDate(r)
	case "intl.dateText":
		// As in Node the text has plain spaces where the parts have narrow ones.
		text, err := textOf(intlDate(r))
		return strings.ReplaceAll(text, "\u202f", " "), err
	default:
		return nil, errUnknown
	}
}

// The embedded files, parsed when they are first needed; and what else costs more
// to make than to keep.
//
//nolint:gochecknoglobals // caches of what follows from texts alone: they can't differ between users
var (
	knownLocales = sync.OnceValues(func() ([]string, error) { return readData[[]string]("index") })
	english      = sync.OnceValues(func() (englishData, error) { return readData[englishData]("english") })
	zones        = sync.OnceValues(func() (zoneData, error) { return readData[zoneData]("zones") })

	localeFiles   cache[localeData]
	collators     cache[*sync.Pool]
	locations     cache[*time.Location]
	numberFormats cache[numberFormat]
	datePlans     cache[datePlan]
)

// readData parses one of the embedded files.
func readData[T any](name string) (T, error) {
	var v T
	b, err := locales.ReadFile("locales/" + name + ".json")
	if err != nil {
		return v, fmt.Errorf("reading the data %q: %w", name, err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("parsing the data %q: %w", name, err)
	}
	return v, nil
}

// textOf joins parts.
func textOf(parts []part, err error) (string, error) {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p[1])
	}
	return b.String(), err
}

// parseTag reads a language tag of BCP 47.
func parseTag(s string) (language.Tag, error) {
	invalid := rangeFault("", "Incorrect locale information provided")
	if s == "" || len(s) > 128 || strings.Contains(s, "_") {
		return language.Und, invalid
	}
	tag, err := language.Parse(s)
	if err != nil {
		// Well-formed tags of languages that nobody knows are fine.
		if _, unknown := err.(language.ValueError); unknown { //nolint:errorlint // it is never wrapped
			return tag, nil
		}
		return tag, invalid
	}
	return tag, nil
}

func intlCanonical(r request) (answer, error) {
	list, err := params[[]string](r)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		tag, err := parseTag(s)
		if err != nil {
			return nil, rangeFault("", "Incorrect locale information provided")
		}
		if c := tag.String(); !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

// matched says which locale was chosen, and whose data stand for it.
type matched struct {
	Locale string            `json:"locale"`
	Data   string            `json:"data"`
	Keys   map[string]string `json:"keys"` // of the extension -u-
}

func intlMatch(r request) (answer, error) {
	list, err := params[[]string](r)
	if err != nil {
		return nil, err
	}
	known, err := knownLocales()
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		tag, err := parseTag(s)
		if err != nil {
			return nil, err
		}
		if data := dataOf(tag, known); data != "" {
			m := matched{Locale: withoutExtensions(tag), Data: data, Keys: map[string]string{}}
			for _, key := range []string{"nu", "hc", "ca", "co", "kn", "kf"} {
				if v := tag.TypeForKey(key); v != "" {
					m.Keys[key] = v
				}
			}
			return m, nil
		}
	}
	return matched{Locale: "en-US", Data: "en-US", Keys: map[string]string{}}, nil
}

func withoutExtensions(tag language.Tag) string {
	base, script, region := tag.Raw()
	parts := []string{base.String()}
	if script != (language.Script{}) {
		parts = append(parts, script.String())
	}
	if region != (language.Region{}) && region.String() != "ZZ" {
		parts = append(parts, region.String())
	}
	return strings.Join(parts, "-")
}

// dataOf finds the data that stand for a language, by its region if possible.
func dataOf(tag language.Tag, known []string) string {
	base, script, region := tag.Raw()
	if base.String() == "zh" && script.String() == "Hant" && region.String() != "HK" {
		return "zh-TW"
	}
	lang := base.String()
	if lang == "no" || lang == "nn" {
		lang = "nb"
	}
	if exact := lang + "-" + region.String(); slices.Contains(known, exact) {
		return exact
	}
	if lang == "es" && isLatinAmerican(region.String()) {
		return "es-MX"
	}
	if lang == "en" && region.String() != "ZZ" && region != (language.Region{}) && !usesAmericanEnglish(region.String()) {
		return "en-GB"
	}
	for _, k := range known {
		if strings.HasPrefix(k, lang+"-") {
			return k
		}
	}
	return ""
}

func isLatinAmerican(region string) bool {
	return slices.Contains([]string{"419", "BO", "CR", "CU", "DO", "EC", "GT", "HN", "NI", "PA", "PE", "PR", "PY", "SV", "UY", "VE"}, region)
}

func usesAmericanEnglish(region string) bool {
	return slices.Contains([]string{"US", "AS", "BI", "GU", "MH", "MP", "PH", "PR", "UM", "VI"}, region)
}

func intlCase(r request) (answer, error) {
	p, err := params[struct {
		Locale string `json:"locale"`
		Upper  bool   `json:"upper"`
		Text   string `json:"text"`
	}](r)
	if err != nil {
		return nil, err
	}
	tag, err := parseTag(p.Locale)
	if err != nil {
		return nil, err
	}
	if p.Upper {
		return cases.Upper(tag).String(p.Text), nil
	}
	return cases.Lower(tag).String(p.Text), nil
}

// intlKey returns what a string is sorted by: keys in hexadecimal compare like the
// strings. The string is the body.
func intlKey(r request) (answer, error) {
	pool, err := collators.get(r.json, collatorsOf)
	if err != nil {
		return nil, err
	}
	c, ok := pool.Get().(*collator)
	if !ok { // cannot be: the pool makes nothing else
		return nil, errUnknown
	}
	defer pool.Put(c)
	defer c.buffer.Reset()
	return hex.EncodeToString(c.Key(&c.buffer, r.body)), nil
}

// collator serves one call at a time.
type collator struct {
	*collate.Collator

	buffer collate.Buffer
}

// collatorsOf returns a pool of collators for the parameters of intl.key.
func collatorsOf(parameters string) (*sync.Pool, error) {
	p, err := params[struct {
		Locale      string `json:"locale"`
		Sensitivity string `json:"sensitivity"`
		Numeric     bool   `json:"numeric"`
	}](request{name: "intl.key", json: []byte(parameters)})
	if err != nil {
		return nil, err
	}
	tag, err := parseTag(p.Locale)
	if err != nil {
		return nil, err
	}
	var options []collate.Option
	switch p.Sensitivity {
	case "base":
		options = append(options, collate.IgnoreCase, collate.IgnoreDiacritics)
	case "accent":
		options = append(options, collate.IgnoreCase)
	case "case":
		options = append(options, collate.IgnoreDiacritics)
	}
	if p.Numeric {
		options = append(options, collate.Numeric)
	}
	return &sync.Pool{New: func() any { return &collator{Collator: collate.New(tag, options...)} }}, nil
}

// intlPlural returns the plural category of a formatted number.
func intlPlural(r request) (answer, error) {
	p, err := params[struct {
		Locale  string `json:"locale"`
		Ordinal bool   `json:"ordinal"`
		Number  string `json:"number"` // digits with a point, such as 1.50
	}](r)
	if err != nil {
		return nil, err
	}
	return pluralOf(p.Locale, p.Number, p.Ordinal), nil
}

// pluralOf returns the category of the number as it is written.
func pluralOf(locale, number string, ordinal bool) string {
	tag, err := parseTag(locale)
	if err != nil {
		return "other"
	}
	rules := plural.Cardinal
	if ordinal {
		rules = plural.Ordinal
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(number, "-"), ".")
	digits := func(s string) int {
		n := 0
		for _, c := range s {
			if isDigit(c) {
				n = (n*10 + int(c-'0')) % 10_000_000
			}
		}
		// What is left of large numbers must not look like a small one.
		if len(s) > 7 {
			n += 10_000_000
		}
		return n
	}
	bare := strings.TrimRight(fraction, "0")
	form := rules.MatchPlural(tag, digits(whole), len(fraction), len(bare), digits(fraction), digits(bare))
	return [...]string{"other", "zero", "one", "two", "few", "many"}[form]
}

func intlValues(r request) (answer, error) {
	key, err := params[string](r)
	if err != nil {
		return nil, err
	}
	var out []string
	switch key {
	case "timeZone":
		z, err := zones()
		if err != nil {
			return nil, err
		}
		for name := range z.Zones {
			out = append(out, name)
		}
	case "currency":
		e, err := english()
		if err != nil {
			return nil, err
		}
		for name := range e.Currencies {
			out = append(out, name)
		}
	case "unit":
		e, err := english()
		if err != nil {
			return nil, err
		}
		for name := range e.Units {
			out = append(out, name)
		}
	case "calendar":
		out = []string{"gregory"}
	case "collation":
		out = []string{"default"}
	case "numberingSystem":
		out = []string{"arab", "beng", "deva", "latn"}
	default:
		return nil, rangeFault("", "Invalid key : %s", key)
	}
	slices.Sort(out)
	return out, nil
}

// localeData is the file of one locale.
type localeData struct {
	Numbers numberData          `json:"numbers"`
	Dates   dateData            `json:"dates"`
	Lists   map[string][]string `json:"lists"`
}

// readLocale parses the file of a locale; names that are none are English.
func readLocale(name string) (localeData, error) {
	known, err := knownLocales()
	if err != nil {
		return localeData{}, err
	}
	if !slices.Contains(known, name) {
		name = "en-US"
	}
	return localeFiles.get([]byte(name), readData[localeData])
}

func intlList(r request) (answer, error) {
	p, err := params[struct {
		Data string `json:"data"`
		Key  string `json:"key"` // type-style
	}](r)
	if err != nil {
		return nil, err
	}
	l, err := readLocale(p.Data)
	if err != nil {
		return nil, err
	}
	return l.Lists[p.Key], nil
}

// relativeShape is how English writes a distance in time: patterns for one and
// other, and the words of near distances.
type relativeShape struct {
	Future []string          `json:"future"`
	Past   []string          `json:"past"`
	Words  map[string]string `json:"words"`
}

func intlRelative(r request) (answer, error) {
	style, err := params[string](r)
	if err != nil {
		return nil, err
	}
	e, err := english()
	if err != nil {
		return nil, err
	}
	out := map[string]relativeShape{}
	for key, shape := range e.Relative {
		if unit, s, _ := strings.Cut(key, "-"); s == style {
			out[unit] = shape
		}
	}
	return out, nil
}

// englishData is the file english.json.
type englishData struct {
	Relative   map[string]relativeShape       `json:"relative"`
	Units      map[string]map[string][]string `json:"units"`
	Per        map[string]map[string]string   `json:"per"`
	Special    map[string]map[string][]string `json:"special"`
	Currencies map[string]struct {
		Digits int      `json:"digits"`
		Names  []string `json:"names"`
	} `json:"currencies"`
}
