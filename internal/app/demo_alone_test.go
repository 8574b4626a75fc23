package app

import (
	"context"
	"strings"
	"testing"
)

// Where there is no browser the demo connects the account itself, says so, and stays
// for who looks on.
func TestDemoAlone(t *testing.T) {
	t.Parallel()
	out := newStory("Webhooks are shown as they come.")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d := options(t, out)
	d.Alone = true
	ended := make(chan error, 1)
	go func() { ended <- Demo(ctx, d) }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("ended before the loop was shown: %v\n%s", err, out)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	told := out.String()
	for _, part := range []string{"There is no browser here", "Signed in, access approved", "0 added, 1 updated, 1 deleted", "It is yours now", "/sync/trigger", "Stopping."} {
		if !strings.Contains(told, part) {
			t.Errorf("%q is not in\n%s", part, told)
		}
	}
	if strings.Contains(told, "✗") || strings.Contains(told, "Open this link") {
		t.Errorf("the story is\n%s", told)
	}
}
