//go:build unix

package runner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan/internal/sandbox"
)

// frames is a message as it travels.
func frames(m message) []byte {
	if m.size() <= chunkSize {
		return m.appendWhole(nil)
	}
	var b []byte
	for frame := range m.chunks {
		b = frame(b)
	}
	return b
}

func decodeAll(b []byte) ([]message, error) {
	d := newDecoder(bytes.NewReader(b))
	var all []message
	for {
		m, err := d.next()
		if err != nil {
			return all, err
		}
		m.flags &^= flagMore
		all = append(all, m)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	for name, m := range map[string]message{
		"empty":         {kind: kindCancel, run: 1},
		"small":         {kind: kindCall, flags: flagBody | flagText, run: 1 << 40, id: 7, parts: [3][]byte{[]byte("a"), []byte("bc"), []byte("def")}},
		"holes":         {kind: kindNote, run: 2, id: 1, parts: [3][]byte{nil, []byte("x"), nil}},
		"as one frame":  {kind: kindNote, run: 2, id: 1, parts: [3][]byte{nil, big[:chunkSize-prefixSize], nil}},
		"by one longer": {kind: kindNote, run: 2, id: 1, parts: [3][]byte{nil, big[:chunkSize-prefixSize+1], nil}},
		"long":          {kind: kindReply, flags: flagBody, run: 3, id: 9, parts: [3][]byte{big[:chunkSize], big[:5], big}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeAll(frames(m))
			if !errors.Is(err, io.EOF) || len(got) != 1 {
				t.Fatalf("%d messages, %v", len(got), err)
			}
			if diff := cmp.Diff(m, got[0], cmp.AllowUnexported(message{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Long messages leave room for others, and arrive in any mixture.
func TestInterleavedFrames(t *testing.T) {
	t.Parallel()
	big := make([]byte, 3*chunkSize)
	var mixed []byte
	other := message{kind: kindNote, run: 1, id: 1}
	for frame := range (&message{kind: kindCall, run: 1, id: 1, parts: [3][]byte{big}}).chunks {
		mixed = frame(mixed)
		mixed = other.appendWhole(mixed)
	}
	got, err := decodeAll(mixed)
	if !errors.Is(err, io.EOF) || len(got) != 5 || len(got[3].parts[0]) != len(big) {
		t.Errorf("%d messages, %v", len(got), err)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	whole := (&message{kind: kindCall, run: 1, id: 1, parts: [3][]byte{[]byte("abc")}}).appendWhole(nil)
	change := func(i int, b byte) []byte {
		c := bytes.Clone(whole)
		c[i] = b
		return c
	}
	head := message{kind: kindCall, run: 1}
	more := func(prefix [3]uint32, payload int) []byte {
		b := head.appendHeader(nil, prefixSize+payload, flagMore)
		for _, n := range prefix {
			b = append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
		}
		return append(b, make([]byte, payload)...)
	}
	for name, b := range map[string][]byte{
		"no kind":                   change(4, 0),
		"an unknown kind":           change(4, byte(kindEnd)),
		"too long a frame":          change(3, 255),
		"a large frame":             (&message{kind: kindCall, run: 1, parts: [3][]byte{nil, nil, make([]byte, maxFrame)}}).appendWhole(nil),
		"too short for its lengths": head.appendHeader(nil, 3, 0),
		"a part that is too long":   change(frameHeader, 200),
		"a part that is too short":  change(frameHeader, 1),
		"an end within the header":  whole[:5],
		"an end within the payload": whole[:len(whole)-1],
		"too long a message":        more([3]uint32{maxMessage, 0, 0}, 1),
		"lengths that overflow":     more([3]uint32{1<<32 - 1, 1<<32 - 1, 1<<32 - 1}, 1),
		"more of what is complete":  more([3]uint32{5, 0, 0}, 5),
		"more than was announced":   append(more([3]uint32{5, 0, 0}, 1), append(head.appendHeader(nil, 9, 0), make([]byte, 9)...)...),
		"less than was announced":   append(more([3]uint32{5, 0, 0}, 1), append(head.appendHeader(nil, 1, 0), 0)...),
		"nothing more":              append(more([3]uint32{5, 0, 0}, 1), head.appendHeader(nil, 0, flagMore)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := decodeAll(b); !errors.Is(err, errFrame) {
				t.Error(err)
			}
		})
	}
}

func TestTooManyPartialMessages(t *testing.T) {
	t.Parallel()
	var b []byte
	for i := range maxPartial/maxMessage + 1 {
		m := message{kind: kindCall, run: uint64(i)}
		b = m.appendHeader(b, prefixSize+1, flagMore)
		const size = maxMessage - prefixSize
		b = append(b, byte(size&0xff), byte(size>>8&0xff), byte(size>>16&0xff), byte(size>>24), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	if _, err := decodeAll(b); !errors.Is(err, errFrame) {
		t.Error(err)
	}
}

// Whatever comes, the decoder ends with an error, does not panic, and what it
// accepted encodes to something that decodes to the same.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte{})
	f.Add((&message{kind: kindBeat, parts: [3][]byte{{1}}}).appendWhole(nil))
	f.Add((&message{kind: kindCall, flags: flagBody, run: 1, id: 2, parts: [3][]byte{[]byte("a"), []byte("{}"), []byte("b")}}).appendWhole(nil))
	m := message{kind: kindCall, run: 1}
	split := append(m.appendHeader(nil, prefixSize+1, flagMore), 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'a')
	f.Add(append(append(split, m.appendHeader(nil, 2, 0)...), "bc"...))
	r := encodeResult(1, sandbox.Result{}, &sandbox.LimitError{Limit: "cpu"})
	f.Add(r.appendWhole(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := decodeAll(b)
		if err == nil {
			t.Fatal("no end")
		}
		var again []byte
		for _, m := range first {
			again = append(again, frames(m)...)
			_, _, _ = decodeResult(m)
			_, _, _ = parseRun(m.parts[0])
			_, _ = parseCredit(m)
		}
		second, err := decodeAll(again)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second, cmp.AllowUnexported(message{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A child gets whatever its parent writes; nothing but its end may come of it.
func FuzzServe(f *testing.F) {
	hello := message{kind: kindHello, parts: [3][]byte{[]byte(`{"protocol":1,"beat":1000000000,"programs":100}`)}}
	p := sandbox.Program{Name: "a", Source: "echo"}
	id := identify(p)
	teach := encodeProgram(1, id, p)
	run := message{kind: kindRun, run: 1, parts: [3][]byte{appendRun(nil, id, sandbox.Limits{}), []byte("{}")}}
	f.Add(teach.appendWhole(nil))
	f.Add(run.appendWhole(teach.appendWhole(nil)))
	c := credit(1, creditNotes, 5)
	f.Add(c.appendWhole(run.appendWhole(teach.appendWhole(nil))))
	f.Fuzz(func(_ *testing.T, b []byte) {
		conn := struct {
			io.Reader
			io.Writer
			io.Closer
		}{bytes.NewReader(append(hello.appendWhole(nil), b...)), io.Discard, io.NopCloser(nil)}
		_ = Serve(context.Background(), conn, func(context.Context, Settings) (Engine, error) { return script{}, nil })
	})
}

// A side that does not read makes senders wait, and lets go of those that give up.
func TestSendersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		l := newLink(ours)
		var wg sync.WaitGroup
		wg.Go(func() { _ = l.write() })
		m := message{kind: kindNote, parts: [3][]byte{make([]byte, chunkSize/2)}}
		ctx, cancel := context.WithCancel(t.Context())
		sent := 0
		wg.Go(func() {
			for l.send(ctx, m) == nil {
				sent++
			}
		})
		synctest.Wait()
		if least := highWater / m.size(); sent < least || sent > 2*least+4 {
			t.Errorf("%d messages were taken", sent)
		}
		cancel()
		synctest.Wait()
		if err := l.send(ctx, m); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for d := newDecoder(theirs); sent > 0; sent-- {
			if _, err := d.next(); err != nil {
				t.Error(err)
			}
		}
		l.end(io.ErrClosedPipe)
		wg.Wait()
		if err := l.send(t.Context(), m); !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
}
