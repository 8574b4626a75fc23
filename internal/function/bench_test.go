package function

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// folder is a large folder: functions with bundles of 16 KB, and a schema.
func folder(functions int, version string) *Deployment {
	list := make([]Deployable, functions)
	for i := range list {
		d := syncing([]string{"github", "slack"}[i%2], fmt.Sprintf("function-%d", i), version, "Issue", "User")
		random := rand.New(rand.NewPCG(uint64(i), 0))
		var b strings.Builder
		for b.Len() < 16<<10 {
			fmt.Fprintf(&b, "const v%d = await nango.get({endpoint: %q});\n", random.Uint32(), "/repos/"+version)
		}
		d.Code = linkspan.FunctionCode{Bundle: b.String(), Source: b.String()[:4<<10]}
		list[i] = d
	}
	return all(list...)
}

// BenchmarkDeploy deploys a folder of 2,000 functions: all new, all as they were,
// and all changed.
func BenchmarkDeploy(b *testing.B) {
	for name, config := range storetest.Databases() {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, config(b), ring())
			const functions = 2000
			deploy := func(b *testing.B, d *Deployment) {
				b.Helper()
				if _, err := w.service.Deploy(b.Context(), w.env, d); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			b.Run("changed", func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					n++
					d := folder(functions, fmt.Sprint(n))
					b.StartTimer()
					deploy(b, d)
				}
			})
			same := folder(functions, fmt.Sprint(n))
			b.Run("unchanged", func(b *testing.B) {
				for b.Loop() {
					deploy(b, same)
				}
			})
			b.Run("plan", func(b *testing.B) {
				for b.Loop() {
					if _, err := w.service.Plan(b.Context(), w.env, same); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("find", func(b *testing.B) {
				for b.Loop() {
					if _, err := w.service.Find(b.Context(), w.env, "github", linkspan.FunctionSync, "function-0"); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
