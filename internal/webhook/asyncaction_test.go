package webhook

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

func TestAddAsyncAction(t *testing.T) {
	t.Parallel()
	const primary, secondary, own = "https://one.example/hook", "https://two.example/hook", "https://own.example/hook"
	const body = `{"connectionId":"c1","from":"nango","payload":{"id":"9d6a","statusUrl":"/action/9d6a"},"providerConfigKey":"github-dev","type":"async_action"}`
	on := linkspan.WebhookSettings{PrimaryURL: primary, SecondaryURL: secondary, OnAsyncActionCompletion: true}
	for name, test := range map[string]struct {
		settings linkspan.WebhookSettings
		override string
		urls     []string
	}{
		"on":                       {settings: on, urls: []string{primary, secondary}},
		"off":                      {settings: linkspan.WebhookSettings{PrimaryURL: primary}},
		"no URL":                   {settings: linkspan.WebhookSettings{OnAsyncActionCompletion: true}},
		"the connection's own URL": {settings: on, override: own, urls: []string{own}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTestWorld()
			env := w.envs[1]
			env.Settings.Webhooks = test.settings
			w.envs[1], w.overrides = env, map[string]string{"u": test.override}
			s := w.service("me")
			e := AsyncActionEvent{
				EnvironmentID: 1, ID: "9d6a", IntegrationKey: "github-dev", Provider: "github", ConnectionName: "c1", ConnectionUUID: "u",
			}
			if err := s.AddAsyncAction(t.Context(), nil, e); err != nil {
				t.Fatal(err)
			}
			list, err := s.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: 1})
			if err != nil {
				t.Fatal(err)
			}
			var urls []string
			for _, d := range list {
				urls = append(urls, d.URL)
				if d.Event.Body.Reveal() != body || d.Event.Type != "async_action" || action(&d.Event) != linkspan.ActionAsyncActionHook {
					t.Errorf("stored: %+v with %s", d.Event, d.Event.Body.Reveal())
				}
			}
			slices.Sort(urls)
			if diff := cmp.Diff(test.urls, urls); diff != "" {
				t.Fatalf("URLs (-want +got):\n%s", diff)
			}
			e.EnvironmentID = 9
			if err := s.AddAsyncAction(t.Context(), nil, e); err != nil {
				t.Errorf("an environment that is gone: %v", err)
			}
			w.setDown(true)
			if err := s.AddAsyncAction(t.Context(), nil, e); !errors.Is(err, errDown) {
				t.Errorf("without a database: %v", err)
			}
		})
	}
}
