package httpx

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan"
)

// DecodeHeader decodes and validates the headers that T names. Others are none of
// its business. Of a header that is sent twice the first counts.
func DecodeHeader[T any](r *http.Request) (T, error) {
	var v T
	s := shapeOf(reflect.TypeFor[T](), fromHeader)
	tree := make(map[string]any, len(s.fields))
	for i := range s.fields {
		if values := r.Header.Values(s.fields[i].name); len(values) > 0 {
			tree[s.fields[i].name] = strings.ToValidUTF8(values[0], "\uFFFD")
		}
	}
	return v, decodeInto(&v, tree, true, fromHeader, "invalid_headers")
}

// RawBody returns the JSON body of a request as it was sent, so that the order of
// keys and the digits of numbers survive. Nil: there is none. Errors are those of
// [DecodeBody] for what is not JSON.
func RawBody(r *http.Request) (json.RawMessage, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, linkspan.E("httpx.RawBody", linkspan.KindUnsupportedMedia, "invalid_content_type", nil,
			"Compressed request bodies are not accepted. Send the body without Content-Encoding.")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, readError(err)
	}
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return nil, nil
	}
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	if !json.Valid(body) {
		_, err := parseJSON(body) // says what is wrong
		return nil, err
	}
	return body, nil
}

// RawFields returns the members of the object that is the JSON body of a request,
// each as it was sent. Of duplicate keys the last wins, as in JavaScript. Errors
// are those of [DecodeBody].
func RawFields(r *http.Request) (map[string]json.RawMessage, error) {
	body, err := RawBody(r)
	if err != nil {
		return nil, err
	}
	received := "undefined"
	if body != nil {
		if body[0] == '{' {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(body, &fields); err != nil {
				_, err := parseJSON(body)
				return nil, err
			}
			return fields, nil
		}
		received = RawType(body)
	}
	return nil, Invalid("invalid_body", "invalid_type", "Invalid input: expected object, received "+received)
}

// RawType names the type of a JSON value in JavaScript's terms, as issues do. Nil
// is undefined.
func RawType(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return "undefined"
	}
	switch value[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	default:
		return "number"
	}
}
