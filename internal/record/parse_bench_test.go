package record

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParse reads and hashes a page of records of about 500 bytes each.
func BenchmarkParse(b *testing.B) {
	records := make([]string, 100)
	for i := range records {
		records[i] = fmt.Sprintf(`{"id":"%d","title":"Issue %d","state":"open","labels":["bug","help wanted"],"author":{"login":"octocat","id":%d},"comments":%d,"locked":false,`+
			`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z","body":"%s"}`, i, i, i, i, strings.Repeat("It doesn't work \\\"here\\\". ", 10))
	}
	text := []byte("[" + strings.Join(records, ",") + "]")
	h := newHasher([]byte("key"))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := parse(text, h, forSave); err != nil {
			b.Fatal(err)
		}
	}
}
