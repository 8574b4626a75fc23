package integrations_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/linkspan/linkspan/integrations"
)

// sourcemap reads the source map of a bundle.
func sourcemap(bundle string) (*integrations.SourceMap, error) {
	_, encoded, ok := strings.Cut(bundle, integrations.MapComment)
	if !ok {
		return nil, errors.New("the bundle has no source map")
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return nil, err
	}
	var m integrations.SourceMap
	return &m, json.Unmarshal(text, &m)
}
