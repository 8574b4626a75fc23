import { createSync } from "linkspan";
import { createHash } from "crypto";
import * as z from "zod";
import { UnifiedTicket } from "../../models";
import { isGone } from "../../values";
import { type Issue, repositories, repositoryPath, toTicket } from "../rest";

/** Where the reading stands. A run that was cut off goes on in the middle of a repository. */
interface Checkpoint {
	/** What changed in known repositories before has been read. */
	since: string;
	/** The repositories that were read up to `since`, by their marks. */
	known: string;
	/** When the reading that is under way began; empty: none is. */
	until: string;
	/** The repository being read, and the change to go on from there. */
	repository: string;
	position: string;
}

/** How many characters stand for a repository, and how many repositories fit into a checkpoint. */
const markLength = 4;
const most = 1000;

/** A few characters that tell a repository from others. */
const mark = (name: string) => createHash("sha256").update(name).digest("base64url").slice(0, markLength);

/** A second before: GitHub says "after" of `since`, and many issues may change within a second. */
const before = (moment: string | undefined) => moment && new Date(Date.parse(moment) - 1000).toISOString().replace(/\.\d+/, "");

export default createSync({
	description: "Syncs the issues of GitHub repositories, without pull requests, in the shape of all ticketing systems: those that changed since the last run",
	version: "1.0.0",
	frequency: "every 15 minutes",
	autoStart: true,
	scopes: ["repo"],
	models: { UnifiedTicket },
	metadata: z.object({ repositories: z.array(z.string()).optional().describe("Full names, such as acme/shop. All that the account works with, unless given") }),
	checkpoint: z.object({ since: z.string(), known: z.string(), until: z.string(), repository: z.string(), position: z.string() }),
	exec: async (nango) => {
		const wanted = (await nango.getMetadata())?.repositories ?? (await repositories(nango));
		const names = [...new Set(wanted)].sort();
		if (names.length > most) throw new nango.ActionError({ message: `${names.length} repositories are too many for one sync: name up to ${most} of them in the metadata` });
		let at: Checkpoint = (await nango.getCheckpoint()) ?? { since: "", known: "", until: "", repository: "", position: "" };
		const known = new Set(at.known.match(new RegExp(`.{${markLength}}`, "g")));
		// A minute back: clocks differ. GitHub takes whole seconds.
		if (!at.until) at = { ...at, until: new Date(Date.now() - 60_000).toISOString().replace(/\.\d+/, "") };
		const read = async (name: string) => {
			// The list moves while it is read: what changes goes to its end. So each
			// page begins at the last change seen, and not after so many issues.
			let since = name === at.repository && at.position ? at.position : known.has(mark(name)) ? at.since : "";
			for (let page = 1, more = true; more; ) {
				const { data, headers } = await nango.get<Issue[]>({
					endpoint: `${repositoryPath(name)}/issues`,
					params: { state: "all", sort: "updated", direction: "asc", per_page: 100, page, ...(since && { since }) },
					retries: 5,
				});
				await nango.batchSave(
					data.filter((issue) => !issue.pull_request).map((issue) => toTicket(issue, name)),
					"UnifiedTicket",
				);
				const last = before(data.at(-1)?.updated_at) ?? since;
				page = last > since ? 1 : page + 1;
				since = last > since ? last : since;
				more = Boolean(headers["link"]?.includes('rel="next"'));
				at = { ...at, repository: name, position: since };
				await nango.saveCheckpoint({ ...at });
			}
		};
		const unread = new Set<string>();
		for (const name of names.filter((n) => n >= at.repository)) {
			try {
				await read(name);
			} catch (e) {
				// One repository that is gone, or has no issues any more, must not hold up the others.
				if (!isGone(e)) throw e;
				unread.add(name);
				await nango.log(`The issues of ${name} can't be read: there is no such repository, or it has no issues`, { level: "warn" });
			}
		}
		await nango.saveCheckpoint({ since: at.until, known: names.filter((name) => !unread.has(name)).map(mark).join(""), until: "", repository: "", position: "" });
	},
});
