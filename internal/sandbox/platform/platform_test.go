package platform

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// ask calls a function; the parts go as they do from JavaScript.
func ask(t *testing.T, name string, arguments any, parts ...[]byte) string {
	t.Helper()
	if members, ok := arguments.(map[string]any); ok && parts != nil {
		lengths := make([]int, len(parts))
		for i, p := range parts {
			lengths[i] = len(p)
		}
		members["parts"] = lengths
	}
	text, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Serve(sandbox.Call{Name: name, JSON: text, Body: bytes.Join(parts, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Body != nil {
		return hex.EncodeToString(r.Body)
	}
	return string(r.JSON)
}

// The vectors of RFC 7914, section 12, but the one that costs 1 GB.
func TestScrypt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		password, salt string
		n, r, p        int
		want           string
	}{
		{"", "", 16, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
		{"password", "NaCl", 1024, 8, 16, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
		{"pleaseletmein", "SodiumChloride", 16384, 8, 1, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
	} {
		arguments := map[string]any{"N": test.n, "r": test.r, "p": test.p, "length": 64, "maxmem": 64 << 20}
		if got := ask(t, "crypto.scrypt", arguments, []byte(test.password), []byte(test.salt)); got != test.want {
			t.Errorf("scrypt(%q): %s", test.password, got)
		}
	}
}

func TestCostsAreBounded(t *testing.T) {
	t.Parallel()
	empty := []byte{}
	for name, got := range map[string]string{
		"scrypt memory":     ask(t, "crypto.scrypt", map[string]any{"N": 1 << 20, "r": 8, "p": 1, "length": 16, "maxmem": 1 << 40}, empty, empty),
		"scrypt work":       ask(t, "crypto.scrypt", map[string]any{"N": 1 << 14, "r": 8, "p": 1 << 10, "length": 16, "maxmem": 1 << 40}, empty, empty),
		"pbkdf2 iterations": ask(t, "crypto.pbkdf2", map[string]any{"digest": "sha256", "iterations": 1 << 30, "length": 32}, empty, empty),
		"pbkdf2 blocks":     ask(t, "crypto.pbkdf2", map[string]any{"digest": "sha256", "iterations": 1 << 20, "length": 1 << 20}, empty, empty),
		"random bytes":      ask(t, "random.bytes", 1<<40),
		"keys":              ask(t, "random.key", map[string]any{"kind": "rsa", "bits": 1 << 20}),
		"shake":             ask(t, "crypto.hash", map[string]any{"algorithm": "shake128", "length": 1 << 40}, empty),
		"digits":            ask(t, "intl.number", "1e999999999", []byte(`{"plan":{"patterns":["#","-#"]}}`)),
		"format":            ask(t, "intl.number", "1", []byte(`{"plan":{"patterns":["#","-#"]},"minimumIntegerDigits":1000000000}`)),
		"pattern":           ask(t, "intl.date", 0, []byte(`{"pattern":"`+strings.Repeat("y", 2000)+`"}`)),
	} {
		if !strings.Contains(got, "error") {
			t.Errorf("%s: %.200s", name, got)
		}
	}
}

// Verifying with a key that has as many bits as a message has would take minutes.
func TestLargeKeys(t *testing.T) {
	t.Parallel()
	for bits, fits := range map[uint]bool{maxRSABits: true, maxRSABits + 8: false} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, "crypto.key", map[string]any{"format": "der", "want": "public"}, der); strings.Contains(got, "error") == fits {
			t.Errorf("%d bits: %.100s", bits, got)
		}
	}
}

func TestSignaturesArePure(t *testing.T) {
	t.Parallel()
	var made struct {
		Value struct {
			DER []byte `json:"der"`
		} `json:"value"`
	}
	if err := json.Unmarshal([]byte(ask(t, "random.key", map[string]any{"kind": "ec", "curve": "P-256"})), &made); err != nil {
		t.Fatal(err)
	}
	arguments := map[string]any{"hash": "sha256"}
	if got := ask(t, "crypto.sign", arguments, made.Value.DER, []byte("data")); !strings.Contains(got, "error") {
		t.Errorf("a function that counts as pure made a random signature: %s", got)
	}
	if got := ask(t, "random.sign", arguments, made.Value.DER, []byte("data")); strings.Contains(got, "error") {
		t.Error(got)
	}
	if Pure("random.sign") || !Pure("crypto.sign") {
		t.Error("what is random is told by its name")
	}
}

func TestUnknownFunctions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "x", "crypto.", "crypto.nope", "random.nope", "url.nope", "text.nope", "intl.nope"} {
		if r, err := Serve(sandbox.Call{Name: name}); err == nil {
			t.Errorf("%q: %s", name, r.JSON)
		}
	}
}

