package hook

import (
	"maps"
	"slices"
)

// Names returns the names of all hooks of a kind: "post_connection",
// "pre_deletion" or "verify_credentials".
func Names(kind string) []string {
	tables := map[string]map[string]action{
		"post_connection": postConnectionHooks(), "pre_deletion": preDeletionHooks(), "verify_credentials": verificationHooks(),
	}
	return slices.Sorted(maps.Keys(tables[kind]))
}

// PushpayError is for the fuzzer.
func PushpayError(text []byte) (bool, error) { return pushpayError(text) }

// Claims is for the fuzzer.
func Claims(token string) (any, error) { return claims(token) }

// At is for the fuzzer.
func At(v any, path string) any { return at(v, path) }
