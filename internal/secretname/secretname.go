// Package secretname knows by which names secrets go: those of headers, parameters,
// members of objects and variables. Case and separators are as people like them:
// X-Api-Key, apiKey and API_KEY are one name.
package secretname

import "strings"

// Is reports whether what has that name is a secret. It looks at how the name ends: a
// token_type is no token. It is the question where a value must stay readable unless
// it is known to be secret, as in recordings, which are replayed.
func Is(name string) bool { return looksLike(name, false) }

// Mentions reports whether a name speaks of a secret anywhere. It is the question
// where a value too many that is hidden costs nothing, as in logs.
func Mentions(name string) bool { return looksLike(name, true) }

func looksLike(name string, anywhere bool) bool {
	var text, begins [64]byte
	lower, at := fold(name, text[:0], begins[:0])
	n := folded{flat: string(lower), begins: at}
	switch n.flat {
	case "authorization", "proxyauthorization", "authenticationinfo", "cookie", "setcookie", "pwd", "sig", "hapikey":
		return true
	}
	if anywhere && strings.Contains(n.flat, "ratelimit") {
		return false // what is left of a limit is counted in tokens too
	}
	return n.token(anywhere) || n.has(anywhere, "secret", "secretkey", "privatekey", "apikey", "accesskey", "authkey", "signingkey", "encryptionkey",
		"password", "passwd", "passphrase", "sessionid", "credential", "credentials", "signature", "jwt", "assertion")
}

// folded is a name in lower case without separators, and at which of its bytes words
// begin.
type folded struct {
	flat   string
	begins []byte
}

// fold appends what a folded name consists of.
func fold(name string, flat, begins []byte) (allFlat, allBegins []byte) {
	begin := byte(1)
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '-' || c == '_' || c == '.' || c == ' ' || c == '[' || c == ']' || c == '$':
			begin = 1
			continue
		case c >= 'A' && c <= 'Z':
			if i > 0 && (name[i-1] < 'A' || name[i-1] > 'Z') {
				begin = 1
			}
			c += 'a' - 'A'
		}
		flat, begins = append(flat, c), append(begins, begin)
		begin = 0
	}
	return flat, begins
}

// has reports whether a name ends with one of the words, or has it anywhere.
func (n folded) has(anywhere bool, words ...string) bool {
	for _, w := range words {
		if strings.HasSuffix(n.flat, w) || anywhere && strings.Contains(n.flat, w) {
			return true
		}
	}
	return false
}

// token reports whether a name speaks of a token that is no position in a list.
func (n folded) token(anywhere bool) bool {
	const word = "token"
	for at := 0; ; at += len(word) {
		next := strings.Index(n.flat[at:], word)
		if next < 0 {
			return false
		}
		at += next
		if (anywhere || at+len(word) == len(n.flat)) && !n.position(at) {
			return true
		}
	}
}

// position reports whether the words before an index make what follows a position in
// a list: the last one does, or all of what is written as one.
func (n folded) position(end int) bool {
	for end > 0 {
		size := 0
		for _, w := range [...]string{
			"page", "next", "continuation", "sync", "cursor", "start", "sort", "skip", "delta", "change", "changes", "previous", "prev", "after", "before",
			"last", "end", "resume", "list", "pagination", "paging", "since", "scroll", "position",
		} {
			if strings.HasSuffix(n.flat[:end], w) {
				size = len(w)
				break
			}
		}
		if size == 0 {
			return false
		}
		if end -= size; n.begins[end] != 0 {
			return true
		}
	}
	return false
}
