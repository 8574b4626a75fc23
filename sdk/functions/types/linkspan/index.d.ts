// What functions import from "linkspan" (and from "nango", which is the same).
export * from "./connection.js";
export * from "./define.js";
export * from "./errors.js";
export * from "./frequency.js";
export * from "./function.js";
export * from "./http.js";
export * from "./nango.js";
export * from "./sync.js";
