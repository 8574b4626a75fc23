package store

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

func TestSummariesSurviveEncoding(t *testing.T) {
	t.Parallel()
	odd := "quote \" backslash \\ tab \t null \x00 é 漢 \u2028 <b>&"
	for _, headers := range []map[string]string{nil, {"accept": "*/*"}, {odd: odd, "b": "", "": "c"}} {
		request := linkspan.HTTPRequestSummary{Method: "GET", URL: "https://api.example.com/?q=" + odd, Headers: headers}
		response := linkspan.HTTPResponseSummary{Code: 429, Headers: headers}
		var gotRequest linkspan.HTTPRequestSummary
		var gotResponse linkspan.HTTPResponseSummary
		decode(t, requestJSON(&request), &gotRequest)
		decode(t, responseJSON(&response), &gotResponse)
		if diff := cmp.Diff(request, gotRequest); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(response, gotResponse); diff != "" {
			t.Error(diff)
		}
	}
	if requestJSON(nil) != nil || responseJSON(nil) != nil {
		t.Error("nothing must be stored as null")
	}
}

func decode(t *testing.T, text, into any) {
	t.Helper()
	s, ok := text.(string)
	if !ok {
		t.Fatalf("encoded as %T", text)
	}
	if err := json.Unmarshal([]byte(s), into); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
}
