//go:build !linux || portable

package sandbox

import "time"

// thread is a thread of the operating system; 0: unknown.
type thread int32

func currentThread() thread { return 0 }

// computed would return for how long the thread has had a processor.
func (thread) computed() (time.Duration, bool) { return 0, false }
