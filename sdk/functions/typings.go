package functions

import (
	"bytes"
	"embed"
	"io/fs"
	"strings"
)

//go:embed types/linkspan types/nango types/platform
var typings embed.FS

//go:embed types/zod.txtar
var zod []byte

// Typings returns the declarations that authors' folders are checked with, by
// their slash-separated paths below the folder that they are put into: "linkspan"
// and "nango" (the same under the name that the published tool gives it), both with
// "experimental", "zod" (version 4.3.6, with its licence), and "platform", the
// globals and modules of the sandbox.
//
// A tsconfig.json beside that folder T finds them with
//
//	"types": ["./T/platform"], "paths": { "*": ["./T/*"] }
//
// A folder that has the package @types/node names "node" in types instead.
func Typings() map[string][]byte {
	files := unpack(zod)
	// What is embedded can be read.
	_ = fs.WalkDir(typings, "types", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := typings.ReadFile(name)
		files[strings.TrimPrefix(name, "types/")] = text
		return err
	})
	return files
}

// unpack reads an archive in the format of golang.org/x/tools/txtar.
func unpack(archive []byte) map[string][]byte {
	files := make(map[string][]byte)
	name, from := "", 0
	at := 0
	for line := range bytes.Lines(archive) {
		if marked, ok := bytes.CutPrefix(line, []byte("-- ")); ok {
			if next, ok := bytes.CutSuffix(marked, []byte(" --\n")); ok {
				if name != "" {
					files[name] = archive[from:at:at]
				}
				name, from = string(next), at+len(line)
			}
		}
		at += len(line)
	}
	if name != "" {
		files[name] = archive[from:at:at]
	}
	return files
}
