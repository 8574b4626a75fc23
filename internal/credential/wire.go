package credential

import (
	"strings"
	"time"
)

// wireTime is how the public API shows a moment: UTC with milliseconds.
const wireTime = "2006-01-02T15:04:05.000Z07:00"

// Wire returns the credentials as the public API shows them to whoever may see
// them (wire contract §3.3). Unless withRefreshToken, every refresh token is
// left out, in Raw at any depth too. The result shares nothing with c.
func (c Credentials) Wire(withRefreshToken bool) map[string]any {
	switch c.Type {
	case APIKey:
		return map[string]any{"type": string(APIKey), "apiKey": c.APIKey.Reveal()}
	case Basic:
		return map[string]any{"type": string(Basic), "username": c.Username.Reveal(), "password": c.Password.Reveal()}
	case OAuth2:
		return c.wireOAuth2(withRefreshToken)
	case None:
		return map[string]any{}
	}
	return map[string]any{}
}

func (c Credentials) wireOAuth2(withRefreshToken bool) map[string]any {
	raw, _ := copyValue(c.Raw, withRefreshToken).(map[string]any)
	if raw == nil {
		raw = map[string]any{}
	}
	out := map[string]any{"type": string(OAuth2), "access_token": c.AccessToken.Reveal(), "raw": raw}
	if withRefreshToken && !c.RefreshToken.IsZero() {
		out["refresh_token"] = c.RefreshToken.Reveal()
	}
	if !c.ExpiresAt.IsZero() {
		out["expires_at"] = wireTimestamp(c.ExpiresAt)
	}
	if c.ClientID != "" || !c.ClientSecret.IsZero() {
		override := map[string]any{}
		if c.ClientID != "" {
			override["client_id"] = c.ClientID
		}
		if !c.ClientSecret.IsZero() {
			override["client_secret"] = c.ClientSecret.Reveal()
		}
		out["config_override"] = override
	}
	return out
}

func wireTimestamp(t time.Time) string { return t.UTC().Format(wireTime) }

// copyValue copies a JSON value deeply, without refresh tokens unless keep.
func copyValue(v any, keep bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if keep || !isRefreshTokenKey(k) {
				out[k] = copyValue(e, keep)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copyValue(e, keep)
		}
		return out
	default:
		return v
	}
}

// isRefreshTokenKey recognises the spellings providers use: refresh_token,
// refreshToken, refresh-token, RefreshToken.
func isRefreshTokenKey(k string) bool {
	k = strings.ReplaceAll(strings.ReplaceAll(k, "_", ""), "-", "")
	return strings.EqualFold(k, "refreshtoken")
}
