package app

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/store"
)

// demoSecrets are the keys of the demo. They are kept in the folder, so that a
// folder can be used again.
type demoSecrets struct {
	AccountKey api.Secret `json:"account_key"`
	DevKey     api.Secret `json:"dev_key"`
	ProdKey    api.Secret `json:"prod_key"`
	SigningKey api.Secret `json:"webhook_signing_key"`
	// ClientID and ClientSecret are those of Linkspan at Ticketry.
	ClientID     string     `json:"client_id"`
	ClientSecret api.Secret `json:"client_secret"`
	APIKey       api.Secret `json:"api_key"`
	Password     api.Secret `json:"password"`
	// ControlKey has Ticketry fail on request.
	ControlKey api.Secret `json:"control_key"`
}

const (
	demoSecretsFile = "demo.json"
	demoUsername    = "mira.novak@lumen-books.example"
)

// claimDemoFolder makes the folder this demo's alone until release is called. It
// refuses one that holds the data of something else.
func claimDemoFolder(dir string) (release func() error, err error) {
	const op = "app.Demo"
	_, isDemo := os.Stat(filepath.Join(dir, demoSecretsFile))
	_, isServer := os.Stat(filepath.Join(dir, keyFile))
	if isDemo != nil && isServer == nil {
		return nil, linkspan.E(op, linkspan.KindInvalid, "", nil, "%s holds the data of a server, not of a demo.", dir).
			WithHint("Give a new folder as --data, or none.")
	}
	release, err = store.LockFolder(filepath.Join(dir, "demo"))
	if err != nil && linkspan.KindOf(err) == linkspan.KindConflict {
		return nil, linkspan.E(op, linkspan.KindConflict, "", nil, "Another demo is running in the folder %s.", dir).
			WithHint("Go on with that one, or give this one another folder with --data, or none.")
	}
	return release, err
}

// openDemoSecrets reads the keys of a folder, or makes those of a new one.
func openDemoSecrets(dir string) (demoSecrets, error) {
	path := filepath.Join(dir, demoSecretsFile)
	s, err := readDemoSecrets(path)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	s = newDemoSecrets()
	return s, writeDemoSecrets(path, s)
}

func newDemoSecrets() demoSecrets {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails: crypto/rand aborts the process instead
	return demoSecrets{
		AccountKey: newSecretUUID(), DevKey: newSecretUUID(), ProdKey: newSecretUUID(), SigningKey: newSecretUUID(),
		ClientID: "linkspan-demo", ClientSecret: api.Secret("tks_" + rand.Text()),
		APIKey: api.Secret("tk_" + hex.EncodeToString(key)), Password: api.Secret(strings.ToLower(rand.Text()[:12])),
		ControlKey: newSecretUUID(),
	}
}

func newSecretUUID() api.Secret { return api.Secret(linkspan.NewUUID()) }

func readDemoSecrets(path string) (demoSecrets, error) {
	var s demoSecrets
	data, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("reading the keys of the demo: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("reading the keys of the demo in %s: %w", path, err)
	}
	return s, nil
}

func writeDemoSecrets(path string, s demoSecrets) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the keys of the demo: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the demo: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("keeping the keys of the demo: %w", err)
	}
	return nil
}

// bootstrapEnviron are the settings that give a new database these keys.
func (s demoSecrets) bootstrapEnviron(name string) string {
	return map[string]api.Secret{
		"LINKSPAN_ACCOUNT_KEY":             s.AccountKey,
		"LINKSPAN_SECRET_KEY_DEV":          s.DevKey,
		"LINKSPAN_SECRET_KEY_PROD":         s.ProdKey,
		"LINKSPAN_WEBHOOK_SIGNING_KEY_DEV": s.SigningKey,
	}[name].Reveal()
}
