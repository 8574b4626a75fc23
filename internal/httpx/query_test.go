package httpx_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/httpx"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	type l = []any
	tests := []struct {
		raw  string
		want httpx.Values
	}{
		{"", httpx.Values{}},
		{"&&", httpx.Values{}},
		{"a=1&b=", httpx.Values{"a": "1", "b": ""}},
		{"a", httpx.Values{"a": ""}},
		{"=1", httpx.Values{}},
		{"a=b=c", httpx.Values{"a": "b=c"}},
		{"a=x+y%20z", httpx.Values{"a": "x y z"}},
		{"a=1&a=2&a=3", httpx.Values{"a": l{"1", "2", "3"}}},
		{"a[]=1", httpx.Values{"a": l{"1"}}},
		{"a[]=1&a[]=2", httpx.Values{"a": l{"1", "2"}}},
		{"a[1]=y&a[0]=x", httpx.Values{"a": l{"x", "y"}}},
		{"a[100]=x", httpx.Values{"a": l{"x"}}},
		{"a[101]=x", httpx.Values{"a": m{"101": "x"}}},
		{"a[00]=x", httpx.Values{"a": m{"00": "x"}}},
		{"a=0&a[]=1", httpx.Values{"a": l{"0", "1"}}},
		{"a=0&a[k]=1", httpx.Values{"a": l{"0", m{"k": "1"}}}},
		{"a[0]=1&a[k]=2", httpx.Values{"a": m{"0": "1", "k": "2"}}},
		{"tags[x]=1&tags[y]=2", httpx.Values{"tags": m{"x": "1", "y": "2"}}},
		{"tags%5Bx%5D=1&tags%5by%5d=2", httpx.Values{"tags": m{"x": "1", "y": "2"}}},
		{"a[b][c]=1&a[b][d][]=2", httpx.Values{"a": m{"b": m{"c": "1", "d": l{"2"}}}}},
		{"a[b=c]=d", httpx.Values{"a": m{"b=c": "d"}}},
		{"a[b%3Dc%5D=d", httpx.Values{"a": m{"b=c": "d"}}},
		{"a[b=1", httpx.Values{"a[b": "1"}},
		{"[=1", httpx.Values{"[": "1"}},
		{"a[b]c=1", httpx.Values{"a[b]c": "1"}},
		{"[a]=1", httpx.Values{"a": "1"}},
		{"[]=1", httpx.Values{"[]": "1"}},
		{"a%255Bb%255D=1", httpx.Values{"a%5Bb%5D": "1"}},
		{"a=%zz&b=%ff", httpx.Values{"a": "%zz", "b": "%ff"}},
		{"a[1][2][3][4][5][6][7]=x", httpx.Values{"a": l{l{l{l{l{m{"[6][7]": "x"}}}}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.raw, func(t *testing.T) {
			t.Parallel()
			got, err := httpx.ParseQuery(tt.raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseQueryLimits(t *testing.T) {
	t.Parallel()
	if _, err := httpx.ParseQuery(strings.Repeat("a=1&", 1000)); err != nil {
		t.Errorf("1000 parameters: %v", err)
	}
	if _, err := httpx.ParseQuery(strings.Repeat("a=1&", 1001)); err == nil {
		t.Error("1001 parameters were accepted")
	}
	deep, err := httpx.ParseQuery("a" + strings.Repeat("[b]", 100_000) + "=1")
	if err != nil {
		t.Fatal(err)
	}
	if got := depth(map[string]any(deep)); got > 8 {
		t.Errorf("depth = %d", got)
	}
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	case []any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	default:
		return 0
	}
	return deepest + 1
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", "a=1&a=2", "a[b]=1&a[]=2&a[3]=4", "%5B%5D=%5B", "a[[b]]=1", "a]=1", "a[=1&a]=2", "%=%", "a[b][c][d][e][f][g]=1",
		"=&=&", "a=%00", "a[%FF]=1", "a[9999999999999999999]=1", "tags%5Bx%5D=a+b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := httpx.ParseQuery(raw)
		if err != nil {
			if strings.Count(raw, "&") < 1000 {
				t.Fatalf("error for few parameters: %v", err)
			}
			return
		}
		if d := depth(map[string]any(values)); d > 8 {
			t.Errorf("depth %d", d)
		}
		encoded, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		if limit := 8*len(raw) + 64; len(encoded) > limit {
			t.Errorf("%d bytes of query became %d bytes", len(raw), len(encoded))
		}
		again, err := httpx.ParseQuery(raw)
		if diff := cmp.Diff(values, again); diff != "" || err != nil {
			t.Errorf("not deterministic: %v\n%s", err, diff)
		}
	})
}
