package app

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestScreen(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := newScreen(DemoOptions{Out: &b})
	s.arrival(arrival{Type: "auth", Operation: "refresh", Success: new(false), Error: &arrivalError{Description: "said \x1b[2J no"}, ProviderConfigKey: "k"})
	s.arrival(arrival{Type: "sync", SyncName: "tickets", Success: new(true), Results: changes{Added: 1}})
	s.arrival(arrival{Type: "forward"})
	want := "  ← Webhook: auth refresh failed      said  [2J no · verified\n" +
		"  ← Webhook: sync tickets             1 added, 0 updated, 0 deleted · verified\n" +
		"  ← Webhook: forward                  verified\n"
	if got := b.String(); got != want {
		t.Errorf("printed\n%s\nnot\n%s", got, want)
	}
	broken := newScreen(DemoOptions{Out: errWriter{}})
	broken.title("x")
	if broken.err() == nil {
		t.Error("a failed write is not reported")
	}
}

// On narrow terminals nothing is longer than a line but what people copy, and no
// line begins with a dot.
func TestScreenFits(t *testing.T) {
	t.Parallel()
	for _, width := range []int{20, 40, 61, 62, 80, 120} {
		var b strings.Builder
		s := newScreen(DemoOptions{Out: &b, Width: func() int { return width }})
		s.done("A call through the connection", joined("GET /tickets", "a subject of some length", "120 ms"))
		s.done("A step with a name that is much too long", joined("42 added, 0 updated, 0 deleted", "verified"))
		s.broken("A step that failed")
		s.problem(errors.New("A step that failed: waited for a webhook of the sync\nand something else, and neither came before the demo ended"))
		s.note("Ticketry asks for nothing but your consent. The link is good for 30 minutes.")
		s.fact("Webhook signing key of dev", "c9528dcd-d338-4b24-a128-76a9028d0c87")
		s.row("12 UPDATED solved urgent A very long subject that has to be cut on most terminals that there are")
		s.commands([]command{{"Have the sync find it. A webhook appears here:", "curl"}})
		for line := range strings.Lines(b.String()) {
			line = strings.TrimRight(line, "\n")
			text := strings.TrimSpace(line)
			if n := utf8.RuneCountInString(line); n > width && width >= 62 || n > 62 && width < 62 {
				t.Errorf("a line of %d characters on a terminal of %d: %q", n, width, line)
			}
			if strings.HasPrefix(text, "·") {
				t.Errorf("a line begins with a dot: %q", line)
			}
		}
	}
}

// The live line is wiped before anything else is written, and with its end.
func TestSpin(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := newScreen(DemoOptions{Out: &b, Live: true, Width: func() int { return 30 }})
	s.frame(0, "Waiting for something that takes a while", 61*time.Second)
	s.line("Something else")
	s.frame(1, "Waiting", time.Millisecond)
	s.spin("Waiting")()
	want := "  ⠋ Waiting for something th…\r\x1b[KSomething else\n  ⠙ Waiting\r\x1b[K"
	if got := b.String(); got != want {
		t.Errorf("wrote %q, not %q", got, want)
	}
	b.Reset()
	quiet := newScreen(DemoOptions{Out: &b})
	quiet.spin("Waiting")()
	if b.Len() > 0 {
		t.Errorf("without a terminal it writes %q", b.String())
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"linkspan": "linkspan", "/tmp/linkspan-demo-12/functions": "/tmp/linkspan-demo-12/functions", "/home/zoë/x": "/home/zoë/x",
		"/Users/me/My Data": "'/Users/me/My Data'", "/it's/$HOME": `'/it'\''s/$HOME'`,
	} {
		if got := shellWord(text); got != want {
			t.Errorf("%s is written as %s, not %s", text, got, want)
		}
	}
	d := &demonstration{DemoOptions: DemoOptions{Program: "linkspan", DataDir: "here"}}
	if got := d.deployCommand(); strings.Contains(got, " here") || !strings.HasSuffix(got, filepath.Join("here", "functions")) {
		t.Errorf("it works in one folder only: %s", got)
	}
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		400 * time.Microsecond: "0.4 ms", 9 * time.Millisecond: "9.0 ms", 120 * time.Millisecond: "120 ms", 1250 * time.Millisecond: "1.2 s", 90 * time.Second: "90.0 s",
	} {
		if got := strings.ReplaceAll(took(d), unbroken, " "); got != want {
			t.Errorf("%v is told as %s, not %s", d, got, want)
		}
	}
}
