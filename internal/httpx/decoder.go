package httpx

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/linkspan/linkspan"
)

// decoder walks an input and the shape of its destination together, and
// gathers every problem. The codes and messages of issues are those of wire
// contract §1.4.
type decoder struct {
	from   source
	path   []any
	issues []linkspan.Issue
}

// Limits on what is said about hostile input, so that an error is never much
// larger than a person would read.
const (
	maxIssues    = 100
	maxNameInMsg = 256
)

// full reports that there are issues enough.
func (d *decoder) full() bool { return len(d.issues) >= maxIssues }

func (d *decoder) issue(code, message string) {
	if d.full() {
		return
	}
	path := make([]any, len(d.path)) // never nil: the contract always has a list
	for i, step := range d.path {
		if name, ok := step.(string); ok {
			step = shorten(name)
		}
		path[i] = step
	}
	d.issues = append(d.issues, linkspan.Issue{Code: code, Message: message, Path: path})
}

// shorten cuts a name that a caller made up.
func shorten(name string) string {
	if len(name) <= maxNameInMsg {
		return name
	}
	return strings.ToValidUTF8(name[:maxNameInMsg], "") + "…"
}

// at runs f one step deeper.
func (d *decoder) at(step any, f func()) {
	d.path = append(d.path, step)
	f()
	d.path = d.path[:len(d.path)-1]
}

// decode writes v to dst, or adds issues.
func (d *decoder) decode(v any, dst reflect.Value, s *shape, ru *rules) {
	if v == nil && s.kind != anyShape && s.kind != rawShape && s.kind != presentShape {
		if !ru.nullable {
			d.wrongType(v, s, ru)
		}
		return
	}
	switch s.kind {
	case anyShape:
		d.decodeAny(v, dst)
	case rawShape:
		d.decodeRaw(v, dst)
	case textShape:
		d.decodeText(v, dst, s, ru)
	case boolShape:
		d.decodeBool(v, dst, s, ru)
	case intShape, uintShape, floatShape:
		d.decodeNumber(v, dst, s, ru)
	case timeShape:
		d.decodeTime(v, dst, s, ru)
	case pointerShape:
		p := reflect.New(s.elem.typ)
		d.decode(v, p.Elem(), s.elem, ru)
		dst.Set(p)
	case presentShape:
		d.decodePresent(v, dst, s, ru)
	case listShape:
		d.decodeList(v, dst, s, ru)
	case mapShape:
		d.decodeMap(v, dst, s, ru)
	case structShape:
		d.decodeStruct(v, dst, s, ru)
	case unionShape:
		d.decodeUnion(v, dst, s, ru)
	}
}

// missing reports a required value that is not there.
func (d *decoder) missing(s *shape, ru *rules) {
	d.typeIssue("undefined", s, ru)
}

func (d *decoder) wrongType(v any, s *shape, ru *rules) {
	d.typeIssue(nameOf(v), s, ru)
}

func (d *decoder) typeIssue(received string, s *shape, ru *rules) {
	switch {
	case ru.pattern.union:
		d.issue("invalid_union", "Invalid input")
	case len(ru.enum) > 0:
		d.issue("invalid_value", options(ru.enum))
	default:
		d.issue("invalid_type", "Invalid input: expected "+s.expects()+", received "+received)
	}
}

// expects names what a shape takes, in JavaScript's terms.
func (s *shape) expects() string {
	switch s.kind {
	case textShape, timeShape:
		return "string"
	case boolShape:
		return "boolean"
	case intShape, uintShape, floatShape:
		return "number"
	case listShape:
		return "array"
	case mapShape:
		return "record"
	case pointerShape, presentShape:
		return s.elem.expects()
	case anyShape, rawShape:
		return "nonoptional"
	case structShape, unionShape:
		return "object"
	default:
		return "object"
	}
}

// nameOf names what was received, in JavaScript's terms.
func nameOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		return "number"
	case []any:
		return "array"
	default:
		return "object"
	}
}

