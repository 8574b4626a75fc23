package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"
)

const (
	// How QuickJS compiles what it keeps: without the source, so that functions of
	// the prelude print as native ones.
	stripSource = 1 << 4

	// Collecting garbage early costs more than it frees in programs that are over
	// soon.
	gcThreshold = 32 << 20

	snapshotMemory = 256 << 20

	// snapshotFormat changes when the engine makes other snapshots of the same
	// prelude.
	snapshotFormat = "linkspan snapshot 1\n"
)

// takeSnapshot gets the snapshot from the cache, or makes it.
func (e *Engine) takeSnapshot(ctx context.Context) error {
	path := e.folder.snapshot
	if path != "" {
		image, roots, err := readSnapshot(path)
		if err == nil {
			e.roots = roots
			e.snapshot, err = newBase(image)
			return err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			e.options.Log.WarnContext(ctx, "sandbox: the snapshot in the cache is not usable and is made again", "error", err)
		}
	}
	started := time.Now()
	image, roots, err := e.makeSnapshot(ctx)
	if err != nil {
		return err
	}
	e.options.Log.DebugContext(ctx, "sandbox: snapshot made", "bytes", len(image), "duration", time.Since(started))
	e.roots = roots
	if e.snapshot, err = newBase(image); err != nil {
		return err
	}
	if path != "" {
		if err := writeSnapshot(path, image, roots); err != nil {
			e.options.Log.WarnContext(ctx, "sandbox: the snapshot could not be kept in the cache", "error", err)
		}
	}
	return nil
}

