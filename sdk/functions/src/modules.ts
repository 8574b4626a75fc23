// The modules that a program can require. Each part of the prelude adds its own.

const modules = new Map<string, unknown>();

/** Makes a module available under the names. */
export function provide(names: string[], exports: unknown): void {
	for (const name of names) modules.set(name, exports);
}

/** What programs get as require. */
export function require(name: string): unknown {
	if (modules.has(name)) return modules.get(name);
	const error = new Error(
		`The module "${name}" is not available in functions. ` +
			`Pure JavaScript packages are bundled when they are installed in the folder's node_modules; others can't run here.`,
	);
	// Packages that look whether others are there know it by its code.
	throw Object.assign(error, { code: "MODULE_NOT_FOUND" });
}
