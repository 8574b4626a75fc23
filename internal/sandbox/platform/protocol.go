package platform

import (
	"encoding/json"
	"errors"
	"fmt"
)

// answer is what a function returns: bytes go raw, anything else as JSON.
type answer any

// fault is an error that JavaScript code gets to see: the name is that of an
// error class, the code is Node's.
type fault struct {
	Name    string `json:"name"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

func (f *fault) Error() string { return f.Message }

func typeFault(code, format string, args ...any) error {
	return &fault{Name: "TypeError", Code: code, Message: fmt.Sprintf(format, args...)}
}

func rangeFault(code, format string, args ...any) error {
	return &fault{Name: "RangeError", Code: code, Message: fmt.Sprintf(format, args...)}
}

func plainFault(code, format string, args ...any) error {
	return &fault{Name: "Error", Code: code, Message: fmt.Sprintf(format, args...)}
}

// request is one call as the functions of this package see it.
type request struct {
	name string
	json []byte
	body []byte
}

// params parses the JSON of a request.
func params[T any](r request) (T, error) {
	var v T
	if len(r.json) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(r.json, &v); err != nil {
		return v, typeFault("ERR_INVALID_ARG_TYPE", "The arguments of %s are malformed.", r.name)
	}
	return v, nil
}

// parts cuts the body into the byte strings that a function takes.
func (r request) parts(n int) ([][]byte, error) {
	lengths, err := params[struct {
		Parts []int `json:"parts"`
	}](r)
	if err != nil {
		return nil, err
	}
	malformed := typeFault("ERR_INVALID_ARG_TYPE", "The arguments of %s are malformed.", r.name)
	if len(lengths.Parts) != n {
		return nil, malformed
	}
	cut := make([][]byte, n)
	rest := r.body
	for i, length := range lengths.Parts {
		if length < 0 || length > len(rest) {
			return nil, malformed
		}
		cut[i], rest = rest[:length:length], rest[length:]
	}
	return cut, nil
}

// input parses a request into its JSON and its byte strings.
func input[T any](r request, n int) (T, [][]byte, error) {
	v, err := params[T](r)
	if err != nil {
		return v, nil, err
	}
	parts, err := r.parts(n)
	return v, parts, err
}

// reply is the JSON of an answer: a value, or the error to throw.
type reply struct {
	Value any    `json:"value,omitempty"`
	Error *fault `json:"error,omitempty"`
}

// encode turns an answer or an error into JSON or raw bytes. Errors of other
// kinds than fault are the host's own and are returned.
func encode(a answer, err error) (text, body []byte, _ error) {
	var out reply
	if err != nil {
		f, ok := errors.AsType[*fault](err)
		if !ok {
			return nil, nil, err
		}
		out.Error = f
	} else if raw, ok := a.([]byte); ok {
		if raw == nil {
			raw = []byte{}
		}
		return nil, raw, nil
	} else {
		out.Value = a
	}
	text, err = json.Marshal(out)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return text, nil, nil
}
