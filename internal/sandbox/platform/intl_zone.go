package platform

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // sandboxes know all zones wherever they run
)

// zoneData is the file zones.json: what English calls the zones (short and long
// name in winter and summer, short and long name all year round), and other
// names of theirs.
type zoneData struct {
	Zones   map[string]string `json:"zones"`
	Aliases map[string]string `json:"aliases"`
}

// zone finds a time zone by its name, in any case. The names are in English.
func zone(name string) (canonical string, names []string, err error) {
	unknown := rangeFault("", "Invalid time zone specified: %s", name)
	if name == "" || len(name) > 64 {
		return "", nil, unknown
	}
	if offset, ok := parseOffset(name); ok {
		return offset, make([]string, 6), nil
	}
	z, err := zones()
	if err != nil {
		return "", nil, err
	}
	find := func(name string) (string, bool) {
		if row, ok := z.Zones[name]; ok {
			canonical, names = name, strings.Split(row, "|")
			return name, true
		}
		return z.Aliases[name], z.Aliases[name] != ""
	}
	target, ok := find(name)
	if !ok {
		target = sameFold(z, name)
	}
	if canonical == "" && target != "" {
		find(target)
	}
	if canonical == "" || len(names) != 6 {
		return "", nil, unknown
	}
	return canonical, names, nil
}

func sameFold(z zoneData, name string) string {
	for known := range z.Zones {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	for known, target := range z.Aliases {
		if strings.EqualFold(known, name) {
			return target
		}
	}
	return ""
}

var offsetPattern = regexp.MustCompile(`^([+-])([01]\d|2[0-3])(?::?([0-5]\d))?$`)

// parseOffset reads a zone such as +05:30.
func parseOffset(s string) (canonical string, ok bool) {
	m := offsetPattern.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	minutes := m[3]
	if minutes == "" {
		minutes = "00"
	}
	return m[1] + m[2] + ":" + minutes, true
}

// location loads a zone by its canonical name.
func location(name string) (*time.Location, error) {
	if len(name) == 6 && (name[0] == '+' || name[0] == '-') {
		hours, errHours := strconv.Atoi(name[1:3])
		minutes, errMinutes := strconv.Atoi(name[4:])
		if errHours != nil || errMinutes != nil {
			return nil, rangeFault("", "Invalid time zone specified: %s", name)
		}
		offset := hours*3600 + minutes*60
		if name[0] == '-' {
			offset = -offset
		}
		return time.FixedZone(name, offset), nil
	}
	if name == "UTC" || name == "" {
		return time.UTC, nil
	}
	if name == "Local" || strings.ContainsAny(name, "\\") {
		return nil, rangeFault("", "Invalid time zone specified: %s", name)
	}
	l, err := locations.get([]byte(name), time.LoadLocation)
	if err != nil {
		return nil, rangeFault("", "Invalid time zone specified: %s", name)
	}
	return l, nil
}

// zoneName says what a zone is called at a time.
func zoneName(kind string, names []string, t time.Time) string {
	_, offset := t.Zone()
	if len(names) != 6 {
		names = make([]string, 6)
	}
	summer := 0
	if t.IsDST() {
		summer = 1
	}
	name := ""
	switch kind {
	case "short":
		name = names[summer]
	case "long":
		name = names[2+summer]
	case "shortGeneric":
		name = names[4]
	case "longGeneric":
		name = names[5]
	}
	if name != "" {
		return name
	}
	if offset == 0 && !strings.HasSuffix(kind, "Offset") {
		return "GMT"
	}
	return offsetName(offset, strings.HasPrefix(kind, "long"))
}

// offsetName is GMT+5:30, or GMT+05:30 when long.
func offsetName(offset int, long bool) string {
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	hours, minutes, seconds := offset/3600, offset/60%60, offset%60
	out := "GMT" + sign
	switch {
	case long:
		out += fmt.Sprintf("%02d:%02d", hours, minutes)
	case minutes != 0 || seconds != 0:
		out += fmt.Sprintf("%d:%02d", hours, minutes)
	default:
		out += strconv.Itoa(hours)
	}
	if seconds != 0 {
		out += fmt.Sprintf(":%02d", seconds)
	}
	return out
}
