package platform

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Bounds of scrypt: its memory, and its work in blocks of 128 bytes mixed.
const (
	maxScryptMemory = 64 << 20
	maxScryptWork   = 1 << 21
)

// checkScrypt refuses parameters that are invalid (RFC 7914, section 6) or cost too much.
func checkScrypt(n, r, p, maxMemory int) error {
	invalid := rangeFault("ERR_CRYPTO_INVALID_SCRYPT_PARAMS", "Invalid scrypt params")
	if n < 2 || n&(n-1) != 0 || r < 1 || p < 1 || n > 1<<24 || r > 1<<16 || p > 1<<16 {
		return invalid
	}
	memory := 128*n*r + 128*r*p
	if memory > maxMemory {
		return rangeFault("ERR_CRYPTO_INVALID_SCRYPT_PARAMS", "Invalid scrypt params: memory limit exceeded")
	}
	if memory > maxScryptMemory || n*r*p > maxScryptWork {
		return rangeFault("ERR_CRYPTO_INVALID_SCRYPT_PARAMS",
			"These scrypt parameters cost more than functions may: at most %d bytes of memory and N*r*p of %d.", maxScryptMemory, maxScryptWork)
	}
	return nil
}

// scrypt is RFC 7914. Its parameters were checked by checkScrypt.
func scrypt(password, salt []byte, n, r, p, length int) ([]byte, error) {
	if length == 0 {
		return []byte{}, nil
	}
	b, err := pbkdf2.Key(sha256.New, string(password), salt, 1, p*128*r)
	if err != nil {
		return nil, err
	}
	words := 32 * r
	v := make([]uint32, n*words)
	x, y := make([]uint32, words), make([]uint32, words)
	for i := range p {
		roMix(b[i*128*r:(i+1)*128*r], n, r, v, x, y)
	}
	return pbkdf2.Key(sha256.New, string(password), b, 1, length)
}

// roMix is section 5; v, x and y are scratch space.
func roMix(b []byte, n, r int, v, x, y []uint32) {
	words := 32 * r
	for i := range x {
		x[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	for i := range n {
		copy(v[i*words:], x)
		blockMix(x, y, r)
		x, y = y, x
	}
	for range n {
		j := int(x[(2*r-1)*16] & uint32(n-1))
		for k, w := range v[j*words : (j+1)*words] {
			x[k] ^= w
		}
		blockMix(x, y, r)
		x, y = y, x
	}
	for i, w := range x {
		binary.LittleEndian.PutUint32(b[4*i:], w)
	}
}

// blockMix is section 4, from in to out.
func blockMix(in, out []uint32, r int) {
	var x [16]uint32
	copy(x[:], in[(2*r-1)*16:])
	for i := range 2 * r {
		for k, w := range in[i*16 : (i+1)*16] {
			x[k] ^= w
		}
		salsa8(&x)
		at := i / 2
		if i%2 == 1 {
			at += r
		}
		copy(out[at*16:], x[:])
	}
}

// salsa8 is the Salsa20/8 core of section 3.
func salsa8(b *[16]uint32) {
	x := *b
	quarter := func(a, b, c, d int) {
		x[b] ^= bits.RotateLeft32(x[a]+x[d], 7)
		x[c] ^= bits.RotateLeft32(x[b]+x[a], 9)
		x[d] ^= bits.RotateLeft32(x[c]+x[b], 13)
		x[a] ^= bits.RotateLeft32(x[d]+x[c], 18)
	}
	for range 4 {
		quarter(0, 4, 8, 12)
		quarter(5, 9, 13, 1)
		quarter(10, 14, 2, 6)
		quarter(15, 3, 7, 11)
		quarter(0, 1, 2, 3)
		quarter(5, 6, 7, 4)
		quarter(10, 11, 8, 9)
		quarter(15, 12, 13, 14)
	}
	for i := range b {
		b[i] += x[i]
	}
}
