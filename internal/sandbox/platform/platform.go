// Package platform is the host's half of the platform library of the sandbox:
// hashes, ciphers and signatures, URLs, encodings of text, and what depends on
// language and time zone. The other half, in sdk/functions/src/platform, shows
// it under the names that Node gives it.
//
// Each function is synchronous and works on its arguments alone; what one call
// may cost is bounded. Those whose names begin with "random" read randomness,
// so that their answers differ. Errors that functions are to see travel as
// JSON: {"error": {"name", "code", "message"}}; other answers as {"value": …}
// or as raw bytes.
package platform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/linkspan/linkspan/internal/sandbox"
)

var errUnknown = errors.New("unknown function")

// Serve answers one synchronous call of a sandbox. An error means that there is
// no function of that name.
func Serve(c sandbox.Call) (sandbox.Reply, error) {
	r := request{name: c.Name, json: c.JSON, body: c.Body}
	text, body, err := encode(serve(r))
	if err != nil {
		return sandbox.Reply{}, fmt.Errorf("serving %q: %w", c.Name, err)
	}
	return sandbox.Reply{JSON: text, Body: body}, nil
}

func serve(r request) (answer, error) {
	group, _, _ := strings.Cut(r.name, ".")
	switch group {
	case "crypto":
		return cryptoCall(r)
	case "random":
		return randomCall(r)
	case "url":
		return urlCall(r)
	case "text":
		return textCall(r)
	case "intl":
		return intlCall(r)
	default:
		return nil, errUnknown
	}
}

// Pure reports whether a function's answer depends on its arguments alone.
func Pure(name string) bool { return !strings.HasPrefix(name, "random") }
