package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultHeader asks for a failure of the request it comes with.
const FaultHeader = "X-Demo-Fault"

const (
	maxFaultDelay = 30 * time.Second
	// maxFaults bounds the failures that are remembered at a time.
	maxFaults = 1000
)

// fault is how a request is made to fail. The zero value changes nothing.
type fault struct {
	// Method and Path say which requests; an empty method is any, the path is a
	// prefix. Only control requests set them.
	Method string `json:"method"`
	Path   string `json:"path"`
	// Status is answered instead of the truth. Zero: the truth.
	Status int `json:"status"`
	// Times is how often; once if zero.
	Times int `json:"times"`
	// DelayMS is how long the answer takes, in milliseconds.
	DelayMS int `json:"delay_ms"`
	// Truncate cuts the connection after so many bytes of the body. Nil: no.
	Truncate *int `json:"truncate"`
	// RetryAfter is the Retry-After header, in seconds. Nil: none.
	RetryAfter *int `json:"retry_after"`
}

func (f fault) check() error {
	switch {
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return invalid("The status of a fault must be between 200 and 599.")
	case f.Times < 0 || f.DelayMS < 0 || time.Duration(f.DelayMS)*time.Millisecond > maxFaultDelay:
		return invalid("Times and delays of a fault can't be negative, and a delay is 30 s at most.")
	case f.Truncate != nil && *f.Truncate < 0, f.RetryAfter != nil && *f.RetryAfter < 0:
		return invalid("Truncate and retry-after of a fault can't be negative.")
	}
	return nil
}

// parseFault reads the header: "status=503; times=2; delay=250ms; truncate=20;
// retry-after=1", any of them.
func parseFault(text string) (fault, error) {
	var f fault
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if name == "delay" {
			d, err := time.ParseDuration(value)
			if err != nil {
				return f, invalid("The delay of a fault must be like 250ms or 2s.")
			}
			f.DelayMS = int(d.Milliseconds())
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return f, invalid("A fault is like status=503; times=2; delay=250ms; truncate=20; retry-after=1.")
		}
		switch name {
		case "status":
			f.Status = n
		case "times":
			f.Times = n
		case "truncate":
			f.Truncate = &n
		case "retry-after":
			f.RetryAfter = &n
		default:
			return f, invalid("A fault has no part of that name; known are status, times, delay, truncate, retry-after.")
		}
	}
	return f, f.check()
}

// faults makes requests fail on request.
type faults struct {
	mu sync.Mutex
	// armed wait for the requests they are for.
	armed []fault
	// seen counts the requests that came with a header, by the header and where
	// they went.
	seen map[string]int
}

func newFaults() *faults { return &faults{seen: make(map[string]int)} }

// wrap makes requests to h fail that are to fail.
func (f *faults) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		due, err := f.due(r)
		switch {
		case err != nil:
			writeFailure(w, err)
		case due == nil:
			h.ServeHTTP(w, r)
		default:
			due.serve(w, r, h)
		}
	})
}

// due returns the fault of a request, nil if it has none.
func (f *faults) due(r *http.Request) (*fault, error) {
	if strings.HasPrefix(r.URL.Path, "/control/") {
		return nil, nil //nolint:nilnil // documented
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, armed := range f.armed {
		if (armed.Method != "" && armed.Method != r.Method) || !strings.HasPrefix(r.URL.Path, armed.Path) {
			continue
		}
		if f.armed[i].Times--; f.armed[i].Times <= 0 {
			f.armed = append(f.armed[:i:i], f.armed[i+1:]...)
		}
		return &armed, nil
	}
	text := r.Header.Get(FaultHeader)
	if text == "" {
		return nil, nil //nolint:nilnil // documented
	}
	asked, err := parseFault(text)
	if err != nil {
		return nil, err
	}
	if !f.again(text+"\n"+r.Method+" "+r.URL.Path, max(asked.Times, 1)) {
		return nil, nil //nolint:nilnil // documented
	}
	return &asked, nil
}

// again counts a request that asks for a failure and reports whether it still
// gets it. After the last one the count begins anew. f.mu is held.
func (f *faults) again(key string, times int) bool {
	if f.seen[key] >= times {
		delete(f.seen, key)
		return false
	}
	if len(f.seen) >= maxFaults {
		clear(f.seen)
	}
	f.seen[key]++
	return true
}

// serve answers as the fault says.
func (f *fault) serve(w http.ResponseWriter, r *http.Request, h http.Handler) {
	if !pause(r.Context(), time.Duration(f.DelayMS)*time.Millisecond) {
		return
	}
	if f.RetryAfter != nil {
		w.Header().Set("Retry-After", strconv.Itoa(*f.RetryAfter))
	}
	if f.Status != 0 {
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			writeFailure(w, fail(f.Status, "fault", "This failure was asked for."))
		})
	}
	if f.Truncate == nil {
		h.ServeHTTP(w, r)
		return
	}
	whole := &buffer{header: w.Header(), status: http.StatusOK}
	h.ServeHTTP(whole, r)
	w.Header().Set("Content-Length", strconv.Itoa(whole.body.Len()))
	w.WriteHeader(whole.status)
	_, _ = w.Write(whole.body.Bytes()[:min(*f.Truncate, whole.body.Len())])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler) // cuts the connection
}

// pause waits and reports whether the caller is still there.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// buffer keeps an answer.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (b *buffer) Header() http.Header { return b.header }

// WriteHeader implements http.ResponseWriter.
func (b *buffer) WriteHeader(status int) { b.status = status }

// Write implements http.ResponseWriter.
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// control lets the holder of the control key through.
func (s *Server) control(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !same(r.Header.Get("Authorization"), "Bearer "+s.cfg.ControlKey) {
			writeFailure(w, fail(http.StatusUnauthorized, "invalid_key", "The control key is missing or wrong."))
			return
		}
		next(w, r)
	}
}

// armFault makes later requests fail.
func (s *Server) armFault(w http.ResponseWriter, r *http.Request) {
	var f fault
	err := readJSON(r, &f)
	if err == nil {
		err = f.check()
	}
	if err == nil {
		err = s.faults.arm(f)
	}
	if err != nil {
		writeFailure(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *faults) arm(next fault) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.armed) >= maxFaults {
		return fail(http.StatusConflict, "full", fmt.Sprintf("%d faults wait already. Clear them first.", maxFaults))
	}
	next.Times = max(next.Times, 1)
	f.armed = append(f.armed, next)
	return nil
}

// clearFaults forgets all faults.
func (s *Server) clearFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.armed = nil
	clear(s.faults.seen)
	w.WriteHeader(http.StatusNoContent)
}
