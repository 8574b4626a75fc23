package catalog

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some APIs want requests signed with it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// function is one function of the template language.
type function struct {
	usage            string
	minArgs, maxArgs int
	split            func([]node) [][]node
	eval             func(x *expansion, args []string) (string, error)
}

func (f function) arity() string {
	switch {
	case f.minArgs != f.maxArgs:
		return fmt.Sprintf("%d to %d arguments", f.minArgs, f.maxArgs)
	case f.minArgs == 1:
		return "one argument"
	}
	return fmt.Sprintf("%d arguments", f.minArgs)
}

func functionNames() []string {
	return []string{"awsSigV4", "base64", "ed25519Sign", "fingerprint", "hmacSha1Hex", "sha256Base64", "sha256Hex"}
}

// functionNamed is the table of functions.
func functionNamed(name string) (function, bool) {
	switch name {
	case "base64":
		return textFunction("base64(text)", func(text string) (string, error) {
			return base64.StdEncoding.EncodeToString([]byte(text)), nil
		}), true
	case "sha256Hex":
		return textFunction("sha256Hex(text)", func(text string) (string, error) {
			sum := sha256.Sum256([]byte(text))
			return hex.EncodeToString(sum[:]), nil
		}), true
	case "sha256Base64":
		return textFunction("sha256Base64(text)", func(text string) (string, error) {
			sum := sha256.Sum256([]byte(text))
			return base64.StdEncoding.EncodeToString(sum[:]), nil
		}), true
	case "fingerprint":
		return textFunction("fingerprint(PEM key)", keyFingerprint), true
	case "hmacSha1Hex":
		return keyedFunction("hmacSha1Hex(message, key)", hmacSHA1), true
	case "ed25519Sign":
		return keyedFunction("ed25519Sign(message, PEM key)", signEd25519), true
	case "awsSigV4":
		return function{
			usage: "awsSigV4(key id, secret, region, service[, host])", minArgs: 4, maxArgs: 5,
			split: splitArguments, eval: evalAWSSigV4,
		}, true
	}
	return function{}, false
}

// textFunction takes its whole body, commas included, as one argument.
func textFunction(usage string, eval func(string) (string, error)) function {
	return function{
		usage: usage, minArgs: 1, maxArgs: 1,
		split: func(nodes []node) [][]node { return [][]node{nodes} },
		eval:  func(_ *expansion, args []string) (string, error) { return eval(args[0]) },
	}
}

// keyedFunction takes a message and a key, divided by the last comma.
func keyedFunction(usage string, eval func(message, key string) (string, error)) function {
	return function{
		usage: usage, minArgs: 2, maxArgs: 2,
		split: func(nodes []node) [][]node {
			parts := splitTopLevel(nodes, true)
			if last := len(parts) - 1; last > 0 {
				parts[last] = trimNodes(parts[last])
			}
			return parts
		},
		eval: func(_ *expansion, args []string) (string, error) { return eval(args[0], args[1]) },
	}
}

// splitArguments divides at every comma and trims each argument.
func splitArguments(nodes []node) [][]node {
	parts := splitTopLevel(nodes, false)
	for i := range parts {
		parts[i] = trimNodes(parts[i])
	}
	return parts
}

// hmacSHA1 exists because some APIs sign their requests with it.
func hmacSHA1(message, key string) (string, error) {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// signEd25519 signs message with a PKCS#8 key and returns base64.
func signEd25519(message, key string) (string, error) {
	block, err := decodePEM(key, "PRIVATE KEY")
	if err != nil {
		return "", err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", errors.New("the key is not a PKCS#8 private key")
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return "", errors.New("the key is not an Ed25519 key")
	}
	return base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(message))), nil
}

// keyFingerprint returns "SHA256:" and the base64 digest of the public half of a
// key in its SubjectPublicKeyInfo form.
func keyFingerprint(key string) (string, error) {
	block, err := decodePEM(key, "PRIVATE KEY")
	if err != nil {
		return "", err
	}
	public, err := publicKey(block)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", errors.New("the key is of an unknown kind")
	}
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), nil
}

func publicKey(block *pem.Block) (any, error) {
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		return key, nil
	}
	var private any
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		if key, err := parse(block.Bytes); err == nil {
			private = key
			break
		}
	}
	if signer, ok := private.(crypto.Signer); ok {
		return signer.Public(), nil
	}
	return nil, errors.New("the key cannot be read: expected an unencrypted PEM key")
}

// decodePEM reads a key the way people paste them: with or without its BEGIN and
// END lines, with literal \n instead of line ends, with blanks in between.
func decodePEM(text, defaultType string) (*pem.Block, error) {
	text = strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text)
	kind, body := defaultType, text
	if _, rest, ok := strings.Cut(text, "-----BEGIN "); ok {
		header, rest, ok := strings.Cut(rest, "-----")
		if !ok {
			return nil, errors.New("the key's BEGIN line is cut off")
		}
		inner, _, ok := strings.Cut(rest, "-----END ")
		if !ok {
			return nil, errors.New("the key's END line is missing")
		}
		kind, body = header, inner
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil || len(der) == 0 {
		return nil, errors.New("the key is not PEM text")
	}
	return &pem.Block{Type: kind, Bytes: der}, nil
}
