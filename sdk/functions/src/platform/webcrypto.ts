// WebCrypto: crypto.subtle, getRandomValues and randomUUID.
import { Buffer } from "./buffer";
import { domError } from "./event";
import { exact, pure, pureBytes } from "./host";
import { createPublicKey, createSecretKey, KeyObject, keyOf, makeKey, raw, readBytes } from "./keys";
import { bytesOf, encodeUTF8 } from "./text";

interface Algorithm {
	name: string;
	[member: string]: any;
}

type Usage = string;
const empty = new Uint8Array(0);

/** A key of WebCrypto: a KeyObject, and what it may be used for. */
export class CryptoKey {
	readonly #object: KeyObject;
	readonly algorithm: Algorithm;
	readonly extractable: boolean;
	readonly usages: Usage[];
	constructor(object: KeyObject, algorithm: Algorithm, extractable: boolean, usages: Usage[]) {
		if (!(object instanceof KeyObject)) throw Object.assign(new TypeError("Illegal constructor"), { code: "ERR_ILLEGAL_CONSTRUCTOR" });
		this.#object = object;
		this.algorithm = algorithm;
		this.extractable = extractable;
		this.usages = usages;
	}
	get type(): string {
		return this.#object.type;
	}
	get [keyOf](): KeyObject {
		return this.#object;
	}
	get [Symbol.toStringTag](): string {
		return "CryptoKey";
	}
}

const names = ["HMAC", "AES-GCM", "AES-CBC", "AES-CTR", "RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP", "ECDSA", "ECDH", "Ed25519", "X25519", "PBKDF2", "HKDF"];

function unsupported(message = "Unrecognized algorithm name"): never {
	throw domError(message, "NotSupportedError");
}

function algorithmOf(value: unknown): Algorithm {
	const given = (typeof value === "string" ? { name: value } : value) as Algorithm;
	const name = names.find((known) => known.toLowerCase() === String(given?.name).toLowerCase());
	return name === undefined ? unsupported() : { ...given, name };
}

const digests: Record<string, number> = { "SHA-1": 160, "SHA-256": 256, "SHA-384": 384, "SHA-512": 512 };

function hashOf(value: any): string {
	const name = String(typeof value === "string" ? value : value?.name).toUpperCase();
	return name in digests ? name : unsupported();
}

function bytes(value: unknown, what = "data"): Uint8Array {
	const found = bytesOf(value);
	if (found === undefined) throw Object.assign(new TypeError(`The "${what}" argument must be an ArrayBuffer or a view of one.`), { code: "ERR_INVALID_ARG_TYPE" });
	return found;
}

function use(key: CryptoKey, usage: Usage, algorithm?: Algorithm): void {
	if (!(key instanceof CryptoKey)) throw Object.assign(new TypeError("The key must be a CryptoKey."), { code: "ERR_INVALID_ARG_TYPE" });
	if (algorithm !== undefined && key.algorithm.name !== algorithm.name) throw domError("Key algorithm mismatch", "InvalidAccessError");
	if (!key.usages.includes(usage)) throw domError(`Unable to use this key to ${usage}`, "InvalidAccessError");
}

function operation<T>(run: () => T): T {
	try {
		return run();
	} catch (thrown) {
		if ((thrown as Error)?.constructor?.name === "DOMException") throw thrown;
		throw domError("The operation failed for an operation-specific reason", "OperationError");
	}
}

const curves: Record<string, string> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

/** What a key's member algorithm says. */
function describe(algorithm: Algorithm, object: KeyObject): Algorithm {
	const { name } = algorithm;
	switch (name) {
		case "HMAC":
			return { name, hash: { name: hashOf(algorithm.hash) }, length: algorithm.length ?? object.symmetricKeySize! * 8 };
		case "AES-GCM":
		case "AES-CBC":
		case "AES-CTR":
			return { name, length: object.symmetricKeySize! * 8 };
		case "RSASSA-PKCS1-v1_5":
		case "RSA-PSS":
		case "RSA-OAEP": {
			const details = object.asymmetricKeyDetails!;
			let exponent = (details.publicExponent as bigint).toString(16);
			if (exponent.length % 2) exponent = `0${exponent}`;
			return { name, modulusLength: details.modulusLength, publicExponent: new Uint8Array(Buffer.from(exponent, "hex")), hash: { name: hashOf(algorithm.hash) } };
		}
		case "ECDSA":
		case "ECDH":
			return { name, namedCurve: curves[object.asymmetricKeyDetails!.namedCurve as string] };
		default:
			return { name };
	}
}

