// What the sandbox has of Node.js and of the web, and that other things are not there.
import assert, { strictEqual } from "node:assert";
import { Buffer as SameBuffer } from "buffer";
import crypto, { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import * as bare from "crypto";
import EventEmitter from "events";
import path from "path";
import { StringDecoder } from "string_decoder";
import { setTimeout as wait } from "node:timers/promises";
import { parse, URL as ModuleURL, URLSearchParams as ModuleParams } from "url";
import { inspect, promisify, types } from "util";
import querystring from "node:querystring";
import * as punycode from "punycode";
import * as z4 from "zod/v4";
import type { $ZodType } from "zod/v4/core";
import { type Equal, expect } from "./equal";

export async function platform(): Promise<unknown[]> {
	const digest = createHash("sha256").update("x").digest("hex");
	expect<Equal<typeof digest, string>>();
	const mac = createHmac("sha256", "key").update(Buffer.from("x")).digest();
	expect<Equal<typeof mac, Buffer>>();
	timingSafeEqual(mac, bare.randomBytes(32));
	crypto.createSign("RSA-SHA256").update("x").sign("pem", "base64").trim();
	SameBuffer.from("x", "base64url").toString("utf8").trim();
	Buffer.concat([mac, new Uint8Array(2)]).subarray(1).equals(mac);
	mac.slice(1).toString("hex");
	const params = new ModuleParams({ a: "b" });
	const url = new ModuleURL("https://example.com");
	url.searchParams satisfies URLSearchParams;
	for (const [name, value] of new URL("/", url).searchParams) params.append(name, value);
	expect<Equal<ReturnType<typeof setTimeout>, NodeJS.Timeout>>();
	clearTimeout(setTimeout((n: number) => n, 10, 1));
	await new Promise((resolve) => setTimeout(resolve, 5));
	await new Promise<void>((resolve) => setTimeout(resolve, 5));
	await new Promise<number>((resolve) => setTimeout(resolve, 5, 7));
	await new Promise((resolve) => setImmediate(resolve));
	await new Promise((resolve) => clearInterval(setInterval(resolve, 5)));
	// @ts-expect-error the argument is missing
	setTimeout((a: number, b: number) => a + b, 10, 1);
	// @ts-expect-error it is a number
	setTimeout((n: number) => n, 10, "1");
	await wait(5);
	new EventEmitter().on("x", console.log).emit("x", 1);
	strictEqual(1, 1);
	assert(params);
	const form = new FormData();
	form.append("file", new Blob(["x"]), "a.txt");
	const signal: AbortSignal = AbortSignal.any([new AbortController().signal, AbortSignal.timeout(5)]);
	const key = await globalThis.crypto.subtle.importKey("raw", new TextEncoder().encode("k"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
	await promisify(setTimeout)(5);
	structuredClone(new Map([[1, 2]])).get(1)?.toFixed();
	z4.string() satisfies $ZodType;
	// @ts-expect-error there is nothing in it
	process.env.KEY.trim();
	// @ts-expect-error it can't be ended
	process.exit(1);
	// @ts-expect-error calls go through nango
	fetch("https://example.com");
	// @ts-expect-error there is no window
	window;
	return [path.join("a", "b"), new StringDecoder("utf8").end(), parse("https://a.example", true).query["x"], inspect(1, { depth: 2 }), types.isDate(1), querystring.stringify({ a: 1 }), punycode.toASCII("ü"), randomUUID(), performance.now(), queueMicrotask, signal, key, atob(btoa("x"))];
}

// @ts-expect-error there are no files
import * as fs from "fs";
// @ts-expect-error there is no network
import * as http from "node:http";
void [fs, http];
