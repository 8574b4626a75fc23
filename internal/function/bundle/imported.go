package bundle

import (
	"path"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function/sourcemap"
)

// Imported returns the sources that a bundle was made of beside the function's own
// file, as far as its source map has them: by their places in a folder of functions in
// which the function is one of the integration. Packages are left out. Nil: none, or
// the map does not say where the function's own file was.
func Imported(code linkspan.FunctionCode, integration, name string) map[string]string {
	m, err := sourcemap.New(code.Bundle)
	if err != nil {
		return nil // whoever deployed it wrote the map
	}
	files := m.Files()
	own := ownFile(files, code.Source, name)
	// The function is <root>/<integration>/<kind>s/<name>.ts.
	from := path.Dir(path.Dir(own))
	if own == "" || from == "." {
		return nil
	}
	root := path.Dir(from) + "/"
	if root == "./" {
		root = ""
	}
	var out map[string]string
	for file, text := range files {
		place, inside := strings.CutPrefix(file, root)
		if !inside || file == own || !IsSource(place) {
			continue
		}
		if rest, ok := strings.CutPrefix(file, from+"/"); ok {
			place = integration + "/" + rest
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[place] = text
	}
	return out
}

// ownFile finds the function's own file among the sources of its bundle.
func ownFile(files map[string]string, source, name string) string {
	var own []string
	for file, text := range files {
		base := path.Base(file)
		if text == source && strings.TrimSuffix(base, path.Ext(base)) == name {
			own = append(own, file)
		}
	}
	if len(own) == 0 {
		return ""
	}
	return slices.Min(own)
}

// IsSource reports whether a file of a folder of functions, named with slashes, is one
// that people write and functions import: nothing hidden, and no package's.
func IsSource(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "node_modules" || part[0] == '.' {
			return false
		}
	}
	if strings.ContainsAny(name, `\:`) {
		return false
	}
	_, known := loaders()[path.Ext(name)]
	return known || slices.Contains([]string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".txt"}, path.Ext(name))
}
