package platform

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
)

// signParams say how to sign or verify; the parts are key, data and, to verify,
// the signature.
type signParams struct {
	Hash    string `json:"hash"`
	Padding string `json:"padding"` // of RSA: pkcs1 (default), pss
	// Salt is the length of the salt of PSS; -1: that of the hash, -2: as long as
	// fits or, to verify, whatever it is.
	Salt *int `json:"salt"`
	Raw  bool `json:"raw"` // ECDSA signatures as r || s (IEEE P1363) instead of DER
}

// digest hashes data as the parameters ask for.
func (p signParams) digest(data []byte) ([]byte, crypto.Hash, error) {
	h, err := hashOf(p.Hash)
	if err != nil {
		return nil, 0, plainFault("ERR_CRYPTO_INVALID_DIGEST", "Invalid digest: %s", p.Hash)
	}
	sum := h.make()
	sum.Write(data)
	return sum.Sum(nil), h.id, nil
}

func (p signParams) pss(id crypto.Hash) (*rsa.PSSOptions, error) {
	o := &rsa.PSSOptions{Hash: id, SaltLength: rsa.PSSSaltLengthAuto}
	if p.Salt == nil {
		return o, nil
	}
	switch {
	case *p.Salt == -1:
		o.SaltLength = rsa.PSSSaltLengthEqualsHash
	case *p.Salt == -2 || *p.Salt == 0:
		// Go knows no salt of length 0 here: 0 means "auto" to it.
		if *p.Salt == 0 {
			return nil, rangeFault("ERR_OUT_OF_RANGE", "Signatures of RSA-PSS with an empty salt are not available in functions.")
		}
	case *p.Salt < -2 || *p.Salt > maxRSABits/8:
		return nil, rangeFault("ERR_OUT_OF_RANGE", "The length of the salt is out of range.")
	default:
		o.SaltLength = *p.Salt
	}
	return o, nil
}

func signFailed() error {
	return plainFault("ERR_CRYPTO_OPERATION_FAILED", "Signing failed: the key does not fit the algorithm, or is too small for it.")
}

// cryptoSign makes a signature. Only those that take no random numbers may be
// made by a function that counts as pure.
func cryptoSign(r request, random bool) (answer, error) {
	p, parts, err := input[signParams](r, 2)
	if err != nil {
		return nil, err
	}
	key, err := privateKey(parts[0])
	if err != nil {
		return nil, err
	}
	if k, ok := key.(ed25519.PrivateKey); ok {
		return ed25519.Sign(k, parts[1]), nil
	}
	sum, id, err := p.digest(parts[1])
	if err != nil {
		return nil, err
	}
	var signature []byte
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if p.Padding != "pss" {
			signature, err = rsa.SignPKCS1v15(nil, k, id, sum)
			break
		}
		o, invalid := p.pss(id)
		if invalid != nil {
			return nil, invalid
		}
		if !random {
			return nil, signFailed()
		}
		signature, err = rsa.SignPSS(rand.Reader, k, id, sum, o)
	case *ecdsa.PrivateKey:
		if !random {
			return nil, signFailed()
		}
		signature, err = ecdsa.SignASN1(rand.Reader, k, sum)
		if err == nil && p.Raw {
			signature, err = rawSignature(signature, k.Curve)
		}
	default:
		return nil, signFailed()
	}
	if err != nil {
		return nil, signFailed()
	}
	return signature, nil
}

type ecdsaSignature struct{ R, S *big.Int }

// rawSignature turns DER into r || s.
func rawSignature(der []byte, curve elliptic.Curve) ([]byte, error) {
	var s ecdsaSignature
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	s.R.FillBytes(out[:size])
	s.S.FillBytes(out[size:])
	return out, nil
}

func cryptoVerify(r request) (answer, error) {
	p, parts, err := input[signParams](r, 3)
	if err != nil {
		return nil, err
	}
	key, err := publicKey(parts[0])
	if err != nil {
		return nil, err
	}
	data, signature := parts[1], parts[2]
	if k, ok := key.(ed25519.PublicKey); ok {
		return ed25519.Verify(k, data, signature), nil
	}
	sum, id, err := p.digest(data)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if p.Padding != "pss" {
			return rsa.VerifyPKCS1v15(k, id, sum, signature) == nil, nil
		}
		o, err := p.pss(id)
		if err != nil {
			return nil, err
		}
		return rsa.VerifyPSS(k, id, sum, signature, o) == nil, nil
	case *ecdsa.PublicKey:
		if p.Raw {
			if signature, err = derSignature(signature, k.Curve); err != nil {
				return false, nil //nolint:nilerr // a malformed signature is a wrong one
			}
		}
		return ecdsa.VerifyASN1(k, sum, signature), nil
	default:
		return nil, signFailed()
	}
}

