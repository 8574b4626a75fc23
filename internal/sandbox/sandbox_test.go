package sandbox

import (
	"context"
	"testing"

	"github.com/linkspan/linkspan/sdk/functions"
)

func TestSmoke(t *testing.T) {
	e, err := New(t.Context(), Options{Prelude: functions.Prelude() + `;`, HotImages: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	_ = context.Background
	for range 4 {
		r, err := e.Run(t.Context(), Request{Program: Program{Name: "a.js", Source: `exports.default = async function(){ const z = require("zod"); return z.object({a: z.string()}).parse({a:"x"}) }`}, Start: []byte(`{"mode":"test"}`)})
		t.Logf("%s %v %+v", r.JSON, err, r.Usage)
		t.Log(len(e.snapshot.bytes))
	}
}
