package record

import (
	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/jsontext"
)

// merged returns a payload with an update's merged into it, one after the other.
// Zero: there is nothing to merge into.
func (it *item) merged(old linkspan.Secret) []byte {
	payload := []byte(it.payload.Reveal())
	if !old.IsZero() {
		payload = merge([]byte(old.Reveal()), payload)
	}
	for _, patch := range it.later {
		payload = merge(payload, []byte(patch.Reveal()))
	}
	return payload
}

// merge returns the JSON object old with the members of patch merged into it:
// where both are objects they are merged in turn, and elsewhere the patch's value
// counts. The order of old is kept; new members follow in the order of patch. Both
// are valid JSON.
func merge(old, patch []byte) []byte {
	type change struct {
		value []byte
		done  bool
	}
	changes := make(map[string]*change)
	for key, value := range jsontext.Members(patch) {
		changes[name(key)] = &change{value: value}
	}
	dst := append(make([]byte, 0, len(old)+len(patch)), '{')
	write := func(key, value []byte) {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, key...), ':'), value...)
	}
	for key, value := range jsontext.Members(old) {
		c := changes[name(key)]
		if c == nil {
			write(key, value)
			continue
		}
		c.done = true
		if value[0] == '{' && c.value[0] == '{' {
			write(key, merge(value, c.value))
			continue
		}
		write(key, c.value)
	}
	for key := range jsontext.Members(patch) {
		if c := changes[name(key)]; !c.done {
			c.done = true
			write(key, c.value)
		}
	}
	return append(dst, '}')
}

// name is a key by which equal ones are found, however they are written.
func name(key []byte) string { return string(appendText(nil, key)) }
