package call

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/secretname"
)

// Hidden is what stands in place of a secret.
const Hidden = "[redacted]"

// minUsername is from which length a user name may be a key in disguise, as of APIs
// that take theirs by basic authentication.
const minUsername = 16

// ConnectionSecrets returns the secrets in a connection as "connection" answers it.
// Credentials are secret but for what is known to be none; in the rest a value is
// when its name says so.
func ConnectionSecrets(connection map[string]any) []linkspan.Secret {
	var found []linkspan.Secret
	HideSecrets(connection, func(text string) { found = append(found, linkspan.NewSecret(text)) })
	return found
}

// HideSecrets returns a connection without its secrets, in the same shape. Found, if
// it is not nil, is told of each, by the names of the members.
func HideSecrets(connection map[string]any, found func(text string)) map[string]any {
	out := make(map[string]any, len(connection))
	for _, name := range slices.Sorted(maps.Keys(connection)) {
		value := connection[name]
		switch name {
		case "credentials":
			out[name] = hideCredentials(value, found)
		case "metadata", "connection_config":
			out[name] = HideNamed(value, found)
		default:
			out[name] = value
		}
	}
	return out
}

func hideCredentials(value any, found func(string)) any {
	credentials, ok := value.(map[string]any)
	if !ok {
		return value
	}
	out := make(map[string]any, len(credentials))
	for _, name := range slices.Sorted(maps.Keys(credentials)) {
		v := credentials[name]
		text, isText := v.(string)
		switch {
		case isText && (text == "" || isPublicCredential(name) || name == "username" && len(text) < minUsername):
			out[name] = v
		case isText:
			out[name] = hide(text, found)
		default:
			out[name] = hideNamed(name, v, isSecretCredential, found)
		}
	}
	return out
}

// isSecretCredential reports whether a member inside of credentials is a secret: what
// a provider answered with has names of its own.
func isSecretCredential(name, text string) bool {
	return !isPublicCredential(name) && (secretname.Is(name) || looksRandom(text))
}

// isPublicCredential reports whether a member of credentials is no secret, whatever
// kind they are of.
func isPublicCredential(name string) bool {
	switch name {
	case "type", "expires_at", "expiresAt", "token_type", "scope", "client_id":
		return true
	}
	return false
}

// HideNamed returns a value without the texts whose names say that they are
// secret, in lists of that name too.
func HideNamed(value any, found func(text string)) any {
	return hideNamed("", value, func(name, _ string) bool { return secretname.Is(name) }, found)
}

// hideNamed hides the texts that are secret by the name they have, or by themselves.
func hideNamed(name string, value any, secret func(name, text string) bool, found func(text string)) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, member := range slices.Sorted(maps.Keys(v)) {
			out[member] = hideNamed(member, v[member], secret, found)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = hideNamed(name, v[i], secret, found)
		}
		return out
	case string:
		if v != "" && secret(name, v) {
			return hide(v, found)
		}
	}
	return value
}

func hide(text string, found func(string)) string {
	if found != nil && text != Hidden {
		found(text)
	}
	return Hidden
}

// minVariable is from which length a variable is a secret when a word in its name
// says so.
const minVariable = 8

// IsSecretVariable reports whether an environment variable holds a secret. People
// name them as they like, so that words in the name count, and what the value looks
// like.
func IsSecretVariable(name, value string) bool {
	lower := strings.ToLower(name)
	has := func(word string) bool { return strings.Contains(lower, word) }
	switch {
	case value == "":
		return false
	case secretname.Is(name), looksRandom(value):
		return true
	case len(value) >= minVariable:
		u, err := url.Parse(value)
		return err == nil && u.User != nil ||
			slices.ContainsFunc([]string{"key", "token", "secret", "pass", "pwd", "auth", "cred", "private", "sign", "salt", "dsn", "cert", "webhook"}, has)
	}
	return false
}

// Texts of these lengths, without spaces and with letters and digits, are no words;
// with dots they may be the names of hosts.
const minRandom, minRandomWithDots = 20, 40

// looksRandom reports whether a text looks as if it was made of random numbers.
func looksRandom(text string) bool {
	if len(text) < minRandom || strings.Contains(text, ".") && len(text) < minRandomWithDots || strings.Contains(text, "://") {
		return false
	}
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return false
	}
	letters, digits := 0, 0
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte("._~+/=:-", c) < 0:
			return false
		}
	}
	return letters > 0 && digits > 0
}
