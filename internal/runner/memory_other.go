//go:build !linux

package runner

import "runtime/metrics"

// resident returns how many bytes of memory this process has for itself, as far as
// Go knows: sandboxes are part of its heap on these systems.
func resident() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}
