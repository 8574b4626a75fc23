// Package api holds the types of the public HTTP API: request bodies, query
// strings and replies, as they are on the wire. The server decodes into them
// and encodes from them, the OpenAPI document (openapi.json) is generated from
// them, and package api/client, the Go SDK, uses the same types.
//
// The check tags say what the server accepts; they are the one description of
// the rules and also feed the OpenAPI document. A pointer field may be absent.
package api
