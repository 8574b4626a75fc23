package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The headers of webhooks.
const (
	// TimestampHeader holds the second of the sending, in Unix time.
	TimestampHeader = "X-Ticketry-Timestamp"
	// SignatureHeader holds "v1=" and what Sign returns.
	SignatureHeader = "X-Ticketry-Signature"
)

const (
	// queueLength is how many webhooks may wait; more are dropped.
	queueLength    = 1024
	webhookTimeout = 10 * time.Second
)

// retryWaits are the pauses before the second and the third attempt.
func retryWaits() []time.Duration { return []time.Duration{time.Second, 5 * time.Second} }

// Webhook is where changes are announced, and the secret that signs.
type Webhook struct{ URL, Secret string }

func newWebhookSecret() string { return "tkw_" + rand.Text() }

// Sign returns the hex HMAC-SHA256 of the timestamp, a dot and the body.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// sender announces changes in order, one at a time.
type sender struct {
	http  *http.Client
	log   *slog.Logger
	now   func() time.Time
	queue chan message

	mu sync.Mutex
	to Webhook
}

type message struct {
	to   Webhook
	body []byte
}

func newSender(cfg Config) *sender {
	return &sender{http: cfg.HTTP, log: cfg.Log, now: cfg.Now, queue: make(chan message, queueLength), to: cfg.Webhook}
}

func (s *sender) target() Webhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to
}

func (s *sender) retarget(to Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
}

// announce queues a webhook about v.
func (s *sender) announce(kind string, v any) {
	to := s.target()
	if to.URL == "" {
		return
	}
	body, err := json.Marshal(map[string]any{
		"id": "evt_" + rand.Text(), "type": kind, "created_at": s.now().UTC(), "workspace": workspace, "data": v,
	})
	if err == nil {
		select {
		case s.queue <- message{to, body}:
			return
		default:
			err = fmt.Errorf("%d webhooks wait already", queueLength)
		}
	}
	s.log.Warn("webhook dropped", "type", kind, "error", err)
}

func (s *sender) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-s.queue:
			if err := s.deliver(ctx, m); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "webhook given up", "error", err)
			}
		}
	}
}

// deliver sends one webhook, three times at most.
func (s *sender) deliver(ctx context.Context, m message) error {
	err := s.send(ctx, m)
	for _, wait := range retryWaits() {
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		err = s.send(ctx, m)
	}
	return err
}

func (s *sender) send(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.to.URL, bytes.NewReader(m.body))
	if err != nil {
		return fmt.Errorf("making the request of a webhook: %w", err)
	}
	at := strconv.FormatInt(s.now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Ticketry")
	r.Header.Set(TimestampHeader, at)
	r.Header.Set(SignatureHeader, "v1="+Sign(m.to.Secret, at, m.body))
	res, err := s.http.Do(r)
	if err != nil {
		return fmt.Errorf("sending a webhook: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxBody) // so that the connection is used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("the receiver of a webhook answered %d", res.StatusCode)
	}
	return nil
}
