import { createFunction } from "linkspan";
import { createFunction as experimental } from "linkspan/experimental";
import { createFunction as fromNango } from "nango/experimental";
import * as z from "zod";
import { type Equal, expect } from "./equal";

expect<Equal<typeof createFunction, typeof experimental>>();
expect<Equal<typeof createFunction, typeof fromNango>>();

const invoked = createFunction({
	description: "Greets",
	input: z.object({ name: z.string() }),
	output: z.string(),
	exec: async (nango, trigger) => {
		expect<Equal<typeof trigger.kind, "invoke">>();
		// What is not declared is not there.
		// @ts-expect-error needs data.models
		nango.batchSave;
		// @ts-expect-error needs data.checkpoint
		nango.getCheckpoint;
		// @ts-expect-error needs data.metadata
		nango.getMetadata;
		// @ts-expect-error needs requires.invoke
		nango.invoke;
		// @ts-expect-error belongs to other kinds of functions
		nango.triggerAction;
		await nango.log((await nango.getConnection(trigger.connection.integrationId, trigger.connection.connectionId)).metadata?.anything, { level: "warn" });
		const { data } = await nango.get<{ greeting: string }>({ endpoint: "/" });
		return data.greeting + trigger.input.name;
	},
});
expect<Equal<(typeof invoked)["type"], "function">>();

createFunction({
	description: "Reads",
	trigger: { kind: "schedule", frequency: "every hour", autoStart: false },
	limits: { concurrency: { perConnection: 1 } },
	data: {
		models: { Ticket: z.object({ id: z.string() }) },
		metadata: z.object({ team: z.string() }),
		checkpoint: z.object({ since: z.string() }),
	},
	requires: { invoke: true },
	exec: async (nango, { kind, input, connection }) => {
		expect<Equal<typeof kind, "schedule">>();
		expect<Equal<typeof input, null>>();
		connection.connectionId.trim();
		await nango.batchSave([{ id: "1" }], "Ticket");
		// @ts-expect-error there is no such model
		await nango.batchSave([{ id: "1" }], "User");
		(await nango.getCheckpoint())?.since.trim();
		(await nango.getMetadata()).team.trim();
		const user = await nango.invoke<{ id: string }, { name: string }>("read-user", { input: { id: "1" }, connection: { connectionId: "c2" } });
		user.name.trim();
		const greeting = await nango.invoke(invoked, { input: { name: "Ada" } });
		expect<Equal<typeof greeting, string>>();
		// @ts-expect-error it takes a name
		await nango.invoke(invoked, { input: { name: 5 } });
	},
});

createFunction({
	description: "Listens",
	trigger: { kind: "event", events: ["post-connection-creation", "pre-connection-deletion"] },
	requires: { outbound: false },
	exec: async (nango, trigger) => {
		expect<Equal<typeof trigger.kind, "event">>();
		trigger.input.event satisfies string;
		// @ts-expect-error requires.outbound is false
		nango.get;
		nango.getVariant();
	},
});

createFunction({
	description: "Answers",
	trigger: { kind: "http", subscriptions: ["*"] },
	input: z.object({ n: z.number() }),
	exec: async (_, trigger) => {
		trigger.input.n.toFixed();
		if (trigger.kind === "http") return trigger.request.headers["x-signature"];
		expect<Equal<typeof trigger.kind, "invoke">>();
		return undefined;
	},
});

// @ts-expect-error there is no such unit
createFunction({ description: "x", trigger: { kind: "schedule", frequency: "every fortnight" }, exec: async () => {} });
// @ts-expect-error how often?
createFunction({ description: "x", trigger: { kind: "schedule" }, exec: async () => {} });
// @ts-expect-error there is no such trigger
createFunction({ description: "x", trigger: { kind: "moon" }, exec: async () => {} });
// @ts-expect-error functions without a connection can't be deployed
createFunction({ description: "x", requires: { connection: false }, exec: async () => {} });
createFunction({
	description: "x",
	// @ts-expect-error records need a schedule
	data: { models: { Ticket: z.object({ id: z.string() }) } },
	exec: async () => {},
});
createFunction({
	description: "x",
	trigger: { kind: "schedule", frequency: "every hour" },
	// @ts-expect-error there is no id
	data: { models: { Ticket: z.object({ subject: z.string() }) } },
	exec: async () => {},
});
