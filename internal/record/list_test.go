package record

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000, time.UTC)
	whole := linkspan.Record{
		ID: `a"`, Payload: linkspan.NewSecret(`{"n":1.0,"id":"a\""}`), Action: linkspan.RecordUpdated, FirstSeenAt: at.Add(-time.Hour),
		Position: linkspan.RecordPosition(at.UnixMicro()),
	}
	gone := whole
	gone.Payload, gone.Action, gone.DeletedAt, gone.PrunedAt = linkspan.Secret{}, linkspan.RecordDeleted, at, at.Add(time.Second)
	for _, test := range []struct {
		r    linkspan.Record
		want string
	}{
		{whole, `{"n":1.0,"id":"a\"","_nango_metadata":{"first_seen_at":"2026-01-02T02:04:05.000006Z","last_modified_at":"2026-01-02T03:04:05.000006Z",` +
			`"last_action":"UPDATED","deleted_at":null,"pruned_at":null,"cursor":"` + Cursor(whole.Position) + `"}}`},
		{gone, `{"id":"a\"","_nango_metadata":{"first_seen_at":"2026-01-02T02:04:05.000006Z","last_modified_at":"2026-01-02T03:04:05.000006Z",` +
			`"last_action":"DELETED","deleted_at":"2026-01-02T03:04:05.000006Z","pruned_at":"2026-01-02T03:04:06.000006Z","cursor":"` + Cursor(whole.Position) + `"}}`},
	} {
		if got := string(AppendJSON([]byte("x"), &test.r)); got != "x"+test.want {
			t.Errorf("got  %s\nwant x%s", got, test.want)
		}
	}
}

// TestHashNeverChanges holds hashes to those of today: with others all records that
// are stored would count as changed.
func TestHashNeverChanges(t *testing.T) {
	t.Parallel()
	h := newHasher([]byte("0123456789abcdef0123456789abcdef"))
	const want = "ff05fb27f106a0a9f7e0a54249dfef08138ce35df1a912fc614f9d51f72c7210"
	for _, payload := range []string{
		`{"id":"1","n":1.5,"list":[1,2,{"b":null,"a":true}],"text":"é\n"}`,
		` { "text" : "\u00e9\u000a", "n":15e-1, "list":[1,2.0,{"a":true,"b":null}], "id":"1" } `,
	} {
		if got := hexOf(h.sum([]byte(payload))); got != want {
			t.Errorf("%s has the hash %s, want %s", payload, got, want)
		}
	}
}

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }
