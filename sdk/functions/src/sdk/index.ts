// The SDK: the nango object and what functions import from "nango" or "linkspan".
import { describeFailures } from "../core";
import { provide } from "../modules";
import { ActionError, describe } from "./errors";
import "./run";

/** Makes a maker of definitions of a type. */
const maker = (type: string) => (definition: object) => ({ type, ...definition });

const sdk = {
	createSync: maker("sync"),
	createAction: maker("action"),
	createOnEvent: maker("onEvent"),
	createFunction: maker("function"),
	ActionError,
};

provide(["nango", "nango/experimental", "linkspan", "linkspan/experimental"], Object.freeze({ __esModule: true, ...sdk, default: Object.freeze(sdk) }));
describeFailures((thrown) => {
	const description = describe(thrown);
	return description && { ...description };
});
