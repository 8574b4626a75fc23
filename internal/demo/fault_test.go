package demo_test

import (
	"net/http"
	"testing"

	"github.com/linkspan/linkspan/internal/demo"
)

func TestFaultHeader(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	ask := func(path, fault string) reply { return f.api(t, http.MethodGet, path, "", demo.FaultHeader, fault) }
	for range 2 { // the count begins anew
		for range 2 {
			if r := ask("/me", "status=503; times=2; retry-after=7").want(t, http.StatusServiceUnavailable); r.header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
			}
		}
		ask("/me", "status=503; times=2; retry-after=7").want(t, http.StatusOK)
	}
	ask("/me", "delay=1ms").want(t, http.StatusOK)
	if r := ask("/me", "truncate=10"); r.err == nil || len(r.body) > 10 || r.header.Get("Content-Length") == "10" {
		t.Errorf("the answer is not cut: %q, error %v", r.body, r.err)
	}
	for _, wrong := range []string{"status=9", "status=x", "delay=x", "delay=1h", "colour=1", "times=-1;status=500", "truncate=-1"} {
		ask("/me", wrong).want(t, http.StatusUnprocessableEntity)
	}
}

func TestArmedFaults(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	arm := func(body string) reply {
		return f.do(t, http.MethodPost, "/control/faults", body, "Authorization", "Bearer control")
	}
	arm(`{"path":"/oauth/token","status":500,"times":2}`).want(t, http.StatusNoContent)
	arm(`{"method":"DELETE","status":418}`).want(t, http.StatusNoContent)
	pair := f.Issue()
	f.renew(t, pair.Refresh).want(t, http.StatusInternalServerError)
	f.renew(t, pair.Refresh).want(t, http.StatusInternalServerError)
	f.renew(t, pair.Refresh).want(t, http.StatusOK)
	f.api(t, http.MethodDelete, "/tickets/1", "").want(t, http.StatusTeapot)
	f.api(t, http.MethodGet, "/tickets/1", "").want(t, http.StatusOK)

	arm(`{"status":500}`).want(t, http.StatusNoContent)
	f.do(t, http.MethodDelete, "/control/faults", "", "Authorization", "Bearer control").want(t, http.StatusNoContent)
	f.api(t, http.MethodGet, "/me", "").want(t, http.StatusOK)

	arm(`{"status":1}`).want(t, http.StatusUnprocessableEntity)
	f.do(t, http.MethodPost, "/control/faults", `{"status":500}`, "Authorization", "Bearer wrong").want(t, http.StatusUnauthorized)
	closed := start(t, func(c *demo.Config) { c.ControlKey = "" })
	closed.do(t, http.MethodPost, "/control/faults", `{"status":500}`, "Authorization", "Bearer ").want(t, http.StatusNotFound)
}
