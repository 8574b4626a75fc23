package catalog_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/catalog"
)

func expand(t *testing.T, template string, scope *catalog.Scope) (string, bool) {
	t.Helper()
	tmpl, err := catalog.ParseTemplate(template)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl.Expand(scope)
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The vectors are from the published AWS Signature Version 4 test suite and, the
// last one, from the example in the IAM user guide.
func TestAWSSigV4(t *testing.T) {
	t.Parallel()
	const keys = "AKIDEXAMPLE, wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY, us-east-1, "
	tests := []struct {
		name, call string
		request    catalog.Request
		want       string
	}{
		{
			"get-vanilla", "${awsSigV4(" + keys + "service, example.amazonaws.com)}",
			catalog.Request{Method: "GET", URL: mustURL(t, "https://example.amazonaws.com/")},
			"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		},
		{
			"get-vanilla-query-order-key-case", "${awsSigV4(" + keys + "service, example.amazonaws.com)}",
			catalog.Request{Method: "get", URL: mustURL(t, "https://example.amazonaws.com/?Param2=value2&Param1=value1")},
			"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		},
		{
			"IAM guide, default host", "${awsSigV4(" + keys + "iam)}",
			catalog.Request{
				Method: "GET", URL: mustURL(t, "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"),
				ContentType: "application/x-www-form-urlencoded;  charset=utf-8",
			},
			"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			scope := catalog.NewScope(nil).WithRequest(test.request).WithNow(func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) })
			got, ok := expand(t, test.call, scope)
			if !ok || got != test.want {
				t.Errorf("got %q, %v\nwant %q", got, ok, test.want)
			}
		})
	}
	if got, ok := expand(t, "${awsSigV4(a, b, c, d)}", catalog.NewScope(nil)); ok || got != "${awsSigV4(a, b, c, d)}" {
		t.Errorf("without a request: %q, %v; want the source, unresolved", got, ok)
	}
}

func TestRequestVariables(t *testing.T) {
	t.Parallel()
	get := catalog.Request{Method: "GET", URL: mustURL(t, "https://api.example.com/v1/a%20b?z=2&a=x+y&a=%2A&flag"), Endpoint: "/v1/a b?z=2"}
	form := catalog.Request{Method: "POST", URL: mustURL(t, "https://api.example.com?q=1"), ContentType: "application/x-www-form-urlencoded", Body: []byte("b=2&a=1~*")}
	object := catalog.Request{Method: "PUT", URL: mustURL(t, "https://api.example.com/"), ContentType: "application/json", Body: []byte(`{"n":10000000000000001,"a":"x y","o":{"k":[1]}}`)}
	multipart := catalog.Request{Method: "POST", URL: mustURL(t, "https://api.example.com/"), ContentType: "multipart/form-data; boundary=x", Body: []byte("--x")}
	tests := []struct {
		name    string
		request catalog.Request
		want    map[string]string
	}{
		{"get", get, map[string]string{
			"method": "GET", "host": "api.example.com", "path": "/v1/a%20b", "endpoint": "/v1/a b?z=2", "contentType": "",
			"params": "a=%2A&a=x%20y&flag=&z=2", "urlCanonicalParams": "a=%2A&a=x%20y&flag=&z=2", "bodyCanonicalParams": "",
		}},
		{"form", form, map[string]string{"path": "/", "params": "a=1~%2A&b=2", "urlCanonicalParams": "q=1", "bodyCanonicalParams": "b=2&a=1~*"}},
		{"json", object, map[string]string{"params": "a=x%20y&n=10000000000000001&o=%7B%22k%22%3A%5B1%5D%7D"}},
		{"multipart", multipart, map[string]string{"bodyCanonicalParams": "", "params": ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			scope := catalog.NewScope(nil).WithRequest(test.request)
			for name, want := range test.want {
				if got, ok := scope.Lookup(name); !ok || got != want {
					t.Errorf("%s = %q, %v; want %q", name, got, ok, want)
				}
			}
		})
	}
}

func TestKeyFunctions(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(public)
	fingerprint := "SHA256:" + base64.StdEncoding.EncodeToString(sum[:])
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	forms := map[string]string{
		"pem":           text,
		"one line":      strings.ReplaceAll(text, "\n", `\n`),
		"blanks":        strings.ReplaceAll(text, "\n", " "),
		"without lines": base64.StdEncoding.EncodeToString(der),
	}
	for name, key := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scope := catalog.NewScope(map[string]any{"key": key, "message": "a, b"})
			got, ok := expand(t, "${fingerprint(${key})}", scope)
			if !ok || got != fingerprint {
				t.Errorf("fingerprint = %q, %v; want %q", got, ok, fingerprint)
			}
			got, ok = expand(t, "${ed25519Sign(x, ${message}, ${key})}", scope)
			signature, err := base64.StdEncoding.DecodeString(got)
			if !ok || err != nil || !ed25519.Verify(ed25519.PublicKey(private[ed25519.SeedSize:]), []byte("x, a, b"), signature) {
				t.Errorf("signature %q does not verify", got)
			}
		})
	}
	for _, bad := range []string{"", "nonsense", "-----BEGIN PRIVATE KEY-----\nMAA=", "-----BEGIN PRIVATE KEY"} {
		if got, ok := expand(t, "${ed25519Sign(x, ${key})}", catalog.NewScope(map[string]any{"key": bad})); ok {
			t.Errorf("key %q gave %q", bad, got)
		}
	}
}
