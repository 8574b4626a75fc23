package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// The headers of a webhook (wire contract §14.1, and standardwebhooks.com).
const (
	headerPlainSignature = "X-Nango-Signature"
	headerHMAC           = "X-Nango-Hmac-Sha256"
	headerID             = "Webhook-Id"
	headerTimestamp      = "Webhook-Timestamp"
	headerSignature      = "Webhook-Signature"
)

// Sign returns the headers that prove who sent a message. Both older schemes use
// the first key; Standard Webhooks lists one signature for each key, so that a
// receiver which knows either accepts the message while keys change. It signs
// with the key's text, which its libraries take as "whsec_" and the Base64 of it.
func Sign(id string, at time.Time, body string, key linkspan.Secret, older ...linkspan.Secret) http.Header {
	plain := sha256.Sum256([]byte(key.Reveal() + body))
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signed := id + "." + timestamp + "." + body
	signatures := make([]string, 0, 1+len(older))
	for _, k := range append([]linkspan.Secret{key}, older...) {
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(sum(k, signed)))
	}
	return http.Header{
		headerPlainSignature: {hex.EncodeToString(plain[:])},
		headerHMAC:           {hex.EncodeToString(sum(key, body))},
		headerID:             {id},
		headerTimestamp:      {timestamp},
		headerSignature:      {strings.Join(signatures, " ")},
	}
}

func sum(key linkspan.Secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
