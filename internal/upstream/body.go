package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
)

// mergesBody reports whether configured fields are merged into bodies of the
// method.
func mergesBody(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// expandMembers fills the templates of an object. Parts without a value are left
// out.
func expandMembers(v *catalog.Value, vars catalog.Vars) map[string]any {
	object := make(map[string]any)
	for _, m := range v.Members() {
		switch {
		case m.Value.Members() != nil:
			if inner := expandMembers(&m.Value, vars); len(inner) > 0 {
				object[m.Name] = inner
			}
		default:
			if value, ok := m.Value.Expand(vars); ok {
				object[m.Name] = value
			}
		}
	}
	if len(object) == 0 {
		return nil
	}
	return object
}

// mergeBody merges configured fields into a body; they win over the caller's. It
// returns the new body and its content type. An empty body becomes a JSON object;
// a body that has no fields (a list, a text) stays as it is.
func mergeBody(content []byte, contentType string, fields map[string]any) ([]byte, string, error) {
	kind := mediaType(contentType)
	switch {
	case len(bytes.TrimSpace(content)) == 0 && kind != "application/x-www-form-urlencoded" && kind != "multipart/form-data":
		merged, err := json.Marshal(fields)
		if err != nil {
			return nil, "", fmt.Errorf("encoding the configured body: %w", err)
		}
		if !isJSON(kind) {
			contentType = "application/json"
		}
		return merged, contentType, nil
	case kind == "application/x-www-form-urlencoded":
		return mergeForm(content, fields), contentType, nil
	case kind == "multipart/form-data":
		return mergeMultipart(content, contentType, fields)
	case isJSON(kind) || kind == "":
		return mergeJSON(content, fields), contentType, nil
	}
	return content, contentType, nil
}

func isJSON(kind string) bool {
	return kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

func mergeJSON(content []byte, fields map[string]any) []byte {
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(content, &object); err != nil || object == nil {
		return content
	}
	for name, value := range fields {
		encoded, err := json.Marshal(value)
		if err != nil {
			return content
		}
		object[name] = encoded
	}
	merged, err := json.Marshal(object)
	if err != nil {
		return content
	}
	return merged
}

func mergeForm(content []byte, fields map[string]any) []byte {
	pairs := FormPairs(fields)
	params := make([]queryParam, len(pairs))
	for i, p := range pairs {
		params[i] = queryParam{p[0], url.QueryEscape(p[0]) + "=" + url.QueryEscape(p[1])}
	}
	return []byte(mergeQuery(string(content), params))
}

// mergeMultipart copies the parts of a form and appends the configured ones.
func mergeMultipart(content []byte, contentType string, fields map[string]any) ([]byte, string, error) {
	pairs := FormPairs(fields)
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" && len(content) > 0 {
		return nil, "", multipartError(err)
	}
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	r := multipart.NewReader(bytes.NewReader(content), params["boundary"])
	for len(content) > 0 {
		part, err := r.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a wrapped EOF means that the form is cut off
			break
		}
		if err != nil {
			return nil, "", multipartError(err)
		}
		if slices.ContainsFunc(pairs, func(p [2]string) bool { return p[0] == part.FormName() }) {
			continue
		}
		copied, err := w.CreatePart(part.Header)
		if err == nil {
			_, err = io.Copy(copied, part)
		}
		if err != nil {
			return nil, "", multipartError(err)
		}
	}
	for _, p := range pairs {
		if err := w.WriteField(p[0], p[1]); err != nil {
			return nil, "", multipartError(err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", multipartError(err)
	}
	return out.Bytes(), w.FormDataContentType(), nil
}

func multipartError(err error) *linkspan.Error {
	return linkspan.E("upstream.Build", linkspan.KindInvalid, "invalid_body", err, "The body is not the multipart form that its content type announces.")
}

// FormPairs writes an object as the fields of a form. Nested names become
// "a[b]", elements of lists "a[]"; names are sorted.
func FormPairs(object map[string]any) [][2]string {
	var pairs [][2]string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		pairs = appendPairs(pairs, name, object[name])
	}
	return pairs
}

func appendPairs(pairs [][2]string, name string, value any) [][2]string {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range slices.Sorted(maps.Keys(v)) {
			pairs = appendPairs(pairs, name+"["+inner+"]", v[inner])
		}
		return pairs
	case []any:
		for _, inner := range v {
			pairs = appendPairs(pairs, name+"[]", inner)
		}
		return pairs
	case nil:
		return append(pairs, [2]string{name, ""})
	case string:
		return append(pairs, [2]string{name, v})
	}
	return append(pairs, [2]string{name, fmt.Sprint(value)})
}
