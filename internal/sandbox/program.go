package sandbox

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	programHead = "(function(module,exports,require){"
	programTail = "\n})"

	// Bytes of bytecode to keep.
	maxBytecode = 128 << 20

	compileMemory = 512 << 20
	compileTime   = 10 * time.Second
)

// compiled is a program as bytecode.
type compiled struct {
	key  [sha256.Size]byte
	code []byte

	evaluated atomic.Int64 // times that nothing forbade an image
}

func (c *compiled) size() int64 { return int64(len(c.code)) }

// image is the memory after a program was evaluated: the pages that differ from
// the snapshot.
type image struct {
	size  uint64
	pages []uint32 // their numbers, rising
	bytes []byte   // one after the other

	restored atomic.Int64 // times that its pages were copied
}

func (m *image) cost() int64 { return int64(len(m.bytes) + 4*len(m.pages)) }

// newImage compares the memory with the snapshot.
func newImage(snapshot, memory []byte) *image {
	m := &image{size: uint64(len(memory))}
	zero := make([]byte, imagePage)
	for at := 0; at < len(memory); at += imagePage {
		page, was := memory[at:at+imagePage], zero
		if at < len(snapshot) {
			was = snapshot[at : at+imagePage]
		}
		if !bytes.Equal(page, was) {
			m.pages = append(m.pages, uint32(at/imagePage))
			m.bytes = append(m.bytes, page...)
		}
	}
	m.bytes = bytes.Clone(m.bytes)
	return m
}

// runs calls yield with the pages that follow each other, and where they belong.
func (m *image) runs(yield func(at int, b []byte) error) error {
	for n := 0; n < len(m.pages); {
		end := n + 1
		for end < len(m.pages) && m.pages[end] == m.pages[end-1]+1 {
			end++
		}
		if err := yield(int(m.pages[n])*imagePage, m.bytes[n*imagePage:end*imagePage]); err != nil {
			return err
		}
		n = end
	}
	return nil
}

// restore puts the image over the snapshot.
func (m *image) restore(to *memory) {
	_ = m.runs(func(at int, b []byte) error { // copying does not fail
		copy(to.bytes[at:], b)
		return nil
	})
}

// freezeAfter is how often the pages of an image are copied until the whole memory
// is frozen: copying them is what costs most in a small run, while freezing them
// costs as much as dozens of copies, and memory.
const freezeAfter = 64

// programs are what the engine keeps of programs.
type programs struct {
	code   *recent[*compiled]
	images *recent[*image]
	frozen *recent[*frozen] // of the images that are used most
	known  identities
}

// newPrograms divides the bytes for images: half of them is for pages, of which
// many images have room, and half for whole memories.
func newPrograms(images int64) *programs {
	return &programs{
		code: newRecent[*compiled](maxBytecode), images: newRecent[*image](images - images/2), frozen: newRecent[*frozen](images / 2),
		known: identities{most: mostKnown, keys: map[text][sha256.Size]byte{}},
	}
}

// identities remember the keys of long programs: hashing one can take longer than
// running it, and who runs it again has the very same text.
type identities struct {
	most  int // bytes of the programs that are kept
	mu    sync.Mutex
	bytes int
	keys  map[text][sha256.Size]byte
}

// text is a program by where it is in memory, which this keeps there.
type text struct {
	name   string
	source *byte
	length int
}

const (
	leastKnown = 4 << 10  // bytes of a program that are worth it
	mostKnown  = 64 << 20 // bytes of all that are remembered
)

func (d *identities) key(p Program) [sha256.Size]byte {
	if len(p.Source) < leastKnown {
		return p.key()
	}
	t := text{p.Name, unsafe.StringData(p.Source), len(p.Source)} //nolint:gosec // strings don't change
	d.mu.Lock()
	key, ok := d.keys[t]
	d.mu.Unlock()
	if ok {
		return key
	}
	key = p.key()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bytes += len(p.Source); d.bytes > d.most {
		clear(d.keys)
		d.bytes = len(p.Source)
	}
	d.keys[t] = key
	return key
}

func (p Program) key() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s\n%s", len(p.Name), p.Name, p.Source)
	return [sha256.Size]byte(h.Sum(nil))
}

// compiled returns the program as bytecode. Errors are *SyntaxError, *thrown when
// there was no memory for it, and *LimitError.
func (e *Engine) compiled(ctx context.Context, p Program, w *watched) (*compiled, error) {
	key := e.programs.known.key(p)
	if c, ok := e.programs.code.find(key); ok {
		return c, nil
	}
	mine := false
	v, err, _ := e.compiles.Do(string(key[:]), func() (any, error) {
		mine = true
		code, err := e.compile(ctx, p, w)
		if err != nil {
			return nil, err
		}
		c := &compiled{key: key, code: code}
		e.programs.code.add(key, c, c.size())
		return c, nil
	})
	if _, wrong := errors.AsType[*SyntaxError](err); err != nil && !mine && !wrong && ctx.Err() == nil && w.reason() == 0 {
		return e.compiled(ctx, p, w) // what stopped somebody else's run need not stop this one
	}
	if err != nil {
		return nil, err
	}
	c, ok := v.(*compiled)
	if !ok {
		return nil, errors.New("compiling: no bytecode")
	}
	return c, nil
}