func (d *decoder) decodeAny(v any, dst reflect.Value) {
	d.checkTree(v)
	if v != nil {
		dst.Set(reflect.ValueOf(v))
	}
}

func (d *decoder) decodeRaw(v any, dst reflect.Value) {
	d.checkTree(v)
	raw, err := json.Marshal(v) // keys come out sorted, numbers as written
	if err != nil {
		d.issue("custom", "Invalid input")
		return
	}
	dst.SetBytes(raw)
}

// checkTree refuses in untyped values what no database keeps: the character
// NUL.
func (d *decoder) checkTree(v any) {
	switch v := v.(type) {
	case string:
		d.checkNUL(v)
	case []any:
		for i, element := range v {
			d.at(i, func() { d.checkTree(element) })
		}
	case map[string]any:
		for key, value := range v {
			d.at(key, func() {
				d.checkNUL(key)
				d.checkTree(value)
			})
		}
	}
}

func (d *decoder) checkNUL(s string) bool {
	if strings.IndexByte(s, 0) < 0 {
		return true
	}
	d.issue("custom", "Invalid string: must not contain the character NUL")
	return false
}

func (d *decoder) decodeText(v any, dst reflect.Value, s *shape, ru *rules) {
	text, ok := v.(string)
	if !ok {
		d.wrongType(v, s, ru)
		return
	}
	d.checkText(text, ru)
	dst.SetString(text)
}

// checkText applies the rules for text.
func (d *decoder) checkText(text string, ru *rules) {
	before := len(d.issues)
	if text == "" && ru.blank {
		return
	}
	if len(ru.enum) > 0 {
		if !slices.Contains(ru.enum, text) {
			d.issue("invalid_value", options(ru.enum))
		}
		return
	}
	if !d.checkNUL(text) {
		return
	}
	if ru.min != nil || ru.max != nil {
		d.checkSize(utf16Len(text), ru, "string", "characters")
	}
	if ru.pattern.match != nil && !ru.pattern.match(text) {
		d.issue("invalid_format", "Invalid string: must match pattern /"+ru.pattern.js+"/")
	}
	if ru.format.match != nil && !ru.format.match(text) {
		d.issue("invalid_format", ru.format.message)
	}
	if ru.pattern.union && len(d.issues) > before {
		d.issues = d.issues[:before]
		d.issue("invalid_union", "Invalid input")
	}
}

