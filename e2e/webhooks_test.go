package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// authorize has a person connect the integration "desk" in a browser. It returns
// the status of the last page, or an error when the server died on the way.
func authorize(t *testing.T, i *apptest.Instance, token string) (int, error) {
	t.Helper()
	person := apptest.NewPerson(t)
	page, err := person.Get(t, i.ConnectURL("desk", token))
	if err != nil {
		return 0, err
	}
	defer page.Body.Close()
	last, err := person.Consent(t, page, true)
	if err != nil {
		return 0, err
	}
	defer last.Body.Close()
	return last.StatusCode, nil
}

// names returns the ids of the connections of dev.
func names(t *testing.T, c apptest.Client) []string {
	t.Helper()
	var reply struct {
		Connections []struct {
			ConnectionID string `json:"connection_id"`
		}
	}
	c.Do(t, http.MethodGet, "/connections", nil).Want(t, http.StatusOK).Into(t, &reply)
	var all []string
	for _, one := range reply.Connections {
		all = append(all, one.ConnectionID)
	}
	return all
}

// wantOneCreation waits until the sink knows of a connection, and checks that it
// was told of one event only, about the one connection there is.
func wantOneCreation(t *testing.T, sink *apptest.Sink, i *apptest.Instance) {
	t.Helper()
	hooks := sink.Want(t, 1)
	id, event := hooks[0].ID(), hooks[0].Auth(t)
	for _, h := range hooks {
		if h.ID() != id {
			t.Errorf("two events were sent, %s and %s, not one", id, h.ID())
		}
	}
	if event.Operation != "creation" || !event.Success || event.ProviderConfigKey != "desk" || event.Tags["end_user_id"] != "user-1" {
		t.Errorf("the webhook says %+v", event)
	}
	if all := names(t, i.Dev(t)); len(all) != 1 || all[0] != event.ConnectionID {
		t.Errorf("there are connections %v, and the webhook tells of %q", all, event.ConnectionID)
	}
	apptest.Proxy(t, i.Dev(t), http.MethodGet, "desk", event.ConnectionID, "/me", nil).Want(t, http.StatusOK)
}

// TestKilledBetweenCallbackAndWebhook kills the process when the grant is stored
// and its credentials are being tried out: whoever comes next finishes.
func TestKilledBetweenCallbackAndWebhook(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk, sink := apptest.NewDesk(t), apptest.NewSink(t)
			o := apptest.Options{Database: open(t), ProvidersDir: desk.ProvidersDir}
			child := apptest.StartProcess(t, o)
			desk.Open(t, &child.Instance)
			child.SendTo(t, sink.URL)
			token := child.Session(t, nil)
			var once sync.Once
			desk.Before = func(r *http.Request) {
				if r.URL.Path == "/api/me" {
					once.Do(child.Kill)
				}
			}
			if status, err := authorize(t, &child.Instance, token); err == nil {
				t.Fatalf("the callback was answered with %d by a process that is dead", status)
			}
			again := apptest.StartProcess(t, o)
			wantOneCreation(t, sink, &again.Instance)
		})
	}
}

// TestKilledWhileDelivering kills the process when the receiver has the webhook
// and has not answered yet: it is sent again, as the same message.
func TestKilledWhileDelivering(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk, sink := apptest.NewDesk(t), apptest.NewSink(t)
			o := apptest.Options{Database: open(t), ProvidersDir: desk.ProvidersDir}
			child := apptest.StartProcess(t, o)
			desk.Open(t, &child.Instance)
			child.SendTo(t, sink.URL)
			var once sync.Once
			killed := make(chan struct{})
			sink.Answer = func(apptest.Hook) int {
				once.Do(func() { child.Kill(); close(killed) })
				return http.StatusOK
			}
			// It may be killed before it has answered the browser, too.
			_, _ = authorize(t, &child.Instance, child.Session(t, nil))
			<-killed
			again := apptest.StartProcess(t, o)
			sink.Want(t, 2)
			wantOneCreation(t, sink, &again.Instance)
		})
	}
}