func (e *Engine) compile(ctx context.Context, p Program, w *watched) (code []byte, err error) {
	defer guard(&err)
	i, err := e.spawn(ctx, compileMemory, origin{})
	if err != nil {
		return nil, err
	}
	defer i.close(ctx)
	i.watch = w
	w.resume()
	defer w.pause()
	code, t := i.compile(p.Name, programHead+p.Source+programTail, 0)
	if t == nil {
		return code, nil
	}
	if t.Name != "SyntaxError" {
		return nil, t
	}
	return nil, t.syntax(p.Name)
}

// Check compiles a program. The error is *SyntaxError when that is not possible.
func (e *Engine) Check(ctx context.Context, p Program) error {
	var w watched
	w.begin(Limits{CPU: compileTime}, time.Now())
	_, err := supervise(ctx, e, &w, func() (*compiled, error) { return e.compiled(ctx, p, &w) })
	return err
}

// syntax finds out where the error is.
func (t *thrown) syntax(name string) *SyntaxError {
	s := &SyntaxError{Name: name, Message: t.Message}
	m := regexp.MustCompile(`:(\d+):(\d+)\)?\s*$`).FindStringSubmatch(firstLine(t.Stack))
	if m == nil {
		return s
	}
	// They are digits.
	s.Line, _ = strconv.Atoi(m[1])
	s.Column, _ = strconv.Atoi(m[2])
	if s.Line == 1 {
		s.Column = max(1, s.Column-len(programHead))
	}
	return s
}

func firstLine(s string) string {
	for line := range bytes.Lines([]byte(s)) {
		if len(bytes.TrimSpace(line)) > 0 {
			return string(bytes.TrimRight(line, "\n"))
		}
	}
	return ""
}

// origin is what the memory of an instance begins as: the snapshot, unless
// there is something better.
type origin struct {
	image  *image
	frozen *frozen
}

func (e *Engine) size(o origin) uint64 {
	switch {
	case o.frozen != nil:
		return uint64(o.frozen.size)
	case o.image != nil:
		return o.image.size
	default:
		return uint64(len(e.snapshot.bytes))
	}
}

func (e *Engine) fill(m *memory, o origin) error {
	if o.frozen != nil {
		return o.frozen.restore(m)
	}
	if err := e.snapshot.restore(m); err != nil {
		return err
	}
	if o.image != nil {
		o.image.restore(m)
	}
	return nil
}

// origin returns where instances of a program begin.
func (e *Engine) origin(ctx context.Context, c *compiled) origin {
	if f, ok := e.programs.frozen.find(c.key); ok {
		return origin{frozen: f}
	}
	m, ok := e.programs.images.find(c.key)
	if !ok {
		return origin{}
	}
	if m.restored.Add(1)%freezeAfter != 0 || int64(m.size) > e.programs.frozen.max {
		return origin{image: m}
	}
	f, err := freeze(e.snapshot.bytes, m)
	if err != nil {
		e.options.Log.WarnContext(ctx, "sandbox: the memory of a program could not be frozen", "error", err)
	}
	if f == nil {
		return origin{image: m}
	}
	e.programs.frozen.add(c.key, f, int64(f.size))
	return origin{frozen: f}
}

// restore makes the instance of a run, from a hot image when there is one.
func (e *Engine) restore(ctx context.Context, r *run) (*instance, error) {
	from := e.origin(ctx, r.program)
	i, err := e.spawn(ctx, r.limits.Memory, from)
	if err != nil {
		return nil, err
	}
	r.usage.Hot = from != origin{}
	i.run, i.watch = r, &r.watch
	r.watch.instance.Store(i)
	if i.cancel != nil {
		r.watch.kill.Store(new((func())(i.cancel)))
	}
	return i, nil
}

// keepImage keeps the memory of a program that was just evaluated, if it runs for
// the second time.
func (e *Engine) keepImage(c *compiled, i *instance) {
	if e.options.HotImages == 0 || c.evaluated.Add(1) < 2 {
		return
	}
	if _, ok := e.programs.images.find(c.key); ok {
		return
	}
	m := newImage(e.snapshot.bytes, i.read(0, i.memory.size))
	e.programs.images.add(c.key, m, m.cost())
}

// recent keeps what was used last, up to a number of bytes.
type recent[T any] struct {
	max int64

	mu    sync.Mutex
	bytes int64
	items map[[sha256.Size]byte]*list.Element
	order *list.List // of *kept[T], the last used first
}

type kept[T any] struct {
	key   [sha256.Size]byte
	value T
	bytes int64
}

func newRecent[T any](limit int64) *recent[T] {
	return &recent[T]{max: limit, items: map[[sha256.Size]byte]*list.Element{}, order: list.New()}
}

func (r *recent[T]) find(key [sha256.Size]byte) (value T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.items[key]
	if !ok {
		return value, false
	}
	r.order.MoveToFront(at)
	return at.Value.(*kept[T]).value, true //nolint:errcheck // nothing else is in the list
}

// add keeps a value, unless it alone is too large.
func (r *recent[T]) add(key [sha256.Size]byte, value T, size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if size > r.max {
		return
	}
	if at, ok := r.items[key]; ok {
		r.remove(at)
	}
	r.items[key] = r.order.PushFront(&kept[T]{key: key, value: value, bytes: size})
	r.bytes += size
	for r.bytes > r.max {
		r.remove(r.order.Back())
	}
}

func (r *recent[T]) remove(at *list.Element) {
	k := r.order.Remove(at).(*kept[T]) //nolint:errcheck // nothing else is in the list
	delete(r.items, k.key)
	r.bytes -= k.bytes
}
