package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/apptest"
)

// oneSync saves one record for each connection, so that each has one webhook.
const oneSync = `import { createSync } from "linkspan";
import * as z from "zod";

export default createSync({
	description: "One record",
	frequency: "every 30 days",
	autoStart: true,
	models: { One: z.object({ id: z.string() }) },
	exec: async (nango) => {
		await nango.batchSave([{ id: nango.connectionId }], "One");
	},
});
`

// TestKilledWhileTellingOfSyncs kills the server while the first syncs of many
// connections run and their webhooks are sent to a receiver that is slow, and
// fails at times: each arrives, as one message.
func TestKilledWhileTellingOfSyncs(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for replicas := 1; replicas <= 2 && (replicas == 1 || name == "postgres"); replicas++ {
				t.Run(fmt.Sprintf("replicas=%d", replicas), func(t *testing.T) {
					t.Parallel()
					w := newKilling(t, open(t), placesPerRow, replicas)
					w.deliver(t, sized(2000, 400, 100), sized(12, 5, 4))
				})
			}
		})
	}
}

// deliver makes so many webhooks and kills the server so often meanwhile.
func (w *killing) deliver(t *testing.T, hooks, kills int) {
	t.Helper()
	w.sink.Answer = reluctant(time.Duration(sized(40, 100, 200)) * time.Millisecond)
	for n := range hooks {
		w.dev().Do(t, http.MethodPost, "/connections", object{
			"provider_config_key": "shelf", "connection_id": fmt.Sprint("c", n), "credentials": object{"type": "NONE"},
		}).Want(t, http.StatusCreated)
	}
	w.deploy(t, "one", oneSync)
	began := time.Now()
	for n := range kills {
		arrived := min(n*hooks/kills+1+w.random.IntN(hooks/kills), hooks)
		apptest.Poll(t, fmt.Sprintf("%d webhooks arrived", arrived), func() bool { return len(w.messages(t)) >= arrived })
		w.wait(t, 200*time.Millisecond)
		w.kill(t)
	}
	apptest.Poll(t, "all webhooks arrived and none is left to be sent", func() bool {
		return len(w.messages(t)) >= hooks && len(deliveries(t, w.dev(), "&state=pending")) == 0
	})
	t.Logf("%d webhooks, %d kills: %v, %d requests", hooks, kills, time.Since(began).Round(time.Millisecond), len(w.sink.Hooks()))
	w.checkMessages(t, hooks)
}

// reluctant answers after a while, and refuses the first attempt of each third
// message.
func reluctant(pause time.Duration) func(apptest.Hook) int {
	var mu sync.Mutex
	refused := make(map[string]bool)
	return func(h apptest.Hook) int {
		<-time.After(pause)
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(h.ID()))
		mu.Lock()
		defer mu.Unlock()
		if hash.Sum32()%3 != 0 || refused[h.ID()] {
			return http.StatusOK
		}
		refused[h.ID()] = true
		return http.StatusServiceUnavailable
	}
}

// messages are the bodies that arrived, by the id of their message.
func (w *killing) messages(t *testing.T) map[string][]byte {
	t.Helper()
	found := make(map[string][]byte)
	for _, h := range w.sink.Hooks() {
		body, known := found[h.ID()]
		if known && !bytes.Equal(body, h.Body) {
			t.Fatalf("the message %s came as\n%s\nand as\n%s", h.ID(), body, h.Body)
		}
		found[h.ID()] = h.Body
	}
	return found
}

// checkMessages looks whether each connection has one message, signed, delivered
// and listed.
func (w *killing) checkMessages(t *testing.T, hooks int) {
	t.Helper()
	key := w.options.Database.Keys.SigningDev
	for _, h := range w.sink.Hooks() {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(h.Body)
		if h.Header.Get("X-Nango-Hmac-Sha256") != hex.EncodeToString(mac.Sum(nil)) ||
			!slices.Contains(strings.Fields(h.Header.Get("webhook-signature")), standardSignature(key, h)) {
			t.Errorf("the signatures of %s don't verify", h.ID())
		}
	}
	about := make(map[string]string)
	messages := w.messages(t)
	for id, body := range messages {
		var p syncHook
		if err := json.Unmarshal(body, &p); err != nil {
			t.Fatalf("decoding a webhook: %v\n%s", err, body)
		}
		if other, twice := about[p.ConnectionID]; twice {
			t.Errorf("%s is the subject of %s and of %s", p.ConnectionID, other, id)
		}
		about[p.ConnectionID] = id
		if !p.Success || p.Model != "One" || p.Results["added"] != 1 || p.Results["updated"] != 0 || p.Results["deleted"] != 0 {
			t.Errorf("a webhook tells %s", body)
		}
	}
	if len(about) != hooks {
		t.Errorf("%d connections were told of, not %d", len(about), hooks)
	}
	listed := deliveries(t, w.dev(), "")
	for _, d := range listed {
		if _, arrived := messages[d.EventID]; !arrived || d.State != "delivered" {
			t.Errorf("the delivery of %s is %s after %d attempts; arrived: %t", d.EventID, d.State, d.Attempts, arrived)
		}
	}
	if len(listed) != hooks {
		t.Errorf("%d deliveries are listed, not %d", len(listed), hooks)
	}
}
