package webhook

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
)

// wait lets the bubble's time pass.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["bad.example"] = answers(http.StatusBadGateway)
		d := w.add(t, 1, "bad.example", 1)[0]
		stop := run(t, w.service("me"))
		defer stop()
		wait(100 * time.Hour)
		hits := w.hitsOf("bad.example")
		pauses := []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
			20 * time.Hour, 24 * time.Hour,
		}
		if len(hits) != len(pauses) {
			t.Fatalf("%d attempts", len(hits))
		}
		last := d.CreatedAt
		for i, h := range hits {
			// A tenth either way, and a second until the next look.
			if got, want := h.at.Sub(last), pauses[i]; got < want*9/10 || got > want*11/10+time.Second {
				t.Errorf("attempt %d came %v after the one before, want %v", i+1, got, want)
			}
			if h.id != hits[0].id {
				t.Errorf("attempt %d has the id %s, the first one %s", i+1, h.id, hits[0].id)
			}
			last = h.at
		}
		if got := w.row(d.ID); got.State != linkspan.DeliveryFailed || got.Attempts != 10 || got.LastStatus != 502 {
			t.Fatalf("in the end: %+v", got)
		}
	})
}

// TestPause checks that deliveries which fail together come back apart, whoever
// computes when.
func TestPause(t *testing.T) {
	t.Parallel()
	for attempt, base := range map[int]time.Duration{1: 5 * time.Second, 2: 5 * time.Minute, maxAttempts - 1: 24 * time.Hour} {
		least, most := 2*base, time.Duration(0)
		for range 1000 {
			uuid := linkspan.NewUUID()
			p := pause(uuid, attempt)
			if p < base*9/10 || p > base*11/10 || p != pause(uuid, attempt) {
				t.Fatalf("pause %d of %s is %v, then %v", attempt, uuid, p, pause(uuid, attempt))
			}
			least, most = min(least, p), max(most, p)
		}
		if least > base*91/100 || most < base*109/100 {
			t.Errorf("pause %d is between %v and %v", attempt, least, most)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		receiver receiverFunc
		want     linkspan.DeliveryState
		status   int
		problem  string
		// next is when the second attempt comes at the earliest; 0: none does.
		next time.Duration
	}{
		"200":                   {answers(200), linkspan.DeliveryDelivered, 200, "", 0},
		"204":                   {answers(204), linkspan.DeliveryDelivered, 204, "", 0},
		"a dripping answer":     {drips, linkspan.DeliveryDelivered, 200, "", 0},
		"410":                   {answers(410), linkspan.DeliveryGone, 410, "410", 0},
		"404":                   {answers(404), linkspan.DeliveryPending, 404, "404", 4 * time.Second},
		"a redirect":            {answers(302, "Location", "https://evil.example/"), linkspan.DeliveryPending, 302, "302", 4 * time.Second},
		"an endless answer":     {floods, linkspan.DeliveryPending, 500, "500", 4 * time.Second},
		"no answer":             {hangs, linkspan.DeliveryPending, 0, "in time", 24 * time.Second},
		"Retry-After":           {answers(503, "Retry-After", "600"), linkspan.DeliveryPending, 503, "503", 10 * time.Minute},
		"an early Retry-After":  {answers(503, "Retry-After", "1"), linkspan.DeliveryPending, 503, "503", 4 * time.Second},
		"a far Retry-After":     {answers(429, "Retry-After", strings.Repeat("9", 40)), linkspan.DeliveryPending, 429, "429", 24 * time.Hour},
		"a negative one":        {answers(503, "Retry-After", "-5"), linkspan.DeliveryPending, 503, "503", 4 * time.Second},
		"a hostile one":         {answers(503, "Retry-After", "\x00\xff1e9"), linkspan.DeliveryPending, 503, "503", 4 * time.Second},
		"a date as Retry-After": {answers(503, "Retry-After", "Sat, 01 Jan 2000 02:00:00 GMT"), linkspan.DeliveryPending, 503, "503", 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // which begins at midnight, 1 January 2000
				w := newTestWorld()
				w.receivers["r.example"] = test.receiver
				w.receivers["evil.example"] = answers(200)
				d := w.add(t, 1, "r.example", 1)[0]
				defer run(t, w.service("me"))()
				wait(21 * time.Second)
				if test.next > 0 && test.next < 10*time.Second {
					if n := len(w.hitsOf("r.example")); n != 2 {
						t.Fatalf("%d attempts", n)
					}
				} else if n := len(w.hitsOf("r.example")); n != 1 {
					t.Fatalf("%d attempts", n)
				}
				got := w.row(d.ID)
				if got.State != test.want || got.LastStatus != test.status || !strings.Contains(got.LastError, test.problem) || (got.LastError == "") != (test.problem == "") {
					t.Fatalf("after the first attempt: %+v", got)
				}
				wait(time.Hour + test.next)
				hits := w.hitsOf("r.example")
				switch {
				case test.next == 0 && len(hits) != 1:
					t.Fatalf("%d attempts", len(hits))
				case test.next > 0 && (hits[1].at.Sub(hits[0].at) < test.next || hits[1].at.Sub(hits[0].at) > test.next+3*time.Second):
					t.Fatalf("the second attempt came after %v", hits[1].at.Sub(hits[0].at))
				}
				if len(w.hitsOf("evil.example")) > 0 {
					t.Fatal("a redirect was followed")
				}
			})
		})
	}
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.log = oplog.New(w.memory, discard(), oplog.Options{})
		var ids []linkspan.WebhookDeliveryID
		for _, host := range []string{"127.0.0.1", "169.254.169.254", "r.example:22", "%zz"} {
			ids = append(ids, w.add(t, 1, host, 1)[0].ID)
		}
		defer run(t, w.service("me"))()
		runLog(t, w.log)
		wait(time.Hour)
		for _, id := range ids {
			got := w.row(id)
			if got.State != linkspan.DeliveryBlocked || got.Attempts != 1 || got.LastError == "" {
				t.Errorf("%s: %+v", got.URL, got)
			}
			if op := w.operation(got.Operation); op.State != linkspan.StateFailed || op.Error.Code != "webhook_blocked" {
				t.Errorf("%s: the operation is %+v", got.URL, op)
			}
		}
		if len(w.hitsOf("")) != 0 {
			t.Fatalf("sent: %v", w.hitsOf(""))
		}
		for _, m := range w.messages() {
			if m.Level != "warn" || !strings.Contains(m.Text, "may not be called") {
				t.Errorf("message: %+v", m)
			}
		}
	})
}

