package platform

// cryptoCall serves the functions behind the modules crypto and webcrypto.
func cryptoCall(r request) (answer, error) {
	switch r.name {
	case "crypto.hash":
		return cryptoHash(r)
	case "crypto.hmac":
		return cryptoHMAC(r)
	case "crypto.equal":
		return cryptoEqual(r)
	case "crypto.pbkdf2":
		return cryptoPBKDF2(r)
	case "crypto.hkdf":
		return cryptoHKDF(r)
	case "crypto.scrypt":
		return cryptoScrypt(r)
	case "crypto.cipherInfo":
		return cryptoCipherInfo(r)
	case "crypto.cipher":
		return cryptoCipher(r, false)
	case "crypto.decipher":
		return cryptoCipher(r, true)
	case "crypto.stream":
		return cryptoStream(r)
	case "crypto.key":
		return cryptoKey(r)
	case "crypto.export":
		return cryptoExport(r)
	case "crypto.sign":
		return cryptoSign(r, false)
	case "crypto.verify":
		return cryptoVerify(r)
	case "crypto.decrypt":
		return cryptoDecrypt(r)
	case "crypto.agree":
		return cryptoAgree(r)
	default:
		return nil, errUnknown
	}
}

// randomCall serves the functions whose answers differ each time. Their names
// tell the engine that they do.
func randomCall(r request) (answer, error) {
	switch r.name {
	case "random.bytes":
		return randomBytes(r)
	case "random.key":
		return randomKey(r)
	case "random.sign":
		return cryptoSign(r, true)
	case "random.encrypt":
		return cryptoEncrypt(r)
	default:
		return nil, errUnknown
	}
}
