package platform

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// maxRSABits bounds the keys that are worked with, in bits.
const maxRSABits = 8192

// keyInfo is what JavaScript keeps of a key beside its DER, which is PKCS #8 for
// private and SPKI for public keys.
type keyInfo struct {
	Type     string `json:"type"` // private, public
	Kind     string `json:"kind"` // rsa, ec, ed25519, x25519
	Bits     int    `json:"bits,omitempty"`
	Exponent int    `json:"exponent,omitempty"`
	Curve    string `json:"curve,omitempty"` // as OpenSSL calls it
	DER      []byte `json:"der"`
}

func unreadableKey() error {
	return plainFault("ERR_OSSL_UNSUPPORTED",
		"The key can't be read: PEM, DER and JWK without a passphrase are supported, with RSA, EC (P-256, P-384, P-521), Ed25519 and X25519 keys.")
}

// describe checks a key and says what it is.
func describe(key any) (keyInfo, error) {
	info := keyInfo{Type: "public"}
	public := key
	if private, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		info.Type = "private"
		public = private.Public()
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() > maxRSABits {
			return info, rangeFault("ERR_OUT_OF_RANGE", "RSA keys may have at most %d bits.", maxRSABits)
		}
		info.Kind, info.Bits, info.Exponent = "rsa", k.N.BitLen(), k.E
	case *ecdsa.PublicKey:
		name, ok := curveName(k.Curve)
		if !ok {
			return info, unreadableKey()
		}
		info.Kind, info.Curve = "ec", name
	case ed25519.PublicKey:
		info.Kind = "ed25519"
	case *ecdh.PublicKey:
		if k.Curve() != ecdh.X25519() {
			return info, unreadableKey()
		}
		info.Kind = "x25519"
	default:
		return info, unreadableKey()
	}
	var err error
	if info.Type == "private" {
		info.DER, err = x509.MarshalPKCS8PrivateKey(key)
	} else {
		info.DER, err = x509.MarshalPKIXPublicKey(key)
	}
	if err != nil {
		return info, unreadableKey()
	}
	return info, nil
}

func curveName(c elliptic.Curve) (string, bool) {
	switch c {
	case elliptic.P256():
		return "prime256v1", true
	case elliptic.P384():
		return "secp384r1", true
	case elliptic.P521():
		return "secp521r1", true
	default:
		return "", false
	}
}

func curveOf(name string) (elliptic.Curve, error) {
	switch strings.ToLower(name) {
	case "prime256v1", "p-256", "secp256r1":
		return elliptic.P256(), nil
	case "secp384r1", "p-384":
		return elliptic.P384(), nil
	case "secp521r1", "p-521":
		return elliptic.P521(), nil
	default:
		return nil, typeFault("ERR_CRYPTO_INVALID_CURVE", "Invalid EC curve name: P-256, P-384 and P-521 are available in functions, not %q", name)
	}
}

// cryptoKey reads a key of any format; the part is its text or DER.
func cryptoKey(r request) (answer, error) {
	p, parts, err := input[struct {
		Format string `json:"format"` // pem, der, jwk, raw
		Want   string `json:"want"`   // private, public, any
		Kind   string `json:"kind"`   // of raw keys: ed25519, x25519, a curve
	}](r, 1)
	if err != nil {
		return nil, err
	}
	var key any
	switch p.Format {
	case "pem":
		key, err = keyOfPEM(parts[0])
	case "der":
		key, err = keyOfDER(parts[0])
	case "jwk":
		key, err = keyOfJWK(parts[0])
	case "raw":
		key, err = keyOfRaw(p.Kind, parts[0])
	default:
		err = unreadableKey()
	}
	if err != nil {
		return nil, asFault(err)
	}
	info, err := describe(key)
	if err != nil {
		return nil, err
	}
	if p.Want == "public" && info.Type == "private" {
		private, _ := key.(interface{ Public() crypto.PublicKey })
		return publicInfo(private)
	}
	if p.Want == "private" && info.Type != "private" {
		return nil, unreadableKey()
	}
	return info, nil
}

func publicInfo(private interface{ Public() crypto.PublicKey }) (answer, error) {
	info, err := describe(private.Public())
	if err != nil {
		return nil, err
	}
	return info, nil
}

// asFault hides what a library says of a key.
func asFault(err error) error {
	if _, ok := errors.AsType[*fault](err); ok {
		return err
	}
	return unreadableKey()
}

func keyOfPEM(text []byte) (any, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, unreadableKey()
		}
		text = rest
		switch block.Type {
		case "ENCRYPTED PRIVATE KEY":
			return nil, encryptedKey()
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			return cert.PublicKey, nil
		case "EC PARAMETERS":
			continue
		default:
			if block.Headers["DEK-Info"] != "" {
				return nil, encryptedKey()
			}
			return keyOfDER(block.Bytes)
		}
	}
}

