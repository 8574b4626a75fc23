package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestNoSecretInClear runs an instance with secrets that can be recognised,
// makes calls that succeed and calls that fail, and then looks for each secret,
// in every encoding it could have slipped through, in the database, the logs,
// the metrics and every error.
func TestNoSecretInClear(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			b := &busy{world: apptest.NewWorld(t), secrets: map[string]string{
				"dev key": db.Keys.Dev, "prod key": db.Keys.Prod, "account key": db.Keys.Account,
				"signing key": db.Keys.SigningDev, "prod signing key": db.Keys.SigningProd, "encryption key": db.Keys.Encryption,
			}}
			b.secrets["client secret"] = b.world.Authority.ClientSecret
			b.Instance = apptest.Start(t, apptest.Options{Database: db, ProvidersDir: b.world.ProvidersDir})
			b.run(t)
			for n, token := range b.world.Authority.Issued() {
				b.secrets["token "+token[:7]+" "+string(rune('a'+n%26))] = token
			}
			metrics := apptest.NewClient(t, b.AdminURL, "").Do(t, http.MethodGet, "/metrics", nil).Want(t, http.StatusOK)
			if !bytes.Contains(metrics.Body, []byte("http")) {
				t.Errorf("the metrics say nothing of HTTP:\n%s", metrics.Body)
			}
			wantOperationError(t, b.Dev(t), "connection_test_failed") // so the log of operations has been written
			places := map[string][]byte{
				"the logs": []byte(b.Logs()), "the metrics": metrics.Body, "the database": db.Bytes(t), "an error": b.errors.Bytes(),
				"the operations": b.Dev(t).Do(t, http.MethodGet, "/logs/operations?limit=100", nil).Want(t, http.StatusOK).Body,
			}
			for place, text := range places {
				if len(text) == 0 {
					t.Errorf("%s are empty: nothing was looked at", place)
				}
				for name, secret := range b.secrets {
					for form, needle := range forms(secret) {
						if at := bytes.Index(text, []byte(needle)); at >= 0 {
							t.Errorf("%s holds the %s (%s): …%s…", place, name, form, excerpt(text, at, len(needle)))
						}
					}
				}
			}
		})
	}
}

// forms returns the encodings in which a secret might be written.
func forms(secret string) map[string]string {
	trimmed := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "=")
	all := map[string]string{
		"plain":       secret,
		"base64":      trimmed[:len(trimmed)-1], // the last character depends on what follows
		"URL-encoded": url.QueryEscape(secret),
		"hexadecimal": hex.EncodeToString([]byte(secret)),
		"lower case":  strings.ToLower(secret),
		"upper case":  strings.ToUpper(secret),
	}
	if raw, err := base64.StdEncoding.DecodeString(secret); err == nil && len(raw) == 32 {
		all["bytes"] = string(raw)
	}
	return all
}

func excerpt(text []byte, at, length int) []byte {
	return bytes.ToValidUTF8(text[max(0, at-60):min(len(text), at+length+20)], []byte("?"))
}

// busy is an instance at work, with the secrets it was given.
type busy struct {
	*apptest.Instance
	world   *apptest.World
	secrets map[string]string
	errors  bytes.Buffer
	// broken are the tokens of a connection that the authority refuses.
	broken apptest.Tokens
}

// secret makes a secret that appears nowhere else.
func (b *busy) secret(name string) string {
	s := "s3cr3t-" + rand.Text() + "+/&=%"
	b.secrets[name] = s
	return s
}

// fails makes a call that is meant to fail and keeps its answer.
func (b *busy) fails(t *testing.T, r apptest.Reply) {
	t.Helper()
	if r.Status < 400 {
		t.Errorf("%s: status %d; it was meant to fail", r.What, r.Status)
	}
	b.errors.Write(r.Body)
	for name, values := range r.Header {
		b.errors.WriteString(name + ": " + strings.Join(values, ", ") + "\n")
	}
}

func (b *busy) run(t *testing.T) {
	t.Helper()
	dev, account := b.Dev(t), b.Account(t)
	environment := "/environments/" + b.DevUUID(t)
	account.Do(t, http.MethodPut, environment+"/variables", object{"variables": []object{{"name": "V", "value": b.secret("variable")}}}).Want(t, http.StatusOK)
	account.Do(t, http.MethodPatch, environment+"/settings", object{
		"hmac_enabled": true, "hmac_key": b.secret("hmac key"),
		"otlp_endpoint": "http://localhost:9", "otlp_headers": []object{{"name": "x-token", "value": b.secret("otlp header")}},
	}).Want(t, http.StatusOK)
	b.secrets["created key"] = makeKey(t, b.Instance, b.DevUUID(t), "another").Secret

	for _, provider := range []string{apptest.ProviderOAuth, apptest.ProviderKey, apptest.ProviderBasic, apptest.ProviderVerified} {
		b.world.Integrate(t, dev, provider, provider)
	}
	dev.Do(t, http.MethodPatch, "/integrations/"+apptest.ProviderOAuth, object{"credentials": object{
		"type": "OAUTH2", "client_id": b.world.Authority.ClientID, "client_secret": b.world.Authority.ClientSecret,
		"webhook_secret": b.secret("webhook secret"),
	}}).Want(t, http.StatusOK)
	b.importAll(t)
	b.use(t)
	b.fail(t)
}

