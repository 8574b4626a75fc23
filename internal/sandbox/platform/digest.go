package platform

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // for the checksums of APIs that still use it
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // for the signatures of APIs that still use it
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"strings"
)

// Bounds of what one call may cost; it runs on the sandbox's own goroutine.
const (
	maxIterations = 10_000_000 // of PBKDF2's inner function, over all blocks
	maxDerived    = 1 << 20    // bytes of a derived key
	maxRandom     = 16 << 20   // bytes of randomness
)

type hasher struct {
	make func() hash.Hash
	id   crypto.Hash
}

// hashOf finds a hash by one of the names that Node and WebCrypto use for it.
func hashOf(name string) (hasher, error) {
	key := strings.ToLower(name)
	key = strings.TrimPrefix(key, "rsa-")
	key = strings.TrimSuffix(key, "withrsaencryption")
	switch key {
	case "md5", "ssl3-md5":
		return hasher{md5.New, crypto.MD5}, nil
	case "sha1", "sha-1", "ssl3-sha1":
		return hasher{sha1.New, crypto.SHA1}, nil
	case "sha224", "sha-224":
		return hasher{sha256.New224, crypto.SHA224}, nil
	case "sha256", "sha-256":
		return hasher{sha256.New, crypto.SHA256}, nil
	case "sha384", "sha-384":
		return hasher{sha512.New384, crypto.SHA384}, nil
	case "sha512", "sha-512":
		return hasher{sha512.New, crypto.SHA512}, nil
	case "sha512-224", "sha512/224":
		return hasher{sha512.New512_224, crypto.SHA512_224}, nil
	case "sha512-256", "sha512/256":
		return hasher{sha512.New512_256, crypto.SHA512_256}, nil
	case "sha3-224":
		return hasher{func() hash.Hash { return sha3.New224() }, crypto.SHA3_224}, nil
	case "sha3-256":
		return hasher{func() hash.Hash { return sha3.New256() }, crypto.SHA3_256}, nil
	case "sha3-384":
		return hasher{func() hash.Hash { return sha3.New384() }, crypto.SHA3_384}, nil
	case "sha3-512":
		return hasher{func() hash.Hash { return sha3.New512() }, crypto.SHA3_512}, nil
	default:
		return hasher{}, plainFault("ERR_CRYPTO_INVALID_DIGEST", "Digest method not supported: %s", name)
	}
}

func cryptoHash(r request) (answer, error) {
	p, parts, err := input[struct {
		Algorithm string `json:"algorithm"`
		Length    *int   `json:"length"`
	}](r, 1)
	if err != nil {
		return nil, err
	}
	data := parts[0]
	switch strings.ToLower(p.Algorithm) {
	case "shake128":
		return shake(sha3.NewSHAKE128(), data, p.Length, 16)
	case "shake256":
		return shake(sha3.NewSHAKE256(), data, p.Length, 32)
	}
	h, err := hashOf(p.Algorithm)
	if err != nil {
		return nil, err
	}
	sum := h.make()
	sum.Write(data)
	if p.Length != nil && *p.Length != sum.Size() {
		return nil, plainFault("ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH", "Unsupported output length")
	}
	return sum.Sum(nil), nil
}

func shake(s *sha3.SHAKE, data []byte, length *int, size int) (answer, error) {
	if length != nil {
		size = *length
	}
	if size < 0 || size > maxDerived {
		return nil, rangeFault("ERR_OUT_OF_RANGE", "The output length must be between 0 and %d.", maxDerived)
	}
	out := make([]byte, size)
	if _, err := s.Write(data); err != nil {
		return nil, err
	}
	if _, err := s.Read(out); err != nil {
		return nil, err
	}
	return out, nil
}

func cryptoHMAC(r request) (answer, error) {
	p, parts, err := input[struct {
		Algorithm string `json:"algorithm"`
	}](r, 2)
	if err != nil {
		return nil, err
	}
	h, err := hashOf(p.Algorithm)
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_INVALID_DIGEST", "Invalid digest: %s", p.Algorithm)
	}
	mac := hmac.New(h.make, parts[0])
	mac.Write(parts[1])
	return mac.Sum(nil), nil
}

func cryptoEqual(r request) (answer, error) {
	parts, err := r.parts(2)
	if err != nil {
		return nil, err
	}
	return subtle.ConstantTimeCompare(parts[0], parts[1]) == 1, nil
}

func derivedLength(n int) error {
	if n < 0 || n > maxDerived {
		return rangeFault("ERR_OUT_OF_RANGE", "The length of a derived key must be between 0 and %d bytes.", maxDerived)
	}
	return nil
}

func cryptoPBKDF2(r request) (answer, error) {
	p, parts, err := input[struct {
		Digest     string `json:"digest"`
		Iterations int    `json:"iterations"`
		Length     int    `json:"length"`
	}](r, 2)
	if err != nil {
		return nil, err
	}
	h, err := hashOf(p.Digest)
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_INVALID_DIGEST", "Invalid digest: %s", p.Digest)
	}
	if err := derivedLength(p.Length); err != nil {
		return nil, err
	}
	blocks := (p.Length + h.make().Size() - 1) / h.make().Size()
	if p.Iterations < 1 || p.Iterations > maxIterations/max(blocks, 1) {
		return nil, rangeFault("ERR_OUT_OF_RANGE",
			"PBKDF2 is limited to %d iterations over all blocks of the key here; %d were asked for each of %d.", maxIterations, p.Iterations, blocks)
	}
	if p.Length == 0 {
		return []byte{}, nil
	}
	key, err := pbkdf2.Key(h.make, string(parts[0]), parts[1], p.Iterations, p.Length)
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_OPERATION_FAILED", "PBKDF2 failed.")
	}
	return key, nil
}

func cryptoHKDF(r request) (answer, error) {
	p, parts, err := input[struct {
		Digest string `json:"digest"`
		Length int    `json:"length"`
	}](r, 3)
	if err != nil {
		return nil, err
	}
	h, err := hashOf(p.Digest)
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_INVALID_DIGEST", "Invalid digest: %s", p.Digest)
	}
	if p.Length < 0 || p.Length > 255*h.make().Size() {
		return nil, rangeFault("ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")
	}
	key, err := hkdf.Key(h.make, parts[0], parts[1], string(parts[2]), p.Length)
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_OPERATION_FAILED", "HKDF failed.")
	}
	return key, nil
}

func cryptoScrypt(r request) (answer, error) {
	p, parts, err := input[struct {
		N      int `json:"N"`
		R      int `json:"r"`
		P      int `json:"p"`
		Length int `json:"length"`
		MaxMem int `json:"maxmem"`
	}](r, 2)
	if err != nil {
		return nil, err
	}
	if err := derivedLength(p.Length); err != nil {
		return nil, err
	}
	if err := checkScrypt(p.N, p.R, p.P, p.MaxMem); err != nil {
		return nil, err
	}
	key, err := scrypt(parts[0], parts[1], p.N, p.R, p.P, p.Length)
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_OPERATION_FAILED", "scrypt failed.")
	}
	return key, nil
}
