// The globals and modules of the sandbox that functions run in: what is there of
// Node.js and of the web.
/// <reference path="./globals.d.ts" />
/// <reference path="./crypto.d.ts" />
/// <reference path="./modules.d.ts" />
