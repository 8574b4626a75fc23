// The same as "linkspan/experimental".
export * from "../linkspan/experimental.js";
