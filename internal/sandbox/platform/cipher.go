package platform

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"strconv"
	"strings"
)

// maxNonce bounds the length of a GCM nonce in bytes.
const maxNonce = 1 << 10

// aesMode reads a cipher's name: "aes-256-gcm", and "id-aes256-gcm" as OpenSSL calls it.
func aesMode(name string) (keyBytes int, mode string, err error) {
	key := strings.ToLower(name)
	if rest, ok := strings.CutPrefix(key, "id-aes"); ok {
		key = "aes-" + rest
	}
	unknown := plainFault("ERR_CRYPTO_UNKNOWN_CIPHER", "Unknown cipher: only AES with CBC, CTR, GCM or ECB is available in functions, not %q", name)
	fields := strings.Split(key, "-")
	if len(fields) == 1 && strings.HasPrefix(key, "aes") { // "aes256" means CBC
		fields = []string{"aes", key[3:], "cbc"}
	}
	if len(fields) != 3 || fields[0] != "aes" {
		return 0, "", unknown
	}
	bits, err := strconv.Atoi(fields[1])
	if err != nil || bits != 128 && bits != 192 && bits != 256 {
		return 0, "", unknown
	}
	switch fields[2] {
	case "cbc", "ctr", "gcm", "ecb":
		return bits / 8, fields[2], nil
	default:
		return 0, "", unknown
	}
}

// cipherParams are those of crypto.cipher and crypto.decipher; the parts are
// key, nonce, data, additional data and tag.
type cipherParams struct {
	Algorithm string `json:"algorithm"`
	Padding   bool   `json:"padding"`
	Tag       int    `json:"tag"`
}

func cryptoCipherInfo(r request) (answer, error) {
	name, err := params[string](r)
	if err != nil {
		return nil, err
	}
	keyBytes, mode, err := aesMode(name)
	if err != nil {
		return nil, err
	}
	nonce := 16
	switch mode {
	case "gcm":
		nonce = 12
	case "ecb":
		nonce = 0
	}
	return map[string]any{"mode": mode, "keyLength": keyBytes, "ivLength": nonce}, nil
}

