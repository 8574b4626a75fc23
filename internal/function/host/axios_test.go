package host_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oddities answers with what clients have to cope with.
func oddities(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/")
	if strings.HasPrefix(path, "echo") {
		body, _ := io.ReadAll(r.Body)
		headers := map[string]string{}
		for name, values := range r.Header {
			if name == "Content-Type" || name == "Accept" || strings.HasPrefix(name, "X-") {
				headers[name] = strings.Join(values, ", ")
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "uri": r.URL.RequestURI(), "headers": headers, "body": string(body)})
		return
	}
	if status, kind, ok := strings.Cut(strings.TrimPrefix(path, "status/"), "/"); ok {
		failing(w, status, kind)
		return
	}
	answer := map[string][2]string{
		"json": {"application/json", `{"a":[1,"ü"]}`}, "list": {"application/json", `[1]`}, "number": {"application/json", `5`},
		"null": {"application/json", `null`}, "string": {"application/json", `"s"`}, "true": {"text/plain", `true`}, "empty": {"application/json", ""},
		"bom": {"application/json", "\ufeff{\"a\":1}"}, "broken": {"application/json", `{"a":`}, "text": {"text/plain", "hello"},
		"html": {"text/html; charset=utf-8", "<p>ü</p>"}, "binary": {"application/octet-stream", "\x00\xff\xfe"}, "latin": {"text/plain; charset=iso-8859-1", "\xfc"},
		"cookies": {"text/plain", "c"}, "big": {"application/json", `{"n":12345678901234567890}`}, "duplicate": {"application/json", `{"a":1,"a":2,"__proto__":{"b":1}}`},
	}[path]
	if path == "nothing" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", answer[0])
	w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
	w.Header()["X-Twice"] = []string{"1", "2"}
	w.Header()["X-Name"] = []string{"ü\xff"}
	_, _ = io.WriteString(w, answer[1])
}

func failing(w http.ResponseWriter, status, kind string) {
	code, err := strconv.Atoi(status)
	if err != nil {
		code = http.StatusInternalServerError
	}
	switch kind {
	case "json":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error":"no"}`)
	case "text":
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "no")
	default:
		w.WriteHeader(code)
	}
}

// Functions were written for axios: what they send, and what they get, is what
// axios makes of it.
func TestAsAxios(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	const modules = "../../../e2e/node_modules"
	if _, err := os.Stat(modules + "/axios"); err != nil {
		t.Skip("axios is not installed: run npm install in e2e")
	}
	body, err := os.ReadFile("testdata/axios.js")
	must(t, err)
	w := newWorld(t, oddities)
	program := `const axios = require("` + modules + `/axios");
		const send = ({ endpoint, ...rest }) => axios({ baseURL: process.argv[1], url: endpoint, ...rest });
		(async () => {` + string(body) + `})().then((out) => process.stdout.write(JSON.stringify(out)));`
	cmd := exec.CommandContext(t.Context(), node, "-e", program, w.saas.URL+"/api")
	cmd.Stderr = t.Output()
	text, err := cmd.Output()
	must(t, err)
	var want, got [][2]any
	must(t, json.Unmarshal(text, &want))
	r := w.run(t, `const { Buffer } = require("buffer"); const { URL, URLSearchParams } = require("url"); const send = nango.proxy;`+string(body))
	r.value(t)
	must(t, json.Unmarshal(r.output, &got))
	if len(want) != len(got) {
		t.Fatalf("%d results of axios, %d of the function", len(want), len(got))
	}
	for i := range want {
		if diff := cmp.Diff(want[i][1], got[i][1]); diff != "" {
			t.Errorf("%v (-axios +nango):\n%s", want[i][0], diff)
		}
	}
}
