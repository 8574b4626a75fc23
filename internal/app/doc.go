// Package app is the composition root: it opens the database and the vault,
// makes the features, and gives them to the servers. It is the only package that
// knows everyone, and holds no logic of its own beyond starting and stopping in
// the right order.
package app
