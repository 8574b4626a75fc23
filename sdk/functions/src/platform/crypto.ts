// The module crypto. The host does the work; what is given in pieces is kept
// here until the end.
import { Buffer, type BufferObject } from "./buffer";
import { coded, pure, pureBytes, wrongType } from "./host";
import { createPrivateKey, createPublicKey, createSecretKey, data, generateKeyPairSync, KeyObject, privateKey, publicKey, raw, symmetric } from "./keys";
import { CryptoKey, getRandomValues, randomUUID, subtle, webcrypto } from "./webcrypto";

type Output = BufferObject | string;

function output(bytes: Uint8Array, encoding: unknown): Output {
	const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	return encoding === undefined || encoding === null || encoding === "buffer" ? buffer : buffer.toString(encoding);
}

const empty = new Uint8Array(0);

/** Bytes that come in pieces. */
class Pieces {
	#pieces: Uint8Array[] = [];
	add(value: unknown, encoding?: unknown): void {
		const bytes = data(value, "data", encoding);
		this.#pieces.push(typeof value === "string" ? bytes : bytes.slice());
	}
	all(): Uint8Array {
		if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
		return this.#pieces[0]!;
	}
	clone(): Pieces {
		const made = new Pieces();
		made.#pieces = [...this.#pieces];
		return made;
	}
}

const hashes = ["RSA-MD5", "RSA-SHA1", "RSA-SHA224", "RSA-SHA256", "RSA-SHA384", "RSA-SHA512", "md5", "sha1", "sha224", "sha256", "sha3-224", "sha3-256", "sha3-384", "sha3-512", "sha384", "sha512", "sha512-224", "sha512-256", "shake128", "shake256"];

/** Fails at once for hashes that there are not. */
function checkHash(algorithm: unknown, message: string): void {
	if (typeof algorithm !== "string") throw wrongType("algorithm", "of type string", algorithm);
	const name = algorithm.toLowerCase();
	if (!hashes.some((known) => known.toLowerCase() === name || known.replace("sha", "sha-") === name)) throw message === "Invalid digest" ? coded("Error", "ERR_CRYPTO_INVALID_DIGEST", `${message}: ${algorithm}`) : coded("Error", undefined, message);
}

