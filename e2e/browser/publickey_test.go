package browser

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"

	"github.com/linkspan/linkspan/internal/browsertest"
)

// TestPublicKeyWithHMAC connects with the public key where the environment asks
// for signatures, and then where it takes no public key at all.
func TestPublicKeyWithHMAC(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	settings := func(t *testing.T, body map[string]any) {
		t.Helper()
		w.instance.Dev(t).Do(t, http.MethodPatch, "/environments/current/settings", body).Want(t, http.StatusOK)
	}
	settings(t, map[string]any{"hmac_enabled": true, "hmac_key": "only the backend knows"})
	signed := func(integration string) string {
		mac := hmac.New(sha256.New, []byte("only the backend knows"))
		mac.Write([]byte(integration + ":signed-id"))
		return hex.EncodeToString(mac.Sum(nil))
	}
	for _, c := range []struct{ name, hmac, kind string }{
		{"none", "", "missing_hmac"}, {"that of another integration", signed("desk-key"), "invalid_hmac"},
	} {
		// The client closes the window itself, soon after it was told.
		p := w.open(t, browsertest.View{})
		act(t, p, w.withPublicKey(t)+fmt.Sprintf(`.auth("desk", "signed-id", {hmac: %s})`, literal(t, c.hmac)))
		p.Click(t, "#go")
		settled(t, p).wantError(t, c.kind)
	}
	p := w.open(t, browsertest.View{})
	act(t, p, w.withPublicKey(t)+fmt.Sprintf(`.auth("desk", "signed-id", {hmac: %s})`, literal(t, signed("desk"))))
	popup := p.Popup(t, func() { p.Click(t, "#go") })
	consent(t, popup, "approve")
	if id := settled(t, p).wantConnection(t, "desk"); id != "signed-id" {
		t.Errorf("the connection is called %q", id)
	}
	key := fmt.Sprintf(`.auth("desk-key", "signed-id", {credentials: {apiKey: %s}, hmac: %s})`, literal(t, w.desk.APIKey), literal(t, signed("desk-key")))
	act(t, p, w.withPublicKey(t)+key)
	p.Click(t, "#go")
	w.works(t, "desk-key", settled(t, p).wantConnection(t, "desk-key"))

	client := w.withPublicKey(t)
	settings(t, map[string]any{"public_key_enabled": false})
	act(t, p, client+key)
	p.Click(t, "#go")
	settled(t, p).wantError(t, "deprecated_authentication")
}