// importAll imports connections with every kind of secret.
func (b *busy) importAll(t *testing.T) {
	t.Helper()
	dev := b.Dev(t)
	dev.Do(t, http.MethodPost, "/connections", object{
		"provider_config_key": apptest.ProviderKey, "connection_id": "c",
		"credentials":       object{"type": "API_KEY", "apiKey": b.secret("API key")},
		"connection_config": object{"token": b.secret("connection config")},
		"metadata":          object{"note": b.secret("metadata")},
	}).Want(t, http.StatusCreated)
	apptest.Import(t, dev, apptest.ProviderBasic, "c", object{"type": "BASIC", "username": "user", "password": b.secret("password")})
	b.world.ImportOAuth(t, dev, apptest.ProviderOAuth, "c", -time.Minute)
	b.broken = b.world.ImportOAuth(t, dev, apptest.ProviderOAuth, "broken", -time.Minute)
	tokens := b.world.Authority.Issue()
	dev.Do(t, http.MethodPost, "/connections", object{
		"provider_config_key": apptest.ProviderOAuth, "connection_id": "override",
		"credentials": object{
			"type": "OAUTH2", "access_token": tokens.Access, "refresh_token": tokens.Refresh,
			"config_override": object{"client_id": "other", "client_secret": b.secret("client secret of a connection")},
		},
	}).Want(t, http.StatusCreated)
}

// use makes calls that succeed, secrets in their URLs, headers and bodies.
func (b *busy) use(t *testing.T) {
	t.Helper()
	dev := b.Dev(t)
	for _, integration := range []string{apptest.ProviderKey, apptest.ProviderBasic, apptest.ProviderOAuth} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			apptest.Proxy(t, dev, method, integration, "c", "/echo?access_token="+url.QueryEscape(b.secret("query of "+method+" "+integration)),
				object{"password": b.secret("body of " + method + " " + integration)},
				"Nango-Proxy-Authorization", "Bearer "+b.secret("authorization of "+method+" "+integration),
				"Cookie", "session="+b.secret("cookie of "+method+" "+integration)).Want(t, http.StatusOK)
		}
		apptest.Proxy(t, dev, http.MethodGet, integration, "c", "/echo", nil).Want(t, http.StatusOK)
	}
	dev.Do(t, http.MethodGet, "/connections/c?provider_config_key="+apptest.ProviderOAuth+"&refresh_token=true&force_refresh=true", nil).Want(t, http.StatusOK)
	dev.Do(t, http.MethodGet, "/integrations/"+apptest.ProviderOAuth+"?include=credentials", nil).Want(t, http.StatusOK)
	dev.Do(t, http.MethodGet, "/environment-variables", nil).Want(t, http.StatusOK)
	b.Prod(t).Do(t, http.MethodGet, "/integrations", nil).Want(t, http.StatusOK)
}

// fail makes calls that fail while secrets are at hand.
func (b *busy) fail(t *testing.T) {
	t.Helper()
	dev := b.Dev(t)
	apptest.Proxy(t, dev, http.MethodGet, apptest.ProviderKey, "c", "/status/500?api_key="+url.QueryEscape(b.secret("query of a failed call")), nil).
		Want(t, http.StatusInternalServerError)
	b.fails(t, apptest.Proxy(t, dev, http.MethodGet, apptest.ProviderKey, "c", "/x", nil,
		"Base-Url-Override", "http://user:"+url.QueryEscape(b.secret("password in a URL"))+"@localhost/"))
	b.fails(t, apptest.Proxy(t, dev, http.MethodGet, apptest.ProviderKey, "c", "/x?token="+url.QueryEscape(b.secret("query of a call nobody answers")), nil,
		"Base-Url-Override", "http://127.0.0.1:1"))
	b.fails(t, dev.Do(t, http.MethodPost, "/connections", object{
		"provider_config_key": apptest.ProviderVerified, "credentials": object{"type": "API_KEY", "apiKey": b.secret("refused key")},
	}))
	b.fails(t, dev.Do(t, http.MethodPost, "/connections", object{
		"provider_config_key": apptest.ProviderKey, "credentials": object{"type": "API_KEY", "apiKey": b.secret("key in a bad body"), "extra": b.secret("unknown field")},
	}))
	b.fails(t, dev.Do(t, http.MethodPost, "/integrations", `{"provider":"`+b.secret("malformed JSON"), "Content-Type", "application/json"))
	b.fails(t, dev.Do(t, http.MethodPost, "/integrations", object{
		"provider": apptest.ProviderOAuth, "unique_key": "bad key/", "credentials": object{"type": "OAUTH2", "client_id": "x", "client_secret": b.secret("client secret in a bad body")},
	}))
	b.fails(t, dev.WithKey(b.secret("malformed key")).Do(t, http.MethodGet, "/integrations", nil))
	b.fails(t, dev.Do(t, http.MethodGet, "/connections?token="+url.QueryEscape(b.secret("unknown query")), nil))
	b.world.Authority.FailNext(http.StatusBadRequest,
		`{"error":"invalid_grant","error_description":"no `+b.broken.Refresh+` for `+b.world.Authority.ClientSecret+`"}`) // some do echo
	b.fails(t, dev.Do(t, http.MethodGet, "/connections/broken?provider_config_key="+apptest.ProviderOAuth, nil))
	b.fails(t, apptest.Proxy(t, dev, http.MethodGet, apptest.ProviderOAuth, "broken", "/x", nil))
}
