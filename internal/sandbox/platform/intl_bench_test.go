package platform_test

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// BenchmarkIntl measures how records are written for people: 10,000 at a time, and
// the first one of a run.
func BenchmarkIntl(b *testing.B) {
	e := newEngine(b)
	for _, test := range []struct{ name, body string }{
		{"first date", `new Date(0).toLocaleString("de-DE", { timeZone: "Europe/Berlin", dateStyle: "long" })`},
		{"first number", `(5).toLocaleString("de-DE", { style: "currency", currency: "EUR" })`},
		{"dates", `for (let i = 0; i < 1e4; i++) new Date(i * 1e8).toLocaleDateString()`},
		{"dates with options", `for (let i = 0; i < 1e4; i++) new Date(i * 1e8).toLocaleDateString("en-GB", { day: "2-digit", month: "short", year: "numeric", timeZone: "Europe/London" })`},
		{"dates of one format", `const f = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "short", timeZone: "America/New_York" }); for (let i = 0; i < 1e4; i++) f.format(i * 1e8)`},
		{"numbers", `for (let i = 0; i < 1e4; i++) (i * 1.1).toLocaleString()`},
		{"numbers with options", `for (let i = 0; i < 1e4; i++) (i * 1.1).toLocaleString("en-US", { style: "currency", currency: "USD" })`},
		{"comparisons", `const l = Array.from({ length: 1e4 }, (_, i) => "né" + (i * 7919) % 1e4); l.sort((a, b) => a.localeCompare(b))`},
		{"comparisons in German", `const l = Array.from({ length: 1e4 }, (_, i) => "ü" + (i * 7919) % 1e4); l.sort(new Intl.Collator("de", { numeric: true }).compare)`},
	} {
		b.Run(test.name, func(b *testing.B) {
			program := sandbox.Program{Name: "bench.js", Source: `exports.default = async () => { ` + test.body + ` }`}
			for b.Loop() {
				if _, err := e.Run(b.Context(), sandbox.Request{
					Program: program, Start: []byte(`{"mode":"run","kind":"action","props":{}}`),
					Limits: sandbox.Limits{Memory: 128 << 20, CPU: time.Minute, Wall: time.Minute}, Host: noHost{},
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