// utf16Len is the length of text in JavaScript.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// checkSize applies min and max to a length.
func (d *decoder) checkSize(n int, ru *rules, what, units string) {
	if ru.min != nil && float64(n) < *ru.min {
		d.issue("too_small", "Too small: expected "+what+" to have >="+number(*ru.min)+" "+units)
	}
	if ru.max != nil && float64(n) > *ru.max {
		d.issue("too_big", "Too big: expected "+what+" to have <="+number(*ru.max)+" "+units)
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (d *decoder) decodeBool(v any, dst reflect.Value, s *shape, ru *rules) {
	if d.from.isText() {
		text, _ := v.(string)
		switch strings.ToLower(text) {
		case "true", "1", "yes", "on":
			dst.SetBool(true)
		case "false", "0", "no", "off":
		default:
			d.issue("invalid_value", options([]string{"true", "1", "yes", "on", "false", "0", "no", "off"}))
		}
		return
	}
	b, ok := v.(bool)
	if !ok {
		d.wrongType(v, s, ru)
		return
	}
	dst.SetBool(b)
}

func (d *decoder) decodeNumber(v any, dst reflect.Value, s *shape, ru *rules) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
		if !d.from.isText() {
			d.wrongType(v, s, ru)
			return
		}
	default:
		d.wrongType(v, s, ru)
		return
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || !plainNumber(text) {
		d.issue("invalid_type", "Invalid input: expected number, received NaN")
		return
	}
	if ru.min != nil && f < *ru.min {
		d.issue("too_small", "Too small: expected number to be >="+number(*ru.min))
	}
	if ru.max != nil && f > *ru.max {
		d.issue("too_big", "Too big: expected number to be <="+number(*ru.max))
	}
	d.setNumber(f, text, dst, s)
}

// plainNumber keeps out what Go's parser takes beyond JSON: hexadecimal,
// underscores, names.
func plainNumber(text string) bool {
	for i := range len(text) {
		if !digit(text[i]) && strings.IndexByte("+-.eE", text[i]) < 0 {
			return false
		}
	}
	return true
}

// maxSafeInteger is the largest integer that JavaScript's numbers hold exactly.
const maxSafeInteger = 1<<53 - 1

func (d *decoder) setNumber(f float64, text string, dst reflect.Value, s *shape) {
	switch {
	case s.kind == floatShape:
		dst.SetFloat(f)
	case f != math.Trunc(f):
		d.issue("invalid_type", "Invalid input: expected int, received number")
	case f > maxSafeInteger:
		d.issue("too_big", "Too big: expected int to be <="+number(maxSafeInteger))
	case f < -maxSafeInteger, s.kind == uintShape && f < 0:
		least := -maxSafeInteger
		if s.kind == uintShape {
			least = 0
		}
		d.issue("too_small", "Too small: expected int to be >="+strconv.Itoa(least))
	case s.kind == uintShape && dst.OverflowUint(uint64(f)), s.kind == intShape && dst.OverflowInt(int64(f)):
		d.issue("too_big", "Too big: expected a smaller int, received "+text)
	case s.kind == uintShape:
		dst.SetUint(uint64(f))
	default:
		dst.SetInt(int64(f))
	}
}

func (d *decoder) decodeTime(v any, dst reflect.Value, s *shape, ru *rules) {
	text, ok := v.(string)
	if !ok {
		d.wrongType(v, s, ru)
		return
	}
	t, err := parseTime(text)
	if err != nil {
		d.issue("invalid_format", "Invalid ISO datetime")
		return
	}
	dst.Set(reflect.ValueOf(t))
}

func (d *decoder) decodePresent(v any, dst reflect.Value, s *shape, ru *rules) {
	p, _ := reflect.TypeAssert[present](dst.Addr()) // the shape says so
	if v == nil {
		if !ru.nullable {
			d.wrongType(v, s, ru)
			return
		}
		p.Present(true)
		return
	}
	d.decode(v, reflect.ValueOf(p.Present(false)).Elem(), s.elem, ru)
}

func (d *decoder) decodeList(v any, dst reflect.Value, s *shape, ru *rules) {
	list, ok := v.([]any)
	if text, isText := v.(string); isText && d.from.isText() {
		list, ok = textList(text, ru), true
	}
	if !ok {
		d.wrongType(v, s, ru)
		return
	}
	d.checkSize(len(list), ru, "array", "items")
	if ru.max != nil && float64(len(list)) > *ru.max {
		return // one issue, not one for each element of a hostile list
	}
	out := reflect.MakeSlice(s.typ, len(list), len(list))
	for i, element := range list {
		if d.full() {
			return
		}
		d.at(i, func() { d.decode(element, out.Index(i), s.elem, ru.elementRules()) })
	}
	dst.Set(out)
}

// textList is the list that one string of a query stands for.
func textList(text string, ru *rules) []any {
	if !ru.csv {
		return []any{text}
	}
	if text == "" {
		return []any{}
	}
	parts := strings.Split(text, ",")
	list := make([]any, len(parts))
	for i, p := range parts {
		list[i] = p
	}
	return list
}

func (ru *rules) elementRules() *rules {
	if ru.elements == nil {
		return noRules
	}
	return ru.elements
}

func (ru *rules) keyRules() *rules {
	if ru.keys == nil {
		return noRules
	}
	return ru.keys
}

func (d *decoder) decodeMap(v any, dst reflect.Value, s *shape, ru *rules) {
	object, ok := v.(map[string]any)
	if !ok {
		d.wrongType(v, s, ru)
		return
	}
	d.checkSize(len(object), ru, "record", "entries")
	if ru.max != nil && float64(len(object)) > *ru.max {
		return
	}
	out := reflect.MakeMapWithSize(s.typ, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if d.full() {
			return
		}
		d.at(key, func() {
			element := reflect.New(s.elem.typ).Elem()
			d.checkKey(key, ru.keyRules())
			d.decode(object[key], element, s.elem, ru.elementRules())
			out.SetMapIndex(reflect.ValueOf(key).Convert(s.typ.Key()), element)
		})
	}
	dst.Set(out)
}

// checkKey reports whatever is wrong with a key as the one issue that the
// contract has for it.
func (d *decoder) checkKey(key string, ru *rules) {
	before := len(d.issues)
	d.checkText(key, ru)
	if len(d.issues) > before {
		d.issues = d.issues[:before]
		d.issue("invalid_key", "Invalid key in record")
	}
}

func (d *decoder) decodeStruct(v any, dst reflect.Value, s *shape, ru *rules) {
	object, ok := v.(map[string]any)
	if !ok {
		d.wrongType(v, s, ru)
		return
	}
	before := len(d.issues)
	known := 0
	for i := range s.fields {
		f := &s.fields[i]
		value, found := object[f.name]
		if found {
			known++
		} else if f.rules.hasFallback {
			value, found = f.rules.fallbackValue(d.from, f.shape), true
		}
		if !found {
			if f.rules.required {
				d.at(f.name, func() { d.missing(f.shape, f.rules) })
			}
			continue
		}
		d.at(f.name, func() { d.decode(value, dst.FieldByIndex(f.index), f.shape, f.rules) })
	}
	if known < len(object) && !s.loose && !ru.loose {
		d.unknownKeys(object, s)
	}
	if s.checker && len(d.issues) == before && !d.full() {
		c, _ := reflect.TypeAssert[checker](dst.Addr()) // the shape says so
		d.adopt(c.Check())
	}
}

// fallbackValue is the default as the input would have held it.
func (ru *rules) fallbackValue(from source, s *shape) any {
	if from.isText() {
		return ru.fallback
	}
	switch s.kind { // defaults of other shapes are text
	case boolShape:
		return ru.fallback == "true"
	case intShape, uintShape, floatShape:
		return json.Number(ru.fallback)
	default:
		return ru.fallback
	}
}

// unknownKeys reports all keys that the struct does not know in one issue.
func (d *decoder) unknownKeys(object map[string]any, s *shape) {
	var unknown []string
	for key := range object {
		if _, ok := s.byName[key]; !ok {
			unknown = append(unknown, strconv.Quote(shorten(key)))
		}
	}
	slices.Sort(unknown)
	const most = 20 // the rest of a hostile body is not worth repeating
	if len(unknown) > most {
		unknown = append(unknown[:most], "…")
	}
	noun := "Unrecognized key: "
	if len(unknown) > 1 {
		noun = "Unrecognized keys: "
	}
	d.issue("unrecognized_keys", noun+strings.Join(unknown, ", "))
}

// adopt adds issues found by a type itself, below the present path.
func (d *decoder) adopt(issues []linkspan.Issue) {
	for _, i := range issues {
		if d.full() {
			return
		}
		i.Path = append(slices.Clone(d.path), i.Path...)
		if i.Path == nil {
			i.Path = []any{}
		}
		d.issues = append(d.issues, i)
	}
}

func (d *decoder) decodeUnion(v any, dst reflect.Value, s *shape, ru *rules) {
	object, ok := v.(map[string]any)
	if !ok {
		d.wrongType(v, s, ru)
		return
	}
	value, _ := object[s.key].(string)
	variant := s.variants[value]
	if variant == nil {
		d.at(s.key, func() { d.issue("invalid_union", "Invalid input") })
		return
	}
	p := reflect.New(variant.typ)
	d.decode(v, p.Elem(), variant, ru)
	u, _ := reflect.TypeAssert[union](dst.Addr()) // the shape says so
	u.SetVariant(p.Interface())
}
