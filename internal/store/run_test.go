package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// BenchmarkDueRuns looks for what to run while one environment has a backlog and
// others wait for retries.
func BenchmarkDueRuns(b *testing.B) {
	const backlog, others = 50_000, 100
	for name, config := range storetest.Databases() {
		b.Run(name, func(b *testing.B) {
			s := open(b, config(b))
			c := seed(b, s)
			insert := func(env linkspan.EnvironmentID, n int) []*linkspan.Run {
				runs := make([]*linkspan.Run, n)
				for i := range runs {
					runs[i] = &linkspan.Run{
						UUID: linkspan.NewUUID(), EnvironmentID: env, Kind: linkspan.FunctionAction, Name: "act", MaxAttempts: 1, ExpiresAt: time.Now().Add(time.Hour),
					}
				}
				if err := s.InsertRuns(b.Context(), nil, runs); err != nil {
					b.Fatal(err)
				}
				return runs
			}
			insert(c.EnvironmentID, backlog)
			account, err := s.Accounts(b.Context(), nil)
			if err != nil {
				b.Fatal(err)
			}
			for i := range others {
				e := linkspan.Environment{
					UUID: linkspan.NewUUID(), AccountID: account[0].ID, Name: fmt.Sprintf("other-%d", i), PublicKey: linkspan.NewUUID(),
					WebhookSigningKey: linkspan.NewSecret("key"),
				}
				if err := s.InsertEnvironment(b.Context(), nil, &e); err != nil {
					b.Fatal(err)
				}
				waiting := insert(e.ID, 3)
				claimed, err := s.ClaimRuns(b.Context(), nil, []linkspan.RunID{waiting[0].ID, waiting[1].ID, waiting[2].ID}, "me", time.Minute)
				if err != nil {
					b.Fatal(err)
				}
				for i := range claimed {
					claimed[i].State = linkspan.RunWaiting
					if _, err := s.FinishRun(b.Context(), nil, &claimed[i], time.Hour); err != nil {
						b.Fatal(err)
					}
				}
			}
			for b.Loop() {
				found, _, err := s.DueRuns(b.Context(), nil, linkspan.RunQuery{PerGroup: 9, PerEnvironment: 9, Limit: 256})
				if err != nil || len(found) != 9 {
					b.Fatal(len(found), err)
				}
			}
		})
	}
}
