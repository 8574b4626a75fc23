// Package runner executes programs in child processes, so that whatever a program
// does to its process, the server goes on.
//
// A child is the same binary, started as "linkspan runner". It hosts many
// sandboxes, holds no key, no database and no environment, and has one way out: a
// socket pair to its parent. Frames on it carry programs (once for each child),
// runs, the calls that a run makes of its host, the answers, and results. The host
// of every run stays in the parent.
//
// Two things keep one side from making the other grow. A link buffers little and
// makes senders wait. And each run has windows: bytes of calls, of notes and of
// answers that may be under way until the other side is done with them.
//
// A Pool starts children when runs come, places each run on the child that has the
// fewest, lets environments take turns when all is in use, and watches: a child
// that dies, reports a run that can't be stopped, or falls silent for longer than
// its runs may compute is replaced. Its other runs get a moment to end; those
// that had not reached their host yet are tried again elsewhere, the rest are
// lost, which the caller learns from a LostError.
//
// WebAssembly code can't be preempted: one endless native loop and a collection of
// garbage stop the whole process, its watchdogs included. That is why a child
// collects when no program is in the middle of such a thing, and why the parent's
// clock counts where that was in vain. Memory is shared out by what functions needed
// lately. When that was too little, a child stops its largest run, and the pool tries
// it again when there is room for it.
//
// A function that made a kill necessary is quarantined: for an hour it runs in a
// child of its own, where everything can be stopped and computing is slower. When
// a child dies and it is not clear by whom, all functions that were computing are
// suspects, and leave quarantine after they behaved.
package runner
