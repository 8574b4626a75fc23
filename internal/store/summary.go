package store

import (
	"encoding/json"
	"strconv"

	"github.com/linkspan/linkspan"
)

// The summaries of HTTP exchanges are encoded by hand: there are two for each
// proxied call, and reflection over their maps was a tenth of what storing an
// operation costs.

// requestJSON is a request summary as JSON, null for nil.
func requestJSON(r *linkspan.HTTPRequestSummary) any {
	if r == nil {
		return nil
	}
	b := make([]byte, 0, 512)
	b = appendJSONString(append(b, `{"method":`...), r.Method)
	b = appendJSONString(append(b, `,"url":`...), r.URL)
	return string(append(appendJSONHeaders(b, r.Headers), '}'))
}

// responseJSON is a response summary as JSON, null for nil.
func responseJSON(r *linkspan.HTTPResponseSummary) any {
	if r == nil {
		return nil
	}
	b := make([]byte, 0, 512)
	b = strconv.AppendInt(append(b, `{"code":`...), int64(r.Code), 10)
	return string(append(appendJSONHeaders(b, r.Headers), '}'))
}

func appendJSONHeaders(b []byte, headers map[string]string) []byte {
	if len(headers) == 0 {
		return b
	}
	b = append(b, `,"headers":{`...)
	for name, value := range headers {
		b = appendJSONString(b, name)
		b = appendJSONString(append(b, ':'), value)
		b = append(b, ',')
	}
	b[len(b)-1] = '}' // in place of the last comma
	return b
}

// appendJSONString appends s in quotes. Text that needs no escapes, which is
// nearly all of it, is copied.
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always encodes
				quoted = []byte(`""`)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
