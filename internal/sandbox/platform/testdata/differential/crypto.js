// Left out: characters beyond ASCII in base64 and hex, of which Node takes the low
// bytes.
const out = [];
const hashes = ["md5", "sha1", "sha224", "sha256", "SHA256", "RSA-SHA256", "sha384", "sha512", "sha512-256", "sha3-256", "sha3-512", "shake128", "shake256"];
const encodings = [undefined, "hex", "base64", "base64url", "latin1", "utf8", "binary"];
const shown = v => typeof v === "string" ? v : Buffer.from(v).toString("hex");
for (let i = 0; i < n; i++) {
	const name = pick(hashes), encoding = pick(encodings), pieces = some(0, 4, () => draw() < 0.5 ? bytes(0, 200) : text(0, 20));
	out.push(["hash " + name + " " + encoding, tried(() => { const h = crypto.createHash(name); for (const p of pieces) h.update(p); return shown(h.digest(encoding)); })]);
	const kind = pick(["utf8", "latin1", "hex", "base64", "ascii", "utf16le"]), t = text(0, 30).replace(/[^\0-\x7f]/g, kind.startsWith("b") || kind === "hex" ? "" : "$&");
	out.push(["hash of " + kind + " " + JSON.stringify(t), tried(() => crypto.createHash("sha256").update(t, kind).digest("hex"))]);
	const key = draw() < 0.3 ? text(0, 40) : bytes(0, 200);
	if (!name.startsWith("shake")) out.push(["hmac " + name, tried(() => { const h = crypto.createHmac(name, key); for (const p of pieces) h.update(p); return shown(h.digest(encoding)); })]);
	const bits = pick([128, 192, 256]), mode = pick(["cbc", "ctr", "ecb", "gcm"]), algorithm = `aes-${bits}-${mode}`;
	const secret = bytes(bits / 8, bits / 8), nonce = mode === "ecb" ? null : mode === "gcm" ? bytes(1, 40) : bytes(16, 16);
	const padding = draw() < 0.7, extra = bytes(0, 40), cut = draw() < 0.2 ? some(0, 9, () => bytes(0, 50)) : some(0, 9, () => bytes(0, 3).length === 0 ? bytes(16, 16) : bytes(0, 70)), size = pick([16, 16, 12, 8, 4]);
	let sealed, tag;
	out.push(["cipher " + algorithm + " " + padding + " " + nonce?.length, tried(() => {
		const c = crypto.createCipheriv(algorithm, secret, nonce, mode === "gcm" ? { authTagLength: size } : undefined);
		c.setAutoPadding(padding);
		if (mode === "gcm") c.setAAD(extra);
		const parts = [...cut.map(p => c.update(p)), c.final()];
		sealed = Buffer.concat(parts);
		tag = mode === "gcm" ? c.getAuthTag() : undefined;
		return [parts.map(p => p.toString("hex")).join(" "), tag?.toString("hex")];
	})]);
	if (sealed) {
		const damage = draw();
		if (damage < 0.1 && sealed.length > 0) sealed[int(0, sealed.length - 1)] ^= 1;
		if (damage > 0.9 && tag) tag[0] ^= 1;
		if (damage > 0.4 && damage < 0.5) sealed = sealed.subarray(0, int(0, sealed.length));
		const points = some(0, 6, () => int(0, sealed.length)).sort((a, b) => a - b);
		out.push(["decipher " + algorithm + " " + padding + " " + sealed.length, tried(() => {
			const c = crypto.createDecipheriv(algorithm, secret, nonce, mode === "gcm" ? { authTagLength: size } : undefined);
			c.setAutoPadding(padding);
			if (mode === "gcm") { c.setAAD(extra); c.setAuthTag(tag); }
			const parts = [0, ...points].map((p, j) => c.update(sealed.subarray(p, points[j] ?? sealed.length)));
			parts.push(c.final());
			return parts.map(p => p.toString("hex")).join(" ");
		})]);
	}
	out.push(["pbkdf2", tried(() => crypto.pbkdf2Sync(key, text(0, 9), int(1, 20), int(0, 90), pick(["sha1", "sha256", "sha512", "md5"])).toString("hex"))]);
	out.push(["hkdf", tried(() => Buffer.from(crypto.hkdfSync(pick(["sha1", "sha256", "sha512"]), key, bytes(0, 30), bytes(0, 30), int(0, 90))).toString("hex"))]);
	if (i % 10 === 0) out.push(["scrypt", tried(() => crypto.scryptSync(key, bytes(0, 9), int(0, 80), { N: 2 ** int(1, 8), r: int(1, 8), p: int(1, 3) }).toString("hex"))]);
	const [a, b] = [bytes(0, 4), bytes(0, 4)];
	out.push(["timingSafeEqual", tried(() => crypto.timingSafeEqual(a, draw() < 0.5 ? Buffer.from(a) : b))]);
	if (i % 4 === 0) {
		const rsa = pick(["sha1", "sha256", "sha512", "RSA-SHA384"]), value = bytes(0, 99);
		const signature = crypto.createSign(rsa).update(value).sign(RSA);
		out.push(["sign " + rsa, signature.toString("base64")]);
		out.push(["verify", tried(() => crypto.createVerify(rsa).update(draw() < 0.5 ? value : bytes(0, 5)).verify(crypto.createPublicKey(RSA), signature))]);
		out.push(["verify what is none", tried(() => crypto.createVerify(rsa).update(value).verify(crypto.createPublicKey(RSA), bytes(0, 300)))]);
		out.push(["ed25519", crypto.sign(null, value, ED).toString("hex")]);
		out.push(["ecdsa own", crypto.verify("sha256", value, crypto.createPublicKey(EC), crypto.sign("sha256", value, EC))]);
		out.push(["ecdsa none", tried(() => crypto.verify("sha256", value, { key: EC, dsaEncoding: pick(["der", "ieee-p1363"]) }, bytes(0, 80)))]);
	}
}
return out;
