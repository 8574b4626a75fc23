package function

import (
	"encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CompileSchema compiles one definition of a function's schema, for whoever checks
// values against it.
func CompileSchema(schema json.RawMessage, definition string) (*jsonschema.Schema, error) {
	c, err := newSchemaCompiler(schema)
	if err != nil {
		return nil, err
	}
	return compileDefinition(c, definition)
}
