package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

var uuid = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b`)

// TestTwoFirstStartsAtOnce starts two replicas on an empty database.
func TestTwoFirstStartsAtOnce(t *testing.T) {
	t.Parallel()
	db := apptest.NewPostgres(t)
	o := apptest.Options{Database: db}
	started := make(chan *apptest.Instance)
	for range 2 {
		go func() { started <- apptest.TryStart(t, o) }()
	}
	a, b := <-started, <-started
	if a == nil || b == nil {
		t.FailNow() // TryStart said why
	}
	if n := db.Count(t, "accounts"); n != 1 {
		t.Errorf("there are %d accounts, not one", n)
	}
	if n := db.Count(t, "environments"); n != 2 {
		t.Errorf("there are %d environments, not two", n)
	}
	for _, i := range []*apptest.Instance{a, b} {
		i.Dev(t).Do(t, http.MethodGet, "/integrations", nil).Want(t, http.StatusOK)
		i.Prod(t).Do(t, http.MethodGet, "/integrations", nil).Want(t, http.StatusOK)
		i.Account(t).Do(t, http.MethodGet, "/environments", nil).Want(t, http.StatusOK)
	}
}

// TestGeneratedKeysArePrintedOnce starts without fixed keys, twice.
func TestGeneratedKeysArePrintedOnce(t *testing.T) {
	t.Parallel()
	db := apptest.NewSQLite(t)
	db.Keys = apptest.Keys{}
	child := apptest.StartProcess(t, apptest.Options{Database: db})
	keys := uuids(child.Logs())
	if len(keys) != 3 {
		t.Fatalf("the first start printed %d keys, not three:\n%s", len(keys), child.Logs())
	}
	working := 0
	for _, key := range keys {
		if apptest.NewClient(t, child.URL, key).Do(t, http.MethodGet, "/integrations", nil).Status == http.StatusOK {
			working++
		}
	}
	if working != 2 {
		t.Errorf("%d of the printed keys open an environment, not two", working)
	}
	child.Terminate(t)
	child.Wait(t)
	again := apptest.StartProcess(t, apptest.Options{Database: db})
	for _, key := range keys {
		if strings.Contains(again.Logs(), key) {
			t.Error("the second start printed a key again")
		}
	}
}

// TestShutdownDrains asks a child to stop while a proxied stream is open.
func TestShutdownDrains(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	child := apptest.StartProcess(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	dev := child.Dev(t)
	world.Integrate(t, dev, apptest.ProviderNone, "open")
	apptest.Import(t, dev, "open", "c", map[string]any{"type": "NONE"})

	response, err := dev.Open(t, http.MethodGet, "/proxy/stream", nil, "Provider-Config-Key", "open", "Connection-Id", "c")
	if err != nil {
		t.Fatalf("opening the stream: %v", err)
	}
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body)
	first, err := reader.ReadString('\n')
	if err != nil || first != "data: first\n" {
		t.Fatalf("the first event is %q, %v: it must not wait for the end", first, err)
	}
	child.Terminate(t)
	fresh := child.Anonymous(t)
	apptest.Poll(t, "new calls are refused", func() bool {
		_, err := fresh.Try(t, http.MethodGet, "/health", nil)
		return err != nil
	})
	world.SaaS.ReleaseStreams()
	rest, err := io.ReadAll(reader)
	if err != nil || !strings.Contains(string(rest), "data: last") {
		t.Errorf("the stream ended with %q, %v: it was cut off", rest, err)
	}
	if code := child.Wait(t); code != 0 {
		t.Errorf("the child ended with code %d\n%s", code, child.Logs())
	}
}

// TestAcknowledgedWritesSurviveKill kills a child right after it answered.
func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	o := apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir}
	child := apptest.StartProcess(t, o)
	world.Integrate(t, child.Dev(t), apptest.ProviderKey, "keyed")
	for n := range 20 {
		apptest.Import(t, child.Dev(t), "keyed", fmt.Sprint("c", n), map[string]any{"type": "API_KEY", "apiKey": fmt.Sprint("k", n)})
	}
	child.Kill()
	again := apptest.StartProcess(t, o)
	for n := range 20 {
		got := again.Dev(t).Do(t, http.MethodGet, fmt.Sprintf("/connections/c%d?provider_config_key=keyed", n), nil).Want(t, http.StatusOK).Map(t)
		if credentials, _ := got["credentials"].(map[string]any); credentials["apiKey"] != fmt.Sprint("k", n) {
			t.Errorf("connection c%d came back with %v", n, got["credentials"])
		}
	}
}

// TestProvidersReload changes provider files under a running instance.
func TestProvidersReload(t *testing.T) {
	t.Parallel()
	world := apptest.NewWorld(t)
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), ProvidersDir: world.ProvidersDir})
	dev := i.Dev(t)
	text := func(title string) string {
		return "name: late\ndisplay_name: " + title + "\nauth:\n  mode: NONE\napi:\n  base_url:\n    - " + world.SaaS.URL + "\n"
	}
	title := func() string {
		r := dev.Do(t, http.MethodGet, "/providers/late", nil)
		if r.Status == http.StatusNotFound {
			return ""
		}
		var reply struct {
			Data struct {
				DisplayName string `json:"display_name"`
			}
		}
		r.Want(t, http.StatusOK).Into(t, &reply)
		return reply.Data.DisplayName
	}
	dev.Do(t, http.MethodGet, "/providers/late", nil).Want(t, http.StatusNotFound)
	apptest.WriteProvider(t, world.ProvidersDir, "late", text("First"))
	apptest.Poll(t, "the provider appears", func() bool { return title() == "First" })
	world.Integrate(t, dev, "late", "late")
	apptest.Import(t, dev, "late", "c", map[string]any{"type": "NONE"})
	apptest.Proxy(t, dev, http.MethodGet, "late", "c", "/before", nil).Want(t, http.StatusOK)

	// A connection in the cache follows the provider's new base URL.
	other := apptest.NewSaaS(t)
	apptest.WriteProvider(t, world.ProvidersDir, "late", strings.Replace(text("Second"), world.SaaS.URL, other.URL, 1))
	apptest.Poll(t, "the provider changes", func() bool { return title() == "Second" })
	apptest.Poll(t, "calls go to the new base URL", func() bool {
		apptest.Proxy(t, dev, http.MethodGet, "late", "c", "/after", nil).Want(t, http.StatusOK)
		return len(other.Requests()) > 0
	})

	// A broken file keeps what there was, and says where it is broken.
	apptest.WriteProvider(t, world.ProvidersDir, "late", text("Third")+"surprise: 1\n")
	apptest.Poll(t, "the log names the broken file and line", func() bool {
		return strings.Contains(i.Logs(), filepath.Join(world.ProvidersDir, "late.yaml")+":8")
	})
	if got := title(); got != "Second" {
		t.Errorf("after a broken file the provider is called %q, not Second", got)
	}
}

// TestRateLimit makes more calls than a minute allows.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	i := apptest.Start(t, apptest.Options{Database: apptest.NewSQLite(t), Flags: map[string]string{"rate-limit": "5"}})
	dev := i.Dev(t)
	var refused apptest.Reply
	for range 11 { // the window may turn once: eleven calls exceed five in one of two
		r := dev.Do(t, http.MethodGet, "/integrations", nil)
		if r.Header.Get("X-RateLimit-Limit") != "5" || r.Header.Get("X-RateLimit-Remaining") == "" || r.Header.Get("X-RateLimit-Reset") == "" {
			t.Fatalf("the answer lacks the contract's headers: %v", r.Header)
		}
		if r.Status == http.StatusTooManyRequests {
			refused = r
		}
	}
	refused.WantError(t, http.StatusTooManyRequests, "too_many_request")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("the refusal lacks Retry-After")
	}
}

// uuids returns the different UUIDs in a text.
func uuids(text string) []string {
	all := uuid.FindAllString(text, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// TestRoles splits the work between two replicas.
func TestRoles(t *testing.T) {
	t.Parallel()
	db := apptest.NewPostgres(t)
	world := apptest.NewWorld(t)
	o := apptest.Options{Database: db, ProvidersDir: world.ProvidersDir}
	o.Flags = map[string]string{"role": "api"}
	api := apptest.Start(t, o)
	o.Flags = map[string]string{"role": "worker"}
	worker := apptest.Start(t, o)
	for _, i := range []*apptest.Instance{api, worker} {
		i.Anonymous(t).Do(t, http.MethodGet, "/health", nil).Want(t, http.StatusOK)
		i.Anonymous(t).Do(t, http.MethodGet, "/ready", nil).Want(t, http.StatusOK)
	}
	world.Integrate(t, api.Dev(t), apptest.ProviderNone, "open")
	worker.Dev(t).Do(t, http.MethodGet, "/integrations", nil).Want(t, http.StatusNotFound)
}
