package host_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRequests sends data of every shape and looks at what arrives.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	for name, tt := range map[string]struct{ call, want string }{
		"get": {
			`nango.get({endpoint: "/users?x=1", params: {q: "a b", ids: [1, 2], f: {from: new Date(0), deep: {n: 1}}, no: null, gone: undefined}, headers: {"X-Custom": 5, gone: undefined}})`,
			`{"method":"GET","uri":"/api/users?x=1\u0026q=a+b\u0026ids%5B%5D=1\u0026ids%5B%5D=2\u0026f%5Bfrom%5D=1970-01-01T00:00:00.000Z\u0026f%5Bdeep%5D%5Bn%5D=1","custom":"5","type":"","body":""}`,
		},
		"string params":          {`nango.get({endpoint: "/users", params: "a=1&b=2"})`, `{"method":"GET","uri":"/api/users?a=1\u0026b=2"}`},
		"search params":          {`nango.get({endpoint: "users", params: new (require("url").URLSearchParams)([["a", "1"], ["a", "2"]])})`, `{"uri":"/api/users?a=1\u0026a=2"}`},
		"fragment":               {`nango.get({endpoint: "/users#top", params: {a: 1}})`, `{"uri":"/api/users?a=1"}`},
		"json":                   {`nango.post({endpoint: "/users", data: {a: 1, b: ["ü"]}})`, `{"method":"POST","type":"application/json","body":"{\"a\":1,\"b\":[\"ü\"]}"}`},
		"list":                   {`nango.put({endpoint: "/users", data: [1]})`, `{"method":"PUT","type":"application/json","body":"[1]"}`},
		"string":                 {`nango.patch({endpoint: "/users", data: "a=1"})`, `{"method":"PATCH","type":"application/x-www-form-urlencoded","body":"a=1"}`},
		"json string":            {`nango.post({endpoint: "/users", data: ' {"a":1} ', headers: {"content-type": "application/json"}})`, `{"type":"application/json","body":"{\"a\":1}"}`},
		"text as json":           {`nango.post({endpoint: "/users", data: 'hello', headers: {"content-type": "application/json"}})`, `{"type":"application/json","body":"\"hello\""}`},
		"xml":                    {`nango.post({endpoint: "/users", data: "<a/>", headers: {"Content-Type": "text/xml"}})`, `{"type":"text/xml","body":"\u003ca/\u003e"}`},
		"object as form":         {`nango.post({endpoint: "/users", data: {a: "x y", b: [1, 2], c: {d: true}}, headers: {"Content-Type": "application/x-www-form-urlencoded"}})`, `{"type":"application/x-www-form-urlencoded","body":"a=x+y\u0026b%5B%5D=1\u0026b%5B%5D=2\u0026c%5Bd%5D=true"}`},
		"form":                   {`nango.post({endpoint: "/users", data: new (require("url").URLSearchParams)({a: "1 2"})})`, `{"type":"application/x-www-form-urlencoded;charset=utf-8","body":"a=1+2"}`},
		"buffer":                 {`nango.post({endpoint: "/users", data: require("buffer").Buffer.from("bytes"), headers: {"Content-Type": "application/octet-stream"}})`, `{"type":"application/octet-stream","body":"bytes"}`},
		"view":                   {`nango.post({endpoint: "/users", data: new Uint8Array([0, 97, 98, 99]).subarray(1, 3)})`, `{"body":"ab"}`},
		"array buffer":           {`nango.post({endpoint: "/users", data: new Uint8Array([97]).buffer})`, `{"body":"a"}`},
		"delete":                 {`nango.delete({endpoint: "/users/1"})`, `{"method":"DELETE","body":"","type":""}`},
		"delete data":            {`nango.delete({endpoint: "/users/1", data: {a: 1}})`, `{"method":"DELETE","body":"{\"a\":1}"}`},
		"proxy":                  {`nango.proxy({method: "post", endpoint: "/users", data: {}})`, `{"method":"POST","body":"{}"}`},
		"proxy default":          {`nango.proxy({endpoint: "/users"})`, `{"method":"GET"}`},
		"accept":                 {`nango.get({endpoint: "/users"})`, `{"accept":"application/json, text/plain, */*"}`},
		"accept of the caller's": {`nango.get({endpoint: "/users", headers: {accept: "text/csv"}})`, `{"accept":"text/csv"}`},
		"base url":               {`nango.get({endpoint: "/other", baseUrlOverride: "` + w.saas.URL + `/v2"})`, `{"uri":"/v2/other","auth":"Bearer ` + token + `"}`},
		"whole url":              {`nango.get({endpoint: "` + w.saas.URL + `/api/whole?x=1"})`, `{"uri":"/api/whole?x=1"}`},
		"own connection":         {`nango.get({endpoint: "/a", connectionId: "c1"})`, `{"auth":"Bearer ` + token + `"}`},
		"other":                  {`nango.get({endpoint: "/a", connectionId: "c2", providerConfigKey: "acme"})`, `{"auth":"Bearer at-other-secret-2"}`},
		"detached":               {`(({get}) => get({endpoint: "/a"}))(nango)`, `{"method":"GET"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want, got map[string]any
			must(t, json.Unmarshal([]byte(tt.want), &want))
			got, _ = w.run(t, "return (await "+tt.call+").data").value(t).(map[string]any)
			for member := range got {
				if _, asked := want[member]; !asked {
					delete(got, member)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		out := map[string]any{"a": r.MultipartForm.Value}
		for name, files := range r.MultipartForm.File {
			f, _ := files[0].Open()
			content := make([]byte, files[0].Size)
			_, _ = f.Read(content)
			out[name] = files[0].Filename + " " + files[0].Header.Get("Content-Type") + " " + string(content)
		}
		_ = json.NewEncoder(rw).Encode(out)
	})
	got := w.run(t, `
		const form = new FormData();
		form.append("x", "1");
		form.append("x", 'q"uote');
		form.append("file", new Blob(["hello ", "world"], { type: "text/plain" }), "a.txt");
		const sent = (await nango.post({ endpoint: "/f", data: form, headers: { "Content-Type": "multipart/form-data" } })).data;
		const object = (await nango.post({ endpoint: "/f", data: { k: "v", n: { m: 1 } }, headers: { "Content-Type": "multipart/form-data" } })).data;
		return { sent, object };`).text(t)
	want := `{"object":{"a":{"k":["v"],"n[m]":["1"]}},"sent":{"a":{"x":["1","q\"uote"]},"file":"a.txt text/plain hello world"}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
}

// TestParams compares with what axios 1.18 writes.
func TestParams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo)
	var calls, want []string
	for _, tt := range [][2]string{
		{`{a: [[1, 2], [3]]}`, `?a%5B0%5D%5B0%5D=1&a%5B0%5D%5B1%5D=2&a%5B1%5D%5B0%5D=3`},
		{`{a: {b: [1, 2]}}`, `?a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=2`},
		{`{a: [{x: 1}, {x: 2}]}`, `?a%5B0%5D%5Bx%5D=1&a%5B1%5D%5Bx%5D=2`},
		{`{"a[]": [1, 2]}`, `?a%5B%5D=1&a%5B%5D=2`},
		{`{"x{}": {a: 1}}`, `?x%7B%7D=%7B%22a%22:1%7D`},
		{`{a: [null, 1, undefined]}`, `?a%5B%5D=1`},
		{`{e: "é$,:@!'()~*"}`, `?e=%C3%A9$,:%40!'()~*`},
		{`{t: true, f: false}`, `?t=true&f=false`},
		{`{a: []}`, ``},
		{`{o: {}}`, ``},
		{`{a: {b: {c: [{d: 1}]}}}`, `?a%5Bb%5D%5Bc%5D%5B0%5D%5Bd%5D=1`},
		{`{"s p": "x+y&z=1"}`, `?s+p=x%2By%26z%3D1`},
		{`""`, ``},
		{`"?a=1"`, `?a=1`},
	} {
		calls = append(calls, `(await nango.get({endpoint: "/x", params: `+tt[0]+`})).data.uri`)
		want = append(want, "/api/x"+tt[1])
	}
	got := w.run(t, "return ["+strings.Join(calls, ",\n")+"]").text(t)
	if diff := cmp.Diff(shown(want), got); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	if got := w.run(t, `const a = {}; a.a = a; try { await nango.get({endpoint: "/x", params: a}) } catch (e) { return e.name }`).text(t); got != `"Error"` {
		t.Errorf("params in a circle: %s", got)
	}
}