const kinds: Record<string, string> = { "RSASSA-PKCS1-v1_5": "rsa", "RSA-PSS": "rsa", "RSA-OAEP": "rsa", ECDSA: "ec", ECDH: "ec", Ed25519: "ed25519", X25519: "x25519" };

function importObject(format: string, value: any, algorithm: Algorithm): KeyObject {
	const kind = kinds[algorithm.name];
	if (kind === undefined) {
		if (format === "jwk") {
			if (value?.kty !== "oct") throw domError('Invalid JWK "kty" Parameter', "DataError");
			return createSecretKey(Buffer.from(value.k, "base64url"));
		}
		if (format !== "raw") unsupported(`Unable to import ${algorithm.name} using ${format} format`);
		const key = createSecretKey(bytes(value, "keyData"));
		if (algorithm.name.startsWith("AES-") && ![16, 24, 32].includes(key.symmetricKeySize!)) throw domError("Invalid key length", "DataError");
		return key;
	}
	let object: KeyObject;
	try {
		switch (format) {
			case "jwk":
				object = readBytes("jwk", encodeUTF8(JSON.stringify(value)), "any");
				break;
			case "pkcs8":
				object = readBytes("der", bytes(value, "keyData"), "private");
				break;
			case "spki":
				object = readBytes("der", bytes(value, "keyData"), "public");
				break;
			default:
				object = readBytes("raw", bytes(value, "keyData"), "public", kind === "ec" ? algorithm.namedCurve : kind);
		}
	} catch {
		throw domError("Invalid keyData", "DataError");
	}
	if (object.asymmetricKeyType !== kind) throw domError("Invalid key type", "DataError");
	if (kind === "ec" && curves[object.asymmetricKeyDetails!.namedCurve as string] !== algorithm.namedCurve) throw domError("Named curve mismatch", "DataError");
	return object;
}

function signParams(algorithm: Algorithm, key: CryptoKey): object {
	switch (key.algorithm.name) {
		case "RSASSA-PKCS1-v1_5":
			return { hash: key.algorithm.hash.name, padding: "pkcs1" };
		case "RSA-PSS":
			return { hash: key.algorithm.hash.name, padding: "pss", salt: algorithm.saltLength };
		case "ECDSA":
			return { hash: hashOf(algorithm.hash), raw: true };
		case "Ed25519":
			return {};
		default:
			return unsupported();
	}
}

function cipher(name: string, algorithm: Algorithm, key: CryptoKey, value: Uint8Array): Uint8Array {
	const secret = key[keyOf][raw]();
	const mode = `aes-${secret.length * 8}-${key.algorithm.name.slice(4).toLowerCase()}`;
	const decrypt = name === "decrypt";
	const call = decrypt ? "crypto.decipher" : "crypto.cipher";
	if (key.algorithm.name !== "AES-GCM") return pureBytes(call, { algorithm: mode, padding: true }, secret, bytes(algorithm.iv ?? algorithm.counter, "iv"), value, empty, empty);
	const size = (algorithm.tagLength ?? 128) / 8;
	const extra = algorithm.additionalData === undefined ? empty : bytes(algorithm.additionalData, "additionalData");
	const cut = decrypt ? value.length - size : value.length;
	if (cut < 0) throw domError("The provided data is too small.", "OperationError");
	return pureBytes(call, { algorithm: mode, tag: size }, secret, bytes(algorithm.iv, "iv"), value.subarray(0, cut), extra, value.subarray(cut));
}

