import { createSync, type Frequency } from "linkspan";

const definition = { description: "x", models: {}, exec: async () => {} };

for (const frequency of [
	"every 30s", "every 30 seconds", "every 1 minute", "every 2 days", "every 3 week", "every hour", "every day", "every week", "every month", "every half day",
	"every half hour", "every quarter hour", "15m", "1 hour", "cron 0 9 * * 1-5", "cron TZ=Europe/Berlin 0 9 * * mon-fri",
] satisfies Frequency[]) {
	createSync({ ...definition, frequency });
}
createSync({ ...definition, frequency: "Every  15  Minutes" });
createSync({ ...definition, frequency: " every 15 minutes " });

// What is computed is looked at when the function is read.
const computed: string = ["every", "hour"].join(" ");
createSync({ ...definition, frequency: computed });

// @ts-expect-error there is no such unit
createSync({ ...definition, frequency: "every fortnight" });
// @ts-expect-error there is no unit
createSync({ ...definition, frequency: "every 15" });
// @ts-expect-error the word cron is missing
createSync({ ...definition, frequency: "0 9 * * 1-5" });
// @ts-expect-error it is a text
createSync({ ...definition, frequency: 15 });
