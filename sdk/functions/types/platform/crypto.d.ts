// The module crypto, and WebCrypto as the global crypto.

type CryptoKeyUsage = "encrypt" | "decrypt" | "sign" | "verify" | "deriveKey" | "deriveBits" | "wrapKey" | "unwrapKey";
type AlgorithmIdentifier = string | { name: string; [parameter: string]: any };

interface CryptoKey {
	readonly type: "secret" | "private" | "public";
	readonly algorithm: { name: string; [parameter: string]: any };
	readonly extractable: boolean;
	readonly usages: CryptoKeyUsage[];
}
declare var CryptoKey: { prototype: CryptoKey };

interface CryptoKeyPair {
	publicKey: CryptoKey;
	privateKey: CryptoKey;
}

interface SubtleCrypto {
	digest(algorithm: AlgorithmIdentifier, data: BufferSource): Promise<ArrayBuffer>;
	importKey(format: "raw" | "pkcs8" | "spki" | "jwk", key: any, algorithm: AlgorithmIdentifier, extractable: boolean, usages: CryptoKeyUsage[]): Promise<CryptoKey>;
	exportKey(format: "jwk", key: CryptoKey): Promise<Record<string, any>>;
	exportKey(format: "raw" | "pkcs8" | "spki", key: CryptoKey): Promise<ArrayBuffer>;
	generateKey(algorithm: AlgorithmIdentifier, extractable: boolean, usages: CryptoKeyUsage[]): Promise<any>;
	encrypt(algorithm: AlgorithmIdentifier, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
	decrypt(algorithm: AlgorithmIdentifier, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
	sign(algorithm: AlgorithmIdentifier, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
	verify(algorithm: AlgorithmIdentifier, key: CryptoKey, signature: BufferSource, data: BufferSource): Promise<boolean>;
	deriveBits(algorithm: AlgorithmIdentifier, key: CryptoKey, length?: number | null): Promise<ArrayBuffer>;
	deriveKey(algorithm: AlgorithmIdentifier, key: CryptoKey, derived: AlgorithmIdentifier, extractable: boolean, usages: CryptoKeyUsage[]): Promise<CryptoKey>;
}

interface Crypto {
	readonly subtle: SubtleCrypto;
	getRandomValues<T extends ArrayBufferView>(array: T): T;
	randomUUID(): string;
}
declare var crypto: Crypto;

declare module "crypto" {
	type BinaryLike = string | BufferSource;
	type HexEncoding = "hex" | "base64" | "base64url" | "latin1" | "binary";
	type KeyLike = string | Uint8Array | KeyObject | CryptoKey | { key: any; format?: "pem" | "der" | "jwk"; type?: string; [option: string]: any };
	type Callback<T> = (error: Error | null, value: T) => void;
	interface KeyPairOptions {
		modulusLength?: number;
		publicExponent?: number;
		namedCurve?: string;
		publicKeyEncoding?: { type: string; format: "pem" | "der" | "jwk" };
		privateKeyEncoding?: { type: string; format: "pem" | "der" | "jwk" };
	}
	interface CipherOptions {
		authTagLength?: number;
	}
	interface ScryptOptions {
		N?: number;
		r?: number;
		p?: number;
		cost?: number;
		blockSize?: number;
		parallelization?: number;
		maxmem?: number;
	}

	class Hash {
		private constructor();
		update(data: BinaryLike, encoding?: BufferEncoding): this;
		digest(): Buffer;
		digest(encoding: HexEncoding): string;
		copy(options?: { outputLength?: number }): Hash;
	}
	class Hmac {
		private constructor();
		update(data: BinaryLike, encoding?: BufferEncoding): this;
		digest(): Buffer;
		digest(encoding: HexEncoding): string;
	}
	class Sign {
		private constructor();
		update(data: BinaryLike, encoding?: BufferEncoding): this;
		end(): this;
		sign(key: KeyLike): Buffer;
		sign(key: KeyLike, encoding: HexEncoding): string;
	}
	class Verify {
		private constructor();
		update(data: BinaryLike, encoding?: BufferEncoding): this;
		end(): this;
		verify(key: KeyLike, signature: BinaryLike, encoding?: HexEncoding): boolean;
	}
	interface Cipher {
		update(data: string, input?: BufferEncoding): Buffer;
		update(data: BufferSource): Buffer;
		update(data: BinaryLike, input: BufferEncoding | undefined, output: BufferEncoding): string;
		final(): Buffer;
		final(encoding: BufferEncoding): string;
		setAutoPadding(padding?: boolean): this;
		setAAD(data: BufferSource): this;
		getAuthTag(): Buffer;
		setAuthTag(tag: BinaryLike, encoding?: BufferEncoding): this;
	}
	class KeyObject {
		private constructor();
		static from(key: CryptoKey): KeyObject;
		readonly type: "secret" | "private" | "public";
		readonly asymmetricKeyType?: string;
		readonly asymmetricKeyDetails?: Record<string, unknown>;
		readonly symmetricKeySize?: number;
		equals(other: KeyObject): boolean;
		export(options: { format: "jwk" }): Record<string, any>;
		export(options: { format: "der"; type?: string }): Buffer;
		export(options?: { format?: "pem"; type?: string }): string | Buffer;
	}

	function createHash(algorithm: string, options?: { outputLength?: number }): Hash;
	function createHmac(algorithm: string, key: BinaryLike | KeyObject): Hmac;
	function createSign(algorithm: string): Sign;
	function createVerify(algorithm: string): Verify;
	function createCipheriv(algorithm: string, key: BinaryLike | KeyObject, iv: BinaryLike | null, options?: CipherOptions): Cipher;
	function createDecipheriv(algorithm: string, key: BinaryLike | KeyObject, iv: BinaryLike | null, options?: CipherOptions): Cipher;
	function createPrivateKey(key: KeyLike): KeyObject;
	function createPublicKey(key: KeyLike): KeyObject;
	function createSecretKey(key: BinaryLike, encoding?: BufferEncoding): KeyObject;
	function generateKeyPairSync(kind: string, options?: KeyPairOptions): { publicKey: any; privateKey: any };
	function generateKeyPair(kind: string, options: KeyPairOptions | undefined, callback: (error: Error | null, publicKey: any, privateKey: any) => void): void;
	function generateKeySync(kind: "hmac" | "aes", options: { length: number }): KeyObject;
	function diffieHellman(keys: { privateKey: KeyLike; publicKey: KeyLike }): Buffer;
	function sign(algorithm: string | null | undefined, data: BufferSource, key: KeyLike): Buffer;
	function sign(algorithm: string | null | undefined, data: BufferSource, key: KeyLike, callback: Callback<Buffer>): void;
	function verify(algorithm: string | null | undefined, data: BufferSource, key: KeyLike, signature: BufferSource): boolean;
	function verify(algorithm: string | null | undefined, data: BufferSource, key: KeyLike, signature: BufferSource, callback: Callback<boolean>): void;
	function publicEncrypt(key: KeyLike, data: BufferSource): Buffer;
	function privateDecrypt(key: KeyLike, data: BufferSource): Buffer;
	function randomBytes(size: number): Buffer;
	function randomBytes(size: number, callback: Callback<Buffer>): void;
	function pseudoRandomBytes(size: number): Buffer;
	function randomInt(max: number): number;
	function randomInt(min: number, max: number): number;
	function randomInt(max: number, callback: Callback<number>): void;
	function randomInt(min: number, max: number, callback: Callback<number>): void;
	function randomUUID(): string;
	function randomFillSync<T extends ArrayBufferView>(target: T, offset?: number, size?: number): T;
	function randomFill<T extends ArrayBufferView>(target: T, callback: Callback<T>): void;
	function pbkdf2Sync(password: BinaryLike, salt: BinaryLike, iterations: number, length: number, digest: string): Buffer;
	function pbkdf2(password: BinaryLike, salt: BinaryLike, iterations: number, length: number, digest: string, callback: Callback<Buffer>): void;
	function scryptSync(password: BinaryLike, salt: BinaryLike, length: number, options?: ScryptOptions): Buffer;
	function scrypt(password: BinaryLike, salt: BinaryLike, length: number, callback: Callback<Buffer>): void;
	function scrypt(password: BinaryLike, salt: BinaryLike, length: number, options: ScryptOptions, callback: Callback<Buffer>): void;
	function hkdfSync(digest: string, key: BinaryLike | KeyObject, salt: BinaryLike, info: BinaryLike, length: number): ArrayBuffer;
	function hkdf(digest: string, key: BinaryLike | KeyObject, salt: BinaryLike, info: BinaryLike, length: number, callback: Callback<ArrayBuffer>): void;
	function timingSafeEqual(a: BufferSource, b: BufferSource): boolean;
	function hash(algorithm: string, data: BinaryLike, encoding?: HexEncoding): string;
	function hash(algorithm: string, data: BinaryLike, encoding: "buffer"): Buffer;
	function getHashes(): string[];
	function getCiphers(): string[];
	function getCurves(): string[];
	function getCipherInfo(name: string): { name: string; keyLength: number; ivLength?: number; mode?: string; blockSize?: number } | undefined;
	function getRandomValues<T extends ArrayBufferView>(array: T): T;
	const constants: Record<string, number>;
	const subtle: SubtleCrypto;
	const webcrypto: Crypto;
}
declare module "node:crypto" {
	export * from "crypto";
	import * as crypto from "crypto";
	export default crypto;
}