export class Hash {
	readonly #algorithm: string;
	readonly #length: number | undefined;
	readonly #pieces: Pieces;
	#done = false;
	constructor(algorithm: string, options?: { outputLength?: number }, pieces = new Pieces()) {
		checkHash(algorithm, "Digest method not supported");
		this.#algorithm = algorithm;
		this.#length = options?.outputLength;
		this.#pieces = pieces;
	}
	update(value: unknown, encoding?: unknown): this {
		if (this.#done) throw coded("Error", "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
		this.#pieces.add(value, encoding);
		return this;
	}
	digest(encoding?: unknown): Output {
		if (this.#done) throw coded("Error", "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
		this.#done = true;
		return output(pureBytes("crypto.hash", { algorithm: this.#algorithm, length: this.#length }, this.#pieces.all()), encoding);
	}
	copy(options?: { outputLength?: number }): Hash {
		if (this.#done) throw coded("Error", "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
		return new Hash(this.#algorithm, options ?? (this.#length === undefined ? {} : { outputLength: this.#length }), this.#pieces.clone());
	}
}

export class Hmac {
	readonly #algorithm: string;
	readonly #key: Uint8Array;
	readonly #pieces = new Pieces();
	#done = false;
	constructor(algorithm: string, key: unknown) {
		checkHash(algorithm, "Invalid digest");
		if (key === null || key === undefined) throw wrongType("key", "of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey", key);
		this.#algorithm = algorithm;
		this.#key = symmetric(key).slice();
	}
	update(value: unknown, encoding?: unknown): this {
		if (this.#done) throw coded("Error", "ERR_CRYPTO_HASH_FINALIZED", "Digest already called");
		this.#pieces.add(value, encoding);
		return this;
	}
	digest(encoding?: unknown): Output {
		if (this.#done) return output(empty, encoding);
		this.#done = true;
		return output(pureBytes("crypto.hmac", { algorithm: this.#algorithm }, this.#key, this.#pieces.all()), encoding);
	}
}

// ---- signatures ----

const constants = {
	RSA_PKCS1_PADDING: 1,
	RSA_NO_PADDING: 3,
	RSA_PKCS1_OAEP_PADDING: 4,
	RSA_PKCS1_PSS_PADDING: 6,
	RSA_PSS_SALTLEN_DIGEST: -1,
	RSA_PSS_SALTLEN_MAX_SIGN: -2,
	RSA_PSS_SALTLEN_AUTO: -2,
};

function signOptions(algorithm: unknown, key: any): object {
	const padding = key?.padding;
	if (padding !== undefined && padding !== constants.RSA_PKCS1_PADDING && padding !== constants.RSA_PKCS1_PSS_PADDING) throw coded("TypeError", "ERR_INVALID_ARG_VALUE", `The property 'options.padding' is invalid. Received ${padding}`);
	return {
		hash: algorithm === null || algorithm === undefined ? "sha256" : String(algorithm),
		padding: padding === constants.RSA_PKCS1_PSS_PADDING ? "pss" : "pkcs1",
		salt: key?.saltLength,
		raw: key?.dsaEncoding === "ieee-p1363",
	};
}

function deterministic(key: KeyObject, options: any): boolean {
	return key.asymmetricKeyType === "ed25519" || (key.asymmetricKeyType === "rsa" && options.padding === "pkcs1");
}

function signBytes(algorithm: unknown, bytes: Uint8Array, key: unknown): Uint8Array {
	const object = privateKey(key);
	const options = signOptions(algorithm, key);
	return pureBytes(deterministic(object, options) ? "crypto.sign" : "random.sign", options, object[raw](), bytes);
}

function verifyBytes(algorithm: unknown, bytes: Uint8Array, key: unknown, signature: Uint8Array): boolean {
	return pureBytes("crypto.verify", signOptions(algorithm, key), publicKey(key)[raw](), bytes, signature);
}

export class Sign {
	readonly #algorithm: string;
	readonly #pieces = new Pieces();
	constructor(algorithm: string) {
		checkHash(algorithm, "Invalid digest");
		this.#algorithm = algorithm;
	}
	update(value: unknown, encoding?: unknown): this {
		this.#pieces.add(value, encoding);
		return this;
	}
	write(value: unknown, encoding?: unknown): boolean {
		this.#pieces.add(value, encoding);
		return true;
	}
	end(value?: unknown, encoding?: unknown): this {
		if (value !== undefined) this.#pieces.add(value, encoding);
		return this;
	}
	sign(key: unknown, encoding?: unknown): Output {
		return output(signBytes(this.#algorithm, this.#pieces.all(), key), encoding);
	}
}

export class Verify {
	readonly #algorithm: string;
	readonly #pieces = new Pieces();
	constructor(algorithm: string) {
		checkHash(algorithm, "Invalid digest");
		this.#algorithm = algorithm;
	}
	update(value: unknown, encoding?: unknown): this {
		this.#pieces.add(value, encoding);
		return this;
	}
	write(value: unknown, encoding?: unknown): boolean {
		this.#pieces.add(value, encoding);
		return true;
	}
	end(value?: unknown, encoding?: unknown): this {
		if (value !== undefined) this.#pieces.add(value, encoding);
		return this;
	}
	verify(key: unknown, signature: unknown, encoding?: unknown): boolean {
		return verifyBytes(this.#algorithm, this.#pieces.all(), key, data(signature, "signature", encoding));
	}
}

/** Calls back later, as Node's functions that have both forms do. */
function later(run: () => unknown, callback: (error: unknown, value?: unknown) => void): void {
	let outcome: [unknown, unknown?];
	try {
		outcome = [null, run()];
	} catch (thrown) {
		outcome = [thrown];
	}
	(globalThis as any).setImmediate(() => callback(...outcome));
}

function maybeLater(run: () => unknown, callback: unknown): any {
	if (typeof callback !== "function") return run();
	later(run, callback as () => void);
}

// ---- ciphers ----

interface CipherOptions {
	authTagLength?: number;
}

const blockBytes = 16;

class Cipher {
	readonly #decrypt: boolean;
	readonly #algorithm: string;
	readonly #key: Uint8Array;
	readonly #mode: string;
	readonly #tagLength: number | undefined;
	/** Of CBC: the block before. */
	#nonce: Uint8Array;
	/** All of it, where the tag is to be known at the end. */
	readonly #pieces = new Pieces();
	/** What does not fill a block yet, or may hold the padding. */
	#rest: Uint8Array = empty;
	/** How many bytes are done. */
	#sent = 0;
	#extra: Uint8Array = empty;
	#tag: Uint8Array | undefined;
	#padding = true;
	#done = false;
	constructor(decrypt: boolean, algorithm: string, key: unknown, nonce: unknown, options?: CipherOptions) {
		if (typeof algorithm !== "string") throw wrongType("cipher", "of type string", algorithm);
		const info = pure("crypto.cipherInfo", algorithm);
		this.#decrypt = decrypt;
		this.#algorithm = algorithm;
		this.#key = symmetric(key).slice();
		this.#nonce = nonce === null ? empty : data(nonce, "iv").slice();
		this.#mode = info.mode;
		this.#tagLength = options?.authTagLength;
		if (this.#key.length !== info.keyLength) throw coded("RangeError", "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length");
		if (this.#mode === "gcm" ? this.#nonce.length === 0 : this.#nonce.length !== info.ivLength) throw coded("TypeError", "ERR_CRYPTO_INVALID_IV", "Invalid initialization vector");
	}
	update(value: unknown, encoding?: unknown, outputEncoding?: unknown): Output {
		if (this.#done) throw coded("Error", "ERR_CRYPTO_INVALID_STATE", "Invalid state for operation update");
		const bytes = data(value, "data", encoding);
		return output(this.#mode === "ctr" || this.#mode === "gcm" ? this.#stream(bytes) : this.#blocks(bytes), outputEncoding);
	}
	/** Counters give what belongs to any part of a text. */
	#stream(bytes: Uint8Array): Uint8Array {
		if (this.#mode === "gcm") this.#pieces.add(bytes);
		const part: Uint8Array = pureBytes("crypto.stream", { algorithm: this.#algorithm, skip: this.#sent }, this.#key, this.#nonce, bytes);
		this.#sent += bytes.length;
		return part;
	}
	/** Blocks are done when they are whole. Where padding is to be removed, the last of them waits for the end. */
	#blocks(bytes: Uint8Array): Uint8Array {
		const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
		const held = this.#decrypt && this.#padding && all.length > 0 ? ((all.length - 1) % blockBytes) + 1 : all.length % blockBytes;
		const whole = all.subarray(0, all.length - held);
		this.#rest = all.slice(whole.length);
		if (whole.length === 0) return empty;
		const part = this.#run(whole, false);
		if (this.#mode === "cbc") this.#nonce = (this.#decrypt ? whole : part).slice(-blockBytes);
		return part;
	}
	final(outputEncoding?: unknown): Output {
		if (this.#done) throw coded("Error", "ERR_CRYPTO_INVALID_STATE", "Invalid state for operation final");
		this.#done = true;
		switch (this.#mode) {
			case "ctr":
				return output(empty, outputEncoding);
			case "gcm":
				this.#finalTag();
				return output(empty, outputEncoding);
		}
		return output(this.#run(this.#rest, this.#padding), outputEncoding);
	}
	#finalTag(): void {
		const all = this.#pieces.all();
		if (!this.#decrypt) {
			this.#tag = this.#gcm("crypto.cipher", all, empty).slice(all.length);
			return;
		}
		if (this.#tag === undefined) throw coded("Error", undefined, "Unsupported state or unable to authenticate data");
		this.#gcm("crypto.decipher", all, this.#tag);
	}
	#gcm(name: string, bytes: Uint8Array, tag: Uint8Array): Uint8Array {
		return pureBytes(name, { algorithm: this.#algorithm, tag: this.#tagLength ?? 16 }, this.#key, this.#nonce, bytes, this.#extra, tag);
	}
	#run(bytes: Uint8Array, padding: boolean): Uint8Array {
		return pureBytes(this.#decrypt ? "crypto.decipher" : "crypto.cipher", { algorithm: this.#algorithm, padding }, this.#key, this.#nonce, bytes, empty, empty);
	}
	setAutoPadding(on = true): this {
		this.#padding = Boolean(on);
		return this;
	}
	setAAD(extra: unknown): this {
		this.#extra = Buffer.concat([this.#extra, data(extra, "buffer")]);
		return this;
	}
	getAuthTag(): BufferObject {
		if (this.#decrypt || this.#tag === undefined) throw coded("Error", "ERR_CRYPTO_INVALID_STATE", "Invalid state for operation getAuthTag");
		return Buffer.from(this.#tag);
	}
	setAuthTag(tag: unknown, encoding?: unknown): this {
		const given = data(tag, "buffer", encoding).slice();
		const fits = this.#tagLength === undefined ? [4, 8, 12, 13, 14, 15, 16].includes(given.length) : given.length === this.#tagLength;
		if (!fits) throw coded("TypeError", "ERR_CRYPTO_INVALID_AUTH_TAG", `Invalid authentication tag length: ${given.length}`);
		this.#tag = given;
		return this;
	}
}

// ---- functions ----

function bytesOfLength(size: unknown): BufferObject {
	if (typeof size !== "number") throw wrongType("size", "of type number", size);
	if (!Number.isInteger(size) || size < 0 || size > 2 ** 31 - 1) throw coded("RangeError", "ERR_OUT_OF_RANGE", `The value of "size" is out of range. It must be >= 0 && <= 2147483647. Received ${size}`);
	const bytes: Uint8Array = pure("random.bytes", size);
	return Buffer.from(bytes.buffer);
}

function randomInt(min: any, max?: any, callback?: any): any {
	if (max === undefined || typeof max === "function") [min, max, callback] = [0, min, max];
	if (!Number.isSafeInteger(min)) throw wrongType("min", "a safe integer", min);
	if (!Number.isSafeInteger(max)) throw wrongType("max", "a safe integer", max);
	if (max <= min) throw coded("RangeError", "ERR_OUT_OF_RANGE", `The value of "max" is out of range. It must be greater than the value of "min" (${min}). Received ${max}`);
	const range = max - min;
	if (range > 2 ** 48 - 1) throw coded("RangeError", "ERR_OUT_OF_RANGE", `The value of "max - min" is out of range. It must be <= 281474976710655. Received ${range}`);
	const draw = () => {
		// Draws above the largest multiple of the range would favour small numbers.
		const limit = 2 ** 48 - (2 ** 48 % range);
		for (;;) {
			const drawn = bytesOfLength(6).readUIntBE(0, 6) as number;
			if (drawn < limit) return min + (drawn % range);
		}
	};
	return maybeLater(draw, callback);
}

function randomFillSync<T>(target: T, offset = 0, size?: number): T {
	const bytes = ArrayBuffer.isView(target) ? new Uint8Array(target.buffer, target.byteOffset, target.byteLength) : new Uint8Array(target as ArrayBuffer);
	const unit = (target as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
	const from = offset * unit;
	const length = size === undefined ? bytes.length - from : size * unit;
	if (from < 0 || length < 0 || from + length > bytes.length) throw coded("RangeError", "ERR_OUT_OF_RANGE", 'The value of "size + offset" is out of range.');
	bytes.set(bytesOfLength(length), from);
	return target;
}

function pbkdf2Sync(password: unknown, salt: unknown, iterations: number, length: number, digest: string): BufferObject {
	if (typeof digest !== "string") throw wrongType("digest", "of type string", digest);
	return Buffer.from(pureBytes("crypto.pbkdf2", { digest, iterations, length }, data(password, "password"), data(salt, "salt")));
}

interface ScryptOptions {
	N?: number;
	cost?: number;
	r?: number;
	blockSize?: number;
	p?: number;
	parallelization?: number;
	maxmem?: number;
}

function scryptSync(password: unknown, salt: unknown, length: number, o: ScryptOptions = {}): BufferObject {
	const params = { N: o.N ?? o.cost ?? 16384, r: o.r ?? o.blockSize ?? 8, p: o.p ?? o.parallelization ?? 1, maxmem: o.maxmem ?? 32 * 1024 * 1024, length };
	return Buffer.from(pureBytes("crypto.scrypt", params, data(password, "password"), data(salt, "salt")));
}

function hkdfSync(digest: string, key: unknown, salt: unknown, info: unknown, length: number): ArrayBuffer {
	return pureBytes("crypto.hkdf", { digest, length }, symmetric(key, "ikm"), data(salt, "salt"), data(info, "info")).buffer;
}

function sealOptions(key: any, pkcs1: boolean): [params: object, label: Uint8Array] {
	const padding = key?.padding ?? (pkcs1 ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_OAEP_PADDING);
	if (padding !== constants.RSA_PKCS1_PADDING && padding !== constants.RSA_PKCS1_OAEP_PADDING) throw coded("Error", "ERR_FEATURE_UNAVAILABLE", "RSA without padding is not available in functions.");
	return [{ padding: padding === constants.RSA_PKCS1_PADDING ? "pkcs1" : "oaep", hash: key?.oaepHash ?? "sha1" }, key?.oaepLabel === undefined ? empty : data(key.oaepLabel, "oaepLabel")];
}

function timingSafeEqual(a: unknown, b: unknown): boolean {
	if (typeof a === "string") throw wrongType("buf1", "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", a);
	if (typeof b === "string") throw wrongType("buf2", "an instance of ArrayBuffer, Buffer, TypedArray, or DataView", b);
	const [x, y] = [data(a, "buf1"), data(b, "buf2")];
	if (x.length !== y.length) throw coded("RangeError", "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH", "Input buffers must have the same byte length");
	return pureBytes("crypto.equal", {}, x, y);
}

/** The module crypto. */
export const crypto = {
	constants,
	createHash: (algorithm: string, options?: { outputLength?: number }) => new Hash(algorithm, options),
	createHmac: (algorithm: string, key: unknown) => new Hmac(algorithm, key),
	createSign: (algorithm: string) => new Sign(algorithm),
	createVerify: (algorithm: string) => new Verify(algorithm),
	createCipheriv: (algorithm: string, key: unknown, nonce: unknown, options?: CipherOptions) => new Cipher(false, algorithm, key, nonce, options),
	createDecipheriv: (algorithm: string, key: unknown, nonce: unknown, options?: CipherOptions) => new Cipher(true, algorithm, key, nonce, options),
	createPrivateKey,
	createPublicKey,
	createSecretKey,
	generateKeyPairSync,
	generateKeyPair(kind: string, options: any, callback: (error: unknown, open?: unknown, closed?: unknown) => void) {
		later(() => generateKeyPairSync(kind, options), (error, pair: any) => (error ? callback(error) : callback(null, pair.publicKey, pair.privateKey)));
	},
	generateKeySync: (_: string, options: { length: number }) => createSecretKey(bytesOfLength(options.length / 8)),
	diffieHellman: (pair: { privateKey: unknown; publicKey: unknown }) => Buffer.from(pureBytes("crypto.agree", {}, privateKey(pair.privateKey)[raw](), publicKey(pair.publicKey)[raw]())),
	sign: (algorithm: unknown, value: unknown, key: unknown, callback?: unknown) => maybeLater(() => Buffer.from(signBytes(algorithm, data(value, "data"), key)), callback),
	verify: (algorithm: unknown, value: unknown, key: unknown, signature: unknown, callback?: unknown) => maybeLater(() => verifyBytes(algorithm, data(value, "data"), key, data(signature, "signature")), callback),
	publicEncrypt(key: any, value: unknown) {
		const [params, label] = sealOptions(key, false);
		return Buffer.from(pureBytes("random.encrypt", params, publicKey(key)[raw](), data(value, "buffer"), label));
	},
	privateDecrypt(key: any, value: unknown) {
		const [params, label] = sealOptions(key, false);
		return Buffer.from(pureBytes("crypto.decrypt", params, privateKey(key)[raw](), data(value, "buffer"), label));
	},
	randomBytes: (size: number, callback?: unknown) => maybeLater(() => bytesOfLength(size), callback),
	pseudoRandomBytes: (size: number, callback?: unknown) => maybeLater(() => bytesOfLength(size), callback),
	randomInt,
	randomUUID,
	randomFillSync,
	randomFill(target: unknown, ...rest: any[]) {
		const callback = rest.pop();
		later(() => randomFillSync(target, ...rest), callback);
	},
	pbkdf2Sync,
	pbkdf2: (password: unknown, salt: unknown, iterations: number, length: number, digest: string, callback: any) => later(() => pbkdf2Sync(password, salt, iterations, length, digest), callback),
	scryptSync,
	scrypt(password: unknown, salt: unknown, length: number, options: any, callback?: any) {
		if (typeof options === "function") [options, callback] = [{}, options];
		later(() => scryptSync(password, salt, length, options), callback);
	},
	hkdfSync,
	hkdf: (digest: string, key: unknown, salt: unknown, info: unknown, length: number, callback: any) => later(() => hkdfSync(digest, key, salt, info, length), callback),
	timingSafeEqual,
	getHashes: () => [...hashes],
	getCiphers: () => [128, 192, 256].flatMap((bits) => ["cbc", "ctr", "ecb", "gcm"].map((mode) => `aes-${bits}-${mode}`)),
	getCurves: () => ["prime256v1", "secp384r1", "secp521r1"],
	getCipherInfo(name: string) {
		try {
			return { name, ...pure("crypto.cipherInfo", name) };
		} catch {
			return undefined;
		}
	},
	hash: (algorithm: string, value: unknown, encoding: unknown = "hex") => new Hash(algorithm).update(value).digest(encoding),
	getRandomValues,
	subtle,
	webcrypto,
	Hash,
	Hmac,
	Sign,
	Verify,
	KeyObject,
	CryptoKey,
};
