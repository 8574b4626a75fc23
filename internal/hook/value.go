package hook

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/internal/credential"
)

// at follows a path through parsed JSON: keys, and indices of lists, separated by
// dots. It returns nil when there is nothing.
func at(v any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

// textAt is the text or number at a path as text, which keeps numbers exact. It
// is "" when there is neither.
func textAt(v any, path string) string {
	text, _ := credential.Text(at(v, path))
	return text
}

// numberAt is the number at a path, or a text of digits as a number. It is nil
// when there is neither.
func numberAt(v any, path string) any {
	text := textAt(v, path)
	if _, err := strconv.ParseInt(text, 10, 64); err != nil {
		return nil
	}
	return json.Number(text)
}

// listAt is the list at a path; an empty path is v itself.
func listAt(v any, path string) []any {
	if path != "" {
		v = at(v, path)
	}
	list, _ := v.([]any)
	return list
}

// claims are the claims of a JSON Web Token (RFC 7519 §7.2). Its signature is
// not checked: the token came from its issuer, and is for somebody else.
func claims(token string) (any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, say("the access token is not a JSON Web Token.")
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, say("the access token is not a JSON Web Token.")
	}
	v, err := decode(text)
	if err != nil {
		return nil, say("the access token is not a JSON Web Token.")
	}
	return v, nil
}
