// Package vault encrypts what the database must not hold in clear.
//
// It is envelope encryption with two layers. A master key never touches data:
// it wraps data keys. Each environment has its own data key, kept in the
// database in wrapped form only, which encrypts that environment's values with
// AES-256-GCM. Master keys form a Ring of one active key and any number of old
// ones, so that a master key is rotated by wrapping the data keys again, online
// and without touching the data.
//
// Every value is bound to its place by associated data (AAD): a ciphertext that
// was copied to another row, column or environment does not open.
//
// Sealed values have this form:
//
//	version (1 byte, 1) | data key id (8) | nonce (12) | ciphertext and tag
//
// Nonces are random. NIST SP 800-38D §8.3 allows 2^32 values for each key under
// that scheme; the key id in the ciphertext leaves room for an environment to
// move on to another data key.
package vault