// TestNobodyIsHeldUp has receivers of every bad kind, each with a backlog.
func TestNobodyIsHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		begin := time.Now()
		w.receivers["500.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			if time.Since(begin) < time.Hour {
				return answers(500)(r)
			}
			return answers(200)(r)
		})
		w.receivers["good.example"] = answers(200)
		w.add(t, 1, "500.example", 300)
		bad := map[string]receiverFunc{"slow": hangs, "dripping": drips, "endless": floods}
		for name, f := range bad {
			for i := range 80 { // more than there are slots
				host := fmt.Sprintf("%s%d.example", name, i)
				w.receivers[host] = f
				w.add(t, 2, host, 8)
			}
		}
		s := w.service("me")
		defer run(t, s)()
		wait(5 * time.Minute)
		for round := range 10 {
			before := len(w.hitsOf("good.example"))
			w.add(t, 3, "good.example", 50)
			s.WebhooksDue()
			wait(2 * time.Second)
			if n := len(w.hitsOf("good.example")) - before; n != 50 {
				t.Fatalf("round %d: %d of 50 arrived in two seconds", round, n)
			}
			wait(10 * time.Minute)
		}
		wait(3 * time.Hour)
		if n := w.count("https://500.example", linkspan.DeliveryDelivered); n != 300 {
			t.Errorf("%d of 300 arrived once the receiver worked", n)
		}
	})
}

