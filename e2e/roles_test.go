package e2e

import (
	"net/http"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/internal/apptest"
)

// TestRolesShareTheConnecting has a replica of the role api take authorizations
// and one of the role worker do what follows from them.
func TestRolesShareTheConnecting(t *testing.T) {
	t.Parallel()
	desk, sink := apptest.NewDesk(t), apptest.NewSink(t)
	o := apptest.Options{Database: apptest.NewPostgres(t), ProvidersDir: desk.ProvidersDir}
	o.Flags = map[string]string{"role": "api"}
	api := apptest.Start(t, o)
	desk.Open(t, api)
	api.SendTo(t, sink.URL)
	if status, err := authorize(t, api, api.Session(t, nil)); err != nil || status != http.StatusOK {
		t.Fatalf("the authorization ended with %d, %v", status, err)
	}
	if got := deliveries(t, api.Dev(t), ""); len(got) != 1 || got[0].State != "pending" || got[0].Attempts != 0 || len(sink.Hooks()) != 0 {
		t.Fatalf("without a worker there are the deliveries %+v, and %d arrived", got, len(sink.Hooks()))
	}
	o.Flags = map[string]string{"role": "worker"}
	apptest.Start(t, o)
	wantOneCreation(t, sink, api)
	apptest.Poll(t, "the delivery has ended", func() bool { return len(deliveries(t, api.Dev(t), "&state=delivered")) == 1 })
}

// TestWorkerFinishesWhatAnAPIReplicaLeft kills a replica of the role api in the
// middle of an authorization: the worker stores the connection and tells of it.
func TestWorkerFinishesWhatAnAPIReplicaLeft(t *testing.T) {
	t.Parallel()
	desk, sink := apptest.NewDesk(t), apptest.NewSink(t)
	o := apptest.Options{Database: apptest.NewPostgres(t), ProvidersDir: desk.ProvidersDir}
	o.Flags = map[string]string{"role": "api"}
	api, dies := apptest.Start(t, o), apptest.StartProcess(t, o)
	desk.Open(t, &dies.Instance) // which is where the desk sends browsers back to
	api.SendTo(t, sink.URL)
	o.Flags = map[string]string{"role": "worker"}
	apptest.Start(t, o)
	var once sync.Once
	desk.Before = func(r *http.Request) {
		if r.URL.Path == "/api/me" {
			once.Do(dies.Kill)
		}
	}
	if status, err := authorize(t, &dies.Instance, dies.Session(t, nil)); err == nil {
		t.Fatalf("the callback was answered with %d by a process that is dead", status)
	}
	wantOneCreation(t, sink, api)
}
