// Package cli is the command line: it reads arguments, finds the settings, and
// hands the work to what it was given. It knows neither the server nor the
// database; package main injects them.
package cli
