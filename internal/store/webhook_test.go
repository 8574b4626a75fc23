package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// BenchmarkDueDeliveries looks for what to send while one receiver has a backlog
// and many others wait for their next attempts.
func BenchmarkDueDeliveries(b *testing.B) {
	const backlog, waiting = 50_000, 300
	for name, config := range storetest.Databases() {
		b.Run(name, func(b *testing.B) {
			s := open(b, config(b))
			c := seed(b, s)
			insert := func(n int, destination func(int) string) []linkspan.WebhookDelivery {
				e := linkspan.WebhookEvent{UUID: linkspan.NewUUID(), EnvironmentID: c.EnvironmentID, Type: "auth", Body: linkspan.NewSecret("{}")}
				ds := make([]linkspan.WebhookDelivery, n)
				for i := range ds {
					ds[i] = linkspan.WebhookDelivery{UUID: linkspan.NewUUID(), URL: destination(i), Destination: destination(i)}
				}
				if err := s.InsertWebhook(b.Context(), nil, &e, ds); err != nil {
					b.Fatal(err)
				}
				return ds
			}
			var ids []linkspan.WebhookDeliveryID
			for _, d := range insert(waiting, func(i int) string { return fmt.Sprintf("https://%d.example", i) }) {
				ids = append(ids, d.ID)
			}
			claimed, err := s.ClaimDeliveries(b.Context(), nil, ids, "me", time.Minute)
			if err != nil {
				b.Fatal(err)
			}
			for _, d := range claimed {
				if _, err := s.FinishDelivery(b.Context(), nil, d, time.Hour); err != nil {
					b.Fatal(err)
				}
			}
			insert(backlog, func(int) string { return "https://1.example" })
			for b.Loop() {
				found, err := s.DueDeliveries(b.Context(), nil, linkspan.WebhookDelivery{}, nil, 5, 512)
				if err != nil || len(found) != 5 {
					b.Fatal(len(found), err)
				}
			}
		})
	}
}
