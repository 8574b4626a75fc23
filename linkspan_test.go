package linkspan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const text = "hunter2-is-the-text"
	s := linkspan.NewSecret(text)
	holder := struct {
		Name string
		S    linkspan.Secret
		P    *linkspan.Secret
		M    map[string]linkspan.Secret
	}{"n", s, &s, map[string]linkspan.Secret{"k": s}}
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		out = append(out, fmt.Sprintf(verb, s), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder))
	}
	j, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "secret", s, "holder", holder)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", s, "holder", holder)
	out = append(out, string(j), logged.String(), fmt.Errorf("wrapped: %v", s).Error())
	for _, o := range out {
		if strings.Contains(o, text) || strings.Contains(o, fmt.Sprintf("%x", text)) {
			t.Errorf("leaked in %q", o)
		}
	}
	if s.Reveal() != text {
		t.Error("Reveal must return the text")
	}
	if err := json.Unmarshal([]byte(`"x"`), &s); err == nil {
		t.Error("a secret must not be decoded directly")
	}
}

func TestSecretEqual(t *testing.T) {
	t.Parallel()
	a := linkspan.NewSecret("a")
	if !a.Equal(linkspan.NewSecret("a")) || a.Equal(linkspan.NewSecret("b")) || a.Equal(linkspan.NewSecret("")) {
		t.Error("Equal is wrong")
	}
	if a.IsZero() || !linkspan.NewSecret("").IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	e := linkspan.E("connect.Fresh", linkspan.KindUpstream, "invalid_grant", errors.New("cause"), "The provider %s refused.", "github")
	cases := []struct {
		err  error
		kind linkspan.Kind
		code string
	}{
		{e, linkspan.KindUpstream, "invalid_grant"},
		{fmt.Errorf("doing: %w", e), linkspan.KindUpstream, "invalid_grant"},
		{fmt.Errorf("doing: %w", context.DeadlineExceeded), linkspan.KindTimeout, ""},
		{errors.New("x"), linkspan.KindInternal, ""},
	}
	for _, c := range cases {
		if got := linkspan.KindOf(c.err); got != c.kind {
			t.Errorf("KindOf(%v) = %q, want %q", c.err, got, c.kind)
		}
		if got := linkspan.CodeOf(c.err); got != c.code {
			t.Errorf("CodeOf(%v) = %q, want %q", c.err, got, c.code)
		}
	}
	if got := e.Error(); got != "connect.Fresh: upstream (invalid_grant): The provider github refused.: cause" {
		t.Errorf("Error() = %q", got)
	}
	hinted := e.WithHint("Reconnect %s.", "it").WithStatus(424).WithPayload(1)
	if e.Hint != "" || e.Status != 0 || e.Payload != nil {
		t.Error("the With methods must not change the original")
	}
	if hinted.Hint != "Reconnect it." || hinted.Status != 424 || hinted.Payload != 1 || !errors.Is(hinted, e.Err) {
		t.Errorf("hinted = %+v", hinted)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	cases := []struct {
		held     string
		required string
		want     bool
	}{
		{"environment:*", linkspan.ScopeProxy, true},
		{"environment:connections:*", linkspan.ScopeConnectionsReadCreds, true},
		{"environment:connections:*", linkspan.ScopeIntegrationsRead, false},
		{"environment:connections:read", linkspan.ScopeConnectionsRead, true},
		{"environment:connections:read", linkspan.ScopeConnectionsReadCreds, false},
		{"environment:connections:read*", linkspan.ScopeConnectionsReadCreds, false},
		{"environment:*", linkspan.ScopeAccountEnvironmentsList, false},
		{"account:*", linkspan.ScopeAccountKeysCreate, true},
		{"*", linkspan.ScopeProxy, false},
		{"", linkspan.ScopeProxy, false},
		{"environment:conn,environment:proxy", linkspan.ScopeProxy, true},
	}
	for _, c := range cases {
		if got := linkspan.Grants(strings.Split(c.held, ","), c.required); got != c.want {
			t.Errorf("Grants(%q, %q) = %v", c.held, c.required, got)
		}
	}
	if linkspan.Grants(nil, linkspan.ScopeProxy) {
		t.Error("no scopes grant nothing")
	}
}

func TestUUIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		u := linkspan.NewUUID()
		if !linkspan.IsUUIDv4(u) || !linkspan.IsUUID(u) || seen[u] {
			t.Fatalf("bad or repeated UUID %q", u)
		}
		seen[u] = true
	}
	for s, want := range map[string]bool{
		"9E107D9D-372B-4B6C-8F3A-1234567890AB":  true,
		"9e107d9d-372b-1b6c-8f3a-1234567890ab":  false, // version 1
		"9e107d9d-372b-4b6c-cf3a-1234567890ab":  false, // wrong variant
		"9e107d9d372b4b6c8f3a1234567890ab":      false,
		"9e107d9d-372b-4b6c-8f3a-1234567890ag":  false,
		"":                                      false,
		"9e107d9d-372b-4b6c-8f3a-1234567890ab ": false,
	} {
		if got := linkspan.IsUUIDv4(s); got != want {
			t.Errorf("IsUUIDv4(%q) = %v", s, got)
		}
	}
}

func TestOperationIDs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a, b := linkspan.NewOperationID(at), linkspan.NewOperationID(at.Add(time.Millisecond))
	if a >= b {
		t.Errorf("%q must sort before %q", a, b)
	}
	if far := linkspan.NewOperationID(at.AddDate(500, 0, 0)); far <= b || len(far) != 24 {
		t.Errorf("%q must sort after %q", far, b)
	}
	for s, want := range map[string]bool{string(a): true, "": false, strings.Repeat("A", 24): false, strings.Repeat("a", 23): false, strings.Repeat("z", 24): true, "../../../etc/passwd?????": false} {
		if got := linkspan.IsOperationID(s); got != want {
			t.Errorf("IsOperationID(%q) = %v", s, got)
		}
	}
}

func TestFinalStates(t *testing.T) {
	t.Parallel()
	for s, want := range map[linkspan.OperationState]bool{
		linkspan.StateWaiting: false, linkspan.StateRunning: false,
		linkspan.StateSuccess: true, linkspan.StateFailed: true, linkspan.StateTimeout: true, linkspan.StateCancelled: true,
	} {
		if s.Final() != want {
			t.Errorf("%s.Final() = %v", s, s.Final())
		}
	}
}

func ExampleGrants() {
	held := []string{"environment:connections:*"}
	fmt.Println(linkspan.Grants(held, linkspan.ScopeConnectionsDelete))
	fmt.Println(linkspan.Grants(held, linkspan.ScopeProxy))
	// Output:
	// true
	// false
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "app.localhost": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true,
		"": false, "localhost.example": false, "notlocalhost": false, "10.0.0.1": false, "0.0.0.0": false, "127.0.0.1.example": false,
	} {
		if got := linkspan.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) is %v", host, got)
		}
	}
}
