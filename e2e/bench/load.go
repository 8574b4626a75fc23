package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// load is a closed loop: each connection sends the next request when the
// answer to the last has been read.
type load struct {
	address     string
	request     []byte // the whole request, as it goes over the wire
	connections int
	duration    time.Duration
}

// result is what a load measured.
type result struct {
	perSecond float64
	p50, p99  time.Duration
}

// run makes the load, after a short warm-up that does not count.
func (l load) run(ctx context.Context) (result, error) {
	if _, err := l.measure(ctx, l.duration/5); err != nil {
		return result{}, err
	}
	return l.measure(ctx, l.duration)
}

func (l load) measure(ctx context.Context, d time.Duration) (result, error) {
	took := make([][]time.Duration, l.connections)
	errs := make([]error, l.connections)
	start := time.Now()
	var loops sync.WaitGroup
	for i := range l.connections {
		loops.Go(func() { took[i], errs[i] = l.loop(ctx, start.Add(d)) })
	}
	loops.Wait()
	elapsed := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		return result{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return result{
		perSecond: float64(len(all)) / elapsed.Seconds(),
		p50:       all[len(all)/2],
		p99:       all[len(all)*99/100],
	}, nil
}

// times sends the request n times over one connection.
func (l load) times(ctx context.Context, n int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 16<<10)
	for range n {
		if _, err := conn.Write(l.request); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		if err := readAnswer(reader); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// loop is one connection's work.
func (l load) loop(ctx context.Context, until time.Time) ([]time.Duration, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(until.Add(time.Minute)); err != nil {
		return nil, fmt.Errorf("setting a deadline: %w", err)
	}
	reader := bufio.NewReaderSize(conn, 16<<10)
	took := make([]time.Duration, 0, 1<<16)
	for {
		sent := time.Now()
		if sent.After(until) && len(took) > 0 {
			return took, ctx.Err()
		}
		if _, err := conn.Write(l.request); err != nil {
			return nil, fmt.Errorf("sending: %w", err)
		}
		if err := readAnswer(reader); err != nil {
			return nil, err
		}
		took = append(took, time.Since(sent))
	}
}

// readAnswer reads one HTTP/1.1 answer and fails unless it is a success. It
// understands just what the servers measured here send, and costs far less
// than net/http: the generator shares the processors with them.
func readAnswer(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading the status: %w", err)
	}
	if len(status) < 12 || status[9] != '2' {
		line := string(bytes.TrimSpace(status))
		rest, _ := io.ReadAll(io.LimitReader(r, int64(r.Buffered())))
		return fmt.Errorf("the answer is %q, not a success: %s", line, rest)
	}
	length, chunked := 0, false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading the headers: %w", err)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return fmt.Errorf("reading the length: %w", err)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.Contains(value, []byte("chunked"))
		}
	}
	if chunked {
		return skipChunks(r)
	}
	if _, err := r.Discard(length); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	return nil
}

func skipChunks(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading a chunk: %w", err)
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return fmt.Errorf("reading a chunk: %w", err)
		}
		if _, err := r.Discard(int(size) + 2); err != nil {
			return fmt.Errorf("reading a chunk: %w", err)
		}
		if size == 0 {
			return nil
		}
	}
}
