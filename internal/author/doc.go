// Package author is the server's side of writing functions without a folder
// (features §20): it compiles the text of one function, tries it with a real
// connection, and deploys it or a template of the library.
//
// Authors' texts may be hostile. They are compiled in processes of their own,
// which read no file and whose memory and time are bounded, and executed like all
// functions in the runners' sandboxes. Dry runs and deploys are rows of a table:
// each process claims some with a lease, so that a killed one loses none and none is
// worked on twice at a time.
package author
