// Package connectui is what end users see while they connect an account: the
// list of integrations, a card with a form for each, the states of an
// authorization in another window, and the page that such a window ends on.
//
// Pages are made on the server and enhanced in the browser. The shell, GET
// /connect-ui/, is the only document; everything else is a fragment that htmx
// puts into it. Opened by its link, with the session token in the address, the
// shell carries the first view already and works without scripts: then the same
// routes answer with whole documents. In an iframe it waits for the token in a
// message (wire contract §6.5).
//
// The session token is never part of a link. Scripts keep it in memory and send
// it in the Authorization header; forms send it in their body.
package connectui

//go:generate go tool -modfile=../../tools/go.mod templ generate -include-version=false -path .