func cryptoCipher(r request, decrypt bool) (answer, error) {
	p, parts, err := input[cipherParams](r, 5)
	if err != nil {
		return nil, err
	}
	keyBytes, mode, err := aesMode(p.Algorithm)
	if err != nil {
		return nil, err
	}
	key, nonce, data, extra, tag := parts[0], parts[1], parts[2], parts[3], parts[4]
	if len(key) != keyBytes {
		return nil, rangeFault("ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, rangeFault("ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")
	}
	if mode == "gcm" {
		return gcm(block, nonce, data, extra, tag, p.Tag, decrypt)
	}
	if want := block.BlockSize(); mode == "ecb" && len(nonce) != 0 || mode != "ecb" && len(nonce) != want {
		return nil, typeFault("ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")
	}
	if mode == "ctr" {
		out := make([]byte, len(data))
		cipher.NewCTR(block, nonce).XORKeyStream(out, data)
		return out, nil
	}
	if decrypt {
		return decryptBlocks(block, nonce, data, p.Padding)
	}
	return encryptBlocks(block, nonce, data, p.Padding)
}

// cryptoStream encrypts or decrypts, which is the same, a part of a text with a
// counter; the parts are key, nonce and the data that begin after skip bytes.
func cryptoStream(r request) (answer, error) {
	p, parts, err := input[struct {
		Algorithm string `json:"algorithm"`
		Skip      uint64 `json:"skip"`
	}](r, 3)
	if err != nil {
		return nil, err
	}
	keyBytes, mode, err := aesMode(p.Algorithm)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(parts[0])
	if err != nil || len(parts[0]) != keyBytes {
		return nil, rangeFault("ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")
	}
	counter := bytes.Clone(parts[1])
	switch mode {
	case "ctr":
	case "gcm":
		if counter, err = gcmCounter(block, parts[1]); err != nil {
			return nil, err
		}
	default:
		return nil, errUnknown
	}
	if len(counter) != aes.BlockSize {
		return nil, typeFault("ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")
	}
	return keyed(block, counter, mode == "gcm", p.Skip, parts[2]), nil
}

// gcmCounter returns the counter of a text's first block (NIST SP 800-38D,
// section 7.1). For nonces that are not of 12 bytes it is a hash; encrypting
// zeros and decrypting one block gives it.
func gcmCounter(block cipher.Block, nonce []byte) ([]byte, error) {
	if len(nonce) == 0 || len(nonce) > maxNonce {
		return nil, typeFault("ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(nonce))
	if err != nil {
		return nil, typeFault("ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")
	}
	counter := aead.Seal(nil, nonce, make([]byte, aes.BlockSize), nil)[:aes.BlockSize]
	block.Decrypt(counter, counter)
	return counter, nil
}

// keyed combines data with the key stream from the given byte on. The counter has
// 128 bits, or 32 that wrap.
func keyed(block cipher.Block, counter []byte, wraps bool, skip uint64, data []byte) []byte {
	steps, within := skip/aes.BlockSize, int(skip%aes.BlockSize)
	out := make([]byte, within+len(data))
	copy(out[within:], data)
	if !wraps {
		low := binary.BigEndian.Uint64(counter[8:])
		if low+steps < low {
			binary.BigEndian.PutUint64(counter, binary.BigEndian.Uint64(counter)+1)
		}
		binary.BigEndian.PutUint64(counter[8:], low+steps)
		cipher.NewCTR(block, counter).XORKeyStream(out, out)
		return out[within:]
	}
	at := binary.BigEndian.Uint32(counter[12:]) + uint32(steps) // it wraps, as the counter does
	for rest := out; len(rest) > 0; at = 0 {
		binary.BigEndian.PutUint32(counter[12:], at)
		n := int(min(uint64(len(rest)), (1<<32-uint64(at))*aes.BlockSize))
		cipher.NewCTR(block, counter).XORKeyStream(rest[:n], rest[:n])
		rest = rest[n:]
	}
	return out[within:]
}

// chain runs CBC, or ECB without a nonce, over whole blocks.
func chain(block cipher.Block, nonce, data []byte, decrypt bool) []byte {
	out := make([]byte, len(data))
	size := block.BlockSize()
	switch {
	case len(nonce) > 0 && decrypt:
		cipher.NewCBCDecrypter(block, nonce).CryptBlocks(out, data)
	case len(nonce) > 0:
		cipher.NewCBCEncrypter(block, nonce).CryptBlocks(out, data)
	default:
		for i := 0; i < len(data); i += size {
			if decrypt {
				block.Decrypt(out[i:i+size], data[i:i+size])
			} else {
				block.Encrypt(out[i:i+size], data[i:i+size])
			}
		}
	}
	return out
}

func encryptBlocks(block cipher.Block, nonce, data []byte, padding bool) (answer, error) {
	size := block.BlockSize()
	if padding {
		n := size - len(data)%size
		padded := make([]byte, 0, len(data)+n)
		padded = append(padded, data...)
		for range n {
			padded = append(padded, byte(n))
		}
		data = padded
	}
	if len(data)%size != 0 {
		return nil, plainFault("ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH", "wrong final block length")
	}
	return chain(block, nonce, data, false), nil
}

func decryptBlocks(block cipher.Block, nonce, data []byte, padding bool) (answer, error) {
	size := block.BlockSize()
	if len(data)%size != 0 || padding && len(data) == 0 {
		return nil, plainFault("ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH", "wrong final block length")
	}
	out := chain(block, nonce, data, true)
	if !padding {
		return out, nil
	}
	n := int(out[len(out)-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, size)
	for i := 1; i <= size; i++ {
		inside := subtle.ConstantTimeLessOrEq(i, n)
		same := subtle.ConstantTimeByteEq(out[len(out)-i], byte(n))
		good &= same | (1 - inside)
	}
	if good != 1 {
		return nil, plainFault("ERR_OSSL_BAD_DECRYPT", "bad decrypt")
	}
	return out[:len(out)-n], nil
}

// gcm appends the tag when it encrypts. Tags of 4, 8 and 12 to 16 bytes are
// Node's; shorter ones than 12 are made by cutting the full tag.
func gcm(block cipher.Block, nonce, data, extra, tag []byte, tagSize int, decrypt bool) (answer, error) {
	if len(nonce) == 0 || len(nonce) > maxNonce {
		return nil, typeFault("ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")
	}
	if decrypt {
		tagSize = len(tag)
	}
	if tagSize != 4 && tagSize != 8 && (tagSize < 12 || tagSize > 16) {
		return nil, typeFault("ERR_CRYPTO_INVALID_AUTH_TAG", "Invalid authentication tag length: %d", tagSize)
	}
	if !decrypt {
		aead, err := cipher.NewGCMWithNonceSize(block, len(nonce))
		if err != nil {
			return nil, typeFault("ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")
		}
		out := aead.Seal(nil, nonce, data, extra)
		return out[:len(data)+tagSize], nil
	}
	failed := plainFault("", "Unsupported state or unable to authenticate data")
	// The cipher is a stream: sealing the ciphertext gives the text back, and
	// sealing that gives the tag to compare with, of any length.
	aead, err := cipher.NewGCMWithNonceSize(block, len(nonce))
	if err != nil {
		return nil, failed
	}
	text := aead.Seal(nil, nonce, data, nil)[:len(data)]
	full := aead.Seal(nil, nonce, text, extra)[len(data):]
	if subtle.ConstantTimeCompare(full[:tagSize], tag) != 1 {
		return nil, failed
	}
	return text, nil
}
