package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/vault"
)

var place = vault.AAD{Table: "connections", Column: "credentials", Row: "7f1c"}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	keys := new(memoryKeys)
	v := vault.New(vault.NewRing(vault.NewMasterKey()), keys)
	addEnvironment(t, v, keys, 1)
	for _, plain := range [][]byte{nil, []byte("x"), []byte(`{"token":"abc"}`), bytes.Repeat([]byte("long "), 10_000)} {
		sealed, err := v.Seal(t.Context(), nil, 1, place, plain)
		if err != nil {
			t.Fatal(err)
		}
		if len(plain) > 1 && bytes.Contains(sealed, plain) {
			t.Error("the sealed value holds the plain text")
		}
		again, err := v.Seal(t.Context(), nil, 1, place, plain)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(sealed, again) {
			t.Error("the same text sealed twice looks the same")
		}
		got, err := v.Open(t.Context(), nil, 1, place, sealed)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, plain) {
			t.Errorf("opened %q, sealed %q", got, plain)
		}
	}
	if keys.reads != 1 {
		t.Errorf("the data keys were read %d times; only the first use should", keys.reads)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	keys := new(memoryKeys)
	v := vault.New(vault.NewRing(vault.NewMasterKey()), keys)
	addEnvironment(t, v, keys, 1)
	addEnvironment(t, v, keys, 2)
	sealed, err := v.Seal(t.Context(), nil, 1, place, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string, env linkspan.EnvironmentID, aad vault.AAD, value []byte) {
		t.Helper()
		_, err := v.Open(t.Context(), nil, env, aad, value)
		if err == nil {
			t.Errorf("%s: opened", name)
			return
		}
		if e, ok := errors.AsType[*linkspan.Error](err); !ok || e.Kind != linkspan.KindInternal || e.Msg == "" {
			t.Errorf("%s: error %v is not an internal one with a message", name, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		refused(fmt.Sprintf("byte %d flipped", i), 1, place, bad)
		refused(fmt.Sprintf("cut to %d bytes", i), 1, place, sealed[:i])
	}
	refused("one byte more", 1, place, append(bytes.Clone(sealed), 0))
	refused("other environment", 2, place, sealed)
	for _, aad := range []vault.AAD{
		{},
		{Table: "integrations", Column: place.Column, Row: place.Row},
		{Table: place.Table, Column: "metadata", Row: place.Row},
		{Table: place.Table, Column: place.Column, Row: "7f1d"},
		{Table: place.Table + "c", Column: place.Column[1:], Row: place.Row},
		{Table: "conn", Column: "ectionscredentials", Row: place.Row},
	} {
		refused(fmt.Sprintf("as %+v", aad), 1, aad, sealed)
	}
}

// A wrapped key and a sealed value made by an earlier version of the code: the
// stored forms must stay readable.
func TestStoredFormsStayReadable(t *testing.T) {
	t.Parallel()
	master, err := vault.ParseMasterKey(linkspan.NewSecret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := master.ID(), "630dcd29"; got != want {
		t.Errorf("key id = %s, want %s", got, want)
	}
	keys := &memoryKeys{keys: []vault.WrappedKey{{
		ID:              [8]byte(fromHex(t, goldenKeyID)),
		EnvironmentID:   1,
		EnvironmentUUID: "0b5ad5a4-3a0f-4d8e-9d0f-6a3c1f1f0001",
		MasterID:        master.ID(),
		Wrapped:         fromHex(t, goldenWrapped),
		Active:          true,
	}}}
	got, err := vault.New(vault.NewRing(master), keys).Open(t.Context(), nil, 1, place, fromHex(t, goldenSealed))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "hello" {
		t.Errorf("opened %q", got)
	}
}

func TestKeysOfARolledBackTransactionAreForgotten(t *testing.T) {
	t.Parallel()
	keys := new(memoryKeys)
	v := vault.New(vault.NewRing(vault.NewMasterKey()), keys)
	seal := func(tx *memoryTx) []byte {
		k, err := v.NewDataKey(1, linkspan.NewUUID())
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.InsertDataKey(t.Context(), tx, k); err != nil {
			t.Fatal(err)
		}
		sealed, err := v.Seal(t.Context(), tx, 1, place, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	lost := seal(new(memoryTx)) // never committed
	second := new(memoryTx)
	kept := seal(second)
	second.commit(keys)
	if _, err := v.Open(t.Context(), nil, 1, place, lost); err == nil {
		t.Error("a data key that was rolled back still opens")
	}
	if _, err := v.Open(t.Context(), nil, 1, place, kept); err != nil {
		t.Error(err)
	}
	again, err := v.Seal(t.Context(), nil, 1, place, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again[1:9], kept[1:9]) {
		t.Error("a new value is sealed under another data key than the committed one")
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	keys := new(memoryKeys)
	right, wrong := vault.NewMasterKey(), vault.NewMasterKey()
	v := vault.New(vault.NewRing(right), keys)
	if err := v.Verify(t.Context()); err != nil {
		t.Errorf("empty database: %v", err)
	}
	addEnvironment(t, v, keys, 1)
	if err := v.Verify(t.Context()); err != nil {
		t.Errorf("right key: %v", err)
	}
	if err := vault.New(vault.NewRing(wrong, right), keys).Verify(t.Context()); err != nil {
		t.Errorf("right key as the old one: %v", err)
	}
	err := vault.New(vault.NewRing(wrong), keys).Verify(t.Context())
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Code != vault.CodeWrongKey {
		t.Fatalf("wrong key: %v", err)
	}
	if !strings.Contains(e.Msg, right.ID()) || !strings.Contains(e.Msg, wrong.ID()) || e.Hint == "" {
		t.Errorf("the message %q does not name the key needed and the key given", e.Msg)
	}
	if strings.Contains(err.Error(), wrong.Text().Reveal()) {
		t.Error("the message holds the key")
	}
	keys.keys[0].Wrapped[20] ^= 1
	if err := v.Verify(t.Context()); err == nil || linkspan.CodeOf(err) == vault.CodeWrongKey {
		t.Errorf("damaged data key: %v", err)
	}
}

func TestRotateWhileInUse(t *testing.T) {
	t.Parallel()
	keys := new(memoryKeys)
	path := filepath.Join(t.TempDir(), "encryption.key")
	ring, err := vault.CreateRingFile(path)
	if err != nil {
		t.Fatal(err)
	}
	server := vault.New(ring, keys)
	const environments = 450 // more than two batches
	for env := range linkspan.EnvironmentID(environments) {
		addEnvironment(t, server, keys, env+1)
	}
	sealed, err := server.Seal(t.Context(), nil, 1, place, []byte("before"))
	if err != nil {
		t.Fatal(err)
	}

	// A fresh server, so that it unwraps while the keys change under it.
	serverRing, err := vault.LoadRingFile(path)
	if err != nil {
		t.Fatal(err)
	}
	server = vault.New(serverRing, keys)
	busy := make(chan error, 1)
	go func() {
		for env := range linkspan.EnvironmentID(environments) {
			value, err := server.Seal(t.Context(), nil, env+1, place, []byte("during"))
			if err == nil {
				_, err = server.Open(t.Context(), nil, env+1, place, value)
			}
			if err != nil {
				busy <- err
				return
			}
		}
		busy <- nil
	}()

	oldKey, newKey := ring.Active(), vault.NewMasterKey()
	if err := vault.SaveRingFile(path, newKey, oldKey); err != nil {
		t.Fatal(err)
	}
	var steps []string
	err = vault.New(ring, keys).Rotate(t.Context(), func(done, total int) { steps = append(steps, fmt.Sprint(done, "/", total)) })
	if err != nil {
		t.Fatal(err)
	}
	if err := <-busy; err != nil {
		t.Errorf("in use during the rotation: %v", err)
	}
	if got, want := strings.Join(steps, " "), "200/450 400/450 450/450"; got != want {
		t.Errorf("progress %q, want %q", got, want)
	}

	left, err := vault.New(ring, keys).Remaining(t.Context(), nil)
	if err != nil || left != 0 {
		t.Fatalf("remaining = %d, %v", left, err)
	}
	if err := vault.SaveRingFile(path, newKey); err != nil {
		t.Fatal(err)
	}
	ring, err = vault.LoadRingFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := ring.IDs(); len(got) != 1 || got[0] != newKey.ID() {
		t.Errorf("ring holds %v", got)
	}
	got, err := vault.New(ring, keys).Open(t.Context(), nil, 1, place, sealed)
	if err != nil || string(got) != "before" {
		t.Errorf("a value from before the rotation: %q, %v", got, err)
	}
	if err := vault.New(vault.NewRing(oldKey), keys).Verify(t.Context()); linkspan.CodeOf(err) != vault.CodeWrongKey {
		t.Errorf("the dropped key still opens: %v", err)
	}
}

// overtakenKeys has a rotation end between the first reading of data keys and
// their unwrapping.
type overtakenKeys struct {
	*memoryKeys

	overtake func()
}

func (o *overtakenKeys) DataKeys(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) ([]vault.WrappedKey, error) {
	keys, err := o.memoryKeys.DataKeys(ctx, tx, env)
	if overtake := o.overtake; overtake != nil {
		o.overtake = nil
		overtake()
	}
	return keys, err
}

func TestRotationEndsWhileDataKeysAreRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "encryption.key")
	ring, err := vault.CreateRingFile(path)
	must(t, err)
	keys := new(memoryKeys)
	addEnvironment(t, vault.New(ring, keys), keys, 1)
	sealed, err := vault.New(ring, keys).Seal(t.Context(), nil, 1, place, []byte("x"))
	must(t, err)
	server := vault.New(ring, &overtakenKeys{keys, func() {
		active := vault.NewMasterKey()
		must(t, vault.SaveRingFile(path, active, ring.Active()))
		must(t, vault.New(ring, keys).Rotate(t.Context(), nil))
		must(t, vault.SaveRingFile(path, active))
		must(t, ring.Reload())
	}})
	if got, err := server.Open(t.Context(), nil, 1, place, sealed); err != nil || string(got) != "x" {
		t.Errorf("Open = %q, %v", got, err)
	}
}

func TestRingFollowsItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "encryption.key")
	serverRing, err := vault.CreateRingFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := vault.CreateRingFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.Active().ID(), serverRing.Active().ID(); got != want {
		t.Fatalf("creating the file twice replaced the key: %s, then %s", want, got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %#o, want 0600", info.Mode().Perm())
	}

	rotated := vault.NewMasterKey()
	if err := vault.SaveRingFile(path, rotated, serverRing.Active()); err != nil {
		t.Fatal(err)
	}
	keys := new(memoryKeys)
	addEnvironment(t, vault.New(vault.NewRing(rotated), keys), keys, 1)
	server := vault.New(serverRing, keys)
	if _, err := server.Seal(t.Context(), nil, 1, place, []byte("x")); err != nil {
		t.Errorf("a data key under a master key that came later: %v", err)
	}
	k, err := server.NewDataKey(2, linkspan.NewUUID())
	if err != nil {
		t.Fatal(err)
	}
	if k.MasterID != rotated.ID() {
		t.Errorf("a new data key is wrapped by %s, the active master key is %s", k.MasterID, rotated.ID())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("temporary files were left behind: %v", entries)
	}
}

func TestLoadRingFileRefuses(t *testing.T) {
	t.Parallel()
	good := vault.NewMasterKey().Text().Reveal()
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          string
	}{
		{"readable by others", good + "\n", 0o644, "chmod 600"},
		{"empty", "", 0o600, "holds no key"},
		{"comments only", "# nothing\n\n", 0o600, "holds no key"},
		{"not base64", "# a comment\nnot base64!\n", 0o600, "line 2: "},
		{"short key", good + "\nAAECAw==\n", 0o600, "this one has 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "encryption.key")
			if err := os.WriteFile(path, []byte(tt.content), tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := vault.LoadRingFile(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), good) {
				t.Error("the error holds a key")
			}
		})
	}
	if _, err := vault.LoadRingFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func FuzzParseMasterKey(f *testing.F) {
	f.Add(vault.NewMasterKey().Text().Reveal())
	f.Add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	f.Add("-_-_AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	f.Add("===")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := vault.ParseMasterKey(linkspan.NewSecret(text))
		if err != nil {
			return
		}
		again, err := vault.ParseMasterKey(k.Text())
		if err != nil || again.ID() != k.ID() {
			t.Errorf("key %s does not survive its text form: %v", k.ID(), err)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	keys := new(memoryKeys)
	v := vault.New(vault.NewRing(vault.NewMasterKey()), keys)
	k, err := v.NewDataKey(1, linkspan.NewUUID())
	if err != nil {
		b.Fatal(err)
	}
	keys.keys = append(keys.keys, k)
	sealed, err := v.Seal(b.Context(), nil, 1, place, bytes.Repeat([]byte("x"), 500))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Open(b.Context(), nil, 1, place, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
