// Keys of the module crypto. The host reads and writes them; a KeyObject keeps
// their DER: PKCS #8 for private keys, SPKI for public ones.
import { Buffer, type BufferObject } from "./buffer";
import { coded, pure, pureBytes, wrongType } from "./host";
import { bytesOf, encodeUTF8 } from "./text";

interface KeyInfo {
	type: "private" | "public";
	kind: string;
	bits?: number;
	exponent?: number;
	curve?: string;
	der: string;
}

const secret = Symbol("secret");

/** Where a CryptoKey keeps its KeyObject, and a KeyObject its bytes. */
export const keyOf = Symbol("KeyObject");
export const raw: unique symbol = Symbol("bytes");

/** Bytes of a string or of whatever holds some. */
export function data(value: unknown, argument: string, encoding?: unknown): Uint8Array {
	if (typeof value === "string") {
		if (encoding === undefined || encoding === "utf8" || encoding === "buffer") return encodeUTF8(value);
		if (encoding === "hex" && value.length % 2 !== 0) throw coded("TypeError", "ERR_INVALID_ARG_VALUE", `The argument 'encoding' is invalid for data of length ${value.length}. Received 'hex'`);
		return Buffer.from(value, encoding);
	}
	const bytes = bytesOf(value);
	if (bytes === undefined) throw wrongType(argument, "of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView", value);
	return bytes;
}

export class KeyObject {
	readonly #type: "secret" | "private" | "public";
	readonly #bytes: Uint8Array;
	readonly #info: KeyInfo | undefined;
	constructor(guard: symbol, type: "secret" | "private" | "public", bytes: Uint8Array, info?: KeyInfo) {
		if (guard !== secret) throw coded("TypeError", "ERR_ILLEGAL_CONSTRUCTOR", "Illegal constructor");
		this.#type = type;
		this.#bytes = bytes;
		this.#info = info;
	}
	static from(key: any): KeyObject {
		const object = key?.[keyOf];
		if (!(object instanceof KeyObject)) throw wrongType("key", "an instance of CryptoKey", key);
		return object;
	}
	get type(): "secret" | "private" | "public" {
		return this.#type;
	}
	get asymmetricKeyType(): string | undefined {
		return this.#info?.kind;
	}
	get asymmetricKeyDetails(): Record<string, unknown> | undefined {
		const info = this.#info;
		if (info === undefined) return undefined;
		if (info.kind === "rsa") return { modulusLength: info.bits, publicExponent: BigInt(info.exponent ?? 0) };
		return info.kind === "ec" ? { namedCurve: info.curve } : {};
	}
	get symmetricKeySize(): number | undefined {
		return this.#type === "secret" ? this.#bytes.length : undefined;
	}
	/** The secret itself, or DER. */
	[raw](): Uint8Array {
		return this.#bytes;
	}
	equals(other: unknown): boolean {
		if (!(other instanceof KeyObject)) throw wrongType("otherKeyObject", "an instance of KeyObject", other);
		return this.#type === other.#type && pureBytes("crypto.equal", {}, this.#bytes, other.#bytes);
	}
	export(options: { format?: string; type?: string; cipher?: string; passphrase?: unknown } = {}): any {
		const { format } = options;
		if (options.cipher !== undefined || options.passphrase !== undefined) throw coded("Error", "ERR_FEATURE_UNAVAILABLE", "Keys can't be exported with a passphrase in functions.");
		if (this.#type === "secret") {
			if (format === "jwk") return { kty: "oct", k: Buffer.from(this.#bytes).toString("base64url") };
			return Buffer.from(this.#bytes);
		}
		const type = options.type ?? (this.#type === "private" ? "pkcs8" : "spki");
		const exported = pureBytes("crypto.export", { private: this.#type === "private", format: format ?? "pem", type }, this.#bytes);
		return format === "der" ? Buffer.from(exported) : exported;
	}
	get [Symbol.toStringTag](): string {
		return "KeyObject";
	}
}

function objectOf(info: KeyInfo): KeyObject {
	return new KeyObject(secret, info.type, Buffer.from(info.der, "base64"), info);
}

export function createSecretKey(key: unknown, encoding?: unknown): KeyObject {
	return new KeyObject(secret, "secret", data(key, "key", encoding).slice());
}

type Want = "private" | "public" | "any";

function read(key: any, want: Want): KeyObject {
	if (key instanceof KeyObject || key?.[keyOf] instanceof KeyObject) {
		const object: KeyObject = key instanceof KeyObject ? key : key[keyOf];
		if (object.type === want || want === "any") return object;
		if (want === "public" && object.type === "private") return readBytes("der", object[raw](), want);
		throw coded("TypeError", "ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE", `Invalid key object type ${object.type}, expected ${want}.`);
	}
	if (typeof key === "object" && key !== null && bytesOf(key) === undefined) {
		if (key.passphrase !== undefined && key.passphrase !== null && key.passphrase !== "") throw coded("Error", "ERR_FEATURE_UNAVAILABLE", "Keys with a passphrase can't be used in functions: decrypt them first.");
		if (key.key instanceof KeyObject || key.key?.[keyOf] instanceof KeyObject) return read(key.key, want);
		if (key.format === "jwk") return readBytes("jwk", encodeUTF8(JSON.stringify(key.key)), want);
		if (key.key === undefined) throw wrongType("key", "of type string or an instance of ArrayBuffer, Buffer, TypedArray, DataView, KeyObject, or CryptoKey", key);
		return readBytes(key.format === "der" ? "der" : "pem", data(key.key, "key.key", key.encoding), want);
	}
	return readBytes("pem", data(key, "key"), want);
}

/** Reads a key of a format: pem, der, jwk, or raw of a kind. */
export function readBytes(format: string, bytes: Uint8Array, want: Want, kind?: string): KeyObject {
	return objectOf(pureBytes("crypto.key", { format, want, kind }, bytes));
}

export function createPrivateKey(key: unknown): KeyObject {
	if (key instanceof KeyObject) throw coded("TypeError", "ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE", `Invalid key object type ${key.type}, expected a key as text or bytes.`);
	return read(key, "private");
}

export function createPublicKey(key: unknown): KeyObject {
	return read(key, "public");
}

export const privateKey = (key: unknown): KeyObject => read(key, "private");
export const publicKey = (key: unknown): KeyObject => read(key, "public");

/** The bytes of a symmetric key in any of its forms. */
export function symmetric(key: any, argument = "key"): Uint8Array {
	const object = key instanceof KeyObject ? key : key?.[keyOf];
	if (!(object instanceof KeyObject)) return data(key, argument);
	if (object.type !== "secret") throw coded("TypeError", "ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE", `Invalid key object type ${object.type}, expected secret.`);
	return object[raw]();
}

interface PairOptions {
	modulusLength?: number;
	namedCurve?: string;
	publicKeyEncoding?: { format?: string; type?: string };
	privateKeyEncoding?: { format?: string; type?: string };
}

/** Makes a private key. */
export function makeKey(kind: string, options: PairOptions): KeyObject {
	return objectOf(pure("random.key", { kind, bits: options.modulusLength ?? 2048, curve: options.namedCurve }));
}

export function generateKeyPairSync(kind: string, options: PairOptions = {}): { publicKey: any; privateKey: any } {
	const made = makeKey(kind === "rsa-pss" ? "rsa" : kind, options);
	const open = createPublicKey(made);
	return {
		publicKey: options.publicKeyEncoding ? open.export(options.publicKeyEncoding) : open,
		privateKey: options.privateKeyEncoding ? made.export(options.privateKeyEncoding) : made,
	};
}

export type { BufferObject };
