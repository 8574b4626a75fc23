package httpx_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/httpx"
)

// optional tells absent, null and set apart.
type optional struct {
	Set, Null bool
	Value     string
}

func (o *optional) Present(null bool) any {
	o.Set, o.Null = true, null
	return &o.Value
}

// credentials is one of several shapes.
type credentials struct{ Value any }

type basic struct {
	Type     string `json:"type"`
	Username string `json:"username" check:"required,max=5"`
}

type apiKey struct {
	Type string `json:"type"`
	Key  string `json:"apiKey" check:"required,min=1"`
}

func (c *credentials) Discriminator() (string, map[string]any) {
	return "type", map[string]any{"BASIC": basic{}, "API_KEY": apiKey{}}
}

func (c *credentials) SetVariant(v any) { c.Value = v }

type window struct {
	From int `json:"from"`
	To   int `json:"to"`
}

func (w window) Check() []linkspan.Issue {
	if w.From > w.To {
		return []linkspan.Issue{{Code: "custom", Message: "from is after to", Path: []any{"from"}}}
	}
	return nil
}

type loose struct {
	_ struct{} `check:"loose"`
	A string   `json:"a"`
}

type shared struct {
	Provider string `json:"provider" check:"pattern=name"`
}

type input struct {
	shared

	Key      string            `json:"key" check:"min=1,max=10,pattern=pck"`
	CID      string            `json:"cid" check:"min=1,max=255,pattern=cid"`
	Name     *string           `json:"name" check:"nullable,max=3"`
	Override optional          `json:"override" check:"nullable,blank,format=url"`
	Kind     string            `json:"kind" check:"enum=a|b"`
	Only     string            `json:"only" check:"enum=x"`
	Count    int               `json:"count" check:"min=1,max=100"`
	Small    int8              `json:"small"`
	Size     uint              `json:"size"`
	Ratio    float64           `json:"ratio"`
	On       bool              `json:"on"`
	At       time.Time         `json:"at"`
	Email    string            `json:"email" check:"format=email"`
	ID       string            `json:"id" check:"format=uuid"`
	Scopes   string            `json:"scopes" check:"pattern=scopes"`
	List     []string          `json:"list" check:"max=3,each.min=2"`
	Tags     map[string]string `json:"tags" check:"max=2,keys.pattern=tag_key,keys.max=4,each.min=1"`
	Any      any               `json:"any"`
	Raw      json.RawMessage   `json:"raw"`
	Creds    *credentials      `json:"creds"`
	Window   window            `json:"window"`
	Loose    loose             `json:"loose"`
	Open     struct {
		B int `json:"b"`
	} `json:"open" check:"loose"`
	Nested []input `json:"nested"`
	Must   struct {
		Have string `json:"have" check:"required"`
		Cid  string `json:"cid" check:"required,pattern=cid"`
		Kind string `json:"kind" check:"required,enum=a|b"`
	} `json:"must"`
	Ignored string `json:"-"`
	hidden  string //nolint:unused // shows that what is not exported is unknown to callers
}

