// Package protocol is what a run begins and ends with, wherever it takes place:
// what the prelude is told when it starts a function, and in which words it is told
// why one failed.
package protocol
