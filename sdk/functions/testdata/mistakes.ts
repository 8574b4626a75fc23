import { createAction, createFunction, createOnEvent, createSync } from "linkspan";
import * as z from "zod";

const flat = { description: "x", frequency: "every hour", exec: async () => {} } as const;

createSync({
	description: "x",
	frequency: "every hour",
	models: { Note: z.object({ id: z.string(), text: z.string() }), Contact: z.object({ id: z.string(), name: z.object({ first: z.string() }) }) },
	metadata: z.object({ team: z.string() }),
	checkpoint: z.object({ since: z.string() }),
	exec: async (nango) => {
		await nango.batchSave([{ id: "1", text: "" }], "Nope"); // says: Argument of type '"Nope"' is not assignable to parameter of type '"Note" | "Contact"'
		await nango.getRecordsByIds(["1"], "Nope"); // says: Argument of type '"Nope"' is not assignable to parameter of type '"Note" | "Contact"'
		await nango.trackDeletesStart("Nope"); // says: Argument of type '"Nope"' is not assignable to parameter of type '"Note" | "Contact"'
		await nango.getRecordsByIds("1", "Note"); // says: Argument of type 'string' is not assignable to parameter of type 'readonly (string | number)[]'
		await nango.batchSave([{ id: "1", txt: "" }], "Note"); // says: 'txt' does not exist in type '{ id: string; text: string; }'. Did you mean to write 'text'?
		await nango.batchSave([{ id: "1" }], "Note"); // says: Property 'text' is missing in type '{ id: string; }'
		await nango.setMetadata("x"); // says: Argument of type 'string' is not assignable to parameter of type '{ team: string; }'
		await nango.saveCheckpoint({ since: { at: "" } }); // says: Type '{ at: string; }' is not assignable to type 'string'
	},
});
createSync({ ...flat, models: { Note: z.object({ text: z.string() }) } }); // says: & "The model Note must be an object with an id: add id: z.string()"
createSync({ ...flat, models: { Note: z.string() } }); // says: & "The model Note must be an object with an id: add id: z.string()"
createSync({ ...flat, models: {}, metadata: z.string() }); // says: & "Metadata must be an object: z.object({ … })"
createSync({ ...flat, models: {}, metadata: z.array(z.string()) }); // says: & "Metadata must be an object: z.object({ … })"
createSync({ ...flat, models: {}, checkpoint: z.string() }); // says: & "A checkpoint must be an object: z.object({ … })"
createSync({ ...flat, models: {}, checkpoint: z.object({ at: z.object({ page: z.number() }) }) }); // says: & "The field at of the checkpoint must be a text, a number, a boolean or a date"
createSync({ ...flat, models: {}, checkpoint: z.object({ at: z.string(), ids: z.array(z.number()) }) }); // says: & "The field ids of the checkpoint must be a text, a number, a boolean or a date"
createSync({ ...flat, models: {}, checkpoint: z.object({ at: z.string().nullable() }) }); // says: & "The field at of the checkpoint must be a text, a number, a boolean or a date"
createSync({ ...flat, models: {}, metadata: z.any(), checkpoint: z.any() });
createSync({ ...flat, models: {}, metadata: z.record(z.string(), z.string()), checkpoint: z.record(z.string(), z.string()) });
createSync({ ...flat, models: {}, metadata: z.object({ a: z.string() }).optional() });
createSync({ ...flat, models: {}, checkpoint: z.object({ a: z.string() }).optional() }); // says: & "A checkpoint must be an object: z.object({ … })"

createAction({ description: "x", input: z.void(), output: z.void(), exec: async (nango) => void nango.batchSave([{ id: "1" }], "Note") }); // says: Property 'batchSave' does not exist on type 'NangoAction<any, CheckpointData, void>'
createAction({ description: "x", input: z.void(), output: z.object({ id: z.string() }), exec: async () => ({ id: 1 }) }); // says: Type 'Promise<{ id: number; }>' is not assignable to type '{ id: string; } | Promise<{ id: string; }>'
createOnEvent({ description: "x", event: "connection-made", exec: async () => {} }); // says: Type '"connection-made"' is not assignable to type 'ConnectionEvent'
createFunction({ description: "x", data: { checkpoint: z.object({ ids: z.array(z.string()) }) }, exec: async () => {} }); // says: & "The field ids of the checkpoint must be a text, a number, a boolean or a date"
createFunction({ description: "x", data: { metadata: z.string() }, exec: async () => {} }); // says: & "Metadata must be an object: z.object({ … })"
createFunction({ description: "x", trigger: { kind: "schedule", frequency: "every hour" }, data: { models: { A: z.object({ x: z.string() }) } }, exec: async () => {} }); // says: & "The model A must be an object with an id: add id: z.string()"
createFunction({ description: "x", data: { models: { A: z.object({ id: z.string() }) } }, exec: async () => {} }); // says: & "only functions whose trigger is a schedule keep records"
