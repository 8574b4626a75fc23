// Package sourcemap maps positions in a function's bundle back to the files that
// its author wrote. It reads the version 3 source map that bundlers put at the
// end of their output.
package sourcemap

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"path"
	"slices"
	"strings"
)

// marker introduces the map in the last lines of a bundle.
const marker = "//# sourceMappingURL="

// maxText bounds a map in bytes, as it is written in the bundle.
const maxText = 24 << 20

// A Map maps the positions of one bundle. The nil Map and the zero Map map
// nothing. It is immutable and safe for concurrent use.
type Map struct {
	sources []string
	texts   map[string]string // of sources, by name
	// segments are in the order of lines and columns of the bundle.
	segments []segment
}

// segment says where the text that begins at a line and column comes from.
// Numbers count from 0.
type segment struct {
	line, column int32
	// source is an index of Map.sources, negative when the text was made by the
	// bundler.
	source       int32
	sourceLine   int32
	sourceColumn int32
}

// document is a source map as it is written.
type document struct {
	Version    int             `json:"version"`
	SourceRoot string          `json:"sourceRoot"`
	Sources    []*string       `json:"sources"`
	Contents   []*string       `json:"sourcesContent"`
	Mappings   string          `json:"mappings"`
	Sections   json.RawMessage `json:"sections"`
}

// New reads the map that a bundle carries inline. A bundle that carries none, or
// refers to a file, has a Map that maps nothing. The error says why a map that is
// there can't be read.
func New(bundle string) (*Map, error) {
	text, err := inline(bundle)
	if err != nil || text == nil {
		return &Map{}, err
	}
	return Parse(text)
}

// Parse reads a source map, the JSON of version 3 without sections.
func Parse(text []byte) (*Map, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("reading a source map: %w", err)
	}
	if d.Version != 3 {
		return nil, fmt.Errorf("reading a source map: version %d is not supported", d.Version)
	}
	if len(d.Sections) > 0 {
		return nil, errors.New("reading a source map: sections are not supported")
	}
	m := &Map{sources: make([]string, len(d.Sources)), texts: map[string]string{}}
	for i, s := range d.Sources {
		if s == nil {
			continue
		}
		m.sources[i] = cleanSource(d.SourceRoot, *s)
		if i < len(d.Contents) && d.Contents[i] != nil {
			m.texts[m.sources[i]] = *d.Contents[i]
		}
	}
	segments, err := decode(d.Mappings, len(d.Sources))
	if err != nil {
		return nil, fmt.Errorf("reading a source map: %w", err)
	}
	m.segments = segments
	return m, nil
}

// inline returns the map in the bundle's last comment, nil when there is none.
func inline(bundle string) ([]byte, error) {
	at := strings.LastIndex(bundle, marker)
	if at < 0 || (at > 0 && bundle[at-1] != '\n') {
		return nil, nil
	}
	uri, _, _ := strings.Cut(bundle[at+len(marker):], "\n")
	head, data, found := strings.Cut(strings.TrimSpace(uri), ",")
	if !found || !strings.HasPrefix(head, "data:") {
		return nil, nil
	}
	if len(data) > maxText {
		return nil, fmt.Errorf("an inline source map has %d bytes, %d are the most", len(data), maxText)
	}
	if strings.HasSuffix(head, ";base64") {
		text, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, fmt.Errorf("decoding an inline source map: %w", err)
		}
		return text, nil
	}
	text, err := url.PathUnescape(data)
	if err != nil {
		return nil, fmt.Errorf("decoding an inline source map: %w", err)
	}
	return []byte(text), nil
}

// cleanSource makes a source's name relative to the folder of functions. Other
// bundlers name sources relative to their output, a folder below it.
func cleanSource(root, source string) string {
	if root != "" {
		source = strings.TrimSuffix(root, "/") + "/" + source
	}
	source = strings.TrimPrefix(path.Clean(strings.ReplaceAll(source, `\`, "/")), "/")
	for strings.HasPrefix(source, "../") {
		source = source[len("../"):]
	}
	return source
}

// Position returns where the text at a line and column of the bundle comes from.
// Lines and columns count from 1, in and out; columns count UTF-16 units. It is
// not ok when the text was made by the bundler or lies outside of the bundle.
func (m *Map) Position(line, column int) (file string, sourceLine, sourceColumn int, ok bool) {
	if m == nil || line < 1 || column < 1 || line > math.MaxInt32 || column > math.MaxInt32 {
		return "", 0, 0, false
	}
	at := segment{line: int32(line - 1), column: int32(column - 1)}
	i, exact := slices.BinarySearchFunc(m.segments, at, byPlace)
	if !exact {
		i--
	}
	if i < 0 || m.segments[i].line != at.line || m.segments[i].source < 0 {
		return "", 0, 0, false
	}
	s := m.segments[i]
	return m.sources[s.source], int(s.sourceLine) + 1, int(s.sourceColumn) + 1, m.sources[s.source] != ""
}

// Files returns the texts of all files that the map carries, by their names. The map
// is the caller's.
func (m *Map) Files() map[string]string {
	if m == nil {
		return nil
	}
	return maps.Clone(m.texts)
}

// Source returns the text of a file that the map carries, or "".
func (m *Map) Source(file string) string {
	if m == nil {
		return ""
	}
	return m.texts[file]
}
