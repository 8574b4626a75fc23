package credential

import "strings"

// Vars are the parts of credentials as template variables. Names work alone
// (apiKey, access_token) and after "credentials.".
type Vars struct{ c Credentials }

// Vars returns the template variables of the credentials. The values they yield
// are secret.
func (c Credentials) Vars() Vars { return Vars{c: c} }

// Lookup returns the value of a variable, and whether these credentials have
// it. Known are the fields of each type by their public names, accessToken as
// another name of access_token, and raw.<path> for strings and numbers of the
// provider's token response.
func (v Vars) Lookup(name string) (string, bool) {
	name = strings.TrimPrefix(name, "credentials.")
	if name == "type" {
		return string(v.c.Type), true
	}
	switch v.c.Type {
	case APIKey:
		if name == "apiKey" {
			return v.c.APIKey.Reveal(), true
		}
	case Basic:
		switch name {
		case "username":
			return v.c.Username.Reveal(), true
		case "password":
			return v.c.Password.Reveal(), true
		}
	case OAuth2:
		return v.lookupOAuth2(name)
	case None:
	}
	return "", false
}

func (v Vars) lookupOAuth2(name string) (string, bool) {
	switch name {
	case "access_token", "accessToken":
		return v.c.AccessToken.Reveal(), true
	case "refresh_token", "refreshToken":
		return v.c.RefreshToken.Reveal(), !v.c.RefreshToken.IsZero()
	case "expires_at":
		return wireTimestamp(v.c.ExpiresAt), !v.c.ExpiresAt.IsZero()
	case "config_override.client_id":
		return v.c.ClientID, v.c.ClientID != ""
	case "config_override.client_secret":
		return v.c.ClientSecret.Reveal(), !v.c.ClientSecret.IsZero()
	}
	if path, ok := strings.CutPrefix(name, "raw."); ok {
		return Text(lookPath(v.c.Raw, path))
	}
	return "", false
}
