package function

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// hoistDefinitions moves definitions that are inside of definitions to the top of
// the document. The published tool leaves them where zod put them, in each schema
// that it wrote, where references, which count from the whole document, don't
// lead. The names are those that the sandbox gives them (sdk/functions,
// describe.ts), so that both ways of deploying give the same schema.
func hoistDefinitions(document map[string]any) {
	definitions, ok := document["definitions"].(map[string]any)
	if !ok {
		return
	}
	for _, owner := range slices.Sorted(maps.Keys(definitions)) {
		schema, ok := definitions[owner].(map[string]any)
		if !ok {
			continue
		}
		inner, _ := schema["definitions"].(map[string]any)
		names := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(inner)) {
			names[name] = hoistedName(definitions, owner, name, inner[name])
		}
		if len(inner) > 0 {
			delete(schema, "definitions")
		}
		pointElsewhere(schema, owner, names)
		for name, s := range inner {
			pointElsewhere(s, owner, names)
			definitions[names[name]] = s
		}
	}
}

// hoistedName returns the name at the top for a definition inside of another.
// Names such as "__schema0" count anew in every schema.
func hoistedName(definitions map[string]any, owner, name string, schema any) string {
	taken, exists := definitions[name]
	if !strings.HasPrefix(name, "__") && name != owner && (!exists || reflect.DeepEqual(taken, schema)) {
		return name
	}
	return owner + "_" + strings.TrimLeft(name, "_")
}

// pointElsewhere gives references inside of a schema the new names.
func pointElsewhere(value any, owner string, names map[string]string) {
	const prefix = "#/definitions/"
	switch v := value.(type) {
	case []any:
		for _, e := range v {
			pointElsewhere(e, owner, names)
		}
	case map[string]any:
		for key, member := range v {
			ref, isText := member.(string)
			switch {
			case key != "$ref" || !isText:
				pointElsewhere(member, owner, names)
			case ref == "#":
				v[key] = prefix + owner
			default:
				if to, ok := names[strings.TrimPrefix(ref, prefix)]; ok && strings.HasPrefix(ref, prefix) {
					v[key] = prefix + to
				}
			}
		}
	}
}
