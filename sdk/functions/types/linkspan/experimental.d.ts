// What functions import from "linkspan/experimental".
export * from "./index.js";
