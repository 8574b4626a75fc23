// Package functions holds what functions find around them in the sandbox, as one
// JavaScript text that is evaluated once: the nango object, the platform library
// and zod. Its sources are the TypeScript in src.
package functions

import _ "embed" // for the prelude

//go:generate go run ./build

//go:embed prelude.js
var prelude string

// Prelude returns the text that package sandbox makes its snapshot of.
func Prelude() string { return prelude }
