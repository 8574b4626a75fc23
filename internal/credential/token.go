package credential

import (
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
)

// ErrNoAccessToken means that a provider's token response holds no access token.
var ErrNoAccessToken = errors.New("the answer of the token endpoint holds no access_token")

// ErrTokenTooLong means that a token exceeds MaxTokenLength.
var ErrTokenTooLong = fmt.Errorf("the answer of the token endpoint holds a token of more than %d bytes", MaxTokenLength)

// TokenResponse says how a provider's token response differs from RFC 6749 §5.1.
// The zero value is for one that does not.
type TokenResponse struct {
	// AlternatePath is where to look when the top level has no access_token:
	// at an object that supplies token, refresh token and expiry together, or
	// at the token itself.
	AlternatePath string
	// LifetimeUnit is what expires_in counts. Zero means seconds.
	LifetimeUnit time.Duration
}

// Parse makes OAuth2 credentials of a parsed token response that arrived at now,
// and keeps it whole as Raw. Numbers in it should be json.Number. It returns
// ErrNoAccessToken or ErrTokenTooLong.
func (r TokenResponse) Parse(raw map[string]any, now time.Time) (Credentials, error) {
	from, token, ok := r.find(raw)
	if !ok {
		return Credentials{}, ErrNoAccessToken
	}
	refresh, _ := nonEmpty(from["refresh_token"])
	if len(token) > MaxTokenLength || len(refresh) > MaxTokenLength {
		return Credentials{}, ErrTokenTooLong
	}
	return Credentials{
		Type:         OAuth2,
		AccessToken:  linkspan.NewSecret(token),
		RefreshToken: linkspan.NewSecret(refresh),
		ExpiresAt:    r.expiry(from, now),
		IssuedAt:     now.UTC().Truncate(time.Millisecond),
		Raw:          raw,
	}, nil
}

// HasToken reports whether a parsed token response holds an access token.
func (r TokenResponse) HasToken(raw map[string]any) bool {
	_, _, ok := r.find(raw)
	return ok
}

// Capture returns the values of a parsed token response that paths lead to, under
// the paths as they are written: strings and booleans, and numbers as text, which
// keeps them exact. Whatever else is there, or empty, is left out.
func Capture(raw map[string]any, paths []string) map[string]any {
	captured := make(map[string]any, len(paths))
	for _, path := range paths {
		switch v := lookPath(raw, path).(type) {
		case bool:
			captured[path] = v
		default:
			if s, ok := Text(v); ok && s != "" {
				captured[path] = s
			}
		}
	}
	return captured
}

// find returns the access token and the object that supplies what belongs to it.
func (r TokenResponse) find(raw map[string]any) (from map[string]any, token string, ok bool) {
	if token, ok := nonEmpty(raw["access_token"]); ok || r.AlternatePath == "" {
		return raw, token, ok
	}
	switch found := lookPath(raw, r.AlternatePath).(type) {
	case map[string]any:
		token, ok := nonEmpty(found["access_token"])
		return found, token, ok
	case string:
		return raw, found, found != ""
	}
	return raw, "", false
}

// expiry reads expires_at, else expires_in. The zero time means none.
func (r TokenResponse) expiry(raw map[string]any, now time.Time) time.Time {
	if at, ok := ParseExpiry(raw["expires_at"], now); ok {
		return at
	}
	unit := r.LifetimeUnit
	if unit == 0 {
		unit = time.Second
	}
	if d, ok := ParseLifetime(raw["expires_in"], unit); ok {
		at, _ := inRange(now.Add(d))
		return at
	}
	return time.Time{}
}

func nonEmpty(v any) (string, bool) {
	s, ok := v.(string)
	return s, ok && s != ""
}