// TestAnswers reads answers of every kind.
func TestAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		switch strings.TrimPrefix(r.URL.Path, "/api/") {
		case "json-as-text":
			h.Set("Content-Type", "text/plain")
			_, _ = rw.Write([]byte("\xEF\xBB\xBF{\"a\":1}"))
		case "text-as-json":
			h.Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte("not json"))
		case "empty":
			rw.WriteHeader(http.StatusNoContent)
		case "binary":
			_, _ = rw.Write([]byte{0, 0xff, 'a'})
		case "headers":
			h.Add("Set-Cookie", "a=1")
			h.Add("Set-Cookie", "b=2")
			h.Add("X-Many", "1")
			h.Add("X-Many", "2")
			rw.WriteHeader(http.StatusCreated)
			_, _ = rw.Write([]byte("[]"))
		case "many":
			_, _ = rw.Write(make([]byte, 200_000))
		case "umlauts":
			_, _ = rw.Write([]byte(strings.Repeat("ü", 50_000)))
		case "back":
			_, _ = io.Copy(rw, r.Body)
		case "large":
			_, _ = rw.Write(make([]byte, 1<<20+1))
		}
	})
	for name, tt := range map[string]struct{ body, want string }{
		"json whatever the type":  {`return (await nango.get({endpoint: "json-as-text"})).data`, `{"a":1}`},
		"text stays text":         {`return (await nango.get({endpoint: "text-as-json"})).data`, `"not json"`},
		"json asked for":          {`return (await nango.get({endpoint: "json-as-text", responseType: "json"})).data`, `{"a":1}`},
		"text asked for":          {`return (await nango.get({endpoint: "json-as-text", responseType: "text"})).data`, `"{\"a\":1}"`},
		"empty":                   {`const r = await nango.get({endpoint: "empty"}); return [r.data, r.status, r.statusText]`, `["",204,"No Content"]`},
		"malformed text":          {`return (await nango.get({endpoint: "binary"})).data`, `"\u0000�a"`},
		"arraybuffer is a Buffer": {`const {data} = await nango.get({endpoint: "binary", responseType: "arraybuffer"}); return [require("buffer").Buffer.isBuffer(data), data.toString("hex")]`, `[true,"00ff61"]`},
		"blob":                    {`const {data} = await nango.get({endpoint: "binary", responseType: "blob"}); return data.size`, `3`},
		"stream":                  {`const {data} = await nango.get({endpoint: "binary", responseType: "stream"}); let n = 0; for await (const c of data) n += c.length; return n`, `3`},
		"headers": {
			`const r = await nango.get({endpoint: "headers"}); return [r.headers["set-cookie"], r.headers["x-many"], r.headers.get("X-Many"), r.headers.has("nope"), r.status, r.config.method, r.config.url, "get" in {...r.headers}]`,
			`[["a=1","b=2"],"1, 2","1, 2",false,201,"get","headers",false]`,
		},
		"stream of events": {
			`const {data} = await nango.get({endpoint: "many", responseType: "stream"}); let n = 0, pieces = 0;
			return new Promise((resolve) => data.on("data", (c) => { n += c.length; pieces++ }).on("end", () => resolve([n, pieces, data.readableEnded])))`,
			`[200000,4,true]`,
		},
		"stream with an encoding": {
			`const {data} = await nango.get({endpoint: "umlauts", responseType: "stream"}); data.setEncoding("utf8"); let text = "";
			for await (const c of data) text += c; return [text.length, text === "ü".repeat(50000)]`,
			`[50000,true]`,
		},
		"stream into something": {
			`const {data} = await nango.get({endpoint: "binary", responseType: "stream"}); const got = [];
			return new Promise((resolve) => data.pipe({ write: (c) => got.push(c.toString("hex")), end: () => resolve(got) }))`,
			`["00ff61"]`,
		},
		"stream that is paused and left": {
			`const {data} = await nango.get({endpoint: "many", responseType: "stream"}); let n = 0;
			await new Promise((resolve) => data.on("data", () => { if (++n === 2) { data.pause(); setTimeout(resolve, 5) } }));
			const closed = new Promise((resolve) => data.on("close", resolve)); data.destroy(); await closed; return [n, data.destroyed]`,
			`[2,true]`,
		},
		"stream is sent on": {
			`const {data} = await nango.get({endpoint: "binary", responseType: "stream"});
			return (await nango.post({endpoint: "back", data, headers: {"Content-Type": "application/octet-stream"}, responseType: "arraybuffer"})).data.toString("hex")`,
			`"00ff61"`,
		},
		"stream is read": {
			`const {data} = await nango.get({endpoint: "binary", responseType: "stream"}); return [data.read(2).toString("hex"), data.read().toString("hex"), data.read()]`,
			`["00ff","61",null]`,
		},
		"too large": {`try { await nango.get({endpoint: "large"}) } catch (e) { return [e.code, e.status] }`, `["response_too_large",413]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, w.run(t, tt.body).text(t)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRetries lets the proxy's retries be asked for from a function.
func TestRetries(t *testing.T) {
	t.Parallel()
	tries := 0
	w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
		if tries++; tries%3 != 0 {
			rw.WriteHeader(http.StatusConflict)
		}
	})
	got := w.run(t, `
		const ok = await nango.get({ endpoint: "/a", retries: 5, retryOn: [409], retryHeader: { after: "x-wait" } });
		try { await nango.post({ endpoint: "/a" }) } catch (e) { return [ok.status, e.response.status] }`).text(t)
	if got != "[200,409]" || tries != 4 {
		t.Errorf("got %s after %d tries", got, tries)
	}
}

// TestCallOptions is about what a call says of how it is made.
func TestCallOptions(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(rw).Encode([]string{r.Header.Get("X-Custom"), r.Header.Get("Authorization")})
	}))
	t.Cleanup(other.Close)
	tries := 0
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		switch strings.TrimPrefix(r.URL.Path, "/api/") {
		case "away":
			http.Redirect(rw, r, other.URL, http.StatusTemporaryRedirect)
		case "packed":
			rw.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(rw)
			_, _ = z.Write([]byte(`{"asked":"` + r.Header.Get("Accept-Encoding") + `"}`))
			_ = z.Close()
		case "busy":
			if tries++; tries%2 == 1 {
				rw.Header().Set("X-Wait", "7")
				rw.Header().Set("X-Reset", "1") // long ago: it says nothing
				rw.WriteHeader(http.StatusTooManyRequests)
			}
		case "document":
			_, _ = rw.Write([]byte(`{"a":1}`))
		}
	})
	for name, tt := range map[string]struct{ body, want string }{
		"headers stay":       {`return (await nango.get({endpoint: "/away", headers: {"X-Custom": "v"}})).data`, `["",""]`},
		"headers go along":   {`return (await nango.get({endpoint: "/away", headers: {"X-Custom": "v"}, forwardHeadersOnRedirect: true})).data`, `["v","Bearer ` + token + `"]`},
		"packed":             {`return (await nango.get({endpoint: "/packed", decompress: true})).data`, `{"asked":"gzip"}`},
		"packed, as bytes":   {`return (await nango.get({endpoint: "/packed", responseType: "arraybuffer"})).data[0]`, `31`},
		"document":           {`return (await nango.get({endpoint: "/document", responseType: "document"})).data`, `"{\"a\":1}"`},
		"seconds to wait":    {`return (await nango.get({endpoint: "/busy", retries: 1, retryHeader: {after: ["x-none", "x-wait"]}})).status`, `200`},
		"moment of the past": {`return (await nango.get({endpoint: "/busy", retries: 1, retryHeader: {at: "x-reset"}})).status`, `200`},
	} {
		r := w.run(t, tt.body)
		if got := r.text(t); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
		var waited []int64
		for _, m := range w.messages(t, r) {
			if m.Retry != nil {
				waited = append(waited, m.Retry.WaitedMS)
			}
		}
		want := map[string][]int64{"seconds to wait": {7000}, "moment of the past": {3000}}[name]
		if !slices.Equal(waited, want) {
			t.Errorf("%s: waited %v ms, want %v", name, waited, want)
		}
	}
}

// TestManyCalls leaves room in the log for what the function says.
func TestManyCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("i") == "1100" {
			rw.WriteHeader(http.StatusNotFound)
		}
	})
	r := w.run(t, `
		for (let i = 1; i <= 1100; i += 50) await Promise.all(Array.from({length: 50}, (_, n) => nango.get({endpoint: "/a", params: {i: i + n}}).catch(() => {})));
		await nango.log("last", {level: "error"})`)
	r.value(t)
	messages := w.messages(t, r)
	if n := len(messages); n != 503 {
		t.Errorf("%d messages are kept", n)
	}
	if last := messages[len(messages)-1]; last.Text != "last" {
		t.Errorf("the last message is %q", last.Text)
	}
}

// TestPlainFetch calls without credentials.
func TestPlainFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(rw, r, "/loop", http.StatusFound)
		case "/there":
			http.Redirect(rw, r, "/echo", http.StatusFound)
		case "/nowhere":
			rw.Header().Set("Location", "http://[broken")
			rw.WriteHeader(http.StatusFound)
		case "/metadata":
			http.Redirect(rw, r, "http://169.254.169.254/", http.StatusFound)
		case "/odd":
			rw.Header()["X-Name"] = []string{"ü\xff"}
		case "/gone":
			rw.WriteHeader(http.StatusGone)
		default:
			echo(rw, r)
		}
	})
	base := w.saas.URL
	for name, tt := range map[string]struct{ body, want string }{
		"post": {
			`const r = await nango.uncontrolledFetch({url: new URL(base + "/echo?a=1"), method: "POST", headers: {"X-Custom": "v"}, body: "text"}); const d = await r.json(); return [r.ok, r.status, r.headers.get("content-type"), r.url === base + "/echo?a=1", d.method, d.uri, d.custom, d.type, d.body, d.auth]`,
			`[true,200,"application/json",true,"POST","/echo?a=1","v","text/plain;charset=UTF-8","text",""]`,
		},
		"redirect":           {`const r = await nango.uncontrolledFetch({url: base + "/there"}); return [r.redirected, r.url === base + "/echo", (await r.text()).length > 10, r.bodyUsed]`, `[true,true,true,true]`},
		"error status":       {`const r = await nango.uncontrolledFetch({url: base + "/gone"}); return [r.ok, r.status, (await r.arrayBuffer()).byteLength]`, `[false,410,0]`},
		"body twice":         {`const r = await nango.uncontrolledFetch({url: base + "/echo"}); await r.clone().text(); await r.text(); try { await r.text() } catch (e) { return e.name }`, `"TypeError"`},
		"odd header":         {`const r = await nango.uncontrolledFetch({url: base + "/odd"}); return r.headers.get("x-name")`, `"Ã¼ÿ"`},
		"too many redirects": {`try { await nango.uncontrolledFetch({url: base + "/loop"}) } catch (e) { return e.code }`, `"too_many_redirects"`},
		"invalid redirect":   {`try { await nango.uncontrolledFetch({url: base + "/nowhere"}) } catch (e) { return e.code }`, `"invalid_redirect"`},
		"redirect inside":    {`try { await nango.uncontrolledFetch({url: base + "/metadata"}) } catch (e) { return e.code }`, `"url_not_allowed"`},
		"metadata address":   {`try { await nango.uncontrolledFetch({url: "http://169.254.169.254/latest"}) } catch (e) { return e.code }`, `"url_not_allowed"`},
		"file":               {`try { await nango.uncontrolledFetch({url: "file:///etc/passwd"}) } catch (e) { return e.code }`, `"url_not_allowed"`},
		"refused":            {`try { await nango.uncontrolledFetch({url: "http://127.0.0.1:1/"}) } catch (e) { return [e.name, e.cause !== undefined || e.code !== undefined] }`, `["NangoError",true]`},
		"get with a body":    {`try { await nango.uncontrolledFetch({url: base, body: "x"}) } catch (e) { return e.name }`, `"TypeError"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := w.run(t, "const base = "+shown(base)+";\n"+tt.body)
			got := r.text(t)
			if name == "refused" { // port 1 is refused by the policy or by the machine
				got = strings.Replace(got, "TypeError", "NangoError", 1)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFetchElsewhere follows a redirect to another origin, without what was meant for
// the first one.
func TestFetchElsewhere(t *testing.T) {
	t.Parallel()
	var got http.Header
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	t.Cleanup(other.Close)
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, other.URL, http.StatusTemporaryRedirect)
	})
	w.run(t, `await nango.uncontrolledFetch({ url: `+shown(w.saas.URL)+`, headers: { authorization: "Bearer x", cookie: "a=b", "x-api-key": "k", "user-agent": "mine" } })`).value(t)
	for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Referer"} {
		if got.Get(name) != "" {
			t.Errorf("%s went along", name)
		}
	}
	if got.Get("User-Agent") != "mine" {
		t.Errorf("headers: %v", got)
	}
}

// TestEndOfRun ends a call with its run.
func TestEndOfRun(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	r := &trial{info: w.info("acme", "c1"), bundle: action(`await nango.get({endpoint: "/a"})`)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	w.executeIn(ctx, t, r)
	if r.failed == nil || r.failed.Code != "script_aborted" {
		t.Errorf("error = %+v", r.failed)
	}
}
