package sandbox

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/sdk/functions"
)

func BenchmarkSpawn(b *testing.B) {
	e := shipped(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		i, err := e.spawn(b.Context(), defaultMemory, origin{})
		if err != nil {
			b.Fatal(err)
		}
		i.close(b.Context())
	}
}

// shipped is an engine with the prelude that programs have.
func shipped(b *testing.B, hotImages int64) *Engine {
	b.Helper()
	return newEngine(b, Options{
		Prelude: functions.Prelude(), HotImages: hotImages,
		Sync: func(Call) (Reply, error) { return Reply{Body: make([]byte, 512)}, nil },
	})
}

// zodAction is a small action as bundles look like.
const zodAction = `
const z = require("zod");
const Input = z.object({ id: z.string(), count: z.number().int(), tags: z.array(z.string()).optional() });
const Output = z.object({ ok: z.boolean(), name: z.string() });
exports.default = async (nango, input) => Output.parse({ ok: Input.parse(input).count > 0, name: input.id });
`

var zodStart = []byte(`{"mode":"run","kind":"action","level":"off","variant":"base","props":{"connectionId":"c","providerConfigKey":"p"},"input":{"id":"a","count":2,"tags":["x","y"]}}`)

func BenchmarkRun(b *testing.B) {
	for _, hot := range []bool{false, true} {
		b.Run(map[bool]string{false: "cold", true: "hot"}[hot], func(b *testing.B) {
			images := int64(0)
			if hot {
				images = 64 << 20
			}
			e := shipped(b, images)
			request := Request{Program: Program{Name: "a.js", Source: zodAction}, Start: zodStart, Host: &fakeHost{}}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r, err := e.Run(b.Context(), request)
				if err != nil {
					b.Fatal(err)
				}
				if n++; n > 2 && r.Usage.Hot != hot {
					b.Fatal("hot:", r.Usage.Hot)
				}
			}
			if hot {
				b.ReportMetric(float64(e.programs.images.bytes), "imagebytes")
			}
		})
	}
}

// smallAction makes its schemas and leaves them alone, so that a run is mostly what
// the engine does.
const smallAction = `
const z = require("zod");
const Input = z.object({ count: z.number() });
exports.default = (nango, input) => ({ count: input.count + 1 });
`

func BenchmarkRunSmall(b *testing.B) {
	e := shipped(b, 64<<20)
	request := Request{Program: Program{Name: "a.js", Source: smallAction}, Start: zodStart, Host: &fakeHost{}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Run(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}

// A bundle with packages in it: what the engine does with its text for each run.
func BenchmarkRunLarge(b *testing.B) {
	e := shipped(b, 64<<20)
	large := "/* " + strings.Repeat("x", 500_000) + " */" + smallAction
	request := Request{Program: Program{Name: "a.js", Source: large}, Start: zodStart, Host: &fakeHost{}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Run(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHostCall(b *testing.B) {
	e := newEngine(b, Options{})
	const calls = 1000
	p := program(fmt.Sprintf(`for (let i = 0; i < %d; i++) await host.call("echo", {i});`, calls))
	h := &fakeHost{call: func(context.Context, Call) (Reply, error) { return Reply{JSON: []byte("{}")}, nil }}
	for b.Loop() {
		if _, err := e.Run(b.Context(), Request{Program: p, Start: start, Host: h}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*calls), "ns/call")
}

func BenchmarkNew(b *testing.B) {
	for _, cached := range []bool{false, true} {
		b.Run(map[bool]string{false: "fresh", true: "cached"}[cached], func(b *testing.B) {
			o := Options{Prelude: functions.Prelude(), Sync: func(Call) (Reply, error) { return Reply{}, nil }}
			if cached {
				o.CacheDir = cacheDir()
				newEngine(b, o)
			}
			for b.Loop() {
				e, err := New(b.Context(), o)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(e.snapshot.bytes)), "snapshotbytes")
				if err := e.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
