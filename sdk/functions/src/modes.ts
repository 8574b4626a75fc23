// What a program can be started for. Each part of the prelude adds its own.

/** Runs with the program's exports and the start's parameters; its result ends the run. */
export type Mode = (exports: any, params: any) => unknown;

const modes = new Map<string, Mode>();

/** Adds a mode: the member "mode" of what Entry.start is given chooses it. */
export function addMode(name: string, mode: Mode): void {
	modes.set(name, mode);
}

/** Looks a mode up. */
export function modeOf(name: string): Mode {
	const mode = modes.get(name);
	if (mode === undefined) throw new Error(`There is no mode "${name}".`);
	return mode;
}