async function crypt(name: "encrypt" | "decrypt", algorithm: unknown, key: CryptoKey, value: unknown): Promise<ArrayBuffer> {
	const a = algorithmOf(algorithm);
	use(key, name, a);
	const input = bytes(value);
	if (a.name !== "RSA-OAEP") return operation(() => exact(cipher(name, a, key, input)));
	const label = a.label === undefined ? empty : bytes(a.label, "label");
	return operation(() => exact(pureBytes(name === "encrypt" ? "random.encrypt" : "crypto.decrypt", { padding: "oaep", hash: key.algorithm.hash.name }, key[keyOf][raw](), input, label)));
}

function derive(a: Algorithm, key: CryptoKey, length: number | undefined): ArrayBuffer {
	const secret = key[keyOf][raw]();
	switch (a.name) {
		case "PBKDF2":
			return exact(pureBytes("crypto.pbkdf2", { digest: hashOf(a.hash), iterations: a.iterations, length }, secret, bytes(a.salt, "salt")));
		case "HKDF":
			return exact(pureBytes("crypto.hkdf", { digest: hashOf(a.hash), length }, secret, bytes(a.salt, "salt"), bytes(a.info, "info")));
		case "ECDH":
		case "X25519":
			return pureBytes("crypto.agree", {}, secret, (a.public as CryptoKey)[keyOf][raw]()).slice(0, length).buffer;
		default:
			return unsupported();
	}
}

/** How many bits a key of the algorithm has. */
function keyBits(a: Algorithm): number {
	if (a.name === "HMAC") return a.length ?? ({ "SHA-384": 1024, "SHA-512": 1024 }[hashOf(a.hash)] ?? 512);
	return a.length;
}

/** The member "alg" of a JSON Web Key (RFC 7518). */
function jwkAlgorithm(a: Algorithm): string | undefined {
	const bits = a.hash?.name.slice(4);
	switch (a.name) {
		case "HMAC":
			return `HS${bits}`;
		case "RSASSA-PKCS1-v1_5":
			return `RS${bits}`;
		case "RSA-PSS":
			return `PS${bits}`;
		case "RSA-OAEP":
			return bits === "1" ? "RSA-OAEP" : `RSA-OAEP-${bits}`;
		default:
			return a.name.startsWith("AES-") ? `A${a.length}${a.name.slice(4)}` : undefined;
	}
}

