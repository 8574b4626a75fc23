package httpx

import (
	"fmt"
	"strconv"
	"strings"
)

// rules are what a check tag says about one value.
type rules struct {
	required bool
	nullable bool
	blank    bool
	loose    bool
	csv      bool

	min, max       *float64
	pattern        pattern // match is nil without one
	format         format  // match is nil without one
	enum           []string
	fallback       string // the default rule
	hasFallback    bool
	elements, keys *rules
}

// noRules is what holds for values without a tag.
//
//nolint:gochecknoglobals // never changed
var noRules = &rules{}

// parseRules reads a check tag. It panics on what it does not know: tags are
// code.
func parseRules(tag string) *rules {
	if tag == "" {
		return noRules
	}
	ru := &rules{elements: noRules, keys: noRules}
	var elements, keys []string
	for rule := range strings.SplitSeq(tag, ",") {
		if nested, ok := strings.CutPrefix(rule, "each."); ok {
			elements = append(elements, nested)
		} else if nested, ok := strings.CutPrefix(rule, "keys."); ok {
			keys = append(keys, nested)
		} else if err := ru.set(rule); err != nil {
			panic(fmt.Sprintf("httpx: check tag %q: %v", tag, err))
		}
	}
	ru.elements = parseRules(strings.Join(elements, ","))
	ru.keys = parseRules(strings.Join(keys, ","))
	return ru
}

func (ru *rules) set(rule string) error {
	name, value, _ := strings.Cut(rule, "=")
	var known bool
	switch name {
	case "required":
		ru.required = true
	case "nullable":
		ru.nullable = true
	case "blank":
		ru.blank = true
	case "loose":
		ru.loose = true
	case "csv":
		ru.csv = true
	case "min", "max":
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%s is not a number", rule)
		}
		if name == "min" {
			ru.min = &n
		} else {
			ru.max = &n
		}
	case "pattern":
		if ru.pattern, known = patternNamed(value); !known {
			return fmt.Errorf("no pattern is named %q", value)
		}
	case "format":
		if ru.format, known = formatNamed(value); !known {
			return fmt.Errorf("no format is named %q", value)
		}
	case "enum":
		ru.enum = strings.Split(value, "|")
	case "default":
		ru.fallback, ru.hasFallback = value, true
	default:
		return fmt.Errorf("no rule is named %q", name)
	}
	return nil
}

// options lists values the way the issues of the contract do.
func options(values []string) string {
	if len(values) == 1 {
		return "Invalid input: expected " + strconv.Quote(values[0])
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return "Invalid option: expected one of " + strings.Join(quoted, "|")
}
