package vault_test

import (
	"encoding/hex"
	"testing"
)

const (
	goldenKeyID   = "1b25f91981a86f2c"
	goldenWrapped = "01088ccf6389e6acd6b4ef315dd03cf78da78856e2aa18a5ac34c6f0729aca0d4fc22d5ec7d9a713566148d22817f3500838e683670da779352bf33a56"
	goldenSealed  = "011b25f91981a86f2c88f0ff1b3fdad54aa4460e9cf0411beb494849d2f2b5c142268889846b7454eb65"
)

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
