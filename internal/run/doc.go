// Package run executes functions: actions that somebody waits for, actions that
// run in the background, functions at events in the life of connections, and
// syncs.
//
// An action that somebody waits for is executed at once in this process, and
// leaves nothing behind but its operation. Everything that must not be lost is a
// row: written in the transaction that gives rise to it, claimed by a replica
// under a short lease whose number fences every later write, tried again where
// that is asked for, and ended in one transaction with the webhook that tells of
// it. Environments take turns, and in each its functions, so that ten thousand rows
// of one keep nobody else waiting.
//
// Syncs have a lane to themselves, with caps for each environment, function,
// provider and connection. A sync is not tried a number of times but for as long as
// it gets on: one that was cut off goes on from its checkpoint, and fails when it
// was taken up several times without having moved it. At its time limit, and when
// the process stops, it is interrupted by its next checkpoint. Whoever cancels it
// raises the number that fences its writes and tells all replicas to break it off.
package run
