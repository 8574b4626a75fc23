package app

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxArrivals is how many webhooks the receiver keeps for the screen, and how
	// many ids it remembers to know repetitions.
	maxArrivals = 256
	// webhookAge is how old a webhook may be: older ones may be replayed by
	// somebody who has seen them.
	webhookAge = 5 * time.Minute
)

// arrival is a webhook that came, as far as the demo reads it.
type arrival struct {
	At                time.Time     `json:"-"`
	Type              string        `json:"type"`
	Operation         string        `json:"operation"` // of auth
	Success           *bool         `json:"success"`
	ConnectionID      string        `json:"connectionId"`
	ProviderConfigKey string        `json:"providerConfigKey"`
	Error             *arrivalError `json:"error"`
	// SyncName, Model and Results are of sync.
	SyncName string  `json:"syncName"`
	Model    string  `json:"model"`
	Results  changes `json:"responseResults"`
}

// arrivalError says why something failed.
type arrivalError struct {
	Type        string `json:"type"`
	Description string `json:"description"`
}

// changes counts what happened to records.
type changes struct {
	Added   int `json:"added"`
	Updated int `json:"updated"`
	Deleted int `json:"deleted"`
}

// plus returns the sums.
func (c changes) plus(o changes) changes {
	return changes{c.Added + o.Added, c.Updated + o.Updated, c.Deleted + o.Deleted}
}

// exceeds reports whether there is more of something than in o.
func (c changes) exceeds(o changes) bool {
	return c.Added > o.Added || c.Updated > o.Updated || c.Deleted > o.Deleted
}

// String tells all three, also those that are zero.
func (c changes) String() string {
	return fmt.Sprintf("%d added, %d updated, %d deleted", c.Added, c.Updated, c.Deleted)
}

// failed reports whether the webhook tells of a failure.
func (a arrival) failed() bool { return a.Success != nil && !*a.Success }

// created reports whether somebody has connected a new account, connected whether
// a new or a known one.
func (a arrival) created() bool { return a.connected() && a.Operation == "creation" }

func (a arrival) connected() bool {
	return a.Type == "auth" && (a.Operation == "creation" || a.Operation == "override") && a.Success != nil && *a.Success
}

// title says in short what it is about.
func (a arrival) title() string {
	what := strings.TrimSpace(a.Type + " " + a.Operation + a.SyncName)
	if a.failed() {
		what += " failed"
	}
	return what
}

// detail says what it tells.
func (a arrival) detail() string {
	text := a.ProviderConfigKey
	switch {
	case a.failed() && a.Error != nil:
		text = a.Error.why()
	case a.Type == "sync" && !a.failed():
		text = a.Results.String()
	}
	return joined(text, "verified")
}

// why says what went wrong.
func (e *arrivalError) why() string { return cmp.Or(e.Description, e.Type, "it is not said why") }

// receiver is a customer's backend: it takes webhooks, checks who they are from
// (standardwebhooks.com), and ignores those that it has had already.
type receiver struct {
	key      []byte
	arrivals chan arrival

	mu   sync.Mutex
	seen map[string]bool
}

func newReceiver(signingKey string) *receiver {
	return &receiver{key: []byte(signingKey), arrivals: make(chan arrival, maxArrivals), seen: make(map[string]bool)}
}

// ServeHTTP implements http.Handler.
func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/webhooks" {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body can't be read", http.StatusBadRequest)
		return
	}
	now := time.Now()
	if !v.genuine(r.Header, body, now) {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	a := arrival{At: now}
	if err := json.Unmarshal(body, &a); err != nil {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	if v.first(r.Header.Get("Webhook-Id")) {
		select {
		case v.arrivals <- a:
		default: // nobody can read that many
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// genuine checks the age and the signature of a webhook. One without an id could
// be repeated at will.
func (v *receiver) genuine(h http.Header, body []byte, now time.Time) bool {
	id, timestamp := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || now.Sub(time.Unix(seconds, 0)).Abs() > webhookAge {
		return false
	}
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for given := range strings.FieldsSeq(h.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(given), want) {
			return true
		}
	}
	return false
}

// first reports whether a message comes for the first time: senders repeat what
// they are not sure of.
func (v *receiver) first(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen[id] {
		return false
	}
	if len(v.seen) >= maxArrivals {
		clear(v.seen)
	}
	v.seen[id] = true
	return true
}
