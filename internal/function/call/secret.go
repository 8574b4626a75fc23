package call

import (
	"maps"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
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
			out[name] = HideNamed(v, found)
		}
	}
	return out
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
// secret.
func HideNamed(value any, found func(text string)) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner := v[name]
			if text, ok := inner.(string); ok && text != "" && IsSecretName(name) {
				out[name] = hide(text, found)
				continue
			}
			out[name] = HideNamed(inner, found)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = HideNamed(v[i], found)
		}
		return out
	}
	return value
}

func hide(text string, found func(string)) string {
	if found != nil && text != Hidden {
		found(text)
	}
	return Hidden
}

// IsSecretName reports whether a member of that name holds a secret. Names of
// positions in lists and of ordinary keys are none, though they speak of tokens and
// keys.
func IsSecretName(name string) bool {
	flat := strings.Map(func(c rune) rune {
		switch {
		case c == '_' || c == '-' || c == '.' || c == ' ':
			return -1
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return c
	}, name)
	switch flat {
	case "token", "jwt", "secret", "password", "passwd", "pwd", "passphrase", "authorization", "cookie", "setcookie", "signature", "hapikey", "assertion":
		return true
	case "tokentype":
		return false
	}
	for _, end := range []string{
		"accesstoken", "refreshtoken", "idtoken", "authtoken", "apitoken", "bearertoken", "bottoken", "sessiontoken", "usertoken", "oauthtoken", "securitytoken",
		"secret", "secretkey", "privatekey", "apikey", "accesskey", "authkey", "signingkey", "encryptionkey", "password", "sessionid", "credential", "credentials", "tokensecret",
	} {
		if strings.HasSuffix(flat, end) {
			return true
		}
	}
	return false
}
