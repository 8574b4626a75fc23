// The modules process, os and timers: what packages look at. Nothing of the host
// shows through.

declare function queueMicrotask(task: () => void): void;
const timers = globalThis as any;

function nextTick(callback: (...args: unknown[]) => void, ...args: unknown[]): void {
	if (typeof callback !== "function") throw Object.assign(new TypeError('The "callback" argument must be of type function.'), { code: "ERR_INVALID_ARG_TYPE" });
	queueMicrotask(() => callback(...args));
}

function hrtime(since?: [number, number]): [number, number] {
	const now = timers.performance.now();
	let seconds = Math.floor(now / 1000);
	let nanoseconds = Math.floor((now % 1000) * 1e6);
	if (since !== undefined) {
		seconds -= since[0];
		nanoseconds -= since[1];
		if (nanoseconds < 0) [seconds, nanoseconds] = [seconds - 1, nanoseconds + 1e9];
	}
	return [seconds, nanoseconds];
}
hrtime.bigint = () => BigInt(Math.floor(timers.performance.now() * 1e6));

const nothing = () => process;

/** The global process: no environment, no arguments, no exit. */
export const process: Record<string, unknown> = {
	env: Object.freeze({}),
	argv: Object.freeze(["node", "function"]),
	execArgv: Object.freeze([]),
	version: "v20.20.0",
	versions: Object.freeze({ node: "20.20.0" }),
	platform: "linux",
	arch: "x64",
	pid: 1,
	ppid: 0,
	title: "function",
	browser: false,
	release: Object.freeze({ name: "node" }),
	features: Object.freeze({}),
	exitCode: undefined,
	cwd: () => "/",
	uptime: () => timers.performance.now() / 1000,
	nextTick,
	hrtime,
	memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
	emitWarning: (warning: unknown) => timers.console.warn(String(warning)),
	on: nothing,
	once: nothing,
	off: nothing,
	addListener: nothing,
	removeListener: nothing,
	removeAllListeners: nothing,
	emit: () => false,
	listeners: () => [],
	listenerCount: () => 0,
	[Symbol.toStringTag]: "process",
};
Object.freeze(process);

/** The module os. */
export const os = Object.freeze({
	EOL: "\n",
	platform: () => "linux",
	type: () => "Linux",
	arch: () => "x64",
	release: () => "",
	hostname: () => "function",
	homedir: () => "/",
	tmpdir: () => "/tmp",
	endianness: () => "LE",
	cpus: () => [],
	totalmem: () => 0,
	freemem: () => 0,
	uptime: () => 0,
	loadavg: () => [0, 0, 0],
	networkInterfaces: () => ({}),
	constants: Object.freeze({ signals: Object.freeze({}) }),
});

function sleep(ms: number, value: unknown, signal: any): Promise<unknown> {
	return new Promise((resolve, reject) => {
		const refuse = () => reject(Object.assign(new Error("The operation was aborted", { cause: signal.reason }), { name: "AbortError", code: "ABORT_ERR" }));
		if (signal?.aborted) return refuse();
		const timer = timers.setTimeout(() => resolve(value), ms);
		signal?.addEventListener("abort", () => {
			timers.clearTimeout(timer);
			refuse();
		});
	});
}

/** The module timers/promises. */
export const timersPromises = {
	setTimeout: (ms?: number, value?: unknown, options?: { signal?: unknown }) => sleep(ms ?? 1, value, options?.signal),
	setImmediate: (value?: unknown, options?: { signal?: unknown }) => sleep(0, value, options?.signal),
	async *setInterval(ms?: number, value?: unknown, options?: { signal?: unknown }) {
		for (;;) yield await sleep(ms ?? 1, value, options?.signal);
	},
	scheduler: { wait: (ms: number, options?: { signal?: unknown }) => sleep(ms, undefined, options?.signal), yield: () => sleep(0, undefined, undefined) },
};
timers.setTimeout[Symbol.for("nodejs.util.promisify.custom")] = (ms?: number, value?: unknown) => sleep(ms ?? 1, value, undefined);
timers.setImmediate[Symbol.for("nodejs.util.promisify.custom")] = (value?: unknown) => sleep(0, value, undefined);

/** The module timers. */
export const timersModule = {
	setTimeout: timers.setTimeout,
	setInterval: timers.setInterval,
	setImmediate: timers.setImmediate,
	clearTimeout: timers.clearTimeout,
	clearInterval: timers.clearInterval,
	clearImmediate: timers.clearImmediate,
	promises: timersPromises,
};
