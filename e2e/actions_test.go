package e2e

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestRolesShareTheRunning has a replica of the role api take asynchronous actions
// and connections, and one of the role worker execute what follows.
func TestRolesShareTheRunning(t *testing.T) {
	t.Parallel()
	desk := apptest.NewDesk(t)
	o := apptest.Options{Database: apptest.NewPostgres(t), ProvidersDir: desk.ProvidersDir}
	o.Flags = map[string]string{"role": "api"}
	api := apptest.StartProcess(t, o)
	desk.Open(t, &api.Instance)
	deployDesk(t, &api.Instance)
	dev := api.Dev(t)
	if status, err := authorize(t, &api.Instance, api.Session(t, nil)); err != nil || status != http.StatusOK {
		t.Fatalf("the authorization ended with %d, %v", status, err)
	}
	connection := names(t, dev)[0]
	trigger(t, dev, connection, "open", `{"title":"at once"}`).Want(t, http.StatusOK)
	var accepted struct{ ID, StatusURL string }
	trigger(t, dev, connection, "open", `{"title":"later"}`, "X-Async", "true").Want(t, http.StatusAccepted).Into(t, &accepted)
	dev.Do(t, http.MethodGet, accepted.StatusURL, nil).Want(t, http.StatusNotFound)
	if got := titles(t, dev, connection); strings.Contains(got, "later") || strings.Contains(got, "welcome") {
		t.Fatalf("a replica of the role api executes what is for workers: %s", got)
	}
	api.Kill() // what it has accepted does not need it
	api.Wait(t)

	o.Flags = map[string]string{"role": "worker"}
	apptest.Start(t, o)
	o.Flags = map[string]string{"role": "api"}
	other := apptest.Start(t, o)
	dev = other.Dev(t)
	apptest.Poll(t, "the worker executes what was accepted", func() bool {
		return dev.Do(t, http.MethodGet, accepted.StatusURL, nil).Status == http.StatusOK
	})
	apptest.Poll(t, "the function after the connection", func() bool {
		return strings.Contains(titles(t, dev, connection), "welcome "+connection)
	})
}

// TestStopDuringActions stops a server while an action is waited for and another
// one runs in the background: both end, and what waits behind them is left to the
// next process.
func TestStopDuringActions(t *testing.T) {
	t.Parallel()
	for name, open := range apptest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := apptest.NewDesk(t)
			o := apptest.Options{Database: open(t), ProvidersDir: desk.ProvidersDir}
			child := apptest.StartProcess(t, o)
			desk.Open(t, &child.Instance)
			deployDesk(t, &child.Instance)
			dev := child.Dev(t)
			if status, err := authorize(t, &child.Instance, child.Session(t, nil)); err != nil || status != http.StatusOK {
				t.Fatalf("the authorization ended with %d, %v", status, err)
			}
			connection := names(t, dev)[0]
			apptest.Poll(t, "the function after the connection", func() bool { return strings.Contains(titles(t, dev, connection), "welcome") })

			reached, proceed := make(chan struct{}, 100), make(chan struct{})
			desk.Before = func(r *http.Request) {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tickets") {
					reached <- struct{}{}
					<-proceed
				}
			}
			const background = 12 // more than run at a time
			urls := make([]string, background)
			for i := range urls {
				var accepted struct{ StatusURL string }
				trigger(t, dev, connection, "open", `{"title":"background"}`, "X-Async", "true").Want(t, http.StatusAccepted).Into(t, &accepted)
				urls[i] = accepted.StatusURL
			}
			var waited apptest.Reply
			var waiting sync.WaitGroup
			waiting.Go(func() { waited = trigger(t, dev, connection, "open", `{"title":"waited for"}`) })
			for range 9 { // eight of them, and the one that is waited for
				<-reached
			}
			child.Terminate(t)
			close(proceed)
			waiting.Wait()
			if waited.Status != http.StatusOK {
				t.Errorf("the action that was waited for ended with %d %s", waited.Status, waited.Body)
			}
			if code := child.Wait(t); code != 0 {
				t.Errorf("the process ended with %d", code)
			}
			again := apptest.StartProcess(t, o)
			dev = again.Dev(t)
			for _, u := range urls {
				apptest.Poll(t, "every action ends", func() bool { return dev.Do(t, http.MethodGet, u, nil).Status == http.StatusOK })
			}
			if n := strings.Count(titles(t, dev, connection), "background"); n != background {
				t.Errorf("%d tickets of %d actions", n, background)
			}
		})
	}
}

// TestDeletionOutlivesItsCaller has the caller leave while the function before the
// deletion runs.
func TestDeletionOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	w := newFunctionDesk(t, apptest.NewSQLite(t))
	dev, connection := w.Dev(t), w.connected(t)
	apptest.Poll(t, "the function after the connection", func() bool { return strings.Contains(titles(t, dev, connection), "welcome") })
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	w.desk.Before = func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tickets") {
			leave()
			<-gone
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, w.URL+"/connections/"+connection+"?provider_config_key=desk", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.Keys.Dev)
	client := &http.Client{}
	defer client.CloseIdleConnections()
	if resp, err := client.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Errorf("the caller who left was answered %d", resp.StatusCode)
	}
	close(gone)
	apptest.Poll(t, "the connection is deleted", func() bool { return len(names(t, dev)) == 0 })
}
