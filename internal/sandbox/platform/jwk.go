package platform

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
)

// jwk is a JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037).
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	D   string `json:"d,omitempty"`
	P   string `json:"p,omitempty"`
	Q   string `json:"q,omitempty"`
	DP  string `json:"dp,omitempty"`
	DQ  string `json:"dq,omitempty"`
	QI  string `json:"qi,omitempty"`
}

func jwkBytes(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

func jwkText(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jwkInt(s string) (*big.Int, error) {
	b, err := jwkBytes(s)
	if err != nil || len(b) > maxRSABits/8+1 {
		return nil, unreadableKey()
	}
	return new(big.Int).SetBytes(b), nil
}

func keyOfJWK(text []byte) (any, error) {
	var k jwk
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, unreadableKey()
	}
	switch k.Kty {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ec()
	case "OKP":
		return k.okp()
	default:
		return nil, unreadableKey()
	}
}

func (k jwk) rsa() (any, error) {
	var numbers [5]*big.Int
	for i, s := range []string{k.N, k.E, k.D, k.P, k.Q} {
		n, err := jwkInt(s)
		if err != nil {
			return nil, err
		}
		numbers[i] = n
	}
	n, e, d := numbers[0], numbers[1], numbers[2]
	if n.Sign() == 0 || !e.IsInt64() || e.Int64() < 2 || e.Int64() > 1<<31-1 {
		return nil, unreadableKey()
	}
	public := rsa.PublicKey{N: n, E: int(e.Int64())}
	if k.D == "" {
		return &public, nil
	}
	key := &rsa.PrivateKey{PublicKey: public, D: d, Primes: []*big.Int{numbers[3], numbers[4]}}
	if key.Primes[0].Sign() == 0 || key.Primes[1].Sign() == 0 || key.Validate() != nil {
		return nil, unreadableKey()
	}
	key.Precompute()
	return key, nil
}

func (k jwk) ec() (any, error) {
	curve, err := curveOf(k.Crv)
	if err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	x, errX := jwkBytes(k.X)
	y, errY := jwkBytes(k.Y)
	if errX != nil || errY != nil || len(x) > size || len(y) > size {
		return nil, unreadableKey()
	}
	point := slices.Concat([]byte{4}, leftPad(x, size), leftPad(y, size))
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil || k.D == "" {
		return public, err
	}
	d, err := jwkBytes(k.D)
	if err != nil || len(d) > size {
		return nil, unreadableKey()
	}
	private, err := ecdsa.ParseRawPrivateKey(curve, leftPad(d, size))
	if err != nil || !private.PublicKey.Equal(public) {
		return nil, unreadableKey()
	}
	return private, nil
}

func leftPad(b []byte, size int) []byte {
	return slices.Concat(make([]byte, size-len(b)), b)
}

func (k jwk) okp() (any, error) {
	x, err := jwkBytes(k.X)
	if err != nil {
		return nil, err
	}
	d, err := jwkBytes(k.D)
	if err != nil {
		return nil, err
	}
	switch {
	case k.Crv == "Ed25519" && k.D == "" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x), nil
	case k.Crv == "Ed25519" && len(d) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(d), nil
	case k.Crv == "X25519" && k.D == "":
		return ecdh.X25519().NewPublicKey(x)
	case k.Crv == "X25519":
		return ecdh.X25519().NewPrivateKey(d)
	default:
		return nil, unreadableKey()
	}
}

func jwkOf(key any) (answer, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return rsaJWK(k), nil
	case *rsa.PrivateKey:
		if len(k.Primes) != 2 {
			return nil, unreadableKey()
		}
		out := rsaJWK(&k.PublicKey)
		out.D, out.P, out.Q = jwkText(k.D.Bytes()), jwkText(k.Primes[0].Bytes()), jwkText(k.Primes[1].Bytes())
		out.DP, out.DQ = jwkText(k.Precomputed.Dp.Bytes()), jwkText(k.Precomputed.Dq.Bytes())
		out.QI = jwkText(k.Precomputed.Qinv.Bytes())
		return out, nil
	case *ecdsa.PublicKey:
		return ecJWK(k)
	case *ecdsa.PrivateKey:
		out, err := ecJWK(&k.PublicKey)
		if err != nil {
			return nil, err
		}
		d, err := k.Bytes()
		if err != nil {
			return nil, unreadableKey()
		}
		out.D = jwkText(d)
		return out, nil
	case ed25519.PublicKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: jwkText(k)}, nil
	case ed25519.PrivateKey:
		public, _ := k.Public().(ed25519.PublicKey)
		return jwk{Kty: "OKP", Crv: "Ed25519", X: jwkText(public), D: jwkText(k.Seed())}, nil
	case *ecdh.PublicKey:
		return jwk{Kty: "OKP", Crv: "X25519", X: jwkText(k.Bytes())}, nil
	case *ecdh.PrivateKey:
		return jwk{Kty: "OKP", Crv: "X25519", X: jwkText(k.PublicKey().Bytes()), D: jwkText(k.Bytes())}, nil
	default:
		return nil, unreadableKey()
	}
}

func rsaJWK(k *rsa.PublicKey) jwk {
	return jwk{Kty: "RSA", N: jwkText(k.N.Bytes()), E: jwkText(big.NewInt(int64(k.E)).Bytes())}
}

func ecJWK(k *ecdsa.PublicKey) (jwk, error) {
	point, err := k.Bytes()
	if err != nil {
		return jwk{}, unreadableKey()
	}
	names := map[elliptic.Curve]string{elliptic.P256(): "P-256", elliptic.P384(): "P-384", elliptic.P521(): "P-521"}
	half := (len(point) - 1) / 2
	return jwk{Kty: "EC", Crv: names[k.Curve], X: jwkText(point[1 : 1+half]), Y: jwkText(point[1+half:])}, nil
}
