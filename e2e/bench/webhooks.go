package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// hooks is how many webhooks wait when sending is measured, single how many
	// are sent one after the other, makers how many at a time make them.
	hooks  = 2000
	single = 200
	makers = 16
	// patience bounds how long webhooks may take to arrive.
	patience = 2 * time.Minute
)

// webhooks measures how long one webhook takes from its cause to the receiver,
// and how fast many that wait are sent, to one receiver and to several.
func (b *bench) webhooks(ctx context.Context, t io.Writer, program *process) error {
	row(t, "webhooks, from cause to receiver", "a second", "p50", "p99", "")
	one, err := singly(ctx, program)
	if err != nil {
		return err
	}
	b.tick()
	results(t, "  one after the other", one, "")
	for _, n := range []int{1, 16} {
		var rates []result
		for range b.rounds {
			took, err := flood(ctx, program, n)
			if err != nil {
				return err
			}
			rates = append(rates, result{perSecond: hooks / took.Seconds()})
			b.tick()
		}
		name := fmt.Sprintf("  %d waiting, for %d receivers", hooks, n)
		if n == 1 {
			name = fmt.Sprintf("  %d waiting, for one receiver", hooks)
		}
		row(t, name, fmt.Sprintf("%.0f", median(rates).perSecond), "", "", "")
	}
	return nil
}

// singly makes webhooks one after the other.
func singly(ctx context.Context, program *process) (result, error) {
	r, err := newReceivers(ctx, 1)
	if err != nil {
		return result{}, err
	}
	defer r.stop()
	close(r.gate)
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	took := make([]time.Duration, single)
	var all time.Duration
	for i := range took {
		if err := c.connection(ctx, "s", r.urls[0]); err != nil {
			return result{}, err
		}
		start := time.Now()
		if err := c.disconnect(ctx, "s"); err != nil {
			return result{}, err
		}
		if err := r.wait(ctx, 1); err != nil {
			return result{}, err
		}
		took[i] = time.Since(start)
		all += took[i]
	}
	slices.Sort(took)
	return result{perSecond: single / all.Seconds(), p50: took[single/2], p99: took[single*99/100]}, nil
}

// flood makes webhooks for n receivers that keep silent, and returns how long
// all take from the moment on at which they answer.
func flood(ctx context.Context, program *process, n int) (time.Duration, error) {
	r, err := newReceivers(ctx, n)
	if err != nil {
		return 0, err
	}
	defer r.stop()
	c := newBrowser(program.address)
	defer c.transport.CloseIdleConnections()
	each := func(do func(name, to string) error) error {
		errs := make([]error, makers)
		var workers sync.WaitGroup
		for w := range makers {
			workers.Go(func() {
				for i := w; i < hooks && errs[w] == nil; i += makers {
					errs[w] = do(fmt.Sprint("f", i), r.urls[i%n])
				}
			})
		}
		workers.Wait()
		return errors.Join(errs...)
	}
	if err := each(func(name, to string) error { return c.connection(ctx, name, to) }); err != nil {
		return 0, err
	}
	if err := each(func(name, _ string) error { return c.disconnect(ctx, name) }); err != nil {
		return 0, err
	}
	start := time.Now()
	close(r.gate)
	if err := r.wait(ctx, hooks); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// connection makes a connection whose webhooks go to a URL.
func (c *browser) connection(ctx context.Context, name, to string) error {
	_, _, err := c.call(ctx, http.MethodPost, "http://"+c.address+"/connections",
		`{"provider_config_key":"bench","connection_id":"`+name+`","credentials":{"type":"API_KEY","apiKey":"secret"},"webhook_url_override":"`+to+`"}`,
		http.StatusCreated, "Authorization", "Bearer "+devKey, "Content-Type", "application/json")
	return err
}

// disconnect deletes a connection, which its webhook tells of.
func (c *browser) disconnect(ctx context.Context, name string) error {
	_, _, err := c.call(ctx, http.MethodDelete, "http://"+c.address+"/connections/"+name+"?provider_config_key=bench", "", http.StatusOK,
		"Authorization", "Bearer "+devKey)
	return err
}

// receivers are backends of customers.
type receivers struct {
	urls []string
	// gate holds every answer until it is closed.
	gate chan struct{}
	got  chan struct{}
	stop func()
}

func newReceivers(ctx context.Context, n int) (*receivers, error) {
	r := &receivers{gate: make(chan struct{}), got: make(chan struct{}, hooks)}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body) // a broken request is sent again
		select {
		case <-r.gate:
		case <-q.Context().Done():
			return
		}
		w.WriteHeader(http.StatusOK)
		r.got <- struct{}{}
	})}
	var serving sync.WaitGroup
	r.stop = func() { _ = server.Close(); serving.Wait() }
	for range n {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			r.stop()
			return nil, fmt.Errorf("listening: %w", err)
		}
		r.urls = append(r.urls, "http://"+listener.Addr().String()+"/hook")
		serving.Go(func() { _ = server.Serve(listener) }) // ends with Close; whatever is missing, wait notices
	}
	return r, nil
}

// wait waits until n webhooks have arrived.
func (r *receivers) wait(ctx context.Context, n int) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for i := range n {
		select {
		case <-r.got:
		case <-late.C:
			return fmt.Errorf("only %d of %d webhooks arrived in %v", i, n, patience)
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // says it all
		}
	}
	return nil
}
