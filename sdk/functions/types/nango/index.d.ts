// The same as "linkspan": functions made for the published command-line tool import "nango".
export * from "../linkspan/index.js";