// TestFullReceiverGoesOn looks while a receiver has all that it may: when one of them
// has arrived the next follows at once, not with the next poll.
func TestFullReceiverGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["busy.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			<-time.After(pollEvery * 2 / 5)
			return answers(http.StatusOK)(r)
		})
		w.add(t, 1, "busy.example", 3*perReceiver)
		s := w.service("me")
		stop := run(t, s)
		defer stop()
		wait(pollEvery / 5)
		s.WebhooksDue()
		wait(pollEvery * 7 / 10) // at nine tenths: two of them later
		if n := len(w.hitsOf("busy.example")); n != 3*perReceiver {
			t.Errorf("%d of %d were sent", n, 3*perReceiver)
		}
	})
}

// TestLastInLine starts a process that knows nothing of a thousand receivers that
// are down, all of them due, in front of one that works.
func TestLastInLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["works.example"] = answers(200)
		for i := range 1000 {
			host := fmt.Sprintf("down%d.example", i)
			w.receivers[host] = receiverFunc(hangs)
			for _, d := range w.add(t, 1, host, 5) {
				unlock := w.lock(nil)
				w.deliveries[d.ID].Attempts = 1 // by the process before
				unlock()
			}
		}
		w.add(t, 2, "works.example", 20)
		defer run(t, w.service("me"))()
		wait(10 * time.Second) // of the bubble's clock; those that hang take twenty each
		if n := w.count("https://works.example", linkspan.DeliveryDelivered); n != 20 {
			t.Fatalf("%d of 20 arrived in ten seconds", n)
		}
	})
}

// TestFairness has one environment flood a receiver that several share.
func TestFairness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["r.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			<-time.After(time.Second)
			return answers(200)(r)
		})
		first := w.add(t, 1, "r.example", 1000)
		var others []linkspan.WebhookDelivery
		defer run(t, w.service("me"))()
		wait(10 * time.Second)
		others = append(w.add(t, 2, "r.example", 5), w.add(t, 3, "r.example", 5)...)
		wait(10 * time.Second)
		for _, d := range others {
			if got := w.row(d.ID); got.State != linkspan.DeliveryDelivered {
				t.Errorf("environment %d waits behind another one's backlog", got.EnvironmentID)
			}
		}
		if got := w.row(first[len(first)-1].ID); got.State != linkspan.DeliveryPending {
			t.Error("the backlog was sent faster than four at a time")
		}
		wait(time.Hour)
		if n := w.count("https://r.example", linkspan.DeliveryDelivered); n != 1010 {
			t.Errorf("%d of 1010 arrived", n)
		}
	})
}

// TestSharedHost has two environments use receivers of one host, as those of a
// hosting company: one path never answers, and the other environment does not
// notice.
func TestSharedHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["hooks.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/silent" {
				return hangs(r)
			}
			return answers(200)(r)
		})
		for _, d := range w.add(t, 1, "hooks.example", 200) {
			unlock := w.lock(nil)
			w.deliveries[d.ID].URL = "https://hooks.example/silent"
			unlock()
		}
		s := w.service("me")
		defer run(t, s)()
		for round := range 20 {
			wait(7 * time.Second)
			var ids []linkspan.WebhookDeliveryID
			for _, d := range w.add(t, 2, "hooks.example", 10) {
				ids = append(ids, d.ID)
			}
			s.WebhooksDue()
			wait(2 * time.Second)
			for _, id := range ids {
				if got := w.row(id); got.State != linkspan.DeliveryDelivered {
					t.Fatalf("round %d: %+v", round, got)
				}
			}
		}
	})
}

func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["bad.example"] = answers(500)
		w.add(t, 1, "bad.example", 3)
		defer run(t, w.service("me"))()
		wait(time.Minute)
		before := w.looked()
		wait(100 * time.Second)
		if n := w.looked() - before; n > 101 {
			t.Fatalf("%d looks in 100 seconds", n)
		}
	})
}

