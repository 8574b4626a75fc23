// The platform library: what functions find of Node and of the web beside the
// language itself.
import EventEmitter from "events";
import path from "path-browserify";
import punycode from "punycode/punycode.js";
import { formatWith } from "../core";
import { provide } from "../modules";
import { assert, strict } from "./assert";
import { Blob, File, FormData } from "./blob";
import { Buffer, kMaxLength, kStringMaxLength, transcode } from "./buffer";
import { structuredClone } from "./clone";
import { crypto } from "./crypto";
import { StringDecoder } from "./decoder";
import { AbortController, AbortSignal, CustomEvent, Event, EventTarget } from "./event";
import { Headers } from "./headers";
import { install, pure } from "./host";
import { format } from "./inspect";
import "./intl/index";
import { url } from "./legacyurl";
import { os, process, timersModule, timersPromises } from "./process";
import { querystring } from "./querystring";
import { bytesOf, TextDecoder, TextEncoder } from "./text";
import { URL, URLSearchParams } from "./url";
import { types, util } from "./util";
import { CryptoKey, webcrypto } from "./webcrypto";

install({
	AbortController,
	AbortSignal,
	Blob,
	Buffer,
	CryptoKey,
	CustomEvent,
	Event,
	EventTarget,
	File,
	FormData,
	Headers,
	TextDecoder,
	TextEncoder,
	URL,
	URLSearchParams,
	crypto: webcrypto,
	process,
	structuredClone,
});
formatWith((args) => format(...args));

path.posix = path;
EventEmitter.errorMonitor ??= Symbol("events.errorMonitor");
EventEmitter.on ??= async function* (emitter: any, name: string) {
	const waiting: unknown[][] = [];
	let wake: (() => void) | undefined;
	const listener = (...args: unknown[]) => {
		waiting.push(args);
		wake?.();
	};
	emitter.on(name, listener);
	try {
		for (;;) {
			while (waiting.length > 0) yield waiting.shift();
			await new Promise<void>((resolve) => (wake = resolve));
		}
	} finally {
		emitter.removeListener(name, listener);
	}
};

const { atob, btoa } = globalThis as any;

const modules: Record<string, unknown> = {
	assert,
	"assert/strict": strict,
	buffer: {
		Buffer,
		SlowBuffer: Buffer,
		Blob,
		File,
		atob,
		btoa,
		transcode,
		kMaxLength,
		kStringMaxLength,
		INSPECT_MAX_BYTES: 50,
		constants: { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: kStringMaxLength },
		isUtf8: (value: unknown): boolean => pure("text.valid", undefined, bytesOf(value) ?? new Uint8Array(0)),
		isAscii: (value: unknown): boolean => (bytesOf(value) ?? new Uint8Array(0)).every((byte) => byte < 0x80),
	},
	crypto,
	events: EventEmitter,
	os,
	path,
	"path/posix": path,
	process,
	punycode,
	querystring,
	string_decoder: { StringDecoder },
	timers: timersModule,
	"timers/promises": timersPromises,
	url,
	util,
	"util/types": types,
};
for (const [name, exports] of Object.entries(modules)) provide([name, `node:${name}`], exports);
