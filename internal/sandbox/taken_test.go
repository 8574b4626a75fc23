package sandbox

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Answers that wait for the program, or that it does not want any more, count as
// taken when it is their turn, and not before.
func TestAnswersAreTaken(t *testing.T) {
	t.Parallel()
	var taken atomic.Int64
	answered := make(chan struct{}, 2)
	seen := map[string]int64{}
	h := &takingHost{taken: &taken, answered: answered, seen: seen}
	_, err := runBody(t, shared(t), h, Limits{}, `
		const id = host.begin("x", 0, {resolve() {}, reject() {}}), both = host.call("x");
		host.note("wait"); host.note("computing");
		host.forget(id);
		await both;
		await new Promise((r) => setTimeout(r, 1));
		host.note("end")`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"wait": 0, "computing": 0, "end": 2}, seen); diff != "" {
		t.Error(diff)
	}
}

type takingHost struct {
	taken    *atomic.Int64
	answered chan struct{}
	seen     map[string]int64
}

func (h *takingHost) Call(context.Context, Call) (Reply, error) {
	h.answered <- struct{}{}
	return Reply{JSON: []byte("1"), Taken: func() { h.taken.Add(1) }}, nil
}

func (h *takingHost) Note(c Call) {
	h.seen[c.Name] = h.taken.Load()
	if c.Name == "wait" {
		<-h.answered
		<-h.answered
	}
}