// TestSlowDatabase has looks end by their time limit: what is too slow is not kept
// busy with more of them, whoever wakes the dispatcher.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["good.example"] = answers(http.StatusOK)
		w.setStuck(true)
		d := w.add(t, 1, "good.example", 1)[0]
		s := w.service("me")
		defer run(t, s)()
		const minute = 60
		for range minute {
			s.WebhooksDue()
			wait(time.Second)
		}
		if most := minute/int(2*callTimeout/time.Second) + 1; w.looked() > most || w.looked() < 2 {
			t.Errorf("%d looks in a minute, %d at most", w.looked(), most)
		}
		w.setStuck(false)
		wait(2 * callTimeout)
		if got := w.row(d.ID); got.State != linkspan.DeliveryDelivered {
			t.Errorf("once it is fast again: %+v", got)
		}
		before := w.looked()
		wait(10 * pollEvery)
		if n := w.looked() - before; n < 9 || n > 11 {
			t.Errorf("%d looks in ten seconds", n)
		}
	})
}

// TestDrain stops a process while a receiver keeps it waiting.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["slow.example"] = receiverFunc(hangs)
		w.receivers["fair.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			<-time.After(3 * time.Second)
			return answers(200)(r)
		})
		slow, fair := w.add(t, 1, "slow.example", 1)[0], w.add(t, 1, "fair.example", 1)[0]
		stop := run(t, w.service("first"))
		wait(time.Second)
		asked := time.Now()
		stop()
		if took := time.Since(asked); took > 6*time.Second {
			t.Fatalf("stopping took %v", took)
		}
		if got := w.row(fair.ID); got.State != linkspan.DeliveryDelivered {
			t.Errorf("what would have ended in time was broken off: %+v", got)
		}
		if got := w.row(slow.ID); got.State != linkspan.DeliveryPending || got.Attempts != 0 || !got.LeaseUntil.IsZero() {
			t.Errorf("what was broken off: %+v", got)
		}
		w.receivers["slow.example"] = answers(200)
		defer run(t, w.service("second"))()
		wait(time.Second)
		hits := w.hitsOf("slow.example")
		if len(hits) != 2 || hits[0].id != hits[1].id {
			t.Fatalf("the next process sent %+v", hits)
		}
	})
}

// TestKilled takes over from a process that died in the middle of an attempt.
func TestKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["r.example"] = answers(200)
		d := w.add(t, 1, "r.example", 1)[0]
		claimed, err := w.ClaimDeliveries(t.Context(), nil, []linkspan.WebhookDeliveryID{d.ID}, "dead", ttl)
		if err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		defer run(t, w.service("me"))()
		wait(14 * time.Second)
		if len(w.hitsOf("")) != 0 {
			t.Fatal("it was taken over before the claim lapsed")
		}
		wait(2 * time.Second)
		if hits := w.hitsOf("r.example"); len(hits) != 1 || hits[0].id != claimed[0].Event.UUID {
			t.Fatalf("sent: %+v", hits)
		}
	})
}

// TestTakenOver has somebody else take a delivery over while we are at it: our
// attempt ends and does not count.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		var brokenOff time.Time
		w.receivers["slow.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			defer func() { brokenOff = time.Now() }()
			return hangs(r)
		})
		d := w.add(t, 1, "slow.example", 1)[0]
		s := w.service("me")
		defer run(t, s)()
		wait(time.Second)
		unlock := w.lock(nil)
		w.deliveries[d.ID].Attempt++
		w.deliveries[d.ID].Holder = "you"
		w.deliveries[d.ID].LeaseUntil = time.Now().Add(time.Hour)
		unlock()
		wait(time.Hour - time.Minute)
		if got := w.row(d.ID); got.Attempts != 0 || got.Holder != "you" || len(w.hitsOf("")) != 1 {
			t.Fatalf("%d requests, %+v", len(w.hitsOf("")), got)
		}
		if after := brokenOff.Sub(d.CreatedAt); after > 6*time.Second {
			t.Fatalf("the attempt went on for %v", after)
		}
	})
}