class SubtleCrypto {
	async digest(algorithm: any, value: unknown): Promise<ArrayBuffer> {
		return exact(pureBytes("crypto.hash", { algorithm: hashOf(algorithm) }, bytes(value)));
	}
	async importKey(format: string, value: unknown, algorithm: unknown, extractable: boolean, usages: Usage[]): Promise<CryptoKey> {
		const a = algorithmOf(algorithm);
		if (!["raw", "jwk", "pkcs8", "spki"].includes(format)) throw new TypeError(`'${format}' is not a valid enum value of type KeyFormat.`);
		const object = importObject(format, value, a);
		if (usages.length === 0 && object.type !== "public") throw domError("Usages cannot be empty when importing a private key.", "SyntaxError");
		return new CryptoKey(object, describe(a, object), Boolean(extractable), [...usages]);
	}
	async exportKey(format: string, key: CryptoKey): Promise<any> {
		if (!key.extractable) throw domError("key is not extractable", "InvalidAccessError");
		const object = key[keyOf];
		if (format === "jwk") {
			const jwk = object.export({ format: "jwk" });
			const alg = jwkAlgorithm(key.algorithm);
			return { ...jwk, key_ops: [...key.usages], ext: true, ...(alg === undefined ? {} : { alg }) };
		}
		if (object.type === "secret") return exact(object[raw]().slice());
		if (format === "raw") return exact(pureBytes("crypto.export", { private: false, format: "raw" }, object[raw]()));
		if ((format === "pkcs8") !== (object.type === "private")) throw domError(`Unable to export a ${object.type} key using ${format} format`, "InvalidAccessError");
		return exact(object[raw]().slice());
	}
	async generateKey(algorithm: unknown, extractable: boolean, usages: Usage[]): Promise<any> {
		const a = algorithmOf(algorithm);
		const kind = kinds[a.name];
		if (kind === undefined) {
			const object = createSecretKey(pure("random.bytes", keyBits(a) / 8));
			return new CryptoKey(object, describe(a, object), Boolean(extractable), [...usages]);
		}
		const object = makeKey(kind, { modulusLength: a.modulusLength, namedCurve: a.namedCurve });
		const open = createPublicKey(object);
		const publicUses = ["verify", "encrypt", "wrapKey"];
		return {
			publicKey: new CryptoKey(open, describe(a, open), true, usages.filter((u) => publicUses.includes(u))),
			privateKey: new CryptoKey(object, describe(a, object), Boolean(extractable), usages.filter((u) => !publicUses.includes(u))),
		};
	}
	async sign(algorithm: unknown, key: CryptoKey, value: unknown): Promise<ArrayBuffer> {
		const a = algorithmOf(algorithm);
		use(key, "sign", a);
		const input = bytes(value);
		const secret = key[keyOf][raw]();
		if (a.name === "HMAC") return exact(pureBytes("crypto.hmac", { algorithm: key.algorithm.hash.name }, secret, input));
		const pureName = a.name === "Ed25519" || a.name === "RSASSA-PKCS1-v1_5" ? "crypto.sign" : "random.sign";
		return operation(() => exact(pureBytes(pureName, signParams(a, key), secret, input)));
	}
	async verify(algorithm: unknown, key: CryptoKey, signature: unknown, value: unknown): Promise<boolean> {
		const a = algorithmOf(algorithm);
		use(key, "verify", a);
		const [given, input] = [bytes(signature, "signature"), bytes(value)];
		const secret = key[keyOf][raw]();
		if (a.name === "HMAC") return pureBytes("crypto.equal", {}, pureBytes("crypto.hmac", { algorithm: key.algorithm.hash.name }, secret, input), given);
		return operation(() => pureBytes("crypto.verify", signParams(a, key), secret, input, given));
	}
	encrypt(algorithm: unknown, key: CryptoKey, value: unknown): Promise<ArrayBuffer> {
		return crypt("encrypt", algorithm, key, value);
	}
	decrypt(algorithm: unknown, key: CryptoKey, value: unknown): Promise<ArrayBuffer> {
		return crypt("decrypt", algorithm, key, value);
	}
	/** Without a length an agreement gives all its bits. */
	async deriveBits(algorithm: unknown, key: CryptoKey, length?: number | null): Promise<ArrayBuffer> {
		const a = algorithmOf(algorithm);
		use(key, "deriveBits", a);
		return operation(() => derive(a, key, typeof length === "number" ? length / 8 : undefined));
	}
	async deriveKey(algorithm: unknown, key: CryptoKey, derived: unknown, extractable: boolean, usages: Usage[]): Promise<CryptoKey> {
		const a = algorithmOf(algorithm);
		use(key, "deriveKey", a);
		const target = algorithmOf(derived);
		return this.importKey("raw", operation(() => derive(a, key, keyBits(target) / 8)), target, extractable, usages);
	}
	get [Symbol.toStringTag](): string {
		return "SubtleCrypto";
	}
}

/** crypto.subtle. */
export const subtle = new SubtleCrypto();

/** Fills an integer array with random numbers. */
export function getRandomValues<T>(array: T): T {
	if (!ArrayBuffer.isView(array) || array instanceof DataView || array instanceof Float32Array || array instanceof Float64Array) throw domError("The data argument must be an integer-type TypedArray", "TypeMismatchError");
	if (array.byteLength > 65536) throw domError(`The requested length exceeds 65,536 bytes`, "QuotaExceededError");
	new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(pure("random.bytes", array.byteLength));
	return array;
}

/** A random UUID. */
export function randomUUID(): string {
	const b: Uint8Array = pure("random.bytes", 16);
	b[6] = (b[6]! & 0x0f) | 0x40;
	b[8] = (b[8]! & 0x3f) | 0x80;
	const hex = Buffer.from(b).toString("hex");
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The global crypto. */
export const webcrypto = { subtle, getRandomValues, randomUUID, CryptoKey, [Symbol.toStringTag]: "Crypto" };
