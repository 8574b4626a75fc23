package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan"
)

// keySize is the length of master and data keys in bytes: AES-256.
const keySize = 32

// MasterKey wraps data keys. The zero value is not usable.
type MasterKey struct {
	id   string
	text linkspan.Secret
	aead cipher.AEAD
}

// NewMasterKey makes a random master key.
func NewMasterKey() MasterKey {
	var raw [keySize]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand aborts the process instead
	k, err := masterKey(raw[:])
	if err != nil {
		panic("vault: a key of the right size was refused: " + err.Error())
	}
	return k
}

// ParseMasterKey reads a master key from the base64 form of its 32 bytes. Both
// alphabets are accepted, with and without padding. The error never repeats the
// text.
func ParseMasterKey(text linkspan.Secret) (MasterKey, error) {
	s := strings.TrimRight(strings.TrimSpace(text.Reveal()), "=")
	enc := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		enc = base64.RawURLEncoding
	}
	raw, err := enc.DecodeString(s)
	if err != nil {
		return MasterKey{}, errors.New("an encryption key is the base64 form of 32 random bytes; this one is not base64")
	}
	if len(raw) != keySize {
		return MasterKey{}, fmt.Errorf("an encryption key is the base64 form of 32 random bytes; this one has %d", len(raw))
	}
	return masterKey(raw)
}

func masterKey(raw []byte) (MasterKey, error) {
	aead, err := newAEAD(raw)
	if err != nil {
		return MasterKey{}, err
	}
	sum := sha256.Sum256(raw)
	return MasterKey{
		id:   hex.EncodeToString(sum[:4]),
		text: linkspan.NewSecret(base64.StdEncoding.EncodeToString(raw)),
		aead: aead,
	}, nil
}

// ID names the key without revealing it: the first eight hexadecimal digits of
// its SHA-256.
func (k MasterKey) ID() string { return k.id }

// Text returns the key's base64 form, which ParseMasterKey reads.
func (k MasterKey) Text() linkspan.Secret { return k.text }

// String implements fmt.Stringer: the id, never the key.
func (k MasterKey) String() string { return "master key " + k.id }

// newAEAD returns AES-256-GCM that puts a random nonce before its output.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making the authenticated mode: %w", err)
	}
	return aead, nil
}
