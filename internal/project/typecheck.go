package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/linkspan/linkspan/internal/function/bundle"
)

// FindCompiler looks for the TypeScript compiler: the folder's own, then that of
// folders above it, then what onPath finds; exec.LookPath is one. It returns the
// program, or "" when there is none.
func FindCompiler(dir string, onPath func(name string) (string, error)) string {
	name := "tsc"
	if runtime.GOOS == "windows" {
		name = "tsc.cmd"
	}
	at, err := filepath.Abs(dir)
	for err == nil {
		own := filepath.Join(at, "node_modules", ".bin", name)
		if info, err := os.Stat(own); err == nil && !info.IsDir() {
			return own
		}
		above := filepath.Dir(at)
		if above == at {
			break
		}
		at = above
	}
	found, err := onPath("tsc")
	if err != nil {
		return ""
	}
	return found
}

// TypeErrors are what the TypeScript compiler finds, by file and line.
type TypeErrors struct {
	// Problems are in what index.ts imports, directly or not.
	Problems []bundle.Problem
	// Aside are in files that it does not import: nothing is made of them.
	Aside []bundle.Problem
}

// CheckTypes runs the TypeScript compiler over a folder with its tsconfig.json and
// returns what it finds in the author's files. A folder without tsconfig.json has
// nothing to check. The error says that the compiler could not do its work.
func CheckTypes(ctx context.Context, dir, compiler string) (TypeErrors, error) {
	var found TypeErrors
	if !exists(filepath.Join(dir, "tsconfig.json")) {
		return found, nil
	}
	args := []string{"--project", "tsconfig.json", "--noEmit", "--pretty", "false", "--explainFiles"}
	if canWriteIn(filepath.Join(dir, OwnFolder)) {
		// What did not change since the last time is not checked again.
		args = append(args, "--incremental", "--tsBuildInfoFile", OwnFolder+"/types.tsbuildinfo")
	}
	cmd := exec.CommandContext(ctx, compiler, args...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	problems, rest := parseDiagnostics(dir, stdout.String())
	if err == nil || len(problems) > 0 {
		problems = slices.DeleteFunc(problems, foreign)
		index, _ := IndexOf(dir)
		aside := unimported(index, rest)
		for _, p := range problems {
			if aside[p.File] {
				found.Aside = append(found.Aside, p)
			} else {
				found.Problems = append(found.Problems, p)
			}
		}
		return found, nil
	}
	said := strings.TrimSpace(rest + "\n" + stderr.String())
	if _, ok := errors.AsType[*exec.ExitError](err); ok && said != "" {
		return found, fmt.Errorf("%s failed: %s", compiler, said)
	}
	return found, fmt.Errorf("running %s: %w", compiler, err)
}

// canWriteIn reports whether files can be made in a folder.
func canWriteIn(dir string) bool {
	f, err := os.CreateTemp(dir, ".write-*")
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) == nil
}

// unimported reads the compiler's list of files, each with indented lines that say
// why it is there, and returns those that the index does not lead to. Declarations
// hold everywhere, so they are never among them. Without the index in the list
// nothing is known, and nothing returned.
func unimported(index, listing string) map[string]bool {
	importer := regexp.MustCompile(`^  (?:Imported|Referenced) via .* from file '(.+?)'(?: with packageId '.*'| to import .*)?$`)
	imports, aside := map[string][]string{}, map[string]bool{}
	file := ""
	for line := range strings.Lines(listing) {
		line = strings.TrimRight(line, "\r\n")
		if m := importer.FindStringSubmatch(line); m != nil {
			imports[m[1]] = append(imports[m[1]], file)
		} else if !strings.HasPrefix(line, " ") {
			file = line
			aside[file] = !declares(file)
		}
	}
	if _, ok := aside[index]; index == "" || !ok {
		return nil
	}
	reached := []string{index}
	for len(reached) > 0 {
		next := reached[len(reached)-1]
		reached = append(reached[:len(reached)-1], imports[next]...)
		delete(aside, next)
		delete(imports, next)
	}
	return aside
}

// declares reports whether a file holds nothing but declarations.
func declares(file string) bool {
	return strings.HasSuffix(file, ".d.ts") || strings.HasSuffix(file, ".d.mts") || strings.HasSuffix(file, ".d.cts")
}

// foreign reports whether a problem is in a file that its author can't correct:
// declarations of packages, and ours.
func foreign(p bundle.Problem) bool {
	return strings.Contains("/"+p.File, "/node_modules/") || strings.HasPrefix(p.File, OwnFolder+"/")
}

// parseDiagnostics reads what the compiler prints: a line for each error, with
// indented lines that say more. What follows on those comes back as it is.
func parseDiagnostics(dir, text string) (problems []bundle.Problem, rest string) {
	placed := regexp.MustCompile(`^(.+?)\((\d+),(\d+)\): error (TS\d+: .*)$`)
	global := regexp.MustCompile(`^error (TS\d+: .*)$`)
	sources := sourceLines{dir: dir, files: map[string][]string{}}
	var others []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(others) > 0 {
			others = append(others, line)
		} else if m := placed.FindStringSubmatch(line); m != nil {
			number, _ := strconv.Atoi(m[2])
			column, _ := strconv.Atoi(m[3])
			problems = append(problems, sources.problem(filepath.ToSlash(m[1]), number, column, m[4]))
		} else if m := global.FindStringSubmatch(line); m != nil {
			problems = append(problems, bundle.Problem{File: "tsconfig.json", Message: m[1]})
		} else if n := len(problems); n > 0 && strings.HasPrefix(line, "  ") {
			problems[n-1].Message += "\n" + line
		} else if strings.TrimSpace(line) != "" {
			others = append(others, line)
		}
	}
	slices.SortStableFunc(problems, func(a, b bundle.Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return problems, strings.Join(others, "\n")
}

// sourceLines reads the lines that errors are in.
type sourceLines struct {
	dir   string
	files map[string][]string
}

// problem is an error at a place. The column counts UTF-16 units, as the compiler
// does it.
func (s sourceLines) problem(file string, line, column int, message string) bundle.Problem {
	p := bundle.Problem{File: file, Line: line, Column: column, Message: message}
	lines, ok := s.files[file]
	if !ok {
		name := filepath.FromSlash(file)
		if !filepath.IsAbs(name) {
			name = filepath.Join(s.dir, name)
		}
		if text, err := os.ReadFile(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			lines = strings.Split(string(text), "\n")
		}
		s.files[file] = lines
	}
	if line < 1 || line > len(lines) {
		return p
	}
	text := strings.TrimRight(lines[line-1], "\r")
	offset := len(text)
	units := 0
	for i, r := range text {
		if units >= column-1 {
			offset = i
			break
		}
		units += max(utf16.RuneLen(r), 1)
	}
	length := len(regexp.MustCompile(`^(?:[\p{L}\p{N}_$]+|["'][^"']*["']?|.)`).FindString(text[offset:]))
	p.Column = len([]rune(text[:offset])) + 1
	p.Excerpt = bundle.Excerpt(line, text, offset, length)
	return p
}
