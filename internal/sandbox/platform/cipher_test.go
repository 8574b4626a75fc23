package platform

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"testing"
)

// The counter of GCM wraps within 32 bits, that of CTR does not.
func TestCountersWrap(t *testing.T) {
	t.Parallel()
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.Repeat([]byte{0xff}, 16)
	text := make([]byte, 100)
	want := make([]byte, 0, 112)
	for i, counter := range [][]byte{first, append(bytes.Repeat([]byte{0xff}, 12), 0, 0, 0, 0)} {
		size := 16
		if i == 1 {
			size = 96
		}
		part := make([]byte, size)
		cipher.NewCTR(block, counter).XORKeyStream(part, part)
		want = append(want, part...)
	}
	for _, skip := range []uint64{0, 1, 15, 16, 17, 40} {
		got := keyed(block, bytes.Clone(first), true, skip, text[skip:])
		if !bytes.Equal(got, want[skip:100]) {
			t.Errorf("from %d: %x", skip, got)
		}
		whole := make([]byte, 100)
		cipher.NewCTR(block, first).XORKeyStream(whole, whole)
		if got := keyed(block, bytes.Clone(first), false, skip, text[skip:]); !bytes.Equal(got, whole[skip:]) {
			t.Errorf("of 128 bits, from %d: %x", skip, got)
		}
	}
}

// What is encrypted in pieces is what is encrypted at once, and costs in
// proportion to it.
func TestStreams(t *testing.T) {
	t.Parallel()
	key, text := bytes.Repeat([]byte{7}, 16), bytes.Repeat([]byte("0123456789"), 20)
	for mode, size := range map[string]int{"aes-128-ctr": 16, "aes-128-gcm": 9} {
		nonce := bytes.Repeat([]byte{9}, size)
		whole := ask(t, "crypto.cipher", map[string]any{"algorithm": mode, "tag": 16}, key, nonce, text, nil, nil)
		pieces := ""
		for at := 0; at < len(text); at += 23 {
			pieces += ask(t, "crypto.stream", map[string]any{"algorithm": mode, "skip": at}, key, nonce, text[at:min(at+23, len(text))])
		}
		if want := whole[:hex.EncodedLen(len(text))]; pieces != want {
			t.Errorf("%s:\n got %s\nwant %s", mode, pieces, want)
		}
	}
}
