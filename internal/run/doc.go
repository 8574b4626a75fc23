// Package run executes functions: actions that somebody waits for, actions that
// run in the background, and functions at events in the life of connections.
//
// An action that somebody waits for is executed at once in this process, and
// leaves nothing behind but its operation. Everything that must not be lost is a
// row: written in the transaction that gives rise to it, claimed by a replica
// under a short lease whose number fences every later write, tried again where
// that is asked for, and ended in one transaction with the webhook that tells of
// it. Environments take turns, so that ten thousand rows of one keep nobody else
// waiting.
package run
