package apptest

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/linkspan/linkspan"
)

// Keys are the fixed keys of an instance.
type Keys struct {
	// Dev and Prod are full-access keys of the two first environments.
	Dev, Prod string
	// Account is the account key.
	Account string
	// SigningDev and SigningProd sign outgoing webhooks.
	SigningDev, SigningProd string
	// Encryption is the master key in base64.
	Encryption string
}

// NewKeys makes keys that no other test has.
func NewKeys() Keys {
	var master [32]byte
	_, _ = rand.Read(master[:]) // never fails
	return Keys{
		Dev: linkspan.NewUUID(), Prod: linkspan.NewUUID(), Account: linkspan.NewUUID(),
		SigningDev: linkspan.NewUUID(), SigningProd: linkspan.NewUUID(),
		Encryption: base64.StdEncoding.EncodeToString(master[:]),
	}
}

// environ returns the variables that fix the keys on the first start.
func (k Keys) environ() map[string]string {
	return map[string]string{
		"LINKSPAN_SECRET_KEY_DEV":           k.Dev,
		"LINKSPAN_SECRET_KEY_PROD":          k.Prod,
		"LINKSPAN_ACCOUNT_KEY":              k.Account,
		"LINKSPAN_WEBHOOK_SIGNING_KEY_DEV":  k.SigningDev,
		"LINKSPAN_WEBHOOK_SIGNING_KEY_PROD": k.SigningProd,
		"LINKSPAN_ENCRYPTION_KEY":           k.Encryption,
	}
}
