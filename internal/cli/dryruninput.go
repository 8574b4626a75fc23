package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxDryrunInput bounds what is read for a flag, in bytes.
const maxDryrunInput = 64 << 20

// dryrunInput is what the flags say, read. Nil: not given.
type dryrunInput struct {
	input, metadata, checkpoint, webhook json.RawMessage
	lastSync                             time.Time
}

func readDryrunInput(sys System, o *dryrunOptions) (dryrunInput, error) {
	var in dryrunInput
	r := inputReader{sys: sys, dir: o.dir}
	for _, flag := range []struct {
		name, value string
		into        *json.RawMessage
		plain       bool // text that is no JSON is a string
		object      bool
	}{
		{name: "--input", value: o.input, into: &in.input, plain: true},
		{name: "--metadata", value: o.metadata, into: &in.metadata, object: true},
		{name: "--checkpoint", value: o.checkpoint, into: &in.checkpoint, object: true},
		{name: "--webhook", value: o.webhook, into: &in.webhook},
	} {
		if flag.value == "" {
			continue
		}
		value, err := r.read(flag.value, flag.plain)
		if err == nil && flag.object && value[0] != '{' {
			err = errors.New(`it must be a JSON object, such as {"page":1}`)
		}
		if err != nil {
			return in, &usageError{fmt.Errorf("%s: %w", flag.name, err)}
		}
		*flag.into = value
	}
	var err error
	in.lastSync, err = moment(o.lastSync)
	if err != nil {
		return in, &usageError{fmt.Errorf("--last-sync-date: %w", err)}
	}
	return in, nil
}

// moment reads a date or a moment; empty is none.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a date nor a moment, such as 2026-01-31 or 2026-01-31T12:00:00Z", text)
}

// inputReader reads the values of flags.
type inputReader struct {
	sys  System
	dir  string
	used bool // of the standard input
}

// read returns a value as JSON: it is JSON, @FILE, or - for the standard input.
func (r *inputReader) read(value string, plain bool) (json.RawMessage, error) {
	where := ""
	switch {
	case value == "-":
		text, err := r.stdin()
		if err != nil {
			return nil, err
		}
		value, where = text, "the standard input: "
	case strings.HasPrefix(value, "@"):
		text, err := r.file(value[1:])
		if err != nil {
			return nil, err
		}
		where = value[1:] + ": "
		plain = plain && !strings.EqualFold(filepath.Ext(value), ".json")
		value = text
	}
	value = strings.TrimSpace(strings.TrimPrefix(value, "\uFEFF"))
	err := checkJSON(value)
	if err == nil {
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(value)); err != nil {
			return nil, fmt.Errorf("%s%w", where, err)
		}
		return b.Bytes(), nil
	}
	if !plain || strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") || strings.HasPrefix(value, `"`) {
		return nil, fmt.Errorf("%sit is not JSON: %w", where, err)
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%s%w", where, err)
	}
	return quoted, nil
}

func (r *inputReader) stdin() (string, error) {
	if r.used {
		return "", errors.New("the standard input can be read for one flag only")
	}
	r.used = true
	if r.sys.Stdin == nil {
		return "", errors.New("there is no standard input")
	}
	text, err := limited(r.sys.Stdin)
	if err != nil {
		return "", fmt.Errorf("reading the standard input: %w", err)
	}
	return text, nil
}

// file reads a file, which is also looked for in the folder of the functions.
func (r *inputReader) file(name string) (string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(name) {
		f, err = os.Open(filepath.Join(r.dir, name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no file %q", name)
	}
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", name, err)
	}
	defer func() { _ = f.Close() }() // it was read only
	text, err := limited(f)
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", name, err)
	}
	return text, nil
}

// limited reads what is not too large.
func limited(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxDryrunInput+1))
	if err == nil && len(text) > maxDryrunInput {
		err = fmt.Errorf("it is larger than %d bytes", maxDryrunInput)
	}
	return string(text), err
}

// checkJSON says where a text stops being JSON.
func checkJSON(text string) error {
	var value any
	err := json.Unmarshal([]byte(text), &value)
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return err
	}
	before := text[:min(max(int(syntax.Offset)-1, 0), len(text))]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}
