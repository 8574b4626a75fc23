package record

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/jsontext"
)

// maxID is the length of the longest id, in characters.
const maxID = 255

// maxDepth is how deep objects and arrays may lie in each other. It bounds how often
// the same text is looked at.
const maxDepth = 100

// metadataKey is the member under which records carry what the cache knows of
// them. It is not theirs.
const metadataKey = "_nango_metadata"

// replacement is what encoding/json makes of text that is not Unicode.
const replacement = "\uFFFD"

// item is a record of a write.
type item struct {
	id      string
	payload linkspan.Secret
	hash    [32]byte
	// later are the payloads of an update that names the same record again.
	later []linkspan.Secret
}

// purpose says what records are parsed for.
type purpose int

const (
	forSave purpose = iota
	forUpdate
	forDelete
)

// hasher makes the hashes that tell whether a payload changed. It is not safe for
// concurrent use.
type hasher struct {
	mac   hash.Hash
	canon canonicalizer
	text  []byte
}

func newHasher(key []byte) *hasher { return &hasher{mac: hmac.New(sha256.New, key)} }

func (h *hasher) sum(payload []byte) (sum [32]byte) {
	h.canon.keys = h.canon.keys[:0]
	h.text = h.canon.canonical(h.text[:0], payload)
	h.mac.Reset()
	h.mac.Write(h.text)
	h.mac.Sum(sum[:0])
	return sum
}

// parse reads the records of a write.
func parse(records []byte, h *hasher, why purpose) ([]item, error) {
	if !utf8.Valid(records) {
		return nil, invalid(nil, "The records are not valid UTF-8.")
	}
	if !json.Valid(records) {
		return nil, invalid(nil, "The records are not valid JSON.")
	}
	records = records[jsontext.SkipSpace(records, 0):]
	if records[0] != '[' {
		return nil, invalid(nil, "The records are not an array.")
	}
	p := parser{hasher: h, why: why, at: make(map[string]int)}
	for value := range jsontext.Elements(records) {
		if err := p.record(value); err != nil {
			return nil, err
		}
		p.index++
	}
	return p.finish(), nil
}

type parser struct {
	hasher *hasher
	why    purpose
	index  int
	items  []item
	at     map[string]int // where in items an id is
	buf    []byte
}

func (p *parser) record(value []byte) error {
	if value[0] != '{' {
		return invalid(nil, "Record %d is not an object.", p.index)
	}
	if tooDeep(value) {
		return invalid(nil, "Record %d is nested more than %d levels deep.", p.index, maxDepth)
	}
	id, err := p.id(value)
	if err != nil {
		return err
	}
	it := item{id: id}
	if p.why != forDelete {
		p.buf = appendPayload(p.buf[:0], value, id)
		it.payload = linkspan.NewSecret(string(p.buf))
	}
	i, again := p.at[id]
	switch {
	case !again:
		p.at[id] = len(p.items)
		p.items = append(p.items, it)
	case p.why == forUpdate:
		p.items[i].later = append(p.items[i].later, it.payload)
	default:
		p.items[i] = it
	}
	return nil
}

// finish hashes what is left of the records.
func (p *parser) finish() []item {
	if p.why == forSave {
		for i := range p.items {
			p.items[i].hash = p.hasher.sum([]byte(p.items[i].payload.Reveal()))
		}
	}
	return p.items
}

// id returns a record's id.
func (p *parser) id(object []byte) (string, error) {
	var value []byte
	for key, v := range jsontext.Members(object) {
		if isKey(key, "id") {
			value = v
		}
	}
	if value == nil {
		return "", invalid(nil, "Record %d has no id.", p.index)
	}
	switch b := value[0]; {
	case b == '"':
		var id string
		if err := json.Unmarshal(value, &id); err != nil {
			return "", invalid(err, "Record %d has an id that can't be read.", p.index)
		}
		return id, p.check(id, value)
	case b == '-' || b >= '0' && b <= '9':
		text := appendNumber(nil, value)
		if text[0] == 'n' {
			return "", invalid(nil, "Record %d has an id that is too large a number.", p.index)
		}
		return string(text), nil
	default:
		return "", invalid(nil, "Record %d has an id that is neither a text nor a number.", p.index)
	}
}

// check refuses texts that can't be ids; raw is how it was written.
func (p *parser) check(id string, raw []byte) error {
	switch n := utf8.RuneCountInString(id); {
	case n == 0:
		return invalid(nil, "Record %d has an empty id.", p.index)
	case n > maxID:
		return invalid(nil, "Record %d has an id of %d characters, more than %d: %s…", p.index, n, maxID, strconv.Quote(string([]rune(id)[:40])))
	case !storableID(id):
		return invalid(nil, "Record %d has an id with a NUL character: %s", p.index, strconv.Quote(id))
	// Half of a surrogate pair is read as U+FFFD.
	case strings.Count(id, replacement) > bytes.Count(appendText(nil, raw), []byte(replacement)):
		return invalid(nil, "Record %d has an id that is not valid Unicode: %s", p.index, strconv.Quote(id))
	}
	return nil
}

// storableID reports whether an id can be stored at all.
func storableID(id string) bool {
	return utf8.ValidString(id) && strings.IndexByte(id, 0) < 0
}

// isKey reports whether a member's key, as it is written, is the name.
func isKey(key []byte, name string) bool {
	if bytes.IndexByte(key, '\\') < 0 {
		return string(key[1:len(key)-1]) == name
	}
	var text string
	return json.Unmarshal(key, &text) == nil && text == name
}

// appendPayload writes an object as it is kept: without white space between its
// members and without metadata, its id a text.
func appendPayload(dst, object []byte, id string) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for key, value := range jsontext.Members(object) {
		if isKey(key, metadataKey) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(dst, key...), ':')
		if isKey(key, "id") && value[0] != '"' {
			dst = appendQuoted(dst, id) // not a number's digits, when the id is given twice
			continue
		}
		dst = append(dst, value...)
	}
	return append(dst, '}')
}

func invalid(cause error, msg string, args ...any) error {
	return linkspan.E("record.parse", linkspan.KindInvalid, "invalid_records", cause, msg, args...)
}
