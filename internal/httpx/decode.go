package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/linkspan/linkspan"
)

// DecodeBody decodes and validates the JSON body of a request. All problems
// are reported at once. Errors: invalid_json for what is not JSON (trailing
// text included), invalid_body with issues for what breaks the rules of T,
// request_too_large, and invalid_content_type for compressed bodies. Of
// duplicate keys the last wins, as in JavaScript.
func DecodeBody[T any](r *http.Request) (T, error) {
	var v T
	tree, found, err := readBody(r)
	if err != nil {
		return v, err
	}
	return v, decodeInto(&v, tree, found, fromBody, "invalid_body")
}

// DecodeQuery decodes and validates the query of a request. Keys that T does
// not know are refused.
func DecodeQuery[T any](r *http.Request) (T, error) {
	var v T
	values, err := queryOf(r)
	if err != nil {
		return v, err
	}
	return v, decodeInto(&v, map[string]any(values), true, fromQuery, "invalid_query_params")
}

// DecodePath decodes and validates the path values of a request.
func DecodePath[T any](r *http.Request) (T, error) {
	var v T
	s := shapeOf(reflect.TypeFor[T](), fromPath)
	tree := make(map[string]any, len(s.fields))
	for i := range s.fields {
		tree[s.fields[i].name] = pathText(r, s.fields[i].name)
	}
	return v, decodeInto(&v, tree, true, fromPath, "invalid_uri_params")
}

func pathText(r *http.Request, name string) string {
	return strings.ToValidUTF8(r.PathValue(name), "\uFFFD")
}

// NoQuery refuses requests with a query.
func NoQuery(r *http.Request) error {
	_, err := DecodeQuery[struct{}](r)
	return err
}

// NoBody refuses requests with a body. An empty object counts as none: clients
// send it where they have nothing to say.
func NoBody(r *http.Request) error {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	tree, found, err := readBody(r)
	if err != nil || !found {
		return err
	}
	var v struct{}
	return decodeInto(&v, tree, true, fromBody, "invalid_body")
}

// Invalid makes a validation error with one issue, for rules that need more
// than the input to check: for instance that a name is taken. path elements are
// strings or ints.
func Invalid(code, issueCode, message string, path ...any) error {
	if path == nil {
		path = []any{}
	}
	return invalid(code, []linkspan.Issue{{Code: issueCode, Message: message, Path: path}})
}

func invalid(code string, issues []linkspan.Issue) error {
	if len(issues) == 0 {
		return nil
	}
	return &linkspan.Error{Kind: linkspan.KindInvalid, Code: code, Op: "httpx.Decode", Issues: issues}
}

func decodeInto(dst any, tree any, found bool, from source, code string) error {
	v := reflect.ValueOf(dst).Elem()
	s := shapeOf(v.Type(), from)
	d := decoder{from: from}
	if !found {
		d.missing(s, noRules)
	} else {
		d.decode(tree, v, s, noRules)
	}
	return invalid(code, d.issues)
}

func queryOf(r *http.Request) (Values, error) {
	values, err := ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Invalid("invalid_query_params", "too_big", "Too big: expected at most 1000 query parameters")
	}
	return values, nil
}

// readBody reads a JSON body into maps, lists, strings, json.Numbers, bools and
// nil. found is false when there is none.
func readBody(r *http.Request) (tree any, found bool, err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, false, nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, false, linkspan.E("httpx.DecodeBody", linkspan.KindUnsupportedMedia, "invalid_content_type", nil,
			"Compressed request bodies are not accepted. Send the body without Content-Encoding.")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, false, readError(err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, false, nil
	}
	tree, err = parseJSON(body)
	return tree, err == nil, err
}

func readError(err error) error {
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(tooBig.Limit)
	}
	if known, ok := errors.AsType[*linkspan.Error](err); ok {
		return known
	}
	return linkspan.E("httpx.DecodeBody", linkspan.KindInvalid, "invalid_body", err,
		"The request body could not be read to its end.")
}

func parseJSON(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var tree any
	err := dec.Decode(&tree)
	if err == nil {
		if _, trailing := dec.Token(); trailing == io.EOF {
			return tree, nil
		}
		err = fmt.Errorf("unexpected text after the JSON value at byte %d", dec.InputOffset())
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("unexpected end of JSON input")
	}
	message := err.Error()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		message = fmt.Sprintf("%s (at byte %d)", message, syntax.Offset)
	}
	// The text of the parser is part of the contract; it names at most one
	// character of the body.
	return nil, &linkspan.Error{Kind: linkspan.KindInvalid, Code: "invalid_json", Op: "httpx.DecodeBody", Msg: message}
}