func decodeBody[T any](body string) (T, error) {
	return httpx.DecodeBody[T](httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
}

func issuesOf(t *testing.T, err error) (code string, lines []string) {
	t.Helper()
	if err == nil {
		return "", nil
	}
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok {
		t.Fatalf("error of type %T: %v", err, err)
	}
	for _, i := range e.Issues {
		path, err := json.Marshal(i.Path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, i.Code+" "+string(path)+" "+i.Message)
	}
	return e.Code, lines
}

func TestDecodeBodyIssues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body string
		want []string
	}{
		{`{}`, nil},
		{`null`, []string{`invalid_type [] Invalid input: expected object, received null`}},
		{`"x"`, []string{`invalid_type [] Invalid input: expected object, received string`}},
		{`{"b":1,"a":2}`, []string{`unrecognized_keys [] Unrecognized keys: "a", "b"`}},
		{`{"Key":"x"}`, []string{`unrecognized_keys [] Unrecognized key: "Key"`}},
		{`{"Ignored":"x"}`, []string{`unrecognized_keys [] Unrecognized key: "Ignored"`}},
		{`{"hidden":"x"}`, []string{`unrecognized_keys [] Unrecognized key: "hidden"`}},
		{`{"provider":"a b"}`, []string{`invalid_format ["provider"] Invalid string: must match pattern /^[a-zA-Z0-9_-]+$/`}},
		{`{"key":1}`, []string{`invalid_type ["key"] Invalid input: expected string, received number`}},
		{`{"key":null}`, []string{`invalid_type ["key"] Invalid input: expected string, received null`}},
		{`{"key":""}`, []string{
			`too_small ["key"] Too small: expected string to have >=1 characters`,
			`invalid_format ["key"] Invalid string: must match pattern /^[a-zA-Z0-9~:.@ _-]+$/`,
		}},
		{`{"key":"12345678901"}`, []string{`too_big ["key"] Too big: expected string to have <=10 characters`}},
		{`{"key":"a/b"}`, []string{`invalid_format ["key"] Invalid string: must match pattern /^[a-zA-Z0-9~:.@ _-]+$/`}},
		{`{"cid":""}`, []string{`invalid_union ["cid"] Invalid input`}},
		{`{"cid":"é"}`, []string{`invalid_union ["cid"] Invalid input`}},
		{`{"cid":7}`, []string{`invalid_union ["cid"] Invalid input`}},
		{`{"cid":"a[1]{x}|$@\\/'\"_ -"}`, nil},
		{`{"name":null}`, nil},
		{`{"name":"😀a"}`, nil},
		{`{"name":"😀😀"}`, []string{`too_big ["name"] Too big: expected string to have <=3 characters`}},
		{`{"name":"a\u0000"}`, []string{`custom ["name"] Invalid string: must not contain the character NUL`}},
		{`{"override":null}`, nil},
		{`{"override":""}`, nil},
		{`{"override":"https://x.io/a"}`, nil},
		{`{"override":"nope"}`, []string{`invalid_format ["override"] Invalid URL`}},
		{`{"override":"ftp://x.io"}`, []string{`invalid_format ["override"] Invalid URL`}},
		{`{"kind":"c"}`, []string{`invalid_value ["kind"] Invalid option: expected one of "a"|"b"`}},
		{`{"kind":1}`, []string{`invalid_value ["kind"] Invalid option: expected one of "a"|"b"`}},
		{`{"only":"y"}`, []string{`invalid_value ["only"] Invalid input: expected "x"`}},
		{`{"count":0}`, []string{`too_small ["count"] Too small: expected number to be >=1`}},
		{`{"count":101}`, []string{`too_big ["count"] Too big: expected number to be <=100`}},
		{`{"count":1.5}`, []string{`invalid_type ["count"] Invalid input: expected int, received number`}},
		{`{"count":"1"}`, []string{`invalid_type ["count"] Invalid input: expected number, received string`}},
		{`{"count":1e1}`, nil},
		{`{"small":128}`, []string{`too_big ["small"] Too big: expected a smaller int, received 128`}},
		{`{"small":1e300}`, []string{`too_big ["small"] Too big: expected int to be <=9007199254740991`}},
		{`{"size":-1}`, []string{`too_small ["size"] Too small: expected int to be >=0`}},
		{`{"ratio":1e999}`, []string{`invalid_type ["ratio"] Invalid input: expected number, received NaN`}},
		{`{"on":"true"}`, []string{`invalid_type ["on"] Invalid input: expected boolean, received string`}},
		{`{"at":"2025-01-02T03:04:05.678+02:00"}`, nil},
		{`{"at":"2025-01-02"}`, nil},
		{`{"at":"yesterday"}`, []string{`invalid_format ["at"] Invalid ISO datetime`}},
		{`{"email":"a@b.co","id":"00000000-0000-1000-8000-000000000000","scopes":""}`, nil},
		{`{"email":"a@b","id":"x","scopes":"a, b"}`, []string{
			`invalid_format ["email"] Invalid email address`,
			`invalid_format ["id"] Invalid UUID`,
			`invalid_format ["scopes"] Invalid string: must match pattern /^$|^[0-9a-zA-Z:/_.*-]+(,[0-9a-zA-Z:/_.*-]+)*$/`,
		}},
		{`{"email":"A <a@b.co>"}`, []string{`invalid_format ["email"] Invalid email address`}},
		{`{"list":"ab"}`, []string{`invalid_type ["list"] Invalid input: expected array, received string`}},
		{`{"list":["ab","c",1]}`, []string{
			`too_small ["list",1] Too small: expected string to have >=2 characters`,
			`invalid_type ["list",2] Invalid input: expected string, received number`,
		}},
		{`{"list":["a","b","c","d"]}`, []string{`too_big ["list"] Too big: expected array to have <=3 items`}},
		{`{"tags":{"a":"","1":"x"}}`, []string{
			`invalid_key ["tags","1"] Invalid key in record`,
			`too_small ["tags","a"] Too small: expected string to have >=1 characters`,
		}},
		{`{"tags":{"a":"1","b":"1","c":"1"}}`, []string{`too_big ["tags"] Too big: expected record to have <=2 entries`}},
		{`{"tags":[]}`, []string{`invalid_type ["tags"] Invalid input: expected record, received array`}},
		{`{"any":{"a":["\u0000"]}}`, []string{`custom ["any","a",0] Invalid string: must not contain the character NUL`}},
		{`{"creds":{"type":"BASIC","username":"u"}}`, nil},
		{`{"creds":{"type":"BASIC"}}`, []string{`invalid_type ["creds","username"] Invalid input: expected string, received undefined`}},
		{`{"creds":{"type":"API_KEY","apiKey":"k","username":"u"}}`, []string{`unrecognized_keys ["creds"] Unrecognized key: "username"`}},
		{`{"creds":{"type":"X"}}`, []string{`invalid_union ["creds","type"] Invalid input`}},
		{`{"creds":{}}`, []string{`invalid_union ["creds","type"] Invalid input`}},
		{`{"creds":1}`, []string{`invalid_type ["creds"] Invalid input: expected object, received number`}},
		{`{"window":{"from":2,"to":1}}`, []string{`custom ["window","from"] from is after to`}},
		{`{"window":{"from":2,"to":"x"}}`, []string{`invalid_type ["window","to"] Invalid input: expected number, received string`}},
		{`{"loose":{"a":"1","z":2},"open":{"b":1,"z":2}}`, nil},
		{`{"must":{}}`, []string{
			`invalid_type ["must","have"] Invalid input: expected string, received undefined`,
			`invalid_union ["must","cid"] Invalid input`,
			`invalid_value ["must","kind"] Invalid option: expected one of "a"|"b"`,
		}},
		{`{"nested":[{"nested":[{"count":0}]}]}`, []string{`too_small ["nested",0,"nested",0,"count"] Too small: expected number to be >=1`}},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			t.Parallel()
			_, err := decodeBody[input](tt.body)
			code, got := issuesOf(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (code == "invalid_body") != (len(tt.want) > 0) {
				t.Errorf("code = %q", code)
			}
		})
	}
}