// derSignature turns r || s into DER.
func derSignature(raw []byte, curve elliptic.Curve) ([]byte, error) {
	size := (curve.Params().BitSize + 7) / 8
	if len(raw) != 2*size {
		return nil, signFailed()
	}
	return asn1.Marshal(ecdsaSignature{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])})
}

// sealParams say how RSA encrypts; the parts are key, data and label.
type sealParams struct {
	Padding string `json:"padding"` // oaep, pkcs1
	Hash    string `json:"hash"`    // of OAEP
}

func cryptoEncrypt(r request) (answer, error) {
	p, parts, err := input[sealParams](r, 3)
	if err != nil {
		return nil, err
	}
	key, err := publicKey(parts[0])
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, unfitKey()
	}
	var out []byte
	if p.Padding == "pkcs1" {
		out, err = rsa.EncryptPKCS1v15(rand.Reader, k, parts[1]) //nolint:staticcheck // Node offers it and old APIs ask for it
	} else {
		h, unknown := hashOf(p.Hash)
		if unknown != nil {
			return nil, unknown
		}
		out, err = rsa.EncryptOAEP(h.make(), rand.Reader, k, parts[1], parts[2])
	}
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_OPERATION_FAILED", "Encrypting failed: the data is too large for the key.")
	}
	return out, nil
}

func unfitKey() error {
	return plainFault("ERR_CRYPTO_INCOMPATIBLE_KEY", "The key does not fit the operation.")
}

func cryptoDecrypt(r request) (answer, error) {
	p, parts, err := input[sealParams](r, 3)
	if err != nil {
		return nil, err
	}
	key, err := privateKey(parts[0])
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, unfitKey()
	}
	var out []byte
	if p.Padding == "pkcs1" {
		out, err = rsa.DecryptPKCS1v15(rand.Reader, k, parts[1]) //nolint:staticcheck // Node offers it and old APIs ask for it
	} else {
		h, unknown := hashOf(p.Hash)
		if unknown != nil {
			return nil, unknown
		}
		out, err = rsa.DecryptOAEP(h.make(), rand.Reader, k, parts[1], parts[2])
	}
	if err != nil {
		return nil, plainFault("ERR_OSSL_RSA_OAEP_DECODING_ERROR", "Decrypting failed.")
	}
	return out, nil
}

// cryptoAgree is Diffie-Hellman on a curve; the parts are the private and the
// other's public key.
func cryptoAgree(r request) (answer, error) {
	parts, err := r.parts(2)
	if err != nil {
		return nil, err
	}
	private, err := privateKey(parts[0])
	if err != nil {
		return nil, err
	}
	public, err := publicKey(parts[1])
	if err != nil {
		return nil, err
	}
	own, ok := asECDHPrivate(private)
	other, fits := asECDHPublic(public)
	if !ok || !fits || own.Curve() != other.Curve() {
		return nil, unfitKey()
	}
	secret, err := own.ECDH(other)
	if err != nil {
		return nil, unfitKey()
	}
	return secret, nil
}

func asECDHPrivate(key any) (*ecdh.PrivateKey, bool) {
	switch k := key.(type) {
	case *ecdh.PrivateKey:
		return k, true
	case *ecdsa.PrivateKey:
		out, err := k.ECDH()
		return out, err == nil
	default:
		return nil, false
	}
}

func asECDHPublic(key any) (*ecdh.PublicKey, bool) {
	switch k := key.(type) {
	case *ecdh.PublicKey:
		return k, true
	case *ecdsa.PublicKey:
		out, err := k.ECDH()
		return out, err == nil
	default:
		return nil, false
	}
}

// randomBytes returns as many random bytes as the request's number says.
func randomBytes(r request) (answer, error) {
	n, err := params[int](r)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxRandom {
		return nil, rangeFault("ERR_OUT_OF_RANGE", "At most %d random bytes can be asked for at once.", maxRandom)
	}
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	return b, nil
}
