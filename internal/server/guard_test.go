package server_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// TestRefusedCallsCostAndAreTraced looks at what callers without the right get:
// the budget's headers, and a log line that says who they are.
func TestRefusedCallsCostAndAreTraced(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	r := newRig(t, rigOptions{rateLimit: 3, log: slog.NewJSONHandler(&lines, nil)})
	poor := r.key("environment:mcp")
	calls := []struct {
		key, path string
		status    int
		remaining string
	}{
		{poor, "/connections", http.StatusForbidden, "2"},
		{accountKey, "/connections", http.StatusForbidden, "1"},
		{devKey, "/connections", http.StatusOK, "0"},
		{poor, "/connections", http.StatusTooManyRequests, "0"},
	}
	for i, c := range calls {
		lines.Reset()
		got := r.call(c.key, "GET", c.path, "")
		h := got.header
		if got.status != c.status || h.Get("X-Ratelimit-Remaining") != c.remaining || h.Get("X-Ratelimit-Limit") != "3" || h.Get("X-Ratelimit-Reset") == "" {
			t.Errorf("call %d: %d %v", i, got.status, h)
		}
		var line struct {
			Status    int
			Principal string
			AccountID int64 `json:"account_id"`
			KeyID     int64 `json:"key_id"`
		}
		check(t, json.Unmarshal(lines.Bytes(), &line))
		if line.Status != c.status || !strings.HasSuffix(line.Principal, "_key") || line.AccountID == 0 || line.KeyID == 0 {
			t.Errorf("call %d: the log does not know the caller: %s", i, lines.Bytes())
		}
	}
}
