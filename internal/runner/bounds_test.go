//go:build unix

package runner

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// What a program forgets keeps its place until the parent has answered: it is
// neither a call too many, nor does its answer fill the window for ever.
func TestForgottenCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{})
		defer end()
		body := make([]byte, windowBodies/2)
		r := program("forget")
		r.Limits.Calls = 1
		r.Host = &testHost{call: func(context.Context, sandbox.Call) (sandbox.Reply, error) {
			return sandbox.Reply{JSON: []byte("1"), Body: body}, nil
		}}
		res, err := p.Run(t.Context(), r)
		if err != nil || string(res.JSON) != "1" {
			t.Errorf("got %s, %v", res.JSON, err)
		}
	})
}

// Programs that computed long ago must not stay in memory for their identity.
func TestIdentitiesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPool(Config{})
	large := string(make([]byte, 1<<20))
	for i := range 200 {
		r := program(large)
		r.Function = itoa(i % 150)
		if got := p.identify(&r); got != identify(r.Program) {
			t.Fatal("another identity")
		}
		var bytes int64
		for _, known := range p.programs {
			bytes += known.size()
		}
		if bytes > maxIdentities || bytes != p.kept {
			t.Fatalf("%d bytes are kept, %d counted", bytes, p.kept)
		}
	}
	if len(p.programs) == 0 {
		t.Error("nothing is remembered")
	}
	huge := program(string(make([]byte, maxIdentities)))
	if p.identify(&huge); len(p.programs) != 0 || p.kept != 0 {
		t.Errorf("%d programs are kept, %d bytes", len(p.programs), p.kept)
	}
	changed := program("a")
	changed.Function = "f"
	before := p.identify(&changed)
	changed.Program.Source = "b"
	if p.identify(&changed) == before {
		t.Error("another program has the same identity")
	}
}

// A run that had to go because all together took too much memory is tried again
// when there is as much as it needs.
func TestPressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, end := pipePool(t, Config{Memory: 100 << 20})
		defer end()
		r := program("pressure")
		_, err := p.Run(t.Context(), r)
		if lost, ok := errors.AsType[*LostError](err); !ok || lost.Started || !lost.Memory {
			t.Errorf("got %v", err)
		}
		if got := p.estimates.of(r.Function, sandbox.Limits{}); got < 50<<20 {
			t.Errorf("it is expected to need %d bytes", got)
		}
		if s := p.Stats(); s.Retried != maxAttempts-1 || s.Killed != 0 || s.Quarantined != 0 || s.Memory != 0 {
			t.Errorf("%+v", s)
		}
		// Another attempt waits until somebody else has ended.
		ctx, cancel := context.WithCancel(t.Context())
		other := program("wait")
		p.estimates.learn(other.Function, 90<<20)
		other.Environment = 2
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = p.Run(ctx, other) })
		synctest.Wait()
		wg.Go(func() { _, _ = p.Run(t.Context(), r) })
		synctest.Wait()
		if s := p.Stats(); s.Waiting != 1 {
			t.Errorf("%+v", s)
		}
		cancel()
		wg.Wait()
	})
}
