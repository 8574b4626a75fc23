// What functions import from "linkspan" (and from "nango", which is the same).
export * from "./connection";
export * from "./define";
export * from "./errors";
export * from "./frequency";
export * from "./function";
export * from "./http";
export * from "./nango";
export * from "./sync";
