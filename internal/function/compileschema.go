package function

import (
	"encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CompileSchema compiles one definition of a function's schema, for whoever checks
// values against it. Formats are notes for people: what zod wants of a text it
// says as a pattern too, and every validator has its own idea of an e-mail
// address.
func CompileSchema(schema json.RawMessage, definition string) (*jsonschema.Schema, error) {
	c, err := newSchemaCompiler(schema)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{
		"date", "time", "date-time", "duration", "period", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "uri-template",
		"iri", "iri-reference", "uuid", "json-pointer", "relative-json-pointer", "semver",
	} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
	}
	return compileDefinition(c, definition)
}