// TestTerminatedWhileDelivering asks the process to stop while a receiver is
// about to answer: the answer is waited for, and stored.
func TestTerminatedWhileDelivering(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world, sink := apptest.NewWorld(t), apptest.NewSink(t)
			o := apptest.Options{Database: open(t), ProvidersDir: world.ProvidersDir}
			child := apptest.StartProcess(t, o)
			world.Integrate(t, child.Dev(t), apptest.ProviderNone, "open")
			begun, release := make(chan struct{}), make(chan struct{})
			sink.Answer = func(apptest.Hook) int {
				close(begun)
				<-release
				return http.StatusOK
			}
			announce(t, &child.Instance, sink.URL, 1)
			<-begun
			child.Terminate(t)
			apptest.Poll(t, "the process stops", func() bool { return strings.Contains(child.Logs(), `"stopping"`) })
			close(release)
			if code := child.Wait(t); code != 0 {
				t.Fatalf("it ended with code %d", code)
			}
			again := apptest.StartProcess(t, o)
			got := deliveries(t, again.Dev(t), "")
			if len(got) != 1 || got[0].State != "delivered" || got[0].Attempts != 1 || len(sink.Hooks()) != 1 {
				t.Fatalf("%d requests arrived, and the deliveries are %+v", len(sink.Hooks()), got)
			}
		})
	}
}

// TestSignatures has the published clients check a delivered webhook.
func TestSignatures(t *testing.T) {
	t.Parallel()
	node := needNode(t, filepath.Join("node_modules", "standardwebhooks"))
	desk, sink := apptest.NewDesk(t), apptest.NewSink(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: desk.ProvidersDir})
	desk.Open(t, i)
	i.SendTo(t, sink.URL)
	// Characters that JSON encoders disagree about.
	token := i.Session(t, map[string]any{"end_user": map[string]any{"id": "user-1", "display_name": "<b>A & Ü\u2028</b>\u007f \"q\" \\ 😀", "tags": map[string]any{"b10": "x", "a": "1"}}})
	if status, err := authorize(t, i, token); err != nil || status != http.StatusOK {
		t.Fatalf("connecting: %d %v", status, err)
	}
	hook := sink.Want(t, 1)[0]

	key, _ := i.Dev(t).Do(t, http.MethodGet, "/environments/current/settings", nil).Want(t, http.StatusOK).
		Map(t)["data"].(map[string]any)["webhook_signing_key"].(string)
	for what, valid := range verdicts(t, node, key, hook) {
		if want := !strings.HasSuffix(what, "Changed"); valid != want {
			t.Errorf("%s: the published client says %v", what, valid)
		}
	}
	for what, valid := range verdicts(t, node, "another key", hook) {
		if valid {
			t.Errorf("%s: the published client accepts another key", what)
		}
	}

	// While keys change, whoever knows only the old one accepts what Standard
	// Webhooks signs.
	i.Dev(t).Do(t, http.MethodPost, "/environment/webhook-signing-key/rotate", nil).Want(t, http.StatusOK)
	if status, err := authorize(t, i, i.Session(t, nil)); err != nil || status != http.StatusOK {
		t.Fatalf("connecting: %d %v", status, err)
	}
	for what, valid := range verdicts(t, node, key, sink.Want(t, 2)[1]) {
		if want := what == "standard"; valid != want {
			t.Errorf("%s with the key before the last: the published client says %v", what, valid)
		}
	}
}

// verdicts are what the published clients say of a webhook.
func verdicts(t *testing.T, node, key string, hook apptest.Hook) map[string]bool {
	t.Helper()
	plain := make(map[string]string)
	for name := range hook.Header {
		plain[strings.ToLower(name)] = hook.Header.Get(name)
	}
	in, err := json.Marshal(map[string]any{"key": key, "body": string(hook.Body), "headers": plain})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("node", "verify.mjs"))
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running the published clients: %v", err)
	}
	var said map[string]bool
	if err := json.Unmarshal(out, &said); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return said
}
