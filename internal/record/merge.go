package record

import (
	"iter"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/jsontext"
)

// merged returns a payload with an update's merged into it, one after the other.
// Zero: there is nothing to merge into.
func (it *item) merged(old linkspan.Secret) []byte {
	return merge(func(yield func([]byte) bool) {
		ok := old.IsZero() || yield([]byte(old.Reveal()))
		ok = ok && yield([]byte(it.payload.Reveal()))
		for i := 0; ok && i < len(it.later); i++ {
			ok = yield([]byte(it.later[i].Reveal()))
		}
	})
}

// merge merges JSON objects, each into what has become of those before it: where both
// have an object it is merged in turn, and elsewhere the later value counts. Members
// are in the order in which they were first named. All texts are valid JSON.
func merge(objects iter.Seq[[]byte]) []byte {
	var whole *tree
	for object := range objects {
		if t := (&tree{text: object}); whole == nil {
			whole = t
		} else {
			whole.merge(t)
		}
	}
	return whole.append(nil)
}

// tree is a JSON value, as it is written until something is merged into it. So no
// part of it is looked at more than once, whatever is merged.
type tree struct {
	text []byte
	// members are those of an object that was taken apart, at says where each is.
	members []branch
	at      map[string]int
}

type branch struct {
	key   []byte
	value *tree
}

func (t *tree) isObject() bool { return t.at != nil || t.text[0] == '{' }

// split takes an object apart. Of members of the same name the last one counts.
func (t *tree) split() {
	if t.at != nil {
		return
	}
	t.at = make(map[string]int)
	for key, value := range jsontext.Members(t.text) {
		t.member(key).value = &tree{text: value}
	}
}

// member returns where an object that was taken apart has a member. It adds one
// without a value if there is none.
func (t *tree) member(key []byte) *branch {
	name := string(appendText(nil, key)) // the same however it is written
	i, found := t.at[name]
	if !found {
		i = len(t.members)
		t.at[name] = i
		t.members = append(t.members, branch{key: key})
	}
	return &t.members[i]
}

func (t *tree) merge(patch *tree) {
	t.split()
	patch.split()
	for _, change := range patch.members {
		m := t.member(change.key)
		if m.value != nil && m.value.isObject() && change.value.isObject() {
			m.value.merge(change.value)
			continue
		}
		m.value = change.value
	}
}

func (t *tree) append(dst []byte) []byte {
	if t.at == nil {
		return append(dst, t.text...)
	}
	dst = append(dst, '{')
	for i, m := range t.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = m.value.append(append(append(dst, m.key...), ':'))
	}
	return append(dst, '}')
}
