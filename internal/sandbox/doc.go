// Package sandbox runs JavaScript that nobody trusts: QuickJS, compiled to
// WebAssembly, under wazero.
//
// What every program finds around it, the prelude, is evaluated once. The memory
// after that is a snapshot, and a sandbox is an instance of the module whose
// memory is a copy-on-write mapping of it: it is there in microseconds. A program
// is compiled once and kept as bytecode; the memory after a program that runs
// often was evaluated is kept as well, as the pages that differ from the snapshot
// (a hot image), unless evaluating it saw anything that another run must not see
// the same way: the clock, random numbers, answers of the host.
//
// One goroutine owns a sandbox and is the only one that touches it. A run ends
// when the prelude calls __hostDone, when a limit is reached or when its context
// ends. Limits are enforced by the memory that the module can have, and by an
// interrupt that QuickJS asks for while it executes: from then on nothing of that
// sandbox runs again. Some loops inside QuickJS, such as joining a long array,
// don't ask. A run that ignores the interrupt for a second is reported as stuck
// and its goroutine left behind; only ending the process stops it, or
// Options.Interruptible, which makes everything stoppable and several times
// slower. WebAssembly code is not preempted by Go's scheduler: a stuck run holds up
// the collector of garbage, and that the whole process. Engine.Asking tells when to
// collect, and whoever relies on the stop watches the process from outside as well.
//
// The package knows nothing of connections, HTTP or databases: a program talks to
// the Host of its run, and to the functions of Options.Sync.
package sandbox
