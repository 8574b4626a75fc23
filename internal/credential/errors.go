package credential

import "errors"

// None of these quotes what was read: it is secret.
var (
	errNotJSON      = errors.New("the stored credentials are not a JSON object of the expected shape")
	errBadExpiry    = errors.New("a time in the stored credentials is not an RFC 3339 time")
	errNotEncodable = errors.New("credentials are never encoded by accident: use Encode or Wire")
)