func TestIssuesStaySmall(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 1<<16)
	for name, body := range map[string]string{
		"many elements": `{"nested":[` + strings.Repeat(`1,`, 10_000) + `1]}`,
		"many keys":     `{"` + strings.Repeat(`x":1,"`, 10_000) + long + `":1}`,
		"long key":      `{"` + long + `":1}`,
		"long path":     `{"tags":{"` + long + `":1}}`,
		"deep":          `{"nested":[{"nested":[{"nested":[` + strings.Repeat(`{"count":0},`, 1000) + `{}]}]}]}`,
		"untyped":       `{"any":[` + strings.Repeat(`"\u0000",`, 1000) + `1]}`,
	} {
		_, err := decodeBody[input](body)
		w := httptest.NewRecorder()
		httpx.WriteError(w, httptest.NewRequest(http.MethodPost, "/", nil), err)
		if w.Code != http.StatusBadRequest || w.Body.Len() > 20_000 {
			t.Errorf("%s: status %d with %d bytes", name, w.Code, w.Body.Len())
		}
	}
}

func TestDecodeBodyValues(t *testing.T) {
	t.Parallel()
	got, err := decodeBody[input](`{"provider":"gh","key":"first","key":"k","name":"n","override":"","count":1e2,"small":-128,"size":7,
		"ratio":0.5,"on":true,"at":"2025-01-02T03:04:05.678+02:00","list":["ab","cd"],"tags":{"a":"1"},
		"any":{"big":12345678901234567890,"x":[1.0,null]},"raw":{"b":1,"a":[2.50]},
		"creds":{"type":"API_KEY","apiKey":"s"},"nested":[{"on":true}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := input{
		shared: shared{Provider: "gh"}, Key: "k", Name: new("n"), Override: optional{Set: true},
		Count: 100, Small: -128, Size: 7, Ratio: 0.5, On: true, At: time.Date(2025, 1, 2, 1, 4, 5, 678e6, time.UTC),
		List: []string{"ab", "cd"}, Tags: map[string]string{"a": "1"},
		Any:    map[string]any{"big": json.Number("12345678901234567890"), "x": []any{json.Number("1.0"), nil}},
		Raw:    json.RawMessage(`{"a":[2.50],"b":1}`),
		Creds:  &credentials{&apiKey{Type: "API_KEY", Key: "s"}},
		Nested: []input{{On: true}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(input{}, loose{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for body, want := range map[string]optional{
		`{}`: {}, `{"override":null}`: {Set: true, Null: true}, `{"override":"https://x.io"}`: {Set: true, Value: "https://x.io"},
	} {
		got, err := decodeBody[input](body)
		if err != nil || got.Override != want {
			t.Errorf("%s: got %+v, %v; want %+v", body, got.Override, err, want)
		}
	}
}

type query struct {
	Search  string            `query:"search" check:"min=1,max=255"`
	Limit   int               `query:"limit" check:"default=100,min=1,max=2000"`
	Force   bool              `query:"force"`
	Include []string          `query:"include" check:"each.enum=webhook|credentials"`
	IDs     []string          `query:"ids" check:"csv,max=3"`
	Tags    map[string]string `query:"tags"`
	Since   *time.Time        `query:"since"`
	Key     string            `json:"key" check:"pattern=pck"`
}

func TestDecodeQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw   string
		want  query
		lines []string
	}{
		{"", query{Limit: 100}, nil},
		{
			"search=a+b&limit=5&force=YES&include=webhook&ids=1,2&tags%5Bx%5D=1&key=k",
			query{
				Search: "a b", Limit: 5, Force: true, Include: []string{"webhook"}, IDs: []string{"1", "2"},
				Tags: map[string]string{"x": "1"}, Key: "k",
			},
			nil,
		},
		{"include=webhook&include=credentials&force=off", query{Limit: 100, Include: []string{"webhook", "credentials"}}, nil},
		{"ids=", query{Limit: 100, IDs: []string{}}, nil},
		{"since=2025-01-02T00:00:00Z", query{Limit: 100, Since: new(time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC))}, nil},
		{"search=", query{}, []string{`too_small ["search"] Too small: expected string to have >=1 characters`}},
		{"search=a&search=b", query{}, []string{`invalid_type ["search"] Invalid input: expected string, received array`}},
		{"search[a]=b", query{}, []string{`invalid_type ["search"] Invalid input: expected string, received object`}},
		{"limit=0x10", query{}, []string{`invalid_type ["limit"] Invalid input: expected number, received NaN`}},
		{"limit=", query{}, []string{`invalid_type ["limit"] Invalid input: expected number, received NaN`}},
		{"limit=NaN", query{}, []string{`invalid_type ["limit"] Invalid input: expected number, received NaN`}},
		{"limit=1_0", query{}, []string{`invalid_type ["limit"] Invalid input: expected number, received NaN`}},
		{"limit=0", query{}, []string{`too_small ["limit"] Too small: expected number to be >=1`}},
		{"force=maybe", query{}, []string{`invalid_value ["force"] Invalid option: expected one of "true"|"1"|"yes"|"on"|"false"|"0"|"no"|"off"`}},
		{"include=x", query{}, []string{`invalid_value ["include",0] Invalid option: expected one of "webhook"|"credentials"`}},
		{"ids=1,2,3,4", query{}, []string{`too_big ["ids"] Too big: expected array to have <=3 items`}},
		{"tags=x", query{}, []string{`invalid_type ["tags"] Invalid input: expected record, received string`}},
		{"search=%00", query{}, []string{`custom ["search"] Invalid string: must not contain the character NUL`}},
		{"other=1&tags[x][y]=1", query{}, []string{
			`invalid_type ["tags","x"] Invalid input: expected string, received object`,
			`unrecognized_keys [] Unrecognized key: "other"`,
		}},
		{strings.Repeat("a&", 1001), query{}, []string{`too_big [] Too big: expected at most 1000 query parameters`}},
	}
	for _, tt := range tests {
		t.Run(tt.raw[:min(len(tt.raw), 40)], func(t *testing.T) {
			t.Parallel()
			r := &http.Request{URL: &url.URL{RawQuery: tt.raw}}
			got, err := httpx.DecodeQuery[query](r)
			code, lines := issuesOf(t, err)
			if diff := cmp.Diff(tt.lines, lines); diff != "" {
				t.Fatalf("issues (-want +got):\n%s", diff)
			}
			if err != nil {
				if code != "invalid_query_params" {
					t.Errorf("code = %q", code)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePath(t *testing.T) {
	t.Parallel()
	type path struct {
		Key string `path:"key" check:"required,min=1,max=255,pattern=pck"`
		ID  int    `path:"id" check:"min=1"`
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetPathValue("key", "a b")
	r.SetPathValue("id", "7")
	got, err := httpx.DecodePath[path](r)
	if want := (path{"a b", 7}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	r.SetPathValue("key", "a/b")
	_, err = httpx.DecodePath[path](r)
	code, lines := issuesOf(t, err)
	want := []string{`invalid_format ["key"] Invalid string: must match pattern /^[a-zA-Z0-9~:.@ _-]+$/`}
	if diff := cmp.Diff(want, lines); diff != "" || code != "invalid_uri_params" {
		t.Errorf("code %q (-want +got):\n%s", code, diff)
	}
}

func TestNothingExpected(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", " \n"} {
		if err := httpx.NoBody(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))); err != nil {
			t.Errorf("NoBody(%q) = %v", body, err)
		}
	}
	for body, want := range map[string]string{
		`{"a":1}`: `unrecognized_keys [] Unrecognized key: "a"`,
		`[]`:      `invalid_type [] Invalid input: expected object, received array`,
	} {
		_, lines := issuesOf(t, httpx.NoBody(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))))
		if diff := cmp.Diff([]string{want}, lines); diff != "" {
			t.Errorf("NoBody(%s) (-want +got):\n%s", body, diff)
		}
	}
	if err := httpx.NoQuery(httptest.NewRequest(http.MethodGet, "/x", nil)); err != nil {
		t.Errorf("NoQuery without one: %v", err)
	}
	code, lines := issuesOf(t, httpx.NoQuery(httptest.NewRequest(http.MethodGet, "/x?a=1", nil)))
	if code != "invalid_query_params" || len(lines) != 1 {
		t.Errorf("NoQuery: %q %v", code, lines)
	}
}

func TestCompressedBodyIsRefused(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("\x1f\x8b"))
	r.Header.Set("Content-Encoding", "gzip")
	_, err := httpx.DecodeBody[map[string]any](r)
	if linkspan.KindOf(err) != linkspan.KindUnsupportedMedia {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"key":"a","count":1,"tags":{"a":"b"},"list":["aa"],"any":[1,{"b":null}],"raw":{"z":1e5}}`,
		`{"creds":{"type":"BASIC","username":"u"},"nested":[{"nested":[]}],"at":"2025-01-01T00:00:00Z"}`,
		`{"count":1e400}`, `{"count":-0.0}`, `{"size":18446744073709551616}`, `{"key":"\ud800"}`, `[[[[`, `{"a":1}{"b":2}`, "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := decodeBody[input](string(body))
		if err != nil {
			code, lines := issuesOf(t, err)
			if code != "invalid_json" && (code != "invalid_body" || len(lines) == 0) {
				t.Errorf("code %q with %d issues", code, len(lines))
			}
			return
		}
		if !json.Valid(body) {
			t.Errorf("accepted what is not JSON: %q", body)
		}
		if v.Count != 0 && (v.Count < 1 || v.Count > 100) || len(v.List) > 3 || len(v.Tags) > 2 {
			t.Errorf("accepted what the rules refuse: %+v", v)
		}
	})
}

func BenchmarkDecodeBody(b *testing.B) {
	const body = `{"key":"github","cid":"c1","count":5,"tags":{"a":"1"},"list":["ab","cd"]}`
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		r.Body = readCloser{strings.NewReader(body)}
		if _, err := httpx.DecodeBody[input](r); err != nil {
			b.Fatal(err)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
