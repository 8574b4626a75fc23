/** Small conversions that mapping a provider's data to a model needs again and again. */

/** The text, or undefined for what is missing, null or blank. Numbers become texts. */
export function text(value: unknown): string | undefined {
	if (typeof value === "number") return String(value);
	if (typeof value !== "string") return undefined;
	return value.trim() === "" ? undefined : value;
}

/** The address in lower case, or undefined for what is no mail address. */
export function email(value: unknown): string | undefined {
	const address = text(value)?.trim().toLowerCase();
	return address !== undefined && /^[^\s@,;<>]+@[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(address) ? address : undefined;
}

/** First and last name as one; what is missing is left out. */
export function fullName(...parts: unknown[]): string | undefined {
	return text(parts.map(text).filter(Boolean).join(" "));
}

/** The moment in ISO 8601, UTC; from a text, or from seconds since 1970. Undefined for what is no moment. */
export function timestamp(value: unknown): string | undefined {
	if (value === null || value === undefined || value === "") return undefined;
	const date = typeof value === "number" ? new Date(value * 1000) : new Date(String(value));
	return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** Whether a call failed because there is no such thing, or none that the connection may see. */
export function isGone(error: unknown): boolean {
	return [404, 410].includes((error as { response?: { status?: number } } | null)?.response?.status ?? 0);
}

/** The object without what is undefined: the way to a body that only names what changes. */
export function defined<T extends object>(object: T): Partial<T> {
	return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
}