// Parsing what was serialized changes nothing, whatever the address.
func FuzzURL(f *testing.F) {
	for _, seed := range [][2]string{
		{"../a?b#c", "http://u:p@h:81/x/y"},
		{"file:///C|/..", ""},
		{"http://[::1%25]/", ""},
		{"//x:99999", "https://a"},
		{"foo:\\b", ""},
		{"http://0x1.2.3/", ""},
		{"http://a@b@c:d", ""},
		{"web+demo:/.//not-a-host/", ""},
		{"http://xn--/", ""},
		{"HTTP:\t//ä.ß/%zz", ""},
		{":80", "file:a"},
	} {
		f.Add(seed[0], seed[1], "host", "x:1")
	}
	f.Fuzz(func(t *testing.T, text, baseText, member, value string) {
		var base *address
		if baseText != "" {
			if b, err := parseAddress(baseText, nil); err == nil {
				base = b
			}
		}
		u, err := parseAddress(text, base)
		if err != nil {
			return
		}
		again, err := parseAddress(u.href(), nil)
		if err != nil {
			t.Fatalf("%q gives %q, which is none: %v", text, u.href(), err)
		}
		if diff := gocmp.Diff(u.href(), again.href()); diff != "" {
			t.Fatalf("%q: %s", text, diff)
		}
		u.set(member, value)
		_ = u.members()
	})
}

func FuzzServe(f *testing.F) {
	number := `{"plan":{"patterns":["#","-#"],"compact":[["0K"],["00K"]],"group":",","minimum":1},"notation":`
	for _, seed := range [][3]string{
		{"crypto.hash", `{"algorithm":"sha256","parts":[3]}`},
		{"crypto.hmac", `{"algorithm":"md5","parts":[1,2]}`},
		{"crypto.cipher", `{"algorithm":"aes-128-gcm","parts":[0,0,0,0,0],"tag":16}`},
		{"crypto.decipher", `{"algorithm":"aes-128-cbc","padding":true,"parts":[16,16,0,0,0]}`},
		{"crypto.key", `{"format":"jwk","parts":[2]}`},
		{"crypto.key", `{"format":"raw","kind":"p-256","parts":[2]}`},
		{"crypto.export", `{"private":true,"format":"pem","parts":[3]}`},
		{"crypto.verify", `{"hash":"sha1","parts":[1,1,1]}`},
		{"crypto.agree", `{"parts":[0,0]}`},
		{"crypto.hkdf", `{"digest":"sha1","length":20,"parts":[0,0,0]}`},
		{"url.parse", `{"url":"http://a/","base":"b:"}`},
		{"url.set", `{"href":"http://a","part":"port","value":"9"}`},
		{"url.toASCII", `"ä"`},
		{"text.decode", `{"label":"utf-16le","stream":true}`},
		{"text.decode", `{"label":"iso-2022-jp","fatal":true}`},
		{"text.label", `"x-user-defined"`},
		{"intl.canonical", `["en-US-u-ca-gregory"]`},
		{"intl.match", `["de","x-private","i-klingon"]`},
		{"intl.case", `{"locale":"tr","text":"i"}`},
		{"intl.key", `{"locale":"de","numeric":true}`, "ä10"},
		{"crypto.stream", `{"algorithm":"aes-128-ctr","skip":5,"parts":[16,16,0]}`},
		{"intl.plural", `{"locale":"ru","number":"1.50"}`},
		{"intl.list", `{"data":"../x","key":"unit-long"}`},
		{"intl.values", `"timeZone"`},
		{"intl.relative", `"long"`},
		{"intl.numberPlan", `{"data":"de-DE","style":"currency","currency":"EUR"}`},
		{"intl.numberPlan", `{"style":"currency"}`},
		{"intl.numberPlan", `{"style":"unit","unit":"meter-per-second","unitDisplay":"long"}`},
		{"intl.number", `"999999"`, number + `"compact","roundingType":"more","maximumSignificantDigits":2}`},
		{"intl.numberText", `"-1.5e-7"`, number + `"engineering"}`},
		{"intl.datePlan", `{"data":"en-US","year":"numeric","hour":"2-digit","timeZone":"+05:30","timeZoneName":"long"}`},
		{"intl.datePlan", `{"dateStyle":"full","timeStyle":"x","timeZone":"Europe/Berlin"}`},
		{"intl.date", `-1`, `{"pattern":"EEEE 'at' yy GGG hh:mm:ss.S a z ''","timeZone":"../etc/passwd"}`},
		{"intl.dateText", `-8.64e15`, `{"pattern":"MMMM","timeZone":"Asia/Tokyo"}`},
	} {
		f.Add(seed[0], []byte(seed[1]), []byte(cmp.Or(seed[2], "a secret of 32 bytes, or so long")))
	}
	f.Fuzz(func(t *testing.T, name string, text, body []byte) {
		if !json.Valid(text) || strings.HasPrefix(name, "random.key") || name == "crypto.pbkdf2" || name == "crypto.scrypt" {
			return // what costs time is tested above
		}
		r, err := Serve(sandbox.Call{Name: name, JSON: text, Body: body})
		if err == nil && r.Body == nil && !json.Valid(r.JSON) {
			t.Fatalf("%s: %q", name, r.JSON)
		}
	})
}
