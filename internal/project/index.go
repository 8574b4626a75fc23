package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// AddImport adds a function's file, such as "github/actions/create-issue.ts", to
// the imports of index.ts, in the style of those that are there, and reports
// whether it was missing. A folder without index.ts gets one.
func AddImport(dir, file string) (bool, error) {
	index, ok := IndexOf(dir)
	if !ok {
		index = "index.ts"
	}
	name := filepath.Join(dir, index)
	text, err := os.ReadFile(name)
	mode := fs.FileMode(0o644)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, fmt.Errorf("reading %s: %w", index, err)
	default:
		if info, err := os.Stat(name); err == nil {
			mode = info.Mode().Perm()
		}
	}
	changed, added := withImport(string(text), file)
	if !added {
		return false, nil
	}
	if err := replace(name, []byte(changed), mode); err != nil {
		return false, fmt.Errorf("writing %s: %w", index, err)
	}
	return true, nil
}

// withImport returns the text of an index with a file among its imports, and
// whether that changed it.
func withImport(text, file string) (string, bool) {
	bom := ""
	if rest, ok := strings.CutPrefix(text, "\uFEFF"); ok {
		bom, text = "\uFEFF", rest
	}
	imports := importsOf(text)
	module := "./" + strings.TrimSuffix(file, path.Ext(file))
	if slices.ContainsFunc(imports, func(i importLine) bool { return withoutExtension(i.module) == module }) {
		return bom + text, false
	}
	newline := "\n"
	if strings.Contains(text, "\r\n") {
		newline = "\r\n"
	}
	line, at := styled(imports, module), len(text)
	if n := len(imports); n > 0 {
		at = imports[n-1].end
	}
	before, after := text[:at], text[at:]
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += newline
	}
	return bom + before + line + newline + after, true
}

// importLine is an import of a file of the folder.
type importLine struct {
	module    string
	quote     string
	semicolon bool
	indent    string
	end       int // offset behind its line
}

// importsOf finds the imports of a text that begin a line, outside of comments.
func importsOf(text string) []importLine {
	pattern := regexp.MustCompile(`^([ \t]*)(?:import|export)\b(?:[^'"]*\bfrom)?\s*(['"])(\.[^'"]*)['"]\s*(;?)`)
	var found []importLine
	offset, comment := 0, false
	for line := range strings.Lines(text) {
		offset += len(line)
		if comment {
			_, after, ended := strings.Cut(line, "*/")
			if !ended {
				continue
			}
			line, comment = after, false
		}
		if m := pattern.FindStringSubmatch(line); m != nil {
			found = append(found, importLine{indent: m[1], quote: m[2], module: m[3], semicolon: m[4] != "", end: offset})
		}
		if at := strings.LastIndex(line, "/*"); at >= 0 && !strings.Contains(line[at:], "*/") && !strings.HasPrefix(strings.TrimSpace(line), "//") {
			comment = true
		}
	}
	return found
}

// styled writes an import as those of other functions are written.
func styled(imports []importLine, module string) string {
	like := importLine{quote: `"`, semicolon: true}
	extension := ""
	if n := len(imports); n > 0 {
		like = imports[n-1]
		extension = strings.TrimPrefix(like.module, withoutExtension(like.module))
	}
	end := ""
	if like.semicolon {
		end = ";"
	}
	return like.indent + "import " + like.quote + module + extension + like.quote + end
}

// withoutExtension cuts the extension of a source file off a module's name.
// Functions' names have no dots, folders' may.
func withoutExtension(module string) string {
	for _, extension := range []string{".ts", ".js", ".mts", ".mjs", ".cts", ".cjs", ".tsx", ".jsx"} {
		if rest, ok := strings.CutSuffix(module, extension); ok {
			return rest
		}
	}
	return module
}
