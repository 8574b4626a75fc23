// Package hook is what single providers need around a connection's life and the
// catalogue cannot say as data: facts about the account that only a call brings
// (which of a user's sites, which tenant), farewells before a connection is
// deleted, and ways to try credentials out that no one request describes.
//
// A provider's entry names its hooks (hooks.post_connection, hooks.pre_deletion,
// hooks.verify_credentials); the tables of this package say what the names mean.
// A hook calls the provider as a proxied call does, with the connection's own
// credentials, and never at an address that its user chose unless the provider's
// base URL lies there.
package hook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/upstream"
)

// DefaultTimeout bounds one run of a hook, all its calls together.
const DefaultTimeout = 20 * time.Second

// Config holds what Hooks need.
type Config struct {
	// Caller sends the requests.
	Caller *upstream.Caller
	// Timeout bounds one run; zero means DefaultTimeout.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Hooks run the hooks of providers. They are safe for concurrent use.
type Hooks struct {
	caller  *upstream.Caller
	timeout time.Duration
	now     func() time.Time

	postConnection, preDeletion, verification map[string]action
}

// action is a hook. What it finds out goes to the run.
type action func(ctx context.Context, r *run) error

// New returns the hooks of all providers that this version can connect.
func New(c Config) *Hooks {
	h := &Hooks{
		caller: c.Caller, timeout: cmp.Or(c.Timeout, DefaultTimeout), now: c.Now,
		postConnection: postConnectionHooks(), preDeletion: preDeletionHooks(), verification: verificationHooks(),
	}
	if h.now == nil {
		h.now = time.Now
	}
	return h
}

// PostConnection runs the hook of a new or renewed connection and returns what
// to set in its connection_config. trace gets every exchange with the provider,
// without secrets. A failed hook sets nothing; it can be run again at any time.
// Without a hook there is nothing to set. Errors are [linkspan.Error] with the
// code hook_failed.
func (h *Hooks) PostConnection(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) (map[string]any, error) {
	r, err := h.run(ctx, h.postConnection, t.Provider.Hooks.PostConnection, t, trace)
	if err != nil {
		return nil, failed("hook.PostConnection", t, err)
	}
	if err := r.checkSettings(); err != nil {
		return nil, failed("hook.PostConnection", t, err)
	}
	return r.settings, nil
}

// PreDeletion runs the hook of a connection that is about to be deleted. trace
// gets every exchange with the provider, without secrets. Errors are
// [linkspan.Error] with the code hook_failed.
func (h *Hooks) PreDeletion(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) error {
	if _, err := h.run(ctx, h.preDeletion, t.Provider.Hooks.PreDeletion, t, trace); err != nil {
		return failed("hook.PreDeletion", t, err)
	}
	return nil
}

// Verify tries the target's credentials out the way the provider needs it. trace
// gets every exchange with the provider, without secrets. Errors are
// [linkspan.Error] with the code connection_test_failed.
func (h *Hooks) Verify(ctx context.Context, t *upstream.Target, trace func(linkspan.Message)) error {
	_, err := h.run(ctx, h.verification, t.Provider.Hooks.VerifyCredentials, t, trace)
	if err == nil {
		return nil
	}
	e := linkspan.E("hook.Verify", linkspan.KindInvalid, "connection_test_failed", err, "The credentials cannot be tested: %s", words(err)).
		WithHint("Check the connection_config, or try again.")
	if p, ok := errors.AsType[*problem](err); ok && p.refusal {
		e.Msg = fmt.Sprintf("The provider %q did not accept the credentials: %s", t.Provider.Name, p.text)
		e.Hint = "Check the credentials and the connection_config."
		if p.status != 0 {
			e.Payload = map[string]any{"status": p.status}
		}
	}
	return e
}

// run runs the hook of the name, if there is one.
func (h *Hooks) run(ctx context.Context, table map[string]action, name string, t *upstream.Target, trace func(linkspan.Message)) (*run, error) {
	r := &run{Hooks: h, t: t, trace: trace}
	if name == "" {
		return r, nil
	}
	hook, ok := table[name]
	if !ok {
		return r, say("the hook %q of the provider %q does not exist in this version.", name, t.Provider.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return r, hook(ctx, r)
}

// run is one run of a hook.
type run struct {
	*Hooks

	t     *upstream.Target
	trace func(linkspan.Message)
	// settings are what the hook found out.
	settings map[string]any
}

// set keeps a finding for the connection_config. Empty texts are none.
func (r *run) set(name string, value any) {
	if value == nil || value == "" {
		return
	}
	if r.settings == nil {
		r.settings = make(map[string]any)
	}
	r.settings[name] = value
}

// setting returns a setting of the connection as text, "" when there is none.
func (r *run) setting(name string) string {
	text, _ := credential.Text(r.t.Connection.Config[name])
	return text
}

// checkSettings holds findings to the rules of the provider's inputs, since they
// become parts of hosts and paths as much as what people enter. Lists of choices
// do not count: providers open new regions.
func (r *run) checkSettings() error {
	for name, value := range r.settings {
		input := r.t.Provider.Inputs.ConnectionConfig.Lookup(name)
		text, ok := credential.Text(value)
		if input == nil || !ok {
			continue
		}
		rule := *input
		rule.Choices = nil
		if err := rule.Validate(text); err != nil {
			return say("the provider's answer holds a %s that breaks the rules for it.", name)
		}
	}
	return nil
}

// problem is why a hook failed, in words that are safe to show.
type problem struct {
	// text is the rest of a sentence.
	text string
	// refusal is set when the provider refused the credentials.
	refusal bool
	// status is the provider's, 0 when it gave none.
	status int
	err    error
}

// Error implements error.
func (p *problem) Error() string { return p.text }

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.err }

func say(format string, args ...any) *problem { return &problem{text: fmt.Sprintf(format, args...)} }

// refuse is the problem of credentials that are not accepted.
func refuse(a *answer, format string, args ...any) *problem {
	return &problem{text: fmt.Sprintf(format, args...), refusal: true, status: a.status}
}

// words are what may be shown of an error.
func words(err error) string {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.text
	}
	if e, ok := errors.AsType[*linkspan.Error](err); ok {
		return e.Msg
	}
	return "an internal error occurred; the server's log has the details."
}

// failed is the error of a hook that is not about credentials.
func failed(op string, t *upstream.Target, err error) error {
	return linkspan.E(op, linkspan.KindUpstream, "hook_failed", err, "The provider %q could not be asked: %s", t.Provider.Name, words(err))
}