// snapshotKey names the snapshot of this module and this prelude.
func (e *Engine) snapshotKey() string {
	h := sha256.New()
	for _, part := range []string{snapshotFormat, moduleVersion, string(moduleWASM), e.options.Prelude} {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// makeSnapshot evaluates the prelude and returns the memory after that.
func (e *Engine) makeSnapshot(ctx context.Context) (image []byte, r roots, err error) {
	defer guard(&err)
	i, err := e.newInstance(ctx, snapshotMemory)
	if err != nil {
		return nil, roots{}, err
	}
	defer i.close(ctx)
	if err := i.initialize(); err != nil {
		return nil, roots{}, err
	}
	code, t := i.compile("prelude.js", e.options.Prelude, stripSource)
	if t != nil {
		return nil, roots{}, fmt.Errorf("compiling the prelude: %w", t)
	}
	h, t := i.evaluate(code)
	if t != nil {
		return nil, roots{}, fmt.Errorf("evaluating the prelude: %w\n%s", t, t.Stack)
	}
	i.freeValue(h)
	if err := i.takeEntry(); err != nil {
		return nil, roots{}, err
	}
	if i.call("qjs_is_job_pending") != 0 {
		return nil, roots{}, errors.New("the prelude must not leave promises behind")
	}
	if err := i.findCounter(); err != nil {
		return nil, roots{}, err
	}
	i.call("qjs_run_gc")
	i.call("qjs_set_gc_threshold", gcThreshold)
	i.roots.StackPointer = i.module.ExportedGlobal("__stack_pointer").Get()
	i.roots.Runtime, i.roots.Context = i.call("qjs_get_runtime_ptr"), i.call("qjs_get_context_ptr")
	return append([]byte(nil), i.read(0, i.memory.size)...), i.roots, nil
}

// initialize makes the runtime of QuickJS and the functions of the host.
func (i *instance) initialize() error {
	i.call("_initialize")
	if i.call("qjs_init") != 0 {
		return errors.New("QuickJS did not start")
	}
	i.call("qjs_set_interrupt_handler", 1)
	i.call("qjs_set_promise_rejection_handler", 1)
	i.call("qjs_set_max_stack_size", stackSize)
	i.roots.Scratch = i.call("wasm_malloc", scratchSize)
	i.roots.Undefined = i.call("qjs_get_undefined")
	if i.roots.Scratch == 0 || i.roots.Undefined == 0 {
		return errOutOfMemory
	}
	global := i.call("qjs_get_global")
	defer i.freeValue(global)
	for _, name := range []string{"__hostCall", "__hostSync", "__hostDone"} {
		at := i.write([]byte(name))
		f := i.call("qjs_new_host_function", at, uint64(len(name)), 0)
		i.call("qjs_set_prop_string", global, at, f)
		i.freeValue(f)
		i.free(at)
	}
	return nil
}

// takeEntry takes the functions that the prelude offers, and then their property.
func (i *instance) takeEntry() error {
	global := i.call("qjs_get_global")
	defer i.freeValue(global)
	entry := i.property(global, "__entry")
	if entry == 0 {
		return errors.New("the prelude has no entry")
	}
	defer i.freeValue(entry)
	for name, to := range map[string]*uint64{
		"load": &i.roots.Load, "start": &i.roots.Start, "settle": &i.roots.Settle, "rejected": &i.roots.Rejected,
	} {
		*to = i.property(entry, name)
		if *to == 0 || i.call("qjs_is_function", *to) == 0 {
			return fmt.Errorf("the prelude's entry has no function %s", name)
		}
	}
	code, t := i.compile("entry.js", "delete globalThis.__entry", 0)
	if t != nil {
		return fmt.Errorf("removing the entry: %w", t)
	}
	h, t := i.evaluate(code)
	if t != nil {
		return fmt.Errorf("removing the entry: %w", t)
	}
	i.freeValue(h)
	return nil
}

// findCounter finds where QuickJS counts steps: in its context, the one word that
// falls by one or two for each turn of a loop.
func (i *instance) findCounter() error {
	const loops, words, rounds = 1000, 256, 4
	code, t := i.compile("count.js", fmt.Sprintf("for (let i = 0; i < %d; i++);", loops), 0)
	if t != nil {
		return fmt.Errorf("looking for the counter: %w", t)
	}
	context := i.call("qjs_get_context_ptr")
	hits := map[uint64]int{}
	for range rounds {
		before := bytes.Clone(i.read(context, 4*words))
		h, t := i.evaluate(code)
		if t != nil {
			return fmt.Errorf("looking for the counter: %w", t)
		}
		i.freeValue(h)
		for n := uint64(0); n < 4*words; n += 4 {
			was, is := binary.LittleEndian.Uint32(before[n:]), uint32(i.word(context+n))
			if was <= 10_000 && was > is && was-is >= loops && was-is < 3*loops {
				hits[context+n]++
			}
		}
	}
	for at, n := range hits {
		// Once, it may have reached zero and begun again.
		if n >= rounds-1 {
			if i.roots.Counter != 0 {
				return errors.New("there are two counters of steps")
			}
			i.roots.Counter = at
		}
	}
	if i.roots.Counter == 0 {
		return errors.New("there is no counter of steps")
	}
	return nil
}

// spawn makes an instance.
func (e *Engine) spawn(ctx context.Context, limit int64, from origin) (*instance, error) {
	size := e.size(from)
	if uint64(limit) < size {
		return nil, errOutOfMemory
	}
	i, err := e.newInstance(ctx, limit)
	if err != nil {
		return nil, err
	}
	if err := i.adopt(e, size, limit, from); err != nil {
		i.close(ctx)
		return nil, err
	}
	return i, nil
}

func (i *instance) adopt(e *Engine, size uint64, limit int64, from origin) (err error) {
	defer guard(&err)
	if have := i.memory.size; size > have {
		if _, ok := i.module.Memory().Grow(uint32((size - have) / wasmPage)); !ok {
			return errOutOfMemory
		}
	}
	if err := e.fill(i.memory, from); err != nil {
		return err
	}
	i.roots = e.roots
	stack, ok := i.module.ExportedGlobal("__stack_pointer").(api.MutableGlobal)
	if !ok {
		return errors.New("the module's stack can't be set")
	}
	stack.Set(i.roots.StackPointer)
	i.call("qjs_set_runtime_and_context", i.roots.Runtime, i.roots.Context)
	i.call("qjs_set_memory_limit", uint64(min(limit, 1<<32-1)))
	return nil
}

// readSnapshot reads a file that writeSnapshot wrote. It begins with the format,
// the SHA-256 of the rest in hexadecimal and the roots as JSON, a line each.
func readSnapshot(path string) ([]byte, roots, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, roots{}, fmt.Errorf("reading the snapshot: %w", err)
	}
	rest, ok := strings.CutPrefix(string(b[:min(len(b), 256)]), snapshotFormat)
	sum, _, found := strings.Cut(rest, "\n")
	if !ok || !found {
		return nil, roots{}, errors.New("reading the snapshot: it has no header")
	}
	b = b[len(snapshotFormat)+len(sum)+1:]
	if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != sum {
		return nil, roots{}, errors.New("reading the snapshot: it is damaged")
	}
	head, image, _ := bytes.Cut(b, []byte("\n"))
	var r roots
	if err := json.Unmarshal(head, &r); err != nil {
		return nil, roots{}, fmt.Errorf("reading the snapshot: %w", err)
	}
	if len(image) == 0 || len(image)%wasmPage != 0 {
		return nil, roots{}, errors.New("reading the snapshot: its size is wrong")
	}
	return image, r, nil
}

func writeSnapshot(path string, image []byte, r roots) error {
	head, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	body := bytes.Join([][]byte{head, image}, []byte("\n"))
	sum := sha256.Sum256(body)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	// Others see all of it or nothing.
	f, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	_, err = f.WriteString(snapshotFormat + hex.EncodeToString(sum[:]) + "\n")
	if err == nil {
		_, err = f.Write(body)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the snapshot: %w", err), os.Remove(f.Name()))
	}
	return nil
}
