package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
)

// TestRecord looks at what customers can look up of a delivery.
func TestRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.log = oplog.New(w.memory, discard(), oplog.Options{})
		fails := true
		w.receivers["r.example"] = receiverFunc(func(r *http.Request) (*http.Response, error) {
			if fails {
				fails = false
				return answers(500, "Set-Cookie", "hidden-cookie", "X-Echo", "signing-key")(r)
			}
			return answers(200)(r)
		})
		d := w.add(t, 1, "r.example", 1)[0]
		defer run(t, w.service("me"))()
		runLog(t, w.log)
		wait(2 * time.Second)
		if op := w.operation(d.Operation); op.State != linkspan.StateWaiting || op.Action != linkspan.ActionConnectionCreateHook || op.ConnectionName != "c1" {
			t.Fatalf("meanwhile the operation is %+v", op)
		}
		wait(time.Minute)
		if op := w.operation(d.Operation); op.State != linkspan.StateSuccess || op.EndedAt.IsZero() {
			t.Fatalf("in the end the operation is %+v", op)
		}
		msgs := w.messages()
		if len(msgs) != 2 || msgs[0].Level != "warn" || msgs[0].Response.Code != 500 || msgs[1].Response.Code != 200 {
			t.Fatalf("messages: %+v", msgs)
		}
		text := fmt.Sprintf("%+v %+v %+v %+v", w.operation(d.Operation), msgs, msgs[0].Request, msgs[0].Response)
		header := w.hitsOf("")[0].header
		for _, secret := range []string{
			"hidden-token", "hidden-cookie", "signing-key", `{"a":1}`, header.Get("X-Nango-Hmac-Sha256"), header.Get("Webhook-Signature"),
		} {
			if strings.Contains(text, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

// TestDeletedEnvironment has an environment deleted with messages to send.
func TestDeletedEnvironment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		d := w.add(t, 9, "r.example", 1)[0]
		defer run(t, w.service("me"))()
		wait(time.Second)
		if got := w.row(d.ID); got.State != linkspan.DeliveryFailed || len(w.hitsOf("")) != 0 {
			t.Fatalf("%+v, %+v", got, w.hitsOf(""))
		}
	})
}
