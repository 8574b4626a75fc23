package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/linkspan/linkspan"
)

const (
	sessionPrefix = "nango_connect_session_"
	sessionBytes  = 32
)

// HashKey returns the hash by which an API key is stored: the SHA-256 of its
// lower-case text. ok is false when it does not have the shape of a key.
func HashKey(key string) (hash [32]byte, ok bool) {
	if !linkspan.IsUUIDv4(key) {
		return hash, false
	}
	var lower [36]byte
	for i := range len(key) {
		c := key[i]
		if c >= 'A' && c <= 'F' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return sha256.Sum256(lower[:]), true
}

// NewSessionToken makes a connect-session token and the hash to store.
func NewSessionToken() (token linkspan.Secret, hash [32]byte) {
	var random [sessionBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	text := sessionPrefix + hex.EncodeToString(random[:])
	return linkspan.NewSecret(text), sha256.Sum256([]byte(text))
}

// HashSessionToken returns the hash by which a connect session is stored: the
// SHA-256 of its token. ok is false when it does not have the shape of one.
func HashSessionToken(token string) (hash [32]byte, ok bool) {
	digits, ok := strings.CutPrefix(token, sessionPrefix)
	if !ok || len(digits) != 2*sessionBytes {
		return hash, false
	}
	for i := range len(digits) {
		c := digits[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return hash, false
		}
	}
	return sha256.Sum256([]byte(token)), true
}
