// The stream that responseType "stream" gives: the whole answer, in pieces, with
// what is used of Node's Readable.
import EventEmitter from "events";
import { Buffer, type BufferObject } from "../platform/buffer";
import { StringDecoder } from "../platform/decoder";

const pieceBytes = 64 << 10;

/** What a stream can be piped into. */
interface Target {
	write(piece: unknown): unknown;
	end(): unknown;
	emit?(name: string, value: unknown): unknown;
}

type Piece = BufferObject | string;

export class BodyStream extends EventEmitter {
	readonly #bytes: Uint8Array;
	#at = 0;
	#decoder: InstanceType<typeof StringDecoder> | undefined;
	#flowing = false;
	#scheduled = false;
	#over = false;
	destroyed = false;
	readonly readable = true;
	errored: unknown = null;

	constructor(bytes: ArrayBuffer) {
		super();
		this.#bytes = new Uint8Array(bytes);
	}

	get readableEnded(): boolean {
		return this.#over;
	}

	setEncoding(encoding?: string): this {
		this.#decoder = new StringDecoder(encoding);
		return this;
	}

	/** The next piece, null at the end. */
	#next(most = pieceBytes): Piece | null {
		while (this.#at < this.#bytes.length) {
			const size = Math.min(most, this.#bytes.length - this.#at);
			const piece = Buffer.from(this.#bytes.buffer, this.#at, size);
			this.#at += size;
			if (this.#decoder === undefined) return piece;
			// A piece may hold nothing but a part of a character.
			const text = this.#decoder.write(piece) + (this.#at === this.#bytes.length ? this.#decoder.end() : "");
			if (text !== "") return text;
		}
		return null;
	}

	read(size?: number): Piece | null {
		const piece = this.destroyed ? null : this.#next(size);
		if (piece === null) this.#flow();
		return piece;
	}

	on(name: string | symbol, listener: (...args: any[]) => void): this {
		super.on(name, listener);
		if (name === "data") this.resume();
		if (name === "readable") this.#later(() => this.emit("readable"));
		if (name === "end") this.#flow();
		return this;
	}

	addListener(name: string | symbol, listener: (...args: any[]) => void): this {
		return this.on(name, listener);
	}

	resume(): this {
		this.#flowing = true;
		this.#flow();
		return this;
	}

	pause(): this {
		this.#flowing = false;
		return this;
	}

	isPaused(): boolean {
		return !this.#flowing;
	}

	#later(run: () => void): void {
		(globalThis as any).setImmediate(run);
	}

	/** Emits what there is, a piece each turn of the loop. */
	#flow(): void {
		if (this.#scheduled || this.#over || this.destroyed) return;
		this.#scheduled = true;
		this.#later(() => {
			this.#scheduled = false;
			if (this.destroyed || this.#over) return;
			if (this.#at >= this.#bytes.length) return this.#finish();
			if (!this.#flowing) return;
			const piece = this.#next();
			if (piece !== null) this.emit("data", piece);
			this.#flow();
		});
	}

	#finish(): void {
		this.#over = true;
		this.emit("end");
		this.emit("close");
	}

	destroy(error?: unknown): this {
		if (this.destroyed) return this;
		this.destroyed = true;
		this.errored = error ?? null;
		this.#later(() => {
			if (error !== undefined && error !== null) this.emit("error", error);
			this.emit("close");
		});
		return this;
	}

	pipe<T extends Target>(target: T, options?: { end?: boolean }): T {
		this.on("data", (piece) => target.write(piece));
		if (options?.end !== false) this.on("end", () => target.end());
		target.emit?.("pipe", this);
		return target;
	}

	unpipe(): this {
		this.removeAllListeners("data");
		return this.pause();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Piece, void, void> {
		try {
			for (let piece = this.#next(); piece !== null; piece = this.#next()) {
				if (this.destroyed) throw this.errored ?? new Error("Premature close");
				yield piece;
			}
			if (!this.#over && !this.destroyed) this.#finish();
		} finally {
			this.destroyed = true;
		}
	}

	/** What nobody has read yet. */
	take(): ArrayBuffer {
		const rest = this.#bytes.slice(this.#at);
		this.#at = this.#bytes.length;
		return rest.buffer;
	}

	async toArray(): Promise<Piece[]> {
		const all: Piece[] = [];
		for await (const piece of this) all.push(piece);
		return all;
	}
}
