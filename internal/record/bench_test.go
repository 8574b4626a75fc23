package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

const (
	benchRecords = 100_000
	benchBatch   = 1000
)

// batches returns all records as a sync saves them, of 500 bytes each. Of every
// so many one is in its second version.
func batches(changedEvery int) [][]byte {
	out := make([][]byte, 0, benchRecords/benchBatch)
	for start := 0; start < benchRecords; start += benchBatch {
		var b strings.Builder
		for i := start; i < start+benchBatch; i++ {
			version := 1
			if changedEvery > 0 && i%changedEvery == 0 {
				version = 2
			}
			b.WriteString(map[bool]string{true: "[", false: ","}[i == start])
			at := b.Len()
			fmt.Fprintf(&b, `{"id":"issue-%08d","title":"Issue number %d","state":"open","version":%d,"author":{"name":"Ada Lovelace","id":%d,"admin":false},`+
				`"labels":["bug","ui","p%d"],"points":%d.5,"created_at":"2026-01-02T03:04:05.678Z","body":"`, i, i, version, i%977, i%3, i%13)
			b.WriteString(strings.Repeat("x", 500-2-(b.Len()-at)) + `"}`)
		}
		b.WriteByte(']')
		out = append(out, []byte(b.String()))
	}
	return out
}

func benchService(b *testing.B, config func(testing.TB) store.Config) (*record.Service, linkspan.RecordStream) {
	b.Helper()
	s := storetest.Open(b, config(b), vault.NewRing(vault.NewMasterKey()))
	c := newConnection(b, s)
	return record.New(s), linkspan.RecordStream{EnvironmentID: c.EnvironmentID, ConnectionID: c.ID, Model: "Issue", Variant: "base"}
}

func saveAll(b *testing.B, s *record.Service, st linkspan.RecordStream, list [][]byte, want linkspan.RecordCounts) {
	b.Helper()
	var n linkspan.RecordCounts
	for _, records := range list {
		counts, err := s.Save(b.Context(), record.Write{Stream: st, Records: records})
		must(b, err)
		n = n.Plus(counts)
	}
	if n != want {
		b.Fatalf("counted %+v, want %+v", n, want)
	}
}

// BenchmarkSave saves 100,000 records of 500 bytes in batches of 1,000: for the
// first time, unchanged, with a tenth of them changed, and unchanged while it is
// noted which ones are seen.
func BenchmarkSave(b *testing.B) {
	first, tenth := batches(0), batches(10)
	for name, config := range storetest.Databases() {
		if name == "postgres behind a pooler" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			var times [4]time.Duration
			for b.Loop() {
				b.StopTimer()
				s, st := benchService(b, config)
				b.StartTimer()
				for i, step := range []struct {
					list [][]byte
					want linkspan.RecordCounts
				}{
					{first, linkspan.RecordCounts{Added: benchRecords}},
					{first, linkspan.RecordCounts{Unchanged: benchRecords}},
					{tenth, linkspan.RecordCounts{Updated: benchRecords / 10, Unchanged: benchRecords - benchRecords/10}},
					{tenth, linkspan.RecordCounts{Unchanged: benchRecords}},
				} {
					if i == 3 {
						must(b, s.TrackStart(b.Context(), st, linkspan.RunFence{}))
					}
					start := time.Now()
					saveAll(b, s, st, step.list, step.want)
					times[i] += time.Since(start)
				}
			}
			for i, what := range []string{"first-s", "unchanged-s", "tenth-s", "seen-s"} {
				b.ReportMetric(times[i].Seconds()/float64(b.N), what)
			}
		})
	}
}

// BenchmarkSweep deletes 100,000 records that were not seen, and BenchmarkPrune
// empties as many.
func BenchmarkSweep(b *testing.B) {
	onDatabases(b, func(b *testing.B, s *record.Service, st linkspan.RecordStream) {
		b.Helper()
		must(b, s.TrackStart(b.Context(), st, linkspan.RunFence{}))
		ids, err := s.TrackEnd(b.Context(), st, linkspan.RunFence{})
		must(b, err)
		if len(ids) != benchRecords {
			b.Fatalf("deleted %d records", len(ids))
		}
	})
}

func BenchmarkPrune(b *testing.B) {
	onDatabases(b, func(b *testing.B, s *record.Service, st linkspan.RecordStream) {
		b.Helper()
		until, err := s.Position(b.Context(), st)
		must(b, err)
		for more := true; more; {
			_, more, err = s.Prune(b.Context(), st, until, benchBatch)
			must(b, err)
		}
	})
}

// onDatabases times f on 100,000 records of each database.
func onDatabases(b *testing.B, f func(b *testing.B, s *record.Service, st linkspan.RecordStream)) {
	b.Helper()
	list := batches(0)
	for name, config := range storetest.Databases() {
		if name == "postgres behind a pooler" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s, st := benchService(b, config)
				saveAll(b, s, st, list, linkspan.RecordCounts{Added: benchRecords})
				b.StartTimer()
				f(b, s, st)
			}
		})
	}
}

// BenchmarkList reads pages of 100 of 100,000 records of 500 bytes, as the API
// shows them: all, those that were added, which all were, and those that were
// deleted, which none was.
func BenchmarkList(b *testing.B) {
	for name, config := range storetest.Databases() {
		if name == "postgres behind a pooler" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			s, st := benchService(b, config)
			saveAll(b, s, st, batches(0), linkspan.RecordCounts{Added: benchRecords})
			for name, actions := range map[string][]linkspan.RecordAction{"all": nil, "added": {linkspan.RecordAdded}, "deleted": {linkspan.RecordDeleted}} {
				b.Run(name, func(b *testing.B) {
					var after linkspan.RecordPosition
					var buf []byte
					for b.Loop() {
						p, err := s.List(b.Context(), record.Query{Stream: st, After: after, Limit: 100, Actions: actions})
						must(b, err)
						buf = buf[:0]
						for i := range p.Records {
							buf = record.AppendJSON(buf, &p.Records[i])
						}
						after = p.Next
					}
				})
			}
		})
	}
}