// TestTogether has several processes send slowly: nothing is sent by two at once.
func TestTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		var mu sync.Mutex
		flying := make(map[string]bool)
		for i := range 5 {
			w.receivers[fmt.Sprintf("%d.example", i)] = receiverFunc(func(r *http.Request) (*http.Response, error) {
				id := r.Header.Get("Webhook-Id")
				mu.Lock()
				if flying[id] {
					t.Errorf("%s is sent by two at once", id)
				}
				flying[id] = true
				mu.Unlock()
				<-time.After(19 * time.Second) // longer than a claim lasts
				mu.Lock()
				flying[id] = false
				mu.Unlock()
				return answers(200)(r)
			})
			w.add(t, 1, fmt.Sprintf("%d.example", i), 30)
		}
		for _, holder := range []string{"a", "b", "c"} {
			defer run(t, w.service(holder))()
		}
		wait(time.Hour)
		if len(w.hitsOf("")) != 150 {
			t.Errorf("%d requests for 150 messages", len(w.hitsOf("")))
		}
	})
}

// TestOutage takes the database away for a while.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["r.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			<-time.After(2 * time.Second)
			return answers(200)(r)
		})
		w.add(t, 1, "r.example", 10)
		defer run(t, w.service("me"))()
		wait(time.Second)
		w.setDown(true)
		wait(10 * time.Second)
		w.setDown(false)
		wait(time.Minute)
		if n := w.count("https://r.example", linkspan.DeliveryDelivered); n != 10 || len(w.hitsOf("")) != 10 {
			t.Fatalf("%d of 10 arrived in %d requests", n, len(w.hitsOf("")))
		}
	})
}

// TestKeysAway takes the database away between a claim and the reading of the
// signing key: that costs no attempt, and the receiver is not blamed.
func TestKeysAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["r.example"] = answers(200)
		d := w.add(t, 1, "r.example", 1)[0]
		w.setKeysDown(true)
		defer run(t, w.service("me"))()
		wait(time.Hour)
		if got := w.row(d.ID); got.State != linkspan.DeliveryPending || got.Attempts != 0 || got.LastError != "" {
			t.Fatalf("while the database was away: %+v", got)
		}
		w.setKeysDown(false)
		wait(10 * time.Second)
		if got := w.row(d.ID); got.State != linkspan.DeliveryDelivered || got.Attempts != 1 {
			t.Fatalf("afterwards: %+v", got)
		}
	})
}

// TestCounts looks at what operators see of a process.
func TestCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["good.example"], w.receivers["gone.example"] = answers(200), answers(410)
		w.receivers["bad.example"], w.receivers["slow.example"] = answers(500), receiverFunc(hangs)
		for _, host := range []string{"good.example", "good.example", "gone.example", "127.0.0.1", "bad.example", "slow.example"} {
			w.add(t, 1, host, 1)
		}
		s := w.service("me")
		stop := run(t, s)
		wait(2 * time.Second)
		got := [...]int64{s.Attempts(), s.Delivered(), s.GivenUp(), s.Sending()}
		if want := [...]int64{5, 2, 2, 1}; got != want {
			t.Errorf("attempts, delivered, given up, under way: %v, want %v", got, want)
		}
		stop()
		if s.Sending() != 0 || s.Attempts() != 5 {
			t.Errorf("after the end %d are under way, and %d attempts were made", s.Sending(), s.Attempts())
		}
	})
}

// hangingRenewals is a store that never answers to renewals.
type hangingRenewals struct{ *world }

func (hangingRenewals) RenewDeliveries(ctx context.Context, _ linkspan.Tx, _ []linkspan.WebhookDelivery, _ time.Duration) ([]linkspan.WebhookDeliveryID, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestHangingRenewal has operators learn of claims that can't be renewed.
func TestHangingRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["slow.example"] = receiverFunc(hangs)
		w.add(t, 1, "slow.example", 1)
		s := w.service("me")
		var said bytes.Buffer
		s.store, s.log = hangingRenewals{w}, slog.New(slog.NewTextHandler(&said, nil))
		stop := run(t, s)
		wait(10 * time.Second)
		stop()
		if !strings.Contains(said.String(), "renewing the claims") {
			t.Fatalf("logged: %s", said.String())
		}
	})
}
