// Package apptest boots the real program for end-to-end tests and gives it a
// world to talk to: a fake SaaS that records what reaches it, a fake
// authorization server whose refresh tokens work once, databases, and clients
// that hold the fixed keys of the instance. Nothing of the program itself is
// faked: a test drives it over HTTP as a customer does, in the test's own
// process or as a child process that can be killed.
package apptest