func encryptedKey() error {
	return typeFault("ERR_MISSING_PASSPHRASE", "The key is encrypted. Keys with a passphrase can't be used in functions: decrypt it first.")
}

func keyOfDER(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKIXPublicKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return key, nil
	}
	return nil, unreadableKey()
}

func keyOfRaw(kind string, raw []byte) (any, error) {
	switch kind {
	case "ed25519":
		if len(raw) != ed25519.PublicKeySize {
			return nil, unreadableKey()
		}
		return ed25519.PublicKey(raw), nil
	case "x25519":
		return ecdh.X25519().NewPublicKey(raw)
	default:
		curve, err := curveOf(kind)
		if err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(curve, raw)
	}
}

// privateKey and publicKey read what JavaScript kept.
func privateKey(der []byte) (any, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, unreadableKey()
	}
	if _, err := describe(key); err != nil {
		return nil, err
	}
	return key, nil
}

func publicKey(der []byte) (any, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		private, err := privateKey(der)
		if err != nil {
			return nil, err
		}
		if signer, ok := private.(interface{ Public() crypto.PublicKey }); ok {
			return signer.Public(), nil
		}
		return nil, unreadableKey()
	}
	if _, err := describe(key); err != nil {
		return nil, err
	}
	return key, nil
}

// cryptoExport writes a key as PEM, DER or JWK; the part is its DER.
func cryptoExport(r request) (answer, error) {
	p, parts, err := input[struct {
		Private bool   `json:"private"`
		Format  string `json:"format"` // pem, der, jwk, raw
		Type    string `json:"type"`   // pkcs1, pkcs8, sec1, spki
	}](r, 1)
	if err != nil {
		return nil, err
	}
	load := publicKey
	if p.Private {
		load = privateKey
	}
	key, err := load(parts[0])
	if err != nil {
		return nil, err
	}
	switch p.Format {
	case "jwk":
		return jwkOf(key)
	case "raw":
		return rawOf(key)
	}
	der, label, err := marshalKey(key, p.Type, parts[0])
	if err != nil {
		return nil, err
	}
	if p.Format == "pem" {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})), nil
	}
	return der, nil
}

func marshalKey(key any, kind string, der []byte) (out []byte, label string, err error) {
	mismatch := typeFault("ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS", "The selected key encoding %s does not fit the key.", kind)
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if kind == "pkcs1" {
			return x509.MarshalPKCS1PrivateKey(k), "RSA PRIVATE KEY", nil
		}
	case *rsa.PublicKey:
		if kind == "pkcs1" {
			return x509.MarshalPKCS1PublicKey(k), "RSA PUBLIC KEY", nil
		}
	case *ecdsa.PrivateKey:
		if kind == "sec1" {
			out, err = x509.MarshalECPrivateKey(k)
			return out, "EC PRIVATE KEY", err
		}
	}
	_, private := key.(interface{ Public() crypto.PublicKey })
	switch {
	case kind == "pkcs8" && private:
		return der, "PRIVATE KEY", nil
	case kind == "spki" && !private:
		out, err = x509.MarshalPKIXPublicKey(key)
		return out, "PUBLIC KEY", err
	default:
		return nil, "", mismatch
	}
}

func rawOf(key any) (answer, error) {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return []byte(k), nil
	case *ecdh.PublicKey:
		return k.Bytes(), nil
	case *ecdsa.PublicKey:
		raw, err := k.Bytes()
		if err != nil {
			return nil, unreadableKey()
		}
		return raw, nil
	default:
		return nil, plainFault("ERR_CRYPTO_INCOMPATIBLE_KEY_OPTIONS", "The key has no raw form.")
	}
}

// randomKey makes a key pair and returns the private one.
func randomKey(r request) (answer, error) {
	p, err := params[struct {
		Kind  string `json:"kind"`
		Bits  int    `json:"bits"`
		Curve string `json:"curve"`
	}](r)
	if err != nil {
		return nil, err
	}
	var key any
	switch p.Kind {
	case "rsa":
		if p.Bits < 1024 || p.Bits > 4096 {
			return nil, rangeFault("ERR_OUT_OF_RANGE", "RSA keys made in functions have between 1024 and 4096 bits.")
		}
		key, err = rsa.GenerateKey(rand.Reader, p.Bits)
	case "ec":
		curve, unknown := curveOf(p.Curve)
		if unknown != nil {
			return nil, unknown
		}
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "x25519":
		key, err = ecdh.X25519().GenerateKey(rand.Reader)
	default:
		return nil, typeFault("ERR_INVALID_ARG_VALUE", "Keys of type %q can't be made in functions.", p.Kind)
	}
	if err != nil {
		return nil, plainFault("ERR_CRYPTO_OPERATION_FAILED", "Making the key failed.")
	}
	info, err := describe(key)
	if err != nil {
		return nil, err
	}
	return info, nil
}
