/**
 * What a function throws to end its run with a payload for whoever started it: the caller of an action gets it with the code
 * `action_script_runtime_error`; thrown in `validate-connection`, its `message` is what the user reads.
 *
 * @example throw new ActionError({ code: "not_a_member", message: "Ask your administrator to invite you" });
 */
export declare class ActionError<T = Record<string, unknown>> extends Error {
	/** @param payload Any JSON. Its `message` or `error`, or itself when it is a text, becomes the message. */
	constructor(payload?: T);
	readonly type: "action_script_runtime_error";
	readonly payload: T | undefined;
}
