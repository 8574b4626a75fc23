package webhook

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
)

func connection() *linkspan.Connection {
	return &linkspan.Connection{
		UUID: "7c0f4f0a-0b5a-4c3e-8f2e-0d3c8f3b9c11", Name: "c1", IntegrationKey: "github-dev", Provider: "github",
		Tags: map[string]string{"end_user_id": "u1"},
	}
}

func TestAddAuth(t *testing.T) {
	t.Parallel()
	const primary, secondary, own = "https://one.example/hook", "https://two.example/hook", "https://own.example/hook"
	all := linkspan.WebhookSettings{PrimaryURL: primary, SecondaryURL: secondary, OnAuthCreation: true, OnAuthDeletion: true, OnAuthRefreshError: true}
	none := linkspan.WebhookSettings{PrimaryURL: primary, SecondaryURL: secondary}
	failure := &Failure{Type: "token_refresh_error", Description: "It was <revoked>."}
	const (
		head   = `{"authMode":"OAUTH2","connectionId":"c1",`
		place  = `"environment":"dev",`
		middle = `"from":"nango","operation":"`
		tail   = `","provider":"github","providerConfigKey":"github-dev","success":true,"tags":{"end_user_id":"u1"},"type":"auth"}`
		failed = `","provider":"github","providerConfigKey":"github-dev","success":false,"tags":{"end_user_id":"u1"},"type":"auth"}`
		reason = `"error":{"description":"It was <revoked>.","type":"token_refresh_error"},`
	)
	for name, test := range map[string]struct {
		settings linkspan.WebhookSettings
		event    AuthEvent
		change   func(*linkspan.Connection)
		urls     []string
		body     string
	}{
		"creation":        {settings: all, event: AuthEvent{Operation: Creation}, urls: []string{primary, secondary}, body: head + place + middle + "creation" + tail},
		"failed creation": {settings: all, event: AuthEvent{Operation: Creation, Err: failure}, urls: []string{primary, secondary}, body: head + place + reason + middle + "creation" + failed},
		"creation off":    {settings: none, event: AuthEvent{Operation: Creation}},
		"failed creation off": {
			settings: none, event: AuthEvent{Operation: Creation, Err: failure},
		},
		"override has no switch": {settings: none, event: AuthEvent{Operation: Override}, urls: []string{primary, secondary}, body: head + place + middle + "override" + tail},
		"refresh failure":        {settings: all, event: AuthEvent{Operation: Refresh, Err: failure}, urls: []string{primary, secondary}, body: head + place + reason + middle + "refresh" + failed},
		"refresh failure off":    {settings: none, event: AuthEvent{Operation: Refresh, Err: failure}},
		"refresh":                {settings: all, event: AuthEvent{Operation: Refresh}},
		"deletion":               {settings: all, event: AuthEvent{Operation: Deletion}, urls: []string{primary, secondary}, body: head + place + middle + "deletion" + tail},
		"deletion off":           {settings: none, event: AuthEvent{Operation: Deletion}},
		"no URL":                 {settings: linkspan.WebhookSettings{OnAuthCreation: true}, event: AuthEvent{Operation: Creation}},
		"one URL twice": {
			settings: linkspan.WebhookSettings{PrimaryURL: primary, SecondaryURL: primary, OnAuthCreation: true}, event: AuthEvent{Operation: Creation},
			urls: []string{primary}, body: head + place + middle + "creation" + tail,
		},
		"only a secondary URL": {
			settings: linkspan.WebhookSettings{SecondaryURL: secondary, OnAuthCreation: true}, event: AuthEvent{Operation: Creation},
			urls: []string{secondary}, body: head + place + middle + "creation" + tail,
		},
		"the connection's own URL": {
			settings: all, event: AuthEvent{Operation: Creation}, change: func(c *linkspan.Connection) { c.WebhookURLOverride = own },
			urls: []string{own}, body: head + place + middle + "creation" + tail,
		},
		"the connection's own URL, off": {
			settings: none, event: AuthEvent{Operation: Creation}, change: func(c *linkspan.Connection) { c.WebhookURLOverride = own },
		},
		"an end user": {
			settings: all, event: AuthEvent{Operation: Creation}, urls: []string{primary, secondary},
			change: func(c *linkspan.Connection) {
				c.Tags = nil
				c.EndUser = &linkspan.EndUser{ID: "u1", Email: "a@b.example", Tags: map[string]string{"k": "v"}, Organization: &linkspan.Organization{ID: "o1"}}
			},
			body: head + `"endUser":{"endUserEmail":"a@b.example","endUserId":"u1","organizationId":"o1","tags":{"k":"v"}},` + place + middle +
				`creation","provider":"github","providerConfigKey":"github-dev","success":true,"tags":{},"type":"auth"}`,
		},
		"a bare end user": {
			settings: all, event: AuthEvent{Operation: Creation}, urls: []string{primary, secondary},
			change: func(c *linkspan.Connection) { c.EndUser = &linkspan.EndUser{ID: "u1"} },
			body:   head + `"endUser":{"endUserEmail":null,"endUserId":"u1","tags":{}},` + place + middle + "creation" + tail,
		},
		"what is not known": {
			settings: all, event: AuthEvent{Operation: Deletion}, urls: []string{primary, secondary},
			change: func(c *linkspan.Connection) { c.Provider = "" },
			body: `{"authMode":"unknown","connectionId":"c1",` + place + middle +
				`deletion","provider":"unknown","providerConfigKey":"github-dev","success":true,"tags":{"end_user_id":"u1"},"type":"auth"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTestWorld()
			env := w.envs[1]
			env.Settings.Webhooks = test.settings
			w.envs[1] = env
			s := w.service("me")
			test.event.EnvironmentID, test.event.Connection = 1, connection()
			if name != "what is not known" {
				test.event.AuthMode = "OAUTH2"
			}
			if test.change != nil {
				test.change(test.event.Connection)
			}
			if err := s.AddAuth(t.Context(), nil, test.event); err != nil {
				t.Fatal(err)
			}
			var urls []string
			list, err := s.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				urls = append(urls, d.URL)
				if body := d.Event.Body.Reveal(); body != test.body {
					t.Errorf("got  %s\nwant %s", body, test.body)
				}
				if d.Event.UUID == "" || d.Event.UUID == d.UUID || d.Operation == "" || d.Event.ConnectionUUID == "" {
					t.Errorf("stored: %+v", d)
				}
			}
			slices.Sort(urls)
			slices.Sort(test.urls)
			if diff := cmp.Diff(test.urls, urls); diff != "" {
				t.Fatalf("URLs (-want +got):\n%s", diff)
			}
			if woken := len(s.due) == 1; woken != (len(urls) > 0) {
				t.Errorf("the dispatcher was woken: %t", woken)
			}
		})
	}
}

func TestAddAuthRefuses(t *testing.T) {
	t.Parallel()
	w := newTestWorld()
	s := w.service("me")
	if err := s.AddAuth(t.Context(), nil, AuthEvent{EnvironmentID: 1, Connection: connection(), Operation: "unknown"}); err == nil {
		t.Error("an unknown operation is told")
	}
	if err := s.AddAuth(t.Context(), nil, AuthEvent{EnvironmentID: 1, Operation: Creation}); err == nil {
		t.Error("an event about nothing is told")
	}
	if err := s.AddAuth(t.Context(), nil, AuthEvent{EnvironmentID: 9, Connection: connection(), Operation: Creation}); err != nil {
		t.Errorf("an environment that is gone: %v", err)
	}
	w.setDown(true)
	if err := s.AddAuth(t.Context(), nil, AuthEvent{EnvironmentID: 1, Connection: connection(), Operation: Creation}); !errors.Is(err, errDown) {
		t.Errorf("without a database: %v", err)
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	key := linkspan.NewSecret("b5a3c3e7-c0f4-4f0a-8f2e-0d3c8f3b9c11")
	h := Sign("msg_1", time.Unix(1_700_000_000, 0), `{"a":1}`, key, linkspan.NewSecret("older"))
	// Made with OpenSSL: openssl dgst -sha256 -hmac KEY, and printf KEY+BODY | sha256sum.
	want := http.Header{
		"X-Nango-Signature":   {"a565898173da9182714a4e3705ba279f985815e8360f178369fa8ac04b02b256"},
		"X-Nango-Hmac-Sha256": {"3e151543ad5d00ba60be9ca67504e4ef6153a0def57479274c9c5c9c3fd014d1"},
		"Webhook-Id":          {"msg_1"},
		"Webhook-Timestamp":   {"1700000000"},
		"Webhook-Signature":   {"v1,FK7sYBF5kQVi3bMTpivTkBqX7Dc0XW6Q+UBm/MAAoMQ= v1,Qlna6DeYWixFN+9bLATGZKragQ5jVM0Tpz7D72Nr4Eo="},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// TestRotation sends while a signing key changes: the present one at each time.
func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["r.example"] = answers(200)
		s := w.service("me")
		defer run(t, s)()
		send := func() hit {
			w.add(t, 1, "r.example", 1)
			s.WebhooksDue()
			wait(time.Second)
			hits := w.hitsOf("r.example")
			return hits[len(hits)-1]
		}
		check := func(h hit, key string, signatures int) {
			t.Helper()
			want := Sign(h.id, h.at, h.body, linkspan.NewSecret(key))
			if got := strings.Fields(h.header.Get("Webhook-Signature")); len(got) != signatures || got[0] != want.Get("Webhook-Signature") {
				t.Errorf("signatures with %s: %q", key, got)
			}
			if h.header.Get("X-Nango-Hmac-Sha256") != want.Get("X-Nango-Hmac-Sha256") || h.header.Get("X-Nango-Signature") != want.Get("X-Nango-Signature") {
				t.Errorf("not signed with %s", key)
			}
			if h.header.Get("Content-Type") != "application/json" || h.header.Get("User-Agent") != "linkspan/1.2.3" {
				t.Errorf("headers: %v", h.header)
			}
		}
		check(send(), "signing-key", 1)
		unlock := w.lock(nil)
		env := w.envs[1]
		env.PreviousSigningKey, env.PreviousSigningKeyUntil = env.WebhookSigningKey, time.Now().Add(time.Hour)
		env.WebhookSigningKey = linkspan.NewSecret("new-key")
		w.envs[1] = env
		unlock()
		h := send()
		check(h, "new-key", 2)
		old := Sign(h.id, h.at, h.body, linkspan.NewSecret("signing-key")).Get("Webhook-Signature")
		if !strings.HasSuffix(h.header.Get("Webhook-Signature"), " "+old) {
			t.Error("the old key does not sign beside the new one")
		}
		wait(time.Hour)
		check(send(), "new-key", 1)
	})
}
